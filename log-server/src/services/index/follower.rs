//! The follower: reads each newly published entry once, in order, and tells what changed.
//!
//! It also finishes erasures that a crash cut off between their entry and the destruction. And since it
//! reads every entry after every start, it holds them against the published roots: a start itself
//! believes what its ledger file sums up.

use super::{Index, Standing};
use crate::log::Log;
use crate::metrics::Metrics;
use crate::services::policy::Heads;
use crate::store::Stored;
use cairn_api::distribution::{PolicyNotice, RosterNotice};
use cairn_event::body::Body;
use cairn_event::{Disclosure, Entry, Sha256};
use cairn_tlog::Frontier;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Entries projected before readers get a turn at the lock.
const ENTRIES_PER_TURN: u64 = 256;

/// Pause after a failed read; the log itself stops when its store is broken.
const RETRY: Duration = Duration::from_secs(1);

/// Follows the log until it is gone. The heads change only once the index holds their entries. After a
/// panic in the projection `standing` has failed and the heads are closed.
///
/// Trap: the task holds the log weakly between two rounds, or the log would never be gone.
pub fn follow(
    log: &Log,
    index: Arc<RwLock<Index>>,
    standing: Arc<Standing>,
) -> watch::Receiver<Heads> {
    let (heads, receiver) = watch::channel(Heads::default());
    let weak = Arc::downgrade(&log.0);
    let mut published = log.published();
    tokio::spawn(async move {
        let mut tree = Frontier::new();
        loop {
            let (size, root) = {
                let newest = published.borrow_and_update();
                (newest.size, newest.root)
            };
            let Some(log) = weak.upgrade().map(Log) else {
                return;
            };
            let projected = index.clone();
            let metrics = log.0.metrics.clone();
            let mut followed = std::mem::take(&mut tree);
            let work = tokio::task::spawn_blocking(move || {
                let caught_up = catch_up(&log, &projected, &mut followed, size);
                if caught_up.is_ok() && followed.size() == size && followed.root() != root {
                    log.stop(format!(
                        "the entries in the store are not those of the checkpoint of size {size}"
                    ));
                }
                (followed, caught_up)
            });
            let Some((followed, caught_up)) = ended(work, &index, &standing, &metrics).await else {
                return;
            };
            tree = followed;
            match caught_up {
                Ok(newest) => {
                    heads.send_if_modified(|known| {
                        let changed = *known != newest;
                        *known = newest;
                        changed
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "the index cannot read the log");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            }
            if published.changed().await.is_err() {
                return;
            }
        }
    });
    receiver
}

/// What the work gave; `None` when it will never give anything again. A panic in the projection would
/// repeat, so the index stays where it is, and must not be asked as if it went on.
async fn ended<T>(
    work: JoinHandle<T>,
    index: &RwLock<Index>,
    standing: &Standing,
    metrics: &Metrics,
) -> Option<T> {
    match work.await {
        Ok(given) => Some(given),
        Err(error) => {
            if error.is_panic() {
                let at = index.read().unwrap_or_else(PoisonError::into_inner).size();
                tracing::error!(
                    at,
                    "the index cannot project a published entry: the services refuse until a restart"
                );
                metrics.index_failures.add(1);
                standing.fail();
            }
            None
        }
    }
}

fn catch_up(
    log: &Log,
    index: &RwLock<Index>,
    tree: &mut Frontier,
    size: u64,
) -> Result<Heads, crate::store::StoreError> {
    loop {
        let from = index.read().unwrap_or_else(PoisonError::into_inner).size();
        let to = size.min(from.saturating_add(ENTRIES_PER_TURN));
        if from >= to {
            break;
        }
        follow_minimum(log, index)?;
        let mut batch = Vec::new();
        for stored in log.entries(from..to) {
            let (at, stored) = stored?;
            let leaf = stored.leaf();
            let parsed = log.0.recent.take(at, &Sha256(leaf.0));
            let entry = match (parsed, &stored) {
                (Some(entry), Stored::Entry(_)) => Some(entry),
                (None, Stored::Entry(bytes)) => Entry::parse(bytes).ok(),
                (_, Stored::Pruned(_)) => None,
            };
            let disclosures = entry.as_ref().map(|entry| confidential(log, at, entry));
            batch.push((at, leaf, entry, disclosures.unwrap_or_default()));
        }
        let mut index = index.write().unwrap_or_else(PoisonError::into_inner);
        for (at, leaf, entry, disclosures) in &batch {
            tree.push(*leaf);
            match entry {
                Some(entry) => index.project(*at, entry, disclosures),
                None => index.pass_over(),
            }
        }
    }
    let index = index.read().unwrap_or_else(PoisonError::into_inner);
    Ok(heads_of(&index))
}

/// Lets go of the rows of entries that were pruned since the last look.
fn follow_minimum(log: &Log, index: &RwLock<Index>) -> Result<(), crate::store::StoreError> {
    let minimum = log.minimum_index()?;
    let below: Vec<u64> = {
        let known = index.read().unwrap_or_else(PoisonError::into_inner);
        if known.ledger().minimum_index() >= minimum {
            return Ok(());
        }
        known.rows().range(..minimum).map(|(at, _)| *at).collect()
    };
    let mut gone = Vec::new();
    for at in below {
        if log.entry(at)?.is_none() {
            gone.push(at);
        }
    }
    let mut index = index.write().unwrap_or_else(PoisonError::into_inner);
    index.set_minimum_index(minimum, &gone);
    Ok(())
}

/// The names that a roster entry discloses. An erasure is carried out, unless it was already, and
/// gives the names that are left of the entry it is about.
fn confidential(log: &Log, at: u64, entry: &Entry) -> Vec<Disclosure> {
    match &entry.payload().body {
        Body::Roster(_) => names(log, at),
        Body::Erasure(erasure) => {
            // The store takes no digests for all of them; an erasure that names none orders nothing.
            if erasure.digests.is_empty() {
                tracing::error!(at, "an erasure on record names no digests");
            } else if let Err(error) = log.disclosures().erase(erasure.index, &erasure.digests) {
                tracing::error!(at, %error, "an erasure on record is not carried out");
            }
            names(log, erasure.index)
        }
        _ => Vec::new(),
    }
}

fn names(log: &Log, index: u64) -> Vec<Disclosure> {
    let held = match log.disclosures().get(index) {
        Ok(held) => held,
        Err(error) => {
            tracing::error!(index, %error, "disclosures of an entry cannot be read");
            return Vec::new();
        }
    };
    let encoded = held.iter().filter_map(|one| one.encoded.as_deref());
    encoded
        .filter_map(|encoded| Disclosure::parse(encoded).ok())
        .collect()
}

fn heads_of(index: &Index) -> Heads {
    let ledger = index.ledger();
    let roster = ledger.roster();
    Heads {
        policy: ledger.policy().map(|head| PolicyNotice {
            index: head.index,
            version: head.version,
            bundle_sha256: head.bundle,
        }),
        roster: roster.indices.last().map(|index| RosterNotice {
            index: *index,
            revision: roster.revision,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::index::standing::NotStanding;

    #[tokio::test]
    async fn a_projection_that_panics_makes_the_services_refuse() {
        let (standing, metrics) = (Standing::new(0), Metrics::default());
        let index = RwLock::new(Index::new("log.example.com"));
        let good = tokio::task::spawn_blocking(|| 7);
        assert_eq!(ended(good, &index, &standing, &metrics).await, Some(7));
        standing.judge(0).unwrap();
        let bad = tokio::task::spawn_blocking(|| "no number".parse::<u8>().unwrap());
        assert_eq!(ended(bad, &index, &standing, &metrics).await, None);
        assert_eq!(standing.judge(9), Err(NotStanding::Failed));
        assert_eq!(metrics.index_failures.get(), 1);
    }
}
