//! The texts of a line as a whole, for denies and asks.
//!
//! Claude Code also compares a rule with the whole line as soon as it holds a pipeline or anything that it
//! cannot check before it runs: then `Bash(npm*cat)` denies `npm push | cat`. Owns when that is so and how
//! the line is written then. It is at most less often left out here than there: only chains of plain
//! words are, of which each command is compared by itself.
//! Source: observed verdicts of Claude Code 2.1.330.

use super::Line;
use super::scan::Word;
use super::strip;
use super::vars::is_name;
use crate::glob::{Sym, Text};
use std::collections::HashSet;
use std::sync::LazyLock;

/// Words that keep a line from being a plain chain: what runs its arguments, reads or changes the shell, or is
/// checked by what its arguments say.
const NEVER_PLAIN_WORDS: &str = "\
    . alias autoload awk bind bindkey case cd chgrp chmod chown chrt compdef compgen complete coproc cp \
    dd emulate enable env eval exec fc fd find flock function hash history install ionice jq let ln \
    mapfile mkdir mv nocorrect noglob popd pushd readarray repeat rm rmdir sched sed select set setopt \
    setsid shopt shred sort source strace sysopen sysread syswrite tee time touch trap truncate unsetopt \
    unshare watch xargs zcompile zformat zmodload zparseopts zpty zsocket zstyle ztcp";

/// The same, so that a word is looked up and not compared with each.
static NEVER_PLAIN: LazyLock<HashSet<&str>> =
    LazyLock::new(|| NEVER_PLAIN_WORDS.split(' ').collect());

/// Beside letters and digits, what a plain chain is made of.
const PLAIN: &str = "_./,:@%+-=;&?*\"'";

/// Words of other characters that belong to a plain chain.
const HARMLESS: &[&str] = &[
    "||",
    "2>&1",
    "1>&2",
    ">/dev/null",
    "2>/dev/null",
    "[",
    "]",
    "[[",
    "]]",
    "!",
];

/// The whole line in every form that a deny or ask is compared with; none for a chain of plain words.
pub(crate) fn texts(line: &Line) -> Vec<String> {
    let spaced = spaced(&line.source);
    if is_plain(&spaced) {
        return Vec::new();
    }
    let mut texts = heads(line, &spaced);
    texts.push(spaced);
    with_and_without_redirections(texts)
}

/// A line that could not be read, in every such form.
pub(crate) fn unread(source: &str) -> Vec<String> {
    with_and_without_redirections(vec![spaced(source)])
}

fn with_and_without_redirections(mut texts: Vec<String>) -> Vec<String> {
    let without: Vec<String> = texts
        .iter()
        .map(|text| without_redirections(text))
        .collect();
    texts.extend(without);
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Whether a line is nothing but commands of plain words, one after the other.
fn is_plain(spaced: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || PLAIN.contains(c);
    let is_plain_word = |word: &str| {
        let bare = word.trim_matches(['"', '\'']);
        let assigned = word.starts_with('=') || word.starts_with("IFS=");
        let known = HARMLESS.contains(&word) || word.chars().all(plain);
        known && !assigned && !is_never_plain(bare)
    };
    spaced.split(' ').all(is_plain_word)
}

fn is_never_plain(word: &str) -> bool {
    NEVER_PLAIN.contains(word)
}

/// A line without what is redirected, as far as its words show it.
fn without_redirections(spaced: &str) -> String {
    let mut kept = Vec::new();
    let mut words = spaced.split(' ');
    while let Some(word) = words.next() {
        let found = word
            .find(['<', '>'])
            .filter(|_| !word.contains(['\'', '"', '(', '$', '`']));
        let Some((before, redirection)) = found.and_then(|at| word.split_at_checked(at)) else {
            kept.push(word);
            continue;
        };
        let before = before.strip_suffix('&').unwrap_or(before);
        if !before.chars().all(|c| c.is_ascii_digit()) {
            kept.push(before);
        }
        if redirection
            .trim_start_matches(['<', '>', '&', '|', '-'])
            .is_empty()
        {
            words.next();
        }
    }
    kept.join(" ")
}

/// The line without what comes off its first command: assignments, wrappers, quotes around the command word.
fn heads(line: &Line, spaced: &str) -> Vec<String> {
    let Some(first) = line.commands.first() else {
        return Vec::new();
    };
    let timed = ["time -p ", "time "]
        .iter()
        .find_map(|time| spaced.strip_prefix(time));
    let assigned = first.assigns.iter().map(|assign| &assign.whole);
    let Some(mut rest) = behind(timed.unwrap_or(spaced), assigned) else {
        return Vec::new();
    };
    let mut texts = Vec::new();
    let mut words = first.words.as_slice();
    for stage in std::iter::once(words).chain(strip::unwrapped(words)) {
        let taken = words.len().saturating_sub(stage.len());
        let plain = stage.iter().take_while(|word| assigns(word)).count();
        let Some(behind_wrapper) = behind(rest, words.iter().take(taken)) else {
            break;
        };
        let Some(command) = behind(behind_wrapper, stage.iter().take(plain)) else {
            break;
        };
        if let Some(program) = stage.get(plain)
            && let Some(arguments) = command.strip_prefix(program.raw.as_str())
        {
            let name = program.literal().unwrap_or(&program.raw);
            texts.push(format!("{name}{arguments}"));
        }
        (rest, words) = (behind_wrapper, stage);
    }
    texts
}

/// Whether a word behind a wrapper is an assignment.
fn assigns(word: &Word) -> bool {
    let text = word.literal().and_then(|text| text.split_once('='));
    text.is_some_and(|(name, _)| is_name(name))
}

/// What follows these words, which a text begins with; `None` where it does not.
fn behind<'a, 'b>(text: &'a str, mut words: impl Iterator<Item = &'b Word>) -> Option<&'a str> {
    words.try_fold(text, |text, word| {
        let rest = text.strip_prefix(word.raw.as_str())?;
        Some(rest.trim_start())
    })
}

/// A whole line without the commands that are answered by themselves, and without what joined them.
pub(crate) fn without(whole: &[Sym], is_answered: impl Fn(&Text) -> bool) -> Text {
    let words: Vec<&[Sym]> = whole.split(|sym| *sym == BLANK).collect();
    let mut kept: Vec<&[Sym]> = Vec::new();
    for piece in words.split_inclusive(|word| is_operator(word)) {
        let joined = piece.last().is_some_and(|last| is_operator(last));
        let command = piece.get(..piece.len() - usize::from(joined));
        let command = command.unwrap_or_default().join(&BLANK);
        if command.is_empty() || !is_answered(&Text::new(command)) {
            kept.extend(piece);
        }
    }
    while kept.last().is_some_and(|last| is_operator(last)) {
        kept.pop();
    }
    Text::new(kept.join(&BLANK))
}

const BLANK: Sym = Sym::Char(' ');

/// Whether a word joins two commands.
fn is_operator(word: &[Sym]) -> bool {
    let joins = |sym: &Sym| matches!(sym, Sym::Char(';' | '|' | '&'));
    !word.is_empty() && word.iter().all(joins)
}

/// A line with one blank around every operator and between words, without comments and here-documents.
fn spaced(source: &str) -> String {
    let mut writer = Writer::default();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                writer.text.push(c);
                writer.text.extend(chars.next());
            }
            '\'' | '"' => {
                writer.text.push(c);
                while let Some(inside) = chars.next() {
                    writer.text.push(inside);
                    if inside == '\\' && c == '"' {
                        writer.text.extend(chars.next());
                    } else if inside == c {
                        break;
                    }
                }
            }
            '#' if writer.begins_word() => while chars.next_if(|c| *c != '\n').is_some() {},
            '\n' => {
                writer.text.push(' ');
                for tag in std::mem::take(&mut writer.documents) {
                    skip_document(&mut chars, &tag);
                }
            }
            '<' if chars.peek() == Some(&'<') => {
                let mut opening = String::from('<');
                while let Some(c) = chars.next_if(|c| matches!(c, '<' | '-')) {
                    opening.push(c);
                }
                writer.text.push_str(&opening);
                if opening == "<<" || opening == "<<-" {
                    let tag = tag(&mut chars);
                    writer.text.push_str(&tag);
                    let bare = tag.trim().replace(['\'', '"', '\\'], "");
                    writer.documents.push(bare);
                }
            }
            ';' | '|' => writer.operator(c, chars.next_if(|next| matches!(next, ';' | '|' | '&'))),
            '&' if writer.text.ends_with(['>', '<']) || chars.peek() == Some(&'>') => {
                writer.text.push(c)
            }
            '&' => writer.operator(c, chars.next_if_eq(&'&')),
            other => writer.text.push(other),
        }
    }
    let words = writer.text.split([' ', '\t', '\n']);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// What is written of a line so far.
#[derive(Default)]
struct Writer {
    text: String,
    /// The tags of here-documents that begin on the next line.
    documents: Vec<String>,
}

impl Writer {
    fn begins_word(&self) -> bool {
        let last = self.text.chars().last();
        last.is_none_or(char::is_whitespace)
    }

    fn operator(&mut self, first: char, second: Option<char>) {
        self.text.push(' ');
        self.text.push(first);
        self.text.extend(second);
        self.text.push(' ');
    }
}

/// The tag of a here-document, with the blanks before it.
fn tag(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut tag = String::new();
    while let Some(c) = chars.next_if(|c| matches!(c, ' ' | '\t')) {
        tag.push(c);
    }
    while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !";|&()<>".contains(*c)) {
        tag.push(c);
    }
    tag
}

/// Goes on behind the last line of a here-document.
fn skip_document(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, tag: &str) {
    while chars.peek().is_some() {
        let line: String = chars.by_ref().take_while(|c| *c != '\n').collect();
        if line.trim_start_matches('\t') == tag {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_stand_apart_and_comments_and_documents_are_left_out() {
        for (source, expected) in [
            ("npm push|cat  x", "npm push | cat x"),
            ("npm push;cat&&ls||x&", "npm push ; cat && ls || x &"),
            ("npm push |& cat 2>&1 &> o", "npm push |& cat 2>&1 &> o"),
            ("npm 'a;b' \"c|\\\"d\" e\\;f", "npm 'a;b' \"c|\\\"d\" e\\;f"),
            ("ls $X # push\ncat a#b", "ls $X cat a#b"),
            ("cat <<'E' | ls\na push b\nE\npwd", "cat <<'E' | ls pwd"),
            ("cat <<-E <<F\n\ta\n\tE\nb\nF\npwd", "cat <<-E <<F pwd"),
            ("cat <<< x | ls", "cat <<< x | ls"),
            ("cat <<E", "cat <<E"),
        ] {
            assert_eq!(spaced(source), expected, "{source}");
        }
    }

    #[test]
    fn redirections_are_taken_out() {
        for (text, expected) in [
            ("npm push > o | cat x 2>&1", "npm push | cat x"),
            ("npm push>o 2>> err < in | cat", "npm push | cat"),
            (
                "npm push &> o ; cat <(ls) 'a>b'",
                "npm push ; cat <(ls) 'a>b'",
            ),
            ("cat <<E | x1>o", "cat | x1"),
        ] {
            assert_eq!(without_redirections(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_answered_is_left_out_with_its_operator() {
        for (whole, expected) in [
            ("npm cat ; npm push | cat", "npm push | cat"),
            ("npm push | npm cat && ls $X", "npm push | ls $X"),
            ("ls $X ; npm cat", "ls $X"),
            ("npm cat || npm cat &", ""),
            ("npm cat 'a ; b' ; ls", "npm cat 'a ; b' ; ls"),
            ("ls > o", "ls > o"),
        ] {
            let text = Text::known(whole);
            let npm_cat = Text::known("npm cat");
            let rest = without(&text, |command| **command == *npm_cat);
            assert_eq!(*rest, *Text::known(expected), "{whole}");
        }
    }

    #[test]
    fn only_chains_of_plain_words_are_no_whole() {
        for plain in [
            "npm push; cat 'a b'",
            "npm push && ls *\nfor i in a b; do ls; done # $X",
            "npm push || X=1 ls --a=b 2>&1",
        ] {
            assert!(is_plain(&spaced(plain)), "{plain}");
        }
        for other in [
            "npm push | cat",
            "ls $X",
            "ls > o",
            "ls {a,b}",
            "ls ~",
            "a b\\ c",
            "npm push; eval ls",
            "npm push;rm x",
            "npm push; 'eval' x",
            "IFS=1",
            "ls =x",
            "(ls)",
            "cat <<E\nE",
        ] {
            assert!(!is_plain(&spaced(other)), "{other}");
        }
    }
}
