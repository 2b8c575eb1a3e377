//! The follower of the roster: learns the names of each newly published roster entry, and tells devices
//! what is new.

use super::People;
use crate::log::Log;
use crate::services::policy::Heads;
use crate::services::standing::Standing;
use crate::store::StoreError;
use cairn_event::Disclosure;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// Pause after a failed read; the log itself stops when its store is broken.
const RETRY: Duration = Duration::from_secs(1);

/// Follows the log until it is gone. The heads change only once the names of their entries are known.
///
/// Trap: the task holds the log weakly between two rounds, or the log would never be gone.
pub fn follow(
    log: &Log,
    people: Arc<RwLock<People>>,
    standing: Arc<Standing>,
) -> watch::Receiver<Heads> {
    let (heads, receiver) = watch::channel(Heads::default());
    let weak = Arc::downgrade(&log.0);
    let mut published = log.published();
    tokio::spawn(async move {
        loop {
            let size = published.borrow_and_update().size;
            let Some(log) = weak.upgrade().map(Log) else {
                return;
            };
            let known = people.clone();
            let work = tokio::task::spawn_blocking(move || catch_up(&log, &known, size));
            match work.await {
                Ok(Ok(newest)) => {
                    heads.send_if_modified(|known| {
                        let changed = *known != newest;
                        *known = newest;
                        changed
                    });
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "the roster cannot be read");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
                // A panic would repeat: who somebody is must not be asked as if it went on.
                Err(error) => {
                    if error.is_panic() {
                        tracing::error!("the roster's names cannot be followed");
                        standing.fail();
                    }
                    return;
                }
            }
            if published.changed().await.is_err() {
                return;
            }
        }
    });
    receiver
}

fn catch_up(log: &Log, people: &RwLock<People>, size: u64) -> Result<Heads, StoreError> {
    let from = people.read().unwrap_or_else(PoisonError::into_inner).size();
    let (new, newest) = {
        let ledger = log.ledger();
        let indices = &ledger.roster().indices;
        let start = indices.partition_point(|index| *index < from);
        let end = indices.partition_point(|index| *index < size);
        let new = indices.get(start..end).unwrap_or_default().to_vec();
        (new, Heads::at(&ledger, size))
    };
    let learned: Vec<(u64, Vec<Disclosure>)> =
        new.into_iter().map(|at| (at, names(log, at))).collect();
    let mut people = people.write().unwrap_or_else(PoisonError::into_inner);
    for (at, names) in &learned {
        people.learn(*at, names);
    }
    people.set_size(size.max(from));
    Ok(newest)
}

/// The confidential names that are left of the entry at `index`: none where it is no roster entry, since
/// a device may disclose whatever it likes in its own.
pub fn names(log: &Log, index: u64) -> Vec<Disclosure> {
    if log.ledger().roster().indices.binary_search(&index).is_err() {
        return Vec::new();
    }
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
