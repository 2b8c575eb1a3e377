//! Planning the disclosures of one round, and counting what each person's key still protects.
//!
//! Owns whose key a disclosure is sealed under: the person the entry names, the person or device
//! after the colon of the disclosure's name (`email:p_…`), else the organisation.

use super::seal::{self, SecretKey};
use super::{DisclosureStore, DisclosureStoreError, SealError, raw_digest};
use crate::store::{DisclosureWrite, LogStore, StoreError};
use cairn_event::{Disclosure, Frame};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

/// Subject of disclosures that name nobody.
const ORGANISATION: &str = "organisation";

/// The disclosure writes of one round. While it lives, nothing is erased.
pub struct Plan<'a> {
    of: &'a DisclosureStore,
    _writing: MutexGuard<'a, ()>,
    month: String,
    keys: BTreeMap<String, (SecretKey, u64)>,
    planned: BTreeSet<(u64, [u8; 32])>,
    records: Vec<DisclosureWrite>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(of: &'a DisclosureStore, writing: MutexGuard<'a, ()>, now_ms: u64) -> Self {
        Self {
            of,
            _writing: writing,
            month: month_of(now_ms),
            keys: BTreeMap::new(),
            planned: BTreeSet::new(),
            records: Vec::new(),
        }
    }

    /// Plans the disclosures of a frame whose entry is (or will be) at `index`. Those already
    /// held, and those erased, are passed over.
    ///
    /// # Errors
    /// [`DisclosureStoreError`]; the round fails.
    pub fn add(&mut self, index: u64, frame: &Frame) -> Result<(), DisclosureStoreError> {
        if frame.disclosures().is_empty() {
            return Ok(());
        }
        let known = self.of.store.disclosures(index)?;
        for disclosure in frame.disclosures() {
            let digest = disclosure.digest();
            let Some(raw) = raw_digest(&digest) else {
                return Err(DisclosureStoreError::NotCommitted { index, digest });
            };
            let held = known.iter().any(|(at, _)| *at == raw);
            if held || !self.planned.insert((index, raw)) {
                continue;
            }
            let name = format!("{}/{}", subject(frame, disclosure), self.month);
            let sealed = self.seal(&name, index, &raw, disclosure);
            self.records.push(DisclosureWrite::Record { index, digest: raw, value: sealed? });
        }
        Ok(())
    }

    /// All writes, the keys with their counts included. The plan stays alive until the commit.
    ///
    /// # Errors
    /// `Seal`.
    pub fn writes(&self) -> Result<Vec<DisclosureWrite>, DisclosureStoreError> {
        let mut writes = self.records.clone();
        for (name, (key, live)) in &self.keys {
            let value = seal::seal_key(&self.of.master, name, key, *live)
                .map_err(|source| DisclosureStoreError::Seal { index: 0, source })?;
            writes.push(DisclosureWrite::Key { name: name.clone(), value });
        }
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
        let Some((key, live)) = self.keys.get_mut(name) else {
            return Err(failed(SealError::KeyGone));
        };
        *live += 1;
        seal::seal_record(key, name, index, digest, disclosure.encoded()).map_err(failed)
    }
}

/// Live records to subtract from each key.
#[derive(Default)]
pub(super) struct KeyCounts(BTreeMap<String, u64>);

impl KeyCounts {
    pub(super) fn one_less(&mut self, name: &str) {
        *self.0.entry(name.to_owned()).or_default() += 1;
    }

    /// A smaller count for each key, or its destruction when nothing is left under it.
    pub(super) fn writes(self, store: &dyn LogStore) -> Result<Vec<DisclosureWrite>, StoreError> {
        let mut writes = Vec::new();
        for (name, less) in self.0 {
            let Some(value) = store.disclosure_key(&name)? else { continue };
            let left = seal::live(&value).unwrap_or(0).saturating_sub(less);
            writes.push(match seal::with_live(&value, left).filter(|_| left > 0) {
                Some(value) => DisclosureWrite::Key { name, value },
                None => DisclosureWrite::DropKey { name },
            });
        }
        Ok(writes)
    }
}

fn subject<'a>(frame: &'a Frame, disclosure: &'a Disclosure) -> &'a str {
    let person = frame.entry().payload().context.person.as_deref();
    let named = disclosure.name().split_once(':').map(|(_, subject)| subject);
    person.or(named).unwrap_or(ORGANISATION)
}

/// `YYYY-MM` of a time in UTC.
fn month_of(now_ms: u64) -> String {
    let at = i64::try_from(now_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).strftime("%Y-%m").to_string()
}
