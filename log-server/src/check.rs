//! `cairn-server check`: a stopped data folder, verified whole.
//!
//! Owns the walk over everything stored: signatures and authority of every entry, every kept
//! checkpoint, every tile and bundle recomputed, every index, every disclosure. The serving start
//! checks less because it trusts what was verified at admission.

use crate::disclosures::{DisclosureState, DisclosureStore, DisclosureStoreError};
use crate::keys::Keys;
use crate::publish::{VerifyError, for_each_entry};
use crate::recover::predecessor::{self, PredecessorError};
use crate::recover::{Found, Signatures, StateError, examine};
use crate::store::{LogStore, SignedHead, StoreError, Stored};
use cairn_event::administrative::Predecessor;
use cairn_event::{Disclosure, Entry};
use cairn_tlog::tile::{bundles_for_size, tiles_for_size};
use cairn_tlog::{Hash, MemoryNodes, TileId};
use serde::Serialize;
use std::sync::Arc;

/// What was found in a sound folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The log's origin.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Tree head, standard base64.
    pub root: String,
    /// Size of the newest published checkpoint.
    pub published_size: u64,
    /// Index of the entry that closed the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<u64>,
    /// Entries below it were pruned, but those that later ones are judged by.
    #[serde(skip_serializing_if = "is_zero")]
    pub minimum_index: u64,
    /// Checkpoints kept.
    pub checkpoints: u64,
    /// Tiles compared.
    pub tiles: u64,
    /// Disclosures opened.
    pub present: u64,
    /// Disclosures never handed in.
    pub withheld: u64,
    /// Disclosures destroyed.
    pub erased: u64,
}

/// Why a folder is not sound.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The log contradicts itself.
    #[error(transparent)]
    State(#[from] StateError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Entries cannot be read.
    #[error(transparent)]
    Entries(#[from] VerifyError),
    /// A stored tile is not what the entries give.
    #[error("the tile `{0}` is not what the entries give")]
    Tile(TileId),
    /// The index of leaf hashes is wrong.
    #[error("leaf `{}` of index {index} is indexed as {found:?}", leaf.to_hex())]
    Leaf {
        /// Where the entry is.
        index: u64,
        /// Its leaf hash.
        leaf: Hash,
        /// Where the index says it is.
        found: Option<u64>,
    },
    /// The index of chain places is wrong.
    #[error("the chain place of index {index} is indexed as {found:?}")]
    Place {
        /// Where the entry is.
        index: u64,
        /// Where the index says it is.
        found: Option<u64>,
    },
    /// The log succeeds another one, and the evidence of that is not stored or does not hold.
    #[error("the succession does not hold")]
    Predecessor(#[from] PredecessorError),
    /// A disclosure cannot be opened.
    #[error(transparent)]
    Disclosures(#[from] DisclosureStoreError),
    /// A pruned entry has left something confidential behind.
    #[error("the entry at index {index} was pruned, and a disclosure of it is stored")]
    NotForgotten {
        /// The entry.
        index: u64,
    },
    /// A disclosure opens to something else.
    #[error("a disclosure of index {index} opens to something else than its digest")]
    Disclosure {
        /// The entry.
        index: u64,
    },
}

/// Verifies a stored log whole. Reads every byte of it; memory is 64 bytes an entry.
///
/// # Errors
/// [`CheckError`] with the first contradiction.
pub fn check(
    store: &Arc<dyn LogStore>,
    signed: Option<SignedHead>,
    keys: &Keys,
    now_ms: u64,
) -> Result<CheckReport, CheckError> {
    let found = examine(
        store.as_ref(),
        signed,
        keys,
        now_ms,
        Signatures::Verify,
        None,
    )?;
    let size = found.head.size();
    check_predecessor(store.as_ref())?;
    let tree = check_entries(store.as_ref(), size)?;
    let tiles = check_tiles(store.as_ref(), &tree, size)?;
    let mut report = summary(store.as_ref(), keys, &found, tiles)?;
    check_disclosures(store, keys, &mut report)?;
    Ok(report)
}

/// The evidence that a successor's genesis names is a blob.
fn check_predecessor(store: &dyn LogStore) -> Result<(), CheckError> {
    let genesis = store.entry(0)?.and_then(|bytes| Entry::parse(&bytes).ok());
    let Some(genesis) = genesis else {
        return Ok(());
    };
    let named = Predecessor::of(genesis.payload()).and_then(Result::ok);
    let evidence = named
        .map(|named| store.blob(&named.closing.0))
        .transpose()?;
    Ok(predecessor::check(&genesis, evidence.flatten().as_deref())?)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn summary(
    store: &dyn LogStore,
    keys: &Keys,
    found: &Found,
    tiles: u64,
) -> Result<CheckReport, CheckError> {
    Ok(CheckReport {
        origin: keys.origin.clone(),
        size: found.head.size(),
        root: found.head.root.to_string(),
        published_size: found
            .published
            .as_ref()
            .map_or(0, |published| published.size),
        closed_at: found.replayed.ledger.closed_at(),
        minimum_index: store.minimum_index()?,
        checkpoints: store.checkpoint_sizes(0, usize::MAX)?.len() as u64,
        tiles,
        present: 0,
        withheld: 0,
        erased: 0,
    })
}

/// Hashes every entry and looks it up in both indices.
fn check_entries(store: &dyn LogStore, size: u64) -> Result<MemoryNodes, CheckError> {
    let mut tree = MemoryNodes::new();
    let mut failure = None;
    for_each_entry(store, 0, size, |index, stored| {
        let leaf = stored.leaf();
        tree.push(leaf);
        let checked = check_indices(store, index, &leaf, &stored);
        failure = failure.take().or(checked.err());
    })?;
    failure.map_or(Ok(tree), Err)
}

fn check_indices(
    store: &dyn LogStore,
    index: u64,
    leaf: &Hash,
    stored: &Stored<'_>,
) -> Result<(), CheckError> {
    let found = store.index_of_leaf(leaf)?;
    if found != Some(index) {
        return Err(CheckError::Leaf {
            index,
            leaf: *leaf,
            found,
        });
    }
    let Stored::Entry(bytes) = stored else {
        return check_forgotten(store, index);
    };
    let entry = Entry::parse(bytes).ok();
    let link = entry
        .as_ref()
        .and_then(|entry| entry.payload().link.as_ref());
    let Some(link) = link else { return Ok(()) };
    let found = store.index_of_place(&link.chain, link.seq)?;
    if found == Some(index) {
        Ok(())
    } else {
        Err(CheckError::Place { index, found })
    }
}

/// What was confidential in a pruned entry has gone with it, unless that is still owed.
fn check_forgotten(store: &dyn LogStore, index: u64) -> Result<(), CheckError> {
    let owed = store.pruning_owed()?;
    if owed.is_some_and(|owed| owed.contains(&index)) || store.disclosures(index)?.is_empty() {
        return Ok(());
    }
    Err(CheckError::NotForgotten { index })
}

fn check_tiles(store: &dyn LogStore, tree: &MemoryNodes, size: u64) -> Result<u64, CheckError> {
    use cairn_tlog::nodes::NodeReader as _;
    let mut count = 0;
    for id in tiles_for_size(size) {
        let first = id.index.saturating_mul(256);
        let expected: Result<Vec<Hash>, _> = (first..first + u64::from(id.width))
            .map(|index| tree.node(id.level * 8, index))
            .collect();
        let expected: Vec<u8> = expected
            .map_err(|_| CheckError::Tile(id))?
            .iter()
            .flat_map(|hash| hash.0)
            .collect();
        if store.tile(id)?.as_ref() != Some(&expected) {
            return Err(CheckError::Tile(id));
        }
        count += 1;
    }
    Ok(count + bundles_for_size(size).count() as u64)
}

fn check_disclosures(
    store: &Arc<dyn LogStore>,
    keys: &Keys,
    report: &mut CheckReport,
) -> Result<(), CheckError> {
    let disclosures = DisclosureStore::new(store.clone(), keys.sealing.clone());
    let mut confidential = Vec::new();
    for_each_entry(store.as_ref(), 0, report.size, |index, stored| {
        if let Stored::Entry(bytes) = stored
            && Entry::parse(&bytes).is_ok_and(|entry| !entry.payload().sd.is_empty())
        {
            confidential.push(index);
        }
    })?;
    for index in confidential {
        for held in disclosures.get(index)? {
            match (held.state, held.encoded) {
                (DisclosureState::Present, Some(encoded)) => {
                    let opened = Disclosure::parse(&encoded);
                    if !opened.is_ok_and(|opened| opened.digest() == held.digest) {
                        return Err(CheckError::Disclosure { index });
                    }
                    report.present += 1;
                }
                (DisclosureState::Erased, _) => report.erased += 1,
                _ => report.withheld += 1,
            }
        }
    }
    Ok(())
}
