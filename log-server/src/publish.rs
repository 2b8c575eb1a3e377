//! The publisher: signs heads, gathers cosignatures, and makes checkpoints visible.
//!
//! Owns the order verify -> `HEAD` -> sign -> cosign -> store -> show. With a trust policy that asks
//! for witnesses a checkpoint is published only with its quorum, so every checkpoint anybody can
//! fetch, and every receipt, is witnessed; entries are sequenced and durable meanwhile. Without one
//! the log's signature is enough. Does not own witnesses' HTTP (`witnesses`).

mod verify;

pub(crate) use verify::for_each_entry;

pub use verify::{Verified, VerifyError};

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::sequence::chain;
use crate::store::{
    Head, HeadFile, HeadFileError, LogStore, PublishedCheckpoint, SignedHead, StoreError,
};
use crate::witnesses::{CosignFailure, Witnesses};
use cairn_tlog::{Checkpoint, Note, NoteSignature, SignatureError, SignerKey, TrustPolicy};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinError;
use tokio::time::Instant;
use tracing::Instrument as _;

/// How long the publisher waits for further witnesses once the quorum is there: a cosignature more
/// is worth a little, a late receipt costs every waiter.
const GRACE: Duration = Duration::from_millis(30);

/// Pause after a round without quorum: long enough not to press a witness that is down.
const QUORUM_PAUSE: Duration = Duration::from_millis(500);

/// Why the publisher ended. All are fatal.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// What is stored is not what would be signed.
    #[error("the log refuses to sign")]
    Verify(#[from] VerifyError),
    /// The file `HEAD`.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// The log key refused.
    #[error("the checkpoint was not signed")]
    Sign(#[from] SignatureError),
    /// The store failed.
    #[error("the checkpoint was not stored")]
    Store(#[from] StoreError),
    /// A step ended in a panic or was cancelled.
    #[error("a step of publication did not end")]
    Join(#[from] JoinError),
}

/// What a round of publication came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A checkpoint is published.
    Published,
    /// The quorum did not answer; the next round tries a newer head.
    NoQuorum,
    /// The clock is behind the last signed time; nothing was signed.
    ClockBehind,
}

/// Everything the publisher works on.
pub struct Publisher {
    pub(crate) store: Arc<dyn LogStore>,
    pub(crate) verified: Verified,
    pub(crate) head_file: HeadFile,
    pub(crate) last_signed_ms: u64,
    pub(crate) key: SignerKey,
    pub(crate) trust: Option<Arc<TrustPolicy>>,
    pub(crate) witnesses: Witnesses,
    pub(crate) interval: Duration,
    pub(crate) republish: Duration,
    pub(crate) heads: watch::Receiver<Head>,
    pub(crate) published: watch::Sender<PublishedCheckpoint>,
    pub(crate) stopped: watch::Sender<Option<String>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
}

impl Publisher {
    /// Publishes heads as they come until the sequencer is gone or a step fails.
    pub async fn run(mut self) {
        loop {
            let begun = Instant::now();
            match self.publish().await {
                Ok(Progress::Published) => tokio::time::sleep_until(begun + self.interval).await,
                Ok(Progress::NoQuorum | Progress::ClockBehind) => {
                    tokio::time::sleep(QUORUM_PAUSE).await;
                    continue;
                }
                Err(error) => {
                    let cause = chain(&error);
                    tracing::error!(%cause, "the publisher stops");
                    self.stopped.send_replace(Some(cause));
                    return;
                }
            }
            // An unchanged head is signed and cosigned again in time, to show that the log lives.
            let changed = tokio::time::timeout(self.republish, self.heads.changed()).await;
            if let Ok(Err(_)) = changed {
                return;
            }
        }
    }

    /// One round for the newest head.
    ///
    /// # Errors
    /// Fatal.
    pub async fn publish(&mut self) -> Result<Progress, PublishError> {
        let span = tracing::info_span!(
            "publish",
            size = tracing::field::Empty,
            outcome = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        let ended = self.round().instrument(span.clone()).await;
        let outcome = match &ended {
            Ok(Progress::Published) => "published",
            Ok(Progress::NoQuorum) => "no quorum",
            Ok(Progress::ClockBehind) => "clock behind",
            Err(_) => "failed",
        };
        span.record("outcome", outcome);
        if outcome != "published" {
            span.record("otel.status_code", "ERROR");
        }
        ended
    }

    async fn round(&mut self) -> Result<Progress, PublishError> {
        let head = self.heads.borrow_and_update().clone();
        let now_ms = (self.clock)();
        if now_ms < self.last_signed_ms || now_ms < head.time_ms {
            tracing::warn!(now_ms, last = self.last_signed_ms, "the clock is behind");
            return Ok(Progress::ClockBehind);
        }
        // A signed number: an unsigned one would be exported as text.
        let size = i64::try_from(head.size()).unwrap_or(i64::MAX);
        tracing::Span::current().record("size", size);
        self.verify_and_record(&head, now_ms)
            .instrument(tracing::info_span!("verify"))
            .await?;
        let checkpoint = Checkpoint {
            origin: self.key.name().to_owned(),
            size: head.size(),
            root: head.root,
        };
        let signed = checkpoint.sign(&self.key)?;
        let note = self.cosign(&checkpoint, &signed).await;
        let witnessed = match &self.trust {
            Some(trust) => match trust.verify_checkpoint(&note.to_string()) {
                Ok(_) => trust.quorum().is_some(),
                Err(error) => {
                    self.metrics.quorum_missed.add(1);
                    tracing::warn!(%error, size = checkpoint.size, "not published");
                    return Ok(Progress::NoQuorum);
                }
            },
            None => false,
        };
        let published = PublishedCheckpoint {
            size: head.size(),
            root: head.root,
            note: note.to_string(),
            time_ms: now_ms,
            witnessed,
        };
        let store = self.store.clone();
        let durable = published.clone();
        crate::blocking::run(move || store.publish(&durable)).await??;
        self.metrics.published.add(1);
        self.published.send_replace(published);
        Ok(Progress::Published)
    }

    /// Re-reads what is new, then records the head in `HEAD`. Only after this is anything signed.
    async fn verify_and_record(&mut self, head: &Head, now_ms: u64) -> Result<(), PublishError> {
        let (store, head_file) = (self.store.clone(), self.head_file.clone());
        let (before, head) = (self.verified.clone(), head.clone());
        let step = crate::blocking::run(move || {
            let verified = before.advance(store.as_ref(), &head)?;
            let signed = SignedHead {
                size: head.size(),
                root: head.root,
                time_ms: now_ms,
            };
            head_file.write(&signed)?;
            Ok::<_, PublishError>(verified)
        });
        self.verified = step.await??;
        self.last_signed_ms = now_ms;
        Ok(())
    }

    /// Asks all witnesses at once; stops a moment after the quorum, or when all have answered.
    async fn cosign(&self, checkpoint: &Checkpoint, signed: &Note) -> Note {
        let mut note = signed.clone();
        let (answers, mut cosigned) = mpsc::channel(self.witnesses.all().len().max(1));
        for witness in self.witnesses.all() {
            let (witnesses, witness) = (self.witnesses.clone(), witness.clone());
            let (store, metrics) = (self.store.clone(), self.metrics.clone());
            let (checkpoint, signed) = (checkpoint.clone(), signed.clone());
            let answers = answers.clone();
            let span = tracing::info_span!(
                "cosign",
                otel.kind = "client",
                otel.status_code = tracing::field::Empty,
                witness = witness.name,
                failure = tracing::field::Empty,
            );
            let call = async move {
                match witnesses
                    .cosign(&witness, &store, &checkpoint, &signed)
                    .await
                {
                    // The publisher may have gone on without this answer.
                    Ok(line) => drop(answers.send(line).await),
                    Err(failure) => {
                        let span = tracing::Span::current();
                        span.record("otel.status_code", "ERROR");
                        span.record("failure", tracing::field::display(&failure));
                        note_failure(&witness.name, &failure, &metrics);
                    }
                }
            };
            // Not cancelled when the quorum is there: the call ends and remembers its size.
            tokio::spawn(call.instrument(span));
        }
        drop(answers);
        let mut until: Option<Instant> = None;
        while let Some(line) = next(&mut cosigned, until).await {
            note.signatures.push(line);
            let enough = self.trust.as_ref().is_some_and(|trust| {
                trust.quorum().is_some() && trust.verify_checkpoint(&note.to_string()).is_ok()
            });
            if enough && until.is_none() {
                until = Some(Instant::now() + GRACE);
            }
        }
        note
    }
}

/// The next answer; `None` when all have come or `until` has passed.
async fn next(
    answers: &mut mpsc::Receiver<NoteSignature>,
    until: Option<Instant>,
) -> Option<NoteSignature> {
    match until {
        None => answers.recv().await,
        Some(until) => tokio::time::timeout_at(until, answers.recv())
            .await
            .ok()
            .flatten(),
    }
}

fn note_failure(witness: &str, failure: &CosignFailure, metrics: &Metrics) {
    if !failure.was_asked() {
        tracing::debug!(witness, %failure, "witness not asked");
        return;
    }
    metrics.witness_failures.add(1);
    let cause = chain(failure);
    if failure.says_rolled_back() {
        metrics.witness_ahead.add(1);
        metrics.witness_alarms.add(1);
        tracing::error!(
            witness,
            %cause,
            "witness alarm: either the witness is wrong or this log lost entries that it published"
        );
    } else if failure.is_alarm() {
        metrics.witness_alarms.add(1);
        tracing::error!(witness, %cause, "witness alarm");
    } else {
        tracing::warn!(witness, %cause, "no cosignature");
    }
}
