//! Hooks of Codex through the same daemon: judged by the same rules, answered in its words, recorded under
//! its name.

use super::device::{Device, last_of, two_rules};
use cairn_event::Effect;
use cairn_event::body::Body;
use serde_json::{Value, json};
use std::io::Write;
use std::process::Output;

const CODEX: &[&str] = &["--agent", "codex"];

fn ask(device: &Device, words: &[&str], event: &str, cwd: &str, more: Value) -> Output {
    let mut input = json!({ "session_id": "codex-1", "turn_id": "t", "cwd": cwd,
        "hook_event_name": event, "model": "m", "permission_mode": "default" });
    let members = input.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let mut child = device.spawn_hook_with(event, words);
    let _unread = child
        .stdin
        .take()
        .unwrap()
        .write_all(input.to_string().as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn call(tool: &str, input: Value, use_id: &str) -> Value {
    json!({ "tool_name": tool, "tool_input": input, "tool_use_id": use_id })
}

fn bash(command: &str, use_id: &str) -> Value {
    call("Bash", json!({ "command": command }), use_id)
}

/// The decisions on a call, in their order.
fn effects(device: &Device, use_id: &str) -> Vec<Effect> {
    let frames = device.spooled();
    let decisions = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::ToolDecision(one) if one.use_id == use_id => Some(one.effect),
            _ => None,
        });
    decisions.collect()
}

#[test]
fn the_same_rules_are_answered_in_its_words() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let pre = |more| said(&ask(&device, CODEX, "PreToolUse", "/tmp", more));
    let denied = pre(bash("rm -rf build", "call_1"));
    assert_eq!(denied["hookSpecificOutput"]["permissionDecision"], "deny");
    // Codex would take anything more for invalid, and let the call run.
    assert_eq!(pre(bash("ls -la", "call_2")), json!({}));
    assert_eq!(pre(bash("make", "call_3")), json!({}));
    let frames = device.spooled();
    let entry = last_of(&frames, "tool.decision").entry().payload();
    let agent = entry.context.agent.as_ref().unwrap();
    assert_eq!(agent.name, "codex");
    assert_eq!(effects(&device, "call_2"), [Effect::Allow]);
}

#[test]
fn a_patch_in_a_longer_command_is_denied_under_the_call_s_own_identifier() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let command = "ls && apply_patch <<'E'\n*** Begin Patch\n*** Add File: a\n+x\n*** End Patch\nE";
    let answer = said(&ask(
        &device,
        CODEX,
        "PreToolUse",
        "/tmp",
        bash(command, "call_1"),
    ));
    assert_eq!(answer["hookSpecificOutput"]["permissionDecision"], "deny");
    assert_eq!(effects(&device, "call_1"), [Effect::Deny]);
}

/// Codex lets a call run whose hook failed: it is judged when its outcome is told.
#[test]
fn what_ran_without_being_asked_about_is_judged_afterwards_and_ends_the_session() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let post = |mut more: Value| {
        more["tool_response"] = json!("done");
        ask(&device, CODEX, "PostToolUse", "/tmp", more)
    };
    assert!(post(bash("ls -la", "call_1")).stdout.is_empty());
    assert_eq!(effects(&device, "call_1-executed"), [Effect::Allow]);
    let answer = said(&post(bash("rm -rf build", "call_2")));
    assert_eq!(answer["decision"], "block");
    assert_eq!(effects(&device, "call_2-executed"), [Effect::Deny]);
    let next = ask(
        &device,
        CODEX,
        "PreToolUse",
        "/tmp",
        bash("ls -la", "call_3"),
    );
    assert_eq!(
        said(&next)["hookSpecificOutput"]["permissionDecision"],
        "deny"
    );
    let prompt = ask(
        &device,
        CODEX,
        "UserPromptSubmit",
        "/tmp",
        json!({ "prompt": "go on" }),
    );
    assert_eq!(said(&prompt)["decision"], "block");
}

#[test]
fn a_hook_of_an_unknown_agent_is_denied() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let words = ["--agent", "another"];
    let output = ask(
        &device,
        &words,
        "PreToolUse",
        "/tmp",
        bash("ls -la", "call_1"),
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(!output.stderr.is_empty());
    assert_eq!(effects(&device, "call_1"), []);
}
