//! The evidence of the demo: a pack, its offline verification, and one flipped byte in each file.
//!
//! It owns the tampering. The verdicts are `cairn-audit`'s.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::demo::infrastructure::Infrastructure;

/// What an auditor concluded.
#[derive(Debug)]
pub struct Verdict {
    /// Exit code 0.
    pub good: bool,
    /// Everything it printed.
    pub said: String,
}

/// How a pack is verified without a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// In a network namespace of its own, with no interface up.
    Namespace,
    /// The user may not make one: as it is.
    None,
}

impl Isolation {
    /// Finds out what this user may do.
    #[must_use]
    pub fn available() -> Self {
        let made = Command::new("unshare")
            .args(["--net", "--map-root-user", "true"])
            .output();
        match made {
            Ok(output) if output.status.success() => Self::Namespace,
            _ => Self::None,
        }
    }
}

/// Verifies a pack against the trust policy and the pinned genesis hash.
///
/// # Errors
/// `cairn-audit` cannot be started. A bad pack is a verdict, not an error.
pub fn verify(
    programs: &Path,
    organisation: &Infrastructure,
    pack: &Path,
    isolation: Isolation,
) -> Result<Verdict> {
    let program = programs.join("cairn-audit");
    let mut command = match isolation {
        Isolation::Namespace => {
            let mut command = Command::new("unshare");
            command.args(["--net", "--map-root-user"]).arg(program);
            command
        }
        Isolation::None => Command::new(program),
    };
    let output = command
        .arg("verify")
        .arg(pack)
        .arg("--trust-policy")
        .arg(&organisation.trust_policy)
        .args(["--genesis-hash", &organisation.genesis])
        .output()
        .context("cannot start `cairn-audit`")?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok(Verdict {
        good: output.status.success(),
        said,
    })
}

/// All files of a pack, by path below it, sorted.
///
/// # Errors
/// A folder cannot be read.
pub fn files(pack: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![pack.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(pack)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Makes a copy of the pack with one byte in the middle of `file` flipped.
///
/// # Errors
/// A file cannot be copied.
pub fn tampered_copy(pack: &Path, copy: &Path, file: &Path) -> Result<()> {
    if copy.exists() {
        fs::remove_dir_all(copy)?;
    }
    for name in files(pack)? {
        let to = copy.join(&name);
        fs::create_dir_all(to.parent().context("a pack's file has a folder")?)?;
        let mut bytes = fs::read(pack.join(&name))?;
        if name == file {
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 1;
            }
        }
        fs::write(to, bytes)?;
    }
    Ok(())
}
