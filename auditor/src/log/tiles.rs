//! Re-deriving every tile from the leaf hashes and comparing it with the one the log serves.
//!
//! Owns one open tile for each level: 256 hashes a level, whatever the size of the log.

use crate::report::{Check, Failure};
use crate::source::LogSource;
use cairn_tlog::{Hash, TILE_WIDTH, TileId, node_hash};

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

impl<'a> TileRebuilder<'a> {
    /// A rebuilder of the tree of no leaves.
    pub fn new(source: &'a dyn LogSource) -> Self {
        Self {
            source,
            levels: Vec::new(),
            check: Check::new("tiles"),
        }
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
