//! Patterns over shell commands: exact, with wildcards, or a prefix.
//!
//! Owns how the text of a Bash specifier is read and what text it covers on either side.
//! Source: Claude Code findings 2.2 and 2.3; architecture section 4 (the spaced bar).

use crate::bundle::Dialect;
use crate::glob::{Glob, Match, Text};
use crate::work::Work;
use cairn_event::Effect;

/// One compiled command pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandPattern {
    /// The text of an exact pattern.
    exact: Option<String>,
    /// The pattern with wildcards, blanks collapsed.
    glob: Glob,
    /// The command alone, where a trailing ` *` or `:*` also covers it without arguments.
    bare: Option<Glob>,
    /// Whether it holds an operator, and so is compared with the whole line.
    pub whole_line: bool,
}

/// A command's text as an allow pattern is compared with it.
#[derive(Clone, Debug)]
pub(crate) struct AllowText {
    /// As it stands on the line.
    pub text: String,
    syms: Text,
}

impl AllowText {
    /// Takes a text over.
    pub(crate) fn new(text: String) -> Self {
        Self {
            syms: Text::known(&text),
            text,
        }
    }
}

/// Bytes of two texts that are compared in one step.
const BYTES_A_STEP: usize = 16;

/// The alternatives of a specifier: a spaced bar separates them in a deny or ask written for Cairn.
pub(crate) fn alternatives(specifier: &str, effect: Effect, dialect: Dialect) -> Vec<&str> {
    if has_bar(specifier) && dialect == Dialect::Cairn && effect != Effect::Allow {
        specifier.split(" | ").collect()
    } else {
        vec![specifier]
    }
}

/// Whether a specifier holds a bar with blanks around it.
pub(crate) fn has_bar(specifier: &str) -> bool {
    specifier.contains(" | ")
}

impl CommandPattern {
    /// Compiles a specifier; `None` where nothing is left of it.
    pub(crate) fn compile(specifier: &str) -> Option<Self> {
        let text = specifier.trim();
        if text.is_empty() {
            return None;
        }
        let whole_line = ["&&", "||", ";", "|", "&", "\n"]
            .iter()
            .any(|op| text.contains(op));
        if let Some(prefix) = text.strip_suffix(":*").filter(|prefix| !prefix.is_empty()) {
            let bare = Glob::with_escapes(&collapse(prefix));
            let glob = bare.followed_by_arguments();
            return Some(Self {
                exact: None,
                glob,
                bare: Some(bare),
                whole_line,
            });
        }
        let collapsed = collapse(text);
        let glob = Glob::with_escapes(&collapsed);
        if glob.stars() == 0 {
            let exact = Some(text.to_owned());
            return Some(Self {
                exact,
                glob: Glob::literal(&collapsed),
                bare: None,
                whole_line,
            });
        }
        let bare = collapsed
            .strip_suffix(" *")
            .map(Glob::with_escapes)
            .filter(|bare| bare.stars() == 0 && glob.stars() == 1);
        Some(Self {
            exact: None,
            glob,
            bare,
            whole_line,
        })
    }

    /// Whether the pattern has no wildcard.
    pub(crate) fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    /// What every text begins with that an allow, or that a deny or ask, of this pattern matches.
    pub(crate) fn opening(&self, allow: bool) -> String {
        match (&self.exact, &self.bare) {
            // An allow compares the text as written, blanks included.
            (Some(exact), _) if allow => exact.clone(),
            (_, Some(bare)) => bare.opening(),
            (_, None) => self.glob.opening(),
        }
    }

    /// What every text that matches has somewhere behind what it begins with.
    pub(crate) fn inner_runs(&self) -> Vec<String> {
        self.bare.as_ref().unwrap_or(&self.glob).inner_runs()
    }

    /// What every text that matches ends with, the last character first; `None` where anything may follow.
    pub(crate) fn ending(&self) -> Option<String> {
        self.glob.ending()
    }

    /// Deny and ask: the text may hold unknown stretches.
    pub(crate) fn covers(&self, text: &Text, work: &Work) -> Match {
        let found = self.glob.matches(text, work);
        match &self.bare {
            Some(bare) if found != Match::Yes => found.max(bare.matches(text, work)),
            _ => found,
        }
    }

    /// Allow: `text` is one form of a command, `source` the line it stands on.
    ///
    /// An exact pattern compares blanks too, so the form must stand on the line as it is.
    pub(crate) fn allows(&self, text: &AllowText, source: &str, work: &Work) -> bool {
        match &self.exact {
            Some(exact) => {
                *exact == text.text && work.spend(source.len()) && source.contains(&text.text)
            }
            None => self.covers(&text.syms, work) == Match::Yes,
        }
    }

    /// Allow: a pattern with an operator covers only the identical line.
    pub(crate) fn is_line(&self, source: &str, work: &Work) -> bool {
        let Some(exact) = self.exact.as_deref().filter(|_| self.whole_line) else {
            return false;
        };
        // Only a line as long as the pattern is read.
        exact.len() == source.len() && work.spend(source.len() / BYTES_A_STEP) && exact == source
    }
}

/// Runs of blanks become one: commands are compared in that form.
fn collapse(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
