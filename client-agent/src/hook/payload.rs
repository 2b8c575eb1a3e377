//! The vendor's JSON: strictly read into what Cairn needs of each event.
//!
//! Owns the shape of Claude Code's hook inputs (2.1.330), which Codex has taken over. The text is
//! attacker-influenced: what two readers could understand differently is refused as a whole. Unknown
//! members are ignored, because vendors add some in every release. What the tools of an agent are called
//! is not its business (`super::agent`).
//!
//! Source: Claude Code findings 1.1.

use cairn_event::json::{self, JsonError, Numbers};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest hook input in bytes: the shim's limit.
pub const INPUT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One hook's input.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// The event's word.
    pub event: String,
    /// The agent's session identifier.
    pub session: String,
    /// Working directory of the session.
    pub cwd: String,
    /// The directory in which the call runs, for an agent whose calls name one.
    pub own_directory: Option<String>,
    /// The agent's permission mode, where it says.
    pub permission_mode: Option<String>,
    /// The subagent, where one asks.
    pub subagent: Option<String>,
    /// What the event is about.
    pub kind: HookKind,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum HookKind {
    /// A session began.
    SessionStart {
        /// How.
        source: String,
    },
    /// A session ended.
    SessionEnd {
        /// Why.
        reason: String,
    },
    /// A person prompted.
    Prompt {
        /// The text.
        prompt: String,
        /// The agent's identifier of it.
        prompt_id: Option<String>,
    },
    /// A tool is about to be used.
    Tool {
        /// The call.
        call: ToolCall,
        /// What it does besides: one call of an agent may change several files.
        beside: Beside,
        /// The agent's identifier of the call.
        use_id: String,
    },
    /// A person is about to be asked for permission.
    Permission {
        /// The call.
        call: ToolCall,
    },
    /// A tool was used.
    Outcome {
        /// Its name.
        tool: String,
        /// The agent's identifier of the call.
        use_id: String,
        /// Whether it worked.
        end: End,
        /// How long it ran.
        duration_ms: Option<u64>,
        /// The input it ran with, where the agent says.
        input: Option<Value>,
        /// What it did besides.
        beside: Beside,
        /// What it answered, or the error.
        response: Value,
    },
    /// The agent, or the subagent of [`Hook::subagent`], stopped.
    TurnEnd {
        /// The agent's identifier of the prompt, where it gives one.
        prompt_id: Option<String>,
        /// The subagent's kind.
        subagent_type: Option<String>,
        /// Whether it stopped because of an error.
        failed: bool,
        /// Its last message, or the error.
        message: Option<String>,
    },
    /// A slash command or skill that a person typed is about to be expanded into a prompt.
    Expansion {
        /// Its name, for example `deploy` or `plugin:deploy`.
        name: String,
        /// What was typed after it.
        arguments: String,
        /// Where it was configured, in the agent's words, where it says.
        source: Option<String>,
    },
    /// A file of instructions, or one it imports, was read into the session.
    Instructions {
        /// The file.
        file: String,
    },
    /// Settings changed on disk and are about to take effect.
    Config {
        /// Which settings, in the agent's words.
        source: String,
        /// The file, where there is one.
        file: Option<String>,
    },
    /// Something that is neither gated nor recorded.
    Other,
}

/// What a call does besides, each of which is judged for itself; or why that cannot be said, which denies
/// the call.
pub type Beside = Result<Vec<ToolCall>, String>;

/// How a tool's use ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It worked.
    Ran,
    /// It failed.
    Failed,
    /// The person interrupted it.
    Interrupted,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The tool's name.
    pub tool: String,
    /// Its input object.
    pub input: Value,
    /// The MCP server behind it: name and where it was configured.
    pub mcp: Option<McpOrigin>,
}

/// The MCP server behind a tool.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct McpOrigin {
    /// The configured name.
    pub name: String,
    /// Where it was configured.
    pub source: String,
}

/// Why an input was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Longer than [`INPUT_BYTES_MAX`].
    #[error("hook input of {0} bytes is longer than {INPUT_BYTES_MAX}")]
    TooLong(usize),
    /// Not JSON with one meaning.
    #[error("hook input: {0}")]
    Json(#[from] JsonError),
    /// Not an object.
    #[error("hook input is not an object")]
    NotAnObject,
    /// A member is absent or of another type.
    #[error("hook input has no usable `{0}`")]
    Member(&'static str),
    /// The input is for another event than the hook was called for.
    #[error("hook was called for `{called}`, its input says `{says}`")]
    OtherEvent {
        /// The hook's own word.
        called: String,
        /// The input's word.
        says: String,
    },
}

impl Hook {
    /// Reads the input of a hook that was called for `event`.
    ///
    /// Errors: [`PayloadError`]; a gated action is denied.
    pub fn parse(event: &str, bytes: &[u8]) -> Result<Self, PayloadError> {
        if bytes.len() > INPUT_BYTES_MAX {
            return Err(PayloadError::TooLong(bytes.len()));
        }
        let Value::Object(members) = json::parse(bytes, Numbers::Any)? else {
            return Err(PayloadError::NotAnObject);
        };
        let says = text(&members, "hook_event_name")?;
        if says != event {
            return Err(PayloadError::OtherEvent {
                called: event.to_owned(),
                says,
            });
        }
        let cwd = text(&members, "cwd")?;
        if !cwd.starts_with('/') {
            return Err(PayloadError::Member("cwd"));
        }
        Ok(Self {
            session: identifier(&members, "session_id")?,
            cwd,
            own_directory: None,
            permission_mode: optional(&members, "permission_mode")?,
            subagent: optional(&members, "agent_id")?,
            kind: kind(event, members)?,
            event: says,
        })
    }
}

fn kind(event: &str, mut members: Map<String, Value>) -> Result<HookKind, PayloadError> {
    Ok(match event {
        "SessionStart" => HookKind::SessionStart {
            source: text(&members, "source")?,
        },
        "SessionEnd" => HookKind::SessionEnd {
            reason: text(&members, "reason")?,
        },
        "UserPromptSubmit" => HookKind::Prompt {
            prompt: text(&members, "prompt")?,
            prompt_id: optional(&members, "prompt_id")?,
        },
        "PreToolUse" => {
            let use_id = identifier(&members, "tool_use_id")?;
            HookKind::Tool {
                call: call(&mut members)?,
                beside: Ok(Vec::new()),
                use_id,
            }
        }
        "PermissionRequest" => HookKind::Permission {
            call: call(&mut members)?,
        },
        "UserPromptExpansion" => HookKind::Expansion {
            name: text(&members, "command_name")?,
            arguments: optional(&members, "command_args")?.unwrap_or_default(),
            source: optional(&members, "command_source")?,
        },
        "InstructionsLoaded" => HookKind::Instructions {
            file: text(&members, "file_path")?,
        },
        "ConfigChange" => HookKind::Config {
            source: text(&members, "source")?,
            file: optional(&members, "file_path")?,
        },
        "PostToolUse" => outcome(&mut members, End::Ran, "tool_response")?,
        "PostToolUseFailure" => {
            let interrupted = members.get("is_interrupt").and_then(Value::as_bool) == Some(true);
            let end = if interrupted {
                End::Interrupted
            } else {
                End::Failed
            };
            outcome(&mut members, end, "error")?
        }
        "Stop" | "SubagentStop" => turn_end(&members, None)?,
        "StopFailure" => turn_end(&members, Some("error"))?,
        _ => HookKind::Other,
    })
}

fn turn_end(
    members: &Map<String, Value>,
    error: Option<&'static str>,
) -> Result<HookKind, PayloadError> {
    let message = error.unwrap_or("last_assistant_message");
    Ok(HookKind::TurnEnd {
        prompt_id: optional(members, "prompt_id")?,
        subagent_type: optional(members, "agent_type")?,
        failed: error.is_some(),
        message: optional(members, message)?,
    })
}

fn call(members: &mut Map<String, Value>) -> Result<ToolCall, PayloadError> {
    let tool = identifier(members, "tool_name")?;
    let input = members.remove("tool_input").filter(Value::is_object);
    let input = input.ok_or(PayloadError::Member("tool_input"))?;
    let mcp = match members.remove("mcp_server") {
        None | Some(Value::Null) => None,
        Some(origin) => {
            let read = serde_json::from_value(origin);
            Some(read.map_err(|_| PayloadError::Member("mcp_server"))?)
        }
    };
    Ok(ToolCall { tool, input, mcp })
}

fn outcome(
    members: &mut Map<String, Value>,
    end: End,
    response: &str,
) -> Result<HookKind, PayloadError> {
    Ok(HookKind::Outcome {
        tool: identifier(members, "tool_name")?,
        use_id: identifier(members, "tool_use_id")?,
        end,
        duration_ms: members.get("duration_ms").and_then(Value::as_u64),
        input: members.remove("tool_input"),
        beside: Ok(Vec::new()),
        response: members.remove(response).unwrap_or(Value::Null),
    })
}

fn text(members: &Map<String, Value>, name: &'static str) -> Result<String, PayloadError> {
    let text = members.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or(PayloadError::Member(name))
}

fn optional(
    members: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, PayloadError> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(PayloadError::Member(name)),
    }
}

/// A word that goes into the clear part of an entry.
fn identifier(members: &Map<String, Value>, name: &'static str) -> Result<String, PayloadError> {
    let word = text(members, name)?;
    let plain = !word.is_empty()
        && word.len() <= cairn_event::limits::MAX_ID_BYTES
        && !word
            .chars()
            .any(|letter| letter.is_control() || letter.is_whitespace());
    if plain {
        Ok(word)
    } else {
        Err(PayloadError::Member(name))
    }
}

#[cfg(test)]
mod tests;
