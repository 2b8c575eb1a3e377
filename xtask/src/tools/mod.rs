//! Tools that are not system packages: found on the machine, else installed into the cache.
//!
//! It owns the pins and the answer to "is it there?". It needs no root. Everything comes by name from
//! a package registry through that registry's own client.

mod cargo_deny;
mod claude_code;
mod codex;
mod go;
mod node;
mod python;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::context::Context;
use crate::process;

pub use cargo_deny::cargo_deny;
pub use go::go;

/// A tool that a suite or a step cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// Node and npm, at least [`node::OLDEST`].
    Node,
    /// Go, at least [`go::OLDEST`].
    Go,
    /// Python with the packages of `tests/requirements.txt`.
    Python,
    /// A Chromium that runs without a screen.
    Chromium,
    /// The Claude Code program, in the version the rules were observed with.
    ClaudeCode,
    /// Codex, installed with npm.
    Codex,
    /// Any other program on `PATH`.
    Program(&'static str),
}

impl Need {
    /// The name used in "skipped: … not installed".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Go => "Go",
            Self::Python => "Python",
            Self::Chromium => "Chromium",
            Self::ClaudeCode => "Claude Code",
            Self::Codex => "Codex",
            Self::Program(name) => name,
        }
    }

    /// The environment variable that tells a test where the program is; programs need none.
    #[must_use]
    pub fn variable(self) -> Option<&'static str> {
        match self {
            Self::Node => Some("CAIRN_NODE"),
            Self::Go => Some("CAIRN_GO"),
            Self::Python => Some("CAIRN_PYTHON"),
            Self::Chromium => Some("CAIRN_CHROMIUM"),
            Self::ClaudeCode => Some("CAIRN_CLAUDE_CODE"),
            Self::Codex => Some("CAIRN_CODEX_PROGRAM"),
            Self::Program(_) => None,
        }
    }
}

/// Every need that has a variable, so that the Rust tests can use the tools as well.
pub const NAMED: [Need; 6] = [
    Need::Node,
    Need::Go,
    Need::Python,
    Need::Chromium,
    Need::ClaudeCode,
    Need::Codex,
];

/// Finds each tool once, installing it where that is possible.
pub struct Toolbox<'a> {
    context: &'a Context,
    known: RefCell<HashMap<Need, Option<PathBuf>>>,
}

impl<'a> Toolbox<'a> {
    /// An empty box; nothing is looked for yet.
    #[must_use]
    pub fn new(context: &'a Context) -> Self {
        Self {
            context,
            known: RefCell::new(HashMap::new()),
        }
    }

    /// The tool's program, or `None` where it is neither here nor installable; the reason is printed
    /// the first time.
    pub fn get(&self, need: Need) -> Option<PathBuf> {
        if let Some(known) = self.known.borrow().get(&need) {
            return known.clone();
        }
        let found = self.provide(need).unwrap_or_else(|error| {
            println!("{} cannot be installed: {error:#}", need.name());
            None
        });
        self.known.borrow_mut().insert(need, found.clone());
        found
    }

    /// The folder to put before `PATH` for this tool.
    pub fn folder(&self, need: Need) -> Option<PathBuf> {
        self.get(need)?.parent().map(PathBuf::from)
    }

    /// Another version of Claude Code than the pinned one.
    ///
    /// # Errors
    /// See [`claude_code::other`].
    pub fn other_claude_code(&self, node: &Path, version: &str) -> Result<PathBuf> {
        claude_code::other(self.context, node, version)
    }

    fn provide(&self, need: Need) -> Result<Option<PathBuf>> {
        match need {
            Need::Node => node::node(self.context),
            Need::Go => go::go(self.context),
            Need::Python => python::python(self.context),
            Need::Chromium => {
                let names = ["chromium", "chromium-browser", "google-chrome"];
                Ok(names.iter().find_map(|name| process::find(name)))
            }
            Need::ClaudeCode => claude_code::claude_code(self.context, self.folder(Need::Node)),
            Need::Codex => codex::codex(self.context, self.folder(Need::Node)),
            Need::Program(name) => Ok(process::find(name)),
        }
    }
}

/// Whether the first version number in `text` is at least `oldest` (major, minor).
#[must_use]
pub fn is_at_least(text: &str, oldest: (u32, u32)) -> bool {
    let number = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = number
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    let (Some(Ok(major)), minor) = (parts.next(), parts.next()) else {
        return false;
    };
    (major, minor.and_then(Result::ok).unwrap_or(0)) >= oldest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(is_at_least("v20.20.2", (20, 0)));
        assert!(is_at_least("go version go1.26.8 linux/amd64", (1, 25)));
        assert!(!is_at_least("go version go1.9 linux/amd64", (1, 25)));
        assert!(!is_at_least("v18.20.4", (20, 0)));
        assert!(!is_at_least("no digits", (0, 0)));
    }

    #[test]
    fn a_tool_that_is_not_there_is_none() {
        let context = Context::new(false).unwrap();
        let toolbox = Toolbox::new(&context);
        assert_eq!(toolbox.get(Need::Program("cairn-no-such-program")), None);
        assert!(toolbox.get(Need::Program("sh")).is_some());
    }
}
