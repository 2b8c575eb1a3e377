//! Instruction files that the daemon finds before the agent tells of them, or without being told.

use super::device::{Device, bundle};
use cairn_event::Effect;
use cairn_event::body::Body;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

fn device() -> Device {
    let device = Device::new(&bundle(json!({ "rules": [
        {"id":"no-keys","effect":"deny","pattern":"Read(//**/*.pem)","scope":{"global":true},
         "dialect":"cairn"},
    ] })));
    write(&device, "app/CLAUDE.md", "see @notes.md\n");
    write(&device, "app/notes.md", "notes\n");
    write(&device, "app/key.pem", "secret\n");
    device
}

fn write(device: &Device, path: &str, text: &str) {
    let path = device.dir.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn hook(device: &Device, session: &str, cwd: &Path, event: &str, more: &Value) -> Option<Value> {
    let mut input = json!({ "session_id": session, "cwd": cwd, "hook_event_name": event });
    let members = input.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let output = device.hook(event, input.to_string().as_bytes());
    serde_json::from_slice(&output.stdout).ok()
}

fn prompt(device: &Device, session: &str, folder: &str) -> Value {
    let more = json!({ "prompt": "hi" });
    let cwd = device.dir.join(folder);
    hook(device, session, &cwd, "UserPromptSubmit", &more).unwrap()
}

fn told(device: &Device, session: &str, file: &str) {
    let more = json!({ "file_path": device.dir.join(file), "memory_type": "Project" });
    let cwd = device.dir.join("app");
    assert_eq!(
        hook(device, session, &cwd, "InstructionsLoaded", &more),
        None
    );
}

/// The verdicts on files of the device's folder, in the order in which they were recorded.
fn verdicts(device: &Device) -> Vec<(String, Effect)> {
    let frames = device.spooled();
    let decided = frames.iter().filter_map(|frame| {
        let Body::ToolDecision(one) = &frame.entry().payload().body else {
            return None;
        };
        assert_eq!(
            (one.tool.as_str(), one.use_id.as_str()),
            ("Read", "instructions")
        );
        let request = frame.disclosed("request").unwrap();
        let file = request["input"]["file_path"].as_str().unwrap();
        let name = Path::new(file).strip_prefix(&device.dir).ok()?;
        Some((name.to_str().unwrap().to_owned(), one.effect))
    });
    decided.collect()
}

fn gates(device: &Device) -> Vec<String> {
    let frames = device.spooled();
    let gates = frames
        .iter()
        .filter_map(|frame| match &frame.entry().payload().body {
            Body::SessionRefused(refused) => Some(refused.gate.clone()),
            _ => None,
        });
    gates.collect()
}

#[test]
fn a_denied_import_of_which_nobody_told_refuses_the_first_prompt() {
    let device = device();
    let _daemon = device.start();
    write(&device, "app/CLAUDE.md", "see **@key.pem**\n");
    let answer = prompt(&device, "s", "app");
    assert_eq!(answer["decision"], "block");
    assert!(
        answer["reason"].as_str().unwrap().contains("no-keys"),
        "{answer}"
    );
    let free = ("app/CLAUDE.md".to_owned(), Effect::NoOpinion);
    let denied = ("app/key.pem".to_owned(), Effect::Deny);
    assert_eq!(verdicts(&device), [free, denied]);
    assert_eq!(gates(&device), ["instructions"]);
    // What the session has it keeps, whatever the file says now.
    write(&device, "app/CLAUDE.md", "nothing\n");
    assert_eq!(prompt(&device, "s", "app")["decision"], "block");
    assert_eq!(prompt(&device, "another", "app"), json!({}));
}

#[test]
fn a_file_is_recorded_once_whoever_comes_first_and_again_when_it_is_loaded_again() {
    let device = device();
    let _daemon = device.start();
    told(&device, "s", "app/CLAUDE.md");
    assert_eq!(prompt(&device, "s", "app"), json!({}));
    told(&device, "s", "app/notes.md");
    assert_eq!(prompt(&device, "s", "app"), json!({}));
    let one = |name: &str| (name.to_owned(), Effect::NoOpinion);
    let both = [one("app/CLAUDE.md"), one("app/notes.md")];
    assert_eq!(verdicts(&device), both);
    told(&device, "s", "app/notes.md");
    assert_eq!(verdicts(&device).len(), 3);
}

#[test]
fn another_working_folder_is_looked_at_with_the_next_prompt() {
    let device = device();
    let _daemon = device.start();
    assert_eq!(prompt(&device, "s", "app"), json!({}));
    write(
        &device,
        "other/.claude/rules/deep/a.md",
        "---\npaths: x\n---\n@../../../../app/key.pem\n",
    );
    assert_eq!(prompt(&device, "s", "other")["decision"], "block");
    let last = verdicts(&device).pop();
    assert_eq!(last, Some(("app/key.pem".to_owned(), Effect::Deny)));
}

#[test]
fn instructions_that_cannot_be_looked_at_refuse_the_prompt_until_they_can() {
    let device = device();
    let _daemon = device.start();
    let loops = device.dir.join("app/CLAUDE.local.md");
    std::os::unix::fs::symlink("CLAUDE.local.md", &loops).unwrap();
    let answer = prompt(&device, "s", "app");
    assert_eq!(answer["decision"], "block");
    assert!(
        answer["reason"]
            .as_str()
            .unwrap()
            .contains("CLAUDE.local.md"),
        "{answer}"
    );
    assert_eq!(gates(&device), ["instructions"]);
    std::fs::remove_file(loops).unwrap();
    assert_eq!(prompt(&device, "s", "app"), json!({}));
}

/// Codex has no such files: an import in one is nothing to it.
#[test]
fn an_agent_without_such_files_is_not_asked_for_them() {
    let device = device();
    let _daemon = device.start();
    write(&device, "app/CLAUDE.md", "see @key.pem\n");
    let input = json!({
        "session_id": "s", "cwd": device.dir.join("app"), "prompt": "hi",
        "hook_event_name": "UserPromptSubmit",
    });
    let mut child = device.spawn_hook_with("UserPromptSubmit", &["--agent", "codex"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer, json!({}));
    assert!(verdicts(&device).is_empty());
}
