//! Conditions over device posture in three-valued logic.
//!
//! Owns the condition tree and its evaluation; what an unknown outcome means for a rule is decided in
//! [`crate::compile`].
//! Source: architecture section 4, item 2.

use cairn_event::Posture;
use serde::{Deserialize, Serialize};

/// A condition; in JSON `{"posture":…,"is":…}`, `{"not":…}`, `{"all":[…]}` or `{"any":[…]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Condition {
    /// The posture field has this value.
    Posture {
        /// The field's name, for example `disk_encryption`.
        posture: String,
        /// The value it must have, for example `on`.
        is: String,
    },
    /// The opposite.
    Not {
        /// What must not hold.
        not: Box<Condition>,
    },
    /// Every one holds; an empty list holds.
    All {
        /// What must hold.
        all: Vec<Condition>,
    },
    /// At least one holds; an empty list does not.
    Any {
        /// The alternatives.
        any: Vec<Condition>,
    },
}

/// The outcome of a condition in Kleene's strong logic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// What it depends on is unknown or too old.
    Unknown,
}

impl Condition {
    /// Evaluates over `posture`, taking values older than `max_age_ms` as unknown.
    pub fn evaluate(&self, posture: &Posture, max_age_ms: u64) -> Truth {
        match self {
            Self::Posture { posture: field, is } => field_is(posture, field, is, max_age_ms),
            Self::Not { not } => match not.evaluate(posture, max_age_ms) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Unknown => Truth::Unknown,
            },
            Self::All { all } => fold(all, posture, max_age_ms, Truth::False, Truth::True),
            Self::Any { any } => fold(any, posture, max_age_ms, Truth::True, Truth::False),
        }
    }

    /// The posture fields the condition looks at.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Posture { posture, .. } => vec![posture],
            Self::Not { not } => not.fields(),
            Self::All { all: inner } | Self::Any { any: inner } => {
                inner.iter().flat_map(Self::fields).collect()
            }
        }
    }
}

fn field_is(posture: &Posture, field: &str, wanted: &str, max_age_ms: u64) -> Truth {
    let fresh = posture
        .0
        .get(field)
        .is_some_and(|value| value.age_ms <= max_age_ms);
    match posture.known(field) {
        Some(value) if fresh && value == wanted => Truth::True,
        Some(_) if fresh => Truth::False,
        _ => Truth::Unknown,
    }
}

/// Kleene conjunction (`decisive` false) or disjunction (`decisive` true).
fn fold(
    inner: &[Condition],
    posture: &Posture,
    max_age_ms: u64,
    decisive: Truth,
    neutral: Truth,
) -> Truth {
    let mut outcome = neutral;
    for condition in inner {
        match condition.evaluate(posture, max_age_ms) {
            truth if truth == decisive => return decisive,
            Truth::Unknown => outcome = Truth::Unknown,
            _ => {}
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_event::PostureValue;
    use std::collections::BTreeMap;

    const MAX_AGE: u64 = 10_000;

    fn disk(value: &str, age_ms: u64) -> Posture {
        let value = PostureValue {
            value: value.into(),
            evidence: 3,
            age_ms,
            source: "test".into(),
        };
        Posture(BTreeMap::from([("disk".to_owned(), value)]))
    }

    fn condition(text: &str) -> Condition {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn kleene_tables() {
        let on = condition(r#"{"posture":"disk","is":"on"}"#);
        assert_eq!(on.evaluate(&disk("on", 0), MAX_AGE), Truth::True);
        assert_eq!(on.evaluate(&disk("off", 0), MAX_AGE), Truth::False);
        assert_eq!(on.evaluate(&disk("unknown", 0), MAX_AGE), Truth::Unknown);
        assert_eq!(
            on.evaluate(&disk("on", MAX_AGE + 1), MAX_AGE),
            Truth::Unknown
        );
        assert_eq!(on.evaluate(&Posture::default(), MAX_AGE), Truth::Unknown);
        let or = condition(r#"{"any":[{"posture":"disk","is":"on"},{"posture":"x","is":"y"}]}"#);
        assert_eq!(or.evaluate(&disk("on", 0), MAX_AGE), Truth::True);
        assert_eq!(or.evaluate(&disk("off", 0), MAX_AGE), Truth::Unknown);
        let and = condition(r#"{"all":[{"posture":"disk","is":"on"},{"posture":"x","is":"y"}]}"#);
        assert_eq!(and.evaluate(&disk("on", 0), MAX_AGE), Truth::Unknown);
        assert_eq!(and.evaluate(&disk("off", 0), MAX_AGE), Truth::False);
    }

    #[test]
    fn negation_keeps_the_unknown() {
        for text in [
            r#"{"not":{"posture":"disk","is":"on"}}"#,
            r#"{"not":{"not":{"posture":"disk","is":"on"}}}"#,
        ] {
            assert_eq!(
                condition(text).evaluate(&disk("unknown", 0), MAX_AGE),
                Truth::Unknown
            );
        }
    }

    #[test]
    fn json_is_strict() {
        for text in [
            r#"{"posture":"disk"}"#,
            r#"{"posture":"disk","is":"on","was":"off"}"#,
            r#"{"not":{"posture":"disk","is":"on"},"all":[]}"#,
            r#"{}"#,
        ] {
            assert!(serde_json::from_str::<Condition>(text).is_err(), "{text}");
        }
    }
}
