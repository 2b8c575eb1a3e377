//! Admission before sequencing: strict parsing and signatures, on all cores.
//!
//! Owns what can be judged without an order: form, and the signature under the key that the ledger
//! names. The signature comes first: nobody unknown has disclosures parsed here. The place in a chain
//! and the authority are judged again, in order, by the sequencer.
//!
//! One or two short frames are judged where the request is served: that is less work than handing
//! them to another thread. More go in parts to threads made for such work, as many parts at once as
//! there are cores, so that the sequencer and the network get their turn.

use crate::outcome::SubmitError;
use crate::problem::Problem;
use cairn_event::body::Body;
use cairn_event::frame::{FrameError, Unopened};
use cairn_event::{Entry, Frame};
use cairn_identity::{Ledger, Refusal};
use futures_util::future::try_join_all;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use tokio::sync::Semaphore;

/// Frames in one part: 2 ms of arithmetic, long against a hand-over and short against a round.
const FRAMES_PER_PART: usize = 32;

/// Frames judged in place: a tenth of a millisecond of arithmetic.
const FRAMES_IN_PLACE: usize = 2;

/// Bytes judged in place: parsing and hashing them is below the cost of one signature.
const BYTES_IN_PLACE: usize = 16_384;

/// Room for as many parts at once as the machine has cores.
#[derive(Clone)]
pub struct Verifiers(Arc<Semaphore>);

impl Verifiers {
    /// One place for each core.
    #[must_use]
    pub fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(cores)))
    }

    /// Does `work` when a place is free.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, SubmitError> {
        let place = self.0.clone().acquire_owned().await;
        let place = place.map_err(|_| SubmitError::Stopped)?;
        let done = crate::blocking::run(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|_| SubmitError::Stopped)
    }
}

impl Default for Verifiers {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of one frame.
type Judged = Result<Frame, Problem>;

/// A frame judged, or the line of one whose chain may start in another frame of the same submission.
enum First {
    Judged(Box<Judged>),
    NoChainYet(String),
}

/// Parses frames and verifies their signatures; one result for each, in order.
///
/// # Errors
/// `Stopped`: the runtime is ending.
pub(crate) async fn admit(
    lines: Vec<String>,
    ledger: Arc<RwLock<Ledger>>,
    verifiers: &Verifiers,
) -> Result<Vec<Judged>, SubmitError> {
    let bytes: usize = lines.iter().map(String::len).sum();
    let firsts = if lines.len() <= FRAMES_IN_PLACE && bytes <= BYTES_IN_PLACE {
        first_look(lines, &ledger)
    } else {
        let mut lines = lines.into_iter();
        let parts = std::iter::from_fn(|| {
            let part: Vec<String> = lines.by_ref().take(FRAMES_PER_PART).collect();
            (!part.is_empty()).then_some(part)
        });
        let parts = parts.map(|part| {
            let ledger = ledger.clone();
            verifiers.run(move || first_look(part, &ledger))
        });
        try_join_all(parts).await?.into_iter().flatten().collect()
    };
    if firsts.iter().all(|first| matches!(first, First::Judged(_))) {
        let judged = firsts.into_iter().filter_map(|first| match first {
            First::Judged(judged) => Some(*judged),
            First::NoChainYet(_) => None,
        });
        return Ok(judged.collect());
    }
    verifiers.run(move || second_look(firsts, &ledger)).await
}

fn first_look(lines: Vec<String>, ledger: &RwLock<Ledger>) -> Vec<First> {
    let look = |line: String| match judge(&line, ledger, &[]) {
        Ok(frame) => First::Judged(Box::new(Ok(frame))),
        // What was read of it is dropped: nobody vouched for it yet.
        Err(Refused::Entry(refusal)) if matches!(*refusal, Refusal::UnknownChain(_)) => {
            First::NoChainYet(line)
        }
        Err(refused) => First::Judged(Box::new(Err(refused.into()))),
    };
    lines.into_iter().map(look).collect()
}

/// Looks once more at entries of unknown chains, with the chain starts that came along.
fn second_look(firsts: Vec<First>, ledger: &RwLock<Ledger>) -> Vec<Judged> {
    let verified = firsts.iter().filter_map(|first| match first {
        First::Judged(judged) => judged.as_ref().as_ref().ok().map(Frame::entry),
        First::NoChainYet(_) => None,
    });
    let starts: Vec<Entry> = verified
        .filter(|entry| matches!(entry.payload().body, Body::ChainStart(_)))
        .cloned()
        .collect();
    let look = |first| match first {
        First::Judged(judged) => *judged,
        First::NoChainYet(line) => judge(&line, ledger, &starts).map_err(Problem::from),
    };
    firsts.into_iter().map(look).collect()
}

/// Why one frame goes no further.
enum Refused {
    Frame(FrameError),
    Entry(Box<Refusal>),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Frame(error) => Self::from(&error),
            Refused::Entry(refusal) => Self::from(refusal.as_ref()),
        }
    }
}

/// Reads the entry, verifies its signature under the key that the ledger, or a chain start beside it,
/// names, and only then opens the disclosures. Until the signature holds, a thread has one entry of at
/// most `MAX_ENTRY_BYTES` in memory as JSON, whatever else was sent.
fn judge(line: &str, ledger: &RwLock<Ledger>, starts: &[Entry]) -> Result<Frame, Refused> {
    let of_entry = |refusal| Refused::Entry(Box::new(refusal));
    let unopened = Unopened::parse(line).map_err(Refused::Frame)?;
    let key = {
        let ledger = ledger.read().unwrap_or_else(PoisonError::into_inner);
        // A genesis names its own keys: anybody can sign one.
        let genesis = matches!(unopened.entry().payload().body, Body::Genesis(_));
        let known = ledger.genesis_leaf();
        if genesis && known.is_some_and(|leaf| leaf != unopened.entry().leaf()) {
            let reason = "the log already has its genesis entry";
            return Err(of_entry(Refusal::Genesis(reason)));
        }
        let key = ledger.key_for(unopened.entry(), starts);
        key.map_err(of_entry)?
    };
    let signature = unopened.entry().verify(&key).map_err(Refusal::Entry);
    signature.map_err(of_entry)?;
    unopened.open().map_err(Refused::Frame)
}
