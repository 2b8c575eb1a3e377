//! Receipts: inclusion proofs out of the stored tiles, bound to a published checkpoint.
//!
//! Owns reading nodes from a [`LogStore`]. Does not own proof arithmetic (`cairn-tlog`).

use crate::store::{LogStore, PublishedCheckpoint, StoreError};
use cairn_tlog::tile::TileNodeError;
use cairn_tlog::{ProofError, Receipt, TileId, TileNodes, TileReader, inclusion_proof};
use std::cell::RefCell;
use std::collections::BTreeMap;

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

/// Makes receipts against one checkpoint.
pub struct ReceiptMaker<'a> {
    nodes: TileNodes<StoreTiles<'a>>,
    checkpoint: &'a PublishedCheckpoint,
}

impl<'a> ReceiptMaker<'a> {
    /// For a checkpoint that the store has published.
    #[must_use]
    pub fn new(store: &'a dyn LogStore, checkpoint: &'a PublishedCheckpoint) -> Self {
        Self {
            nodes: TileNodes::new(StoreTiles::new(store), checkpoint.size),
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
