//! The oracle of every campaign: the auditor over the whole log, and every acknowledgement kept.
//!
//! Owns reading a stored log as an auditor's source. The verdict is `cairn-audit`'s, which shares no
//! code with the server above hashes and entries.

use crate::world::entry_of;
use cairn_audit::log::cold::Room;
use cairn_audit::log::{Options, audit};
use cairn_audit::source::reading::{Leave, Part};
use cairn_audit::source::{LogSource, SourceError};
use cairn_event::Sha256;
use cairn_identity::retention::Retention;
use cairn_server::store::{LogStore, StoreError, Stored as Held, entries};
use cairn_tlog::{BundleId, Hash, TileId, TrustPolicy, leaf_hash};
use std::collections::BTreeMap;
use std::ops::Range;

/// A store seen as an auditor sees a server.
pub struct Stored<'a>(pub &'a dyn LogStore);

impl LogSource for Stored<'_> {
    fn checkpoint(&self) -> Result<String, SourceError> {
        let newest = there("checkpoint", self.0.published())?;
        Ok(newest.note)
    }

    fn checkpoint_sizes(&self, after: u64) -> Result<Vec<u64>, SourceError> {
        let sizes = self.0.checkpoint_sizes(after.saturating_add(1), 1_000);
        there("checkpoints", sizes.map(Some))
    }

    fn checkpoint_at(&self, size: u64) -> Result<String, SourceError> {
        let kept = there(&format!("checkpoints/{size}"), self.0.checkpoint(size))?;
        Ok(kept.note)
    }

    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        there(&id.to_string(), self.0.tile(id))
    }

    fn bundle(&self, id: BundleId) -> Result<Vec<u8>, SourceError> {
        there(&id.to_string(), self.0.bundle(id.index, id.width))
    }

    fn retention(&self) -> Result<Retention, SourceError> {
        there("retention", self.0.retention().map(Some))
    }

    fn kept(&self, bundle: u64) -> Result<Vec<u8>, SourceError> {
        let kept = self
            .0
            .kept(bundle)
            .map(|kept| Some(kept.unwrap_or_default()));
        there(&format!("kept/{bundle}"), kept)
    }

    fn blob(&self, digest: &Sha256) -> Result<Vec<u8>, SourceError> {
        there(&format!("blobs/{digest}"), self.0.blob(&digest.0))
    }

    fn announce(&self, _range: &Range<u64>, _purpose: &str) -> Result<Option<Leave>, SourceError> {
        Ok(None)
    }

    fn disclosures_of(&self, _leave: &Leave, part: Range<u64>) -> Result<Part, SourceError> {
        Ok(Part {
            next: part.end,
            ..Part::default()
        })
    }
}

fn there<T>(path: &str, found: Result<Option<T>, StoreError>) -> Result<T, SourceError> {
    match found {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(SourceError::Missing(path.to_owned())),
        Err(error) => Err(SourceError::Shape {
            path: path.to_owned(),
            detail: error.to_string(),
        }),
    }
}

/// What submitters were told: frame to index.
#[derive(Debug, Clone, Default)]
pub struct Acknowledged(BTreeMap<String, u64>);

impl Acknowledged {
    /// Notes an answer. A second answer with another index is the failure.
    pub fn note(&mut self, frame: &str, index: u64) {
        let before = self.0.insert(frame.to_owned(), index);
        assert!(
            before.is_none_or(|before| before == index),
            "an acknowledged entry moved from {before:?} to {index}"
        );
    }

    /// Every frame and its index.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(frame, index)| (frame.as_str(), *index))
    }
}

/// Audits a whole store and looks every acknowledged entry up; of a pruned one its hash is there.
///
/// # Errors
/// What is wrong, in words.
pub fn judge(
    store: &dyn LogStore,
    trust: &TrustPolicy,
    genesis: &str,
    acknowledged: &Acknowledged,
) -> Result<(), String> {
    judge_source(&Stored(store), trust, genesis)?;
    for (frame, index) in acknowledged.iter() {
        let bytes = entry_of(frame).as_bytes();
        let found = entries(store, index..index.saturating_add(1)).next();
        let found = found.transpose().map_err(|error| error.to_string())?;
        let minimum = store.minimum_index().map_err(|error| error.to_string())?;
        let there = match found {
            Some((_, Held::Entry(found))) => *found == *bytes,
            Some((_, Held::Pruned(leaf))) => index < minimum && leaf == leaf_hash(bytes),
            None => false,
        };
        if !there {
            return Err(format!("the acknowledged entry {index} is not there"));
        }
    }
    Ok(())
}

/// Audits a whole log, wherever it is read from. `genesis` is the frame of entry 0.
///
/// # Errors
/// The auditor's report.
pub fn judge_source(
    source: &dyn LogSource,
    policy: &TrustPolicy,
    genesis: &str,
) -> Result<(), String> {
    let genesis: Hash = leaf_hash(entry_of(genesis).as_bytes());
    let options = Options {
        policy,
        genesis,
        disclosures: false,
        max_age: None,
        since: None,
        chains: Room::default(),
        progress: &|_, _| {},
    };
    let report = audit(source, &options);
    if report.is_good() {
        Ok(())
    } else {
        Err(report.to_string())
    }
}
