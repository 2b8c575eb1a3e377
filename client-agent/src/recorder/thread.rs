//! The recorder's thread: batches of requests, one flush each, heads on time.

use super::begin::{self, BeginError, Unrecorded};
use super::{Command, Place, RecordError, Setup, Usage};
use crate::chain::{Chain, Draft, FrozenFrame, Signer};
use crate::clock::now_ms;
use cairn_durable::SegmentLog;
use cairn_durable::book::AppendLogError;
use cairn_durable::error::Family;
use cairn_event::body::{Body, ChainEnd, ChainHead, Gap, PreviousChain};
use cairn_event::redact::Redactor;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// Longest time between an entry and the device-key signature that covers it: 3 s.
///
/// What a stolen chain key could forge unnoticed is bounded by it; a TPM signs in about 0.3 s.
const HEAD_INTERVAL: Duration = Duration::from_secs(3);

/// Most requests that share one flush: a full submission.
const BATCH_MAX: usize = 256;

/// Version of the daemon's program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

type Reply = oneshot::Sender<Result<Place, RecordError>>;

/// The running chain and its spool.
struct Run {
    log: SegmentLog,
    chain: Chain,
    /// When the last head was signed, and whether anything was recorded since.
    headed: Instant,
    dirty: bool,
}

/// What could not be recorded and is not yet declared.
#[derive(Default)]
struct Lost {
    count: u64,
    reason: &'static str,
}

pub(super) struct Worker {
    setup: Setup,
    redactor: Redactor,
    recorded: Arc<Notify>,
    run: Option<Run>,
    lost: Lost,
}

impl Worker {
    pub(super) fn new(setup: Setup, recorded: Arc<Notify>) -> Result<Self, BeginError> {
        let redactor = Redactor::new().map_err(|_| BeginError::Redactor)?;
        Ok(Self {
            setup,
            redactor,
            recorded,
            run: None,
            lost: Lost::default(),
        })
    }

    /// Opens the spool and begins a chain that names the previous one.
    pub(super) fn begin(&mut self) -> Result<(), BeginError> {
        let opened = begin::open(&self.setup.state, self.setup.spool_bytes_max)?;
        self.begin_chain(opened.log, opened.previous, opened.missing)
    }

    fn begin_chain(
        &mut self,
        mut log: SegmentLog,
        previous: Option<PreviousChain>,
        missing: Option<&'static str>,
    ) -> Result<(), BeginError> {
        let identity = &self.setup.identity;
        let mut chain = Chain::new(&identity.origin, &identity.device)?;
        let start = chain
            .start_body(VERSION, self.setup.daemon_sha256, previous.clone())
            .map_err(crate::chain::FreezeError::from)?;
        let start = Draft {
            confidential: self.setup.confidential.clone(),
            ..self.draft(start)
        };
        let device = Signer::Device(self.setup.key.signer());
        let first = chain.freeze(start, &self.redactor, device)?;
        log.append_from_reserve(first.line.as_bytes())?;
        chain.advance(&first);
        let (unrecorded, mut count) = Unrecorded::take(&self.setup.state);
        count = count.saturating_add(self.lost.count);
        let reason = missing
            .or((self.lost.count > 0).then_some(self.lost.reason))
            .or((count > 0).then_some("not-running"));
        if let Some(reason) = reason {
            let gap = match &previous {
                Some(previous) => begin::gap(previous, count, reason),
                None => own_gap(&chain, count, reason),
            };
            let gap = chain.freeze(self.draft(Body::Gap(gap)), &self.redactor, Signer::Chain)?;
            log.append_from_reserve(gap.line.as_bytes())?;
            chain.advance(&gap);
        }
        log.sync()?;
        unrecorded.declared();
        self.lost = Lost::default();
        self.run = Some(Run {
            log,
            chain,
            headed: Instant::now(),
            dirty: false,
        });
        self.recorded.notify_one();
        Ok(())
    }

    fn draft(&self, body: Body) -> Draft {
        Draft {
            body,
            context: self.setup.circumstances.now(),
            confidential: Vec::new(),
            time_ms: now_ms(),
        }
    }

    pub(super) fn run(mut self, receiver: &Receiver<Command>) {
        loop {
            let first = match receiver.recv_timeout(HEAD_INTERVAL) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut records = Vec::new();
            let mut next = first;
            while let Some(command) = next {
                match command {
                    Command::Record(draft, reply) => records.push((draft, reply)),
                    other => {
                        self.record(std::mem::take(&mut records));
                        if self.other(other) {
                            return;
                        }
                    }
                }
                next = if records.len() < BATCH_MAX {
                    receiver.try_recv().ok()
                } else {
                    None
                };
            }
            self.record(records);
            self.head();
        }
    }

    /// Records a batch with one flush; answers only afterwards.
    fn record(&mut self, batch: Vec<(Box<Draft>, Reply)>) {
        if batch.is_empty() {
            return;
        }
        if self.run.is_none()
            && let Err(error) = self.begin()
        {
            tracing::error!(%error, "the spool does not open");
            self.lose(batch.len() as u64, "storage-error");
            let error = begin_error(&error);
            answer(batch.into_iter().map(|(_, reply)| reply), &Err(error));
            return;
        }
        self.declare_lost();
        let mut waiting = Vec::with_capacity(batch.len());
        for (draft, reply) in batch {
            match self.append(*draft) {
                Ok(place) => waiting.push((place, reply)),
                Err(error) => {
                    self.lose(1, reason_of(&error));
                    answer([reply], &Err(error));
                }
            }
        }
        match self.flush() {
            Ok(()) => {
                for (place, reply) in waiting {
                    answer([reply], &Ok(place));
                }
                self.recorded.notify_one();
            }
            Err(error) => {
                self.lose(waiting.len() as u64, "storage-error");
                answer(waiting.into_iter().map(|(_, reply)| reply), &Err(error));
            }
        }
    }

    fn append(&mut self, draft: Draft) -> Result<Place, RecordError> {
        let Some(run) = &mut self.run else {
            return Err(RecordError::Storage(
                "the spool is closed after a failure".to_owned(),
            ));
        };
        let frame = run.chain.freeze(draft, &self.redactor, Signer::Chain)?;
        match run.log.append(frame.line.as_bytes()) {
            Ok(_) => Ok(run.take_place(&frame)),
            Err(error) => Err(self.append_failed(&error)),
        }
    }

    fn append_failed(&mut self, error: &AppendLogError) -> RecordError {
        if error.family() == Family::Fatal {
            tracing::error!(%error, "the spool is closed");
            self.run = None;
        }
        match error {
            AppendLogError::Full { .. } => RecordError::Full,
            AppendLogError::NoSpace { .. } => RecordError::NoSpace,
            other => RecordError::Storage(other.to_string()),
        }
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        let Some(run) = &mut self.run else {
            return Err(RecordError::Storage(
                "the spool is closed after a failure".to_owned(),
            ));
        };
        let flushed = run.log.sync();
        flushed.map(|_| ()).map_err(|error| {
            tracing::error!(%error, "the spool is closed");
            self.run = None;
            RecordError::Storage(error.to_string())
        })
    }

    fn lose(&mut self, count: u64, reason: &'static str) {
        self.lost.count = self.lost.count.saturating_add(count);
        self.lost.reason = reason;
    }

    /// Declares what was lost, once there is room for it; made durable with the batch that follows.
    fn declare_lost(&mut self) {
        if self.lost.count == 0 {
            return;
        }
        let Some(run) = &self.run else { return };
        let gap = own_gap(&run.chain, self.lost.count, self.lost.reason);
        if self.append(self.draft(Body::Gap(gap))).is_ok() {
            self.lost = Lost::default();
        }
    }

    fn missing(&mut self, reason: &'static str) {
        let Some(run) = &self.run else { return };
        let gap = own_gap(&run.chain, 0, reason);
        let kept = self
            .append(self.draft(Body::Gap(gap)))
            .and_then(|_| self.flush());
        match kept {
            Ok(()) => self.recorded.notify_one(),
            Err(error) => tracing::error!(%error, reason, "a gap is not recorded"),
        }
    }

    /// Signs the chain so far with the device key when something new waited long enough.
    fn head(&mut self) {
        let due = |run: &Run| run.dirty && run.headed.elapsed() >= HEAD_INTERVAL;
        if !self.run.as_ref().is_some_and(due) {
            return;
        }
        if self.append_device(Body::ChainHead(ChainHead {})) && self.flush().is_ok() {
            if let Some(run) = &mut self.run {
                run.headed = Instant::now();
                run.dirty = false;
            }
            self.recorded.notify_one();
        }
    }

    fn append_device(&mut self, body: Body) -> bool {
        let draft = self.draft(body);
        let Some(run) = &mut self.run else {
            return false;
        };
        let device = Signer::Device(self.setup.key.signer());
        let frame = match run.chain.freeze(draft, &self.redactor, device) {
            Ok(frame) => frame,
            Err(error) => {
                tracing::error!(%error, "the device key does not sign");
                return false;
            }
        };
        match run.log.append_from_reserve(frame.line.as_bytes()) {
            Ok(_) => {
                run.take_place(&frame);
                true
            }
            Err(error) => {
                self.append_failed(&error);
                false
            }
        }
    }

    /// Handles what is not a record; true when the thread must end.
    fn other(&mut self, command: Command) -> bool {
        match command {
            Command::Record(..) => {}
            Command::Read(from, reply) => {
                let closed = || RecordError::Storage("the spool is closed".to_owned());
                let read = self.run.as_ref().ok_or_else(closed).and_then(|run| {
                    let from = from.max(run.log.first_record());
                    run.log
                        .iter_from(from)
                        .map_err(|e| RecordError::Storage(e.to_string()))
                });
                let _gone = reply.send(read);
            }
            Command::Retire(before) => {
                if let Some(run) = &mut self.run
                    && let Err(error) = run.log.retire_before(before)
                {
                    tracing::warn!(%error, "spool files could not be removed yet");
                }
            }
            Command::Rotate => self.rotate(),
            Command::Missing(reason) => self.missing(reason),
            Command::Usage(reply) => {
                let _gone = reply.send(self.usage());
            }
            Command::Stop(reason, reply) => {
                self.declare_lost();
                if self.append_device(Body::ChainEnd(ChainEnd { reason })) {
                    // A chain without its end is declared as a crash by the next run.
                    let _unflushed = self.flush();
                }
                self.run = None;
                let _gone = reply.send(());
                return true;
            }
        }
        false
    }

    fn rotate(&mut self) {
        let Some(run) = self.run.take() else { return };
        let previous = run.chain.as_previous();
        if let Err(error) = self.begin_chain(run.log, previous, Some("refused-by-log")) {
            tracing::error!(%error, "no new chain could begin");
        }
    }

    fn usage(&self) -> Usage {
        let undeclared = self.lost.count;
        self.run.as_ref().map_or(
            Usage {
                undeclared,
                ..Usage::default()
            },
            |run| Usage {
                bytes: run.log.total_bytes(),
                first_record: run.log.first_record(),
                next_record: run.log.durable_next(),
                undeclared,
                running: true,
            },
        )
    }
}

impl Run {
    fn take_place(&mut self, frame: &FrozenFrame) -> Place {
        self.chain.advance(frame);
        self.dirty = true;
        Place {
            chain: self.chain.id().clone(),
            seq: frame.seq,
            leaf: frame.leaf,
        }
    }
}

fn own_gap(chain: &Chain, count: u64, reason: &str) -> Gap {
    let next = chain.next_seq();
    Gap {
        chain: chain.id().clone(),
        count: (count > 0).then_some(count),
        from: next,
        reason: reason.to_owned(),
        to: next.saturating_sub(1),
    }
}

fn answer(replies: impl IntoIterator<Item = Reply>, result: &Result<Place, RecordError>) {
    for reply in replies {
        // A caller that gave up has already refused its action.
        let _gone = reply.send(result.clone());
    }
}

fn reason_of(error: &RecordError) -> &'static str {
    match error {
        RecordError::Full => "spool-full",
        _ => "storage-error",
    }
}

fn begin_error(error: &BeginError) -> RecordError {
    match error {
        BeginError::Append(AppendLogError::Full { .. }) => RecordError::Full,
        BeginError::Append(AppendLogError::NoSpace { .. }) => RecordError::NoSpace,
        other => RecordError::Storage(other.to_string()),
    }
}
