//! How long ago entries were published.
//!
//! Owns reading ages off the kept checkpoints: an entry was published at the latest with the first
//! checkpoint that covers it. Clocks of devices play no part.

use crate::store::{LogStore, StoreError};
use cairn_tlog::TILE_WIDTH;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// Whether every entry before `to` had been published `days` days before `now_ms`.
///
/// # Errors
/// The store's.
pub fn is_older(store: &dyn LogStore, to: u64, days: u64, now_ms: u64) -> Result<bool, StoreError> {
    let Some(size) = store.checkpoint_sizes(to, 1)?.first().copied() else {
        return Ok(false);
    };
    let published = store.checkpoint(size)?;
    Ok(published.is_some_and(|one| {
        let kept_ms = days.saturating_mul(DAY_MS);
        one.time_ms.saturating_add(kept_ms) <= now_ms
    }))
}

/// The largest multiple of 256 before which every entry had been published `days` days before
/// `now_ms`; not below `from`, which is one.
///
/// # Errors
/// The store's.
pub fn boundary(
    store: &dyn LogStore,
    from: u64,
    days: u64,
    now_ms: u64,
) -> Result<u64, StoreError> {
    let width = u64::from(TILE_WIDTH);
    let published = store.published()?.map_or(0, |newest| newest.size);
    // Ages fall with the index, so the last old bundle is found by halving.
    let (mut old, mut young) = (from / width, published / width + 1);
    while young - old > 1 {
        let middle = old + (young - old) / 2;
        if is_older(store, middle.saturating_mul(width), days, now_ms)? {
            old = middle;
        } else {
            young = middle;
        }
    }
    Ok(old.saturating_mul(width))
}
