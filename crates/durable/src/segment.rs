//! One append-only file of checksummed records: the unit in which a spool grows and is retired.
//!
//! Owns the bytes of a segment file, the judgement of a damaged one, and the writer's promise. Does
//! not own numbering, size caps over several files (see [`crate::book`]) or what a payload means.
//!
//! # Bytes
//!
//! ```text
//! file   = "CAIRNSG1" record*
//! record = length: u32 big-endian, 1 ..= RECORD_BYTES_MAX
//!          crc32c(payload): u32 big-endian
//!          payload: length bytes
//! ```
//!
//! An empty record does not exist. Its frame would be eight zero bytes, which is exactly what a
//! crash leaves where a file grew before its data arrived.
//!
//! # Damage
//!
//! The first frame that does not check out ends the readable part. If nothing valid follows it is
//! a **torn tail**: an append that a crash interrupted, cut off when the file is opened for
//! appending. If any valid record starts at any later byte, the file is **corrupt** and refused:
//! cutting there would drop records that were acknowledged.
//!
//! # What remains unsafe
//!
//! * Damage inside the last record looks like a torn tail, so that one record is lost.
//! * A group of records appended without a sync between them may reach the device out of order; a
//!   power cut in that moment can leave a hole before a valid record, which is refused as corrupt
//!   although nothing acknowledged is lost. ext4 in its default ordered mode and btrfs grow a file
//!   only after its data, so they do not show this.
//! * A payload that itself contains a whole valid frame makes a tear inside it look corrupt. Text
//!   payloads cannot: the first byte of a valid length is zero.
//!
//! Source: this module is the document of the format.

mod frame;
mod reader;
mod writer;

use std::io;
use std::path::PathBuf;

pub use frame::frame_bytes;
pub(crate) use reader::read_record_at;
pub use reader::{ReadSegmentError, SegmentReader};
pub use writer::{AppendError, OpenedSegment, SegmentWriter, SyncError};

use crate::error::{Family, Step};

/// The first eight bytes of every segment file; the last one is the format version.
pub const MAGIC: &[u8; 8] = b"CAIRNSG1";

/// The bytes in front of every payload: length and checksum, four each.
pub const FRAME_HEADER_BYTES: u64 = 8;

/// The most payload bytes in a record: 4 MiB.
///
/// An entry is at most 65,535 bytes and its disclosures a few times that; the rest is room. A
/// small limit is what makes a damaged length recognisable: its first byte must be zero.
pub const RECORD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The most bytes in a segment file: 64 MiB.
///
/// A file is judged in memory when it is opened, so this bounds that memory; it also keeps every
/// offset within 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One record read back, exactly as appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Byte offset of the frame in the file; the first record's is 8.
    pub offset: u64,
    /// The payload, 1 to [`RECORD_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
}

/// Describes the end of a file that a crash interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// Byte offset of the first frame that does not check out.
    pub offset: u64,
    /// How many bytes from there to the end of the file, at least 1.
    pub bytes: u64,
}

/// Reports why a segment file was not created or opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenSegmentError {
    /// A file of this name exists already; creating never replaces.
    #[error("segment `{path}` exists already", path = path.display())]
    Exists {
        /// The segment file.
        path: PathBuf,
    },
    /// The device or quota is full; nothing was created.
    #[error("no space left while creating segment `{path}`", path = path.display())]
    NoSpace {
        /// The segment file.
        path: PathBuf,
    },
    /// The file does not begin with [`MAGIC`].
    #[error("`{path}` is not a segment of this version", path = path.display())]
    NotASegment {
        /// The file.
        path: PathBuf,
    },
    /// The file is larger than [`SEGMENT_BYTES_MAX`].
    #[error("segment `{path}` holds {bytes} bytes, more than a segment may", path = path.display())]
    TooLarge {
        /// The segment file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A damaged record is followed by a valid one.
    #[error(
        "segment `{path}` is corrupt at byte {offset}: a valid record follows at byte {next_valid}",
        path = path.display()
    )]
    Corrupt {
        /// The segment file.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// Where the next valid record begins.
        next_valid: u64,
    },
    /// A record is damaged and what follows cannot be told apart from records in bounded time.
    #[error(
        "segment `{path}` is damaged at byte {offset} and what follows cannot be judged",
        path = path.display()
    )]
    Undecided {
        /// The segment file.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
    },
    /// A system call failed and nothing was changed.
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
    /// A system call failed and what a crash would leave is unknown.
    #[error("{step} failed for segment `{path}`, whose state is unknown", path = path.display())]
    Unknown {
        /// The segment file.
        path: PathBuf,
        /// The step that failed.
        step: Step,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
}

impl OpenSegmentError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Exists { .. }
            | Self::NotASegment { .. }
            | Self::TooLarge { .. }
            | Self::Undecided { .. }
            | Self::Corrupt { .. } => Family::Refused,
            Self::NoSpace { .. } | Self::Io { .. } => Family::Retry,
            Self::Unknown { .. } => Family::Fatal,
        }
    }
}

#[cfg(test)]
mod tests;
