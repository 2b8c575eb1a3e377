//! Files, directories and framed append-only segments that survive a crash.
//!
//! Owns the order of system calls that makes a byte durable: atomic replacement of a small file
//! ([`file`]), exclusive use of a folder ([`lock`]), one append-only file of checksummed records
//! ([`segment`]) and a numbered row of such files with a hard size cap ([`book`]).
//!
//! Does not own what the bytes mean, who may read them, encryption, or when to retry. It never
//! reads a clock and never evicts: a full book refuses, and the caller decides what that means.
//!
//! Source: `docs/formats/` of this project for the bytes; fsync(2), rename(2), flock(2) for the
//! order of the calls.

pub mod book;
pub mod error;
pub mod file;
pub mod lock;
pub mod segment;

pub use book::{BookLimits, OpenedLog, RecordIter, Retired, SegmentLog};
pub use error::{Family, Step};
pub use file::{
    create_dir_durable, open_limited, read_limited, remove_durable, write_atomic, write_atomic_with,
};
pub use lock::FolderLock;
pub use segment::{OpenedSegment, Record, SegmentReader, SegmentWriter, TornTail};
