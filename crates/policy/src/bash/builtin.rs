//! Commands that Claude Code runs without any rule, for conformance with its own default.
//!
//! Owns the observed list of read-only commands. It is not part of the product's decision: with a
//! default of `no-opinion` the agent applies its own list.
//! Source: Claude Code findings 2.2 (built-in read-only).

use super::command::Command;
use super::scan::Word;
use super::{Line, strip};
use crate::glob::known_text;
use crate::paths;

/// Programs that only show things, whatever their arguments, if those stay inside the project.
const READ_ONLY: &[&str] = &[
    "ls", "cat", "head", "tail", "wc", "sort", "grep", "rg", "diff", "file", "stat", "du", "df",
    "tree", "jq", "echo", "pwd", "which", "date", "whoami", "uname", "ps", "id", "hostname",
    "true", "test", "sleep", "cd",
];

/// Subcommands of git that only show things.
const GIT_READ_ONLY: &[&str] = &["status", "log", "diff", "show", "branch"];

/// Whether Claude Code runs the command without asking and without a rule.
pub(crate) fn runs_unasked(command: &Command, line: &Line, cwd: &str, home: &str) -> bool {
    if command.words.is_empty() {
        return command
            .assigns
            .iter()
            .all(|assign| is_private(&assign.name));
    }
    if command.distrust().is_some() || !command.assigns.is_empty() {
        return false;
    }
    let words = strip::innermost(command);
    let Some((program, rest)) = words.split_first() else {
        return false;
    };
    let Some(name) = program.literal() else {
        return false;
    };
    let shows = match name.as_str() {
        "find" => strip::only_exact(command).is_none(),
        "sed" => !rest
            .iter()
            .any(|word| word.raw.starts_with("-i") || word.raw.contains("w ")),
        "git" => {
            let shows = rest
                .first()
                .and_then(Word::literal)
                .is_some_and(|subcommand| {
                    GIT_READ_ONLY.contains(&subcommand.as_str())
                        || (subcommand == "remote" && rest.get(1).is_some_and(|word| word.is("-v")))
                });
            shows && line.directories.len() == 1 && !line.unknown_directory
        }
        "docker" => rest.first().is_some_and(|word| word.is("ps")),
        "node" | "python3" => rest.len() == 1 && rest.iter().all(|word| word.is("--version")),
        name => READ_ONLY.contains(&name),
    };
    shows && rest.iter().all(|word| stays_inside(word, line, cwd, home))
}

fn stays_inside(word: &Word, line: &Line, cwd: &str, home: &str) -> bool {
    if word.raw.starts_with('-') {
        return true;
    }
    line.absolute_forms(&word.path, home)
        .iter()
        .all(|form| known_text(form).is_none_or(|path| paths::is_within(&path, cwd)) || word.wild)
}

/// A variable that programs do not look at by convention: short or in lower case.
pub(crate) fn is_private(name: &str) -> bool {
    const LONGEST_PRIVATE: usize = 2;
    name != "IFS"
        && name != "ENV"
        && (name.len() <= LONGEST_PRIVATE || name.chars().any(|c| c.is_ascii_lowercase()))
        && !name.contains("_config_")
        && !name.ends_with("_proxy")
}
