//! Frames that the log refused: kept aside with the reason, never dropped.

use crate::state::{FILE_MODE, FOLDER_MODE, StateDir};
use cairn_api::Problem;
use cairn_durable::file::{CreateDirError, WriteFileError};
use cairn_durable::{create_dir_durable, write_atomic};
use serde::Serialize;

/// Why a refused frame could not be kept; the spool record stays.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The folder cannot be made.
    #[error("refused frames: {0}")]
    Folder(#[from] CreateDirError),
    /// The file cannot be written.
    #[error("refused frames: {0}")]
    Write(#[from] WriteFileError),
    /// It has no JSON form.
    #[error("refused frames: {0}")]
    Form(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct Refused<'a> {
    record: u64,
    frame: &'a str,
    problem: &'a Problem,
}

/// Keeps a refused frame durably under its spool number.
///
/// Errors: [`KeepError`].
pub fn keep(
    state: &StateDir,
    record: u64,
    frame: &str,
    problem: &Problem,
) -> Result<(), KeepError> {
    let dir = state.refused();
    create_dir_durable(&dir, FOLDER_MODE)?;
    let bytes = serde_json::to_vec_pretty(&Refused {
        record,
        frame,
        problem,
    })?;
    Ok(write_atomic(
        &dir.join(format!("{record:020}.json")),
        &bytes,
        FILE_MODE,
    )?)
}

/// How many refused frames are kept.
pub fn count(state: &StateDir) -> u64 {
    let listing = std::fs::read_dir(state.refused());
    listing.map_or(0, |listing| listing.flatten().count() as u64)
}
