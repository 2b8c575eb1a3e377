//! Entries of a range, read bundle by bundle.
//!
//! Owns the walk. A full bundle is one stored value of 256 entries: reading each entry by itself
//! would fetch, and where it is compressed unpack, that value 256 times.

use super::{LogStore, StoreError};
use cairn_tlog::{BundleId, TILE_WIDTH, bundle};
use std::ops::Range;

/// Entries in order with their indices; made by [`entries`].
pub struct Entries<'a> {
    store: &'a dyn LogStore,
    next: u64,
    end: u64,
    /// What is left of the bundle that was read last, in reverse order.
    read: Vec<Vec<u8>>,
}

/// The entries `range` of a store that holds them all. Ends early where one is missing, and after an
/// error.
pub fn entries(store: &dyn LogStore, range: Range<u64>) -> Entries<'_> {
    Entries {
        store,
        next: range.start,
        end: range.end,
        read: Vec::new(),
    }
}

impl Entries<'_> {
    fn read_on(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.read.is_empty() {
            let width = u64::from(TILE_WIDTH);
            // One entry is one point read where its bundle is not full yet.
            if self.end - self.next == 1 {
                return self.store.entry(self.next);
            }
            let Some(id) = BundleId::at_size(self.next / width, self.end) else {
                return Ok(None);
            };
            let Some(bytes) = self.store.bundle(id.index, id.width)? else {
                return Ok(None);
            };
            let split = bundle::decode(&bytes, id.width).map_err(|_| StoreError::Damaged {
                table: "bundle",
                what: "it has not its number of entries",
            })?;
            let skip = usize::try_from(self.next % width).unwrap_or(usize::MAX);
            let rest = split.into_iter().skip(skip).map(<[u8]>::to_vec);
            self.read = rest.rev().collect();
        }
        Ok(self.read.pop())
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(u64, Vec<u8>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        match self.read_on() {
            Ok(Some(bytes)) => {
                let at = self.next;
                self.next += 1;
                Some(Ok((at, bytes)))
            }
            Ok(None) => {
                self.end = self.next;
                None
            }
            Err(error) => {
                self.end = self.next;
                Some(Err(error))
            }
        }
    }
}
