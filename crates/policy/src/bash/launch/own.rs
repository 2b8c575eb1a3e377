//! Programs that start others by a syntax of their own: `find`, `xargs`, `git`, `awk`.
//!
//! Owns what they run and where they leave it to run time.
//! Source: Claude Code findings 2.3 and 2.4.

use super::{Launched, VIEW_STEPS, join, starts};
use crate::bash::escapes;
use crate::bash::launchers::launcher;
use crate::bash::scan::Word;

pub(super) fn find(arguments: &[Word], found: &mut Launched<'_>) {
    const ACTIONS: &[&str] = &[
        "-exec",
        "-execdir",
        "-ok",
        "-okdir",
        "-x",
        "-X",
        "--exec",
        "--exec-batch",
    ];
    for (position, word) in arguments.iter().enumerate() {
        if !ACTIONS.iter().any(|action| word.is(action)) {
            continue;
        }
        if found.is_full() {
            return found.hide("too many launchers");
        }
        let rest = arguments.get(position + 1..).unwrap_or_default();
        let end = rest
            .iter()
            .position(|word| word.is(";") || word.is("+"))
            .unwrap_or(rest.len());
        let inner = rest.get(..end).unwrap_or_default();
        if found.afford(inner, VIEW_STEPS) {
            let inner: Vec<Word> = inner.iter().map(|word| filled_in(word, "{}")).collect();
            found.view(&inner);
        }
    }
}

pub(super) fn xargs(name: &str, arguments: &[Word], found: &mut Launched<'_>) {
    if name == "parallel" {
        found.hide("commands built by parallel");
    }
    let Some(known) = launcher("xargs", arguments) else {
        return;
    };
    let mut placeholders: Vec<&str> = escapes::values(arguments, &["-I", "--replace"])
        .into_iter()
        .flatten()
        .collect();
    placeholders.push("{}");
    placeholders.retain(|text| !text.is_empty());
    placeholders.sort_unstable();
    placeholders.dedup();
    if !found.afford(arguments, placeholders.len()) {
        return;
    }
    let mut filled: Vec<Word> = arguments.to_vec();
    for placeholder in &placeholders {
        for word in &mut filled {
            if word
                .literal()
                .is_some_and(|text| text.contains(placeholder))
            {
                *word = Word::unknown(placeholder);
            }
        }
    }
    filled.push(Word::unknown("…"));
    for start in starts(&known, arguments) {
        if found.is_full() {
            return found.hide("too many launchers");
        }
        found.view(filled.get(start..).unwrap_or_default());
    }
}

/// A word in which something is put at run time is not known.
fn filled_in(word: &Word, placeholder: &str) -> Word {
    match word.literal() {
        Some(text) if text.contains(placeholder) => Word::unknown(placeholder),
        _ => word.clone(),
    }
}

pub(super) fn git(arguments: &[Word], found: &mut Launched<'_>) {
    for (position, word) in arguments.iter().enumerate() {
        let after = arguments.get(position + 1..).unwrap_or_default();
        let Some(text) = word.literal() else { continue };
        let reads_on = matches!(text, "foreach" | "config" | "run");
        if reads_on && !found.afford(after, 1) {
            return;
        }
        match text {
            "-c" | "--config-env" => match after.first().map(Word::literal) {
                Some(Some(setting)) => {
                    if let Some((_, command)) = setting.split_once("=!") {
                        found.script(Some(command.to_owned()));
                    } else if setting.to_lowercase().starts_with("alias.") {
                        found.hide("a git alias made on the line");
                    } else if runs_a_program(setting) {
                        found.hide("a program named by a git setting");
                    }
                }
                _ => found.hide("a git setting made at run time"),
            },
            text if text.starts_with("--config-env=") => {
                found.hide("a git setting made at run time");
            }
            "-x" | "--exec" => {
                found.script(after.first().and_then(Word::literal).map(str::to_owned));
            }
            "foreach" => found.script(join(after)),
            "config" => match after.iter().map(Word::literal).collect::<Option<Vec<_>>>() {
                Some(words) => {
                    if let Some(command) = words.iter().find_map(|word| word.strip_prefix('!')) {
                        found.script(Some(command.to_owned()));
                    } else if words.iter().any(|word| word.starts_with("alias.")) {
                        let command = words.last().copied().unwrap_or_default();
                        found.script(Some(format!("git {command}")));
                    } else if words.len() > 1 && words.iter().any(|word| runs_a_program(word)) {
                        found.script(words.last().map(|word| (*word).to_owned()));
                    }
                }
                None => found.hide("a git setting made at run time"),
            },
            "run"
                if position > 0 && arguments.get(position - 1).is_some_and(|w| w.is("bisect")) =>
            {
                found.view(after);
            }
            _ => {}
        }
    }
}

fn runs_a_program(setting: &str) -> bool {
    let key = setting.split('=').next().unwrap_or_default().to_lowercase();
    [
        "pager",
        "editor",
        "command",
        "helper",
        "hookspath",
        "sshcommand",
        "external",
        "driver",
        "cmd",
        "fsmonitor",
        "askpass",
        "gitproxy",
        "textconv",
        "program",
        "uploadpack",
        "receivepack",
    ]
    .iter()
    .any(|word| key.contains(word))
}

pub(super) fn awk(arguments: &[Word], found: &mut Launched<'_>) {
    for word in arguments {
        match word.literal() {
            None => found.hide("an awk program made at run time"),
            Some(text) if text.contains("system") || text.contains('|') => {
                found.hide("an awk program that runs commands");
            }
            Some(_) => {}
        }
    }
}
