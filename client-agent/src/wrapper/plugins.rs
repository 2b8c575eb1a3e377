//! What plug-ins bring: MCP servers, code for the agent itself, and hooks.
//!
//! Owns reading the plug-ins that are installed in the agent's configuration folder. The agent does not
//! start their servers under `--strict-mcp-config`; the approved ones of enabled plug-ins are given to
//! it by the wrapper, under the names that the agent itself would use.
//!
//! Source: Claude Code findings 1.7.

use super::inventory::{InventoryError, read};
use crate::daemon::McpFound;
use crate::interference::{self, Interference};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Most folders looked at: a developer with several marketplaces has some thousands.
const FOLDERS_MAX: usize = 20_000;

/// How deep below the plug-ins' folder: marketplace, plug-in, version, and room for two more.
const DEPTH_MAX: usize = 6;

/// Why a server of a plug-in that is switched off is not started.
pub const PLUGIN_OFF: &str = "its plug-in is not enabled";

/// The plug-ins' servers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PluginServers {
    /// Every server, enabled or not.
    pub servers: Vec<McpFound>,
    /// What could not be read, in words.
    pub unread: Vec<String>,
    /// Folders of enabled plug-ins that load code into the agent itself.
    pub mods: Vec<PathBuf>,
    /// Hooks of enabled plug-ins that could change a call after it was judged.
    pub interference: Vec<Interference>,
}

/// Reads the plug-ins below `config`; `settings` are the files that may enable them.
pub fn plugin_servers(config: &Path, settings: &[PathBuf]) -> PluginServers {
    let mut found = PluginServers::default();
    let enabled = enabled(settings);
    // Whatever lies there is loaded without being enabled.
    let unpacked = std::fs::read_dir(config.join("dev-mods"))
        .into_iter()
        .flatten();
    found
        .mods
        .extend(unpacked.flatten().map(|entry| entry.path()));
    let mut folders = Vec::new();
    collect(&config.join("plugins"), DEPTH_MAX, &mut folders);
    for folder in folders {
        let manifest = found.read(&folder.join(".claude-plugin/plugin.json"));
        let label = manifest
            .as_ref()
            .and_then(|manifest| manifest.get("name"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        let Some(plugin) = label.or_else(|| name_of(&folder)) else {
            continue;
        };
        let inline = manifest.as_ref().and_then(|one| one.get("mcpServers"));
        let named = inline.and_then(Value::as_str).map(|path| folder.join(path));
        let file = found.read(&named.unwrap_or_else(|| folder.join(".mcp.json")));
        let file = file
            .as_ref()
            .map(|one| one.get("mcpServers").unwrap_or(one));
        let is_enabled = enabled
            .iter()
            .any(|key| key.split('@').next() == Some(plugin.as_str()));
        let hooks = found.read(&folder.join("hooks/hooks.json"));
        if is_enabled && hooks.is_some_and(|hooks| hooks.get("modules").is_some()) {
            found.mods.push(folder.clone());
        }
        if is_enabled {
            found
                .interference
                .extend(hooks_of(&folder, manifest.as_ref()));
        }
        for servers in [inline, file].into_iter().flatten() {
            found.add(&plugin, &folder, servers, is_enabled);
        }
    }
    found
}

impl PluginServers {
    fn read(&mut self, file: &Path) -> Option<Value> {
        read(file).unwrap_or_else(|error: InventoryError| {
            self.unread.push(error.to_string());
            None
        })
    }

    fn add(&mut self, plugin: &str, folder: &Path, servers: &Value, is_enabled: bool) {
        let empty = Map::new();
        for (server, definition) in servers.as_object().unwrap_or(&empty) {
            let name = plain(&format!("plugin_{plugin}_{server}"));
            let mut definition = definition.clone();
            expand(&mut definition, &folder.to_string_lossy());
            let one = McpFound {
                name,
                source: "plugin".to_owned(),
                definition,
                waits: (!is_enabled).then(|| PLUGIN_OFF.to_owned()),
            };
            if !self.servers.contains(&one) {
                self.servers.push(one);
            }
        }
    }
}

/// The hooks of a plug-in: in its own file, where its manifest says, and in its texts.
fn hooks_of(folder: &Path, manifest: Option<&Value>) -> Vec<Interference> {
    let mut found = interference::in_settings(&folder.join("hooks/hooks.json"));
    let inline = manifest.and_then(|manifest| manifest.get("hooks"));
    let named = match inline {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for one in named {
        match one {
            Value::String(path) => found.extend(interference::in_settings(&folder.join(path))),
            other => {
                let file = folder.join(".claude-plugin/plugin.json");
                found.extend(interference::in_hooks(&file, Some(other)));
                found.extend(interference::in_hooks(&file, other.get("hooks")));
            }
        }
    }
    found.extend(interference::in_folder(folder, &interference::FOLDERS));
    found
}

/// Every folder with a plug-in in it.
fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if found.len() >= FOLDERS_MAX {
        return;
    }
    if folder.join(".claude-plugin").is_dir() || folder.join(".mcp.json").is_file() {
        found.push(folder.to_owned());
    }
    let Ok(listing) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in listing.flatten() {
        let name = entry.file_name();
        let skipped = name == "node_modules" || name == ".git" || name == ".claude-plugin";
        if depth > 0 && !skipped && entry.path().is_dir() {
            collect(&entry.path(), depth - 1, found);
        }
    }
}

fn enabled(settings: &[PathBuf]) -> Vec<String> {
    let mut keys = Vec::new();
    for file in settings {
        let Ok(Some(settings)) = read(file) else {
            continue;
        };
        let plugins = settings.get("enabledPlugins").and_then(Value::as_object);
        for (key, value) in plugins.into_iter().flatten() {
            if value == &Value::Bool(true) {
                keys.push(key.clone());
            }
        }
    }
    keys
}

fn name_of(folder: &Path) -> Option<String> {
    folder.file_name()?.to_str().map(str::to_owned)
}

/// A name as the agent puts it into its tools' names.
fn plain(name: &str) -> String {
    let kept = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    name.chars()
        .map(|letter| if kept(letter) { letter } else { '_' })
        .collect()
}

/// Puts the plug-in's folder where its definition asks for it.
fn expand(value: &mut Value, folder: &str) {
    match value {
        Value::String(text) => *text = text.replace("${CLAUDE_PLUGIN_ROOT}", folder),
        Value::Array(items) => items.iter_mut().for_each(|item| expand(item, folder)),
        Value::Object(members) => members.values_mut().for_each(|item| expand(item, folder)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_plug_ins_are_found_in_both_forms() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let root = "plugins/cache/market";
        write(
            &format!("{root}/docs/1.0/.claude-plugin/plugin.json"),
            r#"{"name":"docs","hooks":["./more.json"],"mcpServers":{"a b":{"command":"${CLAUDE_PLUGIN_ROOT}/run"}}}"#,
        );
        write(
            &format!("{root}/db/1.0/.claude-plugin/plugin.json"),
            r#"{"name":"db"}"#,
        );
        write(
            &format!("{root}/db/1.0/.mcp.json"),
            r#"{"mcpServers":{"sql":{"type":"http","url":"https://db.example/"}}}"#,
        );
        for name in ["db", "docs"] {
            write(
                &format!("{root}/{name}/1.0/hooks/hooks.json"),
                r#"{"modules":["./x.ts"]}"#,
            );
        }
        write(
            "settings.json",
            r#"{"enabledPlugins":{"docs@market":true,"db@market":false}}"#,
        );
        let handler = r#"[{"hooks":[{"type":"command","command":"./rewrite"}]}]"#;
        for (path, text) in [
            (
                "more.json",
                format!(r#"{{"hooks":{{"PreToolUse":{handler}}}}}"#),
            ),
            (
                "agents/a.md",
                "---\nhooks:\n  PermissionRequest: [{}]\n---\n".to_owned(),
            ),
        ] {
            for name in ["db", "docs"] {
                write(&format!("{root}/{name}/1.0/{path}"), &text);
            }
        }
        let found = plugin_servers(dir.path(), &[dir.path().join("settings.json")]);
        let hooks: Vec<_> = found
            .interference
            .iter()
            .map(|one| (one.file.file_name().unwrap().to_str().unwrap(), one.event))
            .collect();
        let expected = [("more.json", "PreToolUse"), ("a.md", "PermissionRequest")];
        assert_eq!(hooks, expected, "only those of the enabled plug-in");
        let mut names: Vec<_> = found.servers.iter().map(|one| one.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["plugin_db_sql", "plugin_docs_a_b"]);
        let mut off = found.servers.iter().filter(|one| one.waits.is_some());
        assert_eq!(
            off.next().map(|one| one.name.as_str()),
            Some("plugin_db_sql")
        );
        assert!(off.next().is_none());
        let docs = found
            .servers
            .iter()
            .find(|one| one.name.contains("docs"))
            .unwrap();
        let command = docs.definition["command"].as_str().unwrap();
        assert!(command.ends_with("docs/1.0/run"), "{command}");
        assert!(found.unread.is_empty());
        assert_eq!(found.mods, [dir.path().join(root).join("docs/1.0")]);
    }
}
