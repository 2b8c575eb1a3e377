//! What the model tries in the demo: one tool call a turn, and how Claude Code is run on it.
//!
//! The model API is a local script, so nothing leaves the machine; Claude Code and Cairn are real.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::demo::live::Live;
use crate::demo::scene::Scene;

/// One tool call of the model.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Identifier that the records carry, `toolu_demo_` and a name.
    pub use_id: String,
    /// Tool name.
    pub tool: &'static str,
    /// Tool input.
    pub input: Value,
}

impl Attempt {
    /// A Bash call.
    #[must_use]
    pub fn bash(name: &str, command: &str) -> Self {
        Self::new(
            name,
            "Bash",
            json!({ "command": command, "description": name }),
        )
    }

    /// Any call.
    #[must_use]
    pub fn new(name: &str, tool: &'static str, input: Value) -> Self {
        Self {
            use_id: format!("toolu_demo_{name}"),
            tool,
            input,
        }
    }
}

/// What came back from one run of Claude Code.
#[derive(Debug)]
pub struct Outcome {
    /// Whether it ended with exit code 0.
    pub success: bool,
    /// Everything it printed, standard error included.
    pub printed: String,
    /// By `use_id`: what the model was told.
    pub told: BTreeMap<String, String>,
    /// Everything that was sent to the model.
    pub sent: String,
}

/// What the person asks for when the model has a list to work through.
pub const PROMPT: &str = "Please work through the list.";

/// Where the programs of a run are.
#[derive(Clone, Debug)]
pub struct Tools {
    /// `cairn`.
    pub cairn: PathBuf,
    /// The real Claude Code.
    pub claude: PathBuf,
    /// Python, for the model's script.
    pub python: PathBuf,
    /// The script that answers for the model.
    pub model: PathBuf,
}

/// Runs `cairn claude -p …` in the scene while the model tries `attempts`, one after the other.
///
/// # Errors
/// The model's script or `cairn` cannot be started. A denied call is no error.
pub fn run(
    tools: &Tools,
    scene: &Scene,
    state: &Path,
    prompt: &str,
    attempts: &[Attempt],
) -> Result<Outcome> {
    let folder = scene.home.join("model");
    fs::create_dir_all(&folder)?;
    let turns: Vec<Value> = attempts
        .iter()
        .map(|attempt| {
            json!([{ "type": "tool_use", "id": attempt.use_id, "name": attempt.tool,
                     "input": attempt.input }])
        })
        .chain([json!("I tried everything on the list.")])
        .collect();
    let (script, requests) = (folder.join("script.json"), folder.join("requests.jsonl"));
    fs::write(&script, Value::Array(turns).to_string())?;
    fs::write(&requests, "")?;
    let mut model = Live::start(
        "the model's script",
        Command::new(&tools.python)
            .arg(&tools.model)
            .args(["--port", "0", "--script"])
            .arg(&script)
            .arg("--log")
            .arg(&requests),
        &folder.join("diagnostics.txt"),
    )?;
    let output = claude(tools, scene, state, prompt, model.first_line()).output();
    model.stop();
    let output = output.context("cannot start `cairn`")?;
    let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed.push_str(&String::from_utf8_lossy(&output.stderr));
    let sent = fs::read_to_string(&requests)?;
    let told = tool_results(&sent)
        .into_iter()
        .map(|(id, (_, text))| (id, text))
        .collect();
    Ok(Outcome {
        success: output.status.success(),
        printed,
        told,
        sent,
    })
}

fn claude(tools: &Tools, scene: &Scene, state: &Path, prompt: &str, port: &str) -> Command {
    let mut command = developer(tools, scene, state);
    command
        .args(["claude", "-p", prompt, "--output-format", "json"])
        .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{port}"))
        .env("ANTHROPIC_API_KEY", "sk-demo-not-a-key")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1");
    command
}

/// `cairn` as the developer of the scene would run it: their home, their `PATH`, nothing else.
#[must_use]
pub fn developer(tools: &Tools, scene: &Scene, state: &Path) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(&tools.cairn);
    command
        .current_dir(&scene.project)
        .env_clear()
        .env("PATH", format!("{}:{path}", scene.programs.display()))
        .env("HOME", &scene.home)
        .env("USER", "ann")
        .env("TERM", "xterm")
        .env("CAIRN_HOME", state)
        .env("CAIRN_CLAUDE", &tools.claude)
        .env("CLAUDE_CONFIG_DIR", scene.home.join(".claude"));
    command
}

/// Reads what the model was told for each call, and whether as an error, from the requests that reached
/// its script.
#[must_use]
pub fn tool_results(requests: &str) -> BTreeMap<String, (bool, String)> {
    let mut told = BTreeMap::new();
    for line in requests.lines() {
        let Ok(request) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let messages = request["body"]["messages"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for block in messages
            .iter()
            .filter_map(|message| message["content"].as_array())
            .flatten()
        {
            if block["type"] == "tool_result"
                && let Some(id) = block["tool_use_id"].as_str()
            {
                let content = match &block["content"] {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let failed = block["is_error"] == true;
                told.insert(id.to_owned(), (failed, content));
            }
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_model_was_told_is_read_from_its_requests() {
        let request = json!({ "body": { "messages": [
            { "role": "user", "content": "go" },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "toolu_demo_a", "content": "denied",
                  "is_error": true },
                { "type": "tool_result", "tool_use_id": "toolu_demo_b",
                  "content": [{ "type": "text", "text": "ran" }] }
            ] }
        ] } });
        let told = tool_results(&format!("{request}\nnot json\n"));
        assert_eq!(told["toolu_demo_a"], (true, "denied".to_owned()));
        assert!(!told["toolu_demo_b"].0 && told["toolu_demo_b"].1.contains("ran"));
    }
}
