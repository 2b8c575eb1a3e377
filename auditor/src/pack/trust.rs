//! What a pack may call believed: its tree, its genesis and the checkpoints of its period.
//!
//! Owns every use of the trust policy and of the pinned genesis hash. Source: `docs/formats/pack.md`.

use super::{Pack, names, small};
use crate::evidence::{CheckpointRecord, Context};
use crate::pack::proofs::ProvenEntry;
use crate::report::{Check, Failure};
use cairn_event::Entry;
use cairn_event::body::Body;
use cairn_tlog::{Hash, TrustPolicy, leaf_hash};
use std::collections::{BTreeMap, BTreeSet};

impl Pack<'_> {
    /// The checkpoint file is believed under the trust policy and is the manifest's tree.
    pub(super) fn check_head(&self) -> Check {
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
    pub(super) fn check_genesis(&self) -> Check {
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

    /// The checkpoints of the period, each believed under the trust policy.
    pub(super) fn checkpoints(&self) -> Result<(Context, Check), Failure> {
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
pub(super) fn consistency(
    records: &[CheckpointRecord],
    roots: &BTreeMap<u64, Hash>,
) -> (Check, BTreeSet<i64>) {
    let mut check = Check::new("checkpoint-consistency");
    let mut bad = BTreeSet::new();
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
