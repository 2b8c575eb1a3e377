//! The follower: reads each newly published entry once, in order, and tells what changed.
//!
//! It also finishes erasures that a crash cut off between their entry and the destruction. And since it
//! reads every entry after every start, it holds them against the published roots: a start itself
//! believes what its ledger file sums up.

use super::Index;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::services::people::{NamesError, People, names};
use crate::services::standing::Standing;
use crate::store::{StoreError, Stored};
use cairn_event::administrative::Erasure;
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_tlog::Frontier;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Entries projected before readers get a turn at the lock.
const ENTRIES_PER_TURN: u64 = 256;

/// Niceness of the thread that reads a whole log again after a start: for minutes it would otherwise take
/// turns with those that answer, which is milliseconds for each answer.
#[cfg(target_os = "linux")]
const REBUILDING_NICENESS: i32 = 10;

/// Pause after a failed read; the log itself stops when its store is broken.
const RETRY: Duration = Duration::from_secs(1);

/// Why the index did not come further. Retry.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What an erasure left of an entry's names cannot be read.
    #[error(transparent)]
    Names(#[from] NamesError),
}

/// Follows the log until it is gone. After a panic in the projection `standing` has failed.
///
/// Trap: the task holds the log weakly between two rounds, or the log would never be gone.
pub fn follow(
    log: &Log,
    index: Arc<RwLock<Index>>,
    people: Arc<RwLock<People>>,
    standing: Arc<Standing>,
) {
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
            let (projected, people) = (index.clone(), people.clone());
            let metrics = log.0.metrics.clone();
            let mut followed = std::mem::take(&mut tree);
            let rebuilds = followed.size() == 0;
            let round = move || {
                let caught_up = catch_up(&log, &projected, &people, &mut followed, size);
                if caught_up.is_ok() && followed.size() == size && followed.root() != root {
                    log.stop(format!(
                        "the entries in the store are not those of the checkpoint of size {size}"
                    ));
                }
                (followed, caught_up)
            };
            let work = tokio::task::spawn_blocking(move || match rebuilds {
                true => giving_way(round),
                false => round(),
            });
            let Some((followed, caught_up)) = ended(work, &index, &standing, &metrics).await else {
                return;
            };
            tree = followed;
            if let Err(error) = caught_up {
                tracing::error!(%error, "the index cannot read the log");
                tokio::time::sleep(RETRY).await;
                continue;
            }
            if published.changed().await.is_err() {
                return;
            }
        }
    });
}

/// Works on a thread of its own that lets all others go first.
fn giving_way<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        // Of this thread alone. Where it may not be, it takes its turn with the others.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::nice(REBUILDING_NICENESS);
        work()
    });
    let given = thread.join();
    given.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
    people: &RwLock<People>,
    tree: &mut Frontier,
    size: u64,
) -> Result<(), FollowError> {
    loop {
        let from = index.read().unwrap_or_else(PoisonError::into_inner).size();
        let to = size.min(from.saturating_add(ENTRIES_PER_TURN));
        if from >= to {
            return Ok(());
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
            if let Some(Body::Erasure(erasure)) = entry.as_ref().map(|one| &one.payload().body) {
                carry_out(log, people, at, erasure)?;
            }
            batch.push((at, leaf, entry));
        }
        let mut index = index.write().unwrap_or_else(PoisonError::into_inner);
        for (at, leaf, entry) in &batch {
            tree.push(*leaf);
            match entry {
                Some(entry) => index.project(*at, entry),
                None => index.pass_over(),
            }
        }
    }
}

/// Lets go of the rows of entries that were pruned since the last look.
fn follow_minimum(log: &Log, index: &RwLock<Index>) -> Result<(), StoreError> {
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

/// Carries an erasure out, unless it was already, and takes back what was known of the names.
///
/// Errors: [`NamesError`], before anything that was known is forgotten: the erasure is carried out again.
fn carry_out(
    log: &Log,
    people: &RwLock<People>,
    at: u64,
    erasure: &Erasure,
) -> Result<(), NamesError> {
    // The store takes no digests for all of them; an erasure that names none orders nothing.
    if erasure.digests.is_empty() {
        tracing::error!(at, "an erasure on record names no digests");
    } else if let Err(error) = log.disclosures().erase(erasure.index, &erasure.digests) {
        tracing::error!(at, %error, "an erasure on record is not carried out");
    }
    let left = names(log, erasure.index)?;
    let mut people = people.write().unwrap_or_else(PoisonError::into_inner);
    people.learn_again(erasure.index, &left);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::standing::NotStanding;

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
