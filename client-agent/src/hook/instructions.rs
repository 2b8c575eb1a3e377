//! Instruction files: which of them a session begins with, and the verdicts on them before a prompt is answered.
//!
//! Owns finding them as Claude Code 2.1.330 does: managed ones, the user's, those of the working folder and of
//! the folders above it, and what they import. The program tells of them, but waits for no answer and may tell
//! too late. More is found here than it loads: an import in a block of code, outside of the project or under a
//! condition counts as well, where the file exists. Does not own the verdict on a file (`brought`).
//!
//! Source: Claude Code findings 1.1 (`InstructionsLoaded` blocks nothing); the order and the bounds of its
//! loading were read from the program and are observed by `tests/claude`.

mod heard;
mod imports;
mod walk;

use heard::Ahead;
pub(super) use heard::Heard;
use walk::Places;

use super::brought::added_folders;
use super::call::refusal;
use super::decide::Gatekeeper;
use super::{Ask, Hook};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Where Claude Code finds the instructions of the machine's administrator.
const MANAGED: &str = "/etc/claude-code";

impl Gatekeeper {
    /// Judges the instruction files that a session has or is about to have, each once; a denied one restricts
    /// the session.
    ///
    /// Errors: a sentence, where it cannot be said which they are; the prompt is refused with it.
    pub(super) async fn instructed(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        started: Instant,
    ) -> Result<(), String> {
        if !ask.agent.reads_instructions() {
            return Ok(());
        }
        let places = self.instruction_places(ask, hook);
        // Looking for files and reading them are blocking calls.
        let found = tokio::task::spawn_blocking(move || walk::find(&places));
        let files = found
            .await
            .map_err(|_| refusal("the session's instructions could not be looked for"))?
            .map_err(|error| refusal(&error.to_string()))?;
        let underway = self.judge_ahead(ask, hook, files, started).await;
        if underway.is_empty() {
            return Ok(());
        }
        // Whoever judges them may be cut short; then they have no verdict, and are judged here.
        self.restrictions.are_judged(&hook.session).await;
        match &self.judge_ahead(ask, hook, underway, started).await[..] {
            [] => Ok(()),
            [..] => Err(refusal(
                "what the session's instructions import is not judged yet",
            )),
        }
    }

    /// Judges the files of which nobody else has heard; gives those that somebody else is judging.
    async fn judge_ahead(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        files: Vec<String>,
        started: Instant,
    ) -> Vec<String> {
        // From before the first counts as known: no other prompt may pass while it has no verdict.
        let _judging = self.restrictions.judging(&hook.session);
        let mut underway = Vec::new();
        for file in files {
            let key = self.instruction(&file).await;
            match self.heard.ahead(&hook.session, key) {
                Ahead::Known => {}
                Ahead::Underway => underway.push(file),
                Ahead::New(claim) => {
                    if self.instruct(ask, hook.clone(), &file, started).await {
                        claim.judged();
                    }
                }
            }
        }
        underway
    }

    /// What a verdict on an instruction file was about: the file, where it leads, and the policy.
    pub(super) async fn instruction(&self, file: &str) -> heard::Instruction {
        let path = PathBuf::from(file);
        let target = tokio::task::spawn_blocking(move || std::fs::canonicalize(path).ok());
        let in_force = self.enforcement.now();
        heard::Instruction {
            file: file.to_owned(),
            target: target.await.ok().flatten(),
            policy: in_force.active.as_ref().map(|active| active.index),
        }
    }

    fn instruction_places(&self, ask: &Ask, hook: &Hook) -> Places {
        let mut folders = vec![PathBuf::from(&hook.cwd)];
        if let Some(project) = ask.env.get("CLAUDE_PROJECT_DIR") {
            folders.push(Path::new(&hook.cwd).join(project));
        }
        // A relative one would be looked for where the daemon is.
        folders.retain(|folder| folder.is_absolute());
        let added = ask.agent_pid().map(added_folders).unwrap_or_default();
        let added = added.into_iter().map(|one| Path::new(&hook.cwd).join(one));
        Places {
            managed: PathBuf::from(MANAGED),
            user: self.agent_config(ask),
            home: self.facts.home.clone(),
            added: added.collect(),
            folders,
        }
    }
}
