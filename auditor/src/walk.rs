//! One walk over entries in order: judged, verified, replayed and turned into rows.
//!
//! Owns what the exporter does before it writes and the auditor does again over what was written.
//! Entries are read ([`Walk::read`]), judged in order ([`Walk::judge`]), verified ([`Batch::verify`]) and
//! settled in order ([`Walk::settle`]); the next may be read and judged while the last are verified.
//! It fetches nothing itself. Trap: leaf hashes and proofs are the caller's; a walk believes that its
//! entries are the log's.

mod decisions;
mod kept;
mod reading;

pub use kept::KeptWalk;
pub use reading::{Batch, Verified};

use crate::beacons::{Beacons, TreeAt};
use crate::controls::Verdicts;
use crate::evidence::tables::Collector;
use crate::evidence::{Context, EventRow, Tables, event_row};
use crate::judge::{Judge, Reading, verify};
use crate::replay::Replayer;
use crate::report::{Check, Failure, Report};
use crate::source::{Disclosed, present};
use cairn_event::body::Body;
use cairn_event::{Disclosure, Entry, Kid, Sha256};
use cairn_identity::{Flag, Ledger};
use cairn_tlog::Hash;
use rayon::prelude::*;
use reading::{Judged, Read};
use std::collections::BTreeMap;
use std::ops::Range;

/// An entry with the disclosures that were given for it, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Index in the log.
    pub index: u64,
    /// The exact entry bytes.
    pub bytes: Vec<u8>,
    /// Encoded disclosures.
    pub disclosures: Vec<String>,
    /// Whether its source says that a disclosure of it was destroyed: a claim, until an erasure entry
    /// says so.
    pub erased: bool,
}

impl Item {
    /// An entry with what a source said of its confidential members.
    pub fn new(index: u64, bytes: Vec<u8>, disclosed: Vec<Disclosed>) -> Self {
        Self {
            index,
            bytes,
            erased: disclosed.contains(&Disclosed::Erased),
            disclosures: present(disclosed),
        }
    }
}

/// Entries as read, in order.
pub struct Readings(Vec<Read>);

impl Readings {
    /// The entries, where they were read.
    pub fn entries(&self) -> impl Iterator<Item = Option<&Entry>> {
        self.0.iter().map(|read| read.reading.entry())
    }
}

/// The state of a walk.
pub struct Walk {
    judge: Judge,
    context: Context,
    /// Not there where nobody asks for tables.
    collector: Option<Collector>,
    replayer: Replayer,
    beacons: Beacons,
    /// Entries whose source says that something of them was destroyed, and whether each is a decision
    /// whose input is missing: the erasure entry comes later in the log.
    said_erased: BTreeMap<u64, bool>,
    range: Range<u64>,
    bundles: BTreeMap<Sha256, Vec<u8>>,
    signatures: Check,
    disclosures: Check,
    decisions: Check,
    blobs: Check,
    report: Report,
    /// A chain that an entry was refused for, although only the caller let it go.
    away: Option<Kid>,
    /// What only a verifier can know; the caller adds proofs and checkpoints. Empty without tables.
    pub verdicts: Verdicts,
}

/// What a finished walk leaves.
pub struct Walked {
    /// The small tables; `events` is the caller's.
    pub tables: Tables,
    /// Checks and counts.
    pub report: Report,
    /// What only a verifier can know.
    pub verdicts: Verdicts,
    /// The ledger after the last entry.
    pub ledger: Ledger,
}

impl Walk {
    /// A walk over the rows of `range` in the log `origin`.
    ///
    /// `context` holds the verified checkpoints and every erasure; `bundles` are the policy blobs at
    /// hand, whose digests are checked here.
    pub fn new(
        origin: &str,
        range: Range<u64>,
        context: Context,
        bundles: BTreeMap<Sha256, Vec<u8>>,
    ) -> Self {
        let mut walk = Self {
            judge: Judge::new(origin),
            context,
            collector: Some(Collector::default()),
            replayer: Replayer::default(),
            beacons: Beacons::default(),
            said_erased: BTreeMap::new(),
            range,
            bundles: BTreeMap::new(),
            signatures: Check::new("signatures"),
            disclosures: Check::new("disclosures"),
            decisions: Check::new("decision-replay"),
            blobs: Check::new("policy-blobs"),
            report: Report::default(),
            away: None,
            verdicts: Verdicts::default(),
        };
        for (digest, bytes) in bundles {
            walk.add_bundle(digest, bytes);
        }
        walk
    }

    /// The same walk without tables and verdicts, whose memory would grow with what it has seen.
    pub fn without_tables(mut self) -> Self {
        self.collector = None;
        self
    }

    /// Says that the log was pruned below this index: of the entries before it those are given that stay.
    pub fn set_minimum_index(&mut self, index: u64) {
        self.judge.set_minimum_index(index);
    }

    /// Takes a policy blob, before the entry that names it.
    pub fn add_bundle(&mut self, digest: Sha256, bytes: Vec<u8>) {
        if Sha256::of(&bytes) == digest {
            self.blobs.pass();
            self.replayer.add_bundle(digest, &bytes);
            self.bundles.insert(digest, bytes);
        } else {
            let file = format!("policy/{digest}.json");
            self.blobs
                .fail(Failure::of_file(&file, "the blob has another SHA-256"));
        }
    }

    /// Takes an entry from outside the range whose inclusion was proven on its own.
    pub fn context_item(&mut self, file: &str, line: u64, item: &Item) {
        let read = Read::of(item);
        let place = |reason: String| Failure::of_row(file, line, item.index, reason);
        let judged = self.judge.context(item.index, &read.reading);
        let judged = judged.and_then(|judgement| {
            verify(&read.reading, &judgement)?;
            Ok(judgement)
        });
        self.signatures.record(judged, place);
        self.note_disclosures(&read, place);
        self.learn(item.index, &read.reading, &read.disclosures);
    }

    /// Takes the next entries of the range and gives their rows.
    pub fn items(&mut self, file: &str, items: &[Item]) -> Vec<EventRow> {
        let batch = self.judge(file, items, Self::read(items));
        let verified = batch.verify();
        let pairs = verified.0.par_iter().zip(items);
        let rows = pairs.map(|((one, _), item)| {
            let entry = one.reading.entry();
            event_row(
                one.index,
                &item.bytes,
                entry,
                &one.disclosures,
                &self.context,
            )
        });
        let rows = rows.collect();
        self.settle(file, verified);
        rows
    }

    /// Reads entries and their disclosures, on every core.
    pub fn read(items: &[Item]) -> Readings {
        Readings(items.par_iter().map(Read::of).collect())
    }

    /// Judges the places of the next entries of the range, in order.
    pub fn judge(&mut self, file: &str, items: &[Item], readings: Readings) -> Batch {
        let mut batch = Vec::with_capacity(items.len());
        for (item, read) in items.iter().zip(readings.0) {
            let row = item.index.saturating_sub(self.range.start);
            let place = |reason: String| Failure::of_row(file, row, item.index, reason);
            let moved = self.judge.skip_to(item.index);
            let judgement = moved.and_then(|()| self.judge.next(&read.reading));
            let judgement = match judgement {
                Ok(judgement) => {
                    self.note_flags(&judgement.flags);
                    Some(judgement)
                }
                Err(fault) => {
                    self.away = self.away.take().or_else(|| fault.chain_away().cloned());
                    self.refuse(item.index, place(fault.to_string()));
                    None
                }
            };
            if matches!(read.reading, Reading::Foreign) {
                self.report
                    .count("entries of unknown version (integrity only)", 1);
            }
            self.note_disclosures(&read, place);
            self.learn(item.index, &read.reading, &read.disclosures);
            batch.push(Judged {
                index: item.index,
                reading: read.reading,
                disclosures: read.disclosures,
                erased: item.erased,
                judgement,
            });
        }
        Batch(batch)
    }

    /// Reports what verifying gave and replays the decisions, in order.
    pub fn settle(&mut self, file: &str, verified: Verified) {
        for (one, verdict) in &verified.0 {
            match verdict {
                Some(Ok(())) => self.signatures.pass(),
                Some(Err(fault)) => {
                    let row = one.index.saturating_sub(self.range.start);
                    self.refuse(one.index, Failure::of_row(file, row, one.index, fault));
                }
                None => {}
            }
            if one.erased {
                self.said_erased.insert(one.index, false);
            }
        }
        self.replay(file, &verified);
    }

    fn refuse(&mut self, index: u64, failure: Failure) {
        if self.collector.is_some() {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            self.verdicts.bad_signatures.insert(index);
        }
        self.signatures.fail(failure);
    }

    fn note_disclosures(&mut self, read: &Read, place: impl Fn(String) -> Failure) {
        read.disclosures
            .iter()
            .for_each(|_| self.disclosures.pass());
        for fault in &read.faults {
            self.disclosures.fail(place(fault.clone()));
        }
    }

    fn learn(&mut self, index: u64, reading: &Reading, disclosures: &[Disclosure]) {
        let Some(entry) = reading.entry() else { return };
        match &entry.payload().body {
            Body::Policy(statement) => self.learn_policy(index, statement),
            Body::Erasure(erasure) => self.context.add_erasure(erasure),
            Body::Fork(_) => self.report.count("forks recorded", 1),
            Body::Gap(_) | Body::ObservedGap(_) => self.report.count("gaps recorded", 1),
            _ => {}
        }
        if let Some(beacon) = &entry.payload().context.beacon {
            self.beacons.note(index, beacon);
        }
        if self.is_behind(entry) {
            self.report.count(
                "entries under an older policy than their own checkpoint has",
                1,
            );
        }
        if let Some(collector) = &mut self.collector {
            collector.feed(index, entry, disclosures, &self.range);
        }
    }

    /// Whether a device acted under a policy although it had seen a checkpoint with a newer one. For a moment
    /// that is so with each change; for longer it was kept from the device, or the device from it.
    fn is_behind(&self, entry: &Entry) -> bool {
        let context = &entry.payload().context;
        let (Some(beacon), Some(policy)) = (&context.beacon, context.policy) else {
            return false;
        };
        let mut newest_first = self.judge.ledger().policies().iter().rev();
        let newest = newest_first.find(|head| head.index < beacon.size);
        newest.is_some_and(|head| head.index > policy)
    }

    fn note_flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            let name = match flag {
                Flag::DeviceRevoked => "entries of revoked devices (flagged)",
                Flag::HistoryDropped => "chains that do not name their device's previous chain",
                Flag::HistoryRewritten => {
                    "chains that name another end of their device's previous chain"
                }
                Flag::Missing { from, to, .. } => {
                    let missing = to.saturating_sub(*from).saturating_add(1);
                    self.report
                        .count("chain records missing from the log", missing);
                    "places where chain records are missing"
                }
            };
            self.report.count(name, 1);
        }
    }

    /// The sizes of the beacons that wait to be settled.
    pub fn beacon_sizes(&self) -> impl Iterator<Item = u64> {
        self.beacons.sizes()
    }

    /// Compares the beacons of the entries taken so far with the tree; see [`Beacons::settle`].
    /// Trap: beacons that are never settled are counted as not checkable.
    pub fn settle_beacons(
        &mut self,
        tree: impl FnMut(u64, &Hash) -> TreeAt,
        place: impl Fn(u64, String) -> Failure,
    ) {
        self.beacons.settle(tree, place);
    }

    /// The ledger after the last entry.
    pub fn ledger(&self) -> &Ledger {
        self.judge.ledger()
    }

    /// The ledger, for a caller who lets chains go between batches and recalls those that the next one needs.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        self.judge.ledger_mut()
    }

    /// The first chain that was not recalled for an entry: the walk's verdict means nothing then.
    pub fn away(&self) -> Option<&Kid> {
        self.away.as_ref()
    }

    /// Ends the walk.
    pub fn finish(mut self) -> Walked {
        let nowhere = |index, reason| Failure::of_index("entries", index, reason);
        self.beacons.settle(|_, _| TreeAt::Unknown, nowhere);
        self.settle_erased();
        let ledger = self.judge.into_ledger();
        let tables = self.collector.unwrap_or_default().finish(
            &ledger,
            &self.context,
            &self.range,
            &self.bundles,
        );
        let mut report = self.report;
        let (beacons, unknown) = self.beacons.finish();
        if unknown > 0 {
            report.count("beacons not checkable with what is at hand", unknown);
        }
        for check in [
            self.signatures,
            beacons,
            self.disclosures,
            self.blobs,
            self.decisions,
        ] {
            report.push(check);
        }
        Walked {
            tables,
            report,
            verdicts: self.verdicts,
            ledger,
        }
    }
}
