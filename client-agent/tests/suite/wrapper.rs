//! The wrapper with a program in the agent's place: what it is given, and what is refused before.

use super::device::{Device, bundle, two_rules};
use cairn_event::body::{Body, McpSeen};
use cairn_event::{DecisionMode, Effect};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

/// A program that prints its words and the files they name, in place of the agent.
const AGENT: &str = "#!/bin/sh\n\
    if [ \"$1\" = --version ]; then echo '2.1.330 (Claude Code)'; exit 0; fi\n\
    for word in \"$@\"; do echo \"word $word\"; done\n\
    echo \"preload ${LD_PRELOAD:-none}\"\n\
    cp \"$2\" \"$OUT/settings.json\"; cp \"$4\" \"$OUT/mcp.json\"; exit 7\n";

fn run(device: &Device, words: &[&str]) -> Output {
    let agent = device.dir.join("agent");
    std::fs::write(&agent, AGENT).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    let project = device.dir.join("project");
    std::fs::create_dir_all(&project).unwrap();
    device
        .command(Path::new(env!("CARGO_BIN_EXE_cairn")))
        .arg("claude")
        .args(words)
        .env("CAIRN_CLAUDE", &agent)
        .env("OUT", &device.dir)
        .env("BASH_ENV", "/nowhere")
        .current_dir(&project)
        .output()
        .unwrap()
}

fn file(device: &Device, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(device.dir.join(name)).unwrap()).unwrap()
}

#[test]
fn the_agent_gets_hooks_denies_and_only_approved_servers() {
    let mut rules = two_rules();
    rules["mcp"] = json!({
        "default": "block",
        "allow": [{ "command": ["good-mcp", "--ro"] }],
        "servers": { "corp": { "type": "http", "url": "https://mcp.example.com/" } },
    });
    let device = Device::new(&bundle(rules));
    device.hook("PostToolUse", b"{}");
    let project = device.dir.join("project");
    std::fs::create_dir_all(&project).unwrap();
    let servers = json!({ "mcpServers": {
        "good": { "command": "good-mcp", "args": ["--ro"] },
        "bad": { "command": "bad-mcp", "env": { "TOKEN": "value-of-a-token" } },
    } });
    std::fs::write(project.join(".mcp.json"), servers.to_string()).unwrap();
    let _daemon = device.start();
    let output = run(&device, &["-p", "hello"]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.contains("word --strict-mcp-config") && stdout.contains("word hello"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("MCP server `bad` (project) was blocked"),
        "{stderr}"
    );
    assert!(stderr.contains("BASH_ENV was removed"), "{stderr}");

    let settings = file(&device, "settings.json");
    assert_eq!(
        settings["hooks"]["PreToolUse"][0]["hooks"][0]["onFailure"],
        "block"
    );
    assert_eq!(settings["permissions"]["deny"], json!(["Bash(rm *)"]));
    let servers = file(&device, "mcp.json");
    let names: Vec<_> = servers["mcpServers"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(names, ["corp", "good"]);

    let frames = device.spooled();
    let seen: Vec<_> = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::McpSeen(seen) => Some((seen.name.clone(), seen.effect)),
            _ => None,
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("bad".to_owned(), Effect::Deny),
            ("good".to_owned(), Effect::Allow)
        ]
    );
    assert!(!format!("{frames:?}").contains("value-of-a-token"));
}

/// Starts the agent in a project with one server that no entry allows; gives the names of what it was started
/// with, and the records of what was seen.
fn servers_at_a_start(device: &Device) -> (Vec<String>, Vec<McpSeen>) {
    device.hook("PostToolUse", b"{}");
    let project = device.dir.join("project");
    std::fs::create_dir_all(&project).unwrap();
    let mine = json!({ "mcpServers": { "bad": { "command": "bad-mcp" } } });
    std::fs::write(project.join(".mcp.json"), mine.to_string()).unwrap();
    let output = run(device, &["-p", "hello"]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let servers = file(device, "mcp.json");
    let names = servers["mcpServers"].as_object().unwrap().keys().cloned();
    let frames = device.spooled();
    let seen = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::McpSeen(seen) => Some(seen.clone()),
            _ => None,
        });
    (names.collect(), seen.collect())
}

/// The list lets it pass, and the person never approved it in the agent's own dialog.
#[test]
fn a_project_s_server_that_nobody_approved_is_recorded_as_waiting() {
    let mut rules = two_rules();
    rules["mcp"] = json!({ "default": "allow" });
    let device = Device::new(&bundle(rules));
    let _daemon = device.start();
    let (names, seen) = servers_at_a_start(&device);
    assert!(names.is_empty(), "{names:?}");
    let [one] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(
        (one.effect, one.source.as_str()),
        (Effect::NoOpinion, "project")
    );
    assert_eq!(
        one.rule.as_deref(),
        Some("nobody approved this project's server")
    );
}

#[test]
fn a_managed_server_is_given_to_those_whom_it_is_for() {
    let mut rules = two_rules();
    let definition = json!({ "command": "tool" });
    rules["mcp"] = json!({
        "default": "block",
        "servers": { "all": definition, "mine": definition, "theirs": definition, "hers": definition },
        "scopes": {
            "mine": [{ "team": "web" }, { "team": "infra" }],
            "theirs": [{ "team": "web" }],
            "hers": [{ "person": "p_somebody" }],
        },
    });
    let device = Device::new(&bundle(rules));
    let _daemon = device.start();
    let (names, _) = servers_at_a_start(&device);
    assert_eq!(names, ["all", "mine"]);
    let listed = device.cairn(&["mcp", "list", "--json"]).stdout;
    let listed: Value = serde_json::from_slice(&listed).unwrap();
    let managed = listed.as_array().unwrap().iter();
    let managed = managed.filter(|one| one["source"] == "managed");
    let managed: Vec<_> = managed.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(managed, ["all", "mine"]);
}

#[test]
fn a_policy_that_only_monitors_records_a_denied_server_and_lets_it_run() {
    let mut rules = two_rules();
    rules["mode"] = json!("monitor");
    rules["mcp"] = json!({ "default": "block", "deny": [{ "name": "bad" }] });
    let device = Device::new(&bundle(rules));
    let _daemon = device.start();
    // What a project brings still needs the person's own word, as without Cairn.
    let (names, seen) = servers_at_a_start(&device);
    assert_eq!(names, Vec::<String>::new());
    assert_eq!(
        (seen[0].effect, seen[0].mode),
        (Effect::Deny, Some(DecisionMode::Monitor))
    );
    let project = device.dir.join("project");
    let approved = json!({ "projects": { project.to_str().unwrap(): {
        "enabledMcpjsonServers": ["bad"] } } });
    std::fs::write(device.dir.join("home/.claude.json"), approved.to_string()).unwrap();
    let (names, seen) = servers_at_a_start(&device);
    assert_eq!(names, ["bad"]);
    assert_eq!(seen.len(), 2);
}

#[test]
fn weakening_flags_stop_the_start() {
    let device = Device::new(&two_rules());
    let output = run(
        &device,
        &["--bare", "-p", "x", "--dangerously-skip-permissions"],
    );
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("`--bare` is refused"), "{stderr}");
    assert!(
        stderr.contains("`--dangerously-skip-permissions` is refused"),
        "{stderr}"
    );
    assert!(!device.dir.join("settings.json").exists());
}

#[test]
fn a_closed_gate_stops_the_start_and_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::at(dir.path(), None);
    device.hook("PostToolUse", b"{}");
    let _daemon = device.start();
    let output = run(&device, &["-p", "x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no verified policy"));
    let frames = device.spooled();
    let refused = frames.iter().any(|frame| {
        matches!(&frame.entry().payload().body, Body::SessionRefused(one) if one.gate == "no-policy")
    });
    assert!(refused);
}

/// Hooks of others would be asked beside Cairn's and could replace what was judged.
#[test]
fn hooks_of_others_stop_the_start_unless_the_policy_only_monitors() {
    let mut monitor = two_rules();
    monitor["mode"] = json!("monitor");
    for (rules, code) in [(two_rules(), 1), (monitor, 7)] {
        let device = Device::new(&rules);
        device.hook("PostToolUse", b"{}");
        let _daemon = device.start();
        let folder = device.dir.join("project/.claude");
        std::fs::create_dir_all(&folder).unwrap();
        let hooks = json!({ "hooks": { "PreToolUse": [
            { "matcher": "*", "hooks": [{ "type": "command", "command": "./rewrite.sh" }] },
        ] } });
        std::fs::write(folder.join("settings.json"), hooks.to_string()).unwrap();
        let output = run(&device, &["-p", "x"]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        for word in [".claude/settings.json", "PreToolUse", "./rewrite.sh"] {
            assert!(stderr.contains(word), "{stderr}");
        }
        let frames = device.spooled();
        let refused = frames.iter().any(|frame| {
            matches!(&frame.entry().payload().body,
                Body::SessionRefused(one) if one.gate == "other-hooks")
        });
        assert_eq!(refused, code == 1);
    }
}

/// Writes the project's settings with these variables.
fn set_in_the_project(device: &Device, variables: &Value) {
    let folder = device.dir.join("project/.claude");
    std::fs::create_dir_all(&folder).unwrap();
    let settings = json!({ "env": variables });
    std::fs::write(folder.join("settings.json"), settings.to_string()).unwrap();
}

/// A repository's settings set variables for every command of the agent.
#[test]
fn variables_of_a_repository_that_steer_commands_are_held() {
    let device = Device::new(&bundle(two_rules()));
    device.hook("PostToolUse", b"{}");
    let _daemon = device.start();
    let theirs = json!({
        "XDG_CONFIG_HOME": "./cfg", "GIT_CONFIG_KEY_3": "core.pager", "PS4": "$(x)", "NODE_ENV": "test",
    });
    set_in_the_project(&device, &theirs);
    let output = run(&device, &["-p", "x"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    assert!(
        stderr.contains("sets `XDG_CONFIG_HOME`, which stays as it is"),
        "{stderr}"
    );
    let held = &file(&device, "settings.json")["env"];
    assert_eq!(
        (
            &held["XDG_CONFIG_HOME"],
            &held["GIT_CONFIG_KEY_3"],
            &held["PS4"]
        ),
        (&json!(""), &json!(""), &json!("+ "))
    );
    assert_eq!(held.get("NODE_ENV"), None);
    assert_eq!(held["PATH"], json!(std::env::var("PATH").unwrap()));
}

#[test]
fn a_variable_that_cannot_be_held_stops_the_start_unless_the_policy_only_monitors() {
    let mut monitor = two_rules();
    monitor["mode"] = json!("monitor");
    for (rules, code) in [(two_rules(), 1), (monitor, 7)] {
        let device = Device::new(&bundle(rules));
        device.hook("PostToolUse", b"{}");
        let _daemon = device.start();
        set_in_the_project(&device, &json!({ "GIT_SSH_COMMAND": "./x" }));
        let output = run(&device, &["-p", "x"]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        for word in [
            ".claude/settings.json` sets `GIT_SSH_COMMAND`",
            "in the shell",
        ] {
            assert!(stderr.contains(word), "{stderr}");
        }
        let frames = device.spooled();
        let refused = frames.iter().any(|frame| {
            matches!(&frame.entry().payload().body,
                Body::SessionRefused(one) if one.gate == "settings-variables")
        });
        assert_eq!(refused, code == 1);
    }
}

#[test]
fn an_unenrolled_device_is_told_what_to_do() {
    let device = Device::new(&two_rules());
    std::fs::remove_file(device.state.identity()).unwrap();
    let output = run(&device, &["-p", "x"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cairn enroll"));
}

#[test]
fn an_agent_whose_hooks_cannot_block_is_not_started() {
    let device = Device::new(&two_rules());
    let agent = device.dir.join("old");
    std::fs::write(&agent, "#!/bin/sh\necho 2.1.200\n").unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    device.hook("PostToolUse", b"{}");
    let output = device
        .command(Path::new(env!("CARGO_BIN_EXE_cairn")))
        .args(["claude", "-p", "x"])
        .env("CAIRN_CLAUDE", &agent)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("2.1.200") && stderr.contains("2.1.295"),
        "{stderr}"
    );
}
