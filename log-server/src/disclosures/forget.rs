//! Forgetting what was confidential in pruned entries.
//!
//! Owns which records go. Their keys go with them, as in an erasure: what else lies under such a key is
//! sealed anew, so that an old copy of what went opens with nothing in this folder.

use super::rekey::{Place, rekey};
use super::{DisclosureStore, DisclosureStoreError, seal};
use crate::store::DisclosureWrite;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Entries looked at in one step.
const STEP: u64 = 4_096;

impl DisclosureStore {
    /// Drops every disclosure of the entries of `range` that are gone. May be repeated. That the old
    /// values are to leave the disk is owed afterwards.
    ///
    /// # Errors
    /// `Seal`: nothing more was dropped. `Store`: fatal.
    pub fn forget(&self, range: Range<u64>) -> Result<(), DisclosureStoreError> {
        let mut under: BTreeMap<String, BTreeSet<Place>> = BTreeMap::new();
        let mut from = range.start;
        while from < range.end {
            let to = from.saturating_add(STEP).min(range.end);
            let mut keyless = Vec::new();
            for (index, records) in self.store.disclosures_of(from..to)? {
                if self.store.entry(index)?.is_some() {
                    continue;
                }
                for (digest, value) in records {
                    match seal::key_name(&value) {
                        Some(name) => {
                            let places = under.entry(name.to_owned()).or_default();
                            places.insert((index, digest));
                        }
                        None => keyless.push(DisclosureWrite::Drop { index, digest }),
                    }
                }
            }
            if !keyless.is_empty() {
                self.store.drop_disclosures(&keyless)?;
            }
            from = to;
        }
        for (name, gone) in under {
            let _writing = self.lock();
            let drops = gone
                .iter()
                .map(|&(index, digest)| DisclosureWrite::Drop { index, digest });
            let mut writes: Vec<_> = drops.collect();
            writes.extend(rekey(self, &name, &gone)?);
            self.store.drop_disclosures(&writes)?;
        }
        Ok(())
    }
}
