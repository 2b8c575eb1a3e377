//! A numbered row of segment files in one folder: an unbounded sequence of records on a bounded
//! amount of disk.
//!
//! Owns record numbers, rolling over to a new file, the size cap, and retiring what the caller no
//! longer needs. Does not own which records may be retired or what to do when it is full: it
//! refuses and never evicts.
//!
//! # Files
//!
//! `NNNNNNNNNNNNNNNNNNNN.seg` holds the records from number N (20 decimal digits) on, without a
//! gap to the next file. Numbers begin at 0 and never repeat while the folder lives; there is
//! always a last file, so the next number survives even when every record is retired. A deleted
//! folder begins at 0 again, which the caller must notice elsewhere. `LOCK` is the folder's lock.
//!
//! # What a crash means
//!
//! ```text
//! append, sync    as for one segment
//! roll over       sync the old file, create the new one: a crash between leaves the old one last
//! retire          create the empty successor if needed, then remove oldest first, each removal
//!                 durable before the next: a crash leaves a row without holes
//! ```
//!
//! Source: the format in [`crate::segment`].

mod error;
mod iter;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use error::{AppendLogError, OpenLogError, ReadLogError, RetireError};
pub use iter::RecordIter;

use crate::error::Family;
use crate::file::{create_dir_durable, remove_durable, sweep_temporaries};
use crate::lock::FolderLock;
use crate::segment::{
    MAGIC, OpenSegmentError, RECORD_BYTES_MAX, SEGMENT_BYTES_MAX, SegmentReader, SegmentWriter,
    SyncError, TornTail, frame_bytes,
};

/// The ending of every segment file's name.
const SEGMENT_SUFFIX: &str = ".seg";

/// The digits in a segment file's name: 2^64 - 1 has twenty.
const SEGMENT_NAME_DIGITS: usize = 20;

/// The permission bits of the folder: spooled evidence is for its owner alone.
const FOLDER_MODE: u32 = 0o700;

/// The most segment files a folder may hold: 65,536.
///
/// With the smallest sensible segment of 1 MiB that is 64 GiB; the bound keeps a hostile folder
/// from exhausting memory at start-up.
const SEGMENTS_MAX: usize = 65_536;

/// How much a [`SegmentLog`] may hold and how it divides that into files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookLimits {
    /// A file reaching this many bytes is followed by a new one; 64 ..= 64 MiB. A single record
    /// larger than this gets a file of its own.
    pub segment_bytes: u64,
    /// The most bytes in all files together, headers included.
    pub total_bytes_max: u64,
    /// How much of the total [`SegmentLog::append`] leaves free for
    /// [`SegmentLog::append_from_reserve`], so that "I am full" can still be written down.
    pub reserve_bytes: u64,
}

/// A durable sequence of numbered records with a hard size cap and one owner.
#[derive(Debug)]
pub struct SegmentLog {
    dir: PathBuf,
    limits: BookLimits,
    sealed: VecDeque<Arc<Segment>>,
    active: Segment,
    writer: SegmentWriter,
    total_bytes: u64,
    durable_next: u64,
    poisoned: bool,
    _lock: FolderLock,
}

/// A book opened, with what a crash had left at its end.
#[derive(Debug)]
pub struct OpenedLog {
    /// The book, ready to append.
    pub log: SegmentLog,
    /// The torn tail that was cut off the last file, if there was one.
    pub torn: Option<TornTail>,
}

/// What [`SegmentLog::retire_before`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retired {
    /// Number of files removed.
    pub segments: usize,
    /// Number of bytes given back.
    pub bytes: u64,
}

/// What is known of one file: the number of its first record and where each record lies.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    path: PathBuf,
    first: u64,
    offsets: Vec<u32>,
    end: u64,
}

impl Segment {
    fn next(&self) -> u64 {
        self.first.saturating_add(self.offsets.len() as u64)
    }
}

impl SegmentLog {
    /// Opens the book in a folder, creating both when they do not exist.
    ///
    /// Every record found is checked and made durable before this returns; that reads all files
    /// once.
    ///
    /// # Errors
    /// The Refused family: a second owner, or damage that must not be papered over. Retry: free
    /// space or repeat. Fatal: repeat once from the start, then give up.
    pub fn open(dir: &Path, limits: BookLimits) -> Result<OpenedLog, OpenLogError> {
        check_limits(limits)?;
        create_dir_durable(dir, FOLDER_MODE)?;
        let lock = FolderLock::acquire(dir)?;
        // Under the lock no other writer lives, so every temporary file is a leftover.
        sweep_temporaries(dir)?;
        let mut firsts = list_segments(dir)?;
        let last = firsts.pop();
        let mut sealed = VecDeque::with_capacity(firsts.len());
        let mut expected = firsts.first().copied().or(last).unwrap_or(0);
        for first in firsts {
            let segment = open_sealed(dir, first)?;
            check_contiguous(&segment.path, expected, first)?;
            expected = segment.next();
            sealed.push_back(Arc::new(segment));
        }
        let first = last.unwrap_or(0);
        let path = segment_path(dir, first);
        let (writer, offsets, torn) = if last.is_some() {
            check_contiguous(&path, expected, first)?;
            let opened = SegmentWriter::open_append(&path)?;
            (opened.writer, opened.offsets, opened.torn)
        } else {
            (SegmentWriter::create(&path)?, Vec::new(), None)
        };
        let active = Segment {
            path,
            first,
            offsets,
            end: writer.end(),
        };
        let total_bytes = sealed.iter().fold(active.end, |sum, s: &Arc<Segment>| {
            sum.saturating_add(s.end)
        });
        let log = Self {
            dir: dir.to_owned(),
            limits,
            sealed,
            durable_next: active.next(),
            active,
            writer,
            total_bytes,
            poisoned: false,
            _lock: lock,
        };
        Ok(OpenedLog { log, torn })
    }

    /// Appends a record and returns its number; it is durable after the next [`SegmentLog::sync`].
    ///
    /// # Errors
    /// [`AppendLogError::Full`]: the cap is reached and nothing was written; retire, or decide
    /// what being full means. [`AppendLogError::NoSpace`]: the device is full and nothing was
    /// written. Fatal: open the book anew.
    pub fn append(&mut self, payload: &[u8]) -> Result<u64, AppendLogError> {
        self.append_below(payload, self.limits.reserve_bytes)
    }

    /// Appends a record that may use the reserve: the note that ordinary records were refused.
    ///
    /// # Errors
    /// As [`SegmentLog::append`]; [`AppendLogError::Full`] when even the reserve is used up.
    pub fn append_from_reserve(&mut self, payload: &[u8]) -> Result<u64, AppendLogError> {
        self.append_below(payload, 0)
    }

    /// Makes every appended record durable and returns the number the next record will get.
    ///
    /// # Errors
    /// Always Fatal: open the book anew.
    pub fn sync(&mut self) -> Result<u64, SyncError> {
        if self.poisoned {
            return Err(SyncError::Poisoned {
                path: self.writer.path().to_owned(),
            });
        }
        self.writer.sync()?;
        self.durable_next = self.active.next();
        Ok(self.durable_next)
    }

    /// Iterates over the durable records from number `from` on, as of now.
    ///
    /// Records appended but not yet synced are left out on purpose: whoever sends one away could
    /// find after a crash that it never existed here. The iterator is independent of the book.
    ///
    /// # Errors
    /// [`ReadLogError::Retired`]: begin at [`SegmentLog::first_record`].
    /// [`ReadLogError::Beyond`]: `from` is not a number this book has given out durably.
    pub fn iter_from(&self, from: u64) -> Result<RecordIter, ReadLogError> {
        let first = self.first_record();
        if from < first {
            return Err(ReadLogError::Retired {
                record: from,
                first,
            });
        }
        if from > self.durable_next {
            return Err(ReadLogError::Beyond {
                record: from,
                next: self.durable_next,
            });
        }
        let mut segments: VecDeque<Arc<Segment>> = self
            .sealed
            .iter()
            .filter(|s| s.next() > from)
            .cloned()
            .collect();
        segments.push_back(Arc::new(self.active.clone()));
        Ok(RecordIter::new(segments, from, self.durable_next))
    }

    /// Removes every whole file whose records all have numbers below `before`.
    ///
    /// Records are removed only by the file, so some below `before` usually stay; when all are
    /// below it, the last file is replaced by an empty one and everything is given back.
    ///
    /// # Errors
    /// [`RetireError::Beyond`]: `before` is past the last durable record. [`RetireError::RollOver`]
    /// and [`RetireError::Remove`]: what could be removed was; repeat later.
    pub fn retire_before(&mut self, before: u64) -> Result<Retired, RetireError> {
        if self.poisoned || self.writer.is_poisoned() {
            return Err(RetireError::Poisoned {
                path: self.dir.clone(),
            });
        }
        if before > self.durable_next {
            return Err(RetireError::Beyond {
                record: before,
                next: self.durable_next,
            });
        }
        let mut retired = Retired::default();
        self.remove_sealed(before, &mut retired)?;
        if before == self.active.next() && !self.active.offsets.is_empty() {
            self.roll_over()?;
            self.remove_sealed(before, &mut retired)?;
        }
        Ok(retired)
    }

    /// Returns the number of the oldest record kept; equal to the next number when none is.
    #[must_use]
    pub fn first_record(&self) -> u64 {
        self.sealed
            .front()
            .map_or(self.active.first, |segment| segment.first)
    }

    /// Returns the number the next appended record will get.
    #[must_use]
    pub fn next_record(&self) -> u64 {
        self.active.next()
    }

    /// Returns the number after the last durable record.
    #[must_use]
    pub fn durable_next(&self) -> u64 {
        self.durable_next
    }

    /// Returns the bytes of all files together, headers included.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Returns the largest payload [`SegmentLog::append`] would not refuse as too much for the cap.
    #[must_use]
    pub fn room_bytes(&self) -> u64 {
        // A record that does not fit in the current file costs another file's header as well.
        let cap = self
            .limits
            .total_bytes_max
            .saturating_sub(self.limits.reserve_bytes);
        cap.saturating_sub(self.total_bytes)
            .saturating_sub(frame_bytes(MAGIC.len() as u64))
            .min(RECORD_BYTES_MAX)
    }

    fn append_below(&mut self, payload: &[u8], reserve: u64) -> Result<u64, AppendLogError> {
        if self.poisoned {
            return Err(AppendLogError::Poisoned {
                path: self.writer.path().to_owned(),
            });
        }
        let bytes = payload.len() as u64;
        if bytes == 0 {
            return Err(AppendLogError::Empty);
        }
        if bytes > RECORD_BYTES_MAX {
            return Err(AppendLogError::TooLarge {
                bytes,
                bytes_max: RECORD_BYTES_MAX,
            });
        }
        let frame = frame_bytes(bytes);
        let rolls = !self.active.offsets.is_empty()
            && self.active.end.saturating_add(frame) > self.limits.segment_bytes;
        let header = if rolls { MAGIC.len() as u64 } else { 0 };
        let needed = frame.saturating_add(header);
        let total_max = self.limits.total_bytes_max.saturating_sub(reserve);
        if self.total_bytes.saturating_add(needed) > total_max {
            return Err(AppendLogError::Full {
                needed,
                held: self.total_bytes,
                total_max,
            });
        }
        if rolls {
            self.roll_over()?;
        }
        let number = self.active.next();
        let offset = self.writer.append(payload)?;
        // A segment is at most 64 MiB, so every offset fits.
        self.active
            .offsets
            .push(u32::try_from(offset).unwrap_or(u32::MAX));
        self.active.end = self.writer.end();
        self.total_bytes = self.total_bytes.saturating_add(frame);
        Ok(number)
    }

    /// Seals the active file and begins an empty one after it.
    fn roll_over(&mut self) -> Result<(), AppendLogError> {
        self.writer.sync()?;
        self.durable_next = self.active.next();
        let first = self.active.next();
        let path = segment_path(&self.dir, first);
        let writer = SegmentWriter::create(&path).map_err(|error| {
            // Anything but a clean refusal leaves it unknown whether the new file exists.
            self.poisoned = error.family() != Family::Retry;
            AppendLogError::from(error)
        })?;
        let next = Segment {
            path,
            first,
            offsets: Vec::new(),
            end: writer.end(),
        };
        self.total_bytes = self.total_bytes.saturating_add(next.end);
        self.sealed
            .push_back(Arc::new(std::mem::replace(&mut self.active, next)));
        self.writer = writer;
        Ok(())
    }

    fn remove_sealed(&mut self, before: u64, retired: &mut Retired) -> Result<(), RetireError> {
        while let Some(oldest) = self.sealed.front().filter(|s| s.next() <= before) {
            remove_durable(&oldest.path)?;
            retired.segments = retired.segments.saturating_add(1);
            retired.bytes = retired.bytes.saturating_add(oldest.end);
            self.total_bytes = self.total_bytes.saturating_sub(oldest.end);
            self.sealed.pop_front();
        }
        Ok(())
    }
}

fn check_limits(limits: BookLimits) -> Result<(), OpenLogError> {
    let smallest = frame_bytes(frame_bytes(MAGIC.len() as u64));
    let fits = (smallest..=SEGMENT_BYTES_MAX).contains(&limits.segment_bytes)
        && limits.reserve_bytes.saturating_add(smallest) <= limits.total_bytes_max;
    if fits {
        Ok(())
    } else {
        Err(OpenLogError::BadLimits { limits })
    }
}

fn check_contiguous(path: &Path, expected: u64, found: u64) -> Result<(), OpenLogError> {
    if expected == found {
        Ok(())
    } else {
        Err(OpenLogError::Hole {
            path: path.to_owned(),
            expected,
            found,
        })
    }
}

fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!(
        "{first:0width$}{SEGMENT_SUFFIX}",
        width = SEGMENT_NAME_DIGITS
    ))
}

/// Lists the first record numbers of all segment files in a folder, ascending.
fn list_segments(dir: &Path) -> Result<Vec<u64>, OpenLogError> {
    let failed = |source| OpenLogError::List {
        path: dir.to_owned(),
        source,
    };
    let mut firsts = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(digits) = name.strip_suffix(SEGMENT_SUFFIX) else {
            continue;
        };
        let plain =
            digits.len() == SEGMENT_NAME_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        let first = digits.parse::<u64>().ok().filter(|_| plain);
        match first {
            Some(first) => firsts.push(first),
            None => return Err(OpenLogError::UnexpectedFile { path: entry.path() }),
        }
        if firsts.len() > SEGMENTS_MAX {
            return Err(OpenLogError::TooManyFiles {
                path: dir.to_owned(),
                files_max: SEGMENTS_MAX,
            });
        }
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Opens a file that is not the last: it was synced before its successor began, so it is whole.
fn open_sealed(dir: &Path, first: u64) -> Result<Segment, OpenLogError> {
    let path = segment_path(dir, first);
    let reader = SegmentReader::open(&path)?;
    if reader.damage().is_some() {
        return Err(OpenLogError::Segment(OpenSegmentError::Corrupt {
            path,
            offset: reader.end(),
            next_valid: reader.end(),
        }));
    }
    Ok(Segment {
        path,
        first,
        offsets: reader.offsets().to_vec(),
        end: reader.end(),
    })
}

#[cfg(test)]
mod tests;
