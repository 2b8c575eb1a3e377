//! What a gate does to sessions that run: they wait, may only read, or are ended.

use super::device::{Device, bundle, hook_program, last_of, pre_tool, verdict};
use cairn_event::Effect;
use cairn_event::body::Body;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

/// A device with one gate that is closed on every machine.
fn gated(running: &str) -> Device {
    Device::new(&bundle(json!({
        "gates": [{"id": "any", "when": {"not": {"posture": "os", "is": "never"}},
                   "message": "gate for a test", "running": running}],
        "rules": [{"id": "env", "effect": "deny", "pattern": "Read(//**/.env)",
                   "scope": {"global": true}, "dialect": "cairn"}],
    })))
}

fn hook(device: &Device, event: &str, members: Value) -> Value {
    let mut input = json!({"session_id": "session-1", "cwd": "/tmp", "hook_event_name": event});
    for (name, value) in members.as_object().unwrap() {
        input[name] = value.clone();
    }
    let output = device.hook(event, input.to_string().as_bytes());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn read(device: &Device, path: &str, use_id: &str) -> Value {
    let input = json!({ "file_path": path });
    let call = json!({"tool_name": "Read", "tool_use_id": use_id, "tool_input": input});
    hook(device, "PreToolUse", call)
}

#[test]
fn a_restricted_session_goes_on_reading_and_does_nothing_else() {
    let device = gated("restrict");
    let _daemon = device.start();
    let shell = device.bash("ls", "toolu_1");
    assert_eq!(verdict(&shell), "deny");
    assert_eq!(shell["continue"], Value::Null, "the turn goes on: {shell}");
    let readable = read(&device, "/tmp/a.txt", "toolu_2");
    assert_eq!(verdict(&readable), "none", "{readable}");
    assert_eq!(verdict(&read(&device, "/tmp/.env", "toolu_3")), "deny");
    let Body::ToolDecision(decision) = last_of(&device.spooled(), "tool.decision")
        .entry()
        .payload()
        .body
        .clone()
    else {
        panic!("no decision")
    };
    assert_eq!(
        (decision.effect, decision.why.as_str()),
        (Effect::Deny, "rule")
    );
    let prompt = hook(&device, "UserPromptSubmit", json!({ "prompt": "go on" }));
    assert_eq!(prompt["decision"], Value::Null, "{prompt}");
}

/// A process in the agent's place: it makes one call through the hook and then stays.
fn agent(device: &Device) -> Child {
    let input = device.dir.join("call.json");
    std::fs::write(&input, pre_tool("ls", "toolu_1").to_string()).unwrap();
    let line = r#"CLAUDE_PID=$$ "$1" PreToolUse --socket "$2" <"$3" >"$4"; exec sleep 600"#;
    let mut command = device.command("/bin/sh".as_ref());
    command
        .args(["-c", line, "agent"])
        .arg(hook_program())
        .arg(device.state.socket())
        .arg(input)
        .arg(device.dir.join("answer.json"));
    command.stdin(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_gate_that_ends_sessions_ends_the_process_and_records_it() {
    let device = gated("end");
    let _daemon = device.start();
    let ended = agent(&device).wait().unwrap();
    assert_eq!(ended.signal(), Some(15), "{ended:?}");
    let answer = std::fs::read(device.dir.join("answer.json")).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        (verdict(&answer), &answer["continue"]),
        ("deny", &json!(false))
    );
    let frames = device.spooled();
    let refused = last_of(&frames, "session.refused").entry().payload();
    let Body::SessionRefused(said) = &refused.body else {
        panic!("no refusal")
    };
    assert_eq!(said.gate, "any");
    assert_eq!(refused.context.session.as_deref(), Some("session-1"));
    assert!(refused.context.posture.is_some());
}
