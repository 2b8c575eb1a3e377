//! What the log keeps, and the one contract every store fulfils.
//!
//! Owns the types of a stored log and the trait [`LogStore`]. Does not own how bytes are laid out
//! (`keyed`), where they lie (`rocks`, `memory`), nor what is staged (`crate::stage`).
//!
//! Every write is one atomic, synced batch. After a write returned an error its outcome is
//! unknown: the store is poisoned, every later write is refused, and the process ends and reloads.
//!
//! Source: the project's ARCHITECTURE.md, "Storage".

mod engine;
mod entries;
mod head_file;
mod kept;
mod keyed;
mod memory;
mod pruned;
mod rocks;

pub use engine::{Change, Engine, Table};
pub(crate) use entries::pruned_bundle;
pub use entries::{Entries, Stored, entries};
pub use head_file::{HeadFile, HeadFileError, SignedHead};
pub use keyed::KeyedStore;
pub use memory::{Fault, Memory, Outcome};
pub use rocks::{Rocks, RocksOpenError};

use cairn_event::Kid;
use cairn_identity::retention::{PrunedRange, Retention};
use cairn_tlog::{Frontier, Hash, TileId};
use std::collections::BTreeMap;
use std::ops::Range;

/// The committed tree: what the next round starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The right edge; it carries the size.
    pub frontier: Frontier,
    /// Tree head of those leaves.
    pub root: Hash,
    /// When the round was committed, milliseconds since 1970, never below the round before.
    pub time_ms: u64,
}

impl Head {
    /// The head of an empty log.
    #[must_use]
    pub fn empty(time_ms: u64) -> Self {
        let frontier = Frontier::new();
        Self {
            root: frontier.root(),
            frontier,
            time_ms,
        }
    }

    /// Leaves covered.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }
}

/// One new leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedEntry {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The exact bytes.
    pub bytes: Vec<u8>,
    /// Its place in a chain; `None` for administrative entries.
    pub place: Option<(Kid, u64)>,
}

/// Everything one round writes, worked out before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Size the round starts from; a store that holds another size refuses.
    pub from: u64,
    /// The head after the round.
    pub head: Head,
    /// The new leaves, in order.
    pub entries: Vec<StagedEntry>,
    /// Bundles that became full: number and bytes.
    pub bundles: Vec<(u64, Vec<u8>)>,
    /// Tiles that grew, each with all its hashes so far; the width says how many.
    pub tiles: Vec<(TileId, Vec<u8>)>,
    /// Sealed disclosures and their keys.
    pub disclosures: Vec<DisclosureWrite>,
    /// Contested places for which a fork entry is among `entries`.
    pub forks: Vec<(Kid, u64)>,
}

/// One change to the disclosure store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisclosureWrite {
    /// A sealed or erased disclosure.
    Record {
        /// Index of the entry that commits to it.
        index: u64,
        /// SHA-256 of the encoded disclosure, as in `_sd`.
        digest: [u8; 32],
        /// Stored form; see `crate::disclosures`.
        value: Vec<u8>,
    },
    /// A disclosure of an entry that was pruned goes with it.
    Drop {
        /// Index of the entry.
        index: u64,
        /// SHA-256 of the encoded disclosure, as in `_sd`.
        digest: [u8; 32],
    },
    /// Which disclosures a round sealed under the key of one person and period.
    Sealed {
        /// `person/period`.
        name: String,
        /// Index of the entry and digest of each, at least one.
        places: Vec<(u64, [u8; 32])>,
    },
    /// The sealed key of one person and period, with the number of live records.
    Key {
        /// `person/period`.
        name: String,
        /// Stored form; see `crate::disclosures`.
        value: Vec<u8>,
    },
    /// The key is destroyed.
    DropKey {
        /// `person/period`.
        name: String,
    },
}

/// One pruning, worked out before anything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruning {
    /// What goes, and the entry that orders it.
    pub range: PrunedRange,
    /// Of each bundle of the range that is not wholly dropped: its number and what stays of it.
    pub kept: Vec<(u64, Vec<u8>)>,
}

/// A disclosure's digest and stored form.
pub type DisclosureRecord = ([u8; 32], Vec<u8>);

/// A published checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedCheckpoint {
    /// Leaves covered.
    pub size: u64,
    /// Tree head.
    pub root: Hash,
    /// The signed note with every cosignature that was gathered.
    pub note: String,
    /// When it was signed, milliseconds since 1970.
    pub time_ms: u64,
    /// Whether it satisfies a trust policy that asks for witnesses.
    pub witnessed: bool,
}

impl PublishedCheckpoint {
    /// Stands for "nothing is published yet": size 0 and no note.
    #[must_use]
    pub fn none() -> Self {
        let (root, note) = (cairn_tlog::EMPTY_ROOT, String::new());
        Self {
            size: 0,
            root,
            note,
            time_ms: 0,
            witnessed: false,
        }
    }
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// RocksDB could not read. Fatal for a round, retry for a reader.
    #[error("reading from table `{table}` failed")]
    Read {
        /// The table.
        table: &'static str,
        /// The cause.
        #[source]
        source: rocksdb::Error,
    },
    /// RocksDB could not write; the outcome is unknown. Fatal.
    #[error("writing a batch failed")]
    Write(#[source] rocksdb::Error),
    /// A test asked for this failure. Fatal, as any write error.
    #[error("injected write failure")]
    Injected,
    /// An earlier write failed. Fatal: end the process and reload.
    #[error("the store is poisoned by an earlier write error")]
    Poisoned,
    /// A stored value has not its form. Fatal: restore or repair.
    #[error("a value in table `{table}` is damaged: {what}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A round was staged on another size than the store holds. Fatal: two writers.
    #[error("the round starts at size {from}, the store holds {size}")]
    NotNext {
        /// Size the round was staged on.
        from: u64,
        /// Size stored.
        size: u64,
    },
    /// A pruning does not begin where the last one ended. Refused.
    #[error("a pruning begins at {from}, the store's minimum index is {minimum}")]
    NotNextPruning {
        /// First index of the pruning.
        from: u64,
        /// Minimum index stored.
        minimum: u64,
    },
    /// A checkpoint would replace another root of the same size, or go back. Fatal.
    #[error("checkpoint of size {size} does not follow the published one of size {published}")]
    CheckpointBack {
        /// Size offered.
        size: u64,
        /// Size published.
        published: u64,
    },
}

/// A whole log in some store. All methods are synchronous; callers on async threads keep to single
/// point reads or move away.
///
/// Readers never see a part of a commit that is not wholly there.
pub trait LogStore: Send + Sync {
    /// The committed head; `None` for a store that never held a log.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn head(&self) -> Result<Option<Head>, StoreError>;

    /// Makes a round durable, all or nothing, before it returns.
    ///
    /// # Errors
    /// All are fatal: the outcome may be unknown.
    fn commit(&self, staged: &Staged) -> Result<(), StoreError>;

    /// The exact bytes of the entry at `index`; `None` past the end, and where it was pruned.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// The first `width` entries of a bundle as tlog-tiles bytes; `None` when it has fewer,
    /// and where it was pruned.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn bundle(&self, index: u64, width: u16) -> Result<Option<Vec<u8>>, StoreError>;

    /// The bytes of a tile, cut to its width; `None` when it has fewer hashes.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn tile(&self, id: TileId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Where these entry bytes are, by leaf hash.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn index_of_leaf(&self, leaf: &Hash) -> Result<Option<u64>, StoreError>;

    /// Which entry has this place in a chain.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn index_of_place(&self, chain: &Kid, seq: u64) -> Result<Option<u64>, StoreError>;

    /// Whether a fork entry about this place is in the log.
    ///
    /// # Errors
    /// `Read`.
    fn fork_recorded(&self, chain: &Kid, seq: u64) -> Result<bool, StoreError>;

    /// Makes a checkpoint durable as the newest. The earliest note of a size is kept for ever, with
    /// the earliest cosignature of each further witness that cosigned this size later.
    ///
    /// # Errors
    /// `CheckpointBack` when it does not follow; every error is fatal.
    fn publish(&self, checkpoint: &PublishedCheckpoint) -> Result<(), StoreError>;

    /// The newest published checkpoint.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn published(&self) -> Result<Option<PublishedCheckpoint>, StoreError>;

    /// The earliest checkpoint published at exactly `size`.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn checkpoint(&self, size: u64) -> Result<Option<PublishedCheckpoint>, StoreError>;

    /// Sizes of published checkpoints from `from` on, ascending, at most `limit`.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn checkpoint_sizes(&self, from: u64, limit: usize) -> Result<Vec<u64>, StoreError>;

    /// All disclosure records of one entry: digest and stored form.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn disclosures(&self, index: u64) -> Result<Vec<DisclosureRecord>, StoreError>;

    /// All disclosure records of the entries in `range`, by index.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn disclosures_of(
        &self,
        range: Range<u64>,
    ) -> Result<BTreeMap<u64, Vec<DisclosureRecord>>, StoreError>;

    /// The stored form of a person's key for a period.
    ///
    /// # Errors
    /// `Read`.
    fn disclosure_key(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Indices of entries whose disclosures were ever sealed under the key of this name, ascending.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn sealed_under(&self, name: &str) -> Result<Vec<u64>, StoreError>;

    /// Makes changes to disclosures durable outside a round and drops what they replaced from disk.
    /// That the dropping is owed is part of the change: after a crash [`LogStore::finish_erasure`]
    /// does it.
    ///
    /// # Errors
    /// All are fatal.
    fn write_disclosures(&self, writes: &[DisclosureWrite]) -> Result<(), StoreError>;

    /// Drops from disk what an earlier change to disclosures replaced, if a crash came between the
    /// two. Called before the log is served.
    ///
    /// # Errors
    /// All are fatal.
    fn finish_erasure(&self) -> Result<(), StoreError>;

    /// What was pruned.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn retention(&self) -> Result<Retention, StoreError>;

    /// Entries below it were pruned, but those that stay.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn minimum_index(&self) -> Result<u64, StoreError>;

    /// What stays of a pruned bundle, as `cairn_identity::retention::thinned` writes it; `None` when
    /// nothing does, or it was not pruned.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn kept(&self, bundle: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Raises the minimum index, all or nothing. From then on the entries are gone for every reader,
    /// and that their bytes are to leave the disk is owed: [`LogStore::finish_pruning`].
    ///
    /// # Errors
    /// `NotNextPruning` changes nothing; the others are fatal.
    fn prune(&self, pruning: &Pruning) -> Result<(), StoreError>;

    /// The range whose bytes are still to leave the disk.
    ///
    /// # Errors
    /// `Read`, `Damaged`.
    fn pruning_owed(&self) -> Result<Option<Range<u64>>, StoreError>;

    /// Makes changes to disclosures durable whose old values need not leave the disk at once; that they
    /// must is owed: [`LogStore::finish_erasure`].
    ///
    /// # Errors
    /// All are fatal.
    fn drop_disclosures(&self, writes: &[DisclosureWrite]) -> Result<(), StoreError>;

    /// Drops the bytes of a pruned range from disk. Called after a pruning, and before the log is
    /// served if a crash came between the two.
    ///
    /// # Errors
    /// All are fatal.
    fn finish_pruning(&self) -> Result<(), StoreError>;

    /// Makes a blob durable under its SHA-256.
    ///
    /// # Errors
    /// All are fatal.
    fn put_blob(&self, digest: &[u8; 32], bytes: &[u8]) -> Result<(), StoreError>;

    /// A blob by its SHA-256.
    ///
    /// # Errors
    /// `Read`.
    fn blob(&self, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether an earlier write failed.
    fn is_poisoned(&self) -> bool;
}
