//! A new enrolment in the place of an old one: what moves where, and in which order.
//!
//! Owns the folders `next` (the key of an enrolment that is not finished) and `former` (what earlier
//! enrolments of this device left: receipts, and entries that the log did not take). Nothing is
//! deleted. A crash on the way leaves a device that is not enrolled, never one with mixed parts.

use crate::state::{FOLDER_MODE, StateDir};
use anyhow::Context as _;
use cairn_durable::create_dir_durable;
use std::path::Path;

/// What belongs to one enrolment; the identity first, so that nothing works with half of the rest.
const PARTS: [&str; 9] = [
    "identity.json",
    "device.key",
    "seal.key",
    "uploaded.json",
    "unrecorded",
    "spool",
    "receipts",
    "refused",
    "policy",
];

/// The parts that an unfinished enrolment has.
const KEY_PARTS: [&str; 2] = ["seal.key", "device.key"];

/// An empty folder for the key of the next enrolment.
pub(super) fn next(state: &StateDir) -> anyhow::Result<StateDir> {
    let path = state.path().join("next");
    if path.exists() {
        // The key of an enrolment that was never finished is of no use to anybody.
        std::fs::remove_dir_all(&path)?;
    }
    create_dir_durable(&path, FOLDER_MODE)?;
    Ok(StateDir::at(path)?)
}

/// Puts the old enrolment aside and the new key in place; the caller then saves the identity.
pub(super) fn succeed(state: &StateDir, next: &StateDir, device: &str) -> anyhow::Result<()> {
    let parts = |part: &&&str| state.path().join(part).exists();
    let present: Vec<_> = PARTS.iter().filter(parts).collect();
    if !present.is_empty() {
        let former = former(state, device)?;
        for part in present {
            rename(&state.path().join(part), &former.join(part))?;
        }
    }
    for part in KEY_PARTS {
        rename(&next.path().join(part), &state.path().join(part))?;
    }
    std::fs::remove_dir_all(next.path())?;
    // Makes the renames durable.
    create_dir_durable(&state.path().join("former"), FOLDER_MODE)?;
    Ok(())
}

fn former(state: &StateDir, device: &str) -> anyhow::Result<std::path::PathBuf> {
    let before = format!("before-{device}");
    let path = state.path().join("former").join(before);
    create_dir_durable(&path, FOLDER_MODE)?;
    Ok(path)
}

fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::rename(from, to).with_context(|| format!("`{}` was not moved", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::DeviceKey;

    #[test]
    fn the_old_enrolment_is_kept_and_the_new_key_takes_over() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path().to_owned()).unwrap();
        let old = DeviceKey::open_or_create(&state)
            .unwrap()
            .signer()
            .public_key();
        std::fs::write(state.identity(), "{}").unwrap();
        std::fs::create_dir(state.receipts()).unwrap();
        let staged = next(&state).unwrap();
        let new = DeviceKey::open_or_create(&staged)
            .unwrap()
            .signer()
            .public_key();
        succeed(&state, &staged, "d_2").unwrap();
        assert_eq!(DeviceKey::open(&state).unwrap().signer().public_key(), new);
        assert!(!state.identity().exists() && !state.receipts().exists());
        let former = StateDir::at(dir.path().join("former/before-d_2")).unwrap();
        assert_eq!(DeviceKey::open(&former).unwrap().signer().public_key(), old);
        assert!(former.identity().exists() && former.receipts().exists());
    }
}
