//! Many entries at once: their disclosures, and how many there are.
//!
//! Owns reading whole bundles and opening each person's key once for all of them. One call reads at
//! most one bundle, so that its memory is bounded and no key stays open for long.

use super::{DisclosureStore, DisclosureStoreError, HeldDisclosure, OpenKeys, seal};
use crate::store::{StoreError, Stored, entries};
use cairn_event::Entry;
use cairn_tlog::TILE_WIDTH;
use std::ops::Range;

/// Records looked at in one step of a count: a few megabytes of sealed text.
const COUNT_STEP: u64 = 4_096;

/// An entry and every digest it commits to.
#[derive(Debug, Clone)]
pub struct EntryDisclosures {
    /// Its index.
    pub index: u64,
    /// In the order of `_sd`.
    pub held: Vec<HeldDisclosure>,
}

impl DisclosureStore {
    /// The entries of `range` that commit to disclosures and that `wanted` lets through, from the
    /// bundle in which the range begins, and the index after the last one looked at. Entries that this
    /// version cannot read are passed over.
    ///
    /// # Errors
    /// [`DisclosureStoreError`]; `NoEntry` where the range goes past the end of the log.
    pub fn read_bundle(
        &self,
        range: Range<u64>,
        wanted: impl Fn(u64, &Entry) -> bool,
    ) -> Result<(Vec<EntryDisclosures>, u64), DisclosureStoreError> {
        let width = u64::from(TILE_WIDTH);
        let end = (range.start - range.start % width).saturating_add(width);
        let end = range.end.min(end);
        let stored: Result<Vec<_>, StoreError> =
            entries(self.store.as_ref(), range.start..end).collect();
        let stored = stored?;
        if stored.last().is_none_or(|(index, _)| index + 1 < end) {
            return Err(DisclosureStoreError::NoEntry { index: end });
        }
        let read = self.steadily(|| {
            let records = self.store.disclosures_of(range.start..end)?;
            let mut keys = OpenKeys::default();
            let mut read = Vec::new();
            for (index, stored) in &stored {
                let index = *index;
                // Nothing is left of what was confidential in a pruned entry.
                let Stored::Entry(bytes) = stored else {
                    continue;
                };
                let Ok(entry) = Entry::parse(bytes) else {
                    continue;
                };
                if entry.payload().sd.is_empty() || !wanted(index, &entry) {
                    continue;
                }
                let known = records.get(&index).map(Vec::as_slice).unwrap_or_default();
                let held = self.held(index, &entry, known, &mut keys)?;
                read.push(EntryDisclosures { index, held });
            }
            Ok(read)
        })?;
        Ok((read, end))
    }

    /// How many disclosures of the entries in `range` are held and not erased.
    ///
    /// # Errors
    /// `Store`.
    pub fn count_present(&self, range: Range<u64>) -> Result<u64, DisclosureStoreError> {
        let mut present = 0_u64;
        let mut from = range.start;
        while from < range.end {
            let to = range.end.min(from.saturating_add(COUNT_STEP));
            let records = self.store.disclosures_of(from..to)?;
            let sealed = records.values().flatten();
            let sealed = sealed.filter(|(_, value)| !seal::is_erased(value));
            present = present.saturating_add(sealed.count() as u64);
            from = to;
        }
        Ok(present)
    }
}
