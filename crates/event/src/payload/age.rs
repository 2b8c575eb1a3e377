//! The age of a policy beside a decision: the member `policy_age_ms` of `ext`.
//!
//! Owns taking it out of `ext` and putting it back, so that an entry has one set of bytes however it is
//! read. What the age means for a decision is `cairn-policy`'s.

use serde_json::{Map, Value};

/// Name of the member in `ext`.
const MEMBER: &str = "policy_age_ms";

/// The age in an `ext`, and what is left of it. What is not an age stays where it is.
pub(crate) fn taken(ext: Option<Value>) -> (Option<u64>, Option<Value>) {
    let Some(Value::Object(mut members)) = ext else {
        return (None, ext);
    };
    let age = members.get(MEMBER).and_then(Value::as_u64);
    if age.is_some() {
        members.remove(MEMBER);
        if members.is_empty() {
            return (age, None);
        }
    }
    (age, Some(Value::Object(members)))
}

/// An `ext` with the age in it. Where `ext` is no object, or names an age itself, that one stays.
pub(crate) fn put(age: Option<u64>, ext: Option<Value>) -> Option<Value> {
    let Some(age) = age else {
        return ext;
    };
    let mut members = match ext {
        None => Map::new(),
        Some(Value::Object(members)) => members,
        other => return other,
    };
    members.entry(MEMBER).or_insert(Value::from(age));
    Some(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_taken_out_is_put_back() {
        let both = json!({ "a": 1, "policy_age_ms": 700_000 });
        let (age, rest) = taken(Some(both.clone()));
        assert_eq!((age, &rest), (Some(700_000), &Some(json!({ "a": 1 }))));
        assert_eq!(put(age, rest), Some(both));
        let alone = json!({ "policy_age_ms": 5 });
        assert_eq!(taken(Some(alone.clone())), (Some(5), None));
        assert_eq!(put(Some(5), None), Some(alone));
        for other in [
            json!({}),
            json!({ "policy_age_ms": "5" }),
            json!({ "policy_age_ms": -5 }),
            json!(7),
        ] {
            assert_eq!(taken(Some(other.clone())), (None, Some(other.clone())));
            assert_eq!(put(None, Some(other.clone())), Some(other));
        }
        assert_eq!(taken(None), (None, None));
    }
}
