//! Whether the index may be relied on: who somebody is, and what a list shows, is decided by it.
//!
//! The services listen at once after a start, while the index is rebuilt from entry 0. Until it holds what
//! was published at the start, it knows too little: whoever was removed would be unknown to it, and a
//! person with devices would be taken for a new one.

use super::Index;
use crate::problem::Problem;
use axum::http::StatusCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Pause asked of callers while the index is rebuilt: short against the rebuilding of a large log.
pub const BEHIND_RETRY_S: u64 = 5;

/// Pause asked of callers when the index has failed: it takes an operator and a restart.
pub const FAILED_RETRY_S: u64 = 60;

/// How far the index must have come, and whether it ever will.
#[derive(Debug)]
pub struct Standing {
    published_at_start: u64,
    failed: AtomicBool,
}

/// Why the index is not asked. Retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStanding {
    /// It is being rebuilt.
    #[error("the server has just started and has read {size} of {needed} entries")]
    Behind {
        /// Entries it holds.
        size: u64,
        /// Entries it must hold.
        needed: u64,
    },
    /// It met an entry that it cannot project.
    #[error("the server cannot read its own entries; its operator must look at the diagnostics")]
    Failed,
}

impl From<NotStanding> for Problem {
    fn from(reason: NotStanding) -> Self {
        let (code, after_s) = match reason {
            NotStanding::Behind { .. } => ("index-behind", BEHIND_RETRY_S),
            NotStanding::Failed => ("index-failed", FAILED_RETRY_S),
        };
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::retry(status, code, after_s, reason.to_string())
    }
}

impl Standing {
    /// Of an index that must reach what is published now.
    #[must_use]
    pub fn new(published_at_start: u64) -> Self {
        Self {
            published_at_start,
            failed: AtomicBool::new(false),
        }
    }

    /// The index stays where it is for ever.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Whether an index of this size may be asked.
    ///
    /// # Errors
    /// [`NotStanding`].
    pub fn judge(&self, size: u64) -> Result<(), NotStanding> {
        let needed = self.published_at_start;
        if self.failed.load(Ordering::Acquire) {
            Err(NotStanding::Failed)
        } else if size < needed {
            Err(NotStanding::Behind { size, needed })
        } else {
            Ok(())
        }
    }
}

/// An index as those see it who only ask how far it is.
pub struct Watched {
    index: Arc<RwLock<Index>>,
    standing: Arc<Standing>,
}

impl Watched {
    /// Of the index that a follower fills.
    #[must_use]
    pub fn new(index: Arc<RwLock<Index>>, standing: Arc<Standing>) -> Self {
        Self { index, standing }
    }

    /// Entries it holds.
    ///
    /// # Errors
    /// [`NotStanding`].
    pub fn look(&self) -> Result<u64, NotStanding> {
        let size = self
            .index
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .size();
        self.standing.judge(size).map(|()| size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_stands_from_the_start_size_on_until_it_fails() {
        let standing = Standing::new(7);
        let behind = standing.judge(6).unwrap_err();
        assert_eq!(behind, NotStanding::Behind { size: 6, needed: 7 });
        let problem = Problem::from(behind);
        assert_eq!(problem.code(), "index-behind");
        assert_eq!(problem.retry_after_s, Some(BEHIND_RETRY_S));
        standing.judge(7).unwrap();
        let index = Arc::new(RwLock::new(Index::new("log.example.com")));
        let standing = Arc::new(standing);
        let watched = Watched::new(index, standing.clone());
        let behind = NotStanding::Behind { size: 0, needed: 7 };
        assert_eq!(watched.look(), Err(behind));
        standing.fail();
        assert_eq!(watched.look(), Err(NotStanding::Failed));
        let failed = Problem::from(standing.judge(9).unwrap_err());
        assert_eq!(failed.code(), "index-failed");
        assert_eq!(failed.body.status, 503);
    }
}
