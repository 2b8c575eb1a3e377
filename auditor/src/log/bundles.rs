//! Entry bundles in order, fetched ahead of their use.
//!
//! Owns a thread that reads while the caller hashes and verifies, and the split of bundles into
//! entries. Of a pruned bundle the leaf hashes are read, and what is left of its entries.

use crate::source::reading::{Leave, Parts};
use crate::source::{Disclosed, LogSource, SourceError};
use cairn_identity::retention::{ThinnedError, read_thinned};
use cairn_tlog::hash::HASH_BYTES;
use cairn_tlog::{BundleDecodeError, BundleId, Hash, TileId, bundle, leaf_hash};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::sync_channel;

/// Bundles fetched ahead: enough to hide a slow line, and at most 270 MB of the largest entries.
const AHEAD: usize = 16;

/// Why entries could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The bundle could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The bundle is damaged.
    #[error("`{path}` is damaged: {cause}")]
    Damaged {
        /// The bundle.
        path: String,
        /// Why.
        cause: BundleDecodeError,
    },
    /// What is left of a pruned bundle is damaged.
    #[error("`kept/{bundle}` is damaged: {cause}")]
    Thinned {
        /// Number of the bundle.
        bundle: u64,
        /// Why.
        cause: ThinnedError,
    },
}

/// What a log has at a place of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The bytes of the entry.
    Entry(Vec<u8>),
    /// The entry was pruned; its leaf hash, which the root covers.
    Pruned(Hash),
}

impl Slot {
    /// The leaf hash.
    pub fn leaf(&self) -> Hash {
        match self {
            Self::Entry(bytes) => leaf_hash(bytes),
            Self::Pruned(leaf) => *leaf,
        }
    }

    /// The bytes, where they are there.
    pub fn entry(self) -> Option<Vec<u8>> {
        match self {
            Self::Entry(bytes) => Some(bytes),
            Self::Pruned(_) => None,
        }
    }
}

/// A tree to be read.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    /// Where it is read from.
    pub source: &'a dyn LogSource,
    /// Leaves.
    pub size: u64,
    /// Below it entries were pruned.
    pub minimum: u64,
}

/// Calls `each` with what `range` of a tree has, bundle by bundle: the index of the first place and each
/// place.
///
/// Errors: [`BundleError`], or what `each` returns first.
pub fn for_each<E: From<BundleError>>(
    tree: Tree<'_>,
    range: Range<u64>,
    mut each: impl FnMut(u64, Vec<Slot>) -> Result<(), E>,
) -> Result<(), E> {
    for_each_disclosed(tree, None, range, |first, entries, _| each(first, entries))
}

/// Confidential members by index.
pub type DisclosedByIndex = BTreeMap<u64, Vec<Disclosed>>;

/// As [`for_each`], with the confidential members of each bundle's entries where there is a leave to
/// read them; both are fetched ahead.
///
/// Errors: [`BundleError`], or what `each` returns first.
pub fn for_each_disclosed<E: From<BundleError>>(
    tree: Tree<'_>,
    leave: Option<&Leave>,
    range: Range<u64>,
    mut each: impl FnMut(u64, Vec<Slot>, DisclosedByIndex) -> Result<(), E>,
) -> Result<(), E> {
    let width = u64::from(cairn_tlog::TILE_WIDTH);
    let ids = (range.start / width..range.end.div_ceil(width))
        .filter_map(move |index| BundleId::at_size(index, tree.size));
    let inside = range.clone();
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD);
        scope.spawn(move || {
            let mut parts = leave.map(|leave| Parts::new(tree.source, leave));
            for id in ids {
                let read = fetch(tree, id).and_then(|fetched| {
                    let first = id.first_entry();
                    let part = first.max(inside.start)..inside.end.min(first.saturating_add(width));
                    let disclosed = parts.as_mut().map(|parts| parts.take(part)).transpose()?;
                    Ok((fetched, disclosed.unwrap_or_default()))
                });
                // The receiver leaves on the first error; then there is nothing more to fetch.
                if sender.send((id, read)).is_err() {
                    return;
                }
            }
        });
        for (id, read) in receiver {
            let (fetched, disclosed) = read.map_err(BundleError::Source)?;
            let first = id.first_entry();
            let skip = range.start.saturating_sub(first);
            let take = range.end.saturating_sub(first.max(range.start));
            let wanted: Vec<Slot> = places(id, &fetched)?
                .into_iter()
                .skip(usize::try_from(skip).unwrap_or(usize::MAX))
                .take(usize::try_from(take).unwrap_or(usize::MAX))
                .collect();
            if !wanted.is_empty() {
                each(first.max(range.start), wanted, disclosed)?;
            }
        }
        Ok(())
    })
}

/// A bundle as it was read.
enum Fetched {
    Whole(Vec<u8>),
    Pruned { leaves: Vec<u8>, kept: Vec<u8> },
}

fn fetch(tree: Tree<'_>, id: BundleId) -> Result<Fetched, SourceError> {
    if id.first_entry() >= tree.minimum {
        return Ok(Fetched::Whole(tree.source.bundle(id)?));
    }
    Ok(Fetched::Pruned {
        leaves: tree.source.tile(TileId::full(0, id.index))?,
        kept: tree.source.kept(id.index)?,
    })
}

fn places(id: BundleId, fetched: &Fetched) -> Result<Vec<Slot>, BundleError> {
    match fetched {
        Fetched::Whole(bytes) => {
            let entries =
                bundle::decode(bytes, id.width).map_err(|cause| BundleError::Damaged {
                    path: id.to_string(),
                    cause,
                })?;
            let slots = entries.into_iter().map(|one| Slot::Entry(one.to_vec()));
            Ok(slots.collect())
        }
        Fetched::Pruned { leaves, kept } => {
            let kept = read_thinned(kept).map_err(|cause| BundleError::Thinned {
                bundle: id.index,
                cause,
            })?;
            let (leaves, _) = leaves.as_chunks::<HASH_BYTES>();
            let slots = leaves.iter().zip(0..=u8::MAX);
            let slots = slots.map(|(leaf, position)| match kept.get(&position) {
                Some(entry) => Slot::Entry(entry.to_vec()),
                None => Slot::Pruned(Hash(*leaf)),
            });
            Ok(slots.collect())
        }
    }
}
