//! Whether the people and the index may be relied on: who somebody is, and what a list shows, is decided
//! by them.
//!
//! The services listen at once after a start, while the roster is read, and the index is rebuilt from
//! entry 0. Until they hold what was published at the start, they know too little: whoever was removed
//! would be unknown, and a person with devices would be taken for a new one.

use super::index::Index;
use crate::problem::Problem;
use axum::http::StatusCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Pause asked of callers while the index is rebuilt: short against the rebuilding of a large log.
pub const BEHIND_RETRY_S: u64 = 5;

/// Pause asked of callers when the index has failed: it takes an operator and a restart.
pub const FAILED_RETRY_S: u64 = 60;

/// How far the people, or the index, must have come, and whether it ever will.
#[derive(Debug)]
pub struct Standing {
    published_at_start: u64,
    /// Entries up to which what follows from them was told.
    told: AtomicU64,
    failed: AtomicBool,
}

/// Why they are not asked. Retry.
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
    /// Of what must reach what is published now.
    #[must_use]
    pub fn new(published_at_start: u64) -> Self {
        Self {
            published_at_start,
            told: AtomicU64::new(0),
            failed: AtomicBool::new(false),
        }
    }

    /// It stays where it is for ever.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Everything that follows from the first `size` entries was told to those who wait for it.
    pub fn tell(&self, size: u64) {
        self.told.fetch_max(size, Ordering::AcqRel);
    }

    /// Whether one that tells of its entries may be asked: what it knows and has not told yet does not count, because
    /// a part of the answers is made of what is told.
    ///
    /// # Errors
    /// [`NotStanding`].
    pub fn judge_told(&self) -> Result<(), NotStanding> {
        self.judge(self.told.load(Ordering::Acquire))
    }

    /// Whether one of this size may be asked.
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

/// The people and the index as those see them who only ask how far they are.
pub struct Watched {
    /// Whether they may be asked.
    pub people_standing: Arc<Standing>,
    /// The index.
    pub index: Arc<RwLock<Index>>,
    /// Whether it may be asked.
    pub index_standing: Arc<Standing>,
}

impl Watched {
    /// Whether the people may be asked.
    ///
    /// # Errors
    /// [`NotStanding`].
    pub fn people(&self) -> Result<(), NotStanding> {
        self.people_standing.judge_told()
    }

    /// Entries in the index, and whether it may be asked.
    pub fn index(&self) -> (u64, Result<(), NotStanding>) {
        let index = self.index.read();
        let size = index.unwrap_or_else(PoisonError::into_inner).size();
        (size, self.index_standing.judge(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy that is known and not told yet is no policy to who asks, and an empty page no roster.
    #[test]
    fn the_people_stand_once_all_of_them_was_told() {
        let standing = Standing::new(7);
        let behind = |size| Err(NotStanding::Behind { size, needed: 7 });
        assert_eq!(standing.judge_told(), behind(0));
        standing.tell(6);
        assert_eq!(standing.judge_told(), behind(6));
        standing.tell(8);
        standing.tell(7);
        assert_eq!(standing.judge_told(), Ok(()));
        standing.fail();
        assert_eq!(standing.judge_told(), Err(NotStanding::Failed));
    }

    #[test]
    fn an_index_stands_from_the_start_size_on_until_it_fails() {
        let standing = Standing::new(7);
        let behind = standing.judge(6).unwrap_err();
        assert_eq!(behind, NotStanding::Behind { size: 6, needed: 7 });
        let problem = Problem::from(behind);
        assert_eq!(problem.code(), "index-behind");
        assert_eq!(problem.retry_after_s, Some(BEHIND_RETRY_S));
        standing.judge(7).unwrap();
        let watched = Watched {
            people_standing: Arc::new(Standing::new(0)),
            index: Arc::new(RwLock::new(Index::new("log.example.com"))),
            index_standing: Arc::new(standing),
        };
        let behind = NotStanding::Behind { size: 0, needed: 7 };
        assert_eq!(watched.index(), (0, Err(behind)));
        let standing = watched.index_standing.clone();
        standing.fail();
        assert_eq!(watched.index(), (0, Err(NotStanding::Failed)));
        assert_eq!(watched.people(), Ok(()));
        let failed = Problem::from(standing.judge(9).unwrap_err());
        assert_eq!(failed.code(), "index-failed");
        assert_eq!(failed.body.status, 503);
    }
}
