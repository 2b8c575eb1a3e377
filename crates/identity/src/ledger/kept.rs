//! A ledger that was kept: what of it must be written down, and putting it back.
//!
//! Owns which entries say everything about people, devices, policy and the log's end, so that those parts are read
//! from the log again, and the chains, which hang on every entry and are given back as they were.
//! Whoever keeps a ledger vouches for its chains; nothing here can check them.

use super::Ledger;
use crate::chain::ChainState;
use cairn_event::{Kid, PublicKey, Sha256};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A chain as it is written down. Members are in the order of the JSON. `K` is its key: another form than
/// [`PublicKey`] is for a reader who only passes it on, because checking a key takes longer than all the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptChain<K = PublicKey> {
    /// `seq` of the last entry that the device key signed.
    pub anchored_seq: u64,
    /// The chain.
    pub chain: Kid,
    /// The device.
    pub device: String,
    /// Whether the device key closed the chain.
    pub ended: bool,
    /// Places that gap entries gave up, first and last of each, ascending.
    pub gaps: Vec<(u64, u64)>,
    /// The certified chain key.
    pub key: K,
    /// Leaf hash of the last entry.
    pub last: Sha256,
    /// Whether this is the newest chain of its device.
    pub latest: bool,
    /// Next `seq`.
    pub next_seq: u64,
}

impl<K> KeptChain<K> {
    /// The same chain with its key in another form.
    pub fn with_key<L>(self, key: L) -> KeptChain<L> {
        KeptChain {
            anchored_seq: self.anchored_seq,
            chain: self.chain,
            device: self.device,
            ended: self.ended,
            gaps: self.gaps,
            key,
            last: self.last,
            latest: self.latest,
            next_seq: self.next_seq,
        }
    }
}

impl KeptChain {
    /// Whether it can be what a ledger with the roster of `ledger` kept: one certified key, a known device,
    /// places in order. Whether the log says so is not known by this.
    pub fn is_coherent(&self, ledger: &Ledger) -> bool {
        let Some(last) = self.next_seq.checked_sub(1) else {
            return false;
        };
        let in_order = |(from, to): &(u64, u64)| from <= to && *to < last;
        let apart = self.gaps.is_sorted_by(|left, right| left.1 < right.0);
        *self.key.kid_ref() == self.chain
            && self.anchored_seq <= last
            && self.gaps.iter().all(in_order)
            && apart
            && ledger.roster.devices.contains_key(&self.device)
            && ledger.chains.held(&self.chain).is_none()
            && !(self.latest && ledger.latest_chain.contains_key(&self.device))
    }
}

impl Ledger {
    /// Indices of the entries that made authority, roster and policies, agreed to prunings, and closed the
    /// log, ascending.
    ///
    /// Admitting these alone, each at its index, gives the same authority, roster, policies, prunings and
    /// end.
    pub fn administrative_entries(&self) -> Vec<u64> {
        let genesis = self.authority.is_some().then_some(0);
        let policies = self.policies.iter().map(|head| head.index);
        let roster = self.roster.indices.iter().copied();
        let mut indices: Vec<u64> = genesis.into_iter().chain(roster).collect();
        let prunes = self.prunes.iter().map(|(index, _)| *index);
        indices.extend(policies.chain(prunes).chain(self.closed));
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// Whether the entry at this index is one of [`Ledger::administrative_entries`].
    pub fn is_administrative(&self, index: u64) -> bool {
        let genesis = index == 0 && self.authority.is_some();
        let policies = &self.policies;
        genesis
            || self.closed == Some(index)
            || self.roster.indices.binary_search(&index).is_ok()
            || policies
                .binary_search_by_key(&index, |head| head.index)
                .is_ok()
            || self
                .prunes
                .binary_search_by_key(&index, |(at, _)| *at)
                .is_ok()
    }

    /// Every chain in memory as it is to be written down, ascending.
    pub fn kept_chains(&self) -> impl Iterator<Item = KeptChain> {
        let held = self.chains.iter();
        held.map(|(chain, state)| self.kept(chain, state))
    }

    pub(super) fn kept(&self, chain: &Kid, state: &ChainState) -> KeptChain {
        KeptChain {
            anchored_seq: state.anchored_seq,
            chain: chain.clone(),
            device: state.device.clone(),
            ended: state.ended,
            gaps: state.gaps.to_vec(),
            key: state.key.clone(),
            last: state.last,
            latest: self.is_latest(&state.device, chain),
            next_seq: state.next_seq,
        }
    }

    /// Whether a chain is the newest of its device, also where it was let go.
    pub fn is_latest(&self, device: &str, chain: &Kid) -> bool {
        self.latest_chain.get(device) == Some(chain)
    }

    /// Counts entries up to `index` whose effect is known from elsewhere: chained ones are put back
    /// with [`Ledger::put_back`].
    ///
    /// Trap: unlike [`Ledger::pass_over`] this claims that nothing is missing.
    pub fn count_to(&mut self, index: u64) {
        self.size = self.size.max(index);
    }

    /// Puts a chain back as it was at the size counted to.
    pub fn put_back(&mut self, kept: KeptChain) {
        if kept.latest {
            self.latest_chain
                .insert(kept.device.clone(), kept.chain.clone());
        }
        self.hold(kept);
    }

    /// Takes a chain into memory; which is the newest of its device is known or said elsewhere.
    pub(super) fn hold(&mut self, kept: KeptChain) {
        let state = ChainState {
            device: kept.device,
            key: kept.key,
            next_seq: kept.next_seq,
            last: kept.last,
            anchored_seq: kept.anchored_seq,
            ended: kept.ended,
            gaps: Arc::new(kept.gaps),
        };
        self.chains.insert(kept.chain, state, self.size);
    }
}
