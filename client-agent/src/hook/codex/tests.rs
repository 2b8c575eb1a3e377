//! Inputs as Codex 0.169.0 writes them, and answers as it takes them.

use super::*;

fn input(event: &str, more: Value) -> Vec<u8> {
    let mut members = json!({
        "session_id": "01a205c1-2b0a-7e21-9022-2825bcf946cd",
        "turn_id": "01a205c1-2c50-7440-9c1d-6133cbd1ccd2",
        "transcript_path": "/h/sessions/rollout.jsonl",
        "cwd": "/w/app",
        "hook_event_name": event,
        "model": "gpt-5.5",
        "permission_mode": "default",
    });
    let own = members.as_object_mut().unwrap();
    own.extend(more.as_object().unwrap().clone());
    members.to_string().into_bytes()
}

fn judged(tool: &str, tool_input: Value) -> Vec<(String, Value)> {
    let more = json!({ "tool_name": tool, "tool_input": tool_input, "tool_use_id": "call_0" });
    let hook = Codex
        .read("PreToolUse", &input("PreToolUse", more))
        .unwrap();
    let HookKind::Tool { call, beside, .. } = hook.kind else {
        panic!("a call");
    };
    let plain = |call: ToolCall| (call.tool, call.input);
    [call]
        .into_iter()
        .chain(beside.unwrap())
        .map(plain)
        .collect()
}

#[test]
fn tools_have_the_names_of_policy_rules() {
    let one = |tool: &str, tool_input: Value| judged(tool, tool_input).remove(0);
    assert_eq!(
        one("Bash", json!({ "command": "git status" })),
        ("Bash".to_owned(), json!({ "command": "git status" }))
    );
    assert_eq!(
        one("view_image", json!({ "path": "../p.png" })),
        ("Read".to_owned(), json!({ "file_path": "/w/app/../p.png" }))
    );
    assert_eq!(
        one(
            "read_mcp_resource",
            json!({ "server": "t", "uri": "file:///x" })
        )
        .0,
        "mcp__t__read_resource"
    );
    assert_eq!(one("mcp__t__echo", json!({})).0, "mcp__t__echo");
    assert_eq!(
        one(
            "spawn_agent",
            json!({ "message": "x", "agent_type": "worker" })
        ),
        (
            "Agent".to_owned(),
            json!({ "message": "x", "subagent_type": "worker" })
        )
    );
    assert_eq!(one("a_later_tool", json!({})).0, "a_later_tool");
}

#[test]
fn every_file_of_a_patch_is_a_call() {
    let text = "*** Begin Patch\n*** Add File: a\n+x\n*** Delete File: .github/b\n*** End Patch\n";
    for (tool, command) in [
        ("apply_patch", text.to_owned()),
        ("Bash", format!("apply_patch <<'EOF'\n{text}EOF")),
    ] {
        let found = judged(tool, json!({ "command": command }));
        let tools: Vec<&str> = found.iter().map(|(tool, _)| tool.as_str()).collect();
        let files = found
            .iter()
            .filter_map(|(_, input)| input["file_path"].as_str());
        assert_eq!(files.collect::<Vec<_>>(), ["/w/app/a", "/w/app/.github/b"]);
        assert_eq!(tools.last(), Some(&"Edit"));
    }
    let more = json!({ "tool_name": "apply_patch", "tool_input": { "command": "x" },
                       "tool_use_id": "call_0" });
    let read = Codex.read("PreToolUse", &input("PreToolUse", more));
    let HookKind::Tool { call, beside, .. } = read.unwrap().kind else {
        panic!("a call");
    };
    assert_eq!((call.tool.as_str(), beside.is_err()), ("apply_patch", true));
}

#[test]
fn an_outcome_is_of_the_call_that_was_judged() {
    let text = "*** Begin Patch\n*** Add File: a\n+x\n*** Add File: b\n+x\n*** End Patch\n";
    let tool_input = json!({ "command": text });
    let before = judged("apply_patch", tool_input.clone());
    let more = json!({ "tool_name": "apply_patch", "tool_input": tool_input,
                       "tool_response": "Success", "tool_use_id": "call_0" });
    let hook = Codex
        .read("PostToolUse", &input("PostToolUse", more))
        .unwrap();
    let HookKind::Outcome {
        tool,
        input,
        beside,
        ..
    } = hook.kind
    else {
        panic!("an outcome");
    };
    assert_eq!((tool, input.unwrap()), before[0]);
    assert_eq!(beside.unwrap().len(), 1);
}

/// Codex 0.169.0 lets the tool run after each of the answers that this excludes.
#[test]
fn a_call_is_answered_by_a_denial_or_an_empty_object() {
    for effect in [Effect::Allow, Effect::NoOpinion] {
        assert_eq!(Codex.verdict(Gate::Tool, effect, "because").stdout, "{}");
        assert_eq!(Codex.verdict(Gate::Prompt, effect, "because").stdout, "{}");
    }
    let denials = [
        Codex.verdict(Gate::Tool, Effect::Deny, "because"),
        Codex.verdict(Gate::Tool, Effect::Ask, ""),
        Codex.stop("because"),
    ];
    for answer in denials {
        let said: Value = serde_json::from_str(&answer.stdout).unwrap();
        let members: Vec<&String> = said.as_object().unwrap().keys().collect();
        assert_eq!(members, ["hookSpecificOutput"]);
        let output = &said["hookSpecificOutput"];
        assert_eq!(output["permissionDecision"], "deny");
        assert_ne!(output["permissionDecisionReason"], "");
    }
}
