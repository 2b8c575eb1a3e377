//! The real program's verdicts: one run of Claude Code that tries every call of a sheet.
//!
//! It owns the script the model answers with, and the reading of what the model was told. Nothing a call
//! names is run: the shell of the run is a program that does nothing.
//!
//! Source: Claude Code's own environment variables; observed answers of version 2.1.330.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::grammar::Sheet;
use super::offer::Offer;
use super::scene::Scene;
use super::tools;
use crate::demo::errand::tool_results;
use crate::demo::live::Live;

/// A proxy that takes no connection.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Longest run in seconds: a sheet takes under ten on an idle machine.
const LONGEST_RUN: &str = "240";

/// Answers that are a refusal by rule; any other error is a question nobody was there to answer.
const DENIALS: &[&str] = &[
    "has been denied",
    "denied by your permission settings",
    "covered by a Read deny rule",
    "denied access to",
    "No such tool available",
    "is disabled for this session",
];

/// The answer for an MCP tool that is not there: a rule removed it, or its server is still starting.
const NO_MCP_TOOL: &str = "No such tool available: mcp__";

/// Answers that say nothing about permissions.
const NO_VERDICT: &[&str] = &[
    "InputValidationError",
    "has not been read yet",
    "EISDIR",
    "Unable to verify if domain",
    "WebFetch cannot fetch",
    "Invalid URL",
    "it is a symbolic link",
    "File does not exist",
];

/// What a fetch ends with that was allowed: nothing listens where it is sent.
const NOT_REACHED: &str = "ECONNREFUSED";

/// How long the program waits for MCP servers before the first turn, in milliseconds.
const SERVERS_START_MS: &str = "60000";

/// What the program did with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// `allow`, `ask` or `deny`; absent where the answer is about something else.
    pub effective: Option<&'static str>,
    /// What the model was told.
    pub told: String,
}

/// Where the programs of a run are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The real Claude Code.
    pub claude: PathBuf,
    /// Python, for the model's script.
    pub python: PathBuf,
    /// The script that answers for the model.
    pub model: PathBuf,
    /// The MCP server whose tools do nothing.
    pub server: PathBuf,
}

impl Scene {
    /// Lets the real program judge every call of a sheet.
    ///
    /// # Errors
    /// The program cannot be started, fails as a whole, or leaves a call without an answer.
    pub fn ask(&self, programs: &Programs, sheet: &Sheet) -> Result<Vec<Observed>> {
        let (script, requests) = (
            self.root().join("script.json"),
            self.root().join("requests"),
        );
        let calls: Vec<Value> = sheet
            .calls
            .iter()
            .enumerate()
            .map(|(at, (tool, input))| {
                json!({"type": "tool_use", "id": use_id(at), "name": tool,
                       "input": self.input(tool, input)})
            })
            .collect();
        let mut turns = vec![json!(calls), json!("That was all.")];
        let readings = self.readings(sheet);
        if !readings.is_empty() {
            turns.insert(0, json!(readings));
        }
        fs::write(&script, json!(turns).to_string())?;
        fs::write(&requests, "")?;
        let mut model = Live::start(
            "the model's script",
            Command::new(&programs.python)
                .arg(&programs.model)
                .args(["--port", "0", "--script"])
                .arg(&script)
                .arg("--log")
                .arg(&requests),
            &self.root().join("diagnostics"),
        )?;
        let output = self.claude(programs, sheet, model.first_line()).output();
        model.stop();
        let output = output.context("cannot start Claude Code")?;
        let sent = fs::read_to_string(&requests)?;
        let told = tool_results(&sent);
        if told.is_empty() && !sheet.calls.is_empty() {
            bail!(
                "Claude Code judged nothing: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let offer = Offer::read(&sent, USE_ID, &self.listings(), tools::SERVERS);
        let calls = sheet.calls.iter().enumerate();
        calls
            .map(|(at, (tool, _))| {
                let told = told.get(&use_id(at));
                told.map(|(failed, text)| judge(*failed, text, offer.lacks(tool)))
                    .with_context(|| format!("call {at} has no answer"))
            })
            .collect()
    }

    /// Reads of what is edited later: a file that was not read cannot be.
    fn readings(&self, sheet: &Sheet) -> Vec<Value> {
        let edited = sheet
            .calls
            .iter()
            .filter(|(tool, _)| tool.ends_with("Edit"));
        let mut files: Vec<Value> = edited
            .map(|(tool, input)| self.input(tool, input))
            .map(|input| match &input["file_path"] {
                Value::Null => input["notebook_path"].clone(),
                file => file.clone(),
            })
            .collect();
        files.sort_by_key(Value::to_string);
        files.dedup();
        let reading = |(at, file): (usize, Value)| {
            json!({"type": "tool_use", "id": format!("toolu_reading_{at:06}"), "name": "Read",
                   "input": { "file_path": file }})
        };
        files.into_iter().enumerate().map(reading).collect()
    }

    /// Every MCP server of the generated calls.
    fn servers(&self, programs: &Programs) -> Value {
        let server = |name: &&str| {
            let script = programs.server.display().to_string();
            let listing = self.listings().join(name).display().to_string();
            let tools = tools::MCP_TOOLS.iter().map(|tool| (*tool).to_owned());
            let own = [script, "--listed".to_owned(), listing];
            let arguments: Vec<String> = own.into_iter().chain(tools).collect();
            let definition = json!({ "command": programs.python, "args": arguments });
            ((*name).to_owned(), definition)
        };
        let servers: serde_json::Map<String, Value> = tools::SERVERS.iter().map(server).collect();
        json!({ "mcpServers": servers })
    }

    fn claude(&self, programs: &Programs, sheet: &Sheet, port: &str) -> Command {
        // Without the question to a server whether a host is safe, which nothing answers here.
        let settings =
            json!({ "permissions": self.permissions(sheet), "skipWebFetchPreflight": true });
        let mut command = Command::new("timeout");
        command
            .args(["-k", "5", LONGEST_RUN])
            .arg(&programs.claude)
            .args([
                "-p",
                "Please work through the list.",
                "--output-format",
                "json",
            ])
            .args(["--settings", &settings.to_string()])
            .args(["--strict-mcp-config", "--mcp-config"])
            .arg(self.servers(programs).to_string())
            .current_dir(self.project())
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("CLAUDE_CONFIG_DIR", self.home().join(".claude"))
            .env("TERM", "xterm")
            .env("MCP_CONNECTION_NONBLOCKING", "0")
            .env("MCP_CONNECT_TIMEOUT_MS", SERVERS_START_MS)
            .env("MCP_TIMEOUT", SERVERS_START_MS)
            // Fetches go nowhere: nothing listens on the discard port.
            .env("HTTPS_PROXY", NOWHERE)
            .env("HTTP_PROXY", NOWHERE)
            .env("NO_PROXY", "127.0.0.1")
            .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{port}"))
            .env("ANTHROPIC_API_KEY", "sk-conformance-not-a-key")
            .env("CLAUDE_CODE_SHELL_PREFIX", self.root().join("shell"))
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1");
        command
    }
}

/// What the identifier of every call of a sheet begins with.
const USE_ID: &str = "toolu_conformance_";

fn use_id(at: usize) -> String {
    format!("{USE_ID}{at:06}")
}

/// Reads an answer as a verdict; `removed` tells whether the tool was taken from a server that had it.
fn judge(failed: bool, told: &str, removed: bool) -> Observed {
    let says = |list: &[&str]| list.iter().any(|text| told.contains(text));
    let effective = match failed {
        false => Some("allow"),
        true if told.contains(NOT_REACHED) => Some("allow"),
        true if told.contains(NO_MCP_TOOL) && !removed => None,
        true if says(NO_VERDICT) => None,
        true if says(DENIALS) => Some("deny"),
        true => Some("ask"),
    };
    Observed {
        effective,
        told: told.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_verdicts() {
        let verdict = |failed, text: &str| judge(failed, text, false).effective;
        assert_eq!(verdict(false, "anything"), Some("allow"));
        let denied = "Permission to use Bash with command rm x has been denied.";
        assert_eq!(verdict(true, denied), Some("deny"));
        assert_eq!(verdict(true, "This command requires approval"), Some("ask"));
        assert_eq!(verdict(true, "InputValidationError: x"), None);
        let missing = |tool| verdict(true, &format!("Error: No such tool available: {tool}"));
        assert_eq!(
            (missing("Write"), missing("mcp__a__b")),
            (Some("deny"), None)
        );
        let removed = judge(true, "Error: No such tool available: mcp__a__b", true);
        assert_eq!(removed.effective, Some("deny"));
    }
}
