//! Pruning: the bytes of old entries go, their hashes and what later entries are judged by stay.
//!
//! Owns what can be pruned, what is checked before anything goes, and the order of going, which can be
//! cut off at any point and is then finished by the next start. What must stay is decided by
//! `cairn_identity::retention`, and that anything goes by the administrators, in a `log.prune` entry.
//! Tiles stay, so that every checkpoint, receipt and consistency proof of the log can still be checked.
//!
//! Source: C2SP tlog-tiles, "Pruning"; `docs/formats/administrative.md`, "Pruning a log".

pub mod age;
mod folder;

pub use folder::{FolderError, of_folder, of_running};

use crate::disclosures::{DisclosureStore, DisclosureStoreError};
use crate::recover::{ReplayError, keep};
use crate::store::{LogStore, Pruning, StoreError};
use cairn_event::Sha256;
use cairn_event::administrative::LogPrune;
use cairn_identity::Ledger;
use cairn_identity::retention::{PrunedRange, ThinnedError, digest, thinned};
use cairn_tlog::{TILE_WIDTH, TrustPolicy};
use serde::Serialize;
use std::collections::BTreeMap;

/// What somebody wants to know or have done about the old entries of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// What could be pruned, for the administrators to sign.
    Plan {
        /// Days for which entries are kept; the configured number where absent.
        days: Option<u64>,
        /// The minimum index to be; the largest that the days allow where absent.
        to: Option<u64>,
    },
    /// Prune what the administrators have signed.
    Run,
}

/// What could be pruned. Administrators sign `days`, `from`, `kept` and `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The log's origin.
    pub origin: String,
    /// Days for which entries are kept.
    pub days: u64,
    /// First index: the minimum index as it is.
    pub from: u64,
    /// The minimum index as it would be.
    pub to: u64,
    /// Digest of what stays of the range.
    pub kept: Sha256,
    /// Entries that stay of the range.
    pub kept_entries: u64,
    /// Entries whose bytes go.
    pub pruned_entries: u64,
}

/// What was pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// The log's origin.
    pub origin: String,
    /// Index of the `log.prune` entry.
    pub entry: u64,
    /// The minimum index before.
    pub from: u64,
    /// The minimum index now.
    pub minimum_index: u64,
    /// Entries that stay of the range.
    pub kept_entries: u64,
    /// Entries whose bytes went.
    pub pruned_entries: u64,
}

/// Why nothing was pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// The configuration has no period. Refused.
    #[error("this server has no `retention.days`: nothing is pruned")]
    NoRetention,
    /// A shorter period than the configured one. Refused.
    #[error("entries are kept for {least} days here, not {days}")]
    Days {
        /// Asked for.
        days: u64,
        /// Configured.
        least: u64,
    },
    /// Nothing is old enough, or the index asked for is not. Refused.
    #[error("no whole bundle of 256 entries {} was published {days} days ago or earlier", between(*.from, *.to))]
    TooYoung {
        /// First index.
        from: u64,
        /// First index after the range.
        to: u64,
        /// Days for which entries are kept.
        days: u64,
    },
    /// The index asked for is not the first of a bundle. Refused.
    #[error("{0} is not a multiple of 256")]
    NotWhole(u64),
    /// Administrators have signed nothing that begins at the minimum index. Refused.
    #[error("no published `log.prune` entry begins at the minimum index {0}")]
    NotOrdered(u64),
    /// Nobody has witnessed that it was signed. Retry later.
    #[error("the `log.prune` entry at index {0} is not witnessed yet")]
    NotWitnessed(u64),
    /// By the witnesses' clocks the days had not passed when it was signed, and an auditor would say so for
    /// ever. Refused: sign a new entry.
    #[error(
        "by the witnesses' clocks the `log.prune` entry at index {entry} came before its {days} days had passed"
    )]
    Early {
        /// Index of the entry.
        entry: u64,
        /// Its days.
        days: u64,
    },
    /// The administrators signed another digest than that of what must stay. Refused: sign a new entry.
    #[error("the `log.prune` entry at index {entry} keeps `{signed}`, what must stay is `{found}`")]
    Kept {
        /// Index of the entry.
        entry: u64,
        /// In the entry.
        signed: Sha256,
        /// Of the entries.
        found: Sha256,
    },
    /// The entries cannot be read, or are not those of the tree. Fatal.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The store's. Fatal when writing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What stays has not its form. Fatal.
    #[error(transparent)]
    Thinned(#[from] ThinnedError),
    /// Confidential members could not be dropped. Fatal.
    #[error(transparent)]
    Disclosures(#[from] DisclosureStoreError),
}

/// A range in words; an empty one has only a beginning.
fn between(from: u64, to: u64) -> String {
    if from < to {
        format!("from index {from} to {to}")
    } else {
        format!("from index {from} on")
    }
}

/// A store to be pruned, and by which rules.
pub struct Pruner<'a> {
    /// The store.
    pub store: &'a dyn LogStore,
    /// The confidential members in it.
    pub disclosures: &'a DisclosureStore,
    /// The log's origin.
    pub origin: &'a str,
    /// The least number of days for which entries are kept; `None` when nothing may be pruned.
    pub least_days: Option<u64>,
    /// Who makes a checkpoint believable, where the log has witnesses: they must have seen the order, and
    /// their clocks count.
    pub trust: Option<&'a TrustPolicy>,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

impl Pruner<'_> {
    /// Works out what could be pruned; nothing changes. Reads the log up to the end of the range.
    ///
    /// # Errors
    /// [`PruneError`].
    pub fn plan(&self, days: Option<u64>, to: Option<u64>) -> Result<Plan, PruneError> {
        let least = self.least_days.ok_or(PruneError::NoRetention)?;
        let days = days.unwrap_or(least);
        if days < least {
            return Err(PruneError::Days { days, least });
        }
        let from = self.store.minimum_index()?;
        let to = match to {
            Some(to) => to,
            None => age::boundary(self.store, from, days, self.now_ms, self.trust)?,
        };
        if !to.is_multiple_of(LogPrune::STEP) {
            return Err(PruneError::NotWhole(to));
        }
        if to <= from || !self.is_older(to, days)? {
            return Err(PruneError::TooYoung { from, to, days });
        }
        let kept = self.kept(from, to)?;
        let kept_entries = kept.len() as u64;
        Ok(Plan {
            origin: self.origin.to_owned(),
            days,
            from,
            to,
            kept: digest(&kept),
            kept_entries,
            pruned_entries: (to - from).saturating_sub(kept_entries),
        })
    }

    /// Prunes what the administrators have signed last. `ledger` is that of the sequenced log. A pruning
    /// that was cut off is finished first.
    ///
    /// # Errors
    /// [`PruneError`]; where it is no store's, nothing has changed.
    pub fn run(&self, ledger: &Ledger) -> Result<Pruned, PruneError> {
        finish(self.store, self.disclosures)?;
        let (entry, prune) = self.ordered(ledger)?;
        let kept = self.kept(prune.from, prune.to)?;
        let found = digest(&kept);
        if found != prune.kept {
            let signed = prune.kept;
            return Err(PruneError::Kept {
                entry,
                signed,
                found,
            });
        }
        let (from, to) = (prune.from, prune.to);
        let kept_entries = kept.len() as u64;
        let range = PrunedRange { entry, from, to };
        let kept = self.thin(&kept)?;
        self.store.prune(&Pruning { range, kept })?;
        finish(self.store, self.disclosures)?;
        Ok(Pruned {
            origin: self.origin.to_owned(),
            entry,
            from,
            minimum_index: to,
            kept_entries,
            pruned_entries: (to - from).saturating_sub(kept_entries),
        })
    }

    /// The newest published order that begins at the minimum index, and is still old enough: the
    /// configuration, or the clock, may be another than when it was admitted.
    fn ordered(&self, ledger: &Ledger) -> Result<(u64, LogPrune), PruneError> {
        let least = self.least_days.ok_or(PruneError::NoRetention)?;
        let minimum = self.store.minimum_index()?;
        let published = self.store.published()?;
        let size = published.as_ref().map_or(0, |newest| newest.size);
        let mut newest_first = ledger.prunes().iter().rev();
        let found = newest_first.find(|(at, prune)| *at < size && prune.from == minimum);
        let (entry, prune) = found.cloned().ok_or(PruneError::NotOrdered(minimum))?;
        if self.trust.is_some() && published.is_none_or(|newest| !newest.witnessed) {
            return Err(PruneError::NotWitnessed(entry));
        }
        let LogPrune { days, from, to, .. } = prune;
        if days < least {
            return Err(PruneError::Days { days, least });
        }
        if !self.is_older(to, days)? {
            return Err(PruneError::TooYoung { from, to, days });
        }
        if let Some(trust) = self.trust
            && !age::came_late_enough(self.store, entry, &prune, trust)?
        {
            return Err(PruneError::Early { entry, days });
        }
        Ok((entry, prune))
    }

    fn is_older(&self, to: u64, days: u64) -> Result<bool, StoreError> {
        age::is_older(self.store, to, days, self.now_ms, self.trust)
    }

    /// The entries of a range that must stay, with their leaf hashes.
    fn kept(&self, from: u64, to: u64) -> Result<BTreeMap<u64, Sha256>, PruneError> {
        let head = self.store.head()?;
        let head = head.unwrap_or_else(|| crate::store::Head::empty(0));
        Ok(keep(self.store, &head, self.origin, from..to)?)
    }

    /// What stays, bundle by bundle. Each entry is read again, and is the one that was counted.
    fn thin(&self, kept: &BTreeMap<u64, Sha256>) -> Result<Vec<(u64, Vec<u8>)>, PruneError> {
        let width = u64::from(TILE_WIDTH);
        let kept: Vec<(u64, Sha256)> = kept.iter().map(|(index, leaf)| (*index, *leaf)).collect();
        let bundles = kept.chunk_by(|(left, _), (right, _)| left / width == right / width);
        let mut thin = Vec::new();
        for bundle in bundles {
            let mut entries = Vec::with_capacity(bundle.len());
            for (index, leaf) in bundle {
                let bytes = self.store.entry(*index)?;
                let bytes = bytes.filter(|bytes| Sha256::of_leaf(bytes) == *leaf);
                let bytes = bytes.ok_or(StoreError::Damaged {
                    table: "bundle",
                    what: "an entry that was read is gone, or another one",
                })?;
                let position = u8::try_from(index % width).unwrap_or(u8::MAX);
                entries.push((position, bytes));
            }
            let positions = entries.iter();
            let positions = positions.map(|(position, bytes)| (*position, bytes.as_slice()));
            let number = bundle.first().map_or(0, |(index, _)| index / width);
            thin.push((number, thinned(positions)?));
        }
        Ok(thin)
    }
}

/// Lets what a pruning owes leave the disk: confidential members first, then the entries. Nothing is owed
/// after a pruning that ended; a start calls this after one that did not.
///
/// # Errors
/// `Store`, `Disclosures`: fatal; the next start tries again.
pub fn finish(store: &dyn LogStore, disclosures: &DisclosureStore) -> Result<(), PruneError> {
    let Some(range) = store.pruning_owed()? else {
        return Ok(());
    };
    disclosures.forget(range)?;
    store.finish_erasure()?;
    store.finish_pruning()?;
    Ok(())
}
