//! What a walk without tables knows besides its ledger: written down, and put back.
//!
//! Owns which of its parts are needed to go on. Counts of checks that have failed are not among them: a
//! walk with a failure is not gone on with. Policies and their bundles are learnt again from the entries
//! that name them.

use super::Walk;
use crate::judge::Judge;
use crate::report::{Check, Failure};
use cairn_event::administrative::PolicyStatement;
use cairn_identity::Ledger;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The part of a walk that hangs on every entry it has seen, its chains excepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptWalk {
    /// Things examined by each check, none of which failed.
    examined: Examined,
    /// Numbers of the report so far.
    counts: BTreeMap<String, u64>,
    /// Digests that erasure entries name, by the index of the entry they were in.
    erased: BTreeMap<u64, BTreeSet<String>>,
    /// Entries whose source says that something of them was destroyed; see `Walk`.
    said_erased: BTreeMap<u64, bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Examined {
    beacons: u64,
    decisions: u64,
    disclosures: u64,
    signatures: u64,
}

impl Walk {
    /// What is to be written down of a walk that is settled; `None` where a check has failed.
    pub fn kept(&self) -> Option<KeptWalk> {
        let examined = |check: &Check| (check.failed == 0).then_some(check.examined);
        examined(&self.blobs)?;
        Some(KeptWalk {
            examined: Examined {
                beacons: examined(self.beacons.check())?,
                decisions: examined(&self.decisions)?,
                disclosures: examined(&self.disclosures)?,
                signatures: examined(&self.signatures)?,
            },
            counts: self.report.counts.clone(),
            erased: self.context.erased().clone(),
            said_erased: self.said_erased.clone(),
        })
    }

    /// Puts back what was kept of a walk that stood where `ledger` stands.
    ///
    /// Trap: the bundles of its policies are added, and [`Walk::learn_policy`] is called for each, before
    /// the next entries are judged.
    pub fn put_back(&mut self, kept: KeptWalk, ledger: Ledger) {
        let examined = kept.examined;
        self.beacons.put_back(examined.beacons);
        self.decisions.examined = examined.decisions;
        self.disclosures.examined = examined.disclosures;
        self.signatures.examined = examined.signatures;
        self.report.counts = kept.counts;
        self.context.put_back_erased(kept.erased);
        self.said_erased = kept.said_erased;
        self.judge = Judge::from_ledger(ledger);
    }

    /// Takes a policy entry: its bundle must be there by now.
    pub fn learn_policy(&mut self, index: u64, statement: &PolicyStatement) {
        self.context.add_policy(index, statement);
        if !self.bundles.contains_key(&statement.bundle) {
            let file = format!("policy/{}.json", statement.bundle);
            let reason = "the bundle that a policy entry names is not there";
            self.blobs.fail(Failure::of_index(&file, index, reason));
        }
    }
}
