//! The disclosure store: confidential parts of entries, sealed, and destroyed on order.
//!
//! Owns the three states and erasure. Each disclosure is sealed under the key of one person and one
//! month (of arrival); that key is sealed under the master key. Erasing destroys the ciphertext and
//! the key; what else lay under it is sealed anew (`rekey`). What was erased is remembered by digest,
//! so the same frame submitted again does not bring it back. Does not own the cipher (`seal`) nor the
//! erasure entry, which the service writes before it calls [`DisclosureStore::erase`].
//!
//! Trap: a backup of the data folder holds the old ciphertext and the old sealed key until it is
//! rotated out; operators keep `keys/sealing.key` out of backups or rotate them.

mod bulk;
mod forget;
mod plan;
mod rekey;
mod seal;

pub use bulk::EntryDisclosures;
pub use plan::Plan;
pub use seal::SealError;

use crate::store::{DisclosureRecord, DisclosureWrite, LogStore, StoreError};
use cairn_event::encoding::{from_base64url, to_base64url};
use cairn_event::{Entry, EntryError};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// What is held of one disclosure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisclosureState {
    /// Sealed and readable.
    Present,
    /// Not held here. A log takes no new entry without its disclosures, so in a whole store this is
    /// the state of nothing; a reader's copy may lack what was held back from that reader.
    Withheld,
    /// Destroyed on order.
    Erased,
}

/// One digest of an entry and what is held of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldDisclosure {
    /// As in `_sd`: base64url of SHA-256.
    pub digest: String,
    /// What is held.
    pub state: DisclosureState,
    /// The encoded disclosure, where present.
    pub encoded: Option<String>,
}

/// Why disclosures were not read or erased.
#[derive(Debug, thiserror::Error)]
pub enum DisclosureStoreError {
    /// The store's. Fatal when erasing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such entry. Refused.
    #[error("there is no entry at index {index}")]
    NoEntry {
        /// The index asked for.
        index: u64,
    },
    /// The entry cannot be read by this version. Refused.
    #[error("the entry at index {index} cannot be read")]
    Entry {
        /// The index asked for.
        index: u64,
        /// Why.
        #[source]
        source: EntryError,
    },
    /// A digest that the entry does not commit to. Refused.
    #[error("`{digest}` is not a digest of the entry at index {index}")]
    NotCommitted {
        /// The index.
        index: u64,
        /// The digest as given.
        digest: String,
    },
    /// A stored record cannot be opened. Fatal: the master key is another, or the disk decayed.
    #[error("a disclosure of the entry at index {index} cannot be opened")]
    Seal {
        /// The index.
        index: u64,
        /// Why.
        #[source]
        source: SealError,
    },
}

/// Keys of people that were opened during one reading, by name; they leave memory with it.
type OpenKeys = HashMap<String, seal::SecretKey>;

/// The store of one log's disclosures.
pub struct DisclosureStore {
    store: Arc<dyn LogStore>,
    master: Zeroizing<[u8; 32]>,
    /// Serialises planning in a round with erasing, so that counts and keys stay right.
    writing: Mutex<()>,
}

impl DisclosureStore {
    /// Over a log store, with the master key of this server.
    #[must_use]
    pub fn new(store: Arc<dyn LogStore>, master: Zeroizing<[u8; 32]>) -> Self {
        Self {
            store,
            master,
            writing: Mutex::new(()),
        }
    }

    /// Begins planning the disclosures of a round that starts at size `stored`. Hold the plan until
    /// the round is committed.
    pub fn plan(&self, stored: u64, now_ms: u64) -> Plan<'_> {
        Plan::new(self, self.lock(), stored, now_ms)
    }

    /// Every digest of an entry, in the order of `_sd`, with what is held.
    ///
    /// # Errors
    /// [`DisclosureStoreError`].
    pub fn get(&self, index: u64) -> Result<Vec<HeldDisclosure>, DisclosureStoreError> {
        let entry = self.entry(index)?;
        self.steadily(|| {
            let records = self.store.disclosures(index)?;
            self.held(index, &entry, &records, &mut OpenKeys::default())
        })
    }

    /// Every digest of `entry` with what `records` hold of it. Keys already opened are not opened
    /// again: they are the greater part of the work where one person wrote many entries.
    fn held(
        &self,
        index: u64,
        entry: &Entry,
        records: &[DisclosureRecord],
        keys: &mut OpenKeys,
    ) -> Result<Vec<HeldDisclosure>, DisclosureStoreError> {
        let held = entry.payload().sd.iter().map(|digest| {
            let raw = raw_digest(digest);
            let record = records
                .iter()
                .find(|(at, _)| Some(*at) == raw)
                .map(|(_, value)| value);
            let (state, encoded) = match record {
                None => (DisclosureState::Withheld, None),
                Some(value) if seal::is_erased(value) => (DisclosureState::Erased, None),
                Some(value) => {
                    let encoded = self.open(index, &raw.unwrap_or_default(), value, keys)?;
                    (DisclosureState::Present, Some(encoded))
                }
            };
            Ok(HeldDisclosure {
                digest: digest.clone(),
                state,
                encoded,
            })
        });
        held.collect()
    }

    /// Destroys disclosures of an entry: those named, or all when `digests` is empty. Gives the
    /// digests now erased, sorted. Digests already erased, or not held, are erased too: a later
    /// submission will not bring them in. What the same person wrote in the same month is read and
    /// sealed anew meanwhile, and no round is sequenced until that is on disk.
    ///
    /// # Errors
    /// `NoEntry`, `NotCommitted`, `Seal`: nothing changed. `Store`: fatal.
    pub fn erase(
        &self,
        index: u64,
        digests: &[String],
    ) -> Result<Vec<String>, DisclosureStoreError> {
        let _writing = self.lock();
        let wanted = self.committed(index, digests)?;
        let records = self.store.disclosures(index)?;
        let mut writes = Vec::new();
        let (mut gone, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for digest in &wanted {
            let raw = raw_digest(digest).unwrap_or_default();
            let record = records
                .iter()
                .find(|(at, _)| *at == raw)
                .map(|(_, value)| value);
            if record.is_some_and(|value| seal::is_erased(value)) {
                continue;
            }
            keys.extend(record.and_then(|value| seal::key_name(value)));
            gone.insert((index, raw));
            let value = seal::erased();
            writes.push(DisclosureWrite::Record {
                index,
                digest: raw,
                value,
            });
        }
        for name in keys {
            writes.extend(rekey::rekey(self, name, &gone)?);
        }
        if !writes.is_empty() {
            self.store.write_disclosures(&writes)?;
        }
        Ok(wanted)
    }

    /// Reads, and once more where something does not open: an erasure may have sealed it anew between
    /// the reading of the record and of its key.
    fn steadily<T>(
        &self,
        read: impl Fn() -> Result<T, DisclosureStoreError>,
    ) -> Result<T, DisclosureStoreError> {
        match read() {
            Err(DisclosureStoreError::Seal { .. }) => {
                let _writing = self.lock();
                read()
            }
            done => done,
        }
    }

    /// The digests to erase, sorted as in `_sd`, after checking that the entry commits to each.
    ///
    /// # Errors
    /// `NoEntry`, `Entry`, `NotCommitted`.
    pub fn committed(
        &self,
        index: u64,
        digests: &[String],
    ) -> Result<Vec<String>, DisclosureStoreError> {
        let entry = self.entry(index)?;
        let committed = &entry.payload().sd;
        if digests.is_empty() {
            return Ok(committed.clone());
        }
        if let Some(digest) = digests
            .iter()
            .find(|one| committed.binary_search(one).is_err())
        {
            return Err(DisclosureStoreError::NotCommitted {
                index,
                digest: digest.clone(),
            });
        }
        Ok(committed
            .iter()
            .filter(|one| digests.contains(one))
            .cloned()
            .collect())
    }

    fn entry(&self, index: u64) -> Result<Entry, DisclosureStoreError> {
        let bytes = self
            .store
            .entry(index)?
            .ok_or(DisclosureStoreError::NoEntry { index })?;
        Entry::parse(&bytes).map_err(|source| DisclosureStoreError::Entry { index, source })
    }

    fn open(
        &self,
        index: u64,
        digest: &[u8; 32],
        value: &[u8],
        keys: &mut OpenKeys,
    ) -> Result<String, DisclosureStoreError> {
        let failed = |source| DisclosureStoreError::Seal { index, source };
        let name = seal::key_name(value).ok_or_else(|| failed(SealError::Form))?;
        if let Some(key) = keys.get(name) {
            return seal::open_record(key, index, digest, value).map_err(failed);
        }
        let sealed = self
            .store
            .disclosure_key(name)?
            .ok_or_else(|| failed(SealError::KeyGone))?;
        let (key, _) = seal::open_key(&self.master, name, &sealed).map_err(failed)?;
        let opened = seal::open_record(&key, index, digest, value).map_err(failed);
        keys.insert(name.to_owned(), key);
        opened
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn raw_digest(digest: &str) -> Option<[u8; 32]> {
    from_base64url(digest).and_then(|bytes| bytes.try_into().ok())
}

/// The spelling of a raw digest in `_sd`.
#[must_use]
pub fn digest_text(raw: &[u8; 32]) -> String {
    to_base64url(raw)
}
