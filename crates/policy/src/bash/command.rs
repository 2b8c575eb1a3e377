//! One simple command of a line, and the texts that rules are compared with.
//!
//! Owns the command's shape. An allow is compared with the text as written, a deny with every text
//! the command may run as.
//! Source: architecture section 4, item 1; Claude Code findings 2.2 and 2.3.

use super::escapes;
use super::guard::Unreadable;
use super::launch;
use super::scan::Word;
use crate::glob::{Sym, Text, known_text, syms};
use crate::work::Work;
use std::rc::Rc;

/// Longest label of a command in a decision, in characters: the full text is in the request.
const MAX_LABEL_CHARS: usize = 200;

/// Most words that are searched for a subcommand behind options.
const MAX_OPTION_WORDS: usize = 32;

/// Steps of each symbol of an argument vector: the texts it is made into, with a subcommand behind
/// options in up to [`MAX_OPTION_WORDS`] places.
const TEXT_STEPS: usize = 40;

/// Programs whose first plain argument is a subcommand that global options may precede.
const SUBCOMMAND_PROGRAMS: &[&str] = &[
    "git",
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "oc",
    "helm",
    "aws",
    "gcloud",
    "az",
    "gh",
    "glab",
    "terraform",
    "tofu",
    "pulumi",
    "npm",
    "pnpm",
    "yarn",
    "bun",
    "cargo",
    "systemctl",
    "brew",
    "apt",
    "apt-get",
    "dnf",
    "yum",
    "pip",
    "pip3",
    "uv",
    "flyctl",
    "heroku",
    "vault",
    "nix",
];

/// Steps of comparing a word of one command with that of another.
const COMPARED_WORD_STEPS: usize = 4;

/// How a file is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// Its content is read or its existence looked at.
    Read,
    /// It is created, changed or removed.
    Write,
}

/// A redirection to or from a file.
#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    /// How the file is touched.
    pub access: Access,
    /// The file.
    pub file: Word,
}

/// An assignment before a command or on its own.
#[derive(Clone, Debug)]
pub(crate) struct Assign {
    /// The variable.
    pub name: String,
    /// `NAME=VALUE` as written.
    pub whole: Word,
}

/// What feeds a command's standard input.
#[derive(Clone, Debug, Default)]
pub(crate) enum Stdin {
    /// Nothing on this line.
    #[default]
    Inherited,
    /// Another command or a file.
    Unknown,
    /// A here-document or here-string.
    Text(Word),
}

/// One simple command.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// The command word and its arguments; empty for bare assignments and redirections.
    pub words: Vec<Word>,
    /// Assignments before the command word.
    pub assigns: Vec<Assign>,
    /// Redirections to and from files.
    pub redirects: Vec<Redirect>,
    /// Redirections as written, which a deny pattern is compared with too; here-documents are not.
    pub redirections: Vec<String>,
    /// What feeds standard input.
    pub stdin: Stdin,
    /// Why no pattern may allow it, however well its text matches.
    pub blocker: Option<&'static str>,
    /// Whether the line goes on without waiting for it: no pattern may allow that either.
    pub background: bool,
    /// How many pipes of the line itself are before it.
    pub stretch: usize,
    /// Whether it needs an allow of its own; a script inside a launcher's argument does not.
    pub required: bool,
    /// Why it may run anything: then every deny on a command possibly matches.
    pub opaque: Option<&'static str>,
    /// The argument vectors it runs as: itself, and what its launchers start.
    pub views: Vec<Rc<[Word]>>,
}

impl Command {
    /// The command in words, shortened.
    pub(crate) fn label(&self) -> String {
        let words = self
            .assigns
            .iter()
            .map(|assign| &assign.whole)
            .chain(&self.words);
        let text = words
            .map(|word| word.raw.as_str())
            .collect::<Vec<_>>()
            .join(" ");
        shorten(&text)
    }

    /// The command word's value, if known.
    pub(crate) fn program(&self) -> Option<&str> {
        self.words.first().and_then(Word::literal)
    }

    /// Looks through launchers: fills [`Self::views`] and [`Self::opaque`], returns scripts to read.
    ///
    /// Errors: [`Unreadable::TooMuch`].
    pub(crate) fn look_through(&mut self, work: &Work) -> Result<Vec<String>, Unreadable> {
        let mut found = launch::look_through(&self.words, &self.stdin, work)?;
        for assign in &self.assigns {
            escapes::assignment(&assign.whole, &mut found);
        }
        self.views = found.views;
        self.opaque = self.opaque.or(found.opaque);
        Ok(found.scripts)
    }

    /// Whether both run the same in every way that a rule can look at. Says no once the budget is
    /// exhausted.
    pub(crate) fn runs_as(&self, other: &Self, work: &Work) -> bool {
        if !work.spend(1 + self.words.len()) || self.words != other.words {
            return false;
        }
        let words = self.views.iter().map(|view| view.len()).sum::<usize>();
        if !work.spend(COMPARED_WORD_STEPS * (words + self.redirects.len())) {
            return false;
        }
        let files = |command: &Self| -> Vec<_> {
            let redirects = command.redirects.iter();
            redirects
                .map(|one| (one.access, one.file.clone()))
                .collect()
        };
        let assigns = |command: &Self| -> Vec<_> {
            let assigns = command.assigns.iter();
            assigns.map(|one| one.whole.clone()).collect()
        };
        self.views == other.views
            && self.opaque == other.opaque
            && self.redirections == other.redirections
            && files(self) == files(other)
            && assigns(self) == assigns(other)
    }

    /// Every text a deny or ask pattern is compared with.
    ///
    /// Errors: [`Unreadable::TooMuch`].
    pub(crate) fn deny_texts(&self, work: &Work) -> Result<Vec<Text>, Unreadable> {
        let mut texts = Vec::new();
        for view in &self.views {
            let size = view.iter().map(|word| word.value.len() + 1).sum::<usize>();
            if !work.spend(TEXT_STEPS * size) {
                return Err(Unreadable::TooMuch);
            }
            push_view_texts(view, &mut texts);
        }
        if !self.assigns.is_empty() {
            let all: Vec<&Word> = self
                .assigns
                .iter()
                .map(|assign| &assign.whole)
                .chain(&self.words)
                .collect();
            texts.push(join(all.iter().map(|word| word.value.as_slice())));
        }
        if !self.redirections.is_empty() {
            let tail = syms(&format!(" {}", self.redirections.join(" ")));
            if !work.spend(texts.len() * tail.len()) {
                return Err(Unreadable::TooMuch);
            }
            let longer: Vec<Vec<Sym>> = texts
                .iter()
                .map(|text| [text.as_slice(), tail.as_slice()].concat())
                .collect();
            texts.extend(longer);
        }
        texts.sort_unstable_by_key(Vec::len);
        texts.dedup();
        Ok(texts.into_iter().map(Text::new).collect())
    }

    /// What forbids an allow pattern to trust the text, in the background or not.
    pub(crate) fn distrust(&self) -> Option<&'static str> {
        self.blocker
            .or_else(|| self.words.iter().find_map(|word| word.blocker))
            .or_else(|| self.assigns.iter().find_map(|assign| assign.whole.blocker))
            .or_else(|| super::vars::odd_declaration(&self.words))
    }
}

fn push_view_texts(view: &[Word], texts: &mut Vec<Vec<Sym>>) {
    let Some((program, arguments)) = view.split_first() else {
        return;
    };
    let base = basename(&program.value);
    texts.push(join(view.iter().map(|word| word.value.as_slice())));
    let is_written_otherwise = |word: &Word| word.literal().is_some_and(|text| text != word.raw);
    if view.iter().any(is_written_otherwise) {
        let raw: Vec<_> = view.iter().map(raw_unless_unknown).collect();
        texts.push(join(raw.iter().map(Vec::as_slice)));
    }
    if view
        .iter()
        .any(|word| is_unread(word) || word.value.is_empty())
    {
        // A word that expands to nothing is no word at all; and Claude Code denies what stands before the
        // first one that it cannot read.
        let present = view.iter().map(|word| word.value.as_slice());
        let present = present.filter(|value| *value != [Sym::Any] && !value.is_empty());
        texts.push(join(present));
        let read = view.iter().take_while(|word| !is_unread(word));
        texts.push(join(read.map(|word| word.value.as_slice())));
    }
    let with_base = |arguments: &[Word]| {
        let rest = arguments.iter().map(|word| word.value.as_slice());
        join(std::iter::once(base.as_slice()).chain(rest))
    };
    if base.len() < program.value.len() {
        texts.push(with_base(arguments));
    }
    let has_subcommands =
        known_text(&base).is_some_and(|name| SUBCOMMAND_PROGRAMS.contains(&name.as_str()));
    if has_subcommands {
        for start in subcommand_starts(arguments) {
            texts.push(with_base(arguments.get(start..).unwrap_or_default()));
        }
    }
}

/// Whether Claude Code does not read a word: something is expanded in it, or it has escape codes.
fn is_unread(word: &Word) -> bool {
    word.value.contains(&Sym::Any) || word.raw.contains("$'")
}

/// Where the subcommand may begin: an option may or may not take the next word as its value.
fn subcommand_starts(arguments: &[Word]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut open = vec![0usize];
    while let Some(at) = open.pop() {
        if at > MAX_OPTION_WORDS || starts.contains(&at) {
            continue;
        }
        let Some(word) = arguments.get(at) else {
            continue;
        };
        let is_option = matches!(word.value.first(), Some(Sym::Char('-') | Sym::Any));
        if is_option {
            if !open.contains(&(at + 1)) {
                open.push(at + 1);
            }
            let has_value = word.value.contains(&Sym::Char('='));
            if !has_value && !open.contains(&(at + 2)) {
                open.push(at + 2);
            }
        }
        if at > 0 && !matches!(word.value.first(), Some(Sym::Char('-'))) {
            starts.push(at);
        }
    }
    starts
}

fn raw_unless_unknown(word: &Word) -> Vec<Sym> {
    if known_text(&word.value).is_some() {
        syms(&word.raw)
    } else {
        word.value.clone()
    }
}

/// What follows the last slash of a command word.
pub(crate) fn basename(word: &[Sym]) -> Vec<Sym> {
    let start = word
        .iter()
        .rposition(|sym| *sym == Sym::Char('/'))
        .map_or(0, |at| at + 1);
    word.get(start..).unwrap_or_default().to_vec()
}

/// Words joined by single blanks; blanks inside words count as they are.
fn join<'a>(words: impl Iterator<Item = &'a [Sym]>) -> Vec<Sym> {
    let mut text = Vec::new();
    for word in words {
        if !text.is_empty() {
            text.push(Sym::Char(' '));
        }
        text.extend_from_slice(word);
    }
    text
}

/// A text cut to a length that fits a decision.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= MAX_LABEL_CHARS {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MAX_LABEL_CHARS).collect();
    short.push('…');
    short
}
