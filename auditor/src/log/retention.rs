//! The pruning of a log: ordered by the administrators, after the time they state, of nothing that is
//! needed.
//!
//! Owns the comparison of what is left with what was ordered to stay, the time between publication and
//! order as witnesses saw both, and a look at orders that were not carried out yet: then the entries are
//! still there, and what must stay can be worked out.
//! Source: `docs/formats/administrative.md`, "Pruning a log"; C2SP tlog-tiles, "Pruning".

use super::bundles::{self, Slot, Tree};
use super::cold::{Cold, ColdError};
use super::course::Cut;
use super::published::Head;
use crate::judge::{Judge, Reading};
use crate::report::{Check, Failure, Report};
use cairn_event::Sha256;
use cairn_event::administrative::LogPrune;
use cairn_identity::Ledger;
use cairn_identity::retention::{KeptDigest, Remainder, Retention, digest};
use cairn_tlog::Hash;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Where a failure is, for the reader.
const RETENTION: &str = "retention";

/// What the walk over a pruned log has seen so far.
pub struct Pruned {
    retention: Retention,
    /// Of each range the digest of the entries that are there.
    left: Vec<KeptDigest>,
    kept: u64,
    times: Times,
}

/// Of the sizes at which a pruning was ordered, and of which it was ordered, when witnesses had seen so many entries.
#[derive(Default)]
struct Times {
    wanted: BTreeSet<u64>,
    /// By size: the times of the first published checkpoint that covers it, as [`Head`] has them.
    known: BTreeMap<u64, (Option<u64>, Option<u64>)>,
}

impl Times {
    fn of(sizes: impl IntoIterator<Item = u64>) -> Self {
        Self {
            wanted: sizes.into_iter().collect(),
            known: BTreeMap::new(),
        }
    }

    /// Takes the next published checkpoint.
    fn note(&mut self, head: &Head) {
        let later = self.wanted.split_off(&head.size.saturating_add(1));
        for covered in std::mem::replace(&mut self.wanted, later) {
            self.known.insert(covered, (head.first_s, head.last_s));
        }
    }

    fn covering(&self, size: u64) -> (Option<u64>, Option<u64>) {
        self.known.get(&size).copied().unwrap_or_default()
    }
}

impl Pruned {
    /// Begins with what the log says.
    pub fn new(retention: Retention) -> Self {
        let left = retention.pruned.iter().map(|_| KeptDigest::default());
        let ranges = retention.pruned.iter();
        let sizes = ranges.flat_map(|range| [range.to, range.entry.saturating_add(1)]);
        Self {
            left: left.collect(),
            times: Times::of(sizes),
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

    /// Takes the next published checkpoint.
    pub(super) fn note_head(&mut self, head: &Head) {
        self.times.note(head);
    }

    /// Judges what was pruned and what is ordered to be, and says in the report how far the audit reaches.
    ///
    /// Errors: [`Cut`] where entries of an order that was not carried out cannot be read or judged.
    pub(super) fn finish(
        self,
        tree: Tree<'_>,
        ledger: &Ledger,
        cold: Cold,
        report: &mut Report,
    ) -> Result<(), Cut> {
        let mut check = Check::new(RETENTION);
        let minimum = self.minimum();
        let (ranges, left) = (self.retention.pruned.iter(), self.left.into_iter());
        for (range, left) in ranges.zip(left) {
            let place = |reason: String| Failure::of_index(RETENTION, range.entry, reason);
            check.record(Retention::check_range(*range, ledger, left.finish()), place);
            let ordered = ledger.prunes().iter().find(|(at, _)| *at == range.entry);
            let age = ordered.map_or(Ok(()), |(at, order)| check_age(*at, order, &self.times));
            check.record(age, place);
        }
        // Every one of them: the log, not the administrators, chooses which it carries out.
        let open = |(_, order): &&(u64, LogPrune)| order.from >= minimum;
        let open: Vec<&(u64, LogPrune)> = ledger.prunes().iter().filter(open).collect();
        if !open.is_empty() {
            let stays = must_stay(tree, ledger.origin(), &open, cold)?;
            for (entry, order) in &open {
                let place = |reason: String| Failure::of_index(RETENTION, *entry, reason);
                check.record(check_order(order, &stays), place);
            }
            report.count("prunings ordered and not carried out", open.len() as u64);
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

/// Whether an order that was not carried out keeps what must stay.
fn check_order(order: &LogPrune, stays: &Stays) -> Result<(), String> {
    let LogPrune { from, to, kept, .. } = order;
    match stays.get(&(*from, *to)) {
        Some(found) if found == kept => Ok(()),
        found => Err(format!(
            "it orders the pruning of {from} to {to} and keeps `{kept}`, what must stay is {}",
            found.map_or("not known".to_owned(), |found| format!("`{found}`"))
        )),
    }
}

/// Whether the order came as long after the entries were published as it says, by the witnesses' clocks:
/// from when a quorum had seen the entries to when a quorum saw the order. One witness that is wrong, or
/// lies, moves neither where others make up the quorum.
fn check_age(entry: u64, order: &LogPrune, times: &Times) -> Result<(), String> {
    let (published, _) = times.covering(order.to);
    let (_, made) = times.covering(entry.saturating_add(1));
    // Without witnesses nobody knows.
    let (Some(published), Some(made)) = (published, made) else {
        return Ok(());
    };
    if order.came_late_enough(published, made) {
        return Ok(());
    }
    Err(format!(
        "entries up to {} are kept for {} days by it, and were pruned {} days after witnesses saw them",
        order.to,
        order.days,
        made.saturating_sub(published) / LogPrune::DAY_S
    ))
}

/// The digest of what must stay of each range, by its first index and the first one after it.
type Stays = BTreeMap<(u64, u64), Sha256>;

/// What must stay of the ranges of orders whose entries are still there; the log is read once.
fn must_stay(
    tree: Tree<'_>,
    origin: &str,
    orders: &[&(u64, LogPrune)],
    mut cold: Cold,
) -> Result<Stays, Cut> {
    let ranges: BTreeSet<(u64, u64)> = orders.iter().map(|(_, one)| (one.from, one.to)).collect();
    let end = ranges.iter().map(|(_, to)| *to).max().unwrap_or_default();
    // Ranges with one beginning share their reading: each is the other cut short.
    let mut of: BTreeMap<u64, Remainder> = ranges
        .iter()
        .map(|(from, _)| (*from, Remainder::new(*from..end)))
        .collect();
    let mut judge = Judge::new(origin);
    judge.set_minimum_index(tree.minimum);
    let mut stays = Stays::new();
    bundles::for_each(tree, 0..end, |first, places: Vec<Slot>| {
        let readings = places.par_iter().map(|place| match place {
            Slot::Entry(bytes) => Some(Reading::of(bytes)),
            Slot::Pruned(_) => None,
        });
        let readings: Vec<Option<Reading>> = readings.collect();
        let entries = readings.iter().flatten().filter_map(Reading::entry);
        cold.recall(judge.ledger_mut(), entries)?;
        for ((place, reading), index) in places.iter().zip(readings).zip(first..) {
            let Some(reading) = reading else { continue };
            // What is wrong with an entry was said by the walk.
            let _ = judge.skip_to(index);
            if let Err(fault) = judge.next(&reading)
                && let Some(chain) = fault.chain_away()
            {
                return Err(ColdError::Away(chain.clone()).into());
            }
            let leaf = Sha256(place.leaf().0);
            for remainder in of.values_mut() {
                remainder.note(index, leaf, reading.entry(), judge.ledger());
            }
        }
        cold.make_room(judge.ledger_mut())?;
        // Ranges end where bundles do.
        let next = first.saturating_add(places.len() as u64);
        for range in ranges.iter().filter(|(_, to)| *to == next) {
            if let Some(remainder) = of.get(&range.0) {
                stays.insert(*range, digest(&remainder.so_far()));
            }
        }
        Ok::<(), Cut>(())
    })?;
    Ok(stays)
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: u64 = 365 * LogPrune::DAY_S;

    fn head(size: u64, first_s: u64, last_s: u64) -> Head {
        Head {
            size,
            root: Hash([0; 32]),
            first_s: Some(first_s),
            last_s: Some(last_s),
        }
    }

    #[test]
    fn ages_go_from_when_a_quorum_saw_the_entries_to_when_one_saw_the_order() {
        let order = LogPrune {
            days: 365,
            from: 0,
            kept: Sha256([0; 32]),
            reason: String::new(),
            to: 256,
        };
        let judge = |heads: &[Head]| {
            let mut times = Times::of([256, 301]);
            heads.iter().for_each(|head| times.note(head));
            check_age(300, &order, &times).is_ok()
        };
        let published = head(256, 1_060, 9_000);
        let made = |at| head(301, 9, at);
        assert!(judge(&[published.clone(), made(1_060 + YEAR)]));
        let early = made(1_060 + YEAR - LogPrune::SLACK_S - 1);
        assert!(!judge(&[published.clone(), early]));
        // Nothing but the newest checkpoint is shown: both are of today.
        assert!(!judge(&[head(301, 1_060 + YEAR, 1_060 + YEAR)]));
        let nobody = Head {
            first_s: None,
            last_s: None,
            ..published
        };
        assert!(judge(&[nobody, made(5)]), "without witnesses nobody knows");
    }
}
