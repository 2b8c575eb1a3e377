//! The ordered key-value engine below a [`super::KeyedStore`].
//!
//! Owns the table names and the three operations. Does not own keys or values.

use super::StoreError;

/// The tables; each is one column family of RocksDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The head and the newest checkpoint.
    Meta,
    /// Entries of the last, not yet full bundle: index to bytes.
    Edge,
    /// Full entry bundles: number to bytes.
    Bundle,
    /// Tiles: level and number to the hashes so far.
    Tile,
    /// Leaf hash to index.
    Leaf,
    /// Chain and `seq` to index.
    Place,
    /// Contested places that a fork entry records.
    Fork,
    /// Size to the earliest checkpoint published there.
    Checkpoint,
    /// Index and digest to the sealed or erased disclosure.
    Disclosure,
    /// Person and period to the sealed key.
    PersonKey,
    /// Person and period, and a place, to indices of entries with disclosures under that key.
    Sealed,
    /// SHA-256 to bytes.
    Blob,
    /// Number of a pruned bundle to what stays of it.
    Kept,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 13] = [
        Self::Meta,
        Self::Edge,
        Self::Bundle,
        Self::Tile,
        Self::Leaf,
        Self::Place,
        Self::Fork,
        Self::Checkpoint,
        Self::Disclosure,
        Self::PersonKey,
        Self::Sealed,
        Self::Blob,
        Self::Kept,
    ];

    /// The name on disk. Trap: never changes once a log exists.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Edge => "edge",
            Self::Bundle => "bundle",
            Self::Tile => "tile",
            Self::Leaf => "leaf",
            Self::Place => "place",
            Self::Fork => "fork",
            Self::Checkpoint => "checkpoint",
            Self::Disclosure => "disclosure",
            Self::PersonKey => "person-key",
            Self::Sealed => "sealed-under",
            Self::Blob => "blob",
            Self::Kept => "kept",
        }
    }
}

/// One change of an atomic batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets a value.
    Put(Table, Vec<u8>, Vec<u8>),
    /// Removes a key; an absent one is success.
    Delete(Table, Vec<u8>),
}

/// Keys and values of a scan, in key order.
pub type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// An ordered key-value engine with atomic synced batches.
pub trait Engine: Send + Sync {
    /// One value.
    ///
    /// # Errors
    /// `StoreError::Read`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` rows with `from <= key < to`, in key order.
    ///
    /// # Errors
    /// `StoreError::Read`.
    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Rows, StoreError>;

    /// Makes all changes durable, or returns an error after which the outcome is unknown.
    ///
    /// # Errors
    /// `StoreError::Write` or `StoreError::Injected`.
    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError>;

    /// Rewrites a table so that replaced and deleted values leave the disk.
    ///
    /// # Errors
    /// `StoreError::Write`.
    fn purge(&self, table: Table) -> Result<(), StoreError>;

    /// Removes every row with `from <= key < to`, also from the disk. Not atomic: after an error, or a
    /// crash, it is done again.
    ///
    /// # Errors
    /// `StoreError::Write`.
    fn drop_range(&self, table: Table, from: &[u8], to: &[u8]) -> Result<(), StoreError>;
}

/// An engine that is also held by somebody who takes snapshots of it.
impl<E: Engine> Engine for std::sync::Arc<E> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.as_ref().get(table, key)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Result<Rows, StoreError> {
        self.as_ref().scan(table, from, to, limit)
    }

    fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.as_ref().write(changes)
    }

    fn purge(&self, table: Table) -> Result<(), StoreError> {
        self.as_ref().purge(table)
    }

    fn drop_range(&self, table: Table, from: &[u8], to: &[u8]) -> Result<(), StoreError> {
        self.as_ref().drop_range(table, from, to)
    }
}
