//! Admission before sequencing: strict parsing and signatures, on both cores.
//!
//! Owns what can be judged without an order: form, and the signature under the key that the ledger
//! names. The place in a chain and the authority are judged again, in order, by the sequencer.
//!
//! Trap: never call this on an async thread; one submission costs milliseconds of arithmetic.

use crate::problem::Problem;
use cairn_event::body::Body;
use cairn_event::{Entry, Frame, PublicKey};
use cairn_identity::{Ledger, Refusal};
use std::sync::{PoisonError, RwLock};
use std::thread;

/// Below this many frames a second thread costs more than it saves.
const FRAMES_PER_THREAD_MIN: usize = 16;

/// Parses frames and verifies their signatures; one result for each, in order.
#[must_use]
pub fn admit(lines: &[String], ledger: &RwLock<Ledger>) -> Vec<Result<Frame, Problem>> {
    let parsed = in_parallel(lines, |line| {
        Frame::parse(line).map_err(|error| Problem::from(&error))
    });
    let keyed = with_keys(parsed, ledger);
    let signatures = in_parallel(&keyed, |one| match one {
        Ok((frame, key)) => frame.entry().verify(key),
        Err(_) => Ok(()),
    });
    let judged = keyed.into_iter().zip(signatures);
    judged
        .map(|(one, signature)| {
            let (frame, _) = one?;
            signature.map_err(|error| Problem::from(&Refusal::Entry(error)))?;
            Ok(frame)
        })
        .collect()
}

type Keyed = Result<(Frame, PublicKey), Problem>;

/// Finds each entry's key. A chain may start in the same submission, so its start is looked at too.
fn with_keys(parsed: Vec<Result<Frame, Problem>>, ledger: &RwLock<Ledger>) -> Vec<Keyed> {
    let starts: Vec<Entry> = parsed
        .iter()
        .flatten()
        .map(Frame::entry)
        .filter(|entry| matches!(entry.payload().body, Body::ChainStart(_)))
        .cloned()
        .collect();
    let ledger = ledger.read().unwrap_or_else(PoisonError::into_inner);
    let keyed = parsed.into_iter().map(|one| {
        let frame = one?;
        let key = ledger.key_for(frame.entry(), &starts);
        let key = key.map_err(|refusal| Problem::from(&refusal))?;
        Ok((frame, key))
    });
    keyed.collect()
}

/// Maps in order, with as many threads as there are cores and work for.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(items.len() / FRAMES_PER_THREAD_MIN).max(1);
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let share = items.len().div_ceil(threads);
    thread::scope(|scope| {
        let work = &work;
        let shares: Vec<_> = items
            .chunks(share)
            .map(|chunk| scope.spawn(move || chunk.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let mut results = Vec::with_capacity(items.len());
        for one in shares {
            match one.join() {
                Ok(part) => results.extend(part),
                // A panic in a parser is a bug that must not be swallowed.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}
