//! Files that a prompt brings in with `@path`.
//!
//! Owns finding them in the text. Claude Code puts their content into the request without a tool call,
//! so the prompt is the only place where a rule about reading can hold.
//!
//! Source: Claude Code findings 1.1, "What never reaches PreToolUse".

use std::path::Path;

/// Most files that one prompt may bring in: each costs a decision and a record. A prompt with more
/// is refused, for what is not judged must not be read.
const FILES_MAX: usize = 32;

/// Absolute paths of existing files and folders that the prompt names, in order, without repeats.
///
/// A word such as `@ann` that names nothing on disk brings nothing in and is left out. `None` where
/// there are more than [`FILES_MAX`]; the caller refuses the prompt.
pub fn files(prompt: &str, cwd: &str, home: &Path) -> Option<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for word in words(prompt) {
        let path = match word.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => Path::new(cwd).join(&word),
        };
        let path = path.to_string_lossy().into_owned();
        if found.contains(&path) || !Path::new(&path).exists() {
            continue;
        }
        if found.len() == FILES_MAX {
            return None;
        }
        found.push(path);
    }
    Some(found)
}

/// What follows each `@` that begins a word: quoted text, or everything up to white space.
fn words(prompt: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut before = ' ';
    for (position, letter) in prompt.char_indices() {
        let begins = letter == '@' && (before.is_whitespace() || "([{'\"`".contains(before));
        before = letter;
        if !begins {
            continue;
        }
        let rest = prompt.get(position + 1..).unwrap_or_default();
        let word = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => rest.split(char::is_whitespace).next().unwrap_or_default(),
        };
        // A line range or closing punctuation is not part of the name.
        let word = word.split('#').next().unwrap_or_default();
        words.push(
            word.trim_end_matches([',', '.', ';', ':', ')', '!', '?', '\'', '`'])
                .to_owned(),
        );
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_found_where_claude_code_finds_them() {
        let found = words("see @src/a.rs, (@~/.ssh/id) and @\"my file.txt\" a@b.com @x.md#L1-3.");
        assert_eq!(found, ["src/a.rs", "~/.ssh/id", "my file.txt", "x.md"]);
    }

    #[test]
    fn only_what_exists_is_brought_in() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), "x").unwrap();
        let cwd = folder.path().to_string_lossy().into_owned();
        let found = files("@a.txt @a.txt @ann @~/a.txt", &cwd, folder.path());
        assert_eq!(found.unwrap(), [format!("{cwd}/a.txt")]);
    }

    #[test]
    fn a_prompt_with_more_files_than_are_judged_is_not_judged_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().to_string_lossy().into_owned();
        let mut prompt = String::new();
        for number in 0..=FILES_MAX {
            assert!(files(&prompt, &cwd, folder.path()).is_some());
            std::fs::write(folder.path().join(format!("f{number}")), "x").unwrap();
            prompt.push_str(&format!("@f{number} "));
        }
        assert_eq!(files(&prompt, &cwd, folder.path()), None);
    }
}
