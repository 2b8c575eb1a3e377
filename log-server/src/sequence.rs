//! The sequencer: one thread that gives every entry its index.
//!
//! Owns the order: dedup, ledger, index, one commit for many submissions, verdicts after the
//! commit. Does not own staging (`stage`), storage (`store`) or signing (`publish`). Nobody else
//! writes entries, so dedup and chain checks need no other lock.
//!
//! Any error inside a round is fatal: the thread ends, nothing more is acknowledged, and the
//! process is to be restarted.

mod reference;
mod round;

use crate::clock::Clock;
use crate::disclosures::{DisclosureStore, DisclosureStoreError};
use crate::metrics::Metrics;
use crate::pool::{Verdict, Waiting};
use crate::recent::Recent;
use crate::recover::{KEEP_EVERY, LedgerFile};
use crate::stage::{Edge, StageError, stage};
use crate::store::{Head, LogStore, StoreError};
use cairn_event::EntrySigner;
use cairn_identity::Ledger;
use round::Round;
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// When a round closes.
#[derive(Debug, Clone, Copy)]
pub struct RoundLimits {
    /// Entries collected.
    pub entries: usize,
    /// Bytes of entries collected.
    pub bytes: usize,
    /// Time since the first submission of the round.
    pub wait: Duration,
}

/// Why the sequencer ended. All are fatal.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// The store failed.
    #[error("the round was not committed")]
    Store(#[from] StoreError),
    /// The round could not be staged.
    #[error("the round could not be staged")]
    Stage(#[from] StageError),
    /// Disclosures could not be sealed.
    #[error("disclosures could not be sealed")]
    Disclosures(#[from] DisclosureStoreError),
}

/// Everything the sequencer works on.
pub struct Sequencer {
    pub(crate) store: Arc<dyn LogStore>,
    pub(crate) disclosures: Arc<DisclosureStore>,
    /// Where the ledger is kept for the next start, and the size it was kept at.
    pub(crate) kept: LedgerFile,
    pub(crate) kept_size: u64,
    /// As of the last *placed* entry, one round ahead of what readers see.
    pub(crate) working: Ledger,
    /// As of the sequenced head, for readers.
    pub(crate) shared: Arc<RwLock<Ledger>>,
    pub(crate) head: Head,
    pub(crate) edge: Edge,
    pub(crate) origin: String,
    pub(crate) observer: Arc<dyn EntrySigner>,
    /// Days for which entries are kept at least; without, nothing may be pruned.
    pub(crate) retention_days: Option<u64>,
    pub(crate) limits: RoundLimits,
    pub(crate) size: watch::Sender<u64>,
    pub(crate) heads: watch::Sender<Head>,
    pub(crate) stopped: watch::Sender<Option<String>>,
    /// For the index.
    pub(crate) recent: Arc<Recent>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
}

impl Sequencer {
    /// Runs rounds until every submitter's end of the pool is gone or a round fails.
    pub fn run(mut self, waiting: &mpsc::Receiver<Waiting>) {
        while let Some(batch) = self.collect(waiting) {
            if !self.round(batch) {
                return;
            }
        }
    }

    /// One round of whatever waits now, without waiting; false when there will be no other. For a
    /// caller that keeps its own time.
    pub fn turn(&mut self, waiting: &mpsc::Receiver<Waiting>) -> bool {
        let batch = match waiting.try_recv() {
            Ok(first) => std::iter::once(first).chain(waiting.try_iter()).collect(),
            Err(mpsc::TryRecvError::Empty) => return true,
            Err(mpsc::TryRecvError::Disconnected) => return false,
        };
        self.round(batch)
    }

    /// Sequences a batch; false when that failed, which is told to everybody.
    fn round(&mut self, batch: Vec<Waiting>) -> bool {
        let Err(error) = self.sequence(batch) else {
            return true;
        };
        let cause = chain(&error);
        tracing::error!(%cause, "the sequencer stops");
        self.stopped.send_replace(Some(cause));
        false
    }

    /// Waits for a first submission, then a little longer while others are on their way: those who
    /// have room in the pool and are being admitted. Who comes alone does not wait.
    fn collect(&self, waiting: &mpsc::Receiver<Waiting>) -> Option<Vec<Waiting>> {
        let first = waiting.recv().ok()?;
        let until = Instant::now() + self.limits.wait;
        let (mut entries, mut bytes) = weight(&first);
        let mut held = first.ticket.entries();
        let mut batch = vec![first];
        while entries < self.limits.entries && bytes < self.limits.bytes {
            let next = match waiting.try_recv() {
                Ok(next) => next,
                Err(_) if on_their_way(&batch, held) == 0 => break,
                Err(_) => {
                    let left = until.saturating_duration_since(Instant::now());
                    let Ok(next) = waiting.recv_timeout(left) else {
                        break;
                    };
                    next
                }
            };
            let (more, larger) = weight(&next);
            entries += more;
            bytes += larger;
            held += next.ticket.entries();
            batch.push(next);
        }
        Some(batch)
    }

    /// One round: place, stage, commit, then tell.
    fn sequence(&mut self, mut batch: Vec<Waiting>) -> Result<(), SequenceError> {
        let now_ms = (self.clock)();
        let disclosures = self.disclosures.clone();
        let mut plan = disclosures.plan(self.head.size(), now_ms);
        let mut round = Round::new(self, now_ms);
        let mut verdicts = Vec::with_capacity(batch.len());
        for waiting in &mut batch {
            let mut of_one = Vec::with_capacity(waiting.frames.len());
            for frame in std::mem::take(&mut waiting.frames) {
                of_one.push(round.place(frame, &mut plan)?);
            }
            verdicts.push(of_one);
        }
        let placed = round.finish();
        let (mut staged, edge) = stage(&self.head, &self.edge, placed.entries, now_ms)?;
        staged.disclosures = plan.writes()?;
        staged.forks = placed.forks;
        if !staged.entries.is_empty() || !staged.disclosures.is_empty() {
            let begun = Instant::now();
            self.store.commit(&staged)?;
            self.metrics
                .commit_us
                .add(begun.elapsed().as_micros() as u64);
            self.metrics.rounds.add(1);
        }
        drop(plan);
        self.metrics.sequenced.add(staged.entries.len() as u64);
        self.head = staged.head;
        self.edge = edge;
        self.show(staged.from, placed.applied);
        for (waiting, of_one) in batch.into_iter().zip(verdicts) {
            self.count(&of_one);
            // A submitter that went away learns its index by submitting again.
            let _ = waiting.reply.send(of_one);
        }
        self.keep();
        Ok(())
    }

    /// Keeps the ledger now and then, so that the next start is short.
    fn keep(&mut self) {
        if self.head.size() - self.kept_size.min(self.head.size()) < KEEP_EVERY {
            return;
        }
        let observer = self.observer.as_ref();
        if let Err(error) = self.kept.write(&self.working, &self.head, observer) {
            // The next start reads more; nothing is lost.
            tracing::warn!(cause = chain(&error), "the ledger is not kept");
        }
        self.kept_size = self.head.size();
    }

    /// Lets readers see the committed round: the ledger first, then the size that refers to it.
    fn show(&self, from: u64, applied: round::Applied) {
        let mut shared = self.shared.write().unwrap_or_else(PoisonError::into_inner);
        let apply = |(entry, admission)| {
            shared.apply(&entry, admission);
            entry
        };
        let entries: Vec<_> = applied.into_iter().map(apply).collect();
        drop(shared);
        self.recent.push(from, entries);
        self.size.send_replace(self.head.size());
        self.heads.send_replace(self.head.clone());
    }

    fn count(&self, verdicts: &[Verdict]) {
        let refused = verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Refused(problem) => Some(problem.code()),
            Verdict::Sequenced { .. } => None,
        });
        self.metrics.refused(refused);
        let duplicates = verdicts.iter().filter(|verdict| {
            matches!(
                verdict,
                Verdict::Sequenced {
                    duplicate: true,
                    ..
                }
            )
        });
        self.metrics.duplicates.add(duplicates.count() as u64);
    }
}

/// Entries that have room in the pool and are not among the `held` of a batch.
fn on_their_way(batch: &[Waiting], held: u64) -> u64 {
    let all = batch.first().map_or(0, |one| one.ticket.in_the_pool());
    all.saturating_sub(held)
}

fn weight(waiting: &Waiting) -> (usize, usize) {
    let bytes = waiting
        .frames
        .iter()
        .map(|frame| frame.entry().bytes().len())
        .sum();
    (waiting.frames.len(), bytes)
}

/// An error with its causes, for the diagnostics and the exit message.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
