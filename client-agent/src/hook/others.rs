//! Hooks of others that come up while a session runs: in changed settings, in agents, in skills. And variables of
//! changed settings by which commands would become others.
//!
//! Owns refusing what would let them answer beside Cairn, or change what it answered. A session is not started where they are there
//! already; on a managed machine the agent itself asks none but managed hooks.
//!
//! Source: Claude Code findings 1.2, 1.3 and 1.5.

use super::call::refusal;
use super::decide::Gatekeeper;
use super::{Ask, Hook};
use crate::interference::{self, Interference};
use crate::managed::Place;
use crate::steered::{Found, held_by};
use crate::wrapper::settings_files;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Gatekeeper {
    /// Refuses changed settings that define a hook which could change a call after it was judged.
    ///
    /// Errors: a sentence for the denial.
    pub(super) async fn settings_without_hooks(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        file: Option<&str>,
    ) -> Result<(), String> {
        let mut files = settings_files(Path::new(&hook.cwd), &self.agent_config(ask));
        files.extend(file.map(PathBuf::from));
        self.refuse_if(ask, move || files.iter().find_map(|file| in_file(file)))
            .await
    }

    /// Refuses changed settings that set a variable by which a decided command becomes another, where the settings
    /// that this agent was started with do not hold it.
    ///
    /// Errors: a sentence for the denial.
    pub(super) async fn settings_within_what_is_held(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        file: Option<&str>,
    ) -> Result<(), String> {
        if self.monitors() {
            return Ok(());
        }
        let mut files = settings_files(Path::new(&hook.cwd), &self.agent_config(ask));
        let other = file.map(PathBuf::from);
        files.extend(other.filter(|file| file.extension().is_some_and(|end| end == "json")));
        let held = self.own_settings(ask);
        // Reading files is a blocking call.
        let looked = tokio::task::spawn_blocking(move || {
            let mut names = held_by(held.iter().map(PathBuf::as_path));
            names.extend(Place::machine().variables_of_others());
            Found::in_files(files.iter().map(PathBuf::as_path)).beyond(&names)
        });
        match looked.await {
            Ok(None) => Ok(()),
            Ok(Some(unheld)) => Err(refusal(&unheld.to_string())),
            Err(_) => Err(refusal("what changed settings set could not be looked for")),
        }
    }

    /// Where the settings are that this agent was started with: the wrapper's, and the policy helper's.
    fn own_settings(&self, ask: &Ask) -> Vec<PathBuf> {
        let named = |pid: u32| ["settings", "managed"].map(|kind| format!("{pid}.{kind}.json"));
        let names = ask.agent_pid().map(named).into_iter().flatten();
        names.map(|name| self.agent_settings.join(name)).collect()
    }

    /// Refuses the start of a subagent while any agent is defined with such a hook.
    ///
    /// Errors: a sentence for the denial.
    pub(super) async fn agents_without_hooks(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
    ) -> Result<(), String> {
        let mut folders = vec![self.agent_config(ask)];
        let project = ask.env.get("CLAUDE_PROJECT_DIR").unwrap_or(&hook.cwd);
        let above = Path::new(&hook.cwd)
            .ancestors()
            .chain(Path::new(project).ancestors());
        folders.extend(above.map(|folder| folder.join(".claude")));
        folders.sort();
        folders.dedup();
        self.refuse_if(ask, move || {
            let mut found = folders
                .iter()
                .flat_map(|folder| interference::in_folder(folder, &["agents"]));
            found.next()
        })
        .await
    }

    /// Whether hooks of others are a reason to refuse anything.
    pub(super) fn minds_others(&self, ask: &Ask) -> bool {
        !self.monitors() && !self.askers.is_managed(ask.agent_pid())
    }

    /// The agent's configuration folder.
    pub(super) fn agent_config(&self, ask: &Ask) -> PathBuf {
        let config = ask.env.get("CLAUDE_CONFIG_DIR").map(PathBuf::from);
        config.unwrap_or_else(|| self.facts.home.join(".claude"))
    }

    async fn refuse_if(
        &self,
        ask: &Ask,
        look: impl FnOnce() -> Option<Interference> + Send + 'static,
    ) -> Result<(), String> {
        if !self.minds_others(ask) {
            return Ok(());
        }
        // Reading files is a blocking call.
        match tokio::task::spawn_blocking(look).await {
            Ok(None) => Ok(()),
            Ok(Some(found)) => Err(refusal(&found.to_string())),
            Err(_) => Err(refusal("hooks of others could not be looked for")),
        }
    }
}

/// The first such hook of a settings file or of a text.
fn in_file(file: &Path) -> Option<Interference> {
    let is_text = file
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("md"));
    let found = if is_text {
        interference::in_text_file(file)
    } else if file.is_dir() {
        interference::in_folder(file, &interference::FOLDERS)
    } else {
        interference::in_settings(file)
    };
    found.into_iter().next()
}
