//! Where a session works, and where one of its calls runs.
//!
//! Owns keeping the two apart for agents whose calls name a directory of their own. Rules are anchored at the
//! session's: a call that could move the anchor could step around every rule that has one. Relative paths
//! of a command are those of the call's own directory, which the judged command therefore begins with.

use super::payload::{Hook, HookKind};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Most sessions whose directory is remembered: far more than run at once; the oldest is forgotten first.
const SESSIONS_MAX: usize = 4_096;

/// The directories of sessions.
#[derive(Debug, Default)]
pub(super) struct Directories(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_session: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Directories {
    /// Notes where a session works, and settles where the call of a hook is judged.
    ///
    /// A session that began before this daemon is not known until its next prompt; its calls are judged
    /// where they run.
    pub(super) fn settle(&self, hook: &mut Hook) {
        let begins = matches!(
            hook.kind,
            HookKind::SessionStart { .. } | HookKind::Prompt { .. }
        );
        if begins && hook.subagent.is_none() {
            self.note(&hook.session, &hook.cwd);
        }
        let Some(own) = hook.own_directory.take() else {
            return;
        };
        if let Some(session) = self.of(&hook.session) {
            hook.cwd = session;
        }
        if own != hook.cwd {
            match &mut hook.kind {
                HookKind::Tool { call, .. } => begin_with(&call.tool, &mut call.input, &own),
                HookKind::Outcome {
                    tool,
                    input: Some(input),
                    ..
                } => begin_with(tool, input, &own),
                _ => {}
            }
        }
    }

    fn note(&self, session: &str, directory: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known
            .by_session
            .insert(session.to_owned(), directory.to_owned());
        if before.is_none() {
            known.order.push_back(session.to_owned());
        }
        while known.order.len() > SESSIONS_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.by_session.remove(&oldest);
            }
        }
    }

    fn of(&self, session: &str) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.by_session.get(session).cloned()
    }
}

/// Puts the change into a directory before a command.
fn begin_with(tool: &str, input: &mut Value, directory: &str) {
    if tool != "Bash" {
        return;
    }
    if let Some(Value::String(command)) = input.get_mut("command") {
        let quoted = directory.replace('\'', r"'\''");
        *command = format!("cd '{quoted}'\n{command}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::agent::{CODEX, agent};
    use super::*;
    use serde_json::json;

    fn read(event: &str, cwd: &str, more: Value) -> Hook {
        let mut input = json!({ "session_id": "s", "cwd": cwd, "hook_event_name": event });
        let members = input.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let codex = agent(Some(CODEX)).unwrap();
        codex.read(event, input.to_string().as_bytes()).unwrap()
    }

    fn settled(directories: &Directories, tool: &str, cwd: &str, input: Value) -> (String, Value) {
        let more = json!({ "tool_name": tool, "tool_input": input, "tool_use_id": "call_0" });
        let mut hook = read("PreToolUse", cwd, more);
        directories.settle(&mut hook);
        let HookKind::Tool { call, .. } = hook.kind else {
            panic!("a call");
        };
        (hook.cwd, call.input)
    }

    #[test]
    fn rules_are_anchored_where_the_session_works() {
        let directories = Directories::default();
        let command = || json!({ "command": "cat id" });
        let (cwd, input) = settled(&directories, "Bash", "/h/.ssh", command());
        assert_eq!(
            (cwd.as_str(), input),
            ("/h/.ssh", command()),
            "not known yet"
        );
        directories.settle(&mut read(
            "SessionStart",
            "/w/app",
            json!({ "source": "startup" }),
        ));
        let (cwd, input) = settled(&directories, "Bash", "/h/it's", command());
        assert_eq!(cwd, "/w/app");
        assert_eq!(input["command"], "cd '/h/it'\\''s'\ncat id");
        let (_, input) = settled(&directories, "Bash", "/w/app", command());
        assert_eq!(input, command());
        let (cwd, input) = settled(&directories, "view_image", "/h", json!({ "path": "p.png" }));
        assert_eq!(
            (cwd.as_str(), &input["file_path"]),
            ("/w/app", &json!("/h/p.png"))
        );
        // A subagent does not move the anchor.
        let below = json!({ "prompt": "x", "agent_id": "a" });
        directories.settle(&mut read("UserPromptSubmit", "/", below));
        assert_eq!(settled(&directories, "Bash", "/", command()).0, "/w/app");
    }
}
