//! Verifying an evidence pack: every claim in it, re-derived offline.
//!
//! Owns the order of the checks. Needs the pack, a trust policy and the leaf hash of the log's entry
//! 0, the latter two from somewhere else than the pack. Source: `docs/formats/pack.md`.

pub mod columns;
pub mod events;
pub mod folder;
pub mod manifest;
pub mod names;
pub mod proofs;
pub mod results;
pub mod second;
pub mod small;

use crate::evidence::{CheckpointRecord, Context};
use crate::report::{Check, Failure, Report};
use crate::walk::{Item, Walk};
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_tlog::{Frontier, Hash, RangeProof, RangeVerifier, TrustPolicy, leaf_hash};
use events::Rows;
use folder::Folder;
use proofs::{ProofFileError, ProvenEntry, RangeFile};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Most rows over which the second Merkle implementation is run: it keeps every leaf in memory.
pub const MAX_SECOND_ROWS: usize = 50_000_000;

/// Verifies the pack in `path`.
///
/// Never fails: what cannot be read is a failed check.
pub fn verify(path: &Path, policy: &TrustPolicy, genesis: &Hash) -> Report {
    let mut report = Report::default();
    let folder = match Folder::open(path) {
        Ok(folder) => folder,
        Err(error) => {
            let mut check = Check::new("files");
            check.fail(Failure::of_file(names::MANIFEST, error));
            report.push(check);
            return report;
        }
    };
    report.fact("pack root (SHA-256 of manifest.json)", folder.pack_root);
    report.push(folder.check());
    let pack = Pack {
        folder: &folder,
        policy,
        genesis,
    };
    if let Err(failure) = pack.verify(&mut report) {
        let mut check = Check::new("readable");
        check.fail(failure);
        report.push(check);
    }
    report
}

struct Pack<'a> {
    folder: &'a Folder,
    policy: &'a TrustPolicy,
    genesis: &'a Hash,
}

impl Pack<'_> {
    fn range(&self) -> Range<u64> {
        self.folder.manifest.range.start..self.folder.manifest.range.end
    }

    /// Runs every check; stops only where a file that the rest depends on cannot be read.
    fn verify(&self, report: &mut Report) -> Result<(), Failure> {
        let tree = self.folder.manifest.tree;
        report.fact("tree size", tree.size);
        report.fact("tree root", tree.root);
        report.push(self.check_head());
        report.push(self.check_genesis());
        let (proof, range_check) = self.range_proof()?;
        let (mut context, checkpoints) = self.checkpoints()?;
        report.push(checkpoints);
        let unreadable = |error| Failure::of_file(names::EVENTS, error);
        events::erasures(self.folder, &mut context).map_err(unreadable)?;
        let (outside, mut context_check) = self.outside(&mut context)?;
        let sizes: Vec<u64> = context.checkpoints().iter().map(|one| one.size).collect();
        let records = context.checkpoints().to_vec();
        let origin = &self.folder.manifest.origin;
        let mut walk = Walk::new(
            origin,
            self.range(),
            context,
            self.bundles(&mut context_check),
        );
        for (line, item) in outside
            .iter()
            .filter(|(_, item)| item.index < self.range().start)
        {
            walk.context_item(names::CONTEXT, *line, item);
        }
        report.push(context_check);
        let frontier = Frontier::from_parts(self.range().start, proof.left.clone());
        let frontier = frontier.map_err(|error| Failure::of_file(names::RANGE, error))?;
        let rows = events::read(self.folder, &mut walk, frontier, &sizes).map_err(unreadable)?;
        for (line, item) in outside
            .iter()
            .filter(|(_, item)| item.index >= self.range().end)
        {
            walk.context_item(names::CONTEXT, *line, item);
        }
        self.judge_rows(report, walk, rows, &proof, range_check, &records)
    }

    fn judge_rows(
        &self,
        report: &mut Report,
        walk: Walk,
        rows: Rows,
        proof: &RangeProof,
        range_check: Check,
        records: &[CheckpointRecord],
    ) -> Result<(), Failure> {
        let range_check = self.check_range(&rows, proof, range_check);
        let second = self.check_second(&rows, proof);
        let walked = walk.finish();
        let mut verdicts = walked.verdicts;
        let (consistency, inconsistent) = consistency(records, &rows.roots);
        let totals = self.check_totals(&rows);
        verdicts.bad_leaves.extend(rows.bad_leaves.iter().copied());
        verdicts.inconsistent = inconsistent;
        verdicts.range_proven = range_check.failed == 0
            && second.failed == 0
            && report
                .check("checkpoint")
                .is_some_and(|check| check.failed == 0);
        let believed = |size| records.iter().any(|record| record.size == size);
        verdicts.begins_at_checkpoint = self.range().start == 0 || believed(self.range().start);
        verdicts.ends_at_checkpoint = believed(self.range().end);
        verdicts.totals_agree = totals.failed == 0;
        let mut tables = walked.tables;
        tables.events = rows.events;
        tables.params = small::params(self.folder)
            .map_err(|error| Failure::of_file(&names::table("params"), error))?;
        for (state, count) in &rows.totals.disclosures {
            report.count(&format!("disclosures {state}"), *count);
        }
        report.count("rows", rows.totals.rows);
        for check in [
            rows.leaf_check,
            range_check,
            second,
            consistency,
            totals,
            rows.column_check,
        ] {
            report.push(check);
        }
        merge(report, walked.report);
        report.push(small::check(self.folder, &tables));
        let results = self.folder.read(names::RESULTS);
        let results = results.map_err(|error| Failure::of_file(names::RESULTS, error))?;
        let results: results::Results = serde_json::from_slice(&results)
            .map_err(|error| Failure::of_file(names::RESULTS, error))?;
        report.push(results.check(&tables, &verdicts));
        Ok(())
    }

    /// The checkpoint file is believed under the trust policy and is the manifest's tree.
    fn check_head(&self) -> Check {
        let mut check = Check::new("checkpoint");
        let place = |reason: String| Failure::of_file(names::CHECKPOINT, reason);
        let manifest = &self.folder.manifest;
        let Some(note) = check.record(self.folder.read_text(names::CHECKPOINT), place) else {
            return check;
        };
        let Some(verified) = check.record(self.policy.verify_checkpoint(&note), place) else {
            return check;
        };
        let head = verified.checkpoint;
        let same = head.origin == manifest.origin
            && head.size == manifest.tree.size
            && head.root.0 == manifest.tree.root.0;
        let verdict = if same {
            Ok(())
        } else {
            Err("the manifest names another tree")
        };
        check.record(verdict, place);
        check
    }

    /// Entry 0 is in the tree, is the one that was pinned, and names the trust policy's log key.
    fn check_genesis(&self) -> Check {
        let mut check = Check::new("genesis");
        let place = |reason: String| Failure {
            index: Some(0),
            ..Failure::of_file(names::GENESIS, reason)
        };
        check.record(self.try_genesis(), place);
        check
    }

    fn try_genesis(&self) -> Result<(), String> {
        let text = self
            .folder
            .read_text(names::GENESIS)
            .map_err(|error| error.to_string())?;
        let proven = ProvenEntry::parse(&text).map_err(|error| error.to_string())?;
        let tree = self.folder.manifest.tree;
        proven
            .check(tree.size, &tree.root)
            .map_err(|error| error.to_string())?;
        let leaf = leaf_hash(proven.entry.as_bytes());
        if proven.index != 0 || leaf != *self.genesis {
            let (found, pinned) = (leaf.to_hex(), self.genesis.to_hex());
            return Err(format!(
                "entry {} has leaf {found}, pinned is {pinned}",
                proven.index
            ));
        }
        if leaf.0 != self.folder.manifest.genesis.0 {
            return Err("the manifest names another genesis".to_owned());
        }
        check_log_key(proven.entry.as_bytes(), self.policy)
    }

    fn range_proof(&self) -> Result<(RangeProof, Check), Failure> {
        let place = |reason: String| Failure::of_file(names::RANGE, reason);
        let mut check = Check::new("range-proof");
        let read = self
            .folder
            .read(names::RANGE)
            .map_err(|error| place(error.to_string()))?;
        let file: RangeFile =
            serde_json::from_slice(&read).map_err(|error| place(error.to_string()))?;
        let manifest = &self.folder.manifest;
        let same = (file.start, file.end) == (manifest.range.start, manifest.range.end)
            && file.size == manifest.tree.size;
        let verdict = if same {
            Ok(())
        } else {
            Err("the manifest names another range or tree")
        };
        check.record(verdict, place);
        let proof = file
            .proof()
            .map_err(|error: ProofFileError| place(error.to_string()))?;
        Ok((proof, check))
    }

    /// The checkpoints of the period, each believed under the trust policy.
    fn checkpoints(&self) -> Result<(Context, Check), Failure> {
        let file = names::table("checkpoints");
        let notes = small::notes(self.folder).map_err(|error| Failure::of_file(&file, error))?;
        let mut check = Check::new("checkpoints");
        let mut records = Vec::new();
        for (row, note) in notes.into_iter().enumerate() {
            let place = |reason: String| Failure {
                row: Some(row as u64),
                ..Failure::of_file(&file, reason)
            };
            let verified = self.policy.verify_checkpoint(&note);
            let Some(verified) = check.record(verified, place) else {
                continue;
            };
            let head = verified.checkpoint;
            if head.origin != self.folder.manifest.origin {
                check.fail(place(format!(
                    "checkpoint of another log `{}`",
                    head.origin
                )));
                continue;
            }
            let cosigned = verified
                .cosigned
                .into_iter()
                .map(|(_, seconds)| seconds)
                .collect();
            records.push(CheckpointRecord {
                size: head.size,
                root: head.root,
                note,
                cosigned,
            });
        }
        Ok((Context::new(records), check))
    }

    /// Entries from outside the range, each proven on its own; later erasures are learnt at once.
    fn outside(&self, context: &mut Context) -> Result<(Vec<(u64, Item)>, Check), Failure> {
        let mut check = Check::new("context-entries");
        let text = self.folder.read_text(names::CONTEXT);
        let text = text.map_err(|error| Failure::of_file(names::CONTEXT, error))?;
        let genesis = self.folder.read_text(names::GENESIS).unwrap_or_default();
        let tree = self.folder.manifest.tree;
        let first = (self.range().start > 0).then_some(genesis.as_str());
        let mut items = Vec::new();
        let mut after = None;
        for (line, text) in first.into_iter().chain(text.lines()).enumerate() {
            let line = line as u64;
            let place = |reason: String| Failure {
                row: Some(line),
                ..Failure::of_file(names::CONTEXT, reason)
            };
            let proven = ProvenEntry::parse(text).and_then(|proven| {
                proven.check(tree.size, &tree.root)?;
                Ok(proven)
            });
            let Some(proven) = check.record(proven, place) else {
                continue;
            };
            if after.is_some_and(|after| proven.index <= after)
                || self.range().contains(&proven.index)
            {
                check.fail(place(format!("entry {} is not in its place", proven.index)));
                continue;
            }
            after = Some(proven.index);
            if let Some(entry) = events::erasure(proven.entry.as_bytes())
                && let Body::Erasure(erasure) = &entry.payload().body
            {
                context.add_erasure(erasure);
            }
            let (index, bytes) = (proven.index, proven.entry.into_bytes());
            items.push((
                line,
                Item {
                    index,
                    bytes,
                    disclosures: proven.disclosures,
                },
            ));
        }
        Ok((items, check))
    }

    /// Policy blobs by the digest in their file name; the walk compares digest and bytes.
    fn bundles(&self, check: &mut Check) -> BTreeMap<Sha256, Vec<u8>> {
        let mut bundles = BTreeMap::new();
        for file in &self.folder.manifest.files {
            let name = file
                .path
                .strip_prefix("policy/")
                .and_then(|name| name.strip_suffix(".json"));
            let Some(digest) = name.and_then(Sha256::from_hex) else {
                continue;
            };
            let read = self.folder.read(&file.path);
            if let Some(bytes) = check.record(read, |reason| Failure::of_file(&file.path, reason)) {
                bundles.insert(digest, bytes);
            }
        }
        bundles
    }

    fn check_range(&self, rows: &Rows, proof: &RangeProof, mut check: Check) -> Check {
        let tree = self.folder.manifest.tree;
        let verdict = RangeVerifier::new(self.range().start, proof).and_then(|mut verifier| {
            rows.leaves
                .iter()
                .for_each(|leaf| verifier.push(Hash(*leaf)));
            let end = verifier.next_index();
            verifier.finish(tree.size, &Hash(tree.root.0))?;
            Ok(end)
        });
        let place = |reason: String| Failure::of_file(names::RANGE, reason);
        let end = check.record(verdict, place);
        if end.is_some_and(|end| end != self.range().end) {
            check.fail(place(
                "the rows end elsewhere than the manifest says".to_owned(),
            ));
        }
        check
    }

    fn check_second(&self, rows: &Rows, proof: &RangeProof) -> Check {
        let mut check = Check::new("range-proof-rs-merkle");
        let tree = self.folder.manifest.tree;
        if rows.leaves.len() > MAX_SECOND_ROWS {
            let reason = format!("more than {MAX_SECOND_ROWS} rows, the second check was not run");
            check.fail(Failure::of_file(names::RANGE, reason));
            return check;
        }
        let (start, root) = (self.range().start, &tree.root.0);
        let verdict = second::check(
            &rows.leaves,
            start,
            tree.size,
            &proof.left,
            &proof.right,
            root,
        );
        check.record(verdict, |reason| Failure::of_file(names::RANGE, reason));
        check
    }

    fn check_totals(&self, rows: &Rows) -> Check {
        let mut check = Check::new("control-totals");
        let same = rows.totals == self.folder.manifest.totals;
        let verdict = if same {
            Ok(())
        } else {
            Err("the totals are not those of the rows")
        };
        check.record(verdict, |reason| Failure::of_file(names::MANIFEST, reason));
        check
    }
}

/// Whether the genesis entry names the key that the trust policy believes for its log.
///
/// Errors: the reason, in words.
pub fn check_log_key(genesis: &[u8], policy: &TrustPolicy) -> Result<(), String> {
    let entry = Entry::parse(genesis).map_err(|error| error.to_string())?;
    let Body::Genesis(body) = &entry.payload().body else {
        return Err("entry 0 is not a genesis entry".to_owned());
    };
    let known = policy
        .logs()
        .iter()
        .any(|log| log.key.name() == entry.payload().log && log.key.to_string() == body.log_key);
    if known {
        Ok(())
    } else {
        Err("genesis names a log key that the trust policy does not".into())
    }
}

/// Every checkpoint inside the rows has the root that the rows give at its size.
fn consistency(
    records: &[CheckpointRecord],
    roots: &BTreeMap<u64, Hash>,
) -> (Check, std::collections::BTreeSet<i64>) {
    let mut check = Check::new("checkpoint-consistency");
    let mut bad = std::collections::BTreeSet::new();
    let file = names::table("checkpoints");
    for (row, record) in records.iter().enumerate() {
        let verdict = match roots.get(&record.size) {
            Some(root) if *root == record.root => Ok(()),
            Some(_) => Err(format!(
                "the rows give another root at size {}",
                record.size
            )),
            None => Err(format!("size {} is not inside the rows", record.size)),
        };
        if verdict.is_err() {
            bad.insert(i64::try_from(record.size).unwrap_or(i64::MAX));
        }
        check.record(verdict, |reason| Failure {
            row: Some(row as u64),
            ..Failure::of_file(&file, reason)
        });
    }
    (check, bad)
}

fn merge(report: &mut Report, other: Report) {
    other
        .checks
        .into_iter()
        .for_each(|check| report.push(check));
    other
        .counts
        .iter()
        .for_each(|(name, count)| report.count(name, *count));
}
