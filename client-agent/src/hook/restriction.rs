//! Sessions that were told something they may not know, and may therefore not go on.
//!
//! Owns the list. Claude Code reads instruction files and what they import without asking any hook
//! first; what can still be stopped is everything that would follow.
//!
//! Source: Claude Code findings 1.1 (`InstructionsLoaded` blocks nothing).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most sessions remembered: far more than one person can have open; the oldest is forgotten first.
const SESSIONS_MAX: usize = 4_096;

/// The gate that refuses such a session, as its entry names it.
pub const GATE: &str = "instructions";

/// The restricted sessions, each with the sentence that says why.
#[derive(Debug, Default)]
pub struct Restrictions(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_session: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Restrictions {
    /// Restricts a session; the first reason stays.
    pub fn restrict(&self, session: &str, sentence: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_session.contains_key(session) {
            return;
        }
        known.by_session.insert(session.to_owned(), sentence);
        known.order.push_back(session.to_owned());
        while known.order.len() > SESSIONS_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.by_session.remove(&oldest);
            }
        }
    }

    /// Why a session is restricted; `None` when it is not.
    pub fn of(&self, session: &str) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_session.get(session).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays_and_other_sessions_are_free() {
        let restrictions = Restrictions::default();
        restrictions.restrict("a", "one".to_owned());
        restrictions.restrict("a", "two".to_owned());
        assert_eq!(restrictions.of("a").as_deref(), Some("one"));
        assert_eq!(restrictions.of("b"), None);
        for number in 0..SESSIONS_MAX {
            restrictions.restrict(&format!("s{number}"), String::new());
        }
        assert_eq!(restrictions.of("a"), None);
        assert!(restrictions.of(&format!("s{}", SESSIONS_MAX - 1)).is_some());
    }
}
