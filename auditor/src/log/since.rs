//! The checkpoint of an earlier audit: the log may only have grown since.
//!
//! Owns reading it and the verdict. Its root is compared with the one recomputed from the entries, so no
//! proof from the log is needed.

use crate::beacons::TreeAt;
use crate::report::{Check, Failure};
use cairn_tlog::{Checkpoint, Hash, TrustPolicy};

/// Where a failure is, for the reader.
const EARLIER: &str = "earlier checkpoint";

/// The comparison under way.
pub struct Since {
    check: Check,
    earlier: Option<Checkpoint>,
}

impl Since {
    /// Reads the note of an earlier audit; it must be believed, of this log, and not beyond its newest
    /// state.
    pub fn read(note: &str, policy: &TrustPolicy, head: &Checkpoint) -> Self {
        let mut check = Check::new("since");
        let believed = check.record(policy.verify_checkpoint(note), place);
        let mut earlier = believed.map(|verified| verified.checkpoint);
        let reason = match &earlier {
            Some(earlier) if earlier.origin != head.origin => {
                Some(format!("it is of `{}`", earlier.origin))
            }
            Some(earlier) if earlier.size > head.size => Some(format!(
                "the log had {} entries then and shows {} now: it went back, or an old state is shown",
                earlier.size, head.size
            )),
            _ => None,
        };
        if let Some(reason) = reason {
            check.fail(place(reason));
            earlier = None;
        }
        Self { check, earlier }
    }

    /// The tree size at which a root is needed.
    pub fn size(&self) -> Option<u64> {
        self.earlier.as_ref().map(|earlier| earlier.size)
    }

    /// Whether it was refused already.
    pub fn has_failed(&self) -> bool {
        self.check.failed > 0
    }

    /// Compares it with the tree of the entries.
    pub fn finish(mut self, mut tree: impl FnMut(u64, &Hash) -> TreeAt) -> Check {
        if let Some(Checkpoint { root, size, .. }) = self.earlier {
            let rewritten = |found: String| {
                Err(format!(
                    "signed root {root} at size {size}, {found}: the history was rewritten"
                ))
            };
            let verdict = match tree(size, &root) {
                TreeAt::Root(found) if found == root => Ok(()),
                TreeAt::Root(found) => rewritten(format!("entries give {found}")),
                TreeAt::Proven => Ok(()),
                TreeAt::Refuted(reason) => rewritten(format!("but {reason}")),
                TreeAt::Unknown => Err(format!("the entries end before its size {size}")),
            };
            self.check.record(verdict, place);
        }
        self.check
    }
}

fn place(reason: String) -> Failure {
    Failure::of_file(EARLIER, reason)
}
