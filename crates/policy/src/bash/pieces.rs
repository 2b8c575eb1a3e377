//! What a line that is no valid shell text may be meant as.
//!
//! Owns its pieces between operators, without what quotes their words, and behind what comes before a command:
//! keywords, assignments, launchers. Denies and asks are compared with them, as Claude Code does; no such line
//! is ever allowed.
//! Source: observed verdicts of Claude Code 2.1.330.

use super::launchers::launcher;
use super::vars::is_name;
use super::whole;

/// What stands between two pieces.
const OPERATORS: &[char] = &['\n', ';', '|', '&', '(', ')', '{', '}', '`'];

/// Words that a command follows.
const KEYWORDS: &[&str] = &[
    "!", "if", "then", "else", "elif", "while", "until", "do", "time",
];

/// Most words before a command: those that come off, with their options and operands.
const MAX_BEFORE: usize = 8;

/// The line itself, and what stands between operators, each once.
pub(crate) fn of(source: &str) -> Vec<String> {
    let pieces = source.split(OPERATORS);
    let operators = source.split(['\n', ';', '|', '&']).chain([source]);
    let mut texts: Vec<String> = pieces
        .chain(operators)
        .map(|piece| piece.split_whitespace().collect::<Vec<_>>().join(" "))
        .chain(whole::unread(source))
        .flat_map(|text| [text.replace(['\'', '"', '\\'], ""), text])
        .flat_map(|text| [behind(&text), vec![text]].concat())
        .filter(|text| !text.is_empty())
        .collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Where the command of a piece may begin, if something comes before it or it is named by a path.
fn behind(piece: &str) -> Vec<String> {
    let mut found = Vec::new();
    if piece.contains(OPERATORS) {
        return found;
    }
    let (mut rest, mut launched) = (piece, false);
    for _ in 0..MAX_BEFORE {
        let (word, next) = rest.split_once(' ').unwrap_or((rest, ""));
        let name = word.rsplit('/').next().unwrap_or(word);
        if name.len() < word.len() && !name.is_empty() {
            let arguments = rest.get(word.len()..).unwrap_or_default();
            found.push(format!("{name}{arguments}"));
        }
        // What follows a launcher may be its options and their values.
        launched |= launcher(name, &[]).is_some();
        if next.is_empty() || !(launched || precedes(name)) {
            break;
        }
        found.push(next.to_owned());
        rest = next;
    }
    found
}

/// Whether a command follows a word.
fn precedes(word: &str) -> bool {
    let assigned = word.split_once('=').is_some_and(|(name, _)| is_name(name));
    assigned || KEYWORDS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_found_behind_what_comes_before_it() {
        for line in [
            "sudo -u x tail x &&",
            "X=1 tail x &&",
            "ls; 'sudo' env A=1 tail x (",
            "/bin/tail x (",
            "for i in 1; do tail x",
            "echo $(tail x",
            "{ ! tail x",
        ] {
            let found = of(line);
            assert!(
                found.iter().any(|text| text.starts_with("tail x")),
                "{line}: {found:?}"
            );
        }
        assert!(
            !of("echo tail x (")
                .iter()
                .any(|text| text.starts_with("tail"))
        );
    }
}
