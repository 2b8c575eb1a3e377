//! Receipts: inclusion proofs out of the stored tiles, bound to a published checkpoint.
//!
//! Owns reading nodes from a [`LogStore`]. Does not own proof arithmetic (`cairn-tlog`).

use crate::store::{LogStore, PublishedCheckpoint, StoreError};
use cairn_tlog::hash::HASH_BYTES;
use cairn_tlog::nodes::NodeReader;
use cairn_tlog::tile::{NodeLocation, TILE_HEIGHT, TileNodeError};
use cairn_tlog::{Hash, ProofError, Receipt, TileId, TileReader, inclusion_proof, node_hash};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why a receipt or proof could not be made. Fatal for trust in the store, not for the process.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The proof could not be computed from the tiles.
    #[error("a proof could not be made from the stored tiles")]
    Proof(#[from] ProofError<TileNodeError<TileError>>),
}

/// Why a tile could not be given.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tree has this tile and the store has not.
    #[error("the tile `{0}` is missing")]
    Missing(TileId),
}

/// Tiles of a store, each read once for the life of the reader.
pub struct StoreTiles<'a> {
    store: &'a dyn LogStore,
    seen: RefCell<BTreeMap<TileId, Vec<u8>>>,
}

impl<'a> StoreTiles<'a> {
    /// A reader with an empty cache.
    #[must_use]
    pub fn new(store: &'a dyn LogStore) -> Self {
        Self {
            store,
            seen: RefCell::default(),
        }
    }
}

impl TileReader for StoreTiles<'_> {
    type Error = TileError;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, TileError> {
        if let Some(known) = self.seen.borrow().get(&id) {
            return Ok(known.clone());
        }
        let bytes = self.store.tile(id)?.ok_or(TileError::Missing(id))?;
        self.seen.borrow_mut().insert(id, bytes.clone());
        Ok(bytes)
    }
}

/// A full or partial tile with every inner node it holds, bottom row first.
type Folded = Arc<Vec<Vec<Hash>>>;

/// Tiles kept with their inner nodes: 16 KiB each, so 8 MiB at most.
const FOLDED_MAX: usize = 512;

/// Tiles out of which receipts were made, folded once. A tile of one width never changes.
#[derive(Default)]
pub struct FoldedTiles(Mutex<BTreeMap<TileId, Folded>>);

impl FoldedTiles {
    fn get(
        &self,
        id: TileId,
        read: impl FnOnce() -> Result<Vec<u8>, TileError>,
    ) -> Result<Folded, TileError> {
        if let Some(known) = self.lock().get(&id) {
            return Ok(known.clone());
        }
        let bytes = read()?;
        if bytes.len() != id.byte_len() {
            return Err(TileError::Missing(id));
        }
        let folded = Arc::new(fold(&bytes));
        let mut kept = self.lock();
        if kept.len() >= FOLDED_MAX {
            kept.clear();
        }
        kept.insert(id, folded.clone());
        Ok(folded)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TileId, Folded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fold(tile: &[u8]) -> Vec<Vec<Hash>> {
    let (hashes, _) = tile.as_chunks::<HASH_BYTES>();
    let mut rows = vec![hashes.iter().map(|bytes| Hash(*bytes)).collect::<Vec<_>>()];
    while let Some(row) = rows.last().filter(|row| row.len() > 1) {
        let (pairs, _) = row.as_chunks::<2>();
        let above = pairs.iter().map(|[left, right]| node_hash(left, right));
        let above = above.collect();
        rows.push(above);
    }
    rows
}

/// Reads nodes of a tree of a fixed size out of folded tiles.
struct FoldedNodes<'a> {
    store: &'a dyn LogStore,
    tiles: &'a FoldedTiles,
    size: u64,
}

impl NodeReader for FoldedNodes<'_> {
    type Error = TileNodeError<TileError>;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let size = self.size;
        let missing = || TileNodeError::Missing { level, index, size };
        let place = NodeLocation::of(level, index).ok_or_else(missing)?;
        let id = TileId::at_size(place.level, place.index, size).ok_or_else(missing)?;
        let read = || self.store.tile(id)?.ok_or(TileError::Missing(id));
        let tile = self.tiles.get(id, read).map_err(TileNodeError::Read)?;
        let row = tile.get(usize::from(level % TILE_HEIGHT));
        let at = usize::from(place.offset / place.count);
        row.and_then(|row| row.get(at)).copied().ok_or_else(missing)
    }
}

/// Makes receipts against one checkpoint.
pub struct ReceiptMaker<'a> {
    nodes: FoldedNodes<'a>,
    checkpoint: &'a PublishedCheckpoint,
}

impl<'a> ReceiptMaker<'a> {
    /// For a checkpoint that the store has published.
    #[must_use]
    pub fn new(
        store: &'a dyn LogStore,
        tiles: &'a FoldedTiles,
        checkpoint: &'a PublishedCheckpoint,
    ) -> Self {
        let size = checkpoint.size;
        Self {
            nodes: FoldedNodes { store, tiles, size },
            checkpoint,
        }
    }

    /// The tlog-proof of an index; `None` when the checkpoint does not cover it.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn receipt(&self, index: u64) -> Result<Option<String>, ReceiptError> {
        if index >= self.checkpoint.size {
            return Ok(None);
        }
        let proof = inclusion_proof(&self.nodes, index, self.checkpoint.size)?;
        let checkpoint = self.checkpoint.note.clone();
        Ok(Some(
            Receipt {
                extra: None,
                index,
                proof,
                checkpoint,
            }
            .to_string(),
        ))
    }
}
