//! Answers as Codex 0.169.0 gives them.

use super::super::hooks::hooks;
use super::*;

fn ours() -> Vec<CodexHook> {
    hooks("/b/cairn-hook".as_ref(), "/s".as_ref(), None)
}

fn listed(hooks: &[CodexHook]) -> Vec<Value> {
    let entry = |hook: &CodexHook| {
        json!({ "key": hook.key(), "eventName": "x", "enabled": true, "trustStatus": "trusted",
                "command": hook.command, "sourcePath": "/<session-flags>/config.toml" })
    };
    hooks.iter().map(entry).collect()
}

#[test]
fn a_session_needs_every_hook_as_it_was_given() {
    let hooks = ours();
    assert_eq!(interference(&listed(&hooks), &hooks).unwrap(), [""; 0]);
    let changes: [(&str, Value); 4] = [
        ("enabled", json!(false)),
        ("trustStatus", json!("modified")),
        ("trustStatus", json!("untrusted")),
        ("command", json!("/bin/true")),
    ];
    for (member, value) in changes {
        let mut listed = listed(&hooks);
        listed[1][member] = value;
        assert!(interference(&listed, &hooks).is_err(), "{member}");
    }
    assert!(interference(&listed(&hooks)[1..], &hooks).is_err());
}

#[test]
fn trusted_hooks_of_others_before_a_call_are_told() {
    let hooks = ours();
    let other = |event: &str, enabled: bool, trust: &str| {
        let mut listed = listed(&hooks);
        listed.push(json!({ "key": "/h/.codex/hooks.json:pre_tool_use:0:0", "eventName": event,
            "enabled": enabled, "trustStatus": trust, "command": "/h/x", "sourcePath": "/h/.codex/hooks.json" }));
        interference(&listed, &hooks).unwrap().len()
    };
    assert_eq!(other("preToolUse", true, "trusted"), 1);
    assert_eq!(other("permissionRequest", true, "a-later-word"), 1);
    for (event, enabled, trust) in [
        ("preToolUse", false, "trusted"),
        ("preToolUse", true, "untrusted"),
        ("preToolUse", true, "managed"),
        ("stop", true, "trusted"),
    ] {
        assert_eq!(other(event, enabled, trust), 0, "{event} {trust}");
    }
}

#[test]
fn servers_are_told_in_the_words_of_their_rules() {
    let origins = json!({
        "mcp_servers.a.command": { "name": { "type": "user" } },
        "mcp_servers.a.args.0": { "name": { "type": "project" } },
        "mcp_servers.b.url": { "name": { "type": "user" } },
    });
    let origins = origins.as_object().unwrap();
    let local = json!({ "command": "x", "args": ["y"], "env": { "T": "s" }, "enabled": true });
    let found = server("a", &local, origins).unwrap();
    assert_eq!(found.source, "project");
    let expected = json!({ "command": "x", "args": ["y"], "env": { "T": "s" } });
    assert_eq!(found.definition, expected);
    let remote = json!({ "url": "http://127.0.0.1:9/", "http_headers": { "X": "y" } });
    let found = server("b", &remote, origins).unwrap();
    assert_eq!(found.source, "user");
    let expected = json!({ "type": "http", "url": "http://127.0.0.1:9/", "headers": { "X": "y" } });
    assert_eq!(found.definition, expected);
    assert_eq!(server("c", &local, origins).unwrap().source, "unknown");
    for name in ["a__b", "", "a.b", "a b"] {
        assert!(server(name, &local, origins).is_err(), "{name}");
    }
}
