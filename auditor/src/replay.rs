//! Replaying recorded decisions: the same inputs, the same policy, the same engine semantics.
//!
//! Owns the gathering of inputs and the three answers. A decision is replayed against the policy and
//! roster entries it names, not against those at its own index: events arrive late. Whether those
//! were fresh enough is another question. Source: architecture section 5.

use cairn_event::body::{Body, ToolDecision};
use cairn_event::disclosure::names;
use cairn_event::json::{Numbers, parse, to_canonical};
use cairn_event::{Disclosure, Entry, Posture, Sha256};
use cairn_identity::Roster;
use cairn_policy::{Bundle, CompiledBundle, ENGINE_SEMANTICS, Request, Subject, compile, decide};
use serde_json::Value;
use std::collections::BTreeMap;

/// Members that mean something to every SD-JWT library (RFC 9901 sections 4.2.4.1 and 4.2.4.2).
const RESERVED: [&str; 2] = ["_sd", "..."];

/// What a replay gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The same effect, rule, losing rules and mode.
    Reproduced,
    /// Another answer.
    Mismatch(String),
    /// No answer is possible.
    NotReplayable(Obstacle),
}

/// Why a decision cannot be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Obstacle {
    /// The request was not disclosed.
    #[error("input withheld")]
    Withheld,
    /// The request was destroyed.
    #[error("input erased")]
    Erased,
    /// A long string is in the log by its digest only.
    #[error("input by digest")]
    ByDigest,
    /// An object is in the log as its JSON text only.
    #[error("input as text")]
    AsText,
    /// A secret was replaced before the request was recorded.
    #[error("input redacted")]
    Redacted,
    /// The disclosed request is not one that this engine reads.
    #[error("input not understood")]
    NotUnderstood,
    /// Another engine version decided.
    #[error("other engine semantics")]
    Semantics,
    /// The entry names no policy, or one whose bundle is not at hand.
    #[error("policy not at hand")]
    NoPolicy,
    /// The bundle does not compile with this engine.
    #[error("policy does not compile")]
    BadPolicy,
    /// The entry names no person or a roster that does not know them.
    #[error("person not at hand")]
    NoPerson,
    /// The agent answered without asking the engine.
    #[error("decided without the engine")]
    NoEngine,
}

/// Replays decisions with compiled bundles by digest.
#[derive(Default)]
pub struct Replayer {
    bundles: BTreeMap<Sha256, Option<CompiledBundle>>,
}

impl Replayer {
    /// Adds a bundle whose digest has been checked.
    pub fn add_bundle(&mut self, digest: Sha256, bytes: &[u8]) {
        let compiled = Bundle::parse(bytes)
            .ok()
            .and_then(|bundle| compile(&bundle).ok());
        self.bundles.insert(digest, compiled);
    }

    /// Replays the decision in `entry`; `None` for any other entry. `bundle` is that of the policy
    /// entry it names, `is_erased` says whether an erasure entry names a digest.
    pub fn replay(
        &self,
        entry: &Entry,
        disclosures: &[Disclosure],
        bundle: Option<Sha256>,
        roster: &Roster,
        is_erased: impl Fn(&str) -> bool,
    ) -> Option<Replay> {
        let Body::ToolDecision(decision) = &entry.payload().body else {
            return None;
        };
        let answer = self.try_replay(entry, decision, disclosures, bundle, roster);
        let erased = || {
            let mut missing = entry.payload().sd.iter().filter(|digest| is_erased(digest));
            missing.next().is_some()
        };
        Some(match answer {
            Err(Obstacle::Withheld) if erased() => Replay::NotReplayable(Obstacle::Erased),
            Err(obstacle) => Replay::NotReplayable(obstacle),
            Ok(replay) => replay,
        })
    }

    fn try_replay(
        &self,
        entry: &Entry,
        decision: &ToolDecision,
        disclosures: &[Disclosure],
        bundle: Option<Sha256>,
        roster: &Roster,
    ) -> Result<Replay, Obstacle> {
        let payload = entry.payload();
        if matches!(decision.why.as_str(), "error" | "stale-policy") {
            return Err(Obstacle::NoEngine);
        }
        if decision.semantics != ENGINE_SEMANTICS {
            return Err(Obstacle::Semantics);
        }
        let disclosed = disclosures.iter().find(|one| one.name() == names::REQUEST);
        let input = disclosed.ok_or(Obstacle::Withheld)?.value();
        if payload
            .context
            .redactions
            .iter()
            .any(|redaction| names_request(&redaction.field))
        {
            return Err(Obstacle::Redacted);
        }
        if let Some(obstacle) = replaced(input) {
            return Err(obstacle);
        }
        let request: Request =
            serde_json::from_value(input.clone()).map_err(|_| Obstacle::NotUnderstood)?;
        let compiled = bundle.and_then(|digest| self.bundles.get(&digest));
        let compiled = compiled
            .ok_or(Obstacle::NoPolicy)?
            .as_ref()
            .ok_or(Obstacle::BadPolicy)?;
        let subject = subject_of(entry, roster)?;
        let none = Posture::default();
        let posture = payload.context.posture.as_ref().unwrap_or(&none);
        let at_age = compiled.at_age(payload.context.policy_age_ms.unwrap_or(0));
        let again = decide(&request, at_age, &subject, posture, payload.time_ms);
        Ok(compare(decision, &again))
    }
}

/// Whether a redaction touched the request; its `field` is a JSON pointer below a disclosure's name.
fn names_request(field: &str) -> bool {
    field
        .strip_prefix(names::REQUEST)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether `cairn_event::disclosure::bounded_value` replaced something inside, and by what. A string
/// that only looks like a replacement counts as one: what was decided on is then not certain.
fn replaced(value: &Value) -> Option<Obstacle> {
    match value {
        Value::String(text) if is_replacing_text(text) => Some(Obstacle::AsText),
        Value::Array(items) => items.iter().find_map(replaced),
        Value::Object(members) => {
            let by_digest = members.len() == 3
                && ["bytes", "head", "sha256"]
                    .iter()
                    .all(|name| members.contains_key(*name));
            if by_digest {
                return Some(Obstacle::ByDigest);
            }
            members.values().find_map(replaced)
        }
        _ => None,
    }
}

/// Whether a string is the canonical text of an object that no disclosure may hold as an object.
fn is_replacing_text(text: &str) -> bool {
    if !text.starts_with('{') {
        return false;
    }
    let read = parse(text.as_bytes(), Numbers::Any);
    read.is_ok_and(|value| {
        let members = value.as_object();
        let reserved =
            members.is_some_and(|members| RESERVED.iter().any(|name| members.contains_key(*name)));
        reserved && to_canonical(&value) == text.as_bytes()
    })
}

/// The person under the roster entry that the decision names.
fn subject_of(entry: &Entry, roster: &Roster) -> Result<Subject, Obstacle> {
    let context = &entry.payload().context;
    let (Some(id), Some(index)) = (&context.person, context.roster) else {
        return Err(Obstacle::NoPerson);
    };
    let person = roster.people.get(id).ok_or(Obstacle::NoPerson)?;
    let membership = person.membership_at(index).ok_or(Obstacle::NoPerson)?;
    Ok(Subject {
        person: id.clone(),
        teams: membership.teams.clone(),
        roles: membership
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect(),
    })
}

fn compare(recorded: &ToolDecision, again: &cairn_policy::Decision) -> Replay {
    let mut lost = recorded.lost.clone();
    let mut losing = again.losing.clone();
    lost.sort();
    losing.sort();
    let name = |rule: &Option<cairn_event::RuleRef>| {
        rule.as_ref()
            .map_or_else(|| "no rule".to_owned(), |rule| rule.id.clone())
    };
    if recorded.effect != again.effect {
        let (was, is) = (recorded.effect, again.effect);
        Replay::Mismatch(format!("recorded {was:?}, replay gives {is:?}"))
    } else if recorded.rule != again.rule {
        let (was, is) = (name(&recorded.rule), name(&again.rule));
        Replay::Mismatch(format!("recorded rule `{was}`, replay gives `{is}`"))
    } else if recorded.mode != again.mode {
        let (was, is) = (recorded.mode, again.mode);
        Replay::Mismatch(format!("recorded mode {was:?}, replay gives {is:?}"))
    } else if lost != losing {
        Replay::Mismatch("the losing rules differ".to_owned())
    } else {
        Replay::Reproduced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_event::disclosure::{MAX_DISCLOSED_STRING_BYTES, bounded_value};
    use serde_json::json;

    #[test]
    fn every_replacement_is_recognised_at_any_depth() {
        let long = "x".repeat(MAX_DISCLOSED_STRING_BYTES + 1);
        for (original, obstacle) in [
            (json!({ "content": long }), Obstacle::ByDigest),
            (json!({ "_sd": ["b"], "x": 1.5 }), Obstacle::AsText),
            (json!({ "...": "é", "a": { "b": [] } }), Obstacle::AsText),
            (json!({ "_sd": long }), Obstacle::ByDigest),
        ] {
            let nested = json!({ "input": { "edits": [{ "old": original }] } });
            let disclosed = bounded_value(nested.clone());
            assert_ne!(disclosed, nested, "the case must replace something");
            assert_eq!(replaced(&disclosed), Some(obstacle), "{nested:.80}");
        }
    }

    #[test]
    fn what_was_disclosed_as_it_is_is_not_taken_for_a_replacement() {
        for value in [
            json!({ "command": "echo '{\"_sd\":1}'" }),
            json!({ "content": "{\"a\":1}" }),
            json!({ "content": "{ \"_sd\": 1 }" }),
            json!({ "content": "{\"_sd\":1" }),
            json!({ "bytes": 1, "head": "a" }),
        ] {
            assert_eq!(bounded_value(value.clone()), value);
            assert_eq!(replaced(&value), None, "{value}");
        }
    }
}
