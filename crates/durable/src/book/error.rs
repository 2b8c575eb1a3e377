//! The errors of a book, one enum per operation.
//!
//! Owns nothing else. The families tell the caller whether to refuse, to try again or to reopen.
//!
//! Source: the project's house rules for errors.

use std::io;
use std::path::PathBuf;

use super::BookLimits;
use crate::error::{Family, Step};
use crate::file::{CreateDirError, WriteFileError};
use crate::lock::LockError;
use crate::segment::{AppendError, OpenSegmentError, ReadSegmentError, SyncError};

/// Reports why a book was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenLogError {
    /// The limits contradict each other or the format.
    #[error(
        "limits of {} bytes per segment, {} in total and {} in reserve do not fit together",
        limits.segment_bytes, limits.total_bytes_max, limits.reserve_bytes
    )]
    BadLimits {
        /// The limits as given.
        limits: BookLimits,
    },
    /// The folder could not be created or swept.
    #[error(transparent)]
    Folder(#[from] CreateDirError),
    /// The folder is not ours.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// One of the files could not be opened or is damaged.
    #[error(transparent)]
    Segment(#[from] OpenSegmentError),
    /// The folder could not be listed.
    #[error("listing `{path}` failed", path = path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
    /// A file has the suffix of a segment and a name no segment has.
    #[error("`{path}` is not the name of a segment", path = path.display())]
    UnexpectedFile {
        /// The file.
        path: PathBuf,
    },
    /// The folder holds more files than a book may.
    #[error("`{path}` holds more than {files_max} segments", path = path.display())]
    TooManyFiles {
        /// The folder.
        path: PathBuf,
        /// The limit.
        files_max: usize,
    },
    /// Records are missing between two files, or two files overlap.
    #[error("segment `{path}` begins at record {found}, expected {expected}", path = path.display())]
    Hole {
        /// The file after the hole.
        path: PathBuf,
        /// The number that should come next.
        expected: u64,
        /// The number the file begins with.
        found: u64,
    },
}

impl OpenLogError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::BadLimits { .. }
            | Self::UnexpectedFile { .. }
            | Self::TooManyFiles { .. }
            | Self::Hole { .. } => Family::Refused,
            Self::List { .. } => Family::Retry,
            Self::Folder(error) => error.family(),
            Self::Lock(error) => error.family(),
            Self::Segment(error) => error.family(),
        }
    }
}

/// Reports why a record was not appended to a book.
#[derive(Debug, thiserror::Error)]
pub enum AppendLogError {
    /// A record has at least one byte.
    #[error("an empty record cannot be appended")]
    Empty,
    /// The payload is larger than a record may be.
    #[error("a record of {bytes} bytes is larger than {bytes_max} bytes")]
    TooLarge {
        /// Size of the payload.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The book's own cap is reached; nothing was written and nothing is evicted.
    #[error("{needed} more bytes do not fit: {held} of {total_max} bytes are in use")]
    Full {
        /// Bytes the record would take.
        needed: u64,
        /// Bytes in use.
        held: u64,
        /// The cap that applies to this call.
        total_max: u64,
    },
    /// The device or quota is full; nothing was written.
    #[error("no space left while appending to `{path}`", path = path.display())]
    NoSpace {
        /// The segment file.
        path: PathBuf,
    },
    /// Beginning another file failed before anything was changed.
    #[error("{step} failed for segment `{path}`, nothing was appended", path = path.display())]
    RollOver {
        /// The new segment file.
        path: PathBuf,
        /// The step that failed.
        step: Step,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
    /// A write or flush failed; the book is poisoned.
    #[error("{step} failed for segment `{path}`", path = path.display())]
    Io {
        /// The segment file.
        path: PathBuf,
        /// The step that failed.
        step: Step,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
    /// A file stands where the next one belongs; the book is poisoned.
    #[error("`{path}` is in the way of the next segment", path = path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// An earlier failure put the book in doubt; open it anew.
    #[error("segment `{path}` is poisoned by an earlier failure", path = path.display())]
    Poisoned {
        /// The segment file.
        path: PathBuf,
    },
}

impl AppendLogError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Empty | Self::TooLarge { .. } => Family::Refused,
            Self::Full { .. } | Self::NoSpace { .. } | Self::RollOver { .. } => Family::Retry,
            Self::Io { .. } | Self::InTheWay { .. } | Self::Poisoned { .. } => Family::Fatal,
        }
    }
}

impl From<AppendError> for AppendLogError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Empty => Self::Empty,
            AppendError::TooLarge { bytes, bytes_max } => Self::TooLarge { bytes, bytes_max },
            AppendError::NoSpace { path } => Self::NoSpace { path },
            AppendError::Io { path, step, source } => Self::Io { path, step, source },
            // The book rolls over long before a file is full, so a full file is a broken promise.
            AppendError::SegmentFull { path, .. } | AppendError::Poisoned { path } => {
                Self::Poisoned { path }
            }
        }
    }
}

impl From<SyncError> for AppendLogError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Io { path, source } => Self::Io {
                path,
                step: Step::SyncFile,
                source,
            },
            SyncError::Poisoned { path } => Self::Poisoned { path },
        }
    }
}

impl From<OpenSegmentError> for AppendLogError {
    fn from(error: OpenSegmentError) -> Self {
        match error {
            OpenSegmentError::NoSpace { path } => Self::NoSpace { path },
            OpenSegmentError::Io { path, step, source } => Self::RollOver { path, step, source },
            OpenSegmentError::Unknown { path, step, source } => Self::Io { path, step, source },
            OpenSegmentError::Exists { path }
            | OpenSegmentError::NotASegment { path }
            | OpenSegmentError::TooLarge { path, .. }
            | OpenSegmentError::Undecided { path, .. }
            | OpenSegmentError::Corrupt { path, .. } => Self::InTheWay { path },
        }
    }
}

/// Reports why records could not be read from a book.
#[derive(Debug, thiserror::Error)]
pub enum ReadLogError {
    /// The record has been retired.
    #[error("record {record} is retired, the book begins at {first}")]
    Retired {
        /// The number asked for.
        record: u64,
        /// The lowest number that may still be there.
        first: u64,
    },
    /// The record does not exist durably.
    #[error("record {record} does not exist, the next one is {next}")]
    Beyond {
        /// The number asked for.
        record: u64,
        /// The number after the last durable record.
        next: u64,
    },
    /// The record's bytes are no longer what was written.
    #[error(transparent)]
    Segment(#[from] ReadSegmentError),
    /// A system call failed.
    #[error("opening segment `{path}` failed", path = path.display())]
    Io {
        /// The segment file.
        path: PathBuf,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
}

impl ReadLogError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Retired { .. } | Self::Beyond { .. } => Family::Refused,
            Self::Segment(error) => error.family(),
            Self::Io { .. } => Family::Retry,
        }
    }
}

/// Reports why records were not, or not all, retired.
#[derive(Debug, thiserror::Error)]
pub enum RetireError {
    /// The number is past the last durable record: nothing was removed.
    #[error("record {record} does not exist, the next one is {next}")]
    Beyond {
        /// The number asked for.
        record: u64,
        /// The number after the last durable record.
        next: u64,
    },
    /// A file could not be removed; older ones were.
    #[error(transparent)]
    Remove(#[from] WriteFileError),
    /// The empty successor could not be begun; older files were removed.
    #[error(transparent)]
    RollOver(#[from] AppendLogError),
    /// An earlier failure put the book in doubt; open it anew.
    #[error("the book in `{path}` is poisoned by an earlier failure", path = path.display())]
    Poisoned {
        /// The folder.
        path: PathBuf,
    },
}

impl RetireError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Beyond { .. } => Family::Refused,
            Self::Remove(error) => error.family(),
            Self::RollOver(error) => error.family(),
            Self::Poisoned { .. } => Family::Fatal,
        }
    }
}
