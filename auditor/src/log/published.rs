//! The published checkpoints of a log: each believed, and each the head of the entries before it.

use crate::beacons::TreeAt;
use crate::evidence::CheckpointRecord;
use crate::report::{Check, Failure};
use crate::source::{LogSource, SourceError, all_checkpoint_sizes};
use cairn_tlog::{Checkpoint, Hash, TrustPolicy};

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
    let each = |record, _| records.push(record);
    for_each(source, policy, origin, (after, upto), check, each)?;
    Ok(records)
}

/// What is compared of a published checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Entries it covers.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// Unix seconds by which the quorum had cosigned it.
    pub first_s: Option<u64>,
    /// Unix seconds from which on its cosignatures satisfy the quorum.
    pub last_s: Option<u64>,
}

/// As [`read`], of each checkpoint only what is compared.
///
/// Errors: [`SourceError`] when the list itself cannot be read.
pub fn heads(
    source: &dyn LogSource,
    policy: &TrustPolicy,
    origin: &str,
    (after, upto): (u64, u64),
    check: &mut Check,
) -> Result<Vec<Head>, SourceError> {
    let mut heads = Vec::new();
    let each = |record: CheckpointRecord, (first_s, last_s)| {
        heads.push(Head {
            size: record.size,
            root: record.root,
            first_s,
            last_s,
        });
    };
    for_each(source, policy, origin, (after, upto), check, each)?;
    Ok(heads)
}

fn for_each(
    source: &dyn LogSource,
    policy: &TrustPolicy,
    origin: &str,
    (after, upto): (u64, u64),
    check: &mut Check,
    mut each: impl FnMut(CheckpointRecord, (Option<u64>, Option<u64>)),
) -> Result<(), SourceError> {
    for size in all_checkpoint_sizes(source, after, upto)? {
        let place = |reason: String| Failure::of_file(&format!("checkpoints/{size}"), reason);
        let Some(note) = check.record(source.checkpoint_at(size), place) else {
            continue;
        };
        let Some(verified) = check.record(policy.verify_checkpoint(&note), place) else {
            continue;
        };
        let times = (
            policy.first_quorum_time(&verified),
            policy.quorum_time(&verified),
        );
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
        let record = CheckpointRecord {
            size,
            root,
            note,
            cosigned,
        };
        each(record, times);
    }
    Ok(())
}

/// Compares each checkpoint with the tree of the entries at its size: all of them are then prefixes of
/// one tree.
pub fn compare(check: &mut Check, heads: &[Head], mut tree: impl FnMut(u64, &Hash) -> TreeAt) {
    for Head {
        size, root: signed, ..
    } in heads
    {
        let verdict = match tree(*size, signed) {
            TreeAt::Root(root) if root == *signed => Ok(()),
            TreeAt::Root(root) => Err(format!("signed root {signed}, entries give {root}")),
            TreeAt::Proven => Ok(()),
            TreeAt::Refuted(reason) => Err(format!("signed root {signed}, but {reason}")),
            TreeAt::Unknown => Err("the size was not reached".to_owned()),
        };
        check.record(verdict, |reason| {
            Failure::of_file(&format!("checkpoints/{size}"), reason)
        });
    }
}
