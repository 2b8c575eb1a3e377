//! Staging: what one round will write, worked out without writing.
//!
//! Owns the right edge of the tree (the unfinished bundle and the unfinished tile of each level)
//! and how new entries grow it. Pure: the same edge and entries give the same bytes.
//!
//! Source: C2SP tlog-tiles; the shape of a round follows sunlight's `sequencePool`.

use crate::store::{Head, LogStore, Staged, StagedEntry, StoreError};
use cairn_event::Kid;
use cairn_tlog::{BundleEncodeError, BundleId, Hash, TILE_WIDTH, TileId, bundle, node_hash};

/// An entry to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Their leaf hash.
    pub leaf: Hash,
    /// Its place in a chain.
    pub place: Option<(Kid, u64)>,
}

/// The unfinished right side of the stored tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edge {
    /// Bytes of the unfinished bundle.
    bundle: Vec<u8>,
    /// Hashes of the unfinished tile of each level, from level 0.
    rows: Vec<Vec<Hash>>,
}

/// Why an edge or a round could not be made. All are fatal.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The stored edge cannot be read.
    #[error("the right edge of the tree cannot be read")]
    Store(#[from] StoreError),
    /// A stored bundle or tile of the edge is missing or short.
    #[error("the right edge of the tree is incomplete at size {size}")]
    Incomplete {
        /// Size of the tree.
        size: u64,
    },
    /// The tiles of the edge do not hash to the head's root.
    #[error("the tiles at size {size} do not hash to the root of the head")]
    RootMismatch {
        /// Size of the tree.
        size: u64,
    },
    /// An entry does not fit a bundle.
    #[error("an entry does not fit a bundle")]
    Entry(#[from] BundleEncodeError),
}

impl Edge {
    /// Reads the edge of a committed head and checks that it hashes to the head's root.
    ///
    /// # Errors
    /// Fatal: the store is damaged.
    pub fn load(store: &dyn LogStore, head: &Head) -> Result<Self, StageError> {
        let size = head.size();
        let incomplete = StageError::Incomplete { size };
        let width = u64::from(TILE_WIDTH);
        let mut edge = Self::default();
        if let Some(id) = BundleId::at_size(size / width, size) {
            let Some(bytes) = store.bundle(id.index, id.width)? else {
                return Err(incomplete);
            };
            edge.bundle = bytes;
        }
        let mut nodes = size;
        let mut level: u8 = 0;
        while nodes > 0 {
            let mut row = Vec::new();
            if !nodes.is_multiple_of(width) {
                let id = TileId {
                    level,
                    index: nodes / width,
                    width: (nodes % width) as u16,
                };
                let Some(tile) = store.tile(id)? else {
                    return Err(incomplete);
                };
                let (hashes, _) = tile.as_chunks::<32>();
                row.extend(hashes.iter().map(|hash| Hash(*hash)));
            }
            edge.rows.push(row);
            nodes /= width;
            level += 1;
        }
        if edge.root() == head.root {
            Ok(edge)
        } else {
            Err(StageError::RootMismatch { size })
        }
    }

    /// The tree head that these rows give: each row is folded into its maximal subtrees, smaller
    /// ones to the right, lower levels to the right of higher ones.
    fn root(&self) -> Hash {
        let mut joined: Option<Hash> = None;
        for row in &self.rows {
            let mut rest = row.as_slice();
            let mut subtrees = Vec::new();
            while !rest.is_empty() {
                let (left, right) = rest.split_at(1 << rest.len().ilog2());
                subtrees.push(fold(left));
                rest = right;
            }
            for left in subtrees.into_iter().rev() {
                joined = Some(joined.map_or(left, |right| node_hash(&left, &right)));
            }
        }
        joined.unwrap_or(cairn_tlog::EMPTY_ROOT)
    }

    /// Adds a hash to a row; a row of 256 becomes a full tile and one hash of the row above.
    fn push(&mut self, level: u8, hash: Hash, done: u64, tiles: &mut Vec<(TileId, Vec<u8>)>) {
        let at = usize::from(level);
        if self.rows.len() <= at {
            self.rows.resize_with(at + 1, Vec::new);
        }
        let Some(row) = self.rows.get_mut(at) else {
            return;
        };
        row.push(hash);
        if row.len() < usize::from(TILE_WIDTH) {
            return;
        }
        let full = std::mem::take(row);
        let index = done / u64::from(TILE_WIDTH);
        tiles.push((TileId::full(level, index), concat(&full)));
        self.push(level + 1, fold(&full), index, tiles);
    }
}

/// Works out a round: `entries` appended to `head`, whose edge is `edge`, at `now_ms`.
///
/// Gives the round and the edge after it; the caller keeps the new edge only after the commit.
/// Disclosures and forks are added by the caller.
///
/// # Errors
/// `StageError::Entry`; nothing was written.
pub fn stage(
    head: &Head,
    edge: &Edge,
    entries: Vec<NewEntry>,
    now_ms: u64,
) -> Result<(Staged, Edge), StageError> {
    let from = head.size();
    let mut edge = edge.clone();
    let mut staged = Staged {
        from,
        head: Head {
            time_ms: now_ms.max(head.time_ms),
            ..head.clone()
        },
        entries: Vec::with_capacity(entries.len()),
        bundles: Vec::new(),
        tiles: Vec::new(),
        disclosures: Vec::new(),
        forks: Vec::new(),
    };
    for entry in entries {
        let index = staged.head.size();
        let leaf = entry.leaf;
        bundle::append(&mut edge.bundle, &entry.bytes)?;
        staged.head.frontier.push(leaf);
        edge.push(0, leaf, index, &mut staged.tiles);
        let size = staged.head.size();
        if size.is_multiple_of(u64::from(TILE_WIDTH)) {
            let number = size / u64::from(TILE_WIDTH) - 1;
            staged
                .bundles
                .push((number, std::mem::take(&mut edge.bundle)));
        }
        staged.entries.push(StagedEntry {
            index,
            leaf,
            bytes: entry.bytes,
            place: entry.place,
        });
    }
    staged.head.root = staged.head.frontier.root();
    push_partial_tiles(&edge, from, &mut staged);
    Ok((staged, edge))
}

/// Adds the unfinished tile of each level that this round changed.
fn push_partial_tiles(edge: &Edge, from: u64, staged: &mut Staged) {
    let mut before = from;
    let mut after = staged.head.size();
    for (level, row) in (0_u8..).zip(&edge.rows) {
        if !row.is_empty() && before != after {
            let index = after / u64::from(TILE_WIDTH);
            let id = TileId {
                level,
                index,
                width: row.len() as u16,
            };
            staged.tiles.push((id, concat(row)));
        }
        before /= u64::from(TILE_WIDTH);
        after /= u64::from(TILE_WIDTH);
    }
}

/// Folds a power of two of hashes into one.
fn fold(row: &[Hash]) -> Hash {
    let mut row = row.to_vec();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied().unwrap_or(cairn_tlog::EMPTY_ROOT)
}

fn concat(row: &[Hash]) -> Vec<u8> {
    row.iter().flat_map(|hash| hash.0).collect()
}
