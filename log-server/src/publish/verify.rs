//! Looking again, from stored bytes, before anything is signed.
//!
//! Owns the check that catches a flipped bit between hashing and storing: every entry since the
//! last signed head is read back, hashed on its own, and must lead to the head's root; the stored
//! tiles must prove that the new tree extends the old one. A log that skips this can be destroyed
//! by one bad memory cell (Yeti2022, 2021-06-30).

use crate::receipts::{StoreTiles, TileError};
use crate::store::{Head, LogStore, StoreError, Stored, pruned_bundle};
use cairn_tlog::tile::TileNodeError;
use cairn_tlog::{
    BundleDecodeError, BundleId, Frontier, Hash, ProofError, TILE_WIDTH, TileNodes, bundle,
    consistency_proof, verify_consistency,
};
use std::borrow::Cow;

/// Why a head must not be signed. All are fatal.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Entries of the tree are not stored.
    #[error("the bundle {number} of a tree of size {size} is missing")]
    MissingBundle {
        /// Bundle number.
        number: u64,
        /// Size of the tree.
        size: u64,
    },
    /// A stored bundle does not hold its entries.
    #[error("the bundle {number} is damaged")]
    Bundle {
        /// Bundle number.
        number: u64,
        /// Why.
        #[source]
        source: BundleDecodeError,
    },
    /// The head is smaller than what was signed.
    #[error("the head has size {size}, {signed} was signed before")]
    Smaller {
        /// Size of the head.
        size: u64,
        /// Size signed before.
        signed: u64,
    },
    /// The stored entries do not hash to the head.
    #[error("the stored entries hash to `{computed}`, the head of size {size} has `{root}`")]
    Root {
        /// Size of the head.
        size: u64,
        /// Root recomputed from stored entries.
        computed: Hash,
        /// Root of the head.
        root: Hash,
    },
    /// The tiles cannot be read as a tree.
    #[error("the stored tiles give no consistency proof")]
    Tiles(#[from] ProofError<TileNodeError<TileError>>),
    /// The tiles do not prove consistency.
    #[error("the stored tiles do not extend the signed tree")]
    Consistency(#[from] cairn_tlog::VerifyError),
}

/// A tree whose every entry was read back and hashed by this process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    frontier: Frontier,
}

impl Verified {
    /// Begins with a frontier that was recomputed from stored entries.
    #[must_use]
    pub fn from_frontier(frontier: Frontier) -> Self {
        Self { frontier }
    }

    /// Leaves covered.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Reads back everything between this tree and `head`.
    ///
    /// # Errors
    /// [`VerifyError`]; nothing may be signed.
    pub fn advance(&self, store: &dyn LogStore, head: &Head) -> Result<Self, VerifyError> {
        let (signed, size) = (self.size(), head.size());
        if size < signed {
            return Err(VerifyError::Smaller { size, signed });
        }
        let mut frontier = self.frontier.clone();
        for_each_entry(store, signed, size, |_, stored| {
            frontier.push(stored.leaf())
        })?;
        let computed = frontier.root();
        if computed != head.root {
            return Err(VerifyError::Root {
                size,
                computed,
                root: head.root,
            });
        }
        let nodes = TileNodes::new(StoreTiles::new(store), size);
        let proof = consistency_proof(&nodes, signed, size)?;
        verify_consistency(signed, size, &self.frontier.root(), &head.root, &proof)?;
        Ok(Self { frontier })
    }
}

/// Reads what is stored of the entries `[from, to)` bundle by bundle.
///
/// # Errors
/// `Store`, `MissingBundle`, `Bundle`.
pub(crate) fn for_each_entry(
    store: &dyn LogStore,
    from: u64,
    to: u64,
    mut each: impl FnMut(u64, Stored<'_>),
) -> Result<(), VerifyError> {
    let width = u64::from(TILE_WIDTH);
    let mut index = from;
    while index < to {
        let number = index / width;
        let missing = VerifyError::MissingBundle { number, size: to };
        let skip = usize::try_from(index % width).unwrap_or(usize::MAX);
        if index < store.minimum_index()? {
            let places = pruned_bundle(store, number)?.ok_or(missing)?;
            for place in places.into_iter().skip(skip) {
                each(index, place);
                index += 1;
            }
            continue;
        }
        let Some(id) = BundleId::at_size(number, to) else {
            return Err(missing);
        };
        let Some(bytes) = store.bundle(number, id.width)? else {
            // It may have been pruned since the look at the minimum index.
            if index < store.minimum_index()? {
                continue;
            }
            return Err(missing);
        };
        let entries = bundle::decode(&bytes, id.width)
            .map_err(|source| VerifyError::Bundle { number, source })?;
        for entry in entries.into_iter().skip(skip) {
            each(index, Stored::Entry(Cow::Borrowed(entry)));
            index += 1;
        }
    }
    Ok(())
}
