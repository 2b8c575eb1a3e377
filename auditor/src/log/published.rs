//! The published checkpoints of a log: each believed, and each the head of the entries before it.

use crate::evidence::CheckpointRecord;
use crate::report::{Check, Failure};
use crate::source::{LogSource, SourceError, all_checkpoint_sizes};
use cairn_tlog::{Checkpoint, Hash, TrustPolicy};
use std::collections::BTreeMap;

/// Reads and verifies every checkpoint published in `(after, upto]`.
///
/// Errors: [`SourceError`] when the list itself cannot be read.
pub fn read(
    source: &dyn LogSource,
    policy: &TrustPolicy,
    origin: &str,
    after: u64,
    upto: u64,
    check: &mut Check,
) -> Result<Vec<CheckpointRecord>, SourceError> {
    let mut records = Vec::new();
    for size in all_checkpoint_sizes(source, after, upto)? {
        let place = |reason: String| Failure::of_file(&format!("checkpoints/{size}"), reason);
        let Some(note) = check.record(source.checkpoint_at(size), place) else {
            continue;
        };
        let Some(verified) = check.record(policy.verify_checkpoint(&note), place) else {
            continue;
        };
        let Checkpoint {
            origin: named,
            size: covered,
            root,
        } = verified.checkpoint;
        if named != origin || covered != size {
            check.fail(place(format!("the note is of `{named}` size {covered}")));
            continue;
        }
        let cosigned = verified
            .cosigned
            .into_iter()
            .map(|(_, seconds)| seconds)
            .collect();
        records.push(CheckpointRecord {
            size,
            root,
            note,
            cosigned,
        });
    }
    Ok(records)
}

/// Compares each checkpoint with the root recomputed at its size: all of them are then prefixes of
/// one tree.
pub fn compare(records: &[CheckpointRecord], roots: &BTreeMap<u64, Hash>) -> Check {
    let mut check = Check::new("checkpoint-consistency");
    for record in records {
        let verdict = match roots.get(&record.size) {
            Some(root) if *root == record.root => Ok(()),
            Some(root) => Err(format!("signed root {}, entries give {root}", record.root)),
            None => Err("the size was not reached".to_owned()),
        };
        check.record(verdict, |reason| {
            Failure::of_file(&format!("checkpoints/{}", record.size), reason)
        });
    }
    check
}
