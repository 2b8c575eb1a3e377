//! The beginning of a chain: what the previous run left, and what it must be said to have missed.
//!
//! Owns finding the last entry of the previous chain and telling a clean end from a crash.

use super::mark::{Mark, MarkError};
use crate::chain::FreezeError;
use crate::random::NoRandomness;
use crate::state::StateDir;
use cairn_durable::book::{AppendLogError, OpenLogError, ReadLogError};
use cairn_durable::segment::SyncError;
use cairn_durable::{BookLimits, SegmentLog};
use cairn_event::Frame;
use cairn_event::body::{Body, Gap, PreviousChain};
use cairn_event::frame::FrameError;
use std::path::PathBuf;

/// Bytes of one spool file: 8 MiB, so that space comes back in steps smaller than the cap.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes kept free for gaps, heads and ends: 64 of the largest such entry.
const RESERVE_BYTES: u64 = 256 * 1024;

/// Why no chain could begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The spool does not open.
    #[error("spool: {0}")]
    Open(#[from] OpenLogError),
    /// The spool cannot be read.
    #[error("spool: {0}")]
    Read(#[from] ReadLogError),
    /// The spool takes no entry.
    #[error("spool: {0}")]
    Append(#[from] AppendLogError),
    /// The spool cannot be flushed.
    #[error("spool: {0}")]
    Sync(#[from] SyncError),
    /// A spooled record is not a frame. Fatal: something else wrote into the spool.
    #[error("spool record {record}: {source}")]
    Record {
        /// Its number.
        record: u64,
        /// What is wrong with it.
        #[source]
        source: FrameError,
    },
    /// The upload mark.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// An entry could not be frozen.
    #[error(transparent)]
    Freeze(#[from] FreezeError),
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The redaction rules do not compile, which a test excludes.
    #[error("the redaction rules do not compile")]
    Redactor,
    /// The thread could not be started.
    #[error("the recorder's thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// The spool as the previous run left it.
pub(super) struct Opened {
    pub log: SegmentLog,
    pub previous: Option<PreviousChain>,
    /// Why evidence is missing between that run and this one, if it is.
    pub missing: Option<&'static str>,
}

/// Opens the spool and finds the end of the previous chain.
pub(super) fn open(state: &StateDir, bytes_max: u64) -> Result<Opened, BeginError> {
    let limits = BookLimits {
        segment_bytes: SEGMENT_BYTES.min(bytes_max),
        total_bytes_max: bytes_max,
        reserve_bytes: RESERVE_BYTES.min(bytes_max / 4),
    };
    let opened = SegmentLog::open(&state.spool(), limits)?;
    let log = opened.log;
    let mut mark = Mark::load(state)?;
    // A deleted spool begins at 0 again: what it held is lost.
    let deleted = mark.next_record > log.next_record();
    if deleted {
        mark.next_record = log.first_record();
        mark.save(state)?;
    }
    let last = last_entry(&log)?;
    let (previous, ended) = match last {
        Some((previous, ended)) => (Some(previous), ended),
        None => (mark.last, mark.ended),
    };
    let missing = if opened.torn.is_some() || deleted {
        Some("spool-damaged")
    } else if previous.is_some() && !ended {
        Some("crash")
    } else {
        None
    };
    Ok(Opened {
        log,
        previous,
        missing,
    })
}

/// The last spooled entry that has a place in a chain, and whether it closed that chain.
fn last_entry(log: &SegmentLog) -> Result<Option<(PreviousChain, bool)>, BeginError> {
    let Some(record) = log.durable_next().checked_sub(1) else {
        return Ok(None);
    };
    if record < log.first_record() {
        return Ok(None);
    }
    let Some(read) = log.iter_from(record)?.next() else {
        return Ok(None);
    };
    let (record, bytes) = read?;
    let line = String::from_utf8_lossy(&bytes);
    let frame = Frame::parse(&line).map_err(|source| BeginError::Record { record, source })?;
    let entry = frame.entry();
    let payload = entry.payload();
    Ok(payload.link.as_ref().map(|link| {
        let previous = PreviousChain {
            chain: link.chain.clone(),
            head: entry.leaf(),
            seq: link.seq,
        };
        (previous, matches!(payload.body, Body::ChainEnd(_)))
    }))
}

/// The gap that a new chain declares about the previous one.
pub(super) fn gap(previous: &PreviousChain, count: u64, reason: &str) -> Gap {
    Gap {
        chain: previous.chain.clone(),
        count: (count > 0).then_some(count),
        from: previous.seq.saturating_add(1),
        reason: reason.to_owned(),
        to: previous.seq,
    }
}

/// Refusals that the hook shim counted while nobody listened. Taken out of the file, so that those
/// counted meanwhile stay for the next time.
pub(super) struct Unrecorded(PathBuf);

impl Unrecorded {
    /// Sets the counted refusals aside and returns how many there are.
    pub(super) fn take(state: &StateDir) -> (Self, u64) {
        let aside = state.path().join("unrecorded.declaring");
        // A file left by a crash before its gap was durable is declared first.
        if !aside.exists() {
            // No file means that nothing was refused.
            let _none = std::fs::rename(state.unrecorded(), &aside);
        }
        let count = std::fs::metadata(&aside).map_or(0, |meta| meta.len());
        (Self(aside), count)
    }

    /// Forgets them once the gap is durable.
    pub(super) fn declared(self) {
        // Left behind it is declared once more, which says too much and never too little.
        let _again = cairn_durable::remove_durable(&self.0);
    }
}
