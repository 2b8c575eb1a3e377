//! Programs that start other programs, as the deny side sees them.
//!
//! Owns how a launcher's own arguments end and what it runs: an argument vector, a script to read,
//! or something that cannot be seen. Over-approximates where an option may take a value. The tables
//! are in [`super::launchers`]; programs with a syntax of their own for it in `own`.
//! Source: Claude Code findings 2.3 and 2.4.

mod own;

use super::command::{Stdin, basename};
use super::escapes;
use super::guard::Unreadable;
use super::launchers::{INTERPRETERS, Launcher, SHELLS, launcher};
use super::scan::Word;
use crate::glob::{Sym, known_text};
use crate::work::Work;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Most argument vectors one command is followed into: deeper launcher chains count as opaque.
const MAX_VIEWS: usize = 48;

/// Steps of looking through one symbol of an argument vector: every table of options reads it again.
const VIEW_STEPS: usize = 12;

/// What a command may run.
#[derive(Debug)]
pub(super) struct Launched<'a> {
    /// Argument vectors, the command's own first.
    pub views: Vec<Rc<[Word]>>,
    /// Scripts in shell syntax.
    pub scripts: Vec<String>,
    /// Why it may run something that is in none of them.
    pub opaque: Option<&'static str>,
    work: &'a Work,
}

impl<'a> Launched<'a> {
    /// Nothing so far; what is found out may cost this much.
    pub(super) fn new(work: &'a Work) -> Self {
        Self {
            views: Vec::new(),
            scripts: Vec::new(),
            opaque: None,
            work,
        }
    }

    /// Counts reading these words so many times; `false` where that is too much. What is left out then
    /// does not matter: a line that takes too much work is not read at all.
    pub(super) fn afford(&self, words: &[Word], times: usize) -> bool {
        let size = |word: &Word| word.value.len() + word.path.len() + 1;
        !self.work.is_exhausted()
            && self
                .work
                .spend(times * words.iter().map(size).sum::<usize>())
    }

    /// Whether no further argument vector would be followed.
    fn is_full(&self) -> bool {
        self.views.len() >= MAX_VIEWS || self.work.is_exhausted()
    }

    pub(super) fn hide(&mut self, why: &'static str) {
        self.opaque.get_or_insert(why);
    }

    pub(super) fn script(&mut self, text: Option<String>) {
        match text {
            // The same script twice runs nothing else.
            Some(text) if self.scripts.contains(&text) => {}
            Some(text) => {
                self.work.spend(text.len() + self.scripts.len());
                self.scripts.push(text);
            }
            None => self.hide("a script made at run time"),
        }
    }

    /// The script that a word is; without a word an empty one.
    pub(super) fn script_in(&mut self, word: Option<&Word>) {
        self.script(word.map_or(Some(""), Word::literal).map(str::to_owned));
    }

    pub(super) fn view(&mut self, argv: &[Word]) {
        if argv.is_empty() || self.views.iter().any(|view| **view == *argv) {
            return;
        }
        if self.is_full() {
            return self.hide("too many launchers");
        }
        if self.afford(argv, VIEW_STEPS) {
            self.views.push(argv.into());
        }
    }
}

/// Follows a command through its launchers.
///
/// Errors: [`Unreadable::TooMuch`].
pub(super) fn look_through<'a>(
    words: &[Word],
    stdin: &Stdin,
    work: &'a Work,
) -> Result<Launched<'a>, Unreadable> {
    let mut found = Launched::new(work);
    found.view(words);
    let mut next = 0;
    while let Some(view) = found.views.get(next).cloned() {
        next += 1;
        step(&view, stdin, &mut found);
        if work.is_exhausted() {
            return Err(Unreadable::TooMuch);
        }
    }
    Ok(found)
}

fn step(argv: &[Word], stdin: &Stdin, found: &mut Launched<'_>) {
    let Some((program, arguments)) = argv.split_first() else {
        return;
    };
    if is_assignment(program) {
        escapes::assignment(program, found);
        return found.view(arguments);
    }
    let Some(name) = known_text(&basename(&program.value)) else {
        // What an unknown word starts may itself be a launcher.
        return found.view(arguments);
    };
    if program.wild {
        found.hide("a command word with wildcards");
    }
    let name = name.as_str();
    if SHELLS.contains(&name) {
        return shell(arguments, stdin, found);
    }
    if INTERPRETERS.iter().any(|known| is_version_of(name, known)) {
        interpreter(arguments, stdin, found);
    }
    match name {
        "eval" => found.script(join(arguments)),
        "trap" => found.script_in(arguments.first()),
        "alias" => {
            for word in arguments {
                let value = word.literal();
                let value = value.map(|text| text.split_once('=').map_or("", |(_, value)| value));
                found.script(value.map(str::to_owned));
            }
        }
        "source" | "."
            if arguments
                .first()
                .is_some_and(|file| file.literal().is_none()) =>
        {
            found.hide("a script that is made at run time");
        }
        "find" | "fd" | "fdfind" => own::find(arguments, found),
        "xargs" | "parallel" => own::xargs(name, arguments, found),
        "git" => own::git(arguments, found),
        "awk" | "gawk" | "mawk" | "nawk" => own::awk(arguments, found),
        "at" | "batch" => match stdin {
            Stdin::Text(text) => found.script_in(Some(text)),
            _ => found.hide("a job read from input"),
        },
        _ => {}
    }
    escapes::look(name, arguments, stdin, found);
    if let Some(known) = launcher(name, arguments) {
        launch(&known, arguments, found);
    }
}

fn launch(known: &Launcher, arguments: &[Word], found: &mut Launched<'_>) {
    if name_lookup_only(known, arguments) {
        return;
    }
    if known.opaque {
        found.hide("a command run somewhere else");
    }
    for value in escapes::values(arguments, known.script_options) {
        found.script(value.map(str::to_owned));
    }
    for (position, word) in arguments.iter().enumerate() {
        let text = word.literal();
        let takes_script = known.script_options.iter().any(|option| {
            // The last letter of a cluster such as `-qc`.
            text.is_some_and(|text| {
                option.len() == 2
                    && text.len() > 2
                    && text.starts_with('-')
                    && !text.starts_with("--")
                    && text.ends_with(option.trim_start_matches('-'))
            })
        });
        if takes_script && let Some(script) = arguments.get(position + 1) {
            found.script_in(Some(script));
        }
    }
    for start in starts(known, arguments) {
        let inner = arguments.get(start..).unwrap_or_default();
        found.view(inner);
        if known.joins_to_script && !inner.is_empty() {
            if !found.afford(inner, 1) {
                return;
            }
            found.script(join(inner));
        }
    }
}

/// `command -v rm` only looks a name up.
fn name_lookup_only(known: &Launcher, arguments: &[Word]) -> bool {
    known.name == "command"
        && arguments
            .first()
            .and_then(Word::literal)
            .is_some_and(|option| {
                option.starts_with('-') && (option.contains('v') || option.contains('V'))
            })
}

/// Every place where the launched command may begin.
fn starts(known: &Launcher, arguments: &[Word]) -> Vec<usize> {
    let mut begins = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![(known.skip, known.positionals)];
    while let Some((at, positionals)) = open.pop() {
        if !seen.insert((at, positionals)) {
            continue;
        }
        let Some(word) = arguments.get(at) else {
            continue;
        };
        let text = word.literal();
        let as_operand = |open: &mut Vec<(usize, usize)>, begins: &mut Vec<usize>| {
            if positionals > 0 {
                open.push((at + 1, positionals - 1));
            } else {
                begins.push(at);
            }
        };
        match text {
            None => {
                as_operand(&mut open, &mut begins);
                open.push((at + 1, positionals));
            }
            Some("--") => match positionals {
                0 => begins.push(at + 1),
                left => open.push((at + 2, left - 1)),
            },
            Some(option) if option.starts_with('-') && option.len() > 1 => {
                open.push((at + 1, positionals));
                let attached = option.contains('=');
                let flag = known.flags.contains(&option);
                if !attached && !flag {
                    open.push((at + 2, positionals));
                }
            }
            Some(_) if known.assigns && is_assignment(word) => open.push((at + 1, positionals)),
            Some(_) => as_operand(&mut open, &mut begins),
        }
    }
    begins.sort_unstable();
    begins.dedup();
    begins
}

fn shell(arguments: &[Word], stdin: &Stdin, found: &mut Launched<'_>) {
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        let Some(text) = word.literal() else {
            return found.hide("a shell script made at run time");
        };
        let short = text.starts_with('-') && !text.starts_with("--");
        if short && text.contains('c') || text == "--command" {
            let script = arguments
                .get(at + 1..)
                .unwrap_or_default()
                .iter()
                .find(|word| !matches!(word.value.first(), Some(Sym::Char('-' | '+'))));
            return found.script_in(script);
        }
        if short && text.contains('s') {
            break;
        }
        match text {
            "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file" => at += 2,
            "-" | "--" => at += 1,
            option if option.starts_with(['-', '+']) => at += 1,
            // A script file is a program of its own.
            _ => return,
        }
    }
    match stdin {
        Stdin::Inherited => {}
        Stdin::Text(text) => found.script_in(Some(text)),
        Stdin::Unknown => found.hide("a shell that reads its script from input"),
    }
}

fn interpreter(arguments: &[Word], stdin: &Stdin, found: &mut Launched<'_>) {
    let mut has_file = false;
    for word in arguments {
        match word.literal() {
            None => return found.hide("interpreter code made at run time"),
            Some("-") => return found.hide("interpreter code from input"),
            Some("eval") => return found.hide("interpreter code on the line"),
            Some(text) if text.starts_with("--") => {
                if ["--eval", "--print", "--exec", "--run"]
                    .iter()
                    .any(|o| text.starts_with(o))
                {
                    return found.hide("interpreter code on the line");
                }
            }
            Some(text) if text.starts_with('-') => {
                if text.contains(['c', 'e', 'E', 'r', 'p']) {
                    return found.hide("interpreter code on the line");
                }
            }
            Some(_) => {
                has_file = true;
                break;
            }
        }
    }
    if !has_file && !matches!(stdin, Stdin::Inherited) {
        found.hide("interpreter code from input");
    }
}

/// `NAME=VALUE`.
fn is_assignment(word: &Word) -> bool {
    let name: Vec<Sym> = word
        .value
        .iter()
        .copied()
        .take_while(|sym| *sym != Sym::Char('='))
        .collect();
    name.len() < word.value.len()
        && known_text(&name).is_some_and(|name| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
}

/// `python3.12` is a version of `python`.
fn is_version_of(name: &str, known: &str) -> bool {
    name.strip_prefix(known).is_some_and(|tail| {
        tail.chars()
            .all(|c| c.is_ascii_digit() || c == '.' || c == '-')
    })
}

fn join(words: &[Word]) -> Option<String> {
    let texts: Option<Vec<&str>> = words.iter().map(Word::literal).collect();
    texts.map(|texts| texts.join(" "))
}
