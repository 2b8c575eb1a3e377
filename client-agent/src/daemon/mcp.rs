//! MCP servers at a launch: the verdict on each, its record, and since when the device has it.
//!
//! Owns what a launch makes of the policy's list. The list and its matching are `cairn_policy`'s; finding
//! servers is the wrapper's.

use super::control::{Control, LaunchRequest, McpFound, McpJudged};
use crate::clock::now_ms;
use crate::servers::{Servers, Sighting};
use cairn_event::body::{Body, McpSeen};
use cairn_event::disclosure::names;
use cairn_event::json::to_canonical;
use cairn_event::{DecisionMode, Effect, Sha256};
use cairn_policy::{Bundle, McpPolicy, McpReason, McpServer, Subject, server_verdict};
use serde_json::Value;
use std::collections::BTreeMap;

/// The list as it is for one person at one launch.
pub(super) struct Judge<'a> {
    policy: &'a McpPolicy,
    subject: &'a Subject,
    /// Whether the policy only monitors: then what it denies is recorded, and started.
    monitors: bool,
}

impl<'a> Judge<'a> {
    pub(super) fn new(bundle: &'a Bundle, subject: &'a Subject) -> Self {
        Self {
            policy: &bundle.mcp,
            subject,
            monitors: bundle.mode == DecisionMode::Monitor,
        }
    }

    /// The managed servers that this person's agent is given.
    pub(super) fn managed(&self) -> BTreeMap<String, Value> {
        let servers = self.policy.servers_of(self.subject);
        servers
            .map(|(name, definition)| (name.clone(), definition.clone()))
            .collect()
    }

    /// What of the list the agent itself has to hold to: nothing of a policy that only monitors.
    pub(super) fn enforced(&self) -> McpPolicy {
        if self.monitors {
            return McpPolicy {
                servers: self.managed(),
                ..McpPolicy::default()
            };
        }
        self.policy.of(self.subject)
    }
}

impl Control {
    /// Keeps the list of servers of this device, and records those of other places once.
    pub(super) async fn note(&self, request: &LaunchRequest, judge: &Judge<'_>, again: bool) {
        let mut known = Servers::load(&self.state);
        let mut changed = false;
        for found in &request.servers {
            if known.note(sighting(found)) {
                changed = true;
                if again {
                    let _judged_for_the_record = self.server(found, judge, true).await;
                }
            }
        }
        for found in &request.elsewhere {
            if known.note(sighting(found)) {
                changed = true;
                let _judged_for_the_record = self.server(found, judge, true).await;
            }
        }
        if changed && let Err(error) = known.save(&self.state) {
            tracing::warn!(%error, "the list of MCP servers is not kept");
        }
    }

    /// Judges one server, and records the verdict where that is wanted.
    pub(super) async fn server(
        &self,
        found: &McpFound,
        judge: &Judge<'_>,
        recorded: bool,
    ) -> McpJudged {
        let server = McpServer::from_definition(&found.name, &found.definition);
        let verdict = server_verdict(judge.policy, judge.subject, &server);
        let monitored = judge.monitors && !verdict.allowed;
        let reason = verdict.reason.to_string();
        let unnamed = verdict.reason == McpReason::Default;
        let waits = found.held_back(unnamed).filter(|_| verdict.allowed);
        let judged = McpJudged {
            name: found.name.clone(),
            source: found.source.clone(),
            allowed: verdict.allowed || monitored,
            unnamed: monitored || (verdict.allowed && unnamed),
            reason: reason.clone(),
        };
        if !recorded {
            return judged;
        }
        let body = Body::McpSeen(McpSeen {
            effect: match (verdict.allowed, waits) {
                (true, None) => Effect::Allow,
                // The list has no objection, and nobody's word starts it.
                (true, Some(_)) => Effect::NoOpinion,
                (false, _) => Effect::Deny,
            },
            fingerprint: fingerprint(&found.definition),
            mode: monitored.then_some(DecisionMode::Monitor),
            name: found.name.clone(),
            rule: verdict.allowed.then(|| waits.map_or(reason, str::to_owned)),
            source: found.source.clone(),
            transport: transport(&server, &found.definition).to_owned(),
        });
        let definition = without_values(&found.definition);
        self.record(body, vec![(names::DEFINITION, definition)], None)
            .await;
        judged
    }
}

fn transport(server: &McpServer, definition: &Value) -> &'static str {
    let said = definition.get("type").and_then(Value::as_str);
    match (&server.url, said) {
        (None, _) => "stdio",
        (Some(_), Some("sse")) => "sse",
        (Some(_), _) => "http",
    }
}

fn sighting(found: &McpFound) -> Sighting {
    Sighting {
        name: found.name.clone(),
        source: found.source.clone(),
        fingerprint: fingerprint(&found.definition),
        first_seen_ms: now_ms(),
    }
}

/// SHA-256 over the canonical definition without its environment and header values.
pub fn fingerprint(definition: &Value) -> Sha256 {
    Sha256::of(&to_canonical(&without_values(definition)))
}

/// A definition without the values of its environment and headers, which hold credentials.
fn without_values(definition: &Value) -> Value {
    let mut plain = definition.clone();
    for member in ["env", "headers"] {
        let values = plain.get_mut(member).and_then(Value::as_object_mut);
        for value in values.into_iter().flat_map(|members| members.values_mut()) {
            *value = Value::Null;
        }
    }
    plain
}
