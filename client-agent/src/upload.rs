//! The uploader: spooled entries to the log, receipts back, and only then the space.
//!
//! Owns that order and what happens to refused entries. Entries stay in the spool until a verified
//! receipt for them is durable here. Offline it waits with jitter and goes on where it was.
//!
//! Source: architecture of record, section 2, steps 5 to 7.

use crate::backoff::Backoff;
use crate::circumstances::Circumstances;
use crate::receipts::{Receipted, Receipts, ReceiptsError, Shown};
use crate::recorder::{Mark, MarkError, RecordError, Recorder};
use crate::refused::{self, KeepError};
use crate::state::StateDir;
use cairn_api::submission::{FrameResult, Status, Wait};
use cairn_api::{Client, ClientError, Family, Problem};
use cairn_durable::book::ReadLogError;
use cairn_event::body::{Body, PreviousChain};
use cairn_event::frame::FrameError;
use cairn_event::limits::{MAX_FRAMES_PER_SUBMISSION, MAX_SUBMISSION_BYTES};
use cairn_event::{Frame, Sha256};
use cairn_tlog::TrustPolicy;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long one submission waits for its receipts: 10 s, several rounds of witnesses.
const RECEIPT_WAIT: Duration = Duration::from_secs(10);

/// Problem codes of entries that wait for others: everything that may pass later.
const WAITING: [&str; 4] = [
    "unknown-chain",
    "unknown-device",
    "missing-before",
    "no-such-basis",
];

/// Problem code of a log that takes no entry any more.
const LOG_CLOSED: &str = "log-closed";

/// Why an upload did not finish. What was receipted before it stays receipted.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The server did not take the submission.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] RecordError),
    /// A spooled record cannot be read.
    #[error(transparent)]
    Read(#[from] ReadLogError),
    /// A spooled record is not a frame.
    #[error("spool record {record}: {source}")]
    Frame {
        /// Its number.
        record: u64,
        /// What is wrong.
        #[source]
        source: FrameError,
    },
    /// The upload mark.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// The receipt store.
    #[error(transparent)]
    Receipts(#[from] ReceiptsError),
    /// A refused frame could not be kept aside.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The server answered for another number of frames than were sent.
    #[error("{sent} frames were sent, {answered} were answered")]
    Count {
        /// Frames sent.
        sent: usize,
        /// Results received.
        answered: usize,
    },
    /// An entry is in the log but has no believable receipt yet. Retry.
    #[error("spool record {record} has no valid receipt yet: {detail}")]
    NoReceipt {
        /// Its number.
        record: u64,
        /// Why not.
        detail: String,
    },
    /// The log was closed for ever. Everything that was not submitted stays in the spool: it names this
    /// log and no other takes it.
    #[error(
        "the log is closed and takes no entry any more; records without a receipt stay on this device. \
         Ask your administrator for the successor's address and run `cairn enroll --again --server URL`"
    )]
    LogClosed,
    /// The log does not take the beginning of the chain; nothing of it will be taken.
    #[error("the log refuses this device's chain: {0}")]
    ChainRefused(Box<Problem>),
}

/// What the uploader shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Number of the first record without a receipt.
    pub next_record: u64,
    /// The last receipt: index in the log, and when it was stored (ms since 1970).
    pub last_receipt: Option<(u64, u64)>,
    /// The last failure, until the next success.
    pub problem: Option<String>,
}

/// The uploader.
pub struct Uploader {
    /// The state folder.
    pub state: StateDir,
    /// The server.
    pub client: Client,
    /// The pinned trust policy.
    pub trust_policy: TrustPolicy,
    /// The recorder whose spool is uploaded.
    pub recorder: Recorder,
    /// Where newer checkpoints are noted.
    pub circumstances: Arc<Circumstances>,
    /// Where progress is shown.
    pub progress: watch::Sender<Progress>,
}

struct Spooled {
    record: u64,
    line: String,
    leaf: Sha256,
    place: Option<PreviousChain>,
    starts: bool,
    ends: bool,
}

impl Uploader {
    /// Uploads for ever.
    ///
    /// Errors: only what cannot be retried: the mark or the receipt store does not open.
    pub async fn run(self) -> Result<(), UploadError> {
        let mut mark = Mark::load(&self.state)?;
        let mut receipts = Receipts::open(&self.state)?;
        let mut backoff = Backoff::default();
        self.progress
            .send_modify(|progress| progress.next_record = mark.next_record);
        loop {
            match self.round(&mut mark, &mut receipts).await {
                Ok(true) => backoff.reset(),
                Ok(false) => {
                    backoff.reset();
                    self.recorder.recorded().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "upload");
                    self.progress
                        .send_modify(|shown| shown.problem = Some(error.to_string()));
                    let asked = match &error {
                        UploadError::Client(error) => error.retry_after(),
                        _ => None,
                    };
                    tokio::time::sleep(backoff.wait_as_asked(asked)).await;
                }
            }
        }
    }

    /// Uploads one batch; false when nothing waits.
    async fn round(&self, mark: &mut Mark, receipts: &mut Receipts) -> Result<bool, UploadError> {
        let batch = self.batch(mark.next_record).await?;
        if batch.is_empty() {
            return Ok(false);
        }
        let lines: Vec<String> = batch.iter().map(|spooled| spooled.line.clone()).collect();
        let answer = self
            .client
            .submit(&lines, Wait::Witnessed, RECEIPT_WAIT)
            .await?;
        let (sent, answered) = (batch.len(), answer.results.len());
        if sent != answered {
            return Err(UploadError::Count { sent, answered });
        }
        let mut stored = Vec::new();
        let mut reached = None;
        let mut stopped = Ok(());
        for (spooled, result) in batch.iter().zip(&answer.results) {
            match self.judge(mark, spooled, result) {
                Ok(Some((receipt, shown))) => {
                    self.circumstances.saw(shown.beacon);
                    stored.push(receipt);
                }
                Ok(None) => {}
                Err(error) => {
                    stopped = Err(error);
                    break;
                }
            }
            reached = Some(spooled);
        }
        receipts.store(&stored)?;
        if let Some(reached) = reached {
            self.retire(mark, reached, stored.last())?;
        }
        stopped.map(|()| true)
    }

    async fn batch(&self, from: u64) -> Result<Vec<Spooled>, UploadError> {
        let mut batch = Vec::new();
        let mut bytes = 0_usize;
        for read in self.recorder.read(from).await? {
            let (record, payload) = read?;
            bytes = bytes.saturating_add(payload.len()).saturating_add(1);
            let full = batch.len() == MAX_FRAMES_PER_SUBMISSION || bytes > MAX_SUBMISSION_BYTES;
            if full && !batch.is_empty() {
                break;
            }
            batch.push(Spooled::read(record, &payload)?);
        }
        Ok(batch)
    }

    /// A verified receipt; nothing for a frame that was kept aside.
    fn judge(
        &self,
        mark: &mut Mark,
        spooled: &Spooled,
        result: &FrameResult,
    ) -> Result<Option<(Receipted, Shown)>, UploadError> {
        let record = spooled.record;
        let missing = |detail: String| UploadError::NoReceipt { record, detail };
        if result.status == Status::Refused {
            return self.refused(mark, spooled, result).map(|()| None);
        }
        if result.leaf != Some(spooled.leaf) {
            return Err(missing("the server answered for another entry".to_owned()));
        }
        let (Some(index), Some(receipt)) = (result.index, &result.receipt) else {
            return Err(missing("it is sequenced and not yet witnessed".to_owned()));
        };
        let entry = spooled
            .line
            .split('~')
            .next()
            .unwrap_or_default()
            .to_owned();
        let receipted = Receipted {
            index,
            entry,
            receipt: receipt.clone(),
        };
        let shown = receipted
            .verify(&self.trust_policy)
            .map_err(|error| missing(error.to_string()))?;
        Ok(Some((receipted, shown)))
    }

    fn refused(
        &self,
        mark: &mut Mark,
        spooled: &Spooled,
        result: &FrameResult,
    ) -> Result<(), UploadError> {
        let unnamed = || {
            let detail = "no problem was given".to_owned();
            Problem::new("refused", "Refused", 400, Family::Refused, detail)
        };
        let problem = result.problem.clone().unwrap_or_else(unnamed);
        if problem.code() == LOG_CLOSED {
            return Err(UploadError::LogClosed);
        }
        let chain = spooled.place.as_ref().map(|place| place.chain.clone());
        let follows = mark.broken.is_some() && mark.broken == chain;
        let waits = problem.family != Family::Refused || WAITING.contains(&problem.code());
        if (waits && !follows) || spooled.starts {
            // A refused start cannot be cured by another one: an operator must look.
            return Err(UploadError::ChainRefused(Box::new(problem)));
        }
        refused::keep(&self.state, spooled.record, &spooled.line, &problem)?;
        if !follows {
            tracing::error!(record = spooled.record, %problem, "the log refused an entry");
            mark.broken = chain;
            self.recorder.rotate();
        }
        Ok(())
    }

    fn retire(
        &self,
        mark: &mut Mark,
        reached: &Spooled,
        last: Option<&Receipted>,
    ) -> Result<(), UploadError> {
        mark.next_record = reached.record.saturating_add(1);
        if let Some(place) = &reached.place {
            mark.last = Some(place.clone());
            mark.ended = reached.ends;
        }
        mark.save(&self.state)?;
        self.recorder.retire(mark.next_record);
        self.progress.send_modify(|progress| {
            progress.next_record = mark.next_record;
            progress.problem = None;
            if let Some(last) = last {
                progress.last_receipt = Some((last.index, crate::clock::now_ms()));
            }
        });
        Ok(())
    }
}

impl Spooled {
    fn read(record: u64, payload: &[u8]) -> Result<Self, UploadError> {
        let line = String::from_utf8_lossy(payload).into_owned();
        let frame = Frame::parse(&line).map_err(|source| UploadError::Frame { record, source })?;
        let entry = frame.entry();
        let body = &entry.payload().body;
        let place = entry.payload().link.as_ref().map(|link| PreviousChain {
            chain: link.chain.clone(),
            head: entry.leaf(),
            seq: link.seq,
        });
        let (starts, ends) = (
            matches!(body, Body::ChainStart(_)),
            matches!(body, Body::ChainEnd(_)),
        );
        Ok(Self {
            record,
            leaf: entry.leaf(),
            line,
            place,
            starts,
            ends,
        })
    }
}
