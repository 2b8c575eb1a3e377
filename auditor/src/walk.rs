//! One walk over entries in order: judged, verified, replayed and turned into rows.
//!
//! Owns what the exporter does before it writes and the auditor does again over what was written.
//! It reads nothing itself. Trap: leaf hashes and proofs are the caller's; a walk believes that its
//! entries are the log's.

mod decisions;
mod parallel;

pub use parallel::in_parallel;

use crate::beacons::{Beacons, TreeAt};
use crate::controls::Verdicts;
use crate::evidence::tables::Collector;
use crate::evidence::{Context, EventRow, Tables, event_row};
use crate::judge::{Judge, Judgement, Reading, verify};
use crate::replay::Replayer;
use crate::report::{Check, Failure, Report};
use crate::source::{Disclosed, present};
use cairn_event::body::Body;
use cairn_event::{Disclosure, Sha256};
use cairn_identity::{Flag, Ledger};
use cairn_tlog::Hash;
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

/// An entry after its checks.
struct Checked {
    index: u64,
    reading: Reading,
    disclosures: Vec<Disclosure>,
    erased: bool,
}

/// The state of a walk.
pub struct Walk {
    judge: Judge,
    context: Context,
    collector: Collector,
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
    /// What only a verifier can know; the caller adds proofs and checkpoints.
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
            collector: Collector::default(),
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
            verdicts: Verdicts::default(),
        };
        for (digest, bytes) in bundles {
            walk.add_bundle(digest, bytes);
        }
        walk
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
        let reading = Reading::of(&item.bytes);
        let place = |reason: String| Failure::of_row(file, line, item.index, reason);
        let judged = self.judge.context(item.index, &reading);
        let judged = judged.and_then(|judgement| {
            verify(&reading, &judgement)?;
            Ok(judgement)
        });
        self.signatures.record(judged, place);
        let disclosures = self.open_disclosures(&reading, item, place);
        self.learn(item.index, &reading, &disclosures);
    }

    /// Takes the next entries of the range and gives their rows.
    pub fn items(&mut self, file: &str, items: &[Item]) -> Vec<EventRow> {
        let readings = in_parallel(items, |item| Reading::of(&item.bytes));
        let mut checked = Vec::with_capacity(items.len());
        let mut judged: Vec<Option<Judgement>> = Vec::with_capacity(items.len());
        for (item, reading) in items.iter().zip(readings) {
            let row = item.index.saturating_sub(self.range.start);
            let place = |reason: String| Failure::of_row(file, row, item.index, reason);
            let moved = self.judge.skip_to(item.index);
            let judgement = moved.and_then(|()| self.judge.next(&reading));
            judged.push(match judgement {
                Ok(judgement) => {
                    self.note_flags(&judgement.flags);
                    Some(judgement)
                }
                Err(fault) => {
                    self.refuse(item.index, place(fault.to_string()));
                    None
                }
            });
            if matches!(reading, Reading::Foreign) {
                self.report
                    .count("entries of unknown version (integrity only)", 1);
            }
            let disclosures = self.open_disclosures(&reading, item, place);
            self.learn(item.index, &reading, &disclosures);
            checked.push(Checked {
                index: item.index,
                reading,
                disclosures,
                erased: item.erased,
            });
        }
        self.check_signatures(file, &checked, &judged);
        let rows = checked.iter().zip(items).map(|(one, item)| {
            event_row(
                one.index,
                &item.bytes,
                one.reading.entry(),
                &one.disclosures,
                &self.context,
            )
        });
        let rows: Vec<EventRow> = rows.collect();
        for one in &checked {
            if one.erased {
                self.said_erased.insert(one.index, false);
            }
            self.replay(file, one);
        }
        rows
    }

    fn refuse(&mut self, index: u64, failure: Failure) {
        self.verdicts
            .bad_signatures
            .insert(i64::try_from(index).unwrap_or(i64::MAX));
        self.signatures.fail(failure);
    }

    fn check_signatures(&mut self, file: &str, checked: &[Checked], judged: &[Option<Judgement>]) {
        let pairs: Vec<(&Checked, &Judgement)> = checked
            .iter()
            .zip(judged)
            .filter_map(|(one, judgement)| Some((one, judgement.as_ref()?)))
            .collect();
        let results = in_parallel(&pairs, |(one, judgement)| verify(&one.reading, judgement));
        for ((one, _), result) in pairs.iter().zip(results) {
            match result {
                Ok(()) => self.signatures.pass(),
                Err(fault) => {
                    let row = one.index.saturating_sub(self.range.start);
                    self.refuse(one.index, Failure::of_row(file, row, one.index, fault));
                }
            }
        }
    }

    /// Opens disclosures and compares them with the digests the entry commits to.
    fn open_disclosures(
        &mut self,
        reading: &Reading,
        item: &Item,
        place: impl Fn(String) -> Failure,
    ) -> Vec<Disclosure> {
        let mut opened: Vec<Disclosure> = Vec::new();
        for encoded in &item.disclosures {
            let disclosure = match Disclosure::parse(encoded) {
                Ok(disclosure) => disclosure,
                Err(error) => {
                    self.disclosures.fail(place(error.to_string()));
                    continue;
                }
            };
            let sd = reading
                .entry()
                .map(|entry| entry.payload().sd.as_slice())
                .unwrap_or_default();
            if sd.binary_search(&disclosure.digest()).is_err() {
                let name = disclosure.name();
                self.disclosures.fail(place(format!(
                    "disclosure `{name}` has no digest in its entry"
                )));
            } else if opened.iter().any(|one| one.name() == disclosure.name()) {
                let name = disclosure.name();
                self.disclosures
                    .fail(place(format!("disclosure `{name}` is given twice")));
            } else {
                self.disclosures.pass();
                opened.push(disclosure);
            }
        }
        opened
    }

    fn learn(&mut self, index: u64, reading: &Reading, disclosures: &[Disclosure]) {
        let Some(entry) = reading.entry() else { return };
        match &entry.payload().body {
            Body::Policy(statement) => {
                self.context.add_policy(index, statement);
                if !self.bundles.contains_key(&statement.bundle) {
                    let file = format!("policy/{}.json", statement.bundle);
                    let reason = "the bundle that a policy entry names is not there";
                    self.blobs.fail(Failure::of_index(&file, index, reason));
                }
            }
            Body::Erasure(erasure) => self.context.add_erasure(erasure),
            Body::Fork(_) => self.report.count("forks recorded", 1),
            Body::Gap(_) | Body::ObservedGap(_) => self.report.count("gaps recorded", 1),
            _ => {}
        }
        if let Some(beacon) = &entry.payload().context.beacon {
            self.beacons.note(index, beacon);
        }
        self.collector.feed(index, entry, disclosures, &self.range);
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

    /// Ends the walk.
    pub fn finish(mut self) -> Walked {
        let nowhere = |index, reason| Failure::of_index("entries", index, reason);
        self.beacons.settle(|_, _| TreeAt::Unknown, nowhere);
        self.settle_erased();
        let ledger = self.judge.ledger().clone();
        let tables = self
            .collector
            .finish(&ledger, &self.context, &self.range, &self.bundles);
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
