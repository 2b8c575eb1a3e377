//! What is to be decided: one tool call, frozen with every input that was resolved outside.
//!
//! Owns the request and the list of paths whose links the caller must resolve first. Does not read
//! the filesystem: a replay years later must see what the device saw.
//! Source: architecture sections 2 (step 2) and 4; `docs/formats`.

use crate::bash;
use crate::mcp::McpServer;
use crate::paths;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most paths a request may carry: a Bash line of 10,000 bytes cannot name more that matter.
pub const MAX_RESOLVED_PATHS: usize = 1_024;

/// Most links that the paths of rules lead through: each is held against every file that a call names.
pub const MAX_RULE_LINKS: usize = 64;

/// One tool call with everything that decides it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The tool's name as the agent says it, for example `Bash` or `mcp__github__get_issue`.
    pub tool: String,
    /// The tool's input object, as received.
    pub input: Value,
    /// Absolute working directory of the session.
    pub cwd: String,
    /// Absolute home directory of the user the agent runs as.
    pub home: String,
    /// Every path of [`paths_to_resolve`] that could be resolved.
    ///
    /// Trap: a path that is missing here is never allowed by a path rule, only denied.
    #[serde(default)]
    pub resolved: Vec<ResolvedPath>,
    /// Every link that a path of [`rule_paths`](crate::rule_paths) leads through.
    ///
    /// Trap: without it a rule whose path leads through a link holds for what is named or found below the
    /// link only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rule_links: Vec<RuleLink>,
    /// Whether a person can be asked; without one an `ask` is a deny.
    pub interactive: bool,
    /// The agent's permission mode as received; recorded, never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<String>,
    /// The MCP server behind the tool, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp: Option<McpCall>,
}

/// One path and where its links lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolvedPath {
    /// The path as [`paths_to_resolve`] listed it.
    pub given: String,
    /// The absolute path without `.` and `..`, links not followed.
    pub lexical: String,
    /// Where all links lead, or `None` where no component is a link.
    ///
    /// For a file that does not exist yet the nearest existing parent decides. A path whose links
    /// cannot be followed (a loop, no permission) must be left out of the request.
    pub target: Option<String>,
}

/// A link that the path of a deny or ask rule leads through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleLink {
    /// The link as rules name it: absolute, without `.` and `..`, links before it not followed.
    pub path: String,
    /// Where it leads, all links followed.
    pub target: String,
}

/// The MCP server and tool behind a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpCall {
    /// The server's configured name.
    pub server: String,
    /// The tool's name at that server.
    pub tool: String,
    /// Where the server's configuration came from, in the agent's words (an open set).
    pub source: String,
    /// What the server runs or connects to, where the caller found its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<McpServer>,
}

impl Request {
    /// The shell line of a `Bash` or `Monitor` call.
    pub(crate) fn command(&self) -> Option<&str> {
        command_of(&self.tool, &self.input)
    }

    /// The file path of a file tool's call, absolute and without `.` and `..`.
    pub(crate) fn file_path(&self) -> Option<String> {
        file_of(&self.tool, &self.input).map(|path| paths::absolute(path, &self.cwd, &self.home))
    }

    /// Whether the tool itself only reads files. A shell never counts, whatever its line says.
    pub(crate) fn only_reads(&self) -> bool {
        matches!(self.tool.as_str(), "Read" | "Grep" | "Glob" | "LS")
    }

    /// The recorded resolution of an absolute lexical path.
    pub(crate) fn resolution(&self, lexical: &str) -> Option<&ResolvedPath> {
        self.resolved.iter().find(|path| path.lexical == lexical)
    }
}

/// The absolute lexical paths whose links the caller must resolve before deciding.
///
/// Covers the file tools and every file a Bash line names to a program that reads or writes files,
/// redirections included. At most [`MAX_RESOLVED_PATHS`]; what is left out is never allowed.
pub fn paths_to_resolve(tool: &str, input: &Value, cwd: &str, home: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(path) = file_of(tool, input) {
        found.push(paths::absolute(path, cwd, home));
    }
    if let Some(command) = command_of(tool, input) {
        found.extend(bash::file_paths(command, cwd, home));
    }
    found.sort_unstable();
    found.dedup();
    found.truncate(MAX_RESOLVED_PATHS);
    found
}

fn command_of<'a>(tool: &str, input: &'a Value) -> Option<&'a str> {
    match tool {
        "Bash" | "Monitor" => input.get("command").and_then(Value::as_str),
        _ => None,
    }
}

fn file_of<'a>(tool: &str, input: &'a Value) -> Option<&'a str> {
    let member = match tool {
        "Read" | "Edit" | "Write" | "MultiEdit" => "file_path",
        "NotebookEdit" => "notebook_path",
        "Grep" | "Glob" | "LS" => "path",
        _ => return None,
    };
    input.get(member).and_then(Value::as_str)
}
