//! Auditing a whole log: the one oracle after every test and for every monitor.
//!
//! Owns the order of the checks. Leaf hashes, tiles and roots are re-derived from the entry bundles;
//! the root at the size of every published checkpoint is compared with the signed one, which shows
//! their consistency without a proof from the log. Memory does not grow with the number of entries.
//! Source: architecture section 7.

pub mod bundles;
pub mod freshness;
pub mod published;
pub mod since;
pub mod succession;
pub mod tiles;

use crate::beacons::TreeAt;
use crate::evidence::Context;
use crate::pack::check_log_key;
use crate::report::{Check, Failure, Report};
use crate::source::{LogSource, Tiles};
use crate::walk::{Batch, Item, Readings, Walk};
use bundles::{BundleError, DisclosedByIndex};
use cairn_event::administrative::Predecessor;
use cairn_event::body::Body;
use cairn_event::{Entry, Integrity};
use cairn_tlog::{
    Checkpoint, Frontier, Hash, TileNodes, TrustPolicy, consistency_proof, leaf_hash,
    verify_consistency,
};
use freshness::AgeLimit;
use rayon::prelude::*;
use since::Since;
use std::collections::{BTreeMap, BTreeSet};
use tiles::TileRebuilder;

/// What the server is told the confidential members are read for.
const PURPOSE: &str = "audit of the whole log";

/// What the walk over a log is called in failures.
const ENTRIES: &str = "entries";

/// What to audit a log against, and how.
pub struct Options<'a> {
    /// Who makes a checkpoint believable.
    pub policy: &'a TrustPolicy,
    /// Leaf hash of entry 0, obtained elsewhere.
    pub genesis: Hash,
    /// Whether confidential members are asked for, to replay decisions.
    pub disclosures: bool,
    /// How old the newest checkpoint may be; `None` for an archive, whose age says nothing.
    pub max_age: Option<AgeLimit>,
    /// The checkpoint of an earlier audit, a signed note: the log may only have grown since.
    pub since: Option<&'a str>,
    /// Told after every bundle: entries done, entries in all.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
}

/// Audits everything that the newest checkpoint covers; of a successor also the evidence that its
/// predecessor was closed where its genesis says.
///
/// Never fails: what cannot be read is a failed check.
pub fn audit(source: &dyn LogSource, options: &Options<'_>) -> Report {
    audit_whole(source, options).0
}

/// As [`audit`], and then the whole log that this one succeeds, under the same trust policy and the
/// genesis that the successor names.
pub fn audit_both(
    source: &dyn LogSource,
    predecessor: &dyn LogSource,
    options: &Options<'_>,
) -> Report {
    let (mut report, named) = audit_whole(source, options);
    let Some(named) = named else {
        let mut check = Check::new("predecessor-log");
        let reason = "the genesis names no log that this one succeeds";
        check.fail(Failure::of_index(ENTRIES, 0, reason));
        report.push(check);
        return report;
    };
    let options = Options {
        genesis: Hash(named.genesis.0),
        disclosures: false,
        // What the successor names is final, however long ago that was.
        max_age: None,
        since: None,
        ..*options
    };
    let closed = audit(predecessor, &options);
    report.push(succession::check_log(&closed, &named));
    let entries = closed.counts.get("entries").copied().unwrap_or_default();
    report.count("entries of the predecessor", entries);
    report
}

fn audit_whole(source: &dyn LogSource, options: &Options<'_>) -> (Report, Option<Predecessor>) {
    let mut report = Report::default();
    let mut check = Check::new("checkpoint");
    let place = |reason: String| Failure::of_file("checkpoint", reason);
    let head = check.record(source.checkpoint(), place).and_then(|note| {
        let verified = check.record(options.policy.verify_checkpoint(&note), place);
        Some((note, verified?))
    });
    report.push(check);
    let Some((note, verified)) = head else {
        return (report, None);
    };
    freshness::check(options.policy, &verified, options.max_age, &mut report);
    let head = verified.checkpoint;
    report.checkpoint = Some(note);
    report.fact("origin", &head.origin);
    report.fact("tree size", head.size);
    report.fact("tree root", head.root);
    let mut readable = Check::new("readable");
    let audited = LogAudit {
        source,
        options,
        head: &head,
    }
    .run(&mut report);
    let named = readable.record(audited, |reason| Failure::of_file(ENTRIES, reason));
    report.push(readable);
    (report, named.flatten())
}

struct LogAudit<'a> {
    source: &'a dyn LogSource,
    options: &'a Options<'a>,
    head: &'a Checkpoint,
}

impl LogAudit<'_> {
    /// Gives what the genesis says of the log that this one succeeds.
    fn run(&self, report: &mut Report) -> Result<Option<Predecessor>, BundleError> {
        let size = self.head.size;
        let mut published = Check::new("checkpoints");
        let (policy, origin) = (self.options.policy, &self.head.origin);
        let records = published::read(self.source, policy, origin, 0, size, &mut published)?;
        report.push(published);
        let since = self.options.since;
        let since = since.map(|note| Since::read(note, policy, self.head));
        let sizes = records.iter().map(|record| record.size).chain([size]);
        let sizes = sizes.chain(since.as_ref().and_then(Since::size));
        let mut pass = Pass::new(self, Context::new(records.clone()), sizes.collect());
        pass.note_root();
        let leave = if self.options.disclosures && size > 0 {
            self.source.announce(&(0..size), PURPOSE)?
        } else {
            None
        };
        let (source, leave) = (self.source, leave.as_ref());
        bundles::for_each_disclosed(source, leave, 0..size, size, |first, entries, disclosed| {
            pass.bundle(first, entries, disclosed);
            (self.options.progress)(pass.frontier.size(), size);
            Ok::<(), BundleError>(())
        })?;
        pass.settle();
        let Pass {
            walk,
            tiles,
            roots,
            genesis,
            link,
            blobs,
            ..
        } = pass;
        report.push(compared(genesis));
        let named = link.and_then(|(check, named)| {
            report.push(check);
            named
        });
        if let Some(named) = &named {
            let (origin, size, root) = (&named.origin, named.size, Hash(named.root.0));
            report.fact("succeeds", format!("{origin} size {size} root {root}"));
        }
        report
            .checks
            .extend(since.map(|since| since.finish(&roots)));
        report.push(tiles.finish());
        report.push(self.check_root(&roots));
        report.push(published::compare(&records, &roots));
        report.push(blobs);
        let walked = walk.finish();
        report.take(walked.report);
        report.count("entries", size);
        report.count("published checkpoints", records.len() as u64);
        if let Some(index) = walked.ledger.closed_at() {
            report.fact("closed for ever by entry", index);
        }
        Ok(named)
    }

    /// Whether the tree had this root at a size at which nothing was published. The tiles are the
    /// log's word until the proof made of them leads to the signed root.
    fn earlier(&self, size: u64, root: &Hash) -> TreeAt {
        let nodes = TileNodes::new(Tiles(self.source), self.head.size);
        let proof = match consistency_proof(&nodes, size, self.head.size) {
            Ok(proof) => proof,
            Err(error) => return TreeAt::Refuted(format!("no proof could be made: {error}")),
        };
        match verify_consistency(size, self.head.size, root, &self.head.root, &proof) {
            Ok(()) => TreeAt::Proven,
            Err(_) => TreeAt::Refuted("no earlier state of this log has that root".to_owned()),
        }
    }

    fn check_root(&self, roots: &BTreeMap<u64, Hash>) -> Check {
        let mut check = Check::new("root");
        let verdict = match roots.get(&self.head.size) {
            Some(root) if *root == self.head.root => Ok(()),
            Some(root) => Err(format!(
                "signed root {}, entries give {root}",
                self.head.root
            )),
            None => Err("the entries end before the checkpoint".to_owned()),
        };
        check.record(verdict, |reason| Failure::of_file("checkpoint", reason));
        check
    }
}

/// A pinned genesis that was compared with nothing is a failure.
fn compared(mut genesis: Check) -> Check {
    if genesis.examined == 0 {
        let reason =
            "the checkpoint covers no entry, so that the pinned genesis was compared with nothing";
        genesis.fail(Failure::of_file(ENTRIES, reason));
    }
    genesis
}

/// The state of one pass over all entries.
struct Pass<'a> {
    audit: &'a LogAudit<'a>,
    walk: Walk,
    /// The last bundle: its signatures are verified while the next one is read and judged.
    judged: Batch,
    tiles: TileRebuilder<'a>,
    frontier: Frontier,
    /// The sizes whose roots are wanted.
    sizes: BTreeSet<u64>,
    roots: BTreeMap<u64, Hash>,
    genesis: Check,
    /// The link to the log that this one succeeds.
    link: Option<(Check, Option<Predecessor>)>,
    blobs: Check,
}

impl<'a> Pass<'a> {
    fn new(audit: &'a LogAudit<'a>, context: Context, sizes: BTreeSet<u64>) -> Self {
        let walk = Walk::new(&audit.head.origin, 0..0, context, BTreeMap::new());
        Self {
            audit,
            walk: walk.without_tables(),
            judged: Batch::default(),
            tiles: TileRebuilder::new(audit.source),
            frontier: Frontier::new(),
            sizes,
            roots: BTreeMap::new(),
            genesis: Check::new("genesis"),
            link: None,
            blobs: Check::new("blobs-readable"),
        }
    }

    fn bundle(&mut self, first: u64, entries: Vec<Vec<u8>>, disclosed: DisclosedByIndex) {
        let last = std::mem::take(&mut self.judged);
        let judge = || self.judge(first, entries, disclosed);
        let (verified, judged) = rayon::join(|| last.verify(), judge);
        self.walk.settle(ENTRIES, verified);
        self.judged = judged;
    }

    /// Verifies what is left.
    fn settle(&mut self) {
        let last = std::mem::take(&mut self.judged);
        self.walk.settle(ENTRIES, last.verify());
    }

    /// Grows the tree by a bundle and judges its entries.
    fn judge(
        &mut self,
        first: u64,
        entries: Vec<Vec<u8>>,
        mut disclosed: DisclosedByIndex,
    ) -> Batch {
        let items = entries.into_iter().zip(first..).map(|(bytes, index)| {
            let disclosed = disclosed.remove(&index).unwrap_or_default();
            Item::new(index, bytes, disclosed)
        });
        let items: Vec<Item> = items.collect();
        let hash = || -> Vec<Hash> {
            let leaves = items.par_iter().map(|item| leaf_hash(&item.bytes));
            leaves.collect()
        };
        let (readings, leaves) = rayon::join(|| Walk::read(&items), hash);
        for leaf in leaves {
            self.tiles.push(leaf);
            self.frontier.push(leaf);
            self.note_root();
        }
        if let Some(genesis) = items.first().filter(|item| item.index == 0) {
            self.check_genesis(&genesis.bytes);
        }
        self.fetch_bundles(first, &readings);
        let batch = self.walk.judge(ENTRIES, &items, readings);
        let (audit, roots) = (self.audit, &self.roots);
        let tree = |size: u64, root: &Hash| match roots.get(&size) {
            Some(root) => TreeAt::Root(*root),
            None => audit.earlier(size, root),
        };
        let place = |index, reason| Failure::of_index(ENTRIES, index, reason);
        self.walk.settle_beacons(tree, place);
        batch
    }

    fn note_root(&mut self) {
        if self.sizes.contains(&self.frontier.size()) {
            self.roots
                .insert(self.frontier.size(), self.frontier.root());
        }
    }

    fn check_genesis(&mut self, entry: &[u8]) {
        let options = self.audit.options;
        let leaf = leaf_hash(entry);
        let verdict = if leaf == options.genesis {
            check_log_key(entry, options.policy)
        } else {
            Err(format!(
                "entry 0 has leaf {}, pinned is {}",
                leaf.to_hex(),
                options.genesis.to_hex()
            ))
        };
        self.genesis
            .record(verdict, |reason| Failure::of_index(ENTRIES, 0, reason));
        self.link = succession::check_link(self.audit.source, options.policy, entry);
    }

    /// The bundles that policy entries name must be there before the entries are judged.
    fn fetch_bundles(&mut self, first: u64, readings: &Readings) {
        for (entry, index) in readings.entries().zip(first..) {
            let Some(Body::Policy(statement)) = entry.map(|entry| &entry.payload().body) else {
                continue;
            };
            let read = self.audit.source.blob(&statement.bundle);
            let place = |reason: String| {
                Failure::of_index(&format!("blobs/{}", statement.bundle), index, reason)
            };
            if let Some(blob) = self.blobs.record(read, place) {
                self.walk.add_bundle(statement.bundle, blob);
            }
        }
    }
}

/// Parses an entry only if its payload holds `words`: most entries are skipped without parsing JSON.
pub fn says(bytes: &[u8], words: &[u8]) -> Option<Entry> {
    let outer = Integrity::parse(bytes).ok()?;
    let named = outer
        .payload
        .windows(words.len())
        .any(|window| window == words);
    named.then(|| Entry::parse(bytes).ok())?
}
