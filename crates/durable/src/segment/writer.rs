//! The appending half of a segment.
//!
//! Owns the writer's promise: after [`SegmentWriter::sync`] returns, every record appended before
//! it survives a crash. A writer whose state is in doubt says so for ever instead of guessing.
//!
//! # Order of calls and what a crash means
//!
//! ```text
//! append: pwrite(frame at end)   crash: whole frame, part of it or nothing; all are a torn tail
//! sync:   fdatasync              crash before its return: as above; after: the records are there
//! ```
//!
//! Source: the format in [`crate::segment`]; fsync(2).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::frame::{self, Tail};
use super::reader::read_whole;
use super::{MAGIC, OpenSegmentError, SEGMENT_BYTES_MAX, TornTail};
use crate::error::{Family, Step, is_no_space};
use crate::file::{WriteFileError, write_atomic};

/// The permission bits of a segment file: spooled evidence is for its owner alone.
const SEGMENT_MODE: u32 = 0o600;

/// Appends records to one segment file.
#[derive(Debug)]
pub struct SegmentWriter {
    file: File,
    path: PathBuf,
    end: u64,
    synced: u64,
    poisoned: bool,
}

/// A segment opened for appending, with what was found in it.
#[derive(Debug)]
pub struct OpenedSegment {
    /// The writer, positioned after the last valid record.
    pub writer: SegmentWriter,
    /// Offsets of the valid records, ascending; all are durable.
    pub offsets: Vec<u32>,
    /// The torn tail that was cut off, if there was one.
    pub torn: Option<TornTail>,
}

/// Reports why a record was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// A record has at least one byte.
    #[error("an empty record cannot be appended")]
    Empty,
    /// The payload is larger than [`super::RECORD_BYTES_MAX`].
    #[error("a record of {bytes} bytes is larger than {bytes_max} bytes")]
    TooLarge {
        /// Size of the payload.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The segment has no room for this record: begin another segment.
    #[error("segment `{path}` has no room for {bytes} more bytes", path = path.display())]
    SegmentFull {
        /// The segment file.
        path: PathBuf,
        /// Size of the framed record.
        bytes: u64,
    },
    /// The device or quota is full; the file is exactly as before.
    #[error("no space left while appending to segment `{path}`", path = path.display())]
    NoSpace {
        /// The segment file.
        path: PathBuf,
    },
    /// Writing failed and the writer is poisoned.
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
    /// An earlier write or sync failed; reopen the segment to learn what is there.
    #[error("segment `{path}` is poisoned by an earlier failure", path = path.display())]
    Poisoned {
        /// The segment file.
        path: PathBuf,
    },
}

impl AppendError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Empty | Self::TooLarge { .. } | Self::SegmentFull { .. } => Family::Refused,
            Self::NoSpace { .. } => Family::Retry,
            Self::Io { .. } | Self::Poisoned { .. } => Family::Fatal,
        }
    }
}

/// Reports why appended records are not known to be durable.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The flush failed and the writer is poisoned.
    #[error("syncing segment `{path}` failed", path = path.display())]
    Io {
        /// The segment file.
        path: PathBuf,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
    /// An earlier write or sync failed; reopen the segment to learn what is there.
    #[error("segment `{path}` is poisoned by an earlier failure", path = path.display())]
    Poisoned {
        /// The segment file.
        path: PathBuf,
    },
}

impl SyncError {
    /// Says what the caller does next: always stop and reopen.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::Fatal
    }
}

impl SegmentWriter {
    /// Creates an empty segment file that survives a crash as soon as this returns.
    ///
    /// The caller holds the folder's lock: the check that nothing has this name and the creation
    /// are two steps. The file appears whole, header included, or not at all.
    ///
    /// # Errors
    /// [`OpenSegmentError::Exists`]: open it instead. [`OpenSegmentError::NoSpace`]: nothing was
    /// created, free space. [`OpenSegmentError::Unknown`]: stop and reopen the folder.
    pub fn create(path: &Path) -> Result<Self, OpenSegmentError> {
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(OpenSegmentError::Exists {
                path: path.to_owned(),
            });
        }
        write_atomic(path, MAGIC, SEGMENT_MODE).map_err(|error| match error {
            WriteFileError::NoFileName { path } => OpenSegmentError::NotASegment { path },
            WriteFileError::NoSpace { path } => OpenSegmentError::NoSpace { path },
            WriteFileError::Unchanged { path, step, source } => {
                OpenSegmentError::Io { path, step, source }
            }
            WriteFileError::Unknown { path, step, source } => {
                OpenSegmentError::Unknown { path, step, source }
            }
        })?;
        // The segment exists from here on, so a failure to open it is not "nothing happened".
        let file = open_rw(path).map_err(|source| OpenSegmentError::Unknown {
            path: path.to_owned(),
            step: Step::Open,
            source,
        })?;
        Ok(Self::over(file, path.to_owned(), MAGIC.len() as u64))
    }

    /// Opens an existing segment, cuts off a torn tail and makes what remains durable.
    ///
    /// # Errors
    /// [`OpenSegmentError::Corrupt`], [`OpenSegmentError::Undecided`],
    /// [`OpenSegmentError::NotASegment`] and [`OpenSegmentError::TooLarge`]: the file is refused
    /// and untouched; a person decides.
    /// [`OpenSegmentError::Unknown`]: stop; the next opening judges the file anew.
    pub fn open_append(path: &Path) -> Result<OpenedSegment, OpenSegmentError> {
        let file = open_rw(path).map_err(|source| OpenSegmentError::Io {
            path: path.to_owned(),
            step: Step::Open,
            source,
        })?;
        let bytes = read_whole(&file, path)?;
        let scan = frame::scan(&bytes).ok_or_else(|| OpenSegmentError::NotASegment {
            path: path.to_owned(),
        })?;
        let unknown = |step: Step, source: io::Error| OpenSegmentError::Unknown {
            path: path.to_owned(),
            step,
            source,
        };
        let torn = match scan.tail {
            Tail::Clean => None,
            Tail::Torn => {
                file.set_len(scan.end)
                    .map_err(|e| unknown(Step::Truncate, e))?;
                let bytes = (bytes.len() as u64).saturating_sub(scan.end);
                Some(TornTail {
                    offset: scan.end,
                    bytes,
                })
            }
            Tail::Undecided => {
                return Err(OpenSegmentError::Undecided {
                    path: path.to_owned(),
                    offset: scan.end,
                });
            }
            Tail::Corrupt { next_valid } => {
                return Err(OpenSegmentError::Corrupt {
                    path: path.to_owned(),
                    offset: scan.end,
                    next_valid,
                });
            }
        };
        // A process that died without a sync left its records in the page cache only. After a sync
        // that failed, the cache may call them clean and no later sync would write them: they are
        // written again.
        let kept = bytes.get(..scan.end as usize).unwrap_or(&bytes);
        file.write_all_at(kept, 0)
            .map_err(|e| unknown(Step::Write, e))?;
        file.sync_all().map_err(|e| unknown(Step::SyncFile, e))?;
        let writer = Self::over(file, path.to_owned(), scan.end);
        Ok(OpenedSegment {
            writer,
            offsets: scan.offsets,
            torn,
        })
    }

    /// Appends one record and returns the byte offset of its frame.
    ///
    /// The record is durable only after the next [`SegmentWriter::sync`]. Nothing is buffered in
    /// this process.
    ///
    /// # Errors
    /// [`AppendError::NoSpace`]: the partial write was taken back, try again after freeing space.
    /// The Refused family leaves the file untouched. After a Fatal one every call is
    /// [`AppendError::Poisoned`].
    pub fn append(&mut self, payload: &[u8]) -> Result<u64, AppendError> {
        if self.poisoned {
            return Err(AppendError::Poisoned {
                path: self.path.clone(),
            });
        }
        if payload.is_empty() {
            return Err(AppendError::Empty);
        }
        let bytes = payload.len() as u64;
        let frame = frame::encode(payload).ok_or(AppendError::TooLarge {
            bytes,
            bytes_max: super::RECORD_BYTES_MAX,
        })?;
        let offset = self.end;
        let end = offset.saturating_add(frame.len() as u64);
        if end > SEGMENT_BYTES_MAX {
            let bytes = frame.len() as u64;
            return Err(AppendError::SegmentFull {
                path: self.path.clone(),
                bytes,
            });
        }
        match self.file.write_all_at(&frame, offset) {
            Ok(()) => {
                self.end = end;
                Ok(offset)
            }
            Err(error) => Err(self.take_back(error)),
        }
    }

    /// Makes every record appended so far durable and returns the durable length in bytes.
    ///
    /// # Errors
    /// After any error the writer is poisoned: a failed flush may have dropped the dirty pages, so
    /// a second one that succeeds would prove nothing.
    pub fn sync(&mut self) -> Result<u64, SyncError> {
        if self.poisoned {
            return Err(SyncError::Poisoned {
                path: self.path.clone(),
            });
        }
        if self.synced == self.end {
            return Ok(self.synced);
        }
        match self.file.sync_data() {
            Ok(()) => {
                self.synced = self.end;
                Ok(self.synced)
            }
            Err(source) => {
                self.poisoned = true;
                Err(SyncError::Io {
                    path: self.path.clone(),
                    source,
                })
            }
        }
    }

    /// Returns the length of the file in bytes, header included.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Returns the path of the segment file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reports whether an earlier failure has put the file's state in doubt.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Undoes a write that failed for want of space; any other failure poisons.
    fn take_back(&mut self, error: io::Error) -> AppendError {
        if is_no_space(&error) {
            match self.file.set_len(self.end) {
                Ok(()) => {
                    return AppendError::NoSpace {
                        path: self.path.clone(),
                    };
                }
                Err(source) => {
                    self.poisoned = true;
                    let path = self.path.clone();
                    return AppendError::Io {
                        path,
                        step: Step::Truncate,
                        source,
                    };
                }
            }
        }
        self.poisoned = true;
        AppendError::Io {
            path: self.path.clone(),
            step: Step::Write,
            source: error,
        }
    }

    pub(super) fn over(file: File, path: PathBuf, end: u64) -> Self {
        Self {
            file,
            path,
            end,
            synced: end,
            poisoned: false,
        }
    }
}

fn open_rw(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}
