//! Content that reaches the model without a tool call: mentions in prompts, the texts of commands and
//! skills, instruction files and their imports.
//!
//! Owns turning each into the call it amounts to, a read or a shell command, and having it judged and
//! recorded like one. Nobody can be asked about them, so a question is a denial.
//!
//! Source: Claude Code findings 1.1, "What never reaches PreToolUse".

use super::call::refusal;
use super::decide::Gatekeeper;
use super::expansion::{self, Places};
use super::payload::{McpOrigin, ToolCall};
use super::{Answer, Ask, Gate, Hook, mentions};
use crate::device::Asker;
use cairn_event::Effect;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Most calls that one prompt, command or skill may amount to: each costs a decision and a record.
const CALLS_MAX: usize = 64;

impl Gatekeeper {
    /// Judges what a text brings in, under `use_id`s that begin with `label`; the sentence of the
    /// first denial.
    pub(super) async fn brought_by_text(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        text: String,
        label: &str,
        started: Instant,
    ) -> Result<(), String> {
        let (this, ask_too, cwd) = (Arc::clone(self), ask.clone(), hook.cwd.clone());
        // Looking for files is a blocking call.
        let calls = tokio::task::spawn_blocking(move || this.mentioned(&ask_too, &cwd, &text));
        let calls = calls
            .await
            .unwrap_or_else(|_| Err("what it names could not be looked for".to_owned()))
            .map_err(|cause| refusal(&cause))?;
        self.judged(ask, hook, calls, label, started).await
    }

    /// Judges what a command or skill amounts to when it is expanded.
    pub(super) async fn brought_by_command(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        command: (&str, &str, &str),
        label: &str,
        started: Instant,
    ) -> Result<(), String> {
        let (this, ask_too, cwd) = (Arc::clone(self), ask.clone(), hook.cwd.clone());
        let (name, arguments, source) = command;
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        let source = source.to_owned();
        let calls = tokio::task::spawn_blocking(move || {
            this.expanded(&ask_too, &cwd, &name, &arguments, &source)
        });
        let calls = calls
            .await
            .unwrap_or_else(|_| Err("the command could not be read".to_owned()))
            .map_err(|cause| refusal(&cause))?;
        self.judged(ask, hook, calls, label, started).await
    }

    /// Judges an instruction file that was read into the session; a denial by anything but the
    /// default restricts the session, because the content is in it already.
    pub(super) async fn instructions(
        self: &Arc<Self>,
        ask: &Ask,
        hook: Hook,
        file: &str,
        started: Instant,
    ) -> Answer {
        let session = hook.session.clone();
        let ask = ask.unattended();
        let judged = self
            .verdict(ask, hook, read(file), "instructions".to_owned(), started)
            .await;
        let sentence = match judged {
            Ok(verdict) if verdict.effect == Effect::Deny && verdict.why != "default" => {
                verdict.sentence
            }
            Ok(_) => return Answer::silent(),
            Err(sentence) => sentence,
        };
        self.restrictions.restrict(
            &session,
            format!(
                "{sentence} The file came in through the session's instructions, so the session \
                 cannot go on; remove the import and start a new one."
            ),
        );
        Answer::silent()
    }

    /// The verdict on changed settings, as on a call of a tool named `ConfigChange`.
    pub(super) async fn config(
        self: &Arc<Self>,
        ask: Ask,
        hook: Hook,
        source: &str,
        file: Option<&str>,
        started: Instant,
    ) -> Answer {
        let mut input = json!({ "source": source });
        if let (Some(file), Some(members)) = (file, input.as_object_mut()) {
            members.insert("file_path".to_owned(), json!(file));
        }
        let call = ToolCall {
            tool: "ConfigChange".to_owned(),
            input,
            mcp: None,
        };
        let use_id = "config-change".to_owned();
        let ask = ask.unattended();
        match self.verdict(ask, hook, call, use_id, started).await {
            Ok(verdict) => Answer::verdict(Gate::Config, verdict.effect, &verdict.sentence),
            Err(sentence) => Answer::verdict(Gate::Config, Effect::Deny, &sentence),
        }
    }

    async fn judged(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        calls: Vec<ToolCall>,
        label: &str,
        started: Instant,
    ) -> Result<(), String> {
        if calls.len() > CALLS_MAX {
            return Err(refusal("it brings in too much to judge"));
        }
        for (number, call) in calls.into_iter().enumerate() {
            let use_id = format!("{label}-{number}");
            let (ask, hook) = (ask.unattended(), hook.clone());
            let verdict = self.verdict(ask, hook, call, use_id, started).await?;
            if verdict.effect == Effect::Deny {
                return Err(verdict.sentence);
            }
        }
        Ok(())
    }

    fn mentioned(&self, ask: &Ask, cwd: &str, text: &str) -> Result<Vec<ToolCall>, String> {
        if !text.contains('@') {
            return Ok(Vec::new());
        }
        let asker = self.askers.who(ask.pid, ask.agent_pid());
        let servers = names(&asker);
        let found = mentions::find(text, cwd, &self.facts.home, &servers)
            .ok_or("it brings in too many files to judge")?;
        let files = found.files.iter().map(|file| read(file));
        let resources = found.resources.into_iter().map(resource);
        Ok(files.chain(resources).collect())
    }

    fn expanded(
        &self,
        ask: &Ask,
        cwd: &str,
        name: &str,
        arguments: &str,
        source: &str,
    ) -> Result<Vec<ToolCall>, String> {
        let config = ask.env.get("CLAUDE_CONFIG_DIR").map(PathBuf::from);
        let config = config.unwrap_or_else(|| self.facts.home.join(".claude"));
        let places = Places {
            cwd: Path::new(cwd),
            config: &config,
        };
        let texts = expansion::texts(&places, name).map_err(|error| error.to_string())?;
        if texts.is_empty() && is_configured(source) {
            return Err(format!("the text of the command `{name}` was not found"));
        }
        let mut calls = Vec::new();
        for text in &texts {
            calls.extend(self.mentioned(ask, cwd, text)?);
            calls.extend(expansion::commands(text, arguments).into_iter().map(bash));
        }
        Ok(calls)
    }
}

/// Whether a command's text comes from a file; the agent's own commands have none.
fn is_configured(source: &str) -> bool {
    source.ends_with("Settings") || source == "plugin"
}

fn names(asker: &Asker) -> Vec<String> {
    asker.servers.iter().map(|one| one.name.clone()).collect()
}

fn read(file: &str) -> ToolCall {
    plain("Read", json!({ "file_path": file }))
}

fn bash(command: String) -> ToolCall {
    plain("Bash", json!({ "command": command }))
}

fn plain(tool: &str, input: Value) -> ToolCall {
    ToolCall {
        tool: tool.to_owned(),
        input,
        mcp: None,
    }
}

/// A resource, as a call of a tool of its server: `mcp__SERVER__read_resource`.
fn resource((server, uri): (String, String)) -> ToolCall {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let word: String = server
        .chars()
        .map(|letter| if plain(letter) { letter } else { '_' })
        .collect();
    ToolCall {
        tool: format!("mcp__{word}__read_resource"),
        input: json!({ "uri": uri }),
        mcp: Some(McpOrigin {
            name: server,
            source: "mention".to_owned(),
        }),
    }
}
