//! Verdicts and what the agent says became of the calls, joined on session and call.
//!
//! Owns what is remembered, which is bounded, and the question whether something is wrong. A verdict is
//! noted before the hook is answered, so it is there before the agent can say anything about the call.

use super::event::{Told, What};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most calls remembered: hours of the busiest agents. Of a call that is forgotten in between, what the
/// agent says later would count as a run without a verdict, which says too much and never too little.
const CALLS_MAX: usize = 16_384;

/// Most alerts recorded in one run of the daemon: who holds the session's token could raise them
/// without end. More are only counted.
const ALERTS_MAX: u64 = 1_000;

/// What was found out about a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Why it is an alert, as a gap entry says it; once for each call.
    pub alert: Option<&'static str>,
    /// Whether its end is to be recorded, because no hook did; only for calls that are alerts.
    pub end: bool,
}

/// The alert on a call that no verdict was asked for.
pub const NO_VERDICT: &str = "no-verdict";

/// The alert on a call that was denied and ran all the same.
pub const DENIED_AND_RAN: &str = "denied-and-ran";

/// The calls, oldest first, and how many were alerts.
#[derive(Debug, Default)]
pub struct Joins(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    calls: HashMap<Key, Call>,
    order: VecDeque<Key>,
    alerts: u64,
    joined: u64,
}

type Key = (String, String);

#[derive(Clone, Copy, Debug, Default)]
struct Call {
    /// Whether the verdict was a denial; `None` without one.
    denied: Option<bool>,
    accepted: bool,
    /// Whether its end is in the record.
    end: bool,
    alerted: bool,
}

impl Joins {
    /// A verdict is about to be given.
    pub fn decided(&self, session: &str, use_id: &str, denied: bool) {
        self.with(session, use_id, |call| call.denied = Some(denied));
    }

    /// A hook said that the call ended, and it is in the record.
    pub fn ended(&self, session: &str, use_id: &str) {
        self.with(session, use_id, |call| call.end = true);
    }

    /// What follows from a statement of the agent's.
    pub fn told(&self, told: &Told) -> Found {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alerts = known.alerts;
        let call = known.call(&told.session, &told.use_id);
        let ran = match told.what {
            What::Rejected => false,
            What::Accepted => {
                call.accepted = true;
                true
            }
            // A call with input of the wrong shape fails without ever having been accepted.
            What::Ended { success, .. } => success || call.accepted,
        };
        let reason = match call.denied {
            _ if !ran => None,
            None => Some(NO_VERDICT),
            Some(true) => Some(DENIED_AND_RAN),
            Some(false) => None,
        };
        let ended = matches!(told.what, What::Ended { .. });
        let fresh = reason.is_some() && !call.alerted;
        let end = reason.is_some() && ended && !call.end && alerts <= ALERTS_MAX;
        call.alerted |= fresh;
        call.end |= end;
        known.alerts += u64::from(fresh);
        known.joined += u64::from(ended && reason.is_none());
        Found {
            alert: reason.filter(|_| fresh && alerts < ALERTS_MAX),
            end,
        }
    }

    /// Calls that ran without a verdict or against one, in this run of the daemon.
    pub fn alerts(&self) -> u64 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.alerts
    }

    /// Ends of calls that the agent reported and that had a verdict, in this run of the daemon.
    pub fn joined(&self) -> u64 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.joined
    }

    fn with(&self, session: &str, use_id: &str, change: impl FnOnce(&mut Call)) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(known.call(session, use_id));
    }
}

impl Known {
    fn call(&mut self, session: &str, use_id: &str) -> &mut Call {
        let key = (session.to_owned(), use_id.to_owned());
        if !self.calls.contains_key(&key) {
            self.order.push_back(key.clone());
            while self.order.len() > CALLS_MAX {
                if let Some(oldest) = self.order.pop_front() {
                    self.calls.remove(&oldest);
                }
            }
        }
        self.calls.entry(key).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAN: What = What::Ended {
        success: true,
        duration_ms: Some(5),
    };
    const FAILED: What = What::Ended {
        success: false,
        duration_ms: None,
    };
    const NOTHING: Found = Found {
        alert: None,
        end: false,
    };

    fn told(use_id: &str, what: What) -> Told {
        Told {
            session: "s".into(),
            tool: "Bash".into(),
            use_id: use_id.into(),
            what,
        }
    }

    #[test]
    fn a_call_with_a_verdict_is_no_alert() {
        let joins = Joins::default();
        joins.decided("s", "a", false);
        joins.decided("s", "b", true);
        assert_eq!(joins.told(&told("a", What::Accepted)), NOTHING);
        assert_eq!(joins.told(&told("a", RAN)), NOTHING);
        assert_eq!(joins.told(&told("b", What::Rejected)), NOTHING);
        assert_eq!((joins.alerts(), joins.joined()), (0, 1));
    }

    #[test]
    fn a_call_without_a_verdict_is_one_alert_with_one_end() {
        let joins = Joins::default();
        let first = joins.told(&told("a", What::Accepted));
        assert_eq!(first.alert, Some(NO_VERDICT));
        assert!(!first.end);
        let second = joins.told(&told("a", RAN));
        assert_eq!((second.alert, second.end), (None, true));
        assert_eq!(joins.told(&told("a", RAN)), NOTHING);
        // The verdict of another session with the same call identifier counts for nothing.
        joins.decided("other", "b", false);
        assert_eq!(joins.told(&told("b", RAN)).alert, Some(NO_VERDICT));
        // A hook that fired after the call has recorded its end already.
        joins.ended("s", "c");
        assert!(!joins.told(&told("c", RAN)).end);
        assert_eq!(joins.alerts(), 3);
    }

    #[test]
    fn a_denied_call_that_ran_is_an_alert_and_a_refused_input_is_none() {
        let joins = Joins::default();
        joins.decided("s", "a", true);
        assert_eq!(joins.told(&told("a", RAN)).alert, Some(DENIED_AND_RAN));
        assert_eq!(joins.told(&told("b", FAILED)), NOTHING);
        joins.told(&told("c", What::Accepted));
        assert!(joins.told(&told("c", FAILED)).end);
        assert_eq!(joins.alerts(), 2);
    }

    #[test]
    fn memory_and_alerts_are_bounded() {
        let joins = Joins::default();
        let alerts =
            (0..CALLS_MAX + 10).filter(|n| joins.told(&told(&n.to_string(), RAN)).alert.is_some());
        assert_eq!(alerts.count() as u64, ALERTS_MAX);
        let known = joins.0.lock().unwrap();
        assert_eq!(
            (known.calls.len(), known.order.len()),
            (CALLS_MAX, CALLS_MAX)
        );
        assert_eq!(known.alerts, (CALLS_MAX + 10) as u64);
    }
}
