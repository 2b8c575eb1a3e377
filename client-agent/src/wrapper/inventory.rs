//! Every MCP server that the agent would start here, and where it was configured.
//!
//! Owns reading the agent's own configuration files: the project's `.mcp.json` (this folder and
//! those above it), the user's and the project's entries in `.claude.json`, installed plug-ins, and
//! `--mcp-config`. Other projects that the agent knows are read as well: their servers are on the
//! device, although nothing starts them here. What else these files say that Cairn must answer is read with them.
//!
//! Source: Claude Code findings 1.7.

use super::leftover::settings_files;
use super::plugins::plugin_servers;
use crate::daemon::{McpFound, PROJECT};
use crate::interference::{self, Interference};
use crate::steered::Found;
use cairn_event::json::{self, JsonError, Numbers};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Largest configuration file: the agent's own state file grows to a few MiB.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why a configuration cannot be judged; the agent is not started with servers nobody judged.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// It cannot be read.
    #[error("mcp configuration `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: cairn_durable::file::ReadFileError,
    },
    /// It is not JSON with one meaning.
    #[error("mcp configuration `{name}`: {source}")]
    Json {
        /// The file, or `--mcp-config`.
        name: String,
        /// Why.
        #[source]
        source: JsonError,
    },
}

/// What was found, weakest source first: of two servers with one name the later one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// The servers.
    pub servers: Vec<McpFound>,
    /// Servers of other projects, which are not started here.
    pub elsewhere: Vec<McpFound>,
    /// Folders of plug-ins that load code into the agent itself.
    pub mods: Vec<PathBuf>,
    /// Hooks of others that could change a call after it was judged.
    pub interference: Vec<Interference>,
    /// Variables of settings files by which a decided command would become another.
    pub variables: Found,
    /// Files that could not be read, in words; the servers in them are not started.
    pub unread: Vec<String>,
}

/// The source of a server in the machine's own file of managed servers, as the agent calls it.
pub const ENTERPRISE: &str = "enterprise";

/// Why a project's server does not start that no entry of the policy names.
const NOT_APPROVED: &str = "nobody approved this project's server";

/// Why no other server starts beside a file of managed servers.
const ONLY_MANAGED: &str = "a file of managed servers lets no other one run on this machine";

/// Most other projects read: the agent's own list of them grows with the years.
const PROJECTS_MAX: usize = 512;

/// Reads every configuration that applies in `cwd`; `state_file` is the agent's `.claude.json`,
/// `config` its configuration folder.
///
/// Errors: [`InventoryError`] only for `--mcp-config`, which the person gave; other files that
/// cannot be read are listed in [`Inventory::unread`].
pub fn inventory(
    cwd: &Path,
    state_file: &Path,
    config: &Path,
    flags: &[String],
) -> Result<Inventory, InventoryError> {
    let mut found = Inventory::default();
    let user = found.file(state_file).unwrap_or_default();
    let settings = settings_files(cwd, config);
    let plugins = plugin_servers(config, &settings);
    found.interference = around(cwd, config, &settings);
    found.variables = Found::in_files(settings.iter().map(PathBuf::as_path));
    found.variables.add(state_file, user.get("env"));
    found.interference.extend(plugins.interference);
    found.servers.extend(plugins.servers);
    found.mods = plugins.mods;
    found.unread.extend(plugins.unread);
    found.add("user", user.get("mcpServers"));
    let local = user
        .get("projects")
        .and_then(|all| all.get(cwd.to_string_lossy().as_ref()));
    for folder in cwd.ancestors().collect::<Vec<_>>().into_iter().rev() {
        if let Some(project) = found.file(&folder.join(".mcp.json")) {
            found.add_project(project.get("mcpServers"), local);
        }
    }
    found.add("local", local.and_then(|local| local.get("mcpServers")));
    found.others(cwd, user.get("projects").and_then(Value::as_object));
    for flag in flags {
        let given = flag_value(cwd, flag)?;
        // The file form has `mcpServers`; a bare map of servers is accepted by the agent as well.
        found.add("flag", given.get("mcpServers").or(Some(&given)));
    }
    Ok(found)
}

/// Hooks of others in the settings, agents, skills and commands that apply in `cwd`.
fn around(cwd: &Path, config: &Path, settings: &[PathBuf]) -> Vec<Interference> {
    let mut folders = vec![config.to_owned()];
    for folder in cwd.ancestors().map(|folder| folder.join(".claude")) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let texts = folders
        .iter()
        .flat_map(|folder| interference::in_folder(folder, &interference::FOLDERS));
    let files = settings
        .iter()
        .flat_map(|file| interference::in_settings(file));
    files.chain(texts).collect()
}

impl Inventory {
    fn file(&mut self, path: &Path) -> Option<Value> {
        match read(path) {
            Ok(value) => value,
            Err(error) => {
                self.unread.push(error.to_string());
                None
            }
        }
    }

    /// Servers of projects that `cwd` does not lie in.
    fn others(&mut self, cwd: &Path, projects: Option<&Map<String, Value>>) {
        let others = projects
            .into_iter()
            .flatten()
            .filter(|(folder, _)| !cwd.starts_with(folder));
        let mut elsewhere = Self::default();
        for (folder, entry) in others.take(PROJECTS_MAX) {
            elsewhere.add("local", entry.get("mcpServers"));
            if let Some(project) = elsewhere.file(&Path::new(folder).join(".mcp.json")) {
                elsewhere.add_project(project.get("mcpServers"), Some(entry));
            }
        }
        self.elsewhere = elsewhere.servers;
        self.elsewhere.dedup();
    }

    fn add(&mut self, source: &str, servers: Option<&Value>) {
        let empty = Map::new();
        let servers = servers.and_then(Value::as_object).unwrap_or(&empty);
        for (name, definition) in servers {
            self.servers.push(McpFound {
                name: name.clone(),
                source: source.to_owned(),
                definition: definition.clone(),
                waits: None,
            });
        }
    }

    /// Servers of a project; `known` is what the agent's state file says of it, the person's approvals among it.
    fn add_project(&mut self, servers: Option<&Value>, known: Option<&Value>) {
        let first = self.servers.len();
        self.add(PROJECT, servers);
        let approved = known.and_then(|known| known.get("enabledMcpjsonServers"));
        let approved = approved.and_then(Value::as_array);
        for one in self.servers.iter_mut().skip(first) {
            let is_approved =
                approved.is_some_and(|names| names.contains(&Value::from(one.name.as_str())));
            one.waits = (!is_approved).then(|| NOT_APPROVED.to_owned());
        }
    }

    /// The same on a machine that may have a file of managed servers: where it has one, the agent starts its servers
    /// and no others, also where the file cannot be read.
    pub fn with_managed_file(mut self, file: &Path) -> Self {
        if !file.exists() {
            return self;
        }
        let mut others = std::mem::take(&mut self.servers);
        for other in &mut others {
            other.waits = Some(ONLY_MANAGED.to_owned());
        }
        others.append(&mut self.elsewhere);
        self.elsewhere = others;
        if let Some(managed) = self.file(file) {
            self.add(ENTERPRISE, managed.get("mcpServers"));
        }
        self
    }
}

/// Reads a JSON file; `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Value>, InventoryError> {
    use cairn_durable::file::ReadFileError;
    match cairn_durable::read_limited(path, FILE_BYTES_MAX) {
        Ok(bytes) => parse(&path.display().to_string(), &bytes).map(Some),
        Err(ReadFileError::NotFound { .. }) => Ok(None),
        Err(source) => Err(InventoryError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn flag_value(cwd: &Path, flag: &str) -> Result<Value, InventoryError> {
    if flag.trim_start().starts_with('{') {
        return parse("--mcp-config", flag.as_bytes());
    }
    let path = cwd.join(flag);
    let source = |path: &Path| cairn_durable::file::ReadFileError::NotFound {
        path: path.to_owned(),
    };
    read(&path)?.ok_or_else(|| InventoryError::Read {
        source: source(&path),
        path: path.clone(),
    })
}

fn parse(name: &str, bytes: &[u8]) -> Result<Value, InventoryError> {
    json::parse(bytes, Numbers::Any).map_err(|source| InventoryError::Json {
        name: name.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sources_are_read_weakest_first() {
        let dir = tempfile::tempdir().unwrap();
        let cwd = dir.path().join("repo/sub");
        std::fs::create_dir_all(&cwd).unwrap();
        let write = |path: PathBuf, text: &str| std::fs::write(path, text).unwrap();
        write(
            dir.path().join("repo/.mcp.json"),
            r#"{"mcpServers":{"a":{"command":"a1"}}}"#,
        );
        let state = dir.path().join(".claude.json");
        let local = cwd.to_str().unwrap();
        write(
            state.clone(),
            &format!(
                r#"{{"mcpServers":{{"u":{{"command":"u"}}}},"projects":{{"{local}":
                {{"mcpServers":{{"a":{{"command":"a2"}}}},"enabledMcpjsonServers":["a"]}}}}}}"#
            ),
        );
        let flag = r#"{"mcpServers":{"f":{"url":"https://f.example/"}}}"#.to_owned();
        let found = inventory(&cwd, &state, dir.path(), &[flag]).unwrap();
        let seen: Vec<_> = found
            .servers
            .iter()
            .map(|one| (one.name.as_str(), one.source.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("u", "user"),
                ("a", "project"),
                ("a", "local"),
                ("f", "flag")
            ]
        );
        assert!(found.servers.iter().all(|one| one.waits.is_none()));
        let absent = ["absent.json".to_owned()];
        assert!(inventory(&cwd, &state, dir.path(), &absent).is_err());
    }

    #[test]
    fn a_project_s_server_waits_for_approval_and_a_managed_file_lets_no_other_run() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join(".claude.json");
        let here = dir.path().to_str().unwrap();
        std::fs::write(
            dir.path().join(".mcp.json"),
            r#"{"mcpServers":{"yes":{"command":"y"},"no":{"command":"n"}}}"#,
        )
        .unwrap();
        let known = format!(r#"{{"projects":{{"{here}":{{"enabledMcpjsonServers":["yes"]}}}}}}"#);
        std::fs::write(&state, known).unwrap();
        let file = dir.path().join("managed-mcp.json");
        let found = || {
            inventory(dir.path(), &state, dir.path(), &[])
                .unwrap()
                .with_managed_file(&file)
        };
        let waits = |found: &Inventory, name: &str| {
            let one = found.servers.iter().find(|one| one.name == name).unwrap();
            (
                one.held_back(true).is_some(),
                one.held_back(false).is_some(),
            )
        };
        let open = found();
        assert_eq!(
            (waits(&open, "yes"), waits(&open, "no")),
            ((false, false), (true, false))
        );
        std::fs::write(&file, r#"{"mcpServers":{"corp":{"command":"c"}}}"#).unwrap();
        let managed = found();
        let of = |servers: &[McpFound]| -> Vec<String> {
            servers
                .iter()
                .map(|one| format!("{} {}", one.name, one.source))
                .collect()
        };
        assert_eq!(of(&managed.servers), ["corp enterprise"]);
        assert_eq!(of(&managed.elsewhere), ["no project", "yes project"]);
        std::fs::write(&file, "{").unwrap();
        let broken = found();
        assert!(broken.servers.is_empty() && broken.unread.len() == 1);
    }

    #[test]
    fn servers_of_other_projects_are_listed_apart() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other");
        std::fs::create_dir_all(&other).unwrap();
        let servers = r#"{"mcpServers":{"theirs":{"command":"t"}}}"#;
        std::fs::write(other.join(".mcp.json"), servers).unwrap();
        let state = dir.path().join(".claude.json");
        let known = format!(
            r#"{{"projects":{{"{}":{{"mcpServers":{{"local":{{"command":"l"}}}}}}}}}}"#,
            other.display()
        );
        std::fs::write(&state, known).unwrap();
        let cwd = dir.path().join("here");
        std::fs::create_dir_all(&cwd).unwrap();
        let found = inventory(&cwd, &state, dir.path(), &[]).unwrap();
        assert!(found.servers.is_empty());
        let names: Vec<_> = found
            .elsewhere
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["local", "theirs"]);
    }

    #[test]
    fn hooks_of_others_are_found_in_every_scope() {
        let dir = tempfile::tempdir().unwrap();
        let (cwd, config) = (dir.path().join("repo/sub"), dir.path().join("cfg"));
        let write = |path: PathBuf, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let settings = r#"{"hooks":{"PreToolUse":[{"hooks":[{"command":"/x"}]}]}}"#;
        let text = "---\nhooks:\n  PreToolUse: [{hooks: [{command: /x}]}]\n---\n";
        let files = [
            config.join("settings.json"),
            cwd.join(".claude/settings.local.json"),
            dir.path().join("repo/.claude/settings.json"),
            config.join("agents/a.md"),
            dir.path().join("repo/.claude/skills/s/SKILL.md"),
        ];
        for file in &files {
            let is_text = file.extension().is_some_and(|ending| ending == "md");
            write(file.clone(), if is_text { text } else { settings });
        }
        let found = inventory(&cwd, &dir.path().join("none"), &config, &[]).unwrap();
        let named: Vec<_> = found.interference.iter().map(|one| &one.file).collect();
        for file in &files {
            assert!(named.contains(&file), "{}", file.display());
        }
        assert_eq!(named.len(), files.len());
    }

    #[test]
    fn a_file_with_two_meanings_starts_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join(".mcp.json"),
            r#"{"mcpServers":{"a":{},"a":{}}}"#,
        )
        .unwrap();
        let found = inventory(dir.path(), &dir.path().join("none"), dir.path(), &[]).unwrap();
        assert!(found.servers.is_empty());
        assert_eq!(found.unread.len(), 1);
    }
}
