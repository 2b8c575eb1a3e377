//! Sessions that may not go on: they were told something they may not know, or did something else than
//! was judged.
//!
//! Owns the list. Claude Code reads instruction files and what they import without asking any hook
//! first, and does not wait for the hook that it tells of them; what can still be stopped is everything that
//! would follow. So a prompt waits for the verdicts on what its session was told.
//!
//! Source: Claude Code findings 1.1 (`InstructionsLoaded` blocks nothing).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Most sessions remembered: far more than one person can have open; the oldest is forgotten first.
const SESSIONS_MAX: usize = 4_096;

/// Longest wait of a prompt for verdicts on instructions: the shim gives up after 5 s.
const VERDICTS_WAIT: Duration = Duration::from_secs(3);

/// The gate that refuses such a session, as its entry names it.
pub const GATE: &str = "instructions";

/// The gate that refuses a session in which something else ran than was judged.
pub const EXECUTED_GATE: &str = "executed-input";

/// Why a session may not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// The gate that refuses it.
    pub gate: &'static str,
    /// The sentence that says why.
    pub sentence: String,
}

/// The restricted sessions, each with the sentence that says why.
#[derive(Debug, Default)]
pub struct Restrictions {
    known: Mutex<Known>,
    /// Told when instructions were judged.
    judged: Notify,
}

#[derive(Debug, Default)]
struct Known {
    by_session: HashMap<String, Restriction>,
    order: VecDeque<String>,
    /// How many instructions of a session are being judged.
    judging: HashMap<String, usize>,
}

/// Instructions of a session that are being judged, until this is dropped.
pub struct Judging<'a> {
    restrictions: &'a Restrictions,
    session: String,
}

impl Drop for Judging<'_> {
    fn drop(&mut self) {
        let mut known = self.restrictions.lock();
        if let Some(count) = known.judging.get_mut(&self.session) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                known.judging.remove(&self.session);
            }
        }
        drop(known);
        self.restrictions.judged.notify_waiters();
    }
}

impl Restrictions {
    /// Notes that instructions of a session are being judged.
    pub fn judging(&self, session: &str) -> Judging<'_> {
        let session = session.to_owned();
        *self.lock().judging.entry(session.clone()).or_default() += 1;
        Judging {
            restrictions: self,
            session,
        }
    }

    /// Waits until no instructions of a session are being judged; gives whether that came in time.
    pub async fn are_judged(&self, session: &str) -> bool {
        let all_are = async {
            loop {
                let told = self.judged.notified();
                if !self.lock().judging.contains_key(session) {
                    return;
                }
                told.await;
            }
        };
        tokio::time::timeout(VERDICTS_WAIT, all_are).await.is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Restricts a session for what it was told; the first reason stays.
    pub fn restrict(&self, session: &str, sentence: String) {
        self.restrict_at(session, GATE, sentence);
    }

    /// Restricts a session under a gate; the first reason stays.
    pub fn restrict_at(&self, session: &str, gate: &'static str, sentence: String) {
        let mut known = self.lock();
        if known.by_session.contains_key(session) {
            return;
        }
        let restriction = Restriction { gate, sentence };
        known.by_session.insert(session.to_owned(), restriction);
        known.order.push_back(session.to_owned());
        while known.order.len() > SESSIONS_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.by_session.remove(&oldest);
            }
        }
    }

    /// Why a session is restricted; `None` when it is not.
    pub fn of(&self, session: &str) -> Option<Restriction> {
        self.lock().by_session.get(session).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_prompt_waits_for_the_verdicts_on_its_instructions() {
        let restrictions = Restrictions::default();
        assert!(restrictions.are_judged("a").await);
        let (first, second) = (restrictions.judging("a"), restrictions.judging("a"));
        assert!(!restrictions.are_judged("a").await, "they have no verdict");
        assert!(restrictions.are_judged("b").await, "nor concern others");
        drop(first);
        let judged = async {
            tokio::task::yield_now().await;
            restrictions.restrict("a", "one".to_owned());
            drop(second);
        };
        let (in_time, ()) = tokio::join!(restrictions.are_judged("a"), judged);
        assert!(in_time && restrictions.of("a").is_some());
        assert!(restrictions.lock().judging.is_empty());
    }

    #[test]
    fn the_first_reason_stays_and_other_sessions_are_free() {
        let restrictions = Restrictions::default();
        restrictions.restrict("a", "one".to_owned());
        restrictions.restrict_at("a", EXECUTED_GATE, "two".to_owned());
        let (gate, sentence) = (GATE, "one".to_owned());
        assert_eq!(restrictions.of("a"), Some(Restriction { gate, sentence }));
        assert_eq!(restrictions.of("b"), None);
        for number in 0..SESSIONS_MAX {
            restrictions.restrict(&format!("s{number}"), String::new());
        }
        assert_eq!(restrictions.of("a"), None);
        assert!(restrictions.of(&format!("s{}", SESSIONS_MAX - 1)).is_some());
    }
}
