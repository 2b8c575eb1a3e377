//! The pruning of a log: ordered by the administrators, after the time they state, of nothing that is
//! needed.
//!
//! Owns the comparison of what is left with what was ordered to stay, the time between publication and
//! order as witnesses saw both, and a look at orders that were not carried out yet: then the entries are
//! still there, and what must stay can be worked out.
//! Source: `docs/formats/administrative.md`, "Pruning a log"; C2SP tlog-tiles, "Pruning".

use super::bundles::{self, BundleError, Slot, Tree};
use super::published::Head;
use crate::judge::{Judge, Reading};
use crate::report::{Check, Failure, Report};
use cairn_event::Sha256;
use cairn_event::administrative::LogPrune;
use cairn_identity::Ledger;
use cairn_identity::retention::{Keeping, KeptDigest, PrunedRange, Retention};
use cairn_tlog::Hash;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Where a failure is, for the reader.
const RETENTION: &str = "retention";

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// Clocks of a log and of its witnesses may differ by this many seconds, and a checkpoint take as long.
const SLACK_S: u64 = 3_600;

/// Leaf hashes held of entries that may have to stay, before those that need not are let go.
const CANDIDATES: usize = 65_536;

/// What the walk over a pruned log has seen so far.
pub struct Pruned {
    retention: Retention,
    /// Of each range the digest of the entries that are there.
    left: Vec<KeptDigest>,
    kept: u64,
}

impl Pruned {
    /// Begins with what the log says.
    pub fn new(retention: Retention) -> Self {
        let left = retention.pruned.iter().map(|_| KeptDigest::default());
        Self {
            left: left.collect(),
            retention,
            kept: 0,
        }
    }

    /// Entries below it were pruned.
    pub fn minimum(&self) -> u64 {
        self.retention.minimum_index
    }

    /// Takes an entry that is there.
    pub fn note(&mut self, index: u64, leaf: &Hash) {
        if index >= self.minimum() {
            return;
        }
        let after = self
            .retention
            .pruned
            .partition_point(|range| range.to <= index);
        if let Some(left) = self.left.get_mut(after) {
            left.push(index, &Sha256(leaf.0));
            self.kept += 1;
        }
    }

    /// Judges what was pruned and what is ordered to be, and says in the report how far the audit reaches.
    ///
    /// Errors: [`BundleError`] where entries of an order that was not carried out cannot be read.
    pub fn finish(
        self,
        tree: Tree<'_>,
        ledger: &Ledger,
        heads: &[Head],
        report: &mut Report,
    ) -> Result<(), BundleError> {
        let mut check = Check::new(RETENTION);
        let minimum = self.minimum();
        let (ranges, left) = (self.retention.pruned.iter(), self.left.into_iter());
        for (range, left) in ranges.zip(left) {
            let place = |reason: String| Failure::of_index(RETENTION, range.entry, reason);
            check.record(Retention::check_range(*range, ledger, left.finish()), place);
            check.record(check_age(*range, ledger, heads), place);
        }
        let pending = ledger.prunes().iter().rev();
        if let Some((entry, order)) = pending.clone().find(|(_, order)| order.from == minimum) {
            let place = |reason: String| Failure::of_index(RETENTION, *entry, reason);
            let kept = must_stay(tree, ledger.origin(), order)?;
            let verdict = (kept == order.kept).then_some(()).ok_or_else(|| {
                format!(
                    "it orders the pruning of {} to {} and keeps `{}`, what must stay is `{kept}`",
                    order.from, order.to, order.kept
                )
            });
            check.record(verdict, place);
            report.count("prunings ordered and not carried out", 1);
        }
        if check.examined > 0 {
            report.push(check);
        }
        if minimum > 0 {
            let text = format!(
                "{minimum}; entries below it were pruned but {}, and their hashes lead to the root",
                self.kept
            );
            report.fact("audited from minimum index", text);
            report.count("entries pruned", minimum.saturating_sub(self.kept));
        }
        Ok(())
    }
}

/// Whether the order came as long after the entries were published as it says, by the witnesses' clocks.
fn check_age(range: PrunedRange, ledger: &Ledger, heads: &[Head]) -> Result<(), String> {
    let ordered = ledger.prunes().iter().find(|(at, _)| *at == range.entry);
    let Some((entry, order)) = ordered else {
        return Ok(());
    };
    // The earliest time at which anybody saw a tree of this size.
    let seen = |size: u64| heads.iter().find(|head| head.size >= size)?.seen_s;
    // Without witnesses nobody knows.
    let (Some(published), Some(said)) = (seen(order.to), seen(entry.saturating_add(1))) else {
        return Ok(());
    };
    let (days, passed) = (order.days, said.saturating_sub(published));
    if passed.saturating_add(SLACK_S) >= days.saturating_mul(DAY_S) {
        return Ok(());
    }
    Err(format!(
        "entries up to {} are kept for {days} days by it, and were pruned {} days after witnesses saw them",
        order.to,
        passed / DAY_S
    ))
}

/// The digest of what must stay of a range whose entries are still there.
fn must_stay(tree: Tree<'_>, origin: &str, order: &LogPrune) -> Result<Sha256, BundleError> {
    let mut judge = Judge::new(origin);
    judge.set_minimum_index(tree.minimum);
    let mut keeping = Keeping::new(order.from..order.to);
    let (mut leaves, mut room) = (BTreeMap::new(), CANDIDATES);
    bundles::for_each(tree, 0..order.to, |first, places: Vec<Slot>| {
        let readings = places.par_iter().map(|place| match place {
            Slot::Entry(bytes) => Some(Reading::of(bytes)),
            Slot::Pruned(_) => None,
        });
        let readings: Vec<Option<Reading>> = readings.collect();
        for ((place, reading), index) in places.iter().zip(readings).zip(first..) {
            let Some(reading) = reading else { continue };
            // What is wrong with an entry was said by the walk.
            let _ = judge.skip_to(index);
            let _ = judge.next(&reading);
            if index >= order.from {
                keeping.note(index, reading.entry(), judge.ledger());
                leaves.insert(index, place.leaf());
            }
        }
        // Leaves of entries that their chains have gone on from are not needed any more.
        if leaves.len() > room {
            keeping.retain_candidates(&mut leaves);
            room = leaves.len().saturating_mul(2).max(CANDIDATES);
        }
        Ok::<(), BundleError>(())
    })?;
    let mut digest = KeptDigest::default();
    for index in keeping.finish() {
        if let Some(leaf) = leaves.get(&index) {
            digest.push(index, &Sha256(leaf.0));
        }
    }
    Ok(digest.finish())
}
