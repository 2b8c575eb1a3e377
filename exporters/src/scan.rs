//! The first pass over a log: its entries hash to the signed root, and what the rows of a range need
//! from outside the range.
//!
//! Owns the choice of context entries: every roster and policy entry before the end of the range, the
//! start of every chain that continues into it, and later erasures of its rows.
//! Source: `docs/formats/pack.md`, "context entries".

use crate::verified::{ReadError, VerifiedLog};
use cairn_audit::evidence::CheckpointRecord;
use cairn_audit::log::bundles::{self, Slot};
use cairn_audit::log::says;
use cairn_event::Entry;
use cairn_event::body::Body;
use cairn_tlog::{Frontier, Hash};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What the first pass found.
#[derive(Debug, Default)]
pub struct Scan {
    /// Entry 0.
    pub genesis: Vec<u8>,
    /// Context entries by index, entry 0 excepted.
    pub context: BTreeMap<u64, Vec<u8>>,
    /// Erasure entries up to the end of the tree that name a row of the range.
    pub erasures: Vec<Entry>,
    /// Policy bundles named before the end of the range.
    pub bundles: BTreeSet<cairn_event::Sha256>,
    /// Recomputed tree heads at the sizes of published checkpoints.
    pub roots: BTreeMap<u64, Hash>,
}

/// Words that make an entry from before the range worth parsing.
const WORDS: [&[u8]; 4] = [
    b"\"type\":\"roster\"",
    b"\"type\":\"policy\"",
    b"\"type\":\"chain.start\"",
    b"\"type\":\"erasure\"",
];

/// Reads every entry of `tree` once.
///
/// Errors: [`ReadError`], [`ReadError::Root`] when the entries are not those that were signed.
pub fn scan(
    log: &VerifiedLog<'_>,
    tree: &CheckpointRecord,
    range: &Range<u64>,
    progress: &dyn Fn(u64, u64),
) -> Result<Scan, ReadError> {
    let mut pass = Pass {
        range: range.clone(),
        found: Scan::default(),
        starts: BTreeMap::new(),
        continued: BTreeSet::new(),
        frontier: Frontier::new(),
        sizes: log.published.iter().map(|record| record.size).collect(),
    };
    let whole = bundles::Tree {
        source: log.source,
        size: tree.size,
        minimum: log.minimum,
    };
    bundles::for_each(whole, 0..tree.size, |first, entries| {
        pass.bundle(first, entries);
        progress(pass.frontier.size(), tree.size);
        Ok::<(), bundles::BundleError>(())
    })?;
    let found = pass.frontier.root();
    if found != tree.root {
        let (size, signed) = (tree.size, tree.root);
        return Err(ReadError::Root {
            size,
            found,
            signed,
        });
    }
    Ok(pass.finish())
}

struct Pass {
    range: Range<u64>,
    found: Scan,
    starts: BTreeMap<String, (u64, Vec<u8>)>,
    continued: BTreeSet<String>,
    frontier: Frontier,
    sizes: BTreeSet<u64>,
}

impl Pass {
    fn bundle(&mut self, first: u64, places: Vec<Slot>) {
        let leaves = places.par_iter().map(Slot::leaf);
        for leaf in leaves.collect::<Vec<Hash>>() {
            self.frontier.push(leaf);
            let size = self.frontier.size();
            if self.sizes.contains(&size) {
                self.found.roots.insert(size, self.frontier.root());
            }
        }
        let in_range = first < self.range.end && first + places.len() as u64 > self.range.start;
        let parsed = places.par_iter().map(|place| match place {
            Slot::Entry(entry) if in_range => Entry::parse(entry).ok(),
            Slot::Entry(entry) => worth_parsing(entry),
            Slot::Pruned(_) => None,
        });
        let parsed: Vec<Option<Entry>> = parsed.collect();
        for ((place, entry), index) in places.into_iter().zip(parsed).zip(first..) {
            let Some(bytes) = place.entry() else {
                continue;
            };
            if index == 0 {
                self.found.genesis.clone_from(&bytes);
            }
            if let Some(entry) = entry {
                self.entry(index, bytes, entry);
            }
        }
    }

    fn entry(&mut self, index: u64, bytes: Vec<u8>, entry: Entry) {
        let before = index < self.range.start;
        let inside = self.range.contains(&index);
        let chain = entry
            .payload()
            .link
            .as_ref()
            .map(|link| link.chain.0.clone());
        match (&entry.payload().body, chain) {
            (Body::Erasure(erasure), _) if self.range.contains(&erasure.index) => {
                if !inside {
                    self.found.context.insert(index, bytes);
                }
                self.found.erasures.push(entry);
            }
            (Body::Policy(statement), _) if before || inside => {
                self.found.bundles.insert(statement.bundle);
                if before {
                    self.found.context.insert(index, bytes);
                }
            }
            (Body::Roster(_), _) if before => {
                self.found.context.insert(index, bytes);
            }
            (Body::ChainStart(_), Some(chain)) => {
                self.starts.insert(chain, (index, bytes));
            }
            (_, Some(chain)) if inside && self.starts_before(&chain) => {
                self.continued.insert(chain);
            }
            _ => {}
        }
    }

    fn starts_before(&self, chain: &str) -> bool {
        self.starts
            .get(chain)
            .is_some_and(|(index, _)| *index < self.range.start)
    }

    fn finish(mut self) -> Scan {
        for chain in &self.continued {
            if let Some((index, bytes)) = self.starts.remove(chain) {
                self.found.context.insert(index, bytes);
            }
        }
        self.found
    }
}

fn worth_parsing(entry: &[u8]) -> Option<Entry> {
    WORDS.iter().find_map(|words| says(entry, words))
}
