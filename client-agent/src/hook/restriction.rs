//! Sessions that may not go on: they were told something they may not know, or did something else than
//! was judged.
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
pub struct Restrictions(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_session: HashMap<String, Restriction>,
    order: VecDeque<String>,
}

impl Restrictions {
    /// Restricts a session for what it was told; the first reason stays.
    pub fn restrict(&self, session: &str, sentence: String) {
        self.restrict_at(session, GATE, sentence);
    }

    /// Restricts a session under a gate; the first reason stays.
    pub fn restrict_at(&self, session: &str, gate: &'static str, sentence: String) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
