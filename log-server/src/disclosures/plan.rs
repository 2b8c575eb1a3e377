//! Planning the disclosures of one round, and noting what each person's key protects.
//!
//! Owns whose key a disclosure is sealed under: in a chained entry the person whose device wrote it
//! by the roster, in a roster entry the person or device that the disclosure's name is about
//! (`email:p_…`), else the organisation. What an entry claims about itself decides nothing.

use super::seal::{self, SecretKey};
use super::{DisclosureStore, DisclosureStoreError, SealError};
use crate::store::DisclosureWrite;
use cairn_event::disclosure::names;
use cairn_event::{Disclosure, Frame};
use cairn_identity::Roster;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

/// Subject of disclosures that name nobody.
const ORGANISATION: &str = "organisation";

/// The disclosure writes of one round. While it lives, nothing is erased.
pub struct Plan<'a> {
    of: &'a DisclosureStore,
    _writing: MutexGuard<'a, ()>,
    stored: u64,
    month: String,
    keys: BTreeMap<String, (SecretKey, u64)>,
    under: BTreeMap<String, Vec<(u64, [u8; 32])>>,
    planned: BTreeSet<(u64, [u8; 32])>,
    records: Vec<DisclosureWrite>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        of: &'a DisclosureStore,
        writing: MutexGuard<'a, ()>,
        stored: u64,
        now_ms: u64,
    ) -> Self {
        Self {
            of,
            _writing: writing,
            stored,
            month: month_of(now_ms),
            keys: BTreeMap::new(),
            under: BTreeMap::new(),
            planned: BTreeSet::new(),
            records: Vec::new(),
        }
    }

    /// Plans the disclosures of a frame whose entry is (or will be) at `index`, all or none. Those
    /// already held, and those erased, are passed over.
    ///
    /// # Errors
    /// [`DisclosureStoreError`]; nothing is planned. The round fails with `Store` only: what cannot
    /// be sealed refuses its frame and must not stop the log.
    pub fn add(
        &mut self,
        index: u64,
        frame: &Frame,
        roster: &Roster,
    ) -> Result<(), DisclosureStoreError> {
        if frame.disclosures().is_empty() {
            return Ok(());
        }
        // At an index that no entry has yet, nothing is held.
        let known = if index < self.stored {
            self.of.store.disclosures(index)?
        } else {
            Vec::new()
        };
        let mut sealed = Vec::with_capacity(frame.disclosures().len());
        for disclosure in frame.disclosures() {
            let raw = *disclosure.raw_digest();
            let held = known.iter().any(|(at, _)| *at == raw);
            if held || self.planned.contains(&(index, raw)) {
                continue;
            }
            let name = format!("{}/{}", subject(frame, disclosure, roster), self.month);
            let value = self.seal(&name, index, &raw, disclosure)?;
            sealed.push((name, raw, value));
        }
        for (name, digest, value) in sealed {
            if let Some((_, live)) = self.keys.get_mut(&name) {
                *live += 1;
            }
            self.under.entry(name).or_default().push((index, digest));
            self.planned.insert((index, digest));
            self.records.push(DisclosureWrite::Record {
                index,
                digest,
                value,
            });
        }
        Ok(())
    }

    /// All writes, the keys with their counts included. The plan stays alive until the commit.
    ///
    /// # Errors
    /// `Seal`.
    pub fn writes(&mut self) -> Result<Vec<DisclosureWrite>, DisclosureStoreError> {
        let mut writes = std::mem::take(&mut self.records);
        // A key without records was opened for a frame that was refused.
        for (name, (key, live)) in self.keys.iter().filter(|(_, (_, live))| *live > 0) {
            let value = seal::seal_key(&self.of.master, name, key, *live)
                .map_err(|source| DisclosureStoreError::Seal { index: 0, source })?;
            writes.push(DisclosureWrite::Key {
                name: name.clone(),
                value,
            });
        }
        let under = std::mem::take(&mut self.under).into_iter();
        writes.extend(under.map(|(name, places)| DisclosureWrite::Sealed { name, places }));
        Ok(writes)
    }

    fn seal(
        &mut self,
        name: &str,
        index: u64,
        digest: &[u8; 32],
        disclosure: &Disclosure,
    ) -> Result<Vec<u8>, DisclosureStoreError> {
        let failed = |source: SealError| DisclosureStoreError::Seal { index, source };
        if !self.keys.contains_key(name) {
            let opened = match self.of.store.disclosure_key(name)? {
                Some(value) => seal::open_key(&self.of.master, name, &value).map_err(failed)?,
                None => (seal::fresh_key().map_err(failed)?, 0),
            };
            self.keys.insert(name.to_owned(), opened);
        }
        let Some((key, _)) = self.keys.get(name) else {
            return Err(failed(SealError::KeyGone));
        };
        seal::seal_record(key, name, index, digest, disclosure.encoded()).map_err(failed)
    }
}

fn subject<'a>(frame: &Frame, disclosure: &'a Disclosure, roster: &'a Roster) -> &'a str {
    let owner = match &frame.entry().payload().link {
        Some(link) => roster
            .devices
            .get(&link.device)
            .map(|device| device.person.as_str()),
        None => names::subject(disclosure.name()),
    };
    owner.unwrap_or(ORGANISATION)
}

/// Days in 400 Gregorian years, after which the calendar repeats.
const DAYS_PER_ERA: u64 = 146_097;

/// `YYYY-MM` of a time in UTC, by the proleptic Gregorian calendar.
///
/// Years are counted from 1 March, so that the leap day is the last of its year (Hinnant,
/// "chrono-compatible low-level date algorithms", `civil_from_days`).
fn month_of(now_ms: u64) -> String {
    let days = now_ms / 86_400_000 + 719_468;
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let (month, carry) = if march_month < 10 {
        (march_month + 3, 0)
    } else {
        (march_month - 9, 1)
    };
    format!("{:04}-{month:02}", era * 400 + year_of_era + carry)
}

#[cfg(test)]
mod tests {
    use super::month_of;

    #[test]
    fn months_are_those_of_the_calendar() {
        assert_eq!(month_of(0), "1970-01");
        assert_eq!(
            month_of(951_782_399_000),
            "2000-02",
            "28 February 2000, 23:59:59"
        );
        assert_eq!(month_of(951_868_800_000), "2000-03", "1 March 2000");
        assert_eq!(month_of(1_795_392_000_000), "2026-11");
        assert_eq!(
            month_of(1_798_761_599_000),
            "2026-12",
            "31 December 2026, 23:59:59"
        );
    }
}
