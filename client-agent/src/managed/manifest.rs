//! The manifest: what an installation wrote, so that it can be checked and taken away again.
//!
//! Owns the file and whether it is believed.
//!
//! Source: architecture of record, section 1 (managed install).

use super::place::{MANIFEST, Place};
use cairn_event::Sha256;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Largest manifest; one has about 2 KiB.
const BYTES_MAX: u64 = 256 * 1024;

/// What was written at one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kept {
    /// A file.
    File {
        /// SHA-256 of its bytes.
        sha256: Sha256,
        /// Its permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// What it says.
        to: String,
    },
}

/// One path of an installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Absolute path in the installed system.
    pub path: String,
    /// What lies there.
    pub kept: Kept,
}

/// What an installation wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the program that installed.
    pub version: String,
    /// Pattern of each user's state folder.
    pub state: String,
    /// Server at which developers enrol, for the sentence that tells them to.
    pub server: Option<String>,
    /// Every file and link but the manifest.
    pub entries: Vec<Entry>,
    /// Folders that were not there before, parents first.
    pub folders: Vec<String>,
}

/// Why there is no manifest to go by.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is none.
    #[error("there is no managed installation here")]
    None,
    /// Somebody else than root could have written it.
    #[error("`{}` belongs to user {owner} with mode {mode:o}, so it is not believed", path.display())]
    NotRoot {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] cairn_durable::file::ReadFileError),
    /// It is not one.
    #[error("the manifest of the managed installation: {0}")]
    Form(#[from] serde_json::Error),
}

impl Manifest {
    /// Reads the manifest of the installation at `place`.
    ///
    /// Errors: [`ManifestError`].
    pub fn load(place: &Place) -> Result<Self, ManifestError> {
        let path = place.inside(MANIFEST);
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            return Err(ManifestError::None);
        };
        let (owner, mode) = (meta.uid(), meta.mode() & 0o7777);
        if owner != place.owner() || mode & 0o022 != 0 || !meta.is_file() {
            return Err(ManifestError::NotRoot { path, owner, mode });
        }
        let bytes = cairn_durable::read_limited(&path, BYTES_MAX)?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// SHA-256 over what is installed; another one after every change of it.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}
