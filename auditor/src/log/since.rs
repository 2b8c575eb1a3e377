//! The checkpoint of an earlier audit: the log may only have grown since.
//!
//! Owns reading it and the verdict. Its root is compared with the one recomputed from the entries, so no
//! proof from the log is needed.

use crate::report::{Check, Failure};
use cairn_tlog::{Checkpoint, Hash, TrustPolicy};
use std::collections::BTreeMap;

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

    /// Compares it with the roots of the entries.
    pub fn finish(mut self, roots: &BTreeMap<u64, Hash>) -> Check {
        if let Some(earlier) = self.earlier {
            let verdict = match roots.get(&earlier.size) {
                Some(root) if *root == earlier.root => Ok(()),
                Some(root) => Err(format!(
                    "signed root {} at size {}, entries give {root}: the history was rewritten",
                    earlier.root, earlier.size
                )),
                None => Err(format!("the entries end before its size {}", earlier.size)),
            };
            self.check.record(verdict, place);
        }
        self.check
    }
}

fn place(reason: String) -> Failure {
    Failure::of_file(EARLIER, reason)
}
