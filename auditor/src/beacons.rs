//! Beacons: what each device says it saw of the log, compared with the tree that the log is.
//!
//! Owns the comparison and its words. A device that was shown another tree than this one is evidence of
//! a split view, whoever cosigned what: its entry, signed and logged, says so for ever. Where the root
//! at a beacon's size comes from is the caller's. Source: architecture section 3 ("Time").

use crate::report::{Check, Failure};
use cairn_event::Sha256;
use cairn_event::payload::Beacon;
use cairn_tlog::{EMPTY_ROOT, Hash};
use std::collections::BTreeMap;

/// What both explanations of a beacon that does not fit have in common.
const SPLIT_VIEW: &str = "it was shown another view of the log, or names a tree that never was";

/// What the caller knows of the tree at a beacon's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeAt {
    /// The root of the log's tree at that size.
    Root(Hash),
    /// The beacon's root was proven to be that of an earlier state of the tree.
    Proven,
    /// It was shown not to be; the reason.
    Refuted(String),
    /// Nothing at hand says which root the tree had.
    Unknown,
}

/// The beacons of the entries read since the last [`Beacons::settle`], by size and root.
#[derive(Clone, Debug)]
pub struct Beacons {
    named: BTreeMap<(u64, Sha256), Vec<u64>>,
    check: Check,
    unknown: u64,
}

impl Default for Beacons {
    fn default() -> Self {
        Self {
            named: BTreeMap::new(),
            check: Check::new("beacons"),
            unknown: 0,
        }
    }
}

impl Beacons {
    /// Remembers the beacon of the entry at `index`.
    pub fn note(&mut self, index: u64, beacon: &Beacon) {
        let named = self.named.entry((beacon.size, beacon.root)).or_default();
        named.push(index);
    }

    /// The sizes that are waiting to be settled, ascending; repeated where roots differ.
    pub fn sizes(&self) -> impl Iterator<Item = u64> {
        self.named.keys().map(|(size, _)| *size)
    }

    /// Compares what was remembered with the tree, and forgets it. `tree` is asked once for each size
    /// and root; `place` says where the entry at an index is.
    pub fn settle(
        &mut self,
        mut tree: impl FnMut(u64, &Hash) -> TreeAt,
        place: impl Fn(u64, String) -> Failure,
    ) {
        for ((size, root), indices) in std::mem::take(&mut self.named) {
            let root = Hash(root.0);
            let at = match size {
                0 => TreeAt::Root(EMPTY_ROOT),
                _ => tree(size, &root),
            };
            let told = match at {
                TreeAt::Root(found) if found != root => {
                    Some(Err(format!("this log's tree has root {found} there")))
                }
                TreeAt::Root(_) | TreeAt::Proven => Some(Ok(())),
                TreeAt::Refuted(reason) => Some(Err(reason)),
                TreeAt::Unknown => None,
            };
            for index in indices {
                // An entry commits to all that its beacon covers, so it cannot be among it.
                let told = if size > index {
                    Some(Err("fewer entries stand before it in this log".to_owned()))
                } else {
                    told.clone()
                };
                let Some(told) = told else {
                    self.unknown = self.unknown.saturating_add(1);
                    continue;
                };
                let verdict = told.map_err(|wrong| {
                    format!("the device saw root {root} at size {size}, but {wrong}: {SPLIT_VIEW}")
                });
                self.check.record(verdict, |reason| place(index, reason));
            }
        }
    }

    /// The check so far.
    pub fn check(&self) -> &Check {
        &self.check
    }

    /// Counts beacons that were compared by an earlier walk, all of which fitted.
    pub fn put_back(&mut self, examined: u64) {
        self.check.examined = examined;
    }

    /// The check, and how many beacons could not be compared.
    pub fn finish(self) -> (Check, u64) {
        (self.check, self.unknown)
    }
}
