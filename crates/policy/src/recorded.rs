//! A recorded decision, judged again: what was decided, whether the same comes out, what would change it.
//!
//! Owns reading the request out of an entry and its disclosures, the comparison of two decisions, and
//! the account for people. Which bundle and whose membership the entry names is the caller's to find.
//! Source: architecture section 5 (replay); features, "For the developer".

mod launch;

pub use launch::{SERVER, SESSION};

use crate::bundle::Scope;
use crate::change::{Changes, changes};
use crate::compile::CompiledBundle;
use crate::decide::decide;
use crate::decision::{Decision, ENGINE_SEMANTICS, PartDecision};
use crate::request::Request;
use crate::subject::Subject;
use cairn_event::body::{Body, ToolDecision};
use cairn_event::disclosure::names;
use cairn_event::json::{Numbers, parse, to_canonical};
use cairn_event::{DecisionMode, Disclosure, Effect, Entry, Posture, Rank, RuleRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Members that mean something to every SD-JWT library (RFC 9901 sections 4.2.4.1 and 4.2.4.2).
const RESERVED: [&str; 2] = ["_sd", "..."];

/// Why a decision cannot be judged again.
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

/// Whether the engine made a decision, so that it can be asked again.
pub fn is_by_engine(decision: &ToolDecision) -> bool {
    !matches!(decision.why.as_str(), "error" | "stale-policy")
}

/// The request that was decided, from those of an entry's disclosures that it commits to.
///
/// Errors: [`Obstacle`]; nothing is guessed.
pub fn recorded_request(entry: &Entry, disclosures: &[Disclosure]) -> Result<Request, Obstacle> {
    let payload = entry.payload();
    let is_request = |one: &&Disclosure| {
        one.name() == names::REQUEST && payload.sd.binary_search(&one.digest()).is_ok()
    };
    let disclosed = disclosures.iter().find(is_request);
    let input = disclosed.ok_or(Obstacle::Withheld)?.value();
    let mut redactions = payload.context.redactions.iter();
    if redactions.any(|redaction| names_request(&redaction.field)) {
        return Err(Obstacle::Redacted);
    }
    if let Some(obstacle) = replaced(input) {
        return Err(obstacle);
    }
    serde_json::from_value(input.clone()).map_err(|_| Obstacle::NotUnderstood)
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

/// How a decision made again differs from the recorded one, in words; `None` where it does not.
pub fn difference(recorded: &ToolDecision, again: &Decision) -> Option<String> {
    let mut lost = recorded.lost.clone();
    let mut losing = again.losing.clone();
    lost.sort();
    losing.sort();
    let name = |rule: &Option<RuleRef>| {
        rule.as_ref()
            .map_or_else(|| "no rule".to_owned(), |rule| rule.id.clone())
    };
    if recorded.effect != again.effect {
        let (was, is) = (recorded.effect, again.effect);
        Some(format!("recorded {was:?}, replay gives {is:?}"))
    } else if recorded.rule != again.rule {
        let (was, is) = (name(&recorded.rule), name(&again.rule));
        Some(format!("recorded rule `{was}`, replay gives `{is}`"))
    } else if recorded.mode != again.mode {
        let (was, is) = (recorded.mode, again.mode);
        Some(format!("recorded mode {was:?}, replay gives {is:?}"))
    } else if lost != losing {
        Some("the losing rules differ".to_owned())
    } else {
        None
    }
}

/// A rule as a decision names it, with what the bundle says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRule {
    /// Its id.
    pub id: String,
    /// Its effect.
    pub effect: Effect,
    /// The rank at which it spoke.
    pub rank: Rank,
    /// Its pattern; absent for gates and the MCP list, and where the bundle is not at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Whom it is for, where the bundle is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// Why it exists, where somebody wrote that down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What judging again gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Again {
    /// The engine was asked the same once more.
    Judged(Box<Judged>),
    /// It could not be asked.
    Impossible {
        /// Why, in the words of [`Obstacle`].
        reason: String,
    },
}

/// A decision that was made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// How it differs from what is recorded; absent where it is reproduced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// The sentence that the model was told.
    pub sentence: String,
    /// The parts of the call with the verdict on each.
    pub parts: Vec<PartDecision>,
    /// What would change the verdict.
    #[serde(flatten)]
    pub changes: Changes,
}

/// A recorded decision explained: on a call, on the start of a session, or on an MCP server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The tool; [`SESSION`], or [`SERVER`] and its name, where it was no call.
    pub tool: String,
    /// The agent's identifier of the call; of the session where it was no call.
    pub use_id: String,
    /// The verdict.
    pub effect: Effect,
    /// Whether it was applied.
    pub mode: DecisionMode,
    /// Why, in a word, as the entry has it.
    pub why: String,
    /// The engine that decided, where the entry names it: calls do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semantics: Option<u32>,
    /// The rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<NamedRule>,
    /// The rules that matched and lost.
    pub lost: Vec<NamedRule>,
    /// Index of the policy entry it was decided under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<u64>,
    /// Index of the roster entry it was decided under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<u64>,
    /// Whom to ask about it, where the bundle is at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The same judged again.
    pub again: Again,
}

/// Explains the decision in an entry (`tool.decision`, `session.refused`, `mcp.seen`); `None` for any other entry.
///
/// `bundle` is the compiled one of the policy entry that it names, `subject` its person under the
/// roster entry that it names; either may be missing, and then nothing is judged again.
pub fn explain_recorded(
    entry: &Entry,
    disclosures: &[Disclosure],
    bundle: Result<&CompiledBundle, Obstacle>,
    subject: Result<Subject, Obstacle>,
) -> Option<Explanation> {
    let payload = entry.payload();
    let age_ms = payload.context.policy_age_ms.unwrap_or(0);
    let basis = bundle.and_then(|bundle| {
        let subject = subject.as_ref().map_err(|obstacle| *obstacle)?;
        Ok((bundle.at_age(age_ms), subject))
    });
    let decision = match &payload.body {
        Body::ToolDecision(decision) => decision,
        Body::SessionRefused(refused) => return Some(launch::refused(entry, refused, basis)),
        Body::McpSeen(seen) => return Some(launch::server(entry, seen, disclosures, basis)),
        _ => return None,
    };
    let named = |rule: &RuleRef| named(rule, bundle.ok());
    let again = judge(entry, decision, disclosures, bundle, subject);
    Some(Explanation {
        tool: decision.tool.clone(),
        use_id: decision.use_id.clone(),
        effect: decision.effect,
        mode: decision.mode,
        why: decision.why.clone(),
        semantics: Some(decision.semantics),
        rule: decision.rule.as_ref().map(named),
        lost: decision.lost.iter().map(named).collect(),
        policy: payload.context.policy,
        roster: payload.context.roster,
        contact: bundle.ok().map(|one| one.bundle.contact.clone()),
        again: again.unwrap_or_else(|obstacle| Again::Impossible {
            reason: obstacle.to_string(),
        }),
    })
}

fn judge(
    entry: &Entry,
    decision: &ToolDecision,
    disclosures: &[Disclosure],
    bundle: Result<&CompiledBundle, Obstacle>,
    subject: Result<Subject, Obstacle>,
) -> Result<Again, Obstacle> {
    if !is_by_engine(decision) {
        return Err(Obstacle::NoEngine);
    }
    if decision.semantics != ENGINE_SEMANTICS {
        return Err(Obstacle::Semantics);
    }
    let request = recorded_request(entry, disclosures)?;
    let (bundle, subject, payload) = (bundle?, subject?, entry.payload());
    let none = Posture::default();
    let posture = payload.context.posture.as_ref().unwrap_or(&none);
    let bundle = bundle.at_age(payload.context.policy_age_ms.unwrap_or(0));
    let again = decide(&request, bundle, &subject, posture, payload.time_ms);
    Ok(Again::Judged(Box::new(Judged {
        difference: difference(decision, &again),
        changes: changes(&request, bundle, &subject, posture, payload.time_ms),
        sentence: again.sentence,
        parts: again.parts,
    })))
}

fn named(rule: &RuleRef, bundle: Option<&CompiledBundle>) -> NamedRule {
    let known = bundle.and_then(|bundle| {
        let mut rules = bundle.rules.iter();
        rules.find(|known| known.rule.id == rule.id)
    });
    let known = known.map(|known| &known.rule);
    NamedRule {
        id: rule.id.clone(),
        effect: rule.effect,
        rank: rule.rank,
        pattern: known.map(|known| known.pattern.clone()),
        scope: known.map(|known| known.scope.clone()),
        note: known.and_then(|known| known.note.clone()),
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
