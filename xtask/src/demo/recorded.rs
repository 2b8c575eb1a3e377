//! The fallback without Claude Code: hook payloads of its recorded form through the real hook.
//!
//! It owns the payloads' outer members, as Claude Code 2.1.330 was seen to send them. Nothing runs
//! here: only the decisions and their records are shown.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::demo::errand::{Attempt, Outcome, Tools};
use crate::demo::scene::Scene;

/// The daemon's socket below its state folder.
const SOCKET: &str = "daemon.sock";

/// Asks the hook about each attempt, as Claude Code would before acting.
///
/// # Errors
/// The hook cannot be started.
pub fn run(tools: &Tools, scene: &Scene, state: &Path, attempts: &[Attempt]) -> Result<Outcome> {
    let mut told = BTreeMap::new();
    let mut printed = String::new();
    for attempt in attempts {
        let payload = json!({
            "session_id": "00000000-0000-4000-8000-00000000demo",
            "transcript_path": scene.home.join("transcript.jsonl"),
            "cwd": scene.project,
            "permission_mode": "default",
            "hook_event_name": "PreToolUse",
            "tool_name": attempt.tool,
            "tool_input": attempt.input,
            "tool_use_id": attempt.use_id,
        });
        let answer = ask(tools, scene, state, &payload)?;
        printed.push_str(&answer);
        let reason = serde_json::from_str::<Value>(&answer).ok();
        let reason = reason.and_then(|answer| {
            let said = &answer["hookSpecificOutput"];
            let denied = said["permissionDecision"] == "deny";
            denied.then(|| {
                said["permissionDecisionReason"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
        });
        told.insert(attempt.use_id.clone(), reason.unwrap_or_default());
    }
    Ok(Outcome {
        success: true,
        sent: printed.clone(),
        printed,
        told,
    })
}

fn ask(tools: &Tools, scene: &Scene, state: &Path, payload: &Value) -> Result<String> {
    let mut child = Command::new(tools.cairn.with_file_name("cairn-hook"))
        .args(["PreToolUse", "--socket"])
        .arg(state.join(SOCKET))
        .current_dir(&scene.project)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start `cairn-hook`")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(payload.to_string().as_bytes())?;
    }
    Ok(String::from_utf8_lossy(&child.wait_with_output()?.stdout).into_owned())
}
