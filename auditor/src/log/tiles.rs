//! Re-deriving every tile from the leaf hashes and comparing it with the one the log serves.
//!
//! Owns one open tile for each level: 256 hashes a level, whatever the size of the log.

use crate::report::{Check, Failure};
use crate::source::LogSource;
use cairn_tlog::hash::HASH_BYTES;
use cairn_tlog::{Hash, TILE_WIDTH, TileId, node_hash};
use serde::{Deserialize, Serialize};

/// The open tiles of a tree that grows by leaves.
pub struct TileRebuilder<'a> {
    source: &'a dyn LogSource,
    levels: Vec<Level>,
    /// One thing examined for each tile.
    pub check: Check,
}

#[derive(Default)]
struct Level {
    index: u64,
    hashes: Vec<Hash>,
}

/// A rebuilder as it is written down: the full tiles have been compared, none of them in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptTiles {
    /// Full tiles compared.
    compared: u64,
    /// The hashes of the open tile of each level from level 0 on, in hex, one after the other.
    open: Vec<String>,
}

impl<'a> TileRebuilder<'a> {
    /// A rebuilder of the tree of no leaves.
    pub fn new(source: &'a dyn LogSource) -> Self {
        Self {
            source,
            levels: Vec::new(),
            check: Check::new("tiles"),
        }
    }

    /// What is to be written down; `None` where a tile was not as it must be.
    pub fn kept(&self) -> Option<KeptTiles> {
        let hex = |level: &Level| level.hashes.iter().map(Hash::to_hex).collect();
        (self.check.failed == 0).then(|| KeptTiles {
            compared: self.check.examined,
            open: self.levels.iter().map(hex).collect(),
        })
    }

    /// A rebuilder as it stood at a tree of `size` leaves; `None` where that size has other open tiles.
    pub fn put_back(source: &'a dyn LogSource, kept: &KeptTiles, size: u64) -> Option<Self> {
        let width = u64::from(TILE_WIDTH);
        let mut left = size;
        let mut levels = Vec::with_capacity(kept.open.len());
        for open in &kept.open {
            let bytes = hex::decode(open).ok()?;
            let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
            if hashes.len() as u64 != left % width || !rest.is_empty() {
                return None;
            }
            left /= width;
            levels.push(Level {
                index: left,
                hashes: hashes.iter().copied().map(Hash).collect(),
            });
        }
        (left == 0).then(|| Self {
            source,
            levels,
            check: Check::passed("tiles", kept.compared),
        })
    }

    /// Takes the next leaf hash; compares every tile it completes.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Level::default());
            }
            let Some(open) = self.levels.get_mut(level) else {
                return;
            };
            open.hashes.push(hash);
            if open.hashes.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let full = std::mem::take(&mut open.hashes);
            let index = open.index;
            open.index += 1;
            self.compare(level, index, &full);
            hash = fold(full);
            level += 1;
        }
    }

    /// Compares the partial tiles at the right edge.
    pub fn finish(mut self) -> Check {
        for (level, open) in std::mem::take(&mut self.levels).into_iter().enumerate() {
            if !open.hashes.is_empty() {
                self.compare(level, open.index, &open.hashes);
            }
        }
        self.check
    }

    fn compare(&mut self, level: usize, index: u64, hashes: &[Hash]) {
        let (Ok(level), Ok(width)) = (u8::try_from(level), u16::try_from(hashes.len())) else {
            return;
        };
        let id = TileId {
            level,
            index,
            width,
        };
        let wanted: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        let verdict = match self.source.tile(id) {
            Ok(served) if served == wanted => Ok(()),
            Ok(_) => Err("the tile is not the one its entries give".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        self.check
            .record(verdict, |reason| Failure::of_file(&id.to_string(), reason));
    }
}

/// The root of a full tile.
fn fold(mut row: Vec<Hash>) -> Hash {
    while row.len() > 1 {
        row = row
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied().unwrap_or(cairn_tlog::EMPTY_ROOT)
}
