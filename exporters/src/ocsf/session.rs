//! What devices say besides tool calls: sessions, MCP servers, posture, and the chain itself.

use super::{Class, Severity, Source, base, user};
use cairn_event::body::Body;
use cairn_event::{DecisionMode, Effect, Entry, OutcomeState};
use serde_json::json;

/// The class of a chained body that is not a tool call.
pub(super) fn class(source: &Source<'_>, entry: &Entry, body: &Body) -> Class {
    match body {
        Body::SessionStart(start) => authentication(source, entry, 1, true).with(
            "message",
            json!(format!("session began ({})", start.adoption)),
        ),
        Body::SessionEnd(end) => authentication(source, entry, 2, true)
            .with("message", json!(format!("session ended: {}", end.reason))),
        Body::SessionRefused(refused) => authentication(source, entry, 1, false).with(
            "message",
            json!(format!("session refused by gate {}", refused.gate)),
        ),
        Body::TurnEnd(end) => base(Severity::Informational)
            .with(
                "status_id",
                json!(if end.state == OutcomeState::Ran { 1 } else { 2 }),
            )
            .with(
                "message",
                json!(match &end.subagent {
                    None => "the agent stopped".to_owned(),
                    Some(subagent) => format!("subagent {subagent} stopped"),
                }),
            ),
        Body::McpSeen(seen) => {
            let monitored = seen.mode == Some(DecisionMode::Monitor);
            let (action, disposition) = match seen.effect {
                Effect::Allow => (1, 1),
                _ if monitored => (1, 1),
                // It waits for its person's word, and nobody blocked it.
                Effect::NoOpinion => (3, 17),
                Effect::Ask | Effect::Deny => (2, 2),
            };
            let blocked = action == 2;
            let severity = if blocked {
                Severity::Medium
            } else {
                Severity::Informational
            };
            Class::new(6, 6002, 3, severity)
                .with("app", json!({ "name": seen.name, "uid": seen.fingerprint }))
                .with("action_id", json!(action))
                .with("disposition_id", json!(disposition))
                .with("is_alert", json!(blocked))
                .with("status_id", json!(if blocked { 2 } else { 1 }))
                .with(
                    "message",
                    json!(format!("mcp server {} over {}", seen.name, seen.transport)),
                )
        }
        Body::PostureChanged(changed) => Class::new(5, 5019, 1, Severity::Low).with(
            "message",
            json!(format!("posture changed: {}", changed.fields.join(", "))),
        ),
        Body::Gap(gap) => base(Severity::High).with("is_alert", json!(true)).with(
            "message",
            json!(format!(
                "records {} to {} are missing: {}",
                gap.from, gap.to, gap.reason
            )),
        ),
        Body::PolicyActivated(activated) => base(Severity::Informational).with(
            "message",
            json!(format!("policy version {} is active", activated.version)),
        ),
        other => base(Severity::Informational).with("message", json!(other.kind())),
    }
}

/// Authentication: 1 is a logon, 2 a logoff. The service is Cairn itself.
fn authentication(source: &Source<'_>, entry: &Entry, activity: u64, good: bool) -> Class {
    let severity = if good {
        Severity::Informational
    } else {
        Severity::Medium
    };
    Class::new(3, 3002, activity, severity)
        .with("user", user(source, entry))
        .with("service", json!({ "name": "Cairn" }))
        .with("status_id", json!(if good { 1 } else { 2 }))
        .with("is_alert", json!(!good))
}
