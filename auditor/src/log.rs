//! Auditing a whole log: the one oracle after every test and for every monitor.
//!
//! Owns the order of the checks. Leaf hashes, tiles and roots are re-derived from the entry bundles;
//! the root at the size of every published checkpoint is compared with the signed one, which shows
//! their consistency without a proof from the log. Memory does not grow with the number of entries: it
//! grows with chains (some 600 bytes each, also of ended ones), administrative entries, erasures and, by some
//! hundred bytes each, published checkpoints.
//! Source: architecture section 7.

pub mod bundles;
pub mod freshness;
pub mod published;
pub mod resume;
pub mod retention;
pub mod since;
pub mod state;
pub mod succession;
pub mod tiles;

use crate::beacons::TreeAt;
use crate::evidence::Context;
use crate::pack::check_log_key;
use crate::report::{Check, Failure, Report};
use crate::source::{LogSource, SourceError, Tiles};
use crate::walk::{Batch, Item, Readings, Walk};
use bundles::{BundleError, DisclosedByIndex, Slot, Tree};
use cairn_event::administrative::{PolicyStatement, Predecessor};
use cairn_event::body::Body;
use cairn_event::{Entry, Integrity};
use cairn_tlog::{
    Checkpoint, Frontier, Hash, TileNodes, TrustPolicy, consistency_proof, leaf_hash,
    verify_consistency,
};
use freshness::AgeLimit;
use published::Head;
use rayon::prelude::*;
use resume::{Due, Ended, Keeper, Resume};
use retention::Pruned;
use since::Since;
use state::{Administrative, Compared, State, StateError};
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
    told(audit_whole(source, options, None)).report
}

/// As [`audit`], and then the whole log that this one succeeds, under the same trust policy and the
/// genesis that the successor names.
pub fn audit_both(
    source: &dyn LogSource,
    predecessor: &dyn LogSource,
    options: &Options<'_>,
) -> Report {
    let mut audited = told(audit_whole(source, options, None));
    audited.take_predecessor(predecessor, options);
    audited.report
}

/// As [`audit`], or as [`audit_both`] where there is a predecessor: goes on from an earlier state, and
/// keeps its own while no check has failed. The report is that of an audit from entry 0.
///
/// A predecessor is closed for ever and is audited whole each time.
///
/// Errors: [`Ended`]; there is no verdict.
pub fn audit_on(
    source: &dyn LogSource,
    predecessor: Option<&dyn LogSource>,
    options: &Options<'_>,
    resume: Resume<'_>,
) -> Result<Report, Ended> {
    let keeper = resume.keeper;
    let mut audited = audit_whole(source, options, Some(resume))?;
    if let Some(predecessor) = predecessor {
        audited.take_predecessor(predecessor, options);
    }
    if let Some(state) = audited.state.filter(|_| audited.report.is_good()) {
        keeper.keep(&state);
    }
    Ok(audited.report)
}

/// One audited log.
#[derive(Default)]
struct Audited {
    report: Report,
    /// The log that its genesis says it succeeds.
    named: Option<Predecessor>,
    /// The state after the last entry, to be kept if the report is good.
    state: Option<Vec<u8>>,
}

impl Audited {
    fn take_predecessor(&mut self, predecessor: &dyn LogSource, options: &Options<'_>) {
        let Some(named) = &self.named else {
            let mut check = Check::new("predecessor-log");
            let reason = "the genesis names no log that this one succeeds";
            check.fail(Failure::of_index(ENTRIES, 0, reason));
            self.report.push(check);
            return;
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
        self.report.push(succession::check_log(&closed, named));
        let entries = closed.counts.get("entries").copied().unwrap_or_default();
        self.report.count("entries of the predecessor", entries);
    }
}

/// Without a keeper nothing ends an audit early; should it, that is no verdict either.
fn told(audited: Result<Audited, Ended>) -> Audited {
    audited.unwrap_or_else(|ended| {
        let mut audited = Audited::default();
        let mut check = Check::new("readable");
        check.fail(Failure::of_file(ENTRIES, ended));
        audited.report.push(check);
        audited
    })
}

fn audit_whole(
    source: &dyn LogSource,
    options: &Options<'_>,
    resume: Option<Resume<'_>>,
) -> Result<Audited, Ended> {
    let mut audited = Audited::default();
    let report = &mut audited.report;
    let mut check = Check::new("checkpoint");
    let place = |reason: String| Failure::of_file("checkpoint", reason);
    let head = check.record(source.checkpoint(), place).and_then(|note| {
        let verified = check.record(options.policy.verify_checkpoint(&note), place);
        Some((note, verified?))
    });
    report.push(check);
    let Some((note, verified)) = head else {
        return Ok(audited);
    };
    freshness::check(options.policy, &verified, options.max_age, report);
    let head = verified.checkpoint;
    report.checkpoint = Some(note);
    report.fact("origin", &head.origin);
    report.fact("tree size", head.size);
    report.fact("tree root", head.root);
    let mut readable = Check::new("readable");
    let (keeper, from) = match resume {
        Some(resume) => (Some(resume.keeper), resume.from),
        None => (None, None),
    };
    let audit = LogAudit {
        source,
        options,
        head: &head,
        keeper,
    };
    let verdict = match audit.run(from, &mut audited) {
        Ok(()) => Ok(()),
        Err(Cut::Bundle(error)) => Err(error),
        Err(Cut::Ended(ended)) => return Err(ended),
    };
    readable.record(verdict, |reason| Failure::of_file(ENTRIES, reason));
    audited.report.push(readable);
    Ok(audited)
}

/// Why a walk did not reach its end.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Ended(#[from] Ended),
}

impl From<SourceError> for Cut {
    fn from(error: SourceError) -> Self {
        Self::Bundle(error.into())
    }
}

struct LogAudit<'a> {
    source: &'a dyn LogSource,
    options: &'a Options<'a>,
    head: &'a Checkpoint,
    /// Who keeps the state, where somebody does.
    keeper: Option<&'a dyn Keeper>,
}

impl LogAudit<'_> {
    /// Walks from entry 0, or goes on from a state; leaves what was found in `audited`.
    fn run(&self, from: Option<State>, audited: &mut Audited) -> Result<(), Cut> {
        let report = &mut audited.report;
        let (origin, size) = (&self.head.origin, self.head.size);
        if let Some(state) = &from {
            if state.origin != *origin {
                let (found, asked) = (state.origin.clone(), origin.clone());
                return Err(Ended::from(StateError::Origin { found, asked }).into());
            }
            if let Some(check) = self.check_begins_with(&state.frontier) {
                report.push(check);
                return Ok(());
            }
        }
        let before = from.as_ref().map(|state| state.published);
        let before = before.unwrap_or_default();
        // Each was read and believed.
        let mut published = Check::passed("checkpoints", before.count.saturating_mul(2));
        let (policy, new) = (self.options.policy, (before.last, size));
        let heads = published::heads(self.source, policy, origin, new, &mut published)?;
        report.push(published);
        let since = self.options.since;
        let since = since.map(|note| Since::read(note, policy, self.head));
        let pruned = Pruned::new(self.source.retention()?);
        let minimum = pruned.minimum();
        if from.is_some() && minimum > 0 {
            return Err(Ended::from(StateError::Pruned(minimum)).into());
        }
        let since_size = since.as_ref().and_then(Since::size);
        let mut pass = Pass::new(self, pruned, before, heads, since_size);
        pass.may_keep = self.keeper.is_some()
            && minimum == 0
            && !since.as_ref().is_some_and(Since::has_failed)
            && report.is_good();
        if let Some(state) = from {
            pass.put_back(state).map_err(Ended::from)?;
        }
        pass.note_root();
        self.walk(&mut pass)?;
        audited.state = pass.state()?;
        let tree = |size: u64, root: &Hash| self.tree(&pass.roots, size, root);
        report.push(compared(pass.genesis));
        if let Some((check, named)) = pass.link {
            report.push(check);
            audited.named = named;
        }
        if let Some(named) = &audited.named {
            let (origin, size, root) = (&named.origin, named.size, Hash(named.root.0));
            report.fact("succeeds", format!("{origin} size {size} root {root}"));
        }
        report.checks.extend(since.map(|since| since.finish(tree)));
        report.push(pass.tiles.finish());
        report.push(self.check_root(&pass.roots));
        let mut consistency = Check::passed("checkpoint-consistency", before.count);
        published::compare(&mut consistency, &pass.heads, tree);
        report.push(consistency);
        report.push(pass.blobs);
        let walked = pass.walk.finish();
        report.take(walked.report);
        let left = self.left(minimum);
        pass.pruned
            .finish(left, &walked.ledger, &pass.heads, report)?;
        report.count("entries", size);
        let published = before.count.saturating_add(pass.heads.len() as u64);
        report.count("published checkpoints", published);
        if let Some(index) = walked.ledger.closed_at() {
            report.fact("closed for ever by entry", index);
        }
        Ok(())
    }

    /// What is left of a log that was pruned below `minimum`.
    fn left(&self, minimum: u64) -> Tree<'_> {
        Tree {
            source: self.source,
            size: self.head.size,
            minimum,
        }
    }

    /// Walks what is left, and keeps the state when it is due.
    fn walk(&self, pass: &mut Pass<'_>) -> Result<(), Cut> {
        let (source, size) = (self.source, self.head.size);
        let tree = self.left(pass.pruned.minimum());
        let left = pass.frontier.size()..size;
        let leave = if self.options.disclosures && !left.is_empty() {
            source.announce(&left, PURPOSE)?
        } else {
            None
        };
        let each = |first, places, disclosed| {
            pass.bundle(first, places, disclosed);
            let done = pass.frontier.size();
            (self.options.progress)(done, size);
            let Some(keeper) = self.keeper.filter(|_| done < size) else {
                return Ok(());
            };
            let due = keeper.due(done);
            if due == Due::Nothing {
                return Ok(());
            }
            let state = pass.state()?;
            if let Some(state) = &state {
                keeper.keep(state);
            }
            match due {
                Due::End => Err(Cut::Ended(Ended::Asked {
                    done,
                    all: size,
                    kept: state.is_some(),
                })),
                _ => Ok(()),
            }
        };
        let walked = bundles::for_each_disclosed(tree, leave.as_ref(), left, each);
        if let (Err(Cut::Bundle(BundleError::Source(_))), Some(keeper)) = (&walked, self.keeper)
            && let Some(state) = pass.state()?
        {
            // A line that broke says nothing about the entries that came before.
            keeper.keep(&state);
        }
        walked?;
        pass.settle();
        Ok(())
    }

    /// The tree at a size, from the entries where they were read to that size.
    fn tree(&self, roots: &BTreeMap<u64, Hash>, size: u64, root: &Hash) -> TreeAt {
        match roots.get(&size) {
            Some(root) => TreeAt::Root(*root),
            None => self.earlier(size, root),
        }
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
    pruned: Pruned,
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
    /// Published checkpoints that earlier runs compared, and those that are left.
    before: Compared,
    heads: Vec<Head>,
    /// Whether a state may be kept: somebody wants it, and nothing has failed before the walk.
    may_keep: bool,
    administrative: Vec<Administrative>,
}

impl<'a> Pass<'a> {
    fn new(
        audit: &'a LogAudit<'a>,
        pruned: Pruned,
        before: Compared,
        heads: Vec<Head>,
        since: Option<u64>,
    ) -> Self {
        let sizes = heads.iter().map(|head| head.size);
        let sizes = sizes.chain([audit.head.size]).chain(since).collect();
        let origin = &audit.head.origin;
        let nothing = (Context::default(), BTreeMap::new());
        let mut walk = Walk::new(origin, 0..0, nothing.0, nothing.1).without_tables();
        walk.set_minimum_index(pruned.minimum());
        Self {
            audit,
            walk,
            pruned,
            judged: Batch::default(),
            tiles: TileRebuilder::new(audit.source),
            frontier: Frontier::new(),
            sizes,
            roots: BTreeMap::new(),
            genesis: Check::new("genesis"),
            link: None,
            blobs: Check::new("blobs-readable"),
            before,
            heads,
            may_keep: false,
            administrative: Vec::new(),
        }
    }
}

impl Pass<'_> {
    fn bundle(&mut self, first: u64, places: Vec<Slot>, disclosed: DisclosedByIndex) {
        let last = std::mem::take(&mut self.judged);
        let judge = || self.judge(first, places, disclosed);
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
    fn judge(&mut self, first: u64, places: Vec<Slot>, mut disclosed: DisclosedByIndex) -> Batch {
        // Of a pruned place the leaf hash is the log's word, until the root is.
        let mut leaves = Vec::with_capacity(places.len());
        let mut items = Vec::with_capacity(places.len());
        for (place, index) in places.into_iter().zip(first..) {
            leaves.push(match place {
                Slot::Pruned(leaf) => Some(leaf),
                Slot::Entry(bytes) => {
                    let disclosed = disclosed.remove(&index).unwrap_or_default();
                    items.push(Item::new(index, bytes, disclosed));
                    None
                }
            });
        }
        let hash = || -> Vec<Hash> {
            let leaves = items.par_iter().map(|item| leaf_hash(&item.bytes));
            leaves.collect()
        };
        let (readings, hashed) = rayon::join(|| Walk::read(&items), hash);
        for (item, leaf) in items.iter().zip(&hashed) {
            self.pruned.note(item.index, leaf);
        }
        let mut hashed = hashed.into_iter();
        for leaf in leaves {
            // Places without a hash of their own are the items, in order.
            let Some(leaf) = leaf.or_else(|| hashed.next()) else {
                continue;
            };
            self.tiles.push(leaf);
            self.frontier.push(leaf);
            self.note_root();
        }
        if let Some(genesis) = items.first().filter(|item| item.index == 0) {
            self.check_genesis(&genesis.bytes);
        }
        self.fetch_bundles(&items, &readings);
        let batch = self.walk.judge(ENTRIES, &items, readings);
        self.note_administrative(items, &batch);
        let (audit, roots) = (self.audit, &self.roots);
        let tree = |size: u64, root: &Hash| audit.tree(roots, size, root);
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
    fn fetch_bundles(&mut self, items: &[Item], readings: &Readings) {
        for (entry, item) in readings.entries().zip(items) {
            let index = item.index;
            let Some(Body::Policy(statement)) = entry.map(|entry| &entry.payload().body) else {
                continue;
            };
            self.fetch_bundle(index, statement);
        }
    }

    fn fetch_bundle(&mut self, index: u64, statement: &PolicyStatement) {
        let read = self.audit.source.blob(&statement.bundle);
        let place = |reason: String| {
            Failure::of_index(&format!("blobs/{}", statement.bundle), index, reason)
        };
        if let Some(blob) = self.blobs.record(read, place) {
            self.walk.add_bundle(statement.bundle, blob);
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
