//! Following a log and delivering every entry at least once.
//!
//! Owns the loop: take a believed checkpoint, read the entries up to it under its root, deliver them
//! in batches, move the cursor after each batch. The log is the queue: an outage of the sink needs no
//! storage, and a replay is a cursor that was moved back.
//! Source: architecture section 2, step 8; `docs/formats/ocsf.md`, "delivery".

use crate::cursor::{Cursor, CursorError};
use crate::ocsf::{Source, checkpoint_record, record};
use crate::sink::{Delivery, Sink, SinkError};
use crate::verified::{Proofs, ReadError};
use cairn_audit::evidence::CheckpointRecord;
use cairn_audit::judge::Reading;
use cairn_audit::log::bundles::{self, BundleError, DisclosedByIndex};
use cairn_audit::source::reading::Parts;
use cairn_audit::source::{Disclosed, LogSource, SourceError, present};
use cairn_event::Disclosure;
use cairn_tlog::{RangeVerifier, TrustPolicy, VerifiedCheckpoint};
use std::ops::Range;

/// Most records delivered between two moves of the cursor: what a crash may deliver twice.
pub const BATCH: u64 = 1_024;

/// What the server is told the confidential members are read for.
const PURPOSE: &str = "stream of records";

/// Why the stream stopped.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The log could not be read or believed; try again later.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The sink did not take everything.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The cursor could not be read or moved.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// Entries that were not delivered are gone. Somebody has to decide to go on without them.
    #[error(
        "the next entry to deliver is {delivered}, and the log was pruned below {minimum}: to go on \
         without those entries, give `--skip-pruned`"
    )]
    Pruned {
        /// Where the cursor stands.
        delivered: u64,
        /// The log's minimum index.
        minimum: u64,
    },
    /// The log became smaller: it was reset, or this is another server.
    #[error("the log has {size} entries, {delivered} were delivered already")]
    Shrunk {
        /// Size of the newest checkpoint.
        size: u64,
        /// Where the cursor stands.
        delivered: u64,
    },
}

impl From<SourceError> for TailError {
    fn from(error: SourceError) -> Self {
        Self::Read(ReadError::Source(error))
    }
}

impl From<BundleError> for TailError {
    fn from(error: BundleError) -> Self {
        Self::Read(ReadError::Bundle(error))
    }
}

impl TailError {
    /// Whether trying again later may help.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Sink(_) | Self::Read(ReadError::Source(_) | ReadError::Bundle(_))
        )
    }
}

/// One origin, its trust policy, and the cursor of one sink.
pub struct Tail<'a> {
    source: &'a dyn LogSource,
    policy: &'a TrustPolicy,
    cursor: Cursor,
    /// Records between two checkpoint records.
    every: u64,
    last_reported: u64,
    skip_pruned: bool,
}

impl<'a> Tail<'a> {
    /// Goes on at the cursor. A checkpoint record is sent after at least `every` records.
    pub fn new(
        source: &'a dyn LogSource,
        policy: &'a TrustPolicy,
        cursor: Cursor,
        every: u64,
    ) -> Self {
        let last_reported = cursor.next();
        Self {
            source,
            policy,
            cursor,
            every: every.max(1),
            last_reported,
            skip_pruned: false,
        }
    }

    /// Goes on at the log's minimum index where the entries before it were pruned and not delivered.
    #[must_use]
    pub fn skipping_pruned(self, skip_pruned: bool) -> Self {
        Self {
            skip_pruned,
            ..self
        }
    }

    /// Delivers everything up to the newest checkpoint and says how many records that were.
    ///
    /// Errors: [`TailError`]; what was delivered since the last move of the cursor comes again.
    pub fn step(&mut self, sink: &mut dyn Sink) -> Result<u64, TailError> {
        let note = self.source.checkpoint()?;
        let head = self
            .policy
            .verify_checkpoint(&note)
            .map_err(ReadError::Checkpoint)?;
        let (size, delivered) = (head.checkpoint.size, self.cursor.next());
        if size < delivered {
            return Err(TailError::Shrunk { size, delivered });
        }
        let minimum = self.source.retention()?.minimum_index;
        let mut at = delivered;
        if delivered < minimum {
            if !self.skip_pruned {
                return Err(TailError::Pruned { delivered, minimum });
            }
            self.cursor.advance(minimum)?;
            (at, self.last_reported) = (minimum, minimum);
        }
        let from = at;
        while at < size {
            let end = size.min((at / BATCH).saturating_add(1).saturating_mul(BATCH));
            self.deliver(sink, at, end, &head, &note)?;
            at = end;
        }
        Ok(size.saturating_sub(from))
    }

    fn deliver(
        &mut self,
        sink: &mut dyn Sink,
        start: u64,
        end: u64,
        head: &VerifiedCheckpoint,
        note: &str,
    ) -> Result<(), TailError> {
        let entries = self.verified_entries(start, end, head, note)?;
        let logged_seconds = head.cosigned.iter().map(|(_, seconds)| *seconds).max();
        let readings: Vec<Reading> = entries.iter().map(|bytes| Reading::of(bytes)).collect();
        let mut disclosed = self.disclosed(start..end, &readings)?;
        for ((bytes, reading), index) in entries.iter().zip(&readings).zip(start..) {
            let disclosures = opened(reading, disclosed.remove(&index).unwrap_or_default());
            let source = Source {
                origin: &head.checkpoint.origin,
                index,
                bytes,
                entry: reading.entry(),
                disclosures: &disclosures,
                logged_seconds,
            };
            sink.send(&delivery(Some(index), &record(&source)))?;
        }
        if end - self.last_reported >= self.every || end == head.checkpoint.size {
            let covered = cairn_tlog::Checkpoint {
                size: end,
                ..head.checkpoint.clone()
            };
            let whole = end == head.checkpoint.size;
            let note = if whole { note } else { "" };
            let mut record = checkpoint_record(&covered, self.last_reported, &head.cosigned, note);
            if !whole && let Some(more) = record.pointer_mut("/unmapped/cairn") {
                // The root belongs to the newest tree, not to the records counted here.
                more.as_object_mut().map(|members| members.remove("root"));
            }
            sink.send(&delivery(None, &record))?;
            self.last_reported = end;
        }
        sink.flush()?;
        Ok(self.cursor.advance(end)?)
    }

    /// Reads `[start, end)` and proves that it is what the checkpoint's tree holds there.
    fn verified_entries(
        &self,
        start: u64,
        end: u64,
        head: &VerifiedCheckpoint,
        note: &str,
    ) -> Result<Vec<Vec<u8>>, TailError> {
        let tree = CheckpointRecord {
            size: head.checkpoint.size,
            root: head.checkpoint.root,
            note: note.to_owned(),
            cosigned: Vec::new(),
        };
        let proof = Proofs::new(self.source, &tree).range(start, end)?;
        let mut verifier = RangeVerifier::new(start, &proof).map_err(ReadError::Tiles)?;
        let mut entries = Vec::new();
        let whole = bundles::Tree {
            source: self.source,
            size: tree.size,
            minimum: 0,
        };
        bundles::for_each(whole, start..end, |_, read| {
            for place in read {
                verifier.push(place.leaf());
                entries.extend(place.entry());
            }
            Ok::<(), BundleError>(())
        })?;
        verifier
            .finish(tree.size, &tree.root)
            .map_err(ReadError::Tiles)?;
        Ok(entries)
    }

    /// Confidential members of a batch. Asked for only where there are any: a server records every
    /// reading as an entry, and a stream that read its own records would never come to rest.
    fn disclosed(
        &self,
        range: Range<u64>,
        readings: &[Reading],
    ) -> Result<DisclosedByIndex, TailError> {
        if !readings.iter().any(|reading| !digests(reading).is_empty()) {
            return Ok(DisclosedByIndex::new());
        }
        let Some(leave) = self.source.announce(&range, PURPOSE)? else {
            return Ok(DisclosedByIndex::new());
        };
        Ok(Parts::new(self.source, &leave).take(range)?)
    }
}

fn digests(reading: &Reading) -> &[String] {
    let entry = reading.entry();
    entry.map_or(&[], |entry| entry.payload().sd.as_slice())
}

/// The disclosures that the entry commits to: a server could offer others.
fn opened(reading: &Reading, disclosed: Vec<Disclosed>) -> Vec<Disclosure> {
    let sd = digests(reading);
    let present = present(disclosed).into_iter();
    let parsed = present.filter_map(|encoded| Disclosure::parse(&encoded).ok());
    parsed
        .filter(|one| sd.binary_search(&one.digest()).is_ok())
        .collect()
}

fn delivery(index: Option<u64>, record: &serde_json::Value) -> Delivery {
    Delivery {
        index,
        time_ms: record
            .get("time")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or_default(),
        alert: record
            .get("is_alert")
            .and_then(serde_json::Value::as_bool)
            .unwrap_or_default(),
        json: record.to_string(),
    }
}
