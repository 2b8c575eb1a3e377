//! Every payload recorded from the real program, and payloads nobody should accept.

use super::*;

const RECORDED: &str = include_str!("../../../testdata/hook_payloads.jsonl");

#[test]
fn every_recorded_payload_is_read() {
    let mut kinds = std::collections::BTreeMap::new();
    for line in RECORDED.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let payload = serde_json::to_vec(&row["payload"]).unwrap();
        let event = row["payload"]["hook_event_name"].as_str().unwrap();
        let hook = Hook::parse(event, &payload).unwrap();
        let kind = match hook.kind {
            HookKind::SessionStart { .. } => "start",
            HookKind::SessionEnd { .. } => "end",
            HookKind::Prompt { .. } => "prompt",
            HookKind::Tool { .. } => "tool",
            HookKind::Permission { .. } => "permission",
            HookKind::Outcome { .. } => "outcome",
            HookKind::TurnEnd { .. } => "turn end",
            HookKind::Expansion { .. } => "expansion",
            HookKind::Instructions { .. } => "instructions",
            HookKind::Config { .. } => "config",
            HookKind::Other => "other",
        };
        *kinds.entry(kind).or_insert(0) += 1;
    }
    let expected = [
        ("end", 9),
        ("instructions", 1),
        ("other", 38),
        ("outcome", 16),
        ("permission", 4),
        ("prompt", 9),
        ("start", 9),
        ("tool", 25),
        ("turn end", 10),
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
}

fn good() -> Value {
    serde_json::json!({
        "session_id": "s", "cwd": "/w", "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": { "command": "ls" }, "tool_use_id": "toolu_1",
    })
}

#[test]
fn a_good_payload_is_read() {
    let hook = Hook::parse("PreToolUse", good().to_string().as_bytes()).unwrap();
    let HookKind::Tool { call, use_id, .. } = hook.kind else {
        panic!("not a tool")
    };
    assert_eq!((call.tool.as_str(), use_id.as_str()), ("Bash", "toolu_1"));
}

#[test]
fn bad_payloads_are_refused() {
    let text = good().to_string();
    let trailing = format!("{text} {{}}");
    let duplicate = text.replacen("\"tool_name\"", "\"tool_name\":\"Read\",\"tool_name\"", 1);
    let nested = text.replacen(
        "\"command\":\"ls\"",
        "\"command\":\"ls\",\"command\":\"rm\"",
        1,
    );
    let deep = text.replacen(
        "\"ls\"",
        &format!("{}{}", "[".repeat(80), "]".repeat(80)),
        1,
    );
    for bad in [
        "",
        "[]",
        "null",
        "{",
        &trailing,
        &duplicate,
        &nested,
        &deep,
        &text.replacen("\"ls\"", "\"\\ud800\"", 1),
        &text.replacen("{\"command\":\"ls\"}", "\"ls\"", 1),
        &text.replacen("\"/w\"", "\"w\"", 1),
        &text.replacen("\"Bash\"", "7", 1),
        &text.replacen("\"toolu_1\"", "\"a b\"", 1),
        &text.replacen("\"s\"", "\"\"", 1),
    ] {
        assert!(Hook::parse("PreToolUse", bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(Hook::parse("PreToolUse", b"\xff").is_err());
    let other = Hook::parse("UserPromptSubmit", text.as_bytes()).unwrap_err();
    assert!(matches!(other, PayloadError::OtherEvent { .. }));
    let long = vec![b' '; INPUT_BYTES_MAX + 1];
    assert_eq!(
        Hook::parse("PreToolUse", &long),
        Err(PayloadError::TooLong(long.len()))
    );
}
