//! What a call is called: its class, its MCP server, and the words around a decision about it.

use super::payload::ToolCall;
use crate::device::Asker;
use crate::policy::InForce;
use cairn_event::body::ToolDecision;
use cairn_event::{ActionClass, DecisionMode, Effect};
use cairn_policy::{ENGINE_SEMANTICS, Freshness, McpCall};

/// A decision before it was made: a denial for an error.
pub(super) fn blank(call: &ToolCall, use_id: &str, subagent: Option<String>) -> ToolDecision {
    ToolDecision {
        class: class(&call.tool),
        effect: Effect::Deny,
        latency_us: 0,
        lost: Vec::new(),
        mcp: call
            .mcp
            .as_ref()
            .map(|origin| cairn_event::body::McpServer {
                name: origin.name.clone(),
                source: origin.source.clone(),
            }),
        mode: DecisionMode::Enforce,
        rule: None,
        semantics: ENGINE_SEMANTICS,
        subagent,
        tool: call.tool.clone(),
        use_id: use_id.to_owned(),
        why: "error".to_owned(),
    }
}

pub(super) fn why(decision: &cairn_policy::Decision) -> &'static str {
    match (&decision.gate, &decision.rule) {
        (Some(_), _) => "gate",
        (None, Some(_)) => "rule",
        (None, None) if decision.parts.is_empty() => "error",
        (None, None) => "default",
    }
}

pub(super) fn mcp_call(call: &ToolCall, asker: &Asker) -> Option<McpCall> {
    let rest = call.tool.strip_prefix("mcp__")?;
    let (server, tool) = match (&call.mcp, rest.split_once("__")) {
        (Some(origin), Some((_, tool))) => (origin.name.clone(), tool),
        (None, Some((server, tool))) => (server.to_owned(), tool),
        (_, None) => (rest.to_owned(), ""),
    };
    let source = call
        .mcp
        .as_ref()
        .map_or("unknown", |origin| origin.source.as_str());
    let definition = asker
        .servers
        .iter()
        .flatten()
        .find(|known| known.name == server)
        .cloned();
    Some(McpCall {
        server,
        tool: tool.to_owned(),
        source: source.to_owned(),
        definition,
    })
}

/// A call by the name of its MCP server as it is configured, by which rules name it: in the names of tools
/// Codex writes an underscore for what it does not take there.
pub(super) fn by_configured_name(call: &ToolCall, asker: &Asker) -> ToolCall {
    let mut call = call.clone();
    let parts = call.tool.strip_prefix("mcp__");
    if let (None, Some((server, tool))) = (&call.mcp, parts.and_then(|rest| rest.split_once("__")))
    {
        let known = || asker.servers.iter().flatten().map(|known| &known.name);
        if !known().any(|name| name == server)
            && let Some(name) = known().find(|name| name.replace('-', "_") == server)
        {
            call.tool = format!("mcp__{name}__{tool}");
        }
    }
    call
}

pub(super) fn class(tool: &str) -> ActionClass {
    match tool {
        "Read" | "Grep" | "Glob" | "LS" | "NotebookRead" => ActionClass::Read,
        "Write" => ActionClass::Create,
        "ConfigChange" | "Edit" | "MultiEdit" | "NotebookEdit" => ActionClass::Update,
        "Bash" | "Monitor" => ActionClass::Exec,
        "WebFetch" | "WebSearch" => ActionClass::Network,
        "Agent" | "Task" | "Skill" | "Workflow" | "CronCreate" | "ScheduleWakeup"
        | "RemoteTrigger" | "SendMessage" => ActionClass::Agent,
        _ => ActionClass::Unknown,
    }
}

/// What is said of a verdict, with the policy's age where that may be why it is as strict as it is.
pub(super) fn in_view_of_age(
    sentence: String,
    applied: Effect,
    in_force: &InForce,
    now_ms: u64,
) -> String {
    let restricted = in_force.freshness(now_ms) == Freshness::Restricted;
    match in_force.warning(now_ms) {
        Some(warning) if restricted && applied != Effect::Allow => {
            format!("{sentence} ({warning}.)")
        }
        _ => sentence,
    }
}

/// A sentence for the model when no rule spoke.
pub(super) fn refusal(cause: &str) -> String {
    format!("Cairn denied this action: {cause}; run `cairn doctor` or ask your security team.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_policy::McpServer;
    use serde_json::json;

    #[test]
    fn a_server_has_the_name_that_rules_know() {
        let mut asker = Asker::unknown("codex");
        let server = |name: &str| McpServer::from_definition(name, &json!({ "command": "x" }));
        asker.servers = Some(vec![server("my-server"), server("other_one")]);
        let named = |tool: &str| {
            let (tool, input, mcp) = (tool.to_owned(), json!({}), None);
            by_configured_name(&ToolCall { tool, input, mcp }, &asker).tool
        };
        assert_eq!(named("mcp__my_server__echo"), "mcp__my-server__echo");
        assert_eq!(named("mcp__other_one__echo"), "mcp__other_one__echo");
        assert_eq!(named("mcp__third_one__echo"), "mcp__third_one__echo");
        assert_eq!(named("Bash"), "Bash");
    }
}
