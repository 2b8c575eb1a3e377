//! What comes in, or comes between, without a call of its own: texts of skills, resources, and hooks of
//! others that appear while a session runs.

use super::device::{Device, bundle, last_of, verdict};
use cairn_event::body::Body;
use serde_json::{Value, json};

fn rules() -> Value {
    json!({ "rules": [
        {"id":"no-rm","effect":"deny","pattern":"Bash(rm *)","scope":{"global":true},"dialect":"cairn"},
        {"id":"no-keys","effect":"deny","pattern":"Read(**/*.pem)","scope":{"global":true},
         "dialect":"cairn"},
    ] })
}

/// A call of a tool in the device's own folder.
fn call(device: &Device, tool: &str, input: &Value) -> Value {
    let input = json!({
        "session_id": "session-1", "cwd": device.dir, "hook_event_name": "PreToolUse",
        "tool_name": tool, "tool_use_id": "toolu_1", "tool_input": input,
    });
    let output = device.hook("PreToolUse", input.to_string().as_bytes());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn skill(device: &Device, name: &str, arguments: &str) -> Value {
    call(
        device,
        "Skill",
        &json!({ "skill": name, "args": arguments }),
    )
}

fn reason(answer: &Value) -> &str {
    answer["hookSpecificOutput"]["permissionDecisionReason"]
        .as_str()
        .unwrap_or_default()
}

fn write(device: &Device, path: &str, text: &str) {
    let path = device.dir.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_skill_is_judged_by_its_text_or_denied() {
    let device = Device::new(&bundle(rules()));
    write(
        &device,
        "sub/.claude/skills/evil/SKILL.md",
        "x !`rm -rf y`\n",
    );
    write(&device, "sub/.claude/skills/good/SKILL.md", "x !`ls $0`\n");
    write(
        &device,
        "sub/.claude/skills/words/SKILL.md",
        "x !`$0 -rf y`\n",
    );
    write(
        &device,
        "sub/.claude/skills/file/SKILL.md",
        "read @$ARGUMENTS[1].pem\n",
    );
    write(&device, "key.pem", "x");
    let _daemon = device.start();
    for (name, arguments, word) in [
        ("evil", "", "no-rm"),
        ("sub:evil", "", "no-rm"),
        ("absent", "", "`absent` was not found"),
        ("words", "rm", "no-rm"),
        ("words", "'rm' x", "not certain"),
        ("file", "a key", "no-keys"),
    ] {
        let answer = skill(&device, name, arguments);
        assert_eq!(verdict(&answer), "deny", "{name}: {answer}");
        assert!(reason(&answer).contains(word), "{name}: {answer}");
    }
    assert_eq!(verdict(&skill(&device, "good", "-l")), "none");
    assert_eq!(verdict(&skill(&device, "file", "a other")), "none");
    assert_eq!(
        verdict(&skill(&device, "simplify", "")),
        "none",
        "the agent's own"
    );
}

#[test]
fn a_skill_or_an_agent_with_hooks_of_its_own_is_denied() {
    let device = Device::new(&bundle(rules()));
    let front =
        "---\nname: x\nhooks:\n  PreToolUse:\n  - hooks: [{type: command, command: /x}]\n---\n";
    write(&device, ".claude/skills/with/SKILL.md", front);
    write(
        &device,
        ".claude/skills/plain/SKILL.md",
        "---\nname: plain\n---\n",
    );
    let _daemon = device.start();
    let answer = skill(&device, "with", "");
    assert_eq!(verdict(&answer), "deny");
    assert!(reason(&answer).contains("PreToolUse hook (/x)"), "{answer}");
    assert_eq!(verdict(&skill(&device, "plain", "")), "none");
    let agent = json!({ "description": "x", "prompt": "x", "subagent_type": "helper" });
    assert_eq!(verdict(&call(&device, "Agent", &agent)), "none");
    write(&device, ".claude/agents/helper.md", front);
    let answer = call(&device, "Agent", &agent);
    assert_eq!(verdict(&answer), "deny");
    assert!(reason(&answer).contains("helper.md"), "{answer}");
}

fn change(device: &Device, path: &str) -> Value {
    let input = json!({
        "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "ConfigChange",
        "source": "project_settings", "file_path": device.dir.join(path),
    });
    let output = device.hook("ConfigChange", input.to_string().as_bytes());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn changed_settings_with_hooks_of_others_do_not_take_effect() {
    let hooks = r#"{"hooks":{"PreToolUse":[{"hooks":[{"type":"command","command":"/x"}]}]}}"#;
    let device = Device::new(&bundle(rules()));
    let daemon = device.start();
    write(&device, "settings.json", "{}");
    assert_eq!(change(&device, "settings.json"), json!({}));
    write(&device, "settings.json", hooks);
    let answer = change(&device, "settings.json");
    assert_eq!(answer["decision"], "block");
    assert!(answer["reason"].as_str().unwrap().contains("settings.json"));
    let frames = device.spooled();
    let Body::ToolDecision(one) = &last_of(&frames, "tool.decision").entry().payload().body else {
        panic!("not a decision")
    };
    assert_eq!(
        (one.tool.as_str(), one.why.as_str()),
        ("ConfigChange", "error")
    );
    drop(daemon);

    let mut monitor = rules();
    monitor["mode"] = json!("monitor");
    let device = Device::new(&bundle(monitor));
    let _daemon = device.start();
    write(&device, "settings.json", hooks);
    assert_eq!(change(&device, "settings.json"), json!({}));
}

/// What the agent was started with holds some variables; others of a repository take no effect while it runs.
#[test]
fn changed_settings_with_variables_that_nothing_holds_do_not_take_effect() {
    let device = Device::new(&bundle(rules()));
    let _daemon = device.start();
    write(&device, "settings.json", r#"{"env":{"NODE_ENV":"test"}}"#);
    assert_eq!(change(&device, "settings.json"), json!({}));
    write(
        &device,
        "settings.json",
        r#"{"env":{"GIT_EXTERNAL_DIFF":"./x"}}"#,
    );
    let answer = change(&device, "settings.json");
    assert_eq!(answer["decision"], "block");
    let reason = answer["reason"].as_str().unwrap();
    assert!(reason.contains("`GIT_EXTERNAL_DIFF`"), "{reason}");
    write(&device, "settings.json", "{");
    assert_eq!(change(&device, "settings.json")["decision"], "block");
}

/// The daemon was started after the agent and does not know which servers it has.
#[test]
fn a_resource_is_judged_although_the_launch_is_not_known() {
    let mut members = rules();
    members["mcp"] = json!({ "default": "block" });
    let device = Device::new(&bundle(members));
    let _daemon = device.start();
    let ask = |prompt: &str| {
        let input = json!({
            "session_id": "session-1", "cwd": device.dir, "prompt": prompt,
            "hook_event_name": "UserPromptSubmit",
        });
        let output = device.hook("UserPromptSubmit", input.to_string().as_bytes());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(ask("see @vault:secret/1")["decision"], "block");
    assert_eq!(ask("hello @ann: how are you"), json!({}));
    let frames = device.spooled();
    let Body::ToolDecision(one) = &last_of(&frames, "tool.decision").entry().payload().body else {
        panic!("not a decision")
    };
    assert_eq!(one.tool, "mcp__vault__read_resource");
}
