//! Entries of a range, read bundle by bundle.
//!
//! Owns the walk, also over what was pruned: there the hashes are left, and of some entries the bytes. A
//! full bundle is one stored value of 256 entries: reading each entry by itself would fetch, and where it is
//! compressed unpack, that value 256 times.

use super::{LogStore, StoreError};
use cairn_identity::retention::read_thinned;
use cairn_tlog::hash::HASH_BYTES;
use cairn_tlog::{BundleId, Hash, TILE_WIDTH, TileId, bundle, leaf_hash};
use std::borrow::Cow;
use std::ops::Range;

/// What a store holds of a place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored<'a> {
    /// The exact bytes of the entry.
    Entry(Cow<'a, [u8]>),
    /// The entry was pruned; its leaf hash is left.
    Pruned(Hash),
}

impl Stored<'_> {
    /// The leaf hash.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        match self {
            Self::Entry(bytes) => leaf_hash(bytes),
            Self::Pruned(leaf) => *leaf,
        }
    }
}

/// What is left of a pruned bundle, place by place; `None` when its tile is missing.
///
/// # Errors
/// `Read`; `Damaged` also when what stays does not hash to the tile.
pub(crate) fn pruned_bundle(
    store: &dyn LogStore,
    number: u64,
) -> Result<Option<Vec<Stored<'static>>>, StoreError> {
    let damaged = |what| StoreError::Damaged {
        table: "kept",
        what,
    };
    let Some(tile) = store.tile(TileId::full(0, number))? else {
        return Ok(None);
    };
    let (hashes, _) = tile.as_chunks::<HASH_BYTES>();
    let mut places: Vec<Stored<'static>> = hashes
        .iter()
        .map(|hash| Stored::Pruned(Hash(*hash)))
        .collect();
    let thinned = store.kept(number)?.unwrap_or_default();
    let kept = read_thinned(&thinned).map_err(|_| damaged("it is no thinned bundle"))?;
    for (position, entry) in kept {
        let entry = Stored::Entry(Cow::Owned(entry.to_vec()));
        match places.get_mut(usize::from(position)) {
            Some(place) if place.leaf() == entry.leaf() => *place = entry,
            _ => return Err(damaged("an entry that stays has another leaf hash")),
        }
    }
    Ok(Some(places))
}

/// Entries in order with their indices; made by [`entries`].
pub struct Entries<'a> {
    store: &'a dyn LogStore,
    next: u64,
    end: u64,
    /// What is left of the bundle that was read last, in reverse order.
    read: Vec<Stored<'static>>,
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
    fn read_on(&mut self) -> Result<Option<Stored<'static>>, StoreError> {
        if self.read.is_empty() {
            let width = u64::from(TILE_WIDTH);
            let number = self.next / width;
            let places = if self.next < self.store.minimum_index()? {
                pruned_bundle(self.store, number)?
            } else if self.end - self.next == 1 {
                // One entry is one point read where its bundle is not full yet.
                let entry = self.store.entry(self.next)?;
                return Ok(entry.map(|bytes| Stored::Entry(Cow::Owned(bytes))));
            } else {
                self.bundle(number)?
            };
            let Some(places) = places else {
                return Ok(None);
            };
            let skip = usize::try_from(self.next % width).unwrap_or(usize::MAX);
            let rest: Vec<_> = places.into_iter().skip(skip).collect();
            self.read = rest.into_iter().rev().collect();
        }
        Ok(self.read.pop())
    }

    fn bundle(&self, number: u64) -> Result<Option<Vec<Stored<'static>>>, StoreError> {
        let Some(id) = BundleId::at_size(number, self.end) else {
            return Ok(None);
        };
        let Some(bytes) = self.store.bundle(id.index, id.width)? else {
            return Ok(None);
        };
        let split = bundle::decode(&bytes, id.width).map_err(|_| StoreError::Damaged {
            table: "bundle",
            what: "it has not its number of entries",
        })?;
        let entries = split
            .into_iter()
            .map(|one| Stored::Entry(Cow::Owned(one.to_vec())));
        Ok(Some(entries.collect()))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(u64, Stored<'static>), StoreError>;

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
