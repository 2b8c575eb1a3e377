//! What a server tells of a change, read from its stream or from an answer that was waited for.

use cairn_api::distribution::{NewsAnswer, PolicyEvent, RosterEvent};
use cairn_api::event_stream::StreamEvent;

/// A change that was told. Nothing of it is believed before it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The roster has a newer revision.
    Roster(RosterEvent),
    /// Another policy is in force.
    Policy(PolicyEvent),
    /// A change of either that this version does not understand: reason for a look at everything.
    Other,
}

impl News {
    /// Reads an event of the stream; `None` for one of another name, which is none of an agent's business.
    pub fn of(event: &StreamEvent) -> Option<Self> {
        let data = event.data.as_str();
        let known = match event.event.as_str() {
            "roster" => serde_json::from_str(data).ok().map(Self::Roster),
            "policy" => serde_json::from_str(data).ok().map(Self::Policy),
            _ => return None,
        };
        Some(known.unwrap_or(Self::Other))
    }

    /// Reads an answer that was waited for, in the order in which it has to be taken over: who belongs to
    /// a team is known before a rule for the team is in force.
    pub fn of_answer(answer: NewsAnswer) -> Vec<Self> {
        let roster = answer.roster.map(Self::Roster);
        let policy = answer.policy.map(Self::Policy);
        roster.into_iter().chain(policy).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_looked_into_and_other_events_are_passed_over() {
        let event = |event: &str, data: &str| StreamEvent {
            event: event.to_owned(),
            data: data.to_owned(),
        };
        let roster = News::of(&event("roster", r#"{"index":4,"revision":2,"later":1}"#));
        assert!(matches!(roster, Some(News::Roster(told)) if told.notice.revision == 2));
        assert_eq!(News::of(&event("roster", "{}")), Some(News::Other));
        for name in ["weather", "Policy", "", "message"] {
            assert_eq!(News::of(&event(name, "{}")), None, "{name}");
        }
    }
}
