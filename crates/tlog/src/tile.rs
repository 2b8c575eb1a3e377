//! Tiles and entry bundles: which ones a tree has, and where a node lies in them.
//!
//! Owns identities (level, index, width), widths at a size, and reading nodes out of tile bytes.
//! It does not own their URL paths (`tile_path`) nor the bundle bytes (`bundle`).
//! Source: C2SP tlog-tiles.

use crate::hash::{HASH_BYTES, Hash, node_hash};
use crate::nodes::NodeReader;
use crate::proof::MAX_TREE_SIZE;

/// Hashes in a full tile and entries in a full bundle (C2SP tlog-tiles).
pub const TILE_WIDTH: u16 = 256;

/// Tree levels one tile spans: log2 of `TILE_WIDTH`.
pub const TILE_HEIGHT: u8 = 8;

/// The highest tile level a path may name (C2SP tlog-tiles: 0 to 63).
pub const MAX_TILE_LEVEL: u8 = 63;

/// One tile resource: `width` consecutive hashes of tree level `8 * level`.
///
/// Ordering is by level, then index, then width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Tile level, 0 to 63; level 0 holds leaf hashes.
    pub level: u8,
    /// Position among the tiles of the level.
    pub index: u64,
    /// Hashes in the resource, 1 to 256; below 256 it is a partial tile.
    pub width: u16,
}

/// One entry bundle resource: `width` consecutive entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId {
    /// The bundle begins at entry `256 * index`.
    pub index: u64,
    /// Entries in the resource, 1 to 256; below 256 it is a partial bundle.
    pub width: u16,
}

impl TileId {
    /// The full tile at a position.
    #[must_use]
    pub fn full(level: u8, index: u64) -> Self {
        Self {
            level,
            index,
            width: TILE_WIDTH,
        }
    }

    /// The tile that a tree of `size` leaves has at a position, full or partial.
    ///
    /// `None` when the tree has no complete node there.
    #[must_use]
    pub fn at_size(level: u8, index: u64, size: u64) -> Option<Self> {
        let width = width_at(level, index, size)?;
        Some(Self {
            level,
            index,
            width,
        })
    }

    /// Whether all 256 hashes are there.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Length of the resource in bytes: 32 for each hash.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        usize::from(self.width) * HASH_BYTES
    }
}

impl BundleId {
    /// The full bundle at a position.
    #[must_use]
    pub fn full(index: u64) -> Self {
        Self {
            index,
            width: TILE_WIDTH,
        }
    }

    /// The bundle that a tree of `size` leaves has at a position; `None` past its end.
    #[must_use]
    pub fn at_size(index: u64, size: u64) -> Option<Self> {
        let width = width_at(0, index, size)?;
        Some(Self { index, width })
    }

    /// Whether all 256 entries are there.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The log index of the first entry.
    #[must_use]
    pub fn first_entry(&self) -> u64 {
        self.index.saturating_mul(u64::from(TILE_WIDTH))
    }
}

/// Every tile of a tree of `size` leaves, level by level, left to right, the partial one last.
///
/// Trap: a large tree has many; filter or stop early.
pub fn tiles_for_size(size: u64) -> impl Iterator<Item = TileId> {
    let levels = (0..=MAX_TILE_LEVEL).take_while(move |&level| nodes_at(level, size) > 0);
    levels.flat_map(move |level| {
        let count = nodes_at(level, size).div_ceil(u64::from(TILE_WIDTH));
        (0..count).filter_map(move |index| TileId::at_size(level, index, size))
    })
}

/// Every entry bundle of a tree of `size` leaves, left to right, the partial one last.
pub fn bundles_for_size(size: u64) -> impl Iterator<Item = BundleId> {
    let count = size.div_ceil(u64::from(TILE_WIDTH));
    (0..count).filter_map(move |index| BundleId::at_size(index, size))
}

/// Complete nodes a tree of `size` leaves has at tile level `level`.
fn nodes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
        .unwrap_or(0)
}

fn width_at(level: u8, index: u64, size: u64) -> Option<u16> {
    let first = index.checked_mul(u64::from(TILE_WIDTH))?;
    let rest = nodes_at(level, size)
        .checked_sub(first)
        .filter(|&rest| rest > 0)?;
    Some(rest.min(u64::from(TILE_WIDTH)) as u16)
}

/// Where a tree node lies in the tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeLocation {
    /// Tile level.
    pub level: u8,
    /// Tile index.
    pub index: u64,
    /// First hash of the node inside the tile.
    pub offset: u16,
    /// Consecutive hashes the node is folded from, a power of two from 1 to 128.
    pub count: u16,
}

impl NodeLocation {
    /// Finds the node `(level, index)`; `None` when it lies beyond `MAX_TREE_SIZE`.
    #[must_use]
    pub fn of(level: u8, index: u64) -> Option<Self> {
        let beyond = index.checked_add(1)? > MAX_TREE_SIZE.checked_shr(u32::from(level))?;
        if beyond {
            return None;
        }
        let in_tile = level % TILE_HEIGHT;
        let first = index << in_tile;
        let width = u64::from(TILE_WIDTH);
        Some(Self {
            level: level / TILE_HEIGHT,
            index: first / width,
            offset: (first % width) as u16,
            count: 1 << in_tile,
        })
    }

    /// Folds the node out of the tile's bytes (full or partial).
    ///
    /// `None` when the tile is too short for this node.
    #[must_use]
    pub fn read(&self, tile: &[u8]) -> Option<Hash> {
        let from = usize::from(self.offset) * HASH_BYTES;
        let to = from + usize::from(self.count) * HASH_BYTES;
        let (hashes, _) = tile.get(from..to)?.as_chunks::<HASH_BYTES>();
        let mut row: Vec<Hash> = hashes.iter().map(|bytes| Hash(*bytes)).collect();
        while row.len() > 1 {
            let (pairs, _) = row.as_chunks::<2>();
            row = pairs
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
        }
        row.first().copied()
    }
}

/// Access to tile bytes.
pub trait TileReader {
    /// Why a tile could not be read.
    type Error;

    /// The bytes of a tile resource: exactly `id.byte_len()` of them.
    ///
    /// # Errors
    /// Whatever the storage or network says.
    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error>;
}

impl<R: TileReader + ?Sized> TileReader for &R {
    type Error = R::Error;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error> {
        (**self).tile(id)
    }
}

/// Reads nodes of a tree of a fixed size out of tiles.
///
/// Trap: the hashes are believed. A client checks what it computes from them against a signed root.
#[derive(Debug, Clone)]
pub struct TileNodes<R> {
    tiles: R,
    size: u64,
}

/// Why a node could not be read out of tiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileNodeError<E> {
    /// The node is not complete in the tree of this size.
    #[error("no complete node at level {level}, index {index} in a tree of size {size}")]
    Missing {
        /// Level asked for.
        level: u8,
        /// Index asked for.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
    /// The tile has not the length its width says.
    #[error("tile at level {}, index {} has {got} bytes, expected {}", id.level, id.index, id.byte_len())]
    TileLength {
        /// The tile that was read.
        id: TileId,
        /// Bytes found.
        got: usize,
    },
    /// The tile reader failed.
    #[error("a tile could not be read")]
    Read(#[source] E),
}

impl<R: TileReader> TileNodes<R> {
    /// A node reader over the tiles of the tree of `size` leaves.
    #[must_use]
    pub fn new(tiles: R, size: u64) -> Self {
        Self { tiles, size }
    }
}

impl<R: TileReader> NodeReader for TileNodes<R> {
    type Error = TileNodeError<R::Error>;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let missing = || TileNodeError::Missing {
            level,
            index,
            size: self.size,
        };
        let place = NodeLocation::of(level, index).ok_or_else(missing)?;
        let id = TileId::at_size(place.level, place.index, self.size).ok_or_else(missing)?;
        if place.offset + place.count > id.width {
            return Err(missing());
        }
        let bytes = self.tiles.tile(id).map_err(TileNodeError::Read)?;
        if bytes.len() != id.byte_len() {
            return Err(TileNodeError::TileLength {
                id,
                got: bytes.len(),
            });
        }
        place.read(&bytes).ok_or_else(missing)
    }
}
