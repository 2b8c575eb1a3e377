//! The pool: what was admitted and waits for the sequencer, bounded in entries and bytes.
//!
//! Owns the bounds and the hand-over. A submission reserves its room before it costs any work, so
//! overload is answered at once and never by a growing queue.

use crate::outcome::SubmitError;
use crate::problem::Problem;
use cairn_event::Frame;
use cairn_tlog::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// Seconds a turned-away submitter waits: several rounds fit in it.
const RETRY_AFTER_S: u64 = 1;

/// What the sequencer decided about one frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Durable at its index.
    Sequenced {
        /// The index.
        index: u64,
        /// The leaf hash.
        leaf: Hash,
        /// Whether the bytes were there before.
        duplicate: bool,
    },
    /// Not in the log.
    Refused(Problem),
}

/// One submission on its way to the sequencer.
pub struct Waiting {
    /// Frames whose signature was verified.
    pub frames: Vec<Frame>,
    /// Where the verdicts go. Dropped without a word when the log stops.
    pub reply: oneshot::Sender<Vec<Verdict>>,
    /// Gives the room back when the round is over.
    pub ticket: Ticket,
}

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Entries.
    pub entries: u64,
    /// Bytes of frames.
    pub bytes: u64,
}

#[derive(Default)]
struct Load {
    entries: AtomicU64,
    bytes: AtomicU64,
}

/// The submitters' side.
#[derive(Clone)]
pub struct Pool {
    limits: PoolLimits,
    load: Arc<Load>,
    queue: mpsc::Sender<Waiting>,
    reserve: Arc<dyn Fn() -> Result<(), SubmitError> + Send + Sync>,
}

/// Room in the pool; given back on drop.
pub struct Ticket {
    load: Arc<Load>,
    entries: u64,
    bytes: u64,
}

impl Ticket {
    /// Entries for which this room was taken.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Entries of everybody who has room now, from before admission to the end of their round.
    #[must_use]
    pub fn in_the_pool(&self) -> u64 {
        self.load.entries.load(Ordering::SeqCst)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.load.entries.fetch_sub(self.entries, Ordering::SeqCst);
        self.load.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

impl Pool {
    /// A pool and the sequencer's end of it. `reserve` is asked first: it refuses while the disk
    /// is nearly full.
    pub fn new(
        limits: PoolLimits,
        reserve: Arc<dyn Fn() -> Result<(), SubmitError> + Send + Sync>,
    ) -> (Self, mpsc::Receiver<Waiting>) {
        let (queue, waiting) = mpsc::channel();
        (
            Self {
                limits,
                load: Arc::default(),
                queue,
                reserve,
            },
            waiting,
        )
    }

    /// Takes room for these frames.
    ///
    /// # Errors
    /// `PoolFull` or `DiskReserve`; nothing was taken.
    pub fn reserve(&self, frames: &[String]) -> Result<Ticket, SubmitError> {
        (self.reserve)()?;
        let entries = frames.len() as u64;
        let bytes = frames.iter().map(|frame| frame.len() as u64).sum();
        let ticket = Ticket {
            load: self.load.clone(),
            entries,
            bytes,
        };
        let waiting = self.load.entries.fetch_add(entries, Ordering::SeqCst) + entries;
        let held = self.load.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes;
        if waiting > self.limits.entries || held > self.limits.bytes {
            // Dropping the ticket gives the room back.
            return Err(SubmitError::PoolFull {
                retry_after_s: RETRY_AFTER_S,
            });
        }
        Ok(ticket)
    }

    /// Hands frames to the sequencer and waits for its verdicts, one for each frame.
    ///
    /// # Errors
    /// `Stopped`.
    pub async fn sequence(
        &self,
        frames: Vec<Frame>,
        ticket: Ticket,
    ) -> Result<Vec<Verdict>, SubmitError> {
        if frames.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, verdicts) = oneshot::channel();
        let waiting = Waiting {
            frames,
            reply,
            ticket,
        };
        self.queue.send(waiting).map_err(|_| SubmitError::Stopped)?;
        verdicts.await.map_err(|_| SubmitError::Stopped)
    }

    /// Entries and bytes now waiting.
    #[must_use]
    pub fn load(&self) -> (u64, u64) {
        let load = &self.load;
        (
            load.entries.load(Ordering::SeqCst),
            load.bytes.load(Ordering::SeqCst),
        )
    }
}
