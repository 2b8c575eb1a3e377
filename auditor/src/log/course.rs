//! One audit's course: what is compared before the entries are read, the reading, and what after it.
//!
//! Owns the order. What is done with each bundle of entries is `pass`'s.

use super::bundles::{self, BundleError, Slot, Tree};
use super::cold::{Cold, ColdError};
use super::pass::{Pass, Roots};
use super::published::Coming;
use super::resume::{Due, Ended, Keeper};
use super::retention::Pruned;
use super::since::Since;
use super::state::{Left, State, StateError};
use super::{Audited, ENTRIES, Options, PURPOSE};
use crate::beacons::TreeAt;
use crate::report::{Check, Failure};
use crate::source::{LogSource, SourceError, Tiles};
use cairn_tlog::{Checkpoint, Hash, TileNodes, consistency_proof, verify_consistency};

/// Why a walk did not reach its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Ended(#[from] Ended),
}

impl From<ColdError> for Cut {
    fn from(error: ColdError) -> Self {
        Self::Ended(error.into())
    }
}

impl From<SourceError> for Cut {
    fn from(error: SourceError) -> Self {
        Self::Bundle(error.into())
    }
}

/// An audit of one log against its newest checkpoint.
pub(super) struct LogAudit<'a> {
    pub(super) source: &'a dyn LogSource,
    pub(super) options: &'a Options<'a>,
    pub(super) head: &'a Checkpoint,
    /// Who keeps the state, where somebody does.
    pub(super) keeper: Option<&'a dyn Keeper>,
}

impl LogAudit<'_> {
    /// Walks from entry 0, or goes on from a state; leaves what was found in `audited`.
    pub(super) fn run(&self, from: Option<State>, audited: &mut Audited) -> Result<(), Cut> {
        let report = &mut audited.report;
        let origin = &self.head.origin;
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
        let since = self.options.since;
        let since = since.map(|note| Since::read(note, self.options.policy, self.head));
        let pruned = Pruned::new(self.source.retention()?);
        let minimum = pruned.minimum();
        if from.is_some() && minimum > 0 {
            return Err(Ended::from(StateError::Pruned(minimum)).into());
        }
        let since_size = since.as_ref().and_then(Since::size);
        let mut pass = Pass::new(self, pruned, before.unwrap_or_default(), since_size);
        pass.may_keep = self.keeper.is_some()
            && minimum == 0
            && !since.as_ref().is_some_and(Since::has_failed)
            && report.is_good();
        if let Some(state) = from {
            pass.put_back(state)?;
        }
        let walked = self.walk(&mut pass);
        report.push(pass.published.check.clone());
        walked?;
        pass.settle();
        self.conclude(pass, since, audited)
    }

    /// What can be said when every entry has been read.
    fn conclude(
        &self,
        pass: Pass<'_>,
        since: Option<Since>,
        audited: &mut Audited,
    ) -> Result<(), Cut> {
        let kept = pass.kept();
        let report = &mut audited.report;
        let roots = Roots::of(&pass.wanted, &pass.published);
        let tree = |size: u64, root: &Hash| self.tree(roots.at(size), size, root);
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
        report.push(self.check_root(roots.at(self.head.size)));
        let published = pass.published.compared;
        report.push(pass.published.finish());
        report.push(pass.blobs);
        let walked = pass.walk.finish();
        report.take(walked.report);
        let left = self.left(pass.pruned.minimum());
        let cold = Cold::new(self.options.chains);
        pass.pruned.finish(left, &walked.ledger, cold, report)?;
        report.count("entries", self.head.size);
        report.count("published checkpoints", published.count);
        if let Some(index) = walked.ledger.closed_at() {
            report.fact("closed for ever by entry", index);
        }
        audited.left = kept.map(|(tiles, walk)| Left {
            frontier: pass.frontier,
            ledger: walked.ledger,
            cold: pass.cold,
            administrative: pass.administrative,
            published,
            tiles,
            walk,
        });
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

    /// Walks what is left while the published checkpoints are read ahead.
    fn walk(&self, pass: &mut Pass<'_>) -> Result<(), Cut> {
        std::thread::scope(|scope| {
            let mut coming = Coming::follow(scope, self, pass.published.compared.last);
            let walked = self.walk_along(pass, &mut coming);
            if let Err(Cut::Bundle(_)) = &walked {
                coming.drain(&mut pass.published.check);
            }
            walked
        })
    }

    /// Walks what is left, and keeps the state when it is due.
    fn walk_along(&self, pass: &mut Pass<'_>, coming: &mut Coming) -> Result<(), Cut> {
        let (source, size) = (self.source, self.head.size);
        pass.note_root();
        pass.publish_upto(coming, pass.frontier.size())?;
        let tree = self.left(pass.pruned.minimum());
        let left = pass.frontier.size()..size;
        let leave = if self.options.disclosures && !left.is_empty() {
            source.announce(&left, PURPOSE)?
        } else {
            None
        };
        let each = |first: u64, places: Vec<Slot>, disclosed| {
            pass.publish_upto(coming, first.saturating_add(places.len() as u64))?;
            pass.bundle(first, places, disclosed)?;
            let done = pass.frontier.size();
            (self.options.progress)(done, size);
            let Some(keeper) = self.keeper.filter(|_| done < size) else {
                return Ok(());
            };
            let due = keeper.due(done);
            if due == Due::Nothing {
                return Ok(());
            }
            let state = pass.state();
            if let Some(state) = &state {
                keeper.keep(state);
            }
            let kept = state.is_some();
            match due {
                Due::End => Err(Cut::Ended(Ended::Asked {
                    done,
                    all: size,
                    kept,
                })),
                _ => Ok(()),
            }
        };
        let walked = bundles::for_each_disclosed(tree, leave.as_ref(), left, each);
        if let (Err(Cut::Bundle(BundleError::Source(_))), Some(keeper)) = (&walked, self.keeper)
            && let Some(state) = pass.state()
        {
            // A line that broke says nothing about the entries that came before.
            keeper.keep(&state);
        }
        walked?;
        pass.publish_upto(coming, u64::MAX)?;
        pass.settle();
        Ok(())
    }

    /// The tree at a size: the root of the entries where that is known, else whether `root` is of it.
    pub(super) fn tree(&self, known: Option<Hash>, size: u64, root: &Hash) -> TreeAt {
        match known {
            Some(root) => TreeAt::Root(root),
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

    fn check_root(&self, found: Option<Hash>) -> Check {
        let mut check = Check::new("root");
        let verdict = match found {
            Some(root) if root == self.head.root => Ok(()),
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
