//! The verified reader: nothing is read from a log but under a checkpoint that the trust policy
//! believes.
//!
//! Owns opening a log and node access with a cache of tiles. Source: architecture section 2, step 9.

use cairn_audit::evidence::CheckpointRecord;
use cairn_audit::log::bundles::BundleError;
use cairn_audit::log::published;
use cairn_audit::source::{LogSource, SourceError};
use cairn_audit::{Check, Report};
use cairn_tlog::tile::TileNodeError;
use cairn_tlog::{
    Hash, ProofError, RangeProof, TileId, TileNodes, TileReader, TrustError, TrustPolicy,
    VerifyError, consistency_proof, inclusion_proof, range_proof, verify_consistency,
    verify_inclusion,
};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Why a log could not be read or believed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Something could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A bundle could not be read or is damaged.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The newest checkpoint is not believed.
    #[error("the newest checkpoint is refused: {0}")]
    Checkpoint(#[from] TrustError),
    /// A published checkpoint is not believed.
    #[error("a published checkpoint is refused\n{0}")]
    Published(Box<Report>),
    /// A proof could not be made from the tiles.
    #[error("a proof could not be made: {0}")]
    Proof(#[from] ProofError<TileNodeError<SourceError>>),
    /// A proof made from the tiles does not lead to the signed root.
    #[error("the tiles do not lead to the signed root: {0}")]
    Tiles(#[from] VerifyError),
    /// The entries do not hash to the signed root.
    #[error("entries up to {size} hash to {found}, the signed root is {signed}")]
    Root {
        /// Leaves hashed.
        size: u64,
        /// What they give.
        found: Hash,
        /// What was signed.
        signed: Hash,
    },
}

/// A log whose newest checkpoint and every published checkpoint were believed.
pub struct VerifiedLog<'a> {
    /// The log.
    pub source: &'a dyn LogSource,
    /// Its origin.
    pub origin: String,
    /// Entries below it were pruned, but those that a ledger needs.
    pub minimum: u64,
    /// Every published checkpoint up to the newest, by size.
    pub published: Vec<CheckpointRecord>,
}

impl<'a> VerifiedLog<'a> {
    /// Opens a log under a trust policy.
    ///
    /// Errors: [`ReadError`]; nothing of the log is used.
    pub fn open(source: &'a dyn LogSource, policy: &TrustPolicy) -> Result<Self, ReadError> {
        let note = source.checkpoint()?;
        let newest = policy.verify_checkpoint(&note)?;
        let head = newest.checkpoint;
        let mut check = Check::new("checkpoints");
        let mut published =
            published::read(source, policy, &head.origin, 0, head.size, &mut check)?;
        if check.failed > 0 {
            let mut report = Report::default();
            report.push(check);
            return Err(ReadError::Published(Box::new(report)));
        }
        if head.size > 0 && published.last().is_none_or(|last| last.size < head.size) {
            let cosigned = newest
                .cosigned
                .into_iter()
                .map(|(_, seconds)| seconds)
                .collect();
            let (size, root) = (head.size, head.root);
            published.push(CheckpointRecord {
                size,
                root,
                note,
                cosigned,
            });
        }
        // Whether the administrators agreed to that is for the audit of the log to say.
        let minimum = source.retention()?.minimum_index;
        Ok(Self {
            source,
            minimum,
            origin: head.origin,
            published,
        })
    }

    /// The published checkpoint of exactly this size.
    pub fn at(&self, size: u64) -> Option<&CheckpointRecord> {
        self.published.iter().find(|record| record.size == size)
    }
}

/// Proofs in one tree, made from tiles and checked against its signed root before they are used.
pub struct Proofs<'a> {
    nodes: TileNodes<CachedTiles<'a>>,
    size: u64,
    root: Hash,
}

impl<'a> Proofs<'a> {
    /// Proofs in the tree of a believed checkpoint.
    pub fn new(source: &'a dyn LogSource, tree: &CheckpointRecord) -> Self {
        let tiles = CachedTiles {
            source,
            cache: RefCell::default(),
        };
        Self {
            nodes: TileNodes::new(tiles, tree.size),
            size: tree.size,
            root: tree.root,
        }
    }

    /// The inclusion proof of `leaf` at `index`.
    ///
    /// Errors: [`ReadError`].
    pub fn inclusion(&self, leaf: &Hash, index: u64) -> Result<Vec<Hash>, ReadError> {
        let proof = inclusion_proof(&self.nodes, index, self.size)?;
        verify_inclusion(leaf, index, self.size, &proof, &self.root)?;
        Ok(proof)
    }

    /// Checks that the tree had this root when it had `size` leaves.
    ///
    /// Errors: [`ReadError`].
    pub fn earlier(&self, size: u64, root: &Hash) -> Result<(), ReadError> {
        let proof = consistency_proof(&self.nodes, size, self.size)?;
        verify_consistency(size, self.size, root, &self.root, &proof)?;
        Ok(())
    }

    /// The range proof of `[start, end)`; check it with the leaves.
    ///
    /// Errors: [`ReadError`].
    pub fn range(&self, start: u64, end: u64) -> Result<RangeProof, ReadError> {
        Ok(range_proof(&self.nodes, start, end, self.size)?)
    }
}

/// Tiles kept for the next proof: a proof needs one tile for each eight levels.
struct CachedTiles<'a> {
    source: &'a dyn LogSource,
    cache: RefCell<BTreeMap<TileId, Vec<u8>>>,
}

/// Tiles kept at most: 8 MiB of full tiles.
const MAX_CACHED_TILES: usize = 1_024;

impl TileReader for CachedTiles<'_> {
    type Error = SourceError;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        let mut cache = self.cache.borrow_mut();
        if let Some(bytes) = cache.get(&id) {
            return Ok(bytes.clone());
        }
        let bytes = self.source.tile(id)?;
        if cache.len() >= MAX_CACHED_TILES {
            cache.clear();
        }
        cache.insert(id, bytes.clone());
        Ok(bytes)
    }
}
