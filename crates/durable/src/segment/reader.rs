//! The reading half of a segment.
//!
//! Owns iteration over a file at rest and reading one record at a known place. Changes nothing: a
//! torn tail is reported, not cut.
//!
//! Source: the format in [`crate::segment`].

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::frame::{self, Tail};
use super::{FRAME_HEADER_BYTES, OpenSegmentError, Record, SEGMENT_BYTES_MAX, TornTail};
use crate::error::{Family, Step};

/// Iterates over the records of one segment file as it was when opened.
///
/// The whole file is held in memory, at most [`SEGMENT_BYTES_MAX`] bytes. After the valid records
/// the iterator yields one error if the file does not end cleanly, then nothing.
#[derive(Debug)]
pub struct SegmentReader {
    path: PathBuf,
    bytes: Vec<u8>,
    offsets: std::vec::IntoIter<u32>,
    end: u64,
    tail: Tail,
}

/// Reports why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadSegmentError {
    /// The file ends in an interrupted append; opening it for appending cuts it off.
    #[error(
        "segment `{path}` ends in {bytes} torn bytes at byte {offset}",
        path = path.display(), bytes = tail.bytes, offset = tail.offset
    )]
    Torn {
        /// The segment file.
        path: PathBuf,
        /// What the tear looks like.
        tail: TornTail,
    },
    /// The record at this offset is damaged.
    #[error("segment `{path}` is corrupt at byte {offset}", path = path.display())]
    Corrupt {
        /// The segment file.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
    },
    /// A system call failed.
    #[error("reading segment `{path}` failed", path = path.display())]
    Io {
        /// The segment file.
        path: PathBuf,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
}

impl ReadSegmentError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Torn { .. } | Self::Corrupt { .. } => Family::Refused,
            Self::Io { .. } => Family::Retry,
        }
    }
}

impl SegmentReader {
    /// Opens a segment file for reading.
    ///
    /// # Errors
    /// [`OpenSegmentError::NotASegment`] and [`OpenSegmentError::TooLarge`]: not ours to read.
    /// Damage is not an error here; it is yielded after the records before it.
    pub fn open(path: &Path) -> Result<Self, OpenSegmentError> {
        let file = File::open(path).map_err(|source| OpenSegmentError::Io {
            path: path.to_owned(),
            step: Step::Open,
            source,
        })?;
        let bytes = read_whole(&file, path)?;
        let scan = frame::scan(&bytes).ok_or_else(|| OpenSegmentError::NotASegment {
            path: path.to_owned(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            offsets: scan.offsets.into_iter(),
            end: scan.end,
            tail: scan.tail,
        })
    }

    /// Returns the offsets of the records not yet yielded.
    #[must_use]
    pub fn offsets(&self) -> &[u32] {
        self.offsets.as_slice()
    }

    /// Returns the length in bytes of the readable part.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Returns what is wrong with the end of the file, if anything.
    #[must_use]
    pub fn damage(&self) -> Option<ReadSegmentError> {
        let path = self.path.clone();
        match self.tail {
            Tail::Clean => None,
            Tail::Torn => {
                let bytes = (self.bytes.len() as u64).saturating_sub(self.end);
                let tail = TornTail {
                    offset: self.end,
                    bytes,
                };
                Some(ReadSegmentError::Torn { path, tail })
            }
            Tail::Corrupt { .. } | Tail::Undecided => Some(ReadSegmentError::Corrupt {
                path,
                offset: self.end,
            }),
        }
    }
}

impl Iterator for SegmentReader {
    type Item = Result<Record, ReadSegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(offset) = self.offsets.next() else {
            let damage = self.damage();
            self.tail = Tail::Clean;
            return damage.map(Err);
        };
        let at = usize::try_from(offset).ok()?;
        let payload = frame::payload_at(&self.bytes, at)?.to_vec();
        Some(Ok(Record {
            offset: u64::from(offset),
            payload,
        }))
    }
}

/// Reads the record whose frame occupies exactly `offset .. end`, checking it anew.
///
/// # Errors
/// [`ReadSegmentError::Corrupt`] when the bytes are no longer what was written there.
pub(crate) fn read_record_at(
    file: &File,
    path: &Path,
    offset: u64,
    end: u64,
) -> Result<Vec<u8>, ReadSegmentError> {
    let corrupt = || ReadSegmentError::Corrupt {
        path: path.to_owned(),
        offset,
    };
    let bytes = end.saturating_sub(offset);
    if !(FRAME_HEADER_BYTES + 1..=SEGMENT_BYTES_MAX).contains(&bytes) {
        return Err(corrupt());
    }
    let mut frame = vec![0; usize::try_from(bytes).map_err(|_| corrupt())?];
    match file.read_exact_at(&mut frame, offset) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(corrupt()),
        Err(source) => {
            return Err(ReadSegmentError::Io {
                path: path.to_owned(),
                source,
            });
        }
    }
    match frame::payload_at(&frame, 0) {
        Some(payload) if frame::frame_bytes(payload.len() as u64) == bytes => Ok(payload.to_vec()),
        _ => Err(corrupt()),
    }
}

/// Reads a whole segment file into memory, within the limit.
pub(super) fn read_whole(file: &File, path: &Path) -> Result<Vec<u8>, OpenSegmentError> {
    let failed = |step: Step, source: io::Error| OpenSegmentError::Io {
        path: path.to_owned(),
        step,
        source,
    };
    let stat = file.metadata().map_err(|e| failed(Step::Stat, e))?;
    if !stat.is_file() {
        return Err(OpenSegmentError::NotASegment {
            path: path.to_owned(),
        });
    }
    let mut bytes =
        Vec::with_capacity(usize::try_from(stat.len().min(SEGMENT_BYTES_MAX)).unwrap_or(0));
    file.take(SEGMENT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| failed(Step::Read, e))?;
    if bytes.len() as u64 > SEGMENT_BYTES_MAX {
        let bytes = stat.len();
        return Err(OpenSegmentError::TooLarge {
            path: path.to_owned(),
            bytes,
        });
    }
    Ok(bytes)
}
