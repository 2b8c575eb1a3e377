//! Hooks that are answered: verdicts, what is recorded about them, and many at once.

use super::device::{Device, assert_chains, bundle, last_of, pre_tool, two_rules, verdict};
use cairn_event::body::Body;
use cairn_event::{DecisionMode, Effect, Rank};
use serde_json::{Value, json};
use std::io::Write;

#[test]
fn a_denied_and_an_allowed_call_are_recorded_before_they_are_answered() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let denied = device.bash("rm -rf build", "toolu_1");
    assert_eq!(verdict(&denied), "deny");
    let reason = denied["hookSpecificOutput"]["permissionDecisionReason"]
        .as_str()
        .unwrap();
    assert!(
        reason.contains("no-rm") && reason.contains("security@example.com"),
        "{reason}"
    );
    assert_eq!(verdict(&device.bash("ls -la", "toolu_2")), "allow");
    let free = device.hook(
        "PreToolUse",
        pre_tool("make", "toolu_3").to_string().as_bytes(),
    );
    assert_eq!(
        (free.stdout.as_slice(), free.status.code()),
        (b"{}".as_slice(), Some(0))
    );

    let frames = device.spooled();
    assert_chains(&frames);
    let decisions: Vec<_> = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::ToolDecision(decision) => Some((frame, decision)),
            _ => None,
        })
        .collect();
    let effects: Vec<_> = decisions.iter().map(|(_, one)| one.effect).collect();
    assert_eq!(effects, [Effect::Deny, Effect::Allow, Effect::NoOpinion]);
    let (frame, decision) = decisions[0];
    let rule = decision.rule.as_ref().unwrap();
    assert_eq!((rule.id.as_str(), rule.rank), ("no-rm", Rank::Global));
    let context = &frame.entry().payload().context;
    assert_eq!((context.policy, context.roster), (Some(2), Some(1)));
    assert_eq!(context.teams, ["infra"]);
    assert_eq!(context.session.as_deref(), Some("session-1"));
    assert!(
        context
            .posture
            .as_ref()
            .unwrap()
            .0
            .contains_key("disk_encryption")
    );
    for name in ["request", "ancestry", "email", "host", "os_user"] {
        assert!(frame.disclosed(name).is_some(), "{name}");
    }
}

/// A recorded decision is replayed from its own disclosures and gives the same verdict.
#[test]
fn a_recorded_decision_replays() {
    let rules = two_rules();
    let device = Device::new(&rules);
    let _daemon = device.start();
    device.bash("ls -la /etc/hosts && rm x", "toolu_1");
    let frames = device.spooled();
    let frame = last_of(&frames, "tool.decision");
    let payload = frame.entry().payload();
    let Body::ToolDecision(recorded) = &payload.body else {
        panic!("not a decision")
    };
    let request = serde_json::from_value(frame.disclosed("request").unwrap().clone()).unwrap();
    let bytes = cairn_event::json::to_canonical(&rules);
    let bundle = cairn_policy::Bundle::parse(&bytes).unwrap();
    let compiled = cairn_policy::compile(&bundle).unwrap();
    let subject = cairn_policy::Subject {
        person: payload.context.person.clone().unwrap(),
        teams: payload.context.teams.clone(),
        roles: vec!["developer".into()],
    };
    let posture = payload.context.posture.clone().unwrap();
    let again = cairn_policy::decide(&request, &compiled, &subject, &posture, payload.time_ms);
    assert_eq!(
        (again.effect, again.rule),
        (recorded.effect, recorded.rule.clone())
    );
    assert_eq!(again.losing, recorded.lost);
}

#[test]
fn secrets_do_not_reach_the_record() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    device.bash("PGPASSWORD=hunter22 psql", "toolu_1");
    let frames = device.spooled();
    let frame = last_of(&frames, "tool.decision");
    assert!(!format!("{frame:?}").contains("hunter22"));
    assert!(!frame.entry().payload().context.redactions.is_empty());
}

#[test]
fn a_prompt_is_recorded_by_length_and_digest() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let input = json!({
        "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "UserPromptSubmit",
        "prompt": "what is in my directory?", "prompt_id": "1",
    });
    let output = device.hook("UserPromptSubmit", input.to_string().as_bytes());
    assert_eq!(output.stdout, b"{}");
    let frames = device.spooled();
    let frame = last_of(&frames, "prompt");
    let Body::Prompt(prompt) = &frame.entry().payload().body else {
        panic!("not a prompt")
    };
    assert_eq!(prompt.bytes, 24);
    assert!(!format!("{frame:?}").contains("directory"));
}

#[test]
fn a_closed_gate_blocks_prompt_and_tool() {
    let device = Device::new(&bundle(json!({ "gates": [
        {"id":"edr","when":{"posture":"endpoint_protection","is":"never"},"message":"no EDR"},
        {"id":"any","when":{"not":{"posture":"os","is":"never"}},"message":"gate for a test"},
    ] })));
    let _daemon = device.start();
    let input = json!({
        "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "UserPromptSubmit",
        "prompt": "hi",
    });
    let output = device.hook("UserPromptSubmit", input.to_string().as_bytes());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["decision"], "block");
    assert!(
        answer["reason"].as_str().unwrap().contains("gate"),
        "{answer}"
    );
    assert_eq!(verdict(&device.bash("ls x", "toolu_1")), "deny");
    let frames = device.spooled();
    let refused = |frame: &&cairn_event::Frame| {
        matches!(frame.entry().payload().body, Body::SessionRefused(_))
    };
    assert_eq!(frames.iter().filter(refused).count(), 1);
}

/// A policy that only monitors records the closed gate and stops nobody.
#[test]
fn a_closed_gate_blocks_nothing_in_monitor_mode() {
    let device = Device::new(&bundle(json!({ "mode": "monitor", "gates": [
        {"id":"any","when":{"not":{"posture":"os","is":"never"}},"message":"gate for a test"},
    ] })));
    let _daemon = device.start();
    let answer = device.bash("ls x", "toolu_1");
    assert_eq!(verdict(&answer), "none", "{answer}");
    assert_eq!(answer["continue"], Value::Null, "{answer}");
    let frames = device.spooled();
    let Body::ToolDecision(decision) = &last_of(&frames, "tool.decision").entry().payload().body
    else {
        panic!("not a decision")
    };
    assert_eq!(
        (decision.effect, decision.why.as_str(), decision.mode),
        (Effect::Deny, "gate", DecisionMode::Monitor)
    );
}

#[test]
fn without_a_policy_everything_is_denied_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::at(dir.path(), None);
    let _daemon = device.start();
    let answer = device.bash("ls -la", "toolu_1");
    assert_eq!(verdict(&answer), "deny");
    assert!(
        answer.to_string().contains("no verified policy"),
        "{answer}"
    );
    let frames = device.spooled();
    let Body::ToolDecision(decision) = &last_of(&frames, "tool.decision").entry().payload().body
    else {
        panic!("not a decision")
    };
    assert_eq!(decision.why, "stale-policy");
}

#[test]
fn fifty_parallel_hooks_are_all_recorded() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let mut running = Vec::new();
    for number in 0..50 {
        let mut child = device.spawn_hook("PreToolUse");
        let input = pre_tool("ls -la", &format!("toolu_{number}")).to_string();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        running.push(child);
    }
    for child in running {
        let output = child.wait_with_output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(verdict(&answer), "allow");
    }
    let frames = device.spooled();
    assert_chains(&frames);
    let mut seen: Vec<_> = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::ToolDecision(decision) => Some(decision.use_id.clone()),
            _ => None,
        })
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 50);
}

#[test]
fn an_outcome_joins_its_decision() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let input = json!({
        "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "PostToolUse",
        "tool_name": "Bash", "tool_use_id": "toolu_1", "tool_input": { "command": "ls" },
        "tool_response": { "stdout": "secret-looking output" }, "duration_ms": 7,
    });
    let output = device.hook("PostToolUse", input.to_string().as_bytes());
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    let frames = device.spooled();
    let frame = last_of(&frames, "tool.outcome");
    let Body::ToolOutcome(outcome) = &frame.entry().payload().body else {
        panic!("no outcome")
    };
    assert_eq!(
        (outcome.use_id.as_str(), outcome.duration_ms),
        ("toolu_1", Some(7))
    );
    assert!(!format!("{frame:?}").contains("secret-looking"));
}

#[test]
fn the_end_of_a_turn_is_recorded_with_the_digest_of_the_last_message() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let message = "All of it is done, secret-looking.";
    for (event, members, expected) in [
        (
            "Stop",
            json!({"prompt_id": "p-1", "stop_hook_active": false, "last_assistant_message": message}),
            json!({"prompt_id": "p-1", "state": "ran"}),
        ),
        (
            "SubagentStop",
            json!({"agent_id": "a-1", "agent_type": "Explore", "last_assistant_message": message}),
            json!({"state": "ran", "subagent": "a-1", "subagent_type": "Explore"}),
        ),
        (
            "StopFailure",
            json!({"error": message, "error_details": "more"}),
            json!({"state": "failed"}),
        ),
    ] {
        let mut input = json!({
            "session_id": "session-1", "cwd": "/tmp", "hook_event_name": event,
        });
        for (name, value) in members.as_object().unwrap() {
            input[name] = value.clone();
        }
        let output = device.hook(event, input.to_string().as_bytes());
        // Anything said here could keep the agent going.
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(0), 0),
            "{event}"
        );
        let frames = device.spooled();
        let frame = last_of(&frames, "turn.end");
        let payload = frame.entry().payload().to_value().unwrap();
        assert_eq!(payload["body"], expected, "{event}");
        let digest = cairn_event::Sha256::of(message.as_bytes());
        let response = json!({"bytes": message.len(), "sha256": digest});
        assert_eq!(frame.disclosed("response"), Some(&response), "{event}");
        assert!(!format!("{frame:?}").contains("secret-looking"), "{event}");
    }
}

/// Another hook replaced the input after the verdict: what ran is judged, recorded, and ends the session
/// where it would not have been let run.
#[test]
fn an_input_that_was_replaced_is_judged_when_it_has_run() {
    let device = Device::new(&two_rules());
    let _daemon = device.start();
    let ran = |command: &str, use_id: &str| {
        let mut input = pre_tool(command, use_id);
        input["hook_event_name"] = json!("PostToolUse");
        input["tool_response"] = json!({ "stdout": "" });
        device
            .hook("PostToolUse", input.to_string().as_bytes())
            .stdout
    };
    for (judged, executed) in [("ls -la", "ls -la"), ("ls -la", "ls -l"), ("make", "ls")] {
        let use_id = format!("toolu_{}", executed.len());
        device.bash(judged, &use_id);
        assert!(ran(executed, &use_id).is_empty(), "{judged} {executed}");
    }
    assert_eq!(verdict(&device.bash("ls -la", "toolu_4")), "allow");
    let answer: Value = serde_json::from_slice(&ran("rm -rf x", "toolu_4")).unwrap();
    assert_eq!(answer["continue"], false, "{answer}");
    assert!(answer["stopReason"].as_str().unwrap().contains("no-rm"));
    assert_eq!(verdict(&device.bash("ls -la", "toolu_5")), "deny");
    let input = json!({
        "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "UserPromptSubmit",
        "prompt": "hi",
    });
    let output = device.hook("UserPromptSubmit", input.to_string().as_bytes());
    assert!(String::from_utf8_lossy(&output.stdout).contains("no-rm"));

    let frames = device.spooled();
    let said: Vec<_> = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::ToolDecision(one) => Some((one.use_id.as_str(), format!("{:?}", one.effect))),
            Body::ToolOutcome(one) => Some((one.use_id.as_str(), format!("{:?}", one.state))),
            Body::SessionRefused(one) => Some((one.gate.as_str(), String::new())),
            _ => None,
        })
        .collect();
    let told = |id, what: &str| (id, what.to_owned());
    let expected = [
        told("toolu_6", "Allow"),
        told("toolu_6", "Ran"),
        told("toolu_5", "Allow"),
        told("toolu_5-executed", "Allow"),
        told("toolu_5-executed", "Ran"),
        told("toolu_2", "NoOpinion"),
        told("toolu_2-executed", "Allow"),
        told("toolu_2-executed", "Ran"),
        told("toolu_4", "Allow"),
        told("toolu_4-executed", "Deny"),
        told("toolu_4-executed", "Ran"),
        told("toolu_5", "Deny"),
        told("executed-input", ""),
    ];
    assert_eq!(said, expected);
    let request = frames.iter().find_map(|frame| {
        let Body::ToolDecision(one) = &frame.entry().payload().body else {
            return None;
        };
        (one.use_id == "toolu_4-executed").then(|| frame.disclosed("request").cloned())?
    });
    assert_eq!(request.unwrap()["input"]["command"], "rm -rf x");
}

/// What a prompt brings in is decided on like a read, and a denial refuses the prompt.
#[test]
fn a_denied_file_refuses_the_prompt_that_names_it() {
    let device = Device::new(&bundle(json!({ "rules": [
        {"id":"no-keys","effect":"deny","pattern":"Read(**/*.pem)","scope":{"global":true},
         "dialect":"cairn"},
        {"id":"ask","effect":"ask","pattern":"Read(**/*.txt)","scope":{"global":true},
         "dialect":"cairn"},
    ] })));
    for name in ["key.pem", "note.txt", "free.md"] {
        std::fs::write(device.dir.join(name), "x").unwrap();
    }
    let _daemon = device.start();
    let ask = |prompt: &str| {
        let input = json!({
            "session_id": "session-1", "cwd": device.dir, "prompt": prompt,
            "hook_event_name": "UserPromptSubmit",
        });
        let output = device.hook("UserPromptSubmit", input.to_string().as_bytes());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(ask("see @key.pem.")["decision"], "block");
    assert_eq!(
        ask("see @note.txt")["decision"],
        "block",
        "nobody can be asked"
    );
    assert_eq!(ask("see @free.md"), json!({}));
    let frames = device.spooled();
    let decided: Vec<_> = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::ToolDecision(one) => Some((one.use_id.as_str(), one.effect)),
            _ => None,
        })
        .collect();
    let denied = ("mention-0", Effect::Deny);
    assert_eq!(decided, [denied, denied, ("mention-0", Effect::NoOpinion)]);
}

/// Instructions are loaded without a question; a denied import ends what would follow.
#[test]
fn a_denied_import_of_instructions_restricts_the_session() {
    let device = Device::new(&bundle(json!({ "rules": [
        {"id":"no-keys","effect":"deny","pattern":"Read(**/*.pem)","scope":{"global":true},
         "dialect":"cairn"},
    ] })));
    let _daemon = device.start();
    let loaded = |file: &str| {
        let input = json!({
            "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "InstructionsLoaded",
            "file_path": file, "memory_type": "User", "load_reason": "include",
        });
        let output = device.hook("InstructionsLoaded", input.to_string().as_bytes());
        assert!(output.stdout.is_empty());
    };
    loaded("/tmp/notes.md");
    assert_eq!(verdict(&device.bash("true", "toolu_1")), "none");
    loaded("/tmp/key.pem");
    assert_eq!(verdict(&device.bash("true", "toolu_2")), "deny");
    let input = json!({
        "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "UserPromptSubmit",
        "prompt": "hi",
    });
    let output = device.hook("UserPromptSubmit", input.to_string().as_bytes());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        answer["reason"].as_str().unwrap().contains("no-keys"),
        "{answer}"
    );
    let frames = device.spooled();
    let Body::SessionRefused(refused) = &last_of(&frames, "session.refused").entry().payload().body
    else {
        panic!("not a refusal")
    };
    assert_eq!(refused.gate, "instructions");
}

/// Changed settings are decided on, recorded, and blocked where a rule says so.
#[test]
fn a_change_of_settings_is_a_decision() {
    let device = Device::new(&bundle(json!({ "rules": [
        {"id":"fixed","effect":"deny","pattern":"ConfigChange(source:project_settings)",
         "scope":{"global":true},"dialect":"cairn"},
    ] })));
    let _daemon = device.start();
    let change = |source: &str| {
        let input = json!({
            "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "ConfigChange",
            "source": source, "file_path": "/tmp/.claude/settings.json",
        });
        let output = device.hook("ConfigChange", input.to_string().as_bytes());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(change("project_settings")["decision"], "block");
    assert_eq!(change("user_settings"), json!({}));
    let frames = device.spooled();
    let Body::ToolDecision(decision) = &last_of(&frames, "tool.decision").entry().payload().body
    else {
        panic!("not a decision")
    };
    assert_eq!(
        (decision.tool.as_str(), decision.effect),
        ("ConfigChange", Effect::NoOpinion)
    );
}
