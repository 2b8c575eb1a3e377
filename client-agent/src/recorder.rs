//! The recorder: the one thread that puts entries into the chain and the spool.
//!
//! Owns the order: freeze, append, flush, and only then answer. Requests that wait at the same time
//! share one flush (group commit). Does not own what an entry says or how it reaches the log.
//!
//! Source: architecture of record, section 2, steps 3 and 4; section 3 (chains).

mod begin;
mod mark;
mod thread;

pub use begin::BeginError;
pub use mark::{Mark, MarkError};

use crate::chain::{Draft, FreezeError};
use crate::circumstances::Circumstances;
use crate::enrolment::Identity;
use crate::key::DeviceKey;
use crate::state::StateDir;
use cairn_durable::RecordIter;
use cairn_event::{Kid, Sha256};
use serde_json::Value;
use std::sync::Arc;
use std::sync::mpsc;
use tokio::sync::{Notify, oneshot};

/// Where an entry stands after it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The chain.
    pub chain: Kid,
    /// Its number in the chain.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: Sha256,
}

/// Why an entry was not recorded. It will be counted in a gap entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The spool's own cap is reached. Retry after an upload; the policy says what to do meanwhile.
    #[error("the spool is full")]
    Full,
    /// The disk is full. Retry after space was freed.
    #[error("no space left on the device")]
    NoSpace,
    /// The disk failed; the spool is opened anew with the next entry. Retry.
    #[error("storage failed: {0}")]
    Storage(String),
    /// The entry cannot be frozen. Refused.
    #[error("the entry cannot be frozen: {0}")]
    Freeze(String),
    /// The recorder has stopped. Fatal.
    #[error("the recorder has stopped")]
    Stopped,
}

impl From<FreezeError> for RecordError {
    fn from(error: FreezeError) -> Self {
        Self::Freeze(error.to_string())
    }
}

/// How much waits in the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all spool files.
    pub bytes: u64,
    /// Number of the oldest record kept.
    pub first_record: u64,
    /// Number after the last durable record.
    pub next_record: u64,
    /// Entries that could not be recorded and are not yet declared in a gap.
    pub undeclared: u64,
    /// Whether a chain is running.
    pub running: bool,
}

/// What the recorder needs to know about the device.
pub struct Setup {
    /// The state folder.
    pub state: StateDir,
    /// Who the device is.
    pub identity: Identity,
    /// The device key.
    pub key: DeviceKey,
    /// The current circumstances.
    pub circumstances: Arc<Circumstances>,
    /// Cap of the spool in bytes.
    pub spool_bytes_max: u64,
    /// SHA-256 of the daemon's executable.
    pub daemon_sha256: Sha256,
    /// Confidential members of every chain start.
    pub confidential: Vec<(&'static str, Value)>,
}

pub(crate) enum Command {
    Record(Box<Draft>, oneshot::Sender<Result<Place, RecordError>>),
    Read(u64, oneshot::Sender<Result<RecordIter, RecordError>>),
    Retire(u64),
    Rotate,
    Missing(&'static str),
    Usage(oneshot::Sender<Usage>),
    Stop(String, oneshot::Sender<()>),
}

/// A handle to the recorder's thread; clones share it.
#[derive(Clone)]
pub struct Recorder {
    commands: mpsc::Sender<Command>,
    recorded: Arc<Notify>,
}

impl Recorder {
    /// Opens the spool, begins a chain and starts the thread.
    ///
    /// Errors: [`BeginError`]; without a spool nothing can be recorded, so nothing may run.
    pub fn start(setup: Setup) -> Result<Self, BeginError> {
        let (commands, receiver) = mpsc::channel();
        let recorded = Arc::new(Notify::new());
        let mut worker = thread::Worker::new(setup, Arc::clone(&recorded))?;
        worker.begin()?;
        std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || worker.run(&receiver))
            .map_err(BeginError::Thread)?;
        Ok(Self { commands, recorded })
    }

    /// Records an entry; it is durable when this returns.
    ///
    /// Errors: [`RecordError`]; the action must not be allowed unless the policy says so.
    pub async fn record(&self, draft: Draft) -> Result<Place, RecordError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Command::Record(Box::new(draft), sender))?;
        receiver.await.map_err(|_| RecordError::Stopped)?
    }

    /// The durable records from number `from` on.
    ///
    /// Errors: [`RecordError::Storage`], [`RecordError::Stopped`].
    pub async fn read(&self, from: u64) -> Result<RecordIter, RecordError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Command::Read(from, sender))?;
        receiver.await.map_err(|_| RecordError::Stopped)?
    }

    /// Gives back the space of records below `before`.
    pub fn retire(&self, before: u64) {
        // A recorder that has stopped keeps its files, which is safe.
        let _stopped = self.send(Command::Retire(before));
    }

    /// Ends trust in the running chain: the log refused an entry of it. A new chain begins.
    pub fn rotate(&self) {
        let _stopped = self.send(Command::Rotate);
    }

    /// Declares that actions may have been answered by somebody else, uncounted, for this reason.
    pub fn missing(&self, reason: &'static str) {
        // A recorder that has stopped declares what is missing with its next start.
        let _stopped = self.send(Command::Missing(reason));
    }

    /// How much waits in the spool.
    ///
    /// Errors: [`RecordError::Stopped`].
    pub async fn usage(&self) -> Result<Usage, RecordError> {
        let (sender, receiver) = oneshot::channel();
        self.send(Command::Usage(sender))?;
        receiver.await.map_err(|_| RecordError::Stopped)
    }

    /// Closes the chain with a signed end and stops the thread.
    pub async fn stop(&self, reason: &str) {
        let (sender, receiver) = oneshot::channel();
        if self.send(Command::Stop(reason.to_owned(), sender)).is_ok() {
            // An error means that the thread has already ended.
            let _ended = receiver.await;
        }
    }

    /// Completes when something was recorded since the last call.
    pub async fn recorded(&self) {
        self.recorded.notified().await;
    }

    fn send(&self, command: Command) -> Result<(), RecordError> {
        self.commands
            .send(command)
            .map_err(|_| RecordError::Stopped)
    }
}
