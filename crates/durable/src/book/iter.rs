//! Reading a book's records in order, apart from the book itself.
//!
//! Owns the walk over a snapshot of the file list. A reader never delays the writer: it holds no
//! lock, and the record places it uses do not change once written.
//!
//! Source: the layout in [`crate::book`].

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;

use super::{ReadLogError, Segment};
use crate::segment::read_record_at;

/// Yields `(number, payload)` in ascending order without a gap, ending at the first error.
#[derive(Debug)]
pub struct RecordIter {
    segments: VecDeque<Arc<Segment>>,
    open: Option<File>,
    next: u64,
    end: u64,
}

impl RecordIter {
    pub(super) fn new(segments: VecDeque<Arc<Segment>>, from: u64, end: u64) -> Self {
        Self {
            segments,
            open: None,
            next: from,
            end,
        }
    }

    /// Returns how many records are left in this snapshot.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.next)
    }

    fn read_next(&mut self) -> Result<Option<(u64, Vec<u8>)>, ReadLogError> {
        if self.next >= self.end {
            return Ok(None);
        }
        while self
            .segments
            .front()
            .is_some_and(|segment| segment.next() <= self.next)
        {
            self.segments.pop_front();
            self.open = None;
        }
        let Some(segment) = self.segments.front() else {
            return Ok(None);
        };
        let within = usize::try_from(self.next.saturating_sub(segment.first)).ok();
        let Some(at) = within.and_then(|index| segment.offsets.get(index..)) else {
            return Ok(None);
        };
        let Some(offset) = at.first() else {
            return Ok(None);
        };
        let end = at.get(1).map_or(segment.end, |next| u64::from(*next));
        let file = match self.open.take() {
            Some(file) => file,
            None => open(segment)?,
        };
        let payload = read_record_at(&file, &segment.path, u64::from(*offset), end)?;
        self.open = Some(file);
        let number = self.next;
        self.next = number.saturating_add(1);
        Ok(Some((number, payload)))
    }
}

impl Iterator for RecordIter {
    type Item = Result<(u64, Vec<u8>), ReadLogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read_next().transpose();
        if matches!(item, Some(Err(_))) {
            self.end = self.next;
        }
        item
    }
}

fn open(segment: &Segment) -> Result<File, ReadLogError> {
    File::open(&segment.path).map_err(|source| match source.kind() {
        // The only one who removes a file of the row is the book, when it retires it.
        io::ErrorKind::NotFound => ReadLogError::Retired {
            record: segment.first,
            first: segment.next(),
        },
        _ => ReadLogError::Io {
            path: segment.path.clone(),
            source,
        },
    })
}
