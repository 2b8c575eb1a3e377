//! The published checkpoints of a log: each believed, and each the head of the entries before it.
//!
//! Owns reading them in ascending order ahead of the walk, the comparison of each with the tree when the walk passes
//! its size, and how little is kept of it then. A log may have published as many as it has entries.

use super::course::LogAudit;
use super::state::Compared;
use crate::beacons::TreeAt;
use crate::evidence::CheckpointRecord;
use crate::report::{Check, Failure};
use crate::source::{LogSource, SourceError, for_each_checkpoint_size};
use cairn_tlog::{Checkpoint, Hash, TrustPolicy};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Checkpoints read ahead of the walk, some hundred bytes each: enough to hide a slow line.
const AHEAD: usize = 1_024;

/// Roots that are remembered of the checkpoints passed last, 40 bytes each. Entries name a checkpoint that their device
/// saw not long before; of another one tiles show whether the tree had its root.
const RECENT_ROOTS: usize = 65_536;

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
    for_each_checkpoint_size(source, after, upto, |size| {
        let (read, _) = look(source, policy, origin, size, check);
        records.extend(read.map(|(record, _)| record));
        ControlFlow::Continue(())
    })?;
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

/// What reading the checkpoint of a size gave.
pub(super) struct Looked {
    size: u64,
    check: Check,
    /// Where it is believed.
    head: Option<Head>,
    /// Whether the source could not be read, so that the next one cannot either.
    is_lost: bool,
}

/// The checkpoints that the walk has not reached, read ahead by a thread of their own.
pub(super) struct Coming {
    looked: Receiver<Result<Looked, SourceError>>,
    next: Option<Looked>,
}

impl Coming {
    /// Begins to read what was published in `(after, head]`.
    pub(super) fn follow<'scope>(
        scope: &'scope Scope<'scope, '_>,
        audit: &'scope LogAudit<'_>,
        after: u64,
    ) -> Self {
        let (sender, looked) = sync_channel(AHEAD);
        scope.spawn(move || {
            let (source, policy) = (audit.source, audit.options.policy);
            let (origin, upto) = (&audit.head.origin, audit.head.size);
            let each = |size| {
                let mut check = Check::new("");
                let (read, is_lost) = look(source, policy, origin, size, &mut check);
                let head = read.map(|(record, (first_s, last_s))| Head {
                    size,
                    root: record.root,
                    first_s,
                    last_s,
                });
                let looked = Looked {
                    size,
                    check,
                    head,
                    is_lost,
                };
                // The walk leaves when it is at its end; then nobody asks for more.
                match sender.send(Ok(looked)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            };
            if let Err(error) = for_each_checkpoint_size(source, after, upto, each) {
                let _ = sender.send(Err(error));
            }
        });
        Self { looked, next: None }
    }

    /// The next one that covers at most `size` entries.
    ///
    /// Errors: [`SourceError`] when the list itself cannot be read further.
    pub(super) fn next_upto(&mut self, size: u64) -> Result<Option<Looked>, SourceError> {
        if self.next.is_none() {
            // Without a sender there is no further one.
            self.next = self.looked.recv().ok().transpose()?;
        }
        Ok(self.next.take_if(|next| next.size <= size))
    }

    /// Adds to the check what the walk did not come to: a log that cannot be read to its end may have published
    /// more that nobody can believe. It ends where the source cannot be read at all.
    pub(super) fn drain(mut self, check: &mut Check) {
        while let Ok(Some(looked)) = self.next_upto(u64::MAX) {
            check.add(looked.check);
            if looked.is_lost {
                return;
            }
        }
    }
}

/// What is kept of the published checkpoints that the walk has passed.
pub(super) struct Passed {
    /// Whether each is believed.
    pub(super) check: Check,
    /// Whether each has the root of the entries.
    consistency: Check,
    /// Those that were compared, of earlier runs too.
    pub(super) compared: Compared,
    /// Those that were read, and wait for the walk to reach them.
    waiting: VecDeque<Head>,
    /// Sizes and roots, ascending.
    roots: VecDeque<(u64, Hash)>,
}

impl Passed {
    /// Begins after those that earlier runs compared: each of them was read and believed.
    pub(super) fn new(before: Compared) -> Self {
        Self {
            check: Check::passed("checkpoints", before.count.saturating_mul(2)),
            consistency: Check::passed("checkpoint-consistency", before.count),
            compared: before,
            waiting: VecDeque::new(),
            roots: VecDeque::new(),
        }
    }

    /// Takes the next one, before the walk reaches it.
    pub(super) fn take(&mut self, looked: Looked) {
        self.check.add(looked.check);
        self.waiting.extend(looked.head);
    }

    /// The next one to be compared with a tree of `size` entries.
    pub(super) fn reached(&mut self, size: u64) -> Option<Head> {
        self.waiting.pop_front_if(|next| next.size <= size)
    }

    /// Compares one with the tree of the entries at its size: all of them are then prefixes of one tree.
    pub(super) fn compare(&mut self, head: &Head, tree: &TreeAt) {
        let Head { size, root, .. } = head;
        let verdict = match tree {
            TreeAt::Root(found) if found == root => Ok(()),
            TreeAt::Root(found) => Err(format!("signed root {root}, entries give {found}")),
            TreeAt::Proven => Ok(()),
            TreeAt::Refuted(reason) => Err(format!("signed root {root}, but {reason}")),
            TreeAt::Unknown => Err("the size was not reached".to_owned()),
        };
        self.consistency.record(verdict, |reason| {
            Failure::of_file(&format!("checkpoints/{size}"), reason)
        });
        self.compared.count = self.compared.count.saturating_add(1);
        self.compared.last = *size;
        if let TreeAt::Root(found) = tree {
            if self.roots.len() >= RECENT_ROOTS {
                self.roots.pop_front();
            }
            self.roots.push_back((*size, *found));
        }
    }

    /// The root of the entries at the size of a checkpoint passed not long ago.
    pub(super) fn root(&self, size: u64) -> Option<Hash> {
        let at = self.roots.binary_search_by_key(&size, |(size, _)| *size);
        self.roots.get(at.ok()?).map(|(_, root)| *root)
    }

    /// Whether one of them is not believed, or is not of the tree.
    pub(super) fn has_failed(&self) -> bool {
        self.check.failed > 0 || self.consistency.failed > 0
    }

    /// The comparison, at the end.
    pub(super) fn finish(self) -> Check {
        self.consistency
    }
}

/// A checkpoint that is believed, and when its quorum had cosigned it and from when on that holds.
type Believed = (CheckpointRecord, (Option<u64>, Option<u64>));

/// Reads and verifies the checkpoint of a size. Gives also whether the source could not be read.
fn look(
    source: &dyn LogSource,
    policy: &TrustPolicy,
    origin: &str,
    size: u64,
    check: &mut Check,
) -> (Option<Believed>, bool) {
    let place = |reason: String| Failure::of_file(&format!("checkpoints/{size}"), reason);
    let note = source.checkpoint_at(size);
    let is_lost = note.as_ref().is_err_and(|error| !error.is_missing());
    let Some(note) = check.record(note, place) else {
        return (None, is_lost);
    };
    let Some(verified) = check.record(policy.verify_checkpoint(&note), place) else {
        return (None, false);
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
        return (None, false);
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
    (Some((record, times)), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roots_passed_last_are_remembered() {
        let mut passed = Passed::new(Compared { count: 3, last: 8 });
        let sizes = 10..10 + RECENT_ROOTS as u64 + 1;
        for size in sizes.clone() {
            let root = cairn_tlog::leaf_hash(&size.to_be_bytes());
            let head = Head {
                size,
                root,
                first_s: None,
                last_s: None,
            };
            passed.compare(&head, &TreeAt::Root(root));
        }
        assert_eq!(passed.root(10), None);
        let newest = sizes.end - 1;
        for known in [11, newest] {
            let root = cairn_tlog::leaf_hash(&known.to_be_bytes());
            assert_eq!(passed.root(known), Some(root));
        }
        assert_eq!(passed.compared.last, newest);
        assert_eq!(passed.compared.count, 3 + sizes.count() as u64);
        assert!(!passed.has_failed());
    }
}
