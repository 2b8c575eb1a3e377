//! Tool calls: Process Activity for shells, File System Activity for files, API Activity for the rest.

use super::{Class, Severity, Source};
use cairn_audit::evidence::derive::word;
use cairn_event::body::{ToolDecision, ToolOutcome};
use cairn_event::disclosure::names;
use cairn_event::{ActionClass, DecisionMode, Effect, Entry, OutcomeState};
use serde_json::{Value, json};

/// `status_id`.
const SUCCESS: u8 = 1;
const FAILURE: u8 = 2;

/// The verdict on a call.
pub(super) fn decision(source: &Source<'_>, entry: &Entry, decision: &ToolDecision) -> Class {
    let severity = match (decision.effect, decision.class) {
        (Effect::Deny, ActionClass::Credential | ActionClass::Delete) => Severity::High,
        (Effect::Deny, _) => Severity::Medium,
        (Effect::Ask, _) => Severity::Low,
        _ => Severity::Informational,
    };
    let enforced = decision.mode == DecisionMode::Enforce;
    let (action, disposition) = match decision.effect {
        _ if !enforced => (3, 17),
        Effect::Allow => (1, 1),
        Effect::Deny => (2, 2),
        Effect::Ask => (99, 23),
        Effect::NoOpinion => (3, 17),
    };
    let blocked = enforced && decision.effect == Effect::Deny;
    let class = of_tool(
        source,
        entry,
        &decision.tool,
        Some(decision.class),
        &decision.use_id,
    );
    class
        .severity(severity)
        .with("action_id", json!(action))
        .with("disposition_id", json!(disposition))
        .with("is_alert", json!(blocked))
        .with("status_id", json!(if blocked { FAILURE } else { SUCCESS }))
        .with("policy", policy(entry, decision))
        .with("message", json!(message(decision)))
}

/// What became of a call.
pub(super) fn outcome(source: &Source<'_>, entry: &Entry, outcome: &ToolOutcome) -> Class {
    let status = match outcome.state {
        OutcomeState::Ran => SUCCESS,
        OutcomeState::Failed | OutcomeState::Interrupted => FAILURE,
    };
    let class = of_tool(source, entry, &outcome.tool, None, &outcome.use_id)
        .with("action_id", json!(3))
        .with("disposition_id", json!(17))
        .with("status_id", json!(status))
        .with("status_detail", json!(word(&outcome.state)));
    match outcome.duration_ms {
        Some(duration) => class.with("duration", json!(duration)),
        None => class,
    }
}

impl Class {
    fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }
}

fn policy(entry: &Entry, decision: &ToolDecision) -> Value {
    let index = entry.payload().context.policy;
    let uid = index.map_or_else(|| "none".to_owned(), |index| format!("entry {index}"));
    let name = decision
        .rule
        .as_ref()
        .map_or_else(|| decision.why.clone(), |rule| rule.id.clone());
    json!({ "uid": uid, "name": name, "is_applied": decision.mode == DecisionMode::Enforce })
}

fn message(decision: &ToolDecision) -> String {
    let effect = word(&decision.effect);
    match &decision.rule {
        Some(rule) => format!("{} {effect} by rule {}", decision.tool, rule.id),
        None => format!("{} {effect} by {}", decision.tool, decision.why),
    }
}

fn of_tool(
    source: &Source<'_>,
    entry: &Entry,
    tool: &str,
    class: Option<ActionClass>,
    use_id: &str,
) -> Class {
    let input = source
        .disclosed(names::REQUEST)
        .and_then(|request| request.get("input"));
    let text = |name: &str| {
        input
            .and_then(|input| input.get(name))
            .and_then(Value::as_str)
    };
    match tool {
        "Bash" | "Monitor" => {
            let mut process = json!({ "uid": use_id, "name": tool });
            if let (Some(line), Some(members)) = (text("command"), process.as_object_mut()) {
                members.insert("cmd_line".into(), json!(line));
            }
            Class::new(1, 1007, 1, Severity::Informational).with("process", process)
        }
        "Read" | "Glob" | "Grep" | "LS" | "Edit" | "MultiEdit" | "Write" | "NotebookEdit" => {
            let path = ["file_path", "notebook_path", "path"]
                .into_iter()
                .find_map(text);
            let name = path
                .and_then(|path| path.rsplit('/').next())
                .unwrap_or("(withheld)");
            let mut file = json!({ "name": name, "type_id": 0 });
            if let (Some(path), Some(members)) = (path, file.as_object_mut()) {
                members.insert("path".into(), json!(path));
            }
            let activity = match (tool, class) {
                (_, Some(ActionClass::Create)) => 1,
                ("Read" | "Glob" | "Grep" | "LS", _) => 2,
                _ => 3,
            };
            Class::new(1, 1001, activity, Severity::Informational).with("file", file)
        }
        _ => {
            let activity = match class {
                Some(ActionClass::Create) => 1,
                Some(ActionClass::Read) => 2,
                Some(ActionClass::Update) => 3,
                Some(ActionClass::Delete) => 4,
                _ => 99,
            };
            let device = entry
                .payload()
                .link
                .as_ref()
                .map(|link| link.device.as_str());
            Class::new(6, 6003, activity, Severity::Informational)
                .with(
                    "api",
                    json!({ "operation": tool, "request": { "uid": use_id } }),
                )
                .with(
                    "src_endpoint",
                    json!({ "uid": device.unwrap_or("unknown") }),
                )
        }
    }
}
