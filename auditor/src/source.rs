//! Where an audit reads a log from: checkpoints, tiles, bundles, blobs and disclosures.
//!
//! Owns the seam and its error. Nothing that comes through it is believed; the callers check all of
//! it against signatures. Implementations: a folder ([`folder`]) and a server ([`http`]).
//! Source: C2SP tlog-tiles.

pub mod folder;
pub mod http;
pub mod reading;

use cairn_event::Sha256;
use cairn_identity::retention::Retention;
use cairn_tlog::{BundleId, TileId};
use reading::{Leave, Part};
use std::ops::{ControlFlow, Range};

/// Largest blob accepted: the largest policy bundle with room (the log accepts 1 MiB).
pub const MAX_BLOB_BYTES: u64 = 8 * 1024 * 1024;

/// Largest entry bundle: 256 entries of 65,535 bytes, each behind two bytes of length.
pub const MAX_BUNDLE_BYTES: u64 = 256 * (65_535 + 2);

/// Largest list of pruned ranges: one range a day for 300 years.
pub const MAX_RETENTION_BYTES: u64 = 8 * 1024 * 1024;

/// Most published checkpoints asked for in one page.
pub const CHECKPOINT_PAGE: u64 = 1_000;

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The resource is not there.
    #[error("`{0}` does not exist")]
    Missing(String),
    /// The resource is larger than any honest one.
    #[error("`{path}` is larger than {limit} bytes")]
    TooLarge {
        /// The resource.
        path: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The disk refused.
    #[error("`{path}` could not be read: {cause}")]
    File {
        /// The resource.
        path: String,
        /// The operating system's reason.
        cause: std::io::Error,
    },
    /// The network or the server refused; trying again may help.
    #[error("`{path}` could not be fetched: {cause}")]
    Network {
        /// The resource.
        path: String,
        /// The client's reason.
        cause: reqwest::Error,
    },
    /// The server answered with an error.
    #[error("`{path}` was answered with status {status}")]
    Status {
        /// The resource.
        path: String,
        /// The HTTP status.
        status: u16,
    },
    /// The answer has another shape than its contract.
    #[error("`{path}` has an unexpected shape: {detail}")]
    Shape {
        /// The resource.
        path: String,
        /// What was wrong.
        detail: String,
    },
    /// The address or token cannot be used.
    #[error("the source cannot be opened: {0}")]
    Setup(String),
}

impl SourceError {
    /// Whether the resource is simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Status { status: 404, .. })
    }
}

/// What a source says about one confidential member of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disclosed {
    /// The encoded disclosure itself.
    Present(String),
    /// It exists and was not given.
    Withheld,
    /// The source says that it was destroyed.
    Erased,
}

/// The encoded disclosures among what a source said, in a fixed order: that in which a server lists
/// them must not change what is written of them.
pub fn present(disclosed: Vec<Disclosed>) -> Vec<String> {
    let present = disclosed.into_iter().filter_map(|one| match one {
        Disclosed::Present(encoded) => Some(encoded),
        Disclosed::Withheld | Disclosed::Erased => None,
    });
    let mut present: Vec<String> = present.collect();
    present.sort_unstable();
    present
}

/// A readable log.
///
/// Trap: every answer is a claim. A tile read here is checked against a signed root by the caller.
pub trait LogSource: Send + Sync {
    /// The newest checkpoint, a signed note.
    ///
    /// Errors: [`SourceError`]; the audit cannot begin.
    fn checkpoint(&self) -> Result<String, SourceError>;

    /// Sizes of all published checkpoints above `after`, ascending, at most one page.
    ///
    /// Errors: [`SourceError`].
    fn checkpoint_sizes(&self, after: u64) -> Result<Vec<u64>, SourceError>;

    /// The note that was published at `size`.
    ///
    /// Errors: [`SourceError::Missing`] when none was.
    fn checkpoint_at(&self, size: u64) -> Result<String, SourceError>;

    /// The bytes of a tile.
    ///
    /// Errors: [`SourceError`].
    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError>;

    /// The bytes of an entry bundle.
    ///
    /// Errors: [`SourceError`].
    fn bundle(&self, id: BundleId) -> Result<Vec<u8>, SourceError>;

    /// What the log says was pruned; nothing where it says nothing.
    ///
    /// Errors: [`SourceError`].
    fn retention(&self) -> Result<Retention, SourceError>;

    /// What is left of a pruned bundle, as `cairn_identity::retention::thinned` writes it; nothing where
    /// nothing is there.
    ///
    /// Errors: [`SourceError`].
    fn kept(&self, bundle: u64) -> Result<Vec<u8>, SourceError>;

    /// A blob by the SHA-256 of its bytes.
    ///
    /// Errors: [`SourceError`].
    fn blob(&self, digest: &Sha256) -> Result<Vec<u8>, SourceError>;

    /// Says that the confidential members of `range` will be read, and why; a server records it in
    /// the log. `None` from a source that gives none.
    ///
    /// Errors: [`SourceError`]; nothing may be read.
    fn announce(&self, range: &Range<u64>, purpose: &str) -> Result<Option<Leave>, SourceError>;

    /// The confidential members of the entries of `part`, or of the first of them: the answer says
    /// how far it goes. Outside the range announced, only those of context entries are given.
    ///
    /// Errors: [`SourceError`].
    fn disclosures_of(&self, leave: &Leave, part: Range<u64>) -> Result<Part, SourceError>;
}

/// Reads a list of pruned ranges that may not be there.
fn read_retention(read: Result<Vec<u8>, SourceError>) -> Result<Retention, SourceError> {
    let bytes = match read {
        Err(error) if error.is_missing() => return Ok(Retention::default()),
        other => other?,
    };
    let shape = |detail: String| SourceError::Shape {
        path: "retention".to_owned(),
        detail,
    };
    let retention: Retention =
        serde_json::from_slice(&bytes).map_err(|error| shape(error.to_string()))?;
    let sound = retention.check_form();
    sound.map_err(|error| shape(error.to_string()))?;
    Ok(retention)
}

/// Reads what is left of a bundle where something is.
fn read_kept(read: Result<Vec<u8>, SourceError>) -> Result<Vec<u8>, SourceError> {
    match read {
        Err(error) if error.is_missing() => Ok(Vec::new()),
        other => other,
    }
}

/// Calls `each` with every published checkpoint size above `after` and up to `upto`, ascending, until it breaks.
/// One page is in memory.
///
/// Errors: [`SourceError`], also when a page does not move forward.
pub fn for_each_checkpoint_size(
    source: &dyn LogSource,
    after: u64,
    upto: u64,
    mut each: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<(), SourceError> {
    let mut from = after;
    loop {
        let page = source.checkpoint_sizes(from)?;
        let Some(&last) = page.last() else {
            return Ok(());
        };
        let ascending = page.is_sorted_by(|left, right| left < right);
        if !ascending || page.first().is_some_and(|first| *first <= from) {
            let (path, detail) = ("checkpoints".to_owned(), "sizes do not ascend".to_owned());
            return Err(SourceError::Shape { path, detail });
        }
        for size in page.into_iter().take_while(|size| *size <= upto) {
            if each(size).is_break() {
                return Ok(());
            }
        }
        if last >= upto {
            return Ok(());
        }
        from = last;
    }
}

/// Gives the tiles of a source to `cairn_tlog`.
pub struct Tiles<'a>(pub &'a dyn LogSource);

impl cairn_tlog::TileReader for Tiles<'_> {
    type Error = SourceError;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        self.0.tile(id)
    }
}
