//! Other people's hooks that could change or permit a call after Cairn judged it.
//!
//! Owns finding them: in settings files, in plug-ins, and in the front matter of agents, skills and
//! commands. Claude Code asks all hooks of an event at once and lets any of them replace the input
//! (`updatedInput`), so that a verdict holds only where nobody else answers. What is done about them
//! is decided elsewhere.
//!
//! Source: Claude Code findings 1.2 and 1.3; observed by `tests/claude` with 2.1.330.

use serde_json::{Map, Value};
use std::fmt;
use std::path::{Path, PathBuf};

/// Events whose hooks can replace a call's input or permit it.
const EVENTS: [&str; 2] = ["PreToolUse", "PermissionRequest"];

/// Largest file looked into; a settings file, agent or skill has some kilobytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Most files looked at in the folders of agents, skills and commands.
const FILES_MAX: usize = 20_000;

/// How deep those folders are searched.
const DEPTH_MAX: usize = 8;

/// Most characters of a foreign hook's command that are shown.
const SHOWN_CHARS_MAX: usize = 120;

/// Folders below a configuration folder whose texts may bring hooks.
pub const FOLDERS: [&str; 3] = ["agents", "commands", "skills"];

/// A hook that is not Cairn's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interference {
    /// The file that defines it.
    pub file: PathBuf,
    /// The event it is asked at.
    pub event: &'static str,
    /// What it runs, as far as that can be told.
    pub hook: String,
}

impl fmt::Display for Interference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, event, hook } = self;
        write!(
            out,
            "`{}` defines a {event} hook ({hook}), which could change a call after it was judged",
            file.display()
        )
    }
}

/// The hooks of a settings file, or of a plug-in's `hooks.json`.
///
/// A file that is no JSON counts as soon as it names one of the events: what this reads otherwise
/// than the agent must not hide one.
pub fn in_settings(file: &Path) -> Vec<Interference> {
    match cairn_durable::read_limited(file, FILE_BYTES_MAX) {
        // Of two members with one name the later counts, to the agent as well as here.
        Ok(bytes) => match serde_json::from_slice::<Value>(&bytes) {
            Ok(settings) => in_hooks(file, settings.get("hooks")),
            Err(_) => in_words(file, &String::from_utf8_lossy(&bytes)),
        },
        // What is not there or not to be read gives the agent nothing either.
        Err(_) => Vec::new(),
    }
}

/// The hooks in the front matter of an agent, a skill or a command.
pub fn in_text(file: &Path, text: &str) -> Vec<Interference> {
    let Some(front) = front_matter(text) else {
        return Vec::new();
    };
    match serde_saphyr::from_str::<Value>(front) {
        Ok(members) => in_hooks(file, members.get("hooks")),
        Err(_) => in_words(file, front),
    }
}

/// The same for a file; one that cannot be read has none for the agent either.
pub fn in_text_file(file: &Path) -> Vec<Interference> {
    let bytes = cairn_durable::read_limited(file, FILE_BYTES_MAX).unwrap_or_default();
    in_text(file, &String::from_utf8_lossy(&bytes))
}

/// The hooks of every agent, skill and command below a configuration folder such as `.claude`.
pub fn in_folder(folder: &Path, names: &[&str]) -> Vec<Interference> {
    let mut found = Vec::new();
    let mut files = 0;
    for name in names {
        search(&folder.join(name), DEPTH_MAX, &mut files, &mut found);
    }
    found
}

/// The hooks of a `hooks` member.
pub fn in_hooks(file: &Path, hooks: Option<&Value>) -> Vec<Interference> {
    let empty = Map::new();
    let hooks = hooks.and_then(Value::as_object).unwrap_or(&empty);
    let named = EVENTS.iter().filter_map(|event| {
        let handlers = hooks.get(*event)?;
        let is_empty = handlers.is_null() || handlers.as_array().is_some_and(Vec::is_empty);
        (!is_empty).then(|| Interference {
            file: file.to_owned(),
            event,
            hook: shown(handlers),
        })
    });
    named.collect()
}

/// The part of a text between its first two lines of three dashes.
pub fn front_matter(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('\u{feff}').strip_prefix("---")?;
    rest.split("\n---").next()
}

fn in_words(file: &Path, text: &str) -> Vec<Interference> {
    let named = |event: &&&str| text.contains("hooks") && text.contains(**event);
    let of = |event: &&'static str| Interference {
        file: file.to_owned(),
        event,
        hook: "in a file that cannot be read".to_owned(),
    };
    EVENTS.iter().filter(named).map(of).collect()
}

fn search(folder: &Path, depth: usize, files: &mut usize, found: &mut Vec<Interference>) {
    let Ok(listing) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in listing.flatten() {
        *files += 1;
        if *files > FILES_MAX {
            return;
        }
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        // Links are followed, as the agent follows them; the depth ends every loop.
        let is_folder = std::fs::metadata(&path).is_ok_and(|meta| meta.is_dir());
        if is_folder && depth > 0 && name != "node_modules" && name != ".git" {
            search(&path, depth - 1, files, found);
        } else if name.ends_with(".md") {
            found.extend(in_text_file(&path));
        }
    }
}

/// What the handlers run, for people: the first command, or else the first type.
fn shown(handlers: &Value) -> String {
    fn member<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
        match value {
            Value::Object(members) => members
                .get(name)
                .and_then(Value::as_str)
                .or_else(|| members.values().find_map(|inner| member(inner, name))),
            Value::Array(items) => items.iter().find_map(|item| member(item, name)),
            _ => None,
        }
    }
    let words = ["command", "url", "type"];
    let word = words.iter().find_map(|name| member(handlers, name));
    let plain = word.unwrap_or("no command").chars();
    plain
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(SHOWN_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(found: &[Interference]) -> Vec<&str> {
        found.iter().map(|one| one.event).collect()
    }

    #[test]
    fn hooks_in_settings_are_found_as_the_agent_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("settings.json");
        let said = |text: &str| {
            std::fs::write(&file, text).unwrap();
            in_settings(&file)
        };
        let handler = r#"[{"matcher":"*","hooks":[{"type":"command","command":"/x/rewrite"}]}]"#;
        let found = said(&format!(r#"{{"hooks":{{"PreToolUse":{handler}}}}}"#));
        assert_eq!(events(&found), ["PreToolUse"]);
        let text = found[0].to_string();
        assert!(
            text.contains("/x/rewrite") && text.contains("settings.json"),
            "{text}"
        );
        let both =
            format!(r#"{{"hooks":{{"PermissionRequest":{handler},"PreToolUse":{handler}}}}}"#);
        assert_eq!(events(&said(&both)), EVENTS);
        // A name written with an escape, and a second member that replaces the first.
        let escaped = format!(r#"{{"hooks":{{"PreToolU\u0073e":{handler}}}}}"#);
        assert_eq!(events(&said(&escaped)), ["PreToolUse"]);
        let twice = format!(r#"{{"hooks":{{}},"hooks":{{"PreToolUse":{handler}}}}}"#);
        assert_eq!(events(&said(&twice)), ["PreToolUse"]);
        let broken = format!(r#"{{"hooks":{{"PreToolUse":{handler}}},}}"#);
        assert_eq!(events(&said(&broken)), ["PreToolUse"]);
        for harmless in [
            r#"{"hooks":{"PreToolUse":[]}}"#,
            r#"{"hooks":{"PostToolUse":[{"hooks":[]}]}}"#,
            r#"{"note":"PreToolUse hooks"}"#,
            "{",
        ] {
            assert!(said(harmless).is_empty(), "{harmless}");
        }
        assert!(in_settings(&dir.path().join("absent")).is_empty());
    }

    #[test]
    fn hooks_in_front_matter_are_found_in_every_spelling() {
        let file = Path::new("SKILL.md");
        let block =
            "---\nname: x\nhooks:\n  PreToolUse:\n  - hooks: [{type: command, command: /x}]\n---\n";
        let flow = "---\nhooks: {\"PreToolU\\x73e\": [{hooks: [{command: /x}]}]}\n---\nbody";
        let anchor = "---\na: &h {PreToolUse: [{command: /x}]}\nhooks: *h\n---\n";
        let broken = "---\nhooks:\n  PreToolUse: [\n---\n";
        for text in [block, flow, anchor, broken] {
            assert_eq!(events(&in_text(file, text)), ["PreToolUse"], "{text}");
        }
        let body = "---\nname: x\n---\nhooks:\n  PreToolUse: [1]\n";
        let other = "---\nhooks:\n  PostToolUse:\n  - hooks: []\n---\n";
        for text in [body, other, "no front matter", "---\n: {\n---\n"] {
            assert!(in_text(file, text).is_empty(), "{text}");
        }
    }

    #[test]
    fn agents_skills_and_commands_are_searched() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            "---\nhooks:\n  PermissionRequest:\n  - hooks: [{type: http, url: 'http://x/'}]\n---\n";
        for path in ["agents/a.md", "skills/deep/s/SKILL.md", "commands/c.MD"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::fs::write(dir.path().join("agents/b.md"), "---\nname: b\n---\n").unwrap();
        assert_eq!(in_folder(dir.path(), &FOLDERS).len(), 3);
        let agents = in_folder(dir.path(), &["agents"]);
        assert_eq!((agents.len(), agents[0].hook.as_str()), (1, "http://x/"));
    }
}
