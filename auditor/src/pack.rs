//! Verifying an evidence pack: every claim in it, re-derived offline.
//!
//! Owns the order of the checks. Needs the pack, a trust policy and the leaf hash of the log's entry
//! 0, the latter two from somewhere else than the pack. Source: `docs/formats/pack.md`.

pub mod beacons;
pub mod columns;
pub mod derived;
pub mod events;
pub mod folder;
pub mod manifest;
pub mod names;
mod outside;
pub mod proofs;
pub mod results;
pub mod second;
mod sheet;
pub mod small;
mod texts;
mod trust;

pub use trust::check_log_key;

use crate::beacons::TreeAt;
use crate::evidence::CheckpointRecord;
use crate::report::{Check, Failure, Report};
use crate::walk::Walk;
use cairn_tlog::{Frontier, Hash, RangeProof, RangeVerifier, TrustPolicy};
use events::Rows;
use folder::Folder;
use proofs::{ProofFileError, RangeFile};
use std::ops::Range;
use std::path::Path;
use trust::consistency;

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
        mut walk: Walk,
        rows: Rows,
        proof: &RangeProof,
        range_check: Check,
        records: &[CheckpointRecord],
    ) -> Result<(), Failure> {
        let range_check = self.check_range(&rows, proof, range_check);
        let second = self.check_second(&rows, proof);
        self.settle_beacons(&mut walk, &rows, proof)?;
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
        report.take(walked.report);
        report.push(small::check(self.folder, &tables));
        report.fact("frameworks", self.folder.manifest.frameworks.join(", "));
        for row in &tables.params {
            report.fact(&format!("parameter {}", row.name), &row.value);
        }
        report.push(derived::check_listed(&self.folder.manifest));
        report.push(derived::check(self.folder, &tables, &verdicts));
        Ok(())
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

    /// Compares what the devices saw of the log with the roots that proof and rows give.
    fn settle_beacons(
        &self,
        walk: &mut Walk,
        rows: &Rows,
        proof: &RangeProof,
    ) -> Result<(), Failure> {
        let (range, sizes) = (self.range(), walk.beacon_sizes().collect());
        let roots = beacons::roots(&sizes, range.start, &proof.left, &rows.leaves);
        let roots = roots.map_err(|error| Failure::of_file(names::RANGE, error))?;
        let tree = |size: u64, _: &Hash| match roots.get(&size) {
            Some(root) => TreeAt::Root(*root),
            None => TreeAt::Unknown,
        };
        walk.settle_beacons(tree, |index, reason| match index.checked_sub(range.start) {
            Some(row) if index < range.end => Failure::of_row(names::EVENTS, row, index, reason),
            _ => Failure::of_index(names::CONTEXT, index, reason),
        });
        Ok(())
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
