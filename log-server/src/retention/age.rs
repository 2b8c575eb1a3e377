//! How long ago entries were published.
//!
//! Owns reading ages off the kept checkpoints: an entry was published at the latest with the first
//! checkpoint that covers it, and when a quorum of witnesses had seen that. Clocks of devices play no part.
//! An auditor has the witnesses' clocks only; what passes here passes there.

use crate::store::{LogStore, StoreError};
use cairn_event::administrative::LogPrune;
use cairn_tlog::{TILE_WIDTH, TrustPolicy};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// The first published tree of some size, as the log and its witnesses saw it.
struct Seen {
    /// When the log signed it, milliseconds since 1970.
    signed_ms: u64,
    /// Unix seconds by which the quorum had cosigned it, and from which on it still did.
    quorum_s: Option<(u64, u64)>,
}

fn seen(
    store: &dyn LogStore,
    size: u64,
    trust: Option<&TrustPolicy>,
) -> Result<Option<Seen>, StoreError> {
    let Some(size) = store.checkpoint_sizes(size, 1)?.first().copied() else {
        return Ok(None);
    };
    let Some(published) = store.checkpoint(size)? else {
        return Ok(None);
    };
    // Under another policy than that of its time a checkpoint may have no quorum, and then no such time.
    let verified =
        trust.and_then(|trust| Some((trust, trust.verify_checkpoint(&published.note).ok()?)));
    let quorum_s = verified.and_then(|(trust, seen)| {
        Some((trust.first_quorum_time(&seen)?, trust.quorum_time(&seen)?))
    });
    Ok(Some(Seen {
        signed_ms: published.time_ms,
        quorum_s,
    }))
}

/// Whether every entry before `to` had been published `days` days before `now_ms`, also by the clocks of
/// the witnesses that `trust` names.
///
/// # Errors
/// The store's.
pub fn is_older(
    store: &dyn LogStore,
    to: u64,
    days: u64,
    now_ms: u64,
    trust: Option<&TrustPolicy>,
) -> Result<bool, StoreError> {
    Ok(seen(store, to, trust)?.is_some_and(|seen| {
        let witnessed_ms = seen
            .quorum_s
            .map_or(0, |(first, _)| first.saturating_mul(1_000));
        let kept_ms = days.saturating_mul(DAY_MS);
        let published_ms = seen.signed_ms.max(witnessed_ms);
        published_ms.saturating_add(kept_ms) <= now_ms
    }))
}

/// Whether the order at index `entry` came as late as it says by the clocks of the witnesses; true where
/// they say nothing.
///
/// # Errors
/// The store's.
pub fn came_late_enough(
    store: &dyn LogStore,
    entry: u64,
    order: &LogPrune,
    trust: &TrustPolicy,
) -> Result<bool, StoreError> {
    let published = seen(store, order.to, Some(trust))?.and_then(|seen| seen.quorum_s);
    let made = seen(store, entry.saturating_add(1), Some(trust))?.and_then(|seen| seen.quorum_s);
    Ok(match (published, made) {
        (Some((published_s, _)), Some((_, made_s))) => order.came_late_enough(published_s, made_s),
        _ => true,
    })
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
    trust: Option<&TrustPolicy>,
) -> Result<u64, StoreError> {
    let width = u64::from(TILE_WIDTH);
    let published = store.published()?.map_or(0, |newest| newest.size);
    // Ages fall with the index, so the last old bundle is found by halving.
    let (mut old, mut young) = (from / width, published / width + 1);
    while young - old > 1 {
        let middle = old + (young - old) / 2;
        if is_older(store, middle.saturating_mul(width), days, now_ms, trust)? {
            old = middle;
        } else {
            young = middle;
        }
    }
    Ok(old.saturating_mul(width))
}
