//! The agent's command line: what would take the session out from under Cairn is refused.
//!
//! Owns reading the words as the agent reads them: which word is a flag, which is a flag's value and
//! which comes first of the rest. A flag that is in no list here is refused, because a later version of
//! the agent may have any. Which flags and commands there are is in [`known`] and [`refused`].
//!
//! Source: Claude Code findings 1.8.

mod known;
mod refused;

use known::{KNOWN, Takes};
use refused::{COMMANDS, FLAGS, UNKNOWN};

/// A refused flag with the reason, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{flag}` is refused: {reason}")]
pub struct FlagProblem {
    /// The flag or word as given.
    pub flag: String,
    /// Why.
    pub reason: &'static str,
}

/// A command line that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// What is passed on.
    pub pass: Vec<String>,
    /// Values of `--mcp-config`, which the inventory takes over.
    pub mcp_configs: Vec<String>,
}

/// Permission modes that are refused.
const REFUSED_MODES: &[&str] = &["bypassPermissions"];

/// The one input format in which input is a prompt and never a command to the agent itself.
const INPUT_FORMAT: &str = "text";

/// Why every other input format is refused.
const CONTROLLED: &str = "a program on its input could replace the settings that Cairn enforces with and add servers; \
     give the prompt as text, and `--resume` for the next one";

/// Why a value that looks like a flag is refused.
const DOUBTFUL_VALUE: &str = "its value begins with two dashes and could be taken for a flag; write it as one word, with `=`";

/// Checks the words after `cairn claude`.
///
/// Errors: every problem at once; the agent is not started.
pub fn check(words: &[String]) -> Result<Flags, Vec<FlagProblem>> {
    let mut reader = Reader {
        words: words.iter().peekable(),
        flags: Flags::default(),
        operands: Vec::new(),
        unknown: Vec::new(),
        problems: Vec::new(),
    };
    reader.read();
    let operands: Vec<&str> = reader.operands.iter().map(String::as_str).collect();
    match COMMANDS
        .iter()
        .find(|(name, _)| operands.first() == Some(name))
    {
        Some((name, commands)) => reader.problems.extend(commands.problem(name, &operands)),
        // A command has flags of its own, which the agent's first reading passes over.
        None => reader.problems.append(&mut reader.unknown),
    }
    if reader.problems.is_empty() {
        Ok(reader.flags)
    } else {
        Err(reader.problems)
    }
}

/// Reads words as the agent does.
struct Reader<'a> {
    words: std::iter::Peekable<std::slice::Iter<'a, String>>,
    flags: Flags,
    /// Words that are neither flags nor their values.
    operands: Vec<String>,
    /// Flags in no list.
    unknown: Vec<FlagProblem>,
    problems: Vec<FlagProblem>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some(word) = self.words.next() {
            if word == "--" {
                self.flags.pass.push(word.clone());
                for word in self.words.by_ref() {
                    self.flags.pass.push(word.clone());
                    self.operands.push(word.clone());
                }
            } else if is_flag(word) {
                self.flag(word);
            } else {
                self.flags.pass.push(word.clone());
                self.operands.push(word.clone());
            }
        }
    }

    fn flag(&mut self, word: &str) {
        let (name, attached) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (word, None),
        };
        if let Some((_, reason)) = FLAGS.iter().find(|(refused, _)| *refused == name) {
            return self.problem(name, reason);
        }
        let takes = KNOWN.iter().find(|(known, _)| *known == name);
        let Some((_, takes)) =
            takes.filter(|(_, takes)| attached.is_none() || *takes != Takes::Nothing)
        else {
            if !is_short_switches(word) {
                let (flag, reason) = (word.to_owned(), UNKNOWN);
                self.unknown.push(FlagProblem { flag, reason });
            }
            return self.flags.pass.push(word.to_owned());
        };
        let (mut own, mut values) = (vec![word.to_owned()], Vec::new());
        match attached {
            Some(value) => values.push(value.to_owned()),
            None => values.extend(self.values(name, *takes)),
        }
        match name {
            // Cairn passes both itself.
            "--mcp-config" => return self.flags.mcp_configs.append(&mut values),
            "--strict-mcp-config" => return,
            "--permission-mode"
                if values
                    .iter()
                    .any(|mode| REFUSED_MODES.contains(&mode.as_str())) =>
            {
                self.problem(
                    "--permission-mode bypassPermissions",
                    "it skips the agent's own permission checks",
                );
            }
            "--input-format" if values.iter().any(|format| format != INPUT_FORMAT) => {
                self.problem("--input-format stream-json", CONTROLLED);
            }
            _ => {}
        }
        if attached.is_none() {
            own.append(&mut values);
        }
        self.flags.pass.append(&mut own);
    }

    /// The words that belong to a flag.
    fn values(&mut self, name: &str, takes: Takes) -> Vec<String> {
        let mut values = Vec::new();
        if matches!(takes, Takes::One | Takes::Several) {
            values.extend(self.words.next().cloned());
            if values.iter().any(|value| value.starts_with("--")) {
                self.problem(name, DOUBTFUL_VALUE);
            }
        }
        if takes == Takes::Perhaps {
            values.extend(self.words.next_if(|next| !is_flag(next)).cloned());
        }
        while takes == Takes::Several
            && let Some(next) = self.words.next_if(|next| !is_flag(next))
        {
            values.push(next.clone());
        }
        values
    }

    fn problem(&mut self, flag: &str, reason: &'static str) {
        let flag = flag.to_owned();
        self.problems.push(FlagProblem { flag, reason });
    }
}

/// Whether the agent takes a word for a flag where it takes any.
fn is_flag(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// Whether a word is several short switches in one, for example `-pc`.
fn is_short_switches(word: &str) -> bool {
    let switch = |letter: char| {
        KNOWN.iter().any(|(name, takes)| {
            *takes == Takes::Nothing
                && name
                    .strip_prefix('-')
                    .is_some_and(|name| name.chars().eq([letter]))
        })
    };
    word.strip_prefix('-')
        .is_some_and(|letters| letters.chars().all(switch))
}

#[cfg(test)]
mod tests;
