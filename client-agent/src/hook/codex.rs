//! Codex: its hooks in the words of Cairn, and a verdict in its own.
//!
//! Owns the tools of Codex 0.169.0 under the names that policy rules use, and the output contract of its
//! hooks, which is narrower than Claude Code's of the same shape: an answer with `allow`, `ask` or
//! `"continue": false` before a tool runs is invalid to Codex, and after an invalid answer the tool runs.
//! So an allowed call is answered by an empty object, and a question, which Codex lets no hook ask, is a
//! denial.
//!
//! Source: observed with Codex 0.169.0 by `tests/codex`; `docs/operating/codex.md`.

mod patch;

use super::agent::{Agent, CODEX};
use super::answer::reason;
use super::payload::{Beside, Hook, HookKind, PayloadError, ToolCall};
use super::{Answer, Gate};
use cairn_event::Effect;
use patch::{Change, PatchError};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Codex.
#[derive(Clone, Copy, Debug)]
pub struct Codex;

impl Agent for Codex {
    fn name(&self) -> &'static str {
        CODEX
    }

    fn gate(&self, event: &str) -> Gate {
        match event {
            "PreToolUse" => Gate::Tool,
            "UserPromptSubmit" => Gate::Prompt,
            _ => Gate::None,
        }
    }

    fn read(&self, event: &str, input: &[u8]) -> Result<Hook, PayloadError> {
        let mut hook = Hook::parse(event, input)?;
        if matches!(hook.kind, HookKind::Tool { .. } | HookKind::Outcome { .. }) {
            // Codex tells the directory that the call itself names.
            hook.own_directory = Some(hook.cwd.clone());
        }
        match &mut hook.kind {
            HookKind::Tool { call, beside, .. } => {
                (*call, *beside) = translated(call, &hook.cwd)?;
            }
            HookKind::Outcome {
                tool,
                input: Some(input),
                beside,
                ..
            } => {
                let said = ToolCall {
                    tool: tool.clone(),
                    input: input.clone(),
                    mcp: None,
                };
                let (call, files) = translated(&said, &hook.cwd)?;
                (*tool, *input, *beside) = (call.tool, call.input, files);
            }
            // The other events of this shape are not hooked, or are Claude Code's alone.
            HookKind::SessionStart { .. }
            | HookKind::SessionEnd { .. }
            | HookKind::Prompt { .. }
            | HookKind::TurnEnd { .. }
            | HookKind::Outcome { .. } => {}
            _ => hook.kind = HookKind::Other,
        }
        Ok(hook)
    }

    fn verdict(&self, gate: Gate, effect: Effect, sentence: &str) -> Answer {
        match (gate, effect) {
            (Gate::Tool, Effect::Deny | Effect::Ask) => self.stop(sentence),
            (Gate::Prompt, Effect::Deny | Effect::Ask) => {
                Answer::json(&json!({ "decision": "block", "reason": reason(sentence) }))
            }
            (Gate::Tool | Gate::Prompt, Effect::Allow | Effect::NoOpinion) => {
                Answer::json(&json!({}))
            }
            // Nothing else gates anything here.
            _ => Answer::silent(),
        }
    }

    fn stop(&self, sentence: &str) -> Answer {
        Answer::json(&json!({ "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason(sentence),
        } }))
    }

    /// The reason takes the place of the result; the turn goes on, and its next call is denied.
    fn end(&self, sentence: &str) -> Answer {
        Answer::json(&json!({ "decision": "block", "reason": reason(sentence) }))
    }

    /// `@file` is only a name to the model, which then has to read the file by a call.
    fn reads_mentions(&self) -> bool {
        false
    }

    /// It has `AGENTS.md`, of which its hooks say nothing.
    fn reads_instructions(&self) -> bool {
        false
    }

    /// A hook whose shell is killed, or that does not end in time, counts as one that has no opinion.
    fn lets_failed_hooks_pass(&self) -> bool {
        true
    }
}

/// A call in the words of policy rules, with the files that it changes besides.
fn translated(said: &ToolCall, cwd: &str) -> Result<(ToolCall, Beside), PayloadError> {
    let word = |name: &'static str| {
        let word = said.input.get(name).and_then(Value::as_str);
        word.ok_or(PayloadError::Member(name))
    };
    let alone = |tool: &str, input: Value| Ok((call(tool, input), Ok(Vec::new())));
    match said.tool.as_str() {
        "apply_patch" => {
            let text = word("command")?;
            let files = patch::changes(text);
            let Ok([first, others @ ..]) = files.as_deref() else {
                return Ok((said.clone(), besides(files, cwd)));
            };
            let mut judged = changed(first, cwd);
            if let Some(members) = judged.input.as_object_mut() {
                members.insert("patch".to_owned(), Value::from(text));
            }
            Ok((judged, besides(Ok(others.to_vec()), cwd)))
        }
        // Codex looks for a patch in shell commands, and applies one itself instead of running it.
        "Bash" => {
            let files = patch::in_command(word("command")?);
            Ok((said.clone(), besides(files, cwd)))
        }
        "view_image" => alone("Read", json!({ "file_path": absolute(word("path")?, cwd) })),
        "read_mcp_resource" => {
            let (server, uri) = (word("server")?, word("uri")?);
            alone(
                &format!("mcp__{server}__read_resource"),
                json!({ "uri": uri }),
            )
        }
        "spawn_agent" => {
            let mut input: Map<String, Value> = said.input.as_object().cloned().unwrap_or_default();
            if let Some(kind) = input.remove("agent_type") {
                input.insert("subagent_type".to_owned(), kind);
            }
            alone("Agent", Value::Object(input))
        }
        _ => Ok((said.clone(), Ok(Vec::new()))),
    }
}

fn besides(files: Result<Vec<Change>, PatchError>, cwd: &str) -> Beside {
    let files = files.map_err(|error| error.to_string())?;
    Ok(files.iter().map(|change| changed(change, cwd)).collect())
}

fn changed(change: &Change, cwd: &str) -> ToolCall {
    let (tool, path) = match change {
        Change::Write(path) => ("Write", path),
        Change::Edit(path) => ("Edit", path),
    };
    call(tool, json!({ "file_path": absolute(path, cwd) }))
}

/// Codex takes a path as it is, without a meaning for `~`.
fn absolute(path: &str, cwd: &str) -> String {
    Path::new(cwd).join(path).to_string_lossy().into_owned()
}

fn call(tool: &str, input: Value) -> ToolCall {
    ToolCall {
        tool: tool.to_owned(),
        input,
        mcp: None,
    }
}

#[cfg(test)]
mod tests;
