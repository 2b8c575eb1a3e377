//! Replaying the decisions of a walk, and telling what was withheld from what was erased.
//!
//! Owns what the report says of each decision. An erasure lies behind the entry it names, so in a walk
//! that reads once the answer is given at its end.

use super::Walk;
use super::reading::{Judged, Verified};
use crate::replay::{Obstacle, Replay};
use crate::report::Failure;
use rayon::prelude::*;

impl Walk {
    /// Replays the decisions among these entries, on every core, and reports in order.
    pub(super) fn replay(&mut self, file: &str, verified: &Verified) {
        let again = verified.0.par_iter().map(|(one, _)| self.replay_one(one));
        let again: Vec<Option<Replay>> = again.collect();
        for ((one, _), replay) in verified.0.iter().zip(again) {
            match replay {
                None => {}
                Some(Replay::Reproduced) => {
                    self.decisions.pass();
                    self.report.count("decisions reproduced", 1);
                }
                Some(Replay::NotReplayable(Obstacle::Withheld)) if one.erased => {
                    self.said_erased.insert(one.index, true);
                }
                Some(Replay::NotReplayable(obstacle)) => self.not_replayable(one.index, obstacle),
                Some(Replay::Mismatch(reason)) => {
                    let row = one.index.saturating_sub(self.range.start);
                    if self.collector.is_some() {
                        let index = i64::try_from(one.index).unwrap_or(i64::MAX);
                        self.verdicts.replay_mismatches.insert(index);
                    }
                    self.decisions
                        .fail(Failure::of_row(file, row, one.index, reason));
                }
            }
        }
    }

    fn replay_one(&self, one: &Judged) -> Option<Replay> {
        let entry = one.reading.entry()?;
        let policy = entry.payload().context.policy;
        let bundle = policy.and_then(|at| self.context.policy(at));
        let bundle = bundle.map(|(_, bundle)| bundle);
        let roster = self.judge.ledger().roster();
        // Without tables the log is read once, and an erasure that lies behind its entry is known here or
        // not as the reading happens to go: only the source's word counts, which is judged at the end.
        let beforehand = self.collector.is_some();
        let erased = |digest: &str| beforehand && self.context.is_erased(one.index, digest);
        self.replayer
            .replay(entry, &one.disclosures, bundle, roster, erased)
    }

    fn not_replayable(&mut self, index: u64, obstacle: Obstacle) {
        if self.collector.is_some() {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            self.verdicts.not_replayed.insert(index);
        }
        let name = format!("decisions not replayable: {obstacle}");
        self.report.count(&name, 1);
    }

    /// Judges what sources called erased, now that every erasure entry has been read. One that lies
    /// behind the tree is not known here, so its absence is counted and refuses nothing.
    pub(super) fn settle_erased(&mut self) {
        for (index, decision) in std::mem::take(&mut self.said_erased) {
            let named = self.context.names_erased(index);
            if !named {
                let name = "entries with members called erased, without an erasure entry here";
                self.report.count(name, 1);
            }
            match (decision, named) {
                (true, true) => self.not_replayable(index, Obstacle::Erased),
                (true, false) => self.not_replayable(index, Obstacle::Withheld),
                (false, _) => {}
            }
        }
    }
}
