//! Reading the whole log once: hashes, and the ledger.

use crate::publish::{Verified, VerifyError};
use crate::store::{Head, LogStore};
use cairn_event::{Entry, EntryError};
use cairn_identity::{Ledger, Refusal};
use cairn_tlog::{Frontier, Hash, leaf_hash};
use std::collections::BTreeMap;

/// Why the stored log is not a log. All are fatal.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The entries cannot be read back.
    #[error("the stored log cannot be read")]
    Read(#[from] VerifyError),
    /// An entry is not readable by this version although it was admitted.
    #[error("the entry at index {index} cannot be read")]
    Entry {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        source: EntryError,
    },
    /// An entry would not be admitted at its index.
    #[error("the entry at index {index} would not be admitted")]
    Refused {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        source: Box<Refusal>,
    },
    /// The entries hash to another root than the head's.
    #[error("the stored entries hash to `{computed}`, the head has `{root}`")]
    Root {
        /// Recomputed.
        computed: Hash,
        /// Of the head.
        root: Hash,
    },
    /// At a size that was signed or published the entries hash to another root.
    #[error("at size {size} the stored entries hash to `{computed}`, `{root}` was signed")]
    SignedRoot {
        /// The size.
        size: u64,
        /// Recomputed.
        computed: Hash,
        /// Signed.
        root: Hash,
    },
}

/// A log read from end to end.
pub struct Replayed {
    /// The ledger after the last entry.
    pub ledger: Ledger,
    /// The tree recomputed from stored entries.
    pub verified: Verified,
}

/// Whether signatures are verified again: 40 microseconds an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// They were verified at admission, and the signed root covers the bytes.
    Trust,
    /// Verify each again, for a whole check.
    Verify,
}

/// Reads every entry of `head`, and compares the root at each of the `signed` sizes.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(
    store: &dyn LogStore,
    head: &Head,
    origin: &str,
    signed: &BTreeMap<u64, Hash>,
    signatures: Signatures,
) -> Result<Replayed, ReplayError> {
    let mut state = State {
        ledger: Ledger::new(origin),
        frontier: Frontier::new(),
        signed,
        signatures,
        failure: None,
    };
    state.compare();
    crate::publish::for_each_entry(store, 0, head.size(), |index, bytes| {
        state.add(index, bytes)
    })?;
    if let Some(failure) = state.failure {
        return Err(failure);
    }
    let computed = state.frontier.root();
    if computed != head.root {
        return Err(ReplayError::Root {
            computed,
            root: head.root,
        });
    }
    Ok(Replayed {
        ledger: state.ledger,
        verified: Verified::from_frontier(state.frontier),
    })
}

struct State<'a> {
    ledger: Ledger,
    frontier: Frontier,
    signed: &'a BTreeMap<u64, Hash>,
    signatures: Signatures,
    failure: Option<ReplayError>,
}

impl State<'_> {
    fn add(&mut self, index: u64, bytes: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        self.frontier.push(leaf_hash(bytes));
        self.compare();
        let applied = self.apply(index, bytes);
        self.failure = self.failure.take().or(applied.err());
    }

    fn apply(&mut self, index: u64, bytes: &[u8]) -> Result<(), ReplayError> {
        let entry = Entry::parse(bytes).map_err(|source| ReplayError::Entry { index, source })?;
        let refused = |refusal| ReplayError::Refused {
            index,
            source: Box::new(refusal),
        };
        if self.signatures == Signatures::Verify {
            let key = self.ledger.key_for(&entry, &[]).map_err(refused)?;
            entry
                .verify(&key)
                .map_err(|error| refused(Refusal::Entry(error)))?;
        }
        let admission = self.ledger.admit(&entry).map_err(refused)?;
        self.ledger.apply(&entry, admission);
        Ok(())
    }

    fn compare(&mut self) {
        let size = self.frontier.size();
        if let Some(&root) = self.signed.get(&size) {
            let computed = self.frontier.root();
            if computed != root {
                self.failure = Some(ReplayError::SignedRoot {
                    size,
                    computed,
                    root,
                });
            }
        }
    }
}
