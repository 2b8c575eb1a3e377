//! What a row needs besides its entry: policies by index, checkpoint times and erasures.
//!
//! Owns those three lookups. Everything in them comes from entries and checkpoints that the caller
//! has verified. Source: `docs/formats/pack.md`, "derivation".

use cairn_event::Sha256;
use cairn_event::administrative::{Erasure, PolicyStatement};
use cairn_tlog::Hash;
use std::collections::{BTreeMap, BTreeSet};

/// A published checkpoint that was verified against a trust policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRecord {
    /// Tree size.
    pub size: u64,
    /// Tree head.
    pub root: Hash,
    /// The whole signed note.
    pub note: String,
    /// When each witness of the trust policy that cosigned did so, Unix seconds.
    pub cosigned: Vec<u64>,
}

impl CheckpointRecord {
    /// Unix microseconds by which every cosigner had seen the tree; `None` without cosigners.
    ///
    /// Why the latest: each cosignature alone bounds the time from above, and the latest of them is
    /// the bound that does not depend on believing one particular witness.
    pub fn time_us(&self) -> Option<i64> {
        let seconds = self.cosigned.iter().max()?;
        i64::try_from(*seconds).ok()?.checked_mul(1_000_000)
    }
}

/// Lookups for the derivation of rows.
#[derive(Clone, Debug, Default)]
pub struct Context {
    policies: BTreeMap<u64, (u64, Sha256)>,
    erased: BTreeMap<u64, BTreeSet<String>>,
    checkpoints: Vec<CheckpointRecord>,
}

impl Context {
    /// A context with these checkpoints, in any order.
    pub fn new(mut checkpoints: Vec<CheckpointRecord>) -> Self {
        checkpoints.sort_by_key(|checkpoint| checkpoint.size);
        Self {
            checkpoints,
            ..Self::default()
        }
    }

    /// Remembers a policy entry.
    pub fn add_policy(&mut self, index: u64, statement: &PolicyStatement) {
        self.policies
            .insert(index, (statement.version, statement.bundle));
    }

    /// Remembers an erasure entry.
    pub fn add_erasure(&mut self, erasure: &Erasure) {
        let digests = self.erased.entry(erasure.index).or_default();
        digests.extend(erasure.digests.iter().cloned());
    }

    /// Version and bundle of the policy entry at `index`.
    pub fn policy(&self, index: u64) -> Option<(u64, Sha256)> {
        self.policies.get(&index).copied()
    }

    /// Every policy entry: index, version and bundle.
    pub fn policies(&self) -> impl Iterator<Item = (u64, u64, Sha256)> {
        self.policies
            .iter()
            .map(|(index, (version, bundle))| (*index, *version, *bundle))
    }

    /// Whether an erasure entry names this digest of the entry at `index`.
    pub fn is_erased(&self, index: u64, digest: &str) -> bool {
        self.erased
            .get(&index)
            .is_some_and(|digests| digests.contains(digest))
    }

    /// Whether an erasure entry names anything of the entry at `index`.
    pub fn names_erased(&self, index: u64) -> bool {
        self.erased.contains_key(&index)
    }

    /// Every digest that erasure entries name, by the index of the entry it was in.
    pub fn erased(&self) -> &BTreeMap<u64, BTreeSet<String>> {
        &self.erased
    }

    /// Puts back what [`Context::erased`] gave.
    pub fn put_back_erased(&mut self, erased: BTreeMap<u64, BTreeSet<String>>) {
        self.erased = erased;
    }

    /// The checkpoints, by size.
    pub fn checkpoints(&self) -> &[CheckpointRecord] {
        &self.checkpoints
    }

    /// Upper bound of the time at which the entry at `index` was written, Unix microseconds.
    pub fn integrated_us(&self, index: u64) -> Option<i64> {
        let first = self
            .checkpoints
            .partition_point(|checkpoint| checkpoint.size <= index);
        self.checkpoints.get(first)?.time_us()
    }
}
