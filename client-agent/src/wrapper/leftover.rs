//! Rules in the developer's own settings files that Claude Code applies before it asks Cairn.
//!
//! Owns finding them. A deny rule of a file tool is checked before any hook is called: the action is
//! refused as it should be, and nothing records that it was tried.
//!
//! Source: Claude Code findings 1.4 and 1.5.

use super::inventory::{InventoryError, read};
use crate::policy::is_file_rule;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A deny rule that leaves no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The settings file.
    pub file: PathBuf,
    /// The rule as written there.
    pub rule: String,
}

/// The settings files that apply in `cwd`, with `config` the agent's configuration folder.
pub fn settings_files(cwd: &Path, config: &Path) -> Vec<PathBuf> {
    let mut files = vec![config.join("settings.json")];
    for folder in cwd.ancestors() {
        for name in ["settings.json", "settings.local.json"] {
            let file = folder.join(".claude").join(name);
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}

/// Finds them in `files`; a file that cannot be read is an error of its own, the rest is searched.
pub fn leftovers(files: &[PathBuf]) -> (Vec<Leftover>, Vec<InventoryError>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        let settings = match read(file) {
            Ok(Some(settings)) => settings,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let rules = settings
            .pointer("/permissions/deny")
            .and_then(Value::as_array);
        let rules = rules.into_iter().flatten().filter_map(Value::as_str);
        found.extend(
            rules
                .filter(|rule| is_file_rule(rule))
                .map(|rule| Leftover {
                    file: file.clone(),
                    rule: rule.to_owned(),
                }),
        );
    }
    (found, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_rules_of_file_tools_are_found_in_every_scope() {
        let dir = tempfile::tempdir().unwrap();
        let (cwd, config) = (dir.path().join("repo/sub"), dir.path().join("cfg"));
        let write = |path: PathBuf, text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        std::fs::create_dir_all(&cwd).unwrap();
        write(
            config.join("settings.json"),
            r#"{"permissions":{"deny":["Read(~/.ssh/**)","Bash(rm *)"],"allow":["Read(a)"]}}"#,
        );
        write(
            dir.path().join("repo/.claude/settings.local.json"),
            r#"{"permissions":{"deny":["Edit(**/*.yml)"]}}"#,
        );
        write(cwd.join(".claude/settings.json"), "not json");
        let (found, problems) = leftovers(&settings_files(&cwd, &config));
        let rules: Vec<_> = found.iter().map(|one| one.rule.as_str()).collect();
        assert_eq!(rules, ["Read(~/.ssh/**)", "Edit(**/*.yml)"]);
        assert_eq!(problems.len(), 1);
    }
}
