//! `backup.json`: what a backup is of, and every file of it.

use crate::check::CheckReport;
use cairn_durable::file::{ReadFileError, WriteFileError};
use cairn_durable::{read_limited, write_atomic};
use cairn_event::Sha256;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

/// Name of the file.
const NAME: &str = "backup.json";

/// Form and version.
const FORMAT: &str = "cairn-backup-v1";

/// Largest manifest in bytes: a store of a terabyte has about 20,000 files of 150 bytes a line.
const MAX_BYTES: u64 = 16_777_216;

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `cairn-backup-v1`.
    pub format: String,
    /// The log's origin.
    pub origin: String,
    /// Entries in it.
    pub size: u64,
    /// Tree head of these, standard base64.
    pub root: String,
    /// Size of the newest published checkpoint in it.
    pub published_size: u64,
    /// When it was made, milliseconds since 1970.
    pub time_ms: u64,
    /// Every file but this one.
    pub files: Vec<ManifestFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Path in the backup.
    pub path: PathBuf,
    /// Length.
    pub bytes: u64,
    /// Digest.
    pub sha256: Sha256,
}

/// Why a manifest was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read: the folder is no backup.
    #[error("`{NAME}` cannot be read")]
    Read(#[source] ReadFileError),
    /// It is no manifest.
    #[error("`{NAME}` is not a manifest")]
    Form(#[source] serde_json::Error),
    /// It is of another version.
    #[error("`{NAME}` is of form `{0}`, expected `{FORMAT}`")]
    Format(String),
    /// It names a file outside the backup.
    #[error("`{NAME}` names `{}`, which is not in the backup", .0.display())]
    Outside(PathBuf),
    /// It cannot be written.
    #[error("`{NAME}` cannot be written")]
    Write(#[source] WriteFileError),
}

impl Manifest {
    pub(super) fn new(report: &CheckReport, time_ms: u64, files: Vec<ManifestFile>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            origin: report.origin.clone(),
            size: report.size,
            root: report.root.clone(),
            published_size: report.published_size,
            time_ms,
            files,
        }
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// [`ManifestError`]; no file of the backup may be used.
    pub fn read(folder: &Path) -> Result<Self, ManifestError> {
        let bytes = read_limited(&folder.join(NAME), MAX_BYTES).map_err(ManifestError::Read)?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(ManifestError::Form)?;
        if manifest.format != FORMAT {
            return Err(ManifestError::Format(manifest.format));
        }
        let strays = manifest.files.iter().find(|file| !is_plain(&file.path));
        match strays {
            Some(file) => Err(ManifestError::Outside(file.path.clone())),
            None => Ok(manifest),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), ManifestError> {
        let mut json = serde_json::to_string_pretty(self).map_err(ManifestError::Form)?;
        json.push('\n');
        write_atomic(&folder.join(NAME), json.as_bytes(), 0o600).map_err(ManifestError::Write)
    }
}

/// A manifest from elsewhere must not write where it likes.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.clone().next().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
