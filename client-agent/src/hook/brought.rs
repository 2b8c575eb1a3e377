//! Content that reaches the model without a tool call: mentions in prompts, the texts of commands and
//! skills, instruction files and their imports.
//!
//! Owns turning each into the call it amounts to, a read or a shell command, and having it judged and
//! recorded like one. Nobody can be asked about them, so a question is a denial.
//!
//! Source: Claude Code findings 1.1, "What never reaches PreToolUse".

use super::call::{blank, refusal};
use super::decide::Gatekeeper;
use super::expansion::{self, Found, Places, UNCERTAIN, Values};
use super::payload::{McpOrigin, ToolCall};
use super::{Answer, Ask, Gate, Hook, mentions};
use crate::device::Asker;
use crate::interference;
use cairn_event::Effect;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Most calls that one prompt, command or skill may amount to: each costs a decision and a record.
const CALLS_MAX: usize = 64;

/// Longest command line read: more than the kernel gives to a program by default.
const ARGUMENTS_BYTES_MAX: u64 = 2 * 1024 * 1024;

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

    /// Judges what a command or skill amounts to when it is expanded: its name, its arguments and,
    /// where the agent says, the place it was configured in.
    pub(super) async fn brought_by_command(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        command: (&str, &str, Option<&str>),
        label: &str,
        started: Instant,
    ) -> Result<(), String> {
        let (this, ask_too, hook_too) = (Arc::clone(self), ask.clone(), hook.clone());
        let (name, arguments, source) = command;
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        let source = source.map(str::to_owned);
        let calls = tokio::task::spawn_blocking(move || {
            this.expanded(&ask_too, &hook_too, &name, &arguments, source.as_deref())
        });
        let calls = calls
            .await
            .unwrap_or_else(|_| Err("the command could not be read".to_owned()))
            .map_err(|cause| refusal(&cause))?;
        self.judged(ask, hook, calls, label, started).await
    }

    /// Judges an instruction file of which the agent tells, where it was not judged when it was found.
    pub(super) async fn instructions(
        self: &Arc<Self>,
        ask: &Ask,
        hook: Hook,
        file: &str,
        started: Instant,
    ) -> Answer {
        // From before it counts as known: a prompt must not pass while it has no verdict.
        let _judging = self.restrictions.judging(&hook.session);
        let instruction = self.instruction(file).await;
        if let Some(claim) = self.heard.told(&hook.session.clone(), instruction)
            && self.instruct(ask, hook, file, started).await
        {
            claim.judged();
        }
        Answer::silent()
    }

    /// Judges an instruction file of the session; a denial by anything but the default restricts the session,
    /// because the content is in it already. Gives whether the verdict is recorded.
    pub(super) async fn instruct(
        self: &Arc<Self>,
        ask: &Ask,
        hook: Hook,
        file: &str,
        started: Instant,
    ) -> bool {
        let session = hook.session.clone();
        let _judging = self.restrictions.judging(&session);
        let ask = ask.unattended();
        let judged = self
            .verdict(ask, hook, read(file), "instructions".to_owned(), started)
            .await;
        let is_recorded = judged.is_ok();
        let sentence = match judged {
            Ok(verdict) if verdict.effect == Effect::Deny && verdict.why != "default" => {
                verdict.sentence
            }
            Ok(_) => return is_recorded,
            Err(sentence) => sentence,
        };
        self.restrictions.restrict(
            &session,
            format!(
                "{sentence} The file came in through the session's instructions, so the session \
                 cannot go on; remove the import and start a new one."
            ),
        );
        is_recorded
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
        let unheard = match self.settings_without_hooks(&ask, &hook, file).await {
            Ok(()) => self.settings_within_what_is_held(&ask, &hook, file).await,
            refused => refused,
        };
        if let Err(sentence) = unheard {
            let decision = blank(&call, &use_id, None);
            self.refused(&ask, &hook.session, decision, started).await;
            return ask.agent.verdict(Gate::Config, Effect::Deny, &sentence);
        }
        let agent = ask.agent;
        match self.verdict(ask, hook, call, use_id, started).await {
            Ok(verdict) => agent.verdict(Gate::Config, verdict.effect, &verdict.sentence),
            Err(sentence) => agent.verdict(Gate::Config, Effect::Deny, &sentence),
        }
    }

    /// Judges calls under `use_id`s that begin with `label`; the sentence of the first denial. Nobody is
    /// asked about any of them.
    pub(super) async fn judged(
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
        let asker = self.askers.who(ask.pid, ask.agent_pid(), ask.agent.name());
        let servers = names(&asker);
        let found = mentions::find(text, cwd, &self.facts.home, servers.as_deref())
            .map_err(|error| error.to_string())?;
        let files = found.files.iter().map(|file| read(file));
        let resources = found.resources.into_iter().map(resource);
        Ok(files.chain(resources).collect())
    }

    fn expanded(
        &self,
        ask: &Ask,
        hook: &Hook,
        name: &str,
        arguments: &str,
        source: Option<&str>,
    ) -> Result<Vec<ToolCall>, String> {
        let places = self.places(ask, &hook.cwd);
        let texts = expansion::texts(&places, name).map_err(|error| error.to_string())?;
        if texts.is_empty() && !is_built_in(name, source) {
            return Err(format!("the text of the command `{name}` was not found"));
        }
        let mut calls = Vec::new();
        for Found { file, text } in &texts {
            if let Some(one) = interference::in_text(file, text).first()
                && self.minds_others(ask)
            {
                return Err(one.to_string());
            }
            let folder = file.parent().unwrap_or(file).to_string_lossy();
            let project = ask.env.get("CLAUDE_PROJECT_DIR").unwrap_or(&hook.cwd);
            let values = Values {
                arguments,
                session: &hook.session,
                project,
                folder: &folder,
            };
            let text = expansion::put_in(text, &values)
                .ok_or_else(|| format!("the text of `{name}` becomes too long to judge"))?;
            let commands = expansion::commands(&text);
            let mut mentions = text.split_whitespace().filter(|word| word.contains('@'));
            if commands.iter().any(|command| command.contains(UNCERTAIN))
                || mentions.any(|word| word.contains(UNCERTAIN))
            {
                return Err(format!(
                    "what the arguments become in the text of `{name}` is not certain"
                ));
            }
            calls.extend(self.mentioned(ask, &hook.cwd, &text)?);
            calls.extend(commands.into_iter().map(bash));
        }
        Ok(calls)
    }

    /// Where commands and skills of a session may be configured.
    fn places(&self, ask: &Ask, cwd: &str) -> Places {
        let config = self.agent_config(ask);
        let mut folders = vec![PathBuf::from(cwd)];
        let project = ask.env.get("CLAUDE_PROJECT_DIR").map(PathBuf::from);
        let added = ask.agent_pid().map(added_folders).unwrap_or_default();
        for folder in project.into_iter().chain(added) {
            let folder = Path::new(cwd).join(folder);
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        Places { folders, config }
    }
}

/// Names under which Claude Code 2.1.330 itself brings skills, which have no file.
const BUILT_IN: [&str; 13] = [
    "claude-api",
    "code-review",
    "dataviz",
    "fewer-permission-prompts",
    "init",
    "keybindings-help",
    "loop",
    "plugin-authoring",
    "run",
    "security-review",
    "simplify",
    "update-config",
    "workflow-authoring",
];

/// Whether a command of which no text was found is one of the agent's own.
fn is_built_in(name: &str, source: Option<&str>) -> bool {
    match source {
        Some(source) => ["builtin", "bundled", "mcp"].contains(&source),
        None => BUILT_IN.contains(&name),
    }
}

/// The folders that a process was given with `--add-dir`: its word, which can only add places to search.
pub(super) fn added_folders(pid: u32) -> Vec<PathBuf> {
    let path = Path::new("/proc").join(pid.to_string()).join("cmdline");
    let bytes = cairn_durable::read_limited(&path, ARGUMENTS_BYTES_MAX).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut found = Vec::new();
    let mut taking = false;
    for word in text.split_terminator('\0') {
        match word.strip_prefix("--add-dir") {
            Some("") => taking = true,
            Some(joined) => {
                taking = true;
                found.extend(joined.strip_prefix('=').map(PathBuf::from));
            }
            None if word.starts_with('-') => taking = false,
            None if taking => found.push(PathBuf::from(word)),
            None => {}
        }
    }
    found
}

/// The servers of the launch; `None` where the launch is not known, because the daemon was started after
/// the agent.
fn names(asker: &Asker) -> Option<Vec<String>> {
    let servers = asker.servers.as_ref()?;
    Some(servers.iter().map(|one| one.name.clone()).collect())
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
