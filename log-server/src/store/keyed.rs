//! The log laid out in an ordered key-value engine.
//!
//! Owns reading and writing, and the poison; forms are in `keys` and `values` (`docs/formats/store.md`), what a
//! round changes in `round`. Full bundles are one value each; the entries of
//! the last bundle lie singly in `edge`, so that a small round does not rewrite a large value.
//! Partial bundles and tiles are cut out of these on read and never stored.

mod keys;
mod round;
mod values;

use super::engine::{Change, Engine, Table};
use super::{
    DisclosureRecord, DisclosureWrite, Head, LogStore, Pruning, PublishedCheckpoint, Staged,
    StoreError, kept, pruned,
};
use cairn_event::Kid;
use cairn_identity::retention::{PrunedRange, Retention};
use cairn_tlog::{Hash, TILE_WIDTH, TileId, bundle};
use keys::{damaged, key, place_key, read_u64, sealed_key, tile_key};
use round::{disclosure_change, round_changes};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use values::{decode_checkpoint, decode_head, encode_checkpoint};

const HEAD_KEY: &[u8] = b"head";
const NEWEST_KEY: &[u8] = b"newest-checkpoint";
/// What was pruned.
const RETENTION_KEY: &[u8] = b"retention";
/// There while pruned entries may still lie on disk.
const PRUNING_OWED_KEY: &[u8] = b"pruning-owed";
/// There while replaced disclosures and keys may still lie on disk.
const PURGE_OWED_KEY: &[u8] = b"purge-owed";

/// No minimum index is this one: the log would be full.
const UNREAD: u64 = u64::MAX;

/// First byte of every structured value: the layout of this version.
const LAYOUT: u8 = 1;

/// A [`LogStore`] over an engine.
pub struct KeyedStore<E> {
    engine: E,
    poisoned: AtomicBool,
    /// The minimum index once it was read, else [`UNREAD`].
    minimum: AtomicU64,
}

impl<E: Engine> KeyedStore<E> {
    /// Wraps an engine; reads nothing yet.
    pub fn new(engine: E) -> Self {
        Self {
            engine,
            poisoned: AtomicBool::new(false),
            minimum: AtomicU64::new(UNREAD),
        }
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.change(|engine| engine.write(changes))
    }

    /// Changes what is on disk. After an error nobody knows what is there, so nothing is written any more:
    /// what is owed is done by the next start, which reads again.
    fn change(&self, work: impl FnOnce(&E) -> Result<(), StoreError>) -> Result<(), StoreError> {
        if self.is_poisoned() {
            return Err(StoreError::Poisoned);
        }
        work(&self.engine).inspect_err(|_| self.poisoned.store(true, Ordering::SeqCst))
    }

    fn size(&self) -> Result<u64, StoreError> {
        Ok(self.head()?.map_or(0, |head| head.size()))
    }

    fn index_at(&self, table: Table, key: &[u8]) -> Result<Option<u64>, StoreError> {
        let value = self.engine.get(table, key)?;
        value.map(|bytes| read_u64(table, &bytes)).transpose()
    }
}

/// The entry with this index out of its full bundle.
fn entry_of(full: &[u8], index: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let entries =
        bundle::decode(full, TILE_WIDTH).map_err(|_| damaged(Table::Bundle, "not 256 entries"))?;
    let position = usize::try_from(index % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
    Ok(entries.get(position).map(|bytes| bytes.to_vec()))
}

impl<E: Engine> LogStore for KeyedStore<E> {
    fn head(&self) -> Result<Option<Head>, StoreError> {
        let value = self.engine.get(Table::Meta, HEAD_KEY)?;
        value.map(|bytes| decode_head(&bytes)).transpose()
    }

    fn commit(&self, staged: &Staged) -> Result<(), StoreError> {
        let size = self.size()?;
        if size != staged.from {
            return Err(StoreError::NotNext {
                from: staged.from,
                size,
            });
        }
        self.write(round_changes(staged))
    }

    fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let minimum = self.minimum_index()?;
        if index < minimum {
            let kept = self.kept(index / u64::from(TILE_WIDTH))?;
            return kept.map_or(Ok(None), |kept| pruned::entry_of(&kept, index));
        }
        let number = key(index / u64::from(TILE_WIDTH));
        if let Some(full) = self.engine.get(Table::Bundle, &number)? {
            return entry_of(&full, index);
        }
        if let Some(entry) = self.engine.get(Table::Edge, &key(index))? {
            return Ok(Some(entry));
        }
        // Between the two looks a round may have made the bundle full, which takes its rows away.
        if let Some(full) = self.engine.get(Table::Bundle, &number)? {
            return entry_of(&full, index);
        }
        // Or it was pruned, which is looked at again: a minimum index only grows.
        if self.minimum_index()? > minimum {
            return self.entry(index);
        }
        Ok(None)
    }

    fn bundle(&self, index: u64, width: u16) -> Result<Option<Vec<u8>>, StoreError> {
        if index < self.minimum_index()? / u64::from(TILE_WIDTH) {
            return Ok(None);
        }
        if let Some(full) = self.engine.get(Table::Bundle, &key(index))? {
            return Ok(bundle::prefix(&full, width).map(<[u8]>::to_vec));
        }
        let Some(first) = index.checked_mul(u64::from(TILE_WIDTH)) else {
            return Ok(None);
        };
        let end = first.saturating_add(u64::from(width));
        let limit = usize::from(width);
        let rows = self
            .engine
            .scan(Table::Edge, &key(first), &key(end), limit)?;
        if rows.len() != limit || limit == 0 {
            // Between the two looks a round may have made the bundle full, which takes its rows away.
            let full = self.engine.get(Table::Bundle, &key(index))?;
            return Ok(full.and_then(|full| bundle::prefix(&full, width).map(<[u8]>::to_vec)));
        }
        let mut bytes = Vec::new();
        for (_, entry) in &rows {
            bundle::append(&mut bytes, entry)
                .map_err(|_| damaged(Table::Edge, "an entry is too long"))?;
        }
        Ok(Some(bytes))
    }

    fn tile(&self, id: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        let stored = self
            .engine
            .get(Table::Tile, &tile_key(id.level, id.index))?;
        Ok(stored.and_then(|bytes| bytes.get(..id.byte_len()).map(<[u8]>::to_vec)))
    }

    fn index_of_leaf(&self, leaf: &Hash) -> Result<Option<u64>, StoreError> {
        self.index_at(Table::Leaf, leaf.as_bytes())
    }

    fn index_of_place(&self, chain: &Kid, seq: u64) -> Result<Option<u64>, StoreError> {
        self.index_at(Table::Place, &place_key(chain, seq))
    }

    fn fork_recorded(&self, chain: &Kid, seq: u64) -> Result<bool, StoreError> {
        Ok(self
            .engine
            .get(Table::Fork, &place_key(chain, seq))?
            .is_some())
    }

    fn publish(&self, checkpoint: &PublishedCheckpoint) -> Result<(), StoreError> {
        let newest = self.published()?;
        if let Some(newest) = newest.filter(|newest| !follows(newest, checkpoint)) {
            let (size, published) = (checkpoint.size, newest.size);
            return Err(StoreError::CheckpointBack { size, published });
        }
        let value = encode_checkpoint(checkpoint);
        let mut changes = vec![Change::Put(Table::Meta, NEWEST_KEY.to_vec(), value.clone())];
        let keep = match self.checkpoint(checkpoint.size)? {
            None => Some(value),
            Some(kept) => kept::add(&kept, checkpoint)?.map(|merged| encode_checkpoint(&merged)),
        };
        if let Some(keep) = keep {
            changes.push(Change::Put(Table::Checkpoint, key(checkpoint.size), keep));
        }
        self.write(changes)
    }

    fn published(&self) -> Result<Option<PublishedCheckpoint>, StoreError> {
        let value = self.engine.get(Table::Meta, NEWEST_KEY)?;
        value.map(|bytes| decode_checkpoint(&bytes)).transpose()
    }

    fn checkpoint(&self, size: u64) -> Result<Option<PublishedCheckpoint>, StoreError> {
        let value = self.engine.get(Table::Checkpoint, &key(size))?;
        value.map(|bytes| decode_checkpoint(&bytes)).transpose()
    }

    fn checkpoint_sizes(&self, from: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let rows = self
            .engine
            .scan(Table::Checkpoint, &key(from), &key(u64::MAX), limit)?;
        rows.iter()
            .map(|(size, _)| read_u64(Table::Checkpoint, size))
            .collect()
    }

    fn disclosures(&self, index: u64) -> Result<Vec<DisclosureRecord>, StoreError> {
        let mut records = self.disclosures_of(index..index.saturating_add(1))?;
        Ok(records.remove(&index).unwrap_or_default())
    }

    fn disclosures_of(
        &self,
        range: Range<u64>,
    ) -> Result<BTreeMap<u64, Vec<DisclosureRecord>>, StoreError> {
        let (from, to) = (key(range.start), key(range.end));
        let rows = self
            .engine
            .scan(Table::Disclosure, &from, &to, usize::MAX)?;
        let mut records: BTreeMap<u64, Vec<DisclosureRecord>> = BTreeMap::new();
        for (key, value) in rows {
            let split = key.split_first_chunk::<8>().and_then(|(index, digest)| {
                let digest = <[u8; 32]>::try_from(digest).ok()?;
                Some((u64::from_be_bytes(*index), digest))
            });
            let (index, digest) =
                split.ok_or_else(|| damaged(Table::Disclosure, "a key is not 40 bytes"))?;
            records.entry(index).or_default().push((digest, value));
        }
        Ok(records)
    }

    fn disclosure_key(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.engine.get(Table::PersonKey, name.as_bytes())
    }

    fn sealed_under(&self, name: &str) -> Result<Vec<u64>, StoreError> {
        let from = sealed_key(name, None);
        let mut to = from.clone();
        to.extend_from_slice(&[u8::MAX; 41]);
        let rows = self.engine.scan(Table::Sealed, &from, &to, usize::MAX)?;
        let mut indices = BTreeSet::new();
        for (_, value) in rows {
            let (chunks, []) = value.as_chunks::<8>() else {
                return Err(damaged(Table::Sealed, "not a list of indices"));
            };
            indices.extend(chunks.iter().map(|index| u64::from_be_bytes(*index)));
        }
        Ok(indices.into_iter().collect())
    }

    fn write_disclosures(&self, writes: &[DisclosureWrite]) -> Result<(), StoreError> {
        self.drop_disclosures(writes)?;
        self.finish_erasure()
    }

    fn finish_erasure(&self) -> Result<(), StoreError> {
        if self.engine.get(Table::Meta, PURGE_OWED_KEY)?.is_none() {
            return Ok(());
        }
        self.change(|engine| engine.purge(Table::Disclosure))?;
        self.change(|engine| engine.purge(Table::PersonKey))?;
        self.write(vec![Change::Delete(Table::Meta, PURGE_OWED_KEY.to_vec())])
    }

    fn retention(&self) -> Result<Retention, StoreError> {
        let value = self.engine.get(Table::Meta, RETENTION_KEY)?;
        value.map_or(Ok(Retention::default()), |value| pruned::decode(&value))
    }

    fn minimum_index(&self) -> Result<u64, StoreError> {
        match self.minimum.load(Ordering::SeqCst) {
            UNREAD => {
                let minimum = self.retention()?.minimum_index;
                let order = Ordering::SeqCst;
                // A pruning meanwhile has set it, and knows better.
                let set = self.minimum.compare_exchange(UNREAD, minimum, order, order);
                Ok(set.map_or_else(|newer| newer, |_| minimum))
            }
            known => Ok(known),
        }
    }

    fn kept(&self, bundle: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if bundle >= self.minimum_index()? / u64::from(TILE_WIDTH) {
            return Ok(None);
        }
        self.engine.get(Table::Kept, &key(bundle))
    }

    fn prune(&self, pruning: &Pruning) -> Result<(), StoreError> {
        let mut retention = self.retention()?;
        let PrunedRange { from, to, .. } = pruning.range;
        if retention.minimum_index != from {
            let minimum = retention.minimum_index;
            return Err(StoreError::NotNextPruning { from, minimum });
        }
        retention.minimum_index = to;
        retention.pruned.push(pruning.range);
        let kept = pruning.kept.iter();
        let mut changes: Vec<_> = kept
            .map(|(number, bytes)| Change::Put(Table::Kept, key(*number), bytes.clone()))
            .collect();
        let owed = pruned::encode_owed(&(from..to));
        changes.push(Change::Put(Table::Meta, PRUNING_OWED_KEY.to_vec(), owed));
        let value = pruned::encode(&retention);
        changes.push(Change::Put(Table::Meta, RETENTION_KEY.to_vec(), value));
        self.write(changes)?;
        self.minimum.store(to, Ordering::SeqCst);
        Ok(())
    }

    fn pruning_owed(&self) -> Result<Option<Range<u64>>, StoreError> {
        let owed = self.engine.get(Table::Meta, PRUNING_OWED_KEY)?;
        owed.map(|value| pruned::decode_owed(&value)).transpose()
    }

    fn drop_disclosures(&self, writes: &[DisclosureWrite]) -> Result<(), StoreError> {
        let mut changes: Vec<_> = writes.iter().map(disclosure_change).collect();
        let owed = Change::Put(Table::Meta, PURGE_OWED_KEY.to_vec(), vec![LAYOUT]);
        changes.push(owed);
        self.write(changes)
    }

    fn finish_pruning(&self) -> Result<(), StoreError> {
        let Some(owed) = self.pruning_owed()? else {
            return Ok(());
        };
        let width = u64::from(TILE_WIDTH);
        let (from, to) = (key(owed.start / width), key(owed.end / width));
        self.change(|engine| engine.drop_range(Table::Bundle, &from, &to))?;
        let done = Change::Delete(Table::Meta, PRUNING_OWED_KEY.to_vec());
        self.write(vec![done])
    }

    fn put_blob(&self, digest: &[u8; 32], bytes: &[u8]) -> Result<(), StoreError> {
        if self.blob(digest)?.is_some() {
            return Ok(());
        }
        self.write(vec![Change::Put(
            Table::Blob,
            digest.to_vec(),
            bytes.to_vec(),
        )])
    }

    fn blob(&self, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        self.engine.get(Table::Blob, digest)
    }

    fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::SeqCst)
    }
}

fn follows(newest: &PublishedCheckpoint, next: &PublishedCheckpoint) -> bool {
    let grows = next.size > newest.size;
    let same = next.size == newest.size && next.root == newest.root;
    (grows || same) && next.time_ms >= newest.time_ms
}
