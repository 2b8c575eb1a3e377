//! The follower of the roster: learns the names of each newly published roster entry, and tells devices
//! what is new.

use super::People;
use crate::disclosures::DisclosureStoreError;
use crate::log::Log;
use crate::services::policy::Heads;
use crate::services::standing::Standing;
use cairn_event::Disclosure;
use cairn_event::disclosure::DisclosureError;
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
                    // Last: whoever is let in by this finds people and heads.
                    standing.tell(size);
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

fn catch_up(log: &Log, people: &RwLock<People>, size: u64) -> Result<Heads, NamesError> {
    let from = people.read().unwrap_or_else(PoisonError::into_inner).size();
    let (new, newest) = {
        let ledger = log.ledger();
        let indices = &ledger.roster().indices;
        let start = indices.partition_point(|index| *index < from);
        let end = indices.partition_point(|index| *index < size);
        let new = indices.get(start..end).unwrap_or_default().to_vec();
        (new, Heads::at(&ledger, size))
    };
    // All or none: an entry whose names are not known yet must not count as one without names.
    let learned = new.into_iter().map(|at| Ok((at, names(log, at)?)));
    let learned: Vec<(u64, Vec<Disclosure>)> = learned.collect::<Result<_, NamesError>>()?;
    let mut people = people.write().unwrap_or_else(PoisonError::into_inner);
    for (at, names) in &learned {
        people.learn(*at, names);
    }
    people.set_size(size.max(from));
    Ok(newest)
}

/// Why the confidential names of an entry are not known. Retry: whoever asks meanwhile is told to come back, because
/// somebody whose name is not known would be taken for a stranger. Where it stays, the operator must restore the store.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// Its disclosures cannot be read.
    #[error(transparent)]
    Disclosures(#[from] DisclosureStoreError),
    /// One of them is none.
    #[error("a disclosure of the entry at index {index} has not its form")]
    Form {
        /// The entry.
        index: u64,
        /// What is wrong.
        #[source]
        source: DisclosureError,
    },
}

/// The confidential names that are left of the entry at `index`: none where it is no roster entry, since
/// a device may disclose whatever it likes in its own.
///
/// # Errors
/// [`NamesError`].
pub fn names(log: &Log, index: u64) -> Result<Vec<Disclosure>, NamesError> {
    if log.ledger().roster().indices.binary_search(&index).is_err() {
        return Ok(Vec::new());
    }
    let held = log.disclosures().get(index)?;
    let encoded = held.iter().filter_map(|one| one.encoded.as_deref());
    let parsed = encoded.map(Disclosure::parse);
    parsed
        .collect::<Result<_, _>>()
        .map_err(|source| NamesError::Form { index, source })
}
