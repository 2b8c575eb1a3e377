//! Variables whose value can be read off the line itself.
//!
//! Owns the small environment that lets `RM=rm; $RM x` be seen as `rm x`, and the question whether the
//! values hold. A variable that is set twice, or to something unknown, is unknown. Where an assignment
//! may not run (`false && R=x`, a subshell, a function) or may be undone (`unset`, `read`, `declare -n`),
//! the value is one possibility and no value the other: [`Variables::without_values`] reads the line again.
//! Source: Claude Code findings 2.3; bash(1) "PARAMETERS" and "SHELL BUILTIN COMMANDS".

use super::command::Command;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Most variables that are followed: a line of 10,000 bytes has few; what is beyond is unknown.
const MAX_VARIABLES: usize = 256;

/// Longest value that is followed, in bytes: `A=aa…; B=$A$A…` must not grow without bound.
const MAX_VALUE_BYTES: usize = 1_024;

/// Variables that the shell sets by itself: what is assigned to them does not stay.
const SET_BY_THE_SHELL: &[&str] = &[
    "_",
    "BASHPID",
    "COPROC",
    "DIRSTACK",
    "EUID",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "LINENO",
    "MAPFILE",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "PIPESTATUS",
    "PPID",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHELLOPTS",
    "SRANDOM",
    "UID",
];

/// Builtins that may give any variable another value, or take it away.
const ALTERING: &[&str] = &[
    ".",
    "enable",
    "eval",
    "getopts",
    "let",
    "local",
    "mapfile",
    "read",
    "readarray",
    "shopt",
    "source",
    "trap",
    "unset",
    "wait",
];

/// Builtins that assign, and alter what an assignment means where they are given an option.
pub(super) const DECLARING: &[&str] = &["declare", "export", "local", "readonly", "typeset"];

/// Options of these builtins that make an array, a number, a reference or another case of what is assigned.
const OPTIONS_WITH_MEANING: &[char] = &['A', 'a', 'c', 'i', 'l', 'n', 'u'];

/// Options of `set` that leave variables alone.
const PLAIN_SET_OPTIONS: &[&str] = &["errexit", "nounset", "pipefail", "xtrace"];

/// How well the known values hold for the whole line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// Every assignment runs, before whatever uses it.
    Surely,
    /// An assignment may not run, or runs in another shell.
    Perhaps,
    /// Any variable may be changed or taken away, by a name that is not known.
    Doubtful,
}

/// What is known of the variables at one point of a line.
#[derive(Clone, Debug)]
pub(crate) struct Variables {
    home: String,
    values: BTreeMap<String, Option<String>>,
    hold: Hold,
    /// Whether values are not given out, except the home directory's.
    blind: bool,
    /// Whether an assigned value was put into a word.
    used: Cell<bool>,
    /// Whether the home directory's was.
    used_home: Cell<bool>,
}

impl Variables {
    /// The environment at the start: only the home directory is known.
    pub(crate) fn new(home: &str) -> Self {
        let values = BTreeMap::from([("HOME".to_owned(), Some(home.to_owned()))]);
        Self {
            home: home.to_owned(),
            values,
            hold: Hold::Surely,
            blind: false,
            used: Cell::new(false),
            used_home: Cell::new(false),
        }
    }

    /// The environment for another reading, where a value that was used may not hold; `None` where
    /// all hold.
    pub(crate) fn without_values(&self) -> Option<Self> {
        let is_open = self.used.get() && self.hold > Hold::Surely;
        let is_home_open = self.used_home.get() && self.hold == Hold::Doubtful;
        if !is_open && !is_home_open {
            return None;
        }
        let mut again = Self::new(&self.home);
        again.blind = true;
        if self.hold == Hold::Doubtful {
            again.values.clear();
        }
        Some(again)
    }

    /// The user's home directory.
    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    /// The value, if it is known.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let value = self.values.get(name).cloned().flatten();
        if name == "HOME" {
            self.used_home.set(true);
            return value;
        }
        if value.is_some() {
            self.used.set(true);
        }
        value.filter(|_| !self.blind)
    }

    /// Records an assignment; `None` for a value that is not known.
    ///
    /// `sure` where it runs whenever anything behind it does, in the same shell.
    pub(crate) fn assign(&mut self, name: &str, value: Option<String>, sure: bool) {
        if name == "IFS" || name == "POSIXLY_CORRECT" {
            // One changes how values fall into words, the other which assignments stay.
            self.hold = Hold::Doubtful;
        }
        // A wildcard in a value stands for whatever file there is.
        let is_plain =
            |value: &String| value.len() <= MAX_VALUE_BYTES && !value.contains(['*', '?', '[']);
        let value = value
            .filter(is_plain)
            .filter(|_| !SET_BY_THE_SHELL.contains(&name));
        if !sure && value.is_some() {
            self.hold = self.hold.max(Hold::Perhaps);
        }
        let known = match self.values.get(name) {
            // A second assignment may or may not run; either value is possible from here on, and
            // inside a loop from the loop's beginning.
            Some(earlier) if *earlier != value => {
                self.hold = self.hold.max(Hold::Perhaps);
                None
            }
            _ => value,
        };
        if self.values.len() < MAX_VARIABLES || self.values.contains_key(name) {
            self.values.insert(name.to_owned(), known);
        }
    }

    /// Records that any variable may have been changed.
    pub(crate) fn doubt(&mut self) {
        self.hold = Hold::Doubtful;
    }
}

/// Whether a command may change variables in a way that is no plain assignment.
pub(super) fn alters(command: &Command) -> bool {
    command.views.iter().any(|view| {
        let Some((program, arguments)) = view.split_first() else {
            return false;
        };
        let Some(program) = program.literal() else {
            return true;
        };
        let texts: Vec<_> = arguments.iter().map(super::scan::Word::literal).collect();
        let is_option = |text: Option<&str>| text.is_none_or(|text| text.starts_with(['-', '+']));
        match program {
            "set" => !texts.iter().all(|text| text.is_some_and(is_plain_set)),
            "printf" => texts.first().copied().is_some_and(is_option),
            name if ALTERING.contains(&name) => true,
            name if DECLARING.contains(&name) => texts.iter().zip(arguments).any(|(text, word)| {
                let name = word.raw.split('=').next().unwrap_or_default();
                (is_option(*text) && !is_name(name)) || !is_name(name.trim_end_matches('+'))
            }),
            _ => false,
        }
    })
}

/// Why a declaration is never certain: the shell works out its operands before it assigns.
pub(super) fn odd_declaration(words: &[super::scan::Word]) -> Option<&'static str> {
    let (program, arguments) = words.split_first()?;
    let program = program.literal()?;
    if !DECLARING.contains(&program) {
        return None;
    }
    let is_option = |word: &&super::scan::Word| word.raw.starts_with(['-', '+']);
    let (options, operands): (Vec<_>, Vec<_>) = arguments.iter().partition(is_option);
    let is_plain = |word: &super::scan::Word| {
        let text = word.literal().unwrap_or(&word.raw);
        let name = text.split('=').next().unwrap_or_default();
        is_name(name.trim_end_matches('+'))
    };
    if !operands.iter().all(|word| is_plain(word)) {
        return Some("a declaration of what is no plain variable name");
    }
    let first_operand = arguments.iter().position(|word| !is_option(&word));
    let behind = arguments
        .iter()
        .skip(first_operand.unwrap_or(arguments.len()));
    if behind.into_iter().any(|word| is_option(&word)) {
        return Some(
            "a declaration with an option behind a name, which shells take for another name",
        );
    }
    let has_meaning = options
        .iter()
        .any(|word| word.raw.contains(OPTIONS_WITH_MEANING));
    has_meaning.then_some("a declaration with an option that changes what is assigned")
}

fn is_plain_set(word: &str) -> bool {
    let letters = word.strip_prefix(['-', '+']).unwrap_or_default();
    PLAIN_SET_OPTIONS.contains(&word)
        || (!letters.is_empty() && letters.chars().all(|letter| "euxo".contains(letter)))
}

/// Whether a text is a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a script may assign where no command does: in arithmetic, in `${R:=x}`, by `{R}>file`.
pub(super) fn hidden_assignment(script: &str) -> bool {
    let in_braces = |piece: &str| {
        piece
            .split('}')
            .next()
            .is_some_and(|inside| inside.contains('='))
    };
    script.contains("((")
        || script.split("${").skip(1).any(in_braces)
        || script.contains("}>")
        || script.contains("}<")
}
