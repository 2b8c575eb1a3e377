//! What is no longer as it was installed.
//!
//! Owns the comparison: content, owner, permission bits and link texts of every path, folders that
//! others may write, and settings of others that say otherwise than ours.

use super::manifest::{Kept, Manifest};
use super::merge;
use super::place::{AGENT, PROGRAMS, Place, SETTINGS};
use cairn_event::Sha256;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Largest installed file: a program with debug information.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// One thing that is not as installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Where.
    pub path: String,
    /// What is wrong, in words.
    pub problem: String,
}

/// Everything at `place` that is not as `manifest` says; empty is good.
pub fn drifts(place: &Place, manifest: &Manifest) -> Vec<Drift> {
    let drift = |path: &str, problem: String| Drift {
        path: path.to_owned(),
        problem,
    };
    let mut found: Vec<Drift> = manifest
        .entries
        .iter()
        .filter_map(|entry| {
            let problem = problem(place, &place.inside(&entry.path), &entry.kept)?;
            Some(drift(&entry.path, problem))
        })
        .collect();
    for folder in [AGENT, PROGRAMS] {
        if let Ok(meta) = std::fs::metadata(place.inside(folder))
            && (meta.uid() != place.owner() || meta.mode() & 0o022 != 0)
        {
            found.push(drift(folder, "others than root may write in it".to_owned()));
        }
    }
    let own = cairn_durable::read_limited(&place.inside(SETTINGS), FILE_BYTES_MAX)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    if let Some(own) = own {
        let all = merge::merged(place, &own);
        for member in merge::missing(&own, &all) {
            let problem = format!("another managed settings file overrides `{member}`");
            found.push(drift(SETTINGS, problem));
        }
    }
    found
}

/// What is wrong with one path, if anything.
pub(super) fn problem(place: &Place, path: &Path, kept: &Kept) -> Option<String> {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return Some("it is missing".to_owned());
    };
    if meta.uid() != place.owner() {
        return Some(format!("it belongs to user {}", meta.uid()));
    }
    match kept {
        Kept::Link { to } => {
            let says = std::fs::read_link(path).ok();
            (says.as_deref() != Some(Path::new(to))).then(|| format!("it is no link to `{to}`"))
        }
        Kept::File { .. } if !meta.is_file() => Some("it is no file".to_owned()),
        Kept::File { sha256, mode } => {
            let found = meta.mode() & 0o7777;
            if found != *mode {
                return Some(format!("it has mode {found:o} instead of {mode:o}"));
            }
            match cairn_durable::read_limited(path, FILE_BYTES_MAX) {
                Ok(bytes) if Sha256::of(&bytes) == *sha256 => None,
                Ok(_) => Some("its content was changed".to_owned()),
                Err(error) => Some(error.to_string()),
            }
        }
    }
}
