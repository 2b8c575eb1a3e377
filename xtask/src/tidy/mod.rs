//! The rules of the house that a compiler does not check, as a command and as a test.
//!
//! It owns the list of checks and how a fault is shown. Each check is a file of its own with a test
//! that shows it a fault. A check reads files; none of them changes one.
//!
//! Source: ARCHITECTURE.md (the arrows), CONTRIBUTING.md (the style).

mod arrows;
mod built;
mod changelog;
mod functions;
mod headers;
mod ignored;
mod length;
mod links;
mod machine;
mod names;
mod places;
mod purity;
mod rust;
mod specs;
mod tree;
mod unfinished;

use std::fmt;
use std::path::Path;

use anyhow::Result;

pub use tree::Tree;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, from the root of the checkout.
    pub path: String,
    /// The line, from 1; 0 where the fault is the whole file's.
    pub line: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

impl Fault {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.what),
            line => write!(out, "{}:{line}: {}", self.path, self.what),
        }
    }
}

type Check = fn(&Tree) -> Vec<Fault>;

const CHECKS: &[(&str, Check)] = &[
    ("files open with what they own", headers::check),
    ("files are short", length::check),
    ("functions are short", functions::check),
    ("modules have names of the field", names::check),
    ("pure crates stay pure", purity::check),
    ("nothing is left unfinished", unfinished::check),
    ("no test is ignored", ignored::check),
    ("nothing built is kept", built::check),
    ("no machine paths, no registry hosts", machine::check),
    ("links in documents lead somewhere", links::check),
    ("tests named in docs/specs.md exist", specs::check),
    ("functions named in documents exist", places::check),
    ("the changelog has its form", changelog::check),
];

/// Runs every check on the files of a checkout.
///
/// # Errors
/// git or cargo cannot list what there is.
pub fn faults(checkout: &Path) -> Result<Vec<(&'static str, Vec<Fault>)>> {
    let tree = Tree::of_checkout(checkout)?;
    let mut all: Vec<_> = CHECKS
        .iter()
        .map(|(name, check)| (*name, check(&tree)))
        .collect();
    all.push(("crates depend inwards only", arrows::check(checkout)?));
    Ok(all)
}

/// Runs every check and prints what it finds; true means that nothing was found.
///
/// # Errors
/// As [`faults`].
pub fn print(checkout: &Path) -> Result<bool> {
    let mut clean = true;
    for (name, found) in faults(checkout)? {
        println!("{} {name}", if found.is_empty() { "ok  " } else { "FAIL" });
        for fault in &found {
            println!("     {fault}");
        }
        clean &= found.is_empty();
    }
    Ok(clean)
}
