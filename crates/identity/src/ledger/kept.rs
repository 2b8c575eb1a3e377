//! A ledger that was kept: what of it must be written down, and putting it back.
//!
//! Owns which entries say everything about people, devices, policy and the log's end, so that those parts are read
//! from the log again, and the chains, which hang on every entry and are given back as they were.
//! Whoever keeps a ledger vouches for its chains; nothing here can check them.

use super::Ledger;
use crate::chain::ChainState;
use cairn_event::Kid;

impl Ledger {
    /// Indices of the entries that made authority, roster and policies, and closed the log, ascending.
    ///
    /// Admitting these alone, each at its index, gives the same authority, roster, policies and end.
    pub fn administrative_entries(&self) -> Vec<u64> {
        let genesis = self.authority.is_some().then_some(0);
        let policies = self.policies.iter().map(|head| head.index);
        let roster = self.roster.indices.iter().copied();
        let mut indices: Vec<u64> = genesis.into_iter().chain(roster).collect();
        indices.extend(policies.chain(self.closed));
        indices.sort_unstable();
        indices.dedup();
        indices
    }

    /// Whether this is the newest chain of its device.
    pub fn is_latest(&self, chain: &Kid, state: &ChainState) -> bool {
        self.latest_chain.get(&state.device) == Some(chain)
    }

    /// Counts entries up to `index` whose effect is known from elsewhere: chained ones are put back
    /// with [`Ledger::put_back`].
    ///
    /// Trap: unlike [`Ledger::pass_over`] this claims that nothing is missing.
    pub fn count_to(&mut self, index: u64) {
        self.size = self.size.max(index);
    }

    /// Puts a chain back as it was at the size counted to.
    pub fn put_back(&mut self, chain: Kid, state: ChainState, is_latest: bool) {
        if is_latest {
            self.latest_chain
                .insert(state.device.clone(), chain.clone());
        }
        self.chains.insert(chain, state);
    }
}
