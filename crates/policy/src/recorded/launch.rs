//! What is decided when a session starts, explained: a gate that refused it, an MCP server that was found.
//!
//! Owns putting the question to the engine once more. Rules about calls have no say in either, so each is asked as a
//! call that nothing else can hold back, under the gates alone or under the MCP list alone.

use super::{Again, Explanation, Judged, NamedRule, Obstacle};
use crate::bundle::Bundle;
use crate::change::changes;
use crate::compile::{CompiledBundle, compile};
use crate::decide::{MCP_RULE, decide};
use crate::mcp::McpServer;
use crate::request::{McpCall, Request};
use crate::subject::Subject;
use cairn_event::body::{McpSeen, SessionRefused};
use cairn_event::disclosure::names;
use cairn_event::{DecisionMode, Disclosure, Effect, Entry, Posture, Rank};
use serde_json::{Map, Value};

/// What stands for the tool of a session that was refused.
pub const SESSION: &str = "session";

/// What stands for the tool of a server that was found; its name follows.
pub const SERVER: &str = "mcp server";

/// The bundle and the subject that the entry names, or why they are not at hand.
pub(super) type Basis<'a> = Result<(&'a CompiledBundle, &'a Subject), Obstacle>;

/// Explains why a session was refused.
pub(super) fn refused(entry: &Entry, refused: &SessionRefused, basis: Basis<'_>) -> Explanation {
    let bundle = basis.ok().map(|(bundle, _)| &bundle.bundle);
    let gates = bundle.map(|bundle| bundle.gates.as_slice());
    let gate = gates.and_then(|gates| gates.iter().find(|gate| gate.id == refused.gate));
    let again = basis.and_then(|(bundle, subject)| {
        // No policy, or hooks of somebody else: that was not asked of the engine.
        gate.ok_or(Obstacle::NoEngine)?;
        let mut alone = alone(&bundle.bundle);
        alone.gates.clone_from(&bundle.bundle.gates);
        let alone = compile(&alone).map_err(|_| Obstacle::BadPolicy)?;
        let (decided, mut judged) = ask(entry, &call(SESSION, None), &alone, subject);
        let found = decided.map_or_else(|| "no gate".to_owned(), |id| format!("gate `{id}`"));
        let same = found == format!("gate `{}`", refused.gate);
        judged.difference = (!same).then(|| {
            let was = &refused.gate;
            format!("recorded gate `{was}`, replay gives {found}")
        });
        Ok(judged)
    });
    let rule = NamedRule {
        id: refused.gate.clone(),
        effect: Effect::Deny,
        rank: Rank::PostureDeny,
        pattern: None,
        scope: gate.map(|gate| gate.scope.clone()),
        note: gate.map(|gate| gate.message.clone()),
    };
    let told = Told {
        tool: SESSION.to_owned(),
        effect: Effect::Deny,
        mode: DecisionMode::Enforce,
        why: "gate",
        rule: Some(rule),
    };
    told.explained(entry, bundle, again)
}

/// Explains why a server may run or may not.
pub(super) fn server(
    entry: &Entry,
    seen: &McpSeen,
    disclosures: &[Disclosure],
    basis: Basis<'_>,
) -> Explanation {
    let again = basis.and_then(|(bundle, subject)| {
        let definition = definition(entry, disclosures)?;
        let mut alone = alone(&bundle.bundle);
        alone.mcp = bundle.bundle.mcp.clone();
        let alone = compile(&alone).map_err(|_| Obstacle::BadPolicy)?;
        let found = McpCall {
            server: seen.name.clone(),
            tool: String::new(),
            source: seen.source.clone(),
            definition: Some(McpServer::from_definition(&seen.name, definition)),
        };
        let (decided, mut judged) = ask(entry, &call(SERVER, Some(found)), &alone, subject);
        let is = if decided.is_some() {
            Effect::Deny
        } else {
            Effect::Allow
        };
        let was = seen.effect;
        // One that waits for somebody's word is one that the list lets pass.
        let agrees = was == is || (was == Effect::NoOpinion && is == Effect::Allow);
        judged.difference = (!agrees).then(|| format!("recorded {was:?}, replay gives {is:?}"));
        Ok(judged)
    });
    // A server that no entry of the list names has no rule: the list's default decided.
    let rule = seen.rule.as_ref().map(|text| NamedRule {
        id: MCP_RULE.to_owned(),
        effect: seen.effect,
        rank: Rank::Mandatory,
        pattern: None,
        scope: None,
        note: Some(text.clone()),
    });
    let told = Told {
        tool: format!("{SERVER} {}", seen.name),
        effect: seen.effect,
        mode: seen.mode.unwrap_or(DecisionMode::Enforce),
        why: "mcp-list",
        rule,
    };
    let bundle = basis.ok().map(|(bundle, _)| &bundle.bundle);
    told.explained(entry, bundle, again)
}

/// What the entry itself tells.
struct Told {
    tool: String,
    effect: Effect,
    mode: DecisionMode,
    why: &'static str,
    rule: Option<NamedRule>,
}

impl Told {
    fn explained(
        self,
        entry: &Entry,
        bundle: Option<&Bundle>,
        again: Result<Judged, Obstacle>,
    ) -> Explanation {
        let context = &entry.payload().context;
        Explanation {
            tool: self.tool,
            use_id: context.session.clone().unwrap_or_default(),
            effect: self.effect,
            mode: self.mode,
            why: self.why.to_owned(),
            semantics: None,
            rule: self.rule,
            lost: Vec::new(),
            policy: context.policy,
            roster: context.roster,
            contact: bundle.map(|bundle| bundle.contact.clone()),
            again: match again {
                Ok(judged) => Again::Judged(Box::new(judged)),
                Err(obstacle) => Again::Impossible {
                    reason: obstacle.to_string(),
                },
            },
        }
    }
}

/// A bundle like this one that lets everything pass.
fn alone(bundle: &Bundle) -> Bundle {
    Bundle {
        default: Effect::Allow,
        mode: bundle.mode,
        max_posture_age_ms: bundle.max_posture_age_ms,
        ..Bundle::empty(&bundle.origin, &bundle.contact)
    }
}

/// A call of no tool, which no rule is about.
fn call(tool: &str, mcp: Option<McpCall>) -> Request {
    Request {
        tool: tool.to_owned(),
        input: Value::Object(Map::new()),
        cwd: "/".to_owned(),
        home: "/".to_owned(),
        resolved: Vec::new(),
        rule_links: Vec::new(),
        interactive: true,
        permission_mode: None,
        mcp,
    }
}

/// Asks the engine, in the posture and at the time of the entry; gives what held the call back.
fn ask(
    entry: &Entry,
    request: &Request,
    bundle: &CompiledBundle,
    subject: &Subject,
) -> (Option<String>, Judged) {
    let payload = entry.payload();
    let none = Posture::default();
    let posture = payload.context.posture.as_ref().unwrap_or(&none);
    let made = decide(request, bundle, subject, posture, payload.time_ms);
    let judged = Judged {
        difference: None,
        changes: changes(request, bundle, subject, posture, payload.time_ms),
        sentence: made.sentence,
        parts: Vec::new(),
    };
    (made.rule.map(|rule| rule.id), judged)
}

/// The definition of a server, if it was disclosed and the entry commits to it.
fn definition<'a>(entry: &Entry, disclosures: &'a [Disclosure]) -> Result<&'a Value, Obstacle> {
    let committed = &entry.payload().sd;
    let mut named = disclosures.iter().filter(|one| {
        one.name() == names::DEFINITION && committed.binary_search(&one.digest()).is_ok()
    });
    Ok(named.next().ok_or(Obstacle::Withheld)?.value())
}
