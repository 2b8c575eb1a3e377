//! Destroying a key for the sake of what was sealed under it, and keeping the rest.
//!
//! Owns what an erasure writes. Whoever holds an old copy of the ciphertext (a backup, a disk block
//! that was not overwritten) must not be able to open it with a key that this store still has. So the
//! key of every erased disclosure goes with it: what else lies under that key, the same person's
//! disclosures of the same month, is sealed again under a fresh one, all in one batch.

use super::seal::{self, SecretKey};
use super::{DisclosureStore, DisclosureStoreError, SealError};
use crate::store::{DisclosureWrite, StoreError};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// One disclosure: index of its entry, and digest.
pub(super) type Place = (u64, [u8; 32]);

/// Entries looked at in one step when the list of what a key seals does not agree with its count.
const SEARCH_STEP: u64 = 4_096;

/// Writes that destroy the key `name`: everything under it but `gone` comes under a fresh key of the
/// same name, or the name goes when nothing is left.
///
/// # Errors
/// `Seal` when the key or a survivor does not open: nothing may be destroyed that cannot be kept.
pub(super) fn rekey(
    of: &DisclosureStore,
    name: &str,
    gone: &BTreeSet<Place>,
) -> Result<Vec<DisclosureWrite>, DisclosureStoreError> {
    let Some(value) = of.store.disclosure_key(name)? else {
        return Ok(Vec::new());
    };
    let failed = |index| move |source| DisclosureStoreError::Seal { index, source };
    let (old, live) = seal::open_key(&of.master, name, &value).map_err(failed(0))?;
    let sealed = under(of, name, live)?;
    let survivors: Vec<_> = sealed
        .into_iter()
        .filter(|(place, _)| !gone.contains(place))
        .collect();
    if survivors.is_empty() {
        let name = name.to_owned();
        return Ok(vec![DisclosureWrite::DropKey { name }]);
    }
    let fresh = seal::fresh_key().map_err(failed(0))?;
    let mut writes = Vec::with_capacity(survivors.len() + 1);
    let live = u64::try_from(survivors.len()).unwrap_or(u64::MAX);
    for ((index, digest), value) in survivors {
        let value = again(&old, &fresh, name, (index, digest), &value).map_err(failed(index))?;
        writes.push(DisclosureWrite::Record {
            index,
            digest,
            value,
        });
    }
    let value = seal::seal_key(&of.master, name, &fresh, live).map_err(failed(0))?;
    let name = name.to_owned();
    writes.push(DisclosureWrite::Key { name, value });
    Ok(writes)
}

fn again(
    old: &SecretKey,
    fresh: &SecretKey,
    name: &str,
    (index, digest): Place,
    value: &[u8],
) -> Result<Vec<u8>, SealError> {
    let plain = Zeroizing::new(seal::open_record(old, index, &digest, value)?);
    seal::seal_record(fresh, name, index, &digest, &plain)
}

/// Everything sealed under a key. Where the list and the key's count disagree, the whole store is
/// searched: a survivor that is overlooked would be lost with its key.
fn under(of: &DisclosureStore, name: &str, live: u64) -> Result<Vec<(Place, Vec<u8>)>, StoreError> {
    let mut sealed = Vec::new();
    for index in of.store.sealed_under(name)? {
        collect(of, name, index..index.saturating_add(1), &mut sealed)?;
    }
    if u64::try_from(sealed.len()).ok() == Some(live) {
        return Ok(sealed);
    }
    sealed.clear();
    let size = of.store.head()?.map_or(0, |head| head.size());
    let mut from = 0;
    while from < size {
        let to = from.saturating_add(SEARCH_STEP).min(size);
        collect(of, name, from..to, &mut sealed)?;
        from = to;
    }
    Ok(sealed)
}

fn collect(
    of: &DisclosureStore,
    name: &str,
    range: std::ops::Range<u64>,
    sealed: &mut Vec<(Place, Vec<u8>)>,
) -> Result<(), StoreError> {
    for (index, records) in of.store.disclosures_of(range)? {
        let ours = records
            .into_iter()
            .filter(|(_, value)| seal::key_name(value) == Some(name));
        sealed.extend(ours.map(|(digest, value)| ((index, digest), value)));
    }
    Ok(())
}
