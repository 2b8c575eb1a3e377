//! Environment variables by which the same command runs another program, or takes code along.
//!
//! Owns the one list of them ([`families`]) and looking a name up in it. Does not own what follows from it: each
//! use takes the part that it needs, and says there what it leaves out: shell lines (`bash/escapes.rs`), definitions
//! of MCP servers (`mcp.rs`), and settings of a repository (the agent's wrapper).
//!
//! A list cannot be whole. It has every variable that Claude Code 2.1.330 itself takes for one of these, and more.
//!
//! Source: the program's own list, read from it; the manuals of the programs named in each family.

mod families;

use families::TABLE;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Who heeds a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The dynamic loader and the C library: every program.
    Loader,
    /// Shells, and what every program looks up first.
    Shell,
    /// Claude Code itself, where it starts commands.
    Agent,
    /// Interpreters and virtual machines.
    Interpreter,
    /// Git and its like, and what they call.
    VersionControl,
    /// Pagers, editors and browsers.
    Viewer,
    /// Compilers and build tools.
    Build,
    /// Installers, which fetch what they start.
    Packages,
    /// Containers: what runs, and where.
    Containers,
    /// Clusters, clouds and remote machines.
    Cloud,
    /// Single programs of no family.
    Other,
    /// A name that only ends as such variables do; which program heeds it is not known.
    Guessed,
}

/// What a variable's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A command, or a program by name.
    Command,
    /// Code, or options that are as good as code.
    Code,
    /// A file that a shell runs before anything else.
    StartFile,
    /// A text in which a shell runs substitutions.
    Prompt,
    /// Options, some of which name a program.
    Options,
    /// A place: where programs, libraries, modules, configuration or a service are looked for.
    Place,
    /// Nothing that steers, in a family where everything else does.
    Nothing,
}

/// One variable that steers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steering {
    /// Who heeds it.
    pub family: Family,
    /// What its value is.
    pub holds: Holds,
    /// The value that is as good as none, to whoever heeds it; `None` where there is no such value.
    pub unset: Option<&'static str>,
}

/// Tools for which compilers' drivers read a variable for each machine, such as `CC_x86_64_unknown_linux_gnu`.
const CROSS_TOOLS: &[&str] = &[
    "AR",
    "ARFLAGS",
    "CC",
    "CFLAGS",
    "CXX",
    "CXXFLAGS",
    "FCFLAGS",
    "FFLAGS",
    "LDFLAGS",
    "RANLIB",
    "RANLIBFLAGS",
];

/// How the names of machines begin there.
const MACHINES: &[&str] = &[
    "AARCH64",
    "ARM",
    "I386",
    "I486",
    "I586",
    "I686",
    "LOONGARCH",
    "MIPS",
    "POWERPC",
    "RISCV",
    "S390X",
    "SPARC",
    "THUMB",
    "WASM",
    "X86_64",
];

/// What is listed under whole names.
static NAMES: LazyLock<HashMap<&'static str, Steering>> = LazyLock::new(|| {
    let whole = rows().filter(|(name, _)| !name.contains('*'));
    whole.collect()
});

/// What is listed by the beginning of a name, the longest first.
static BEGINNINGS: LazyLock<Vec<(&'static str, Steering)>> = LazyLock::new(|| {
    let begun = rows().filter_map(|(name, one)| Some((name.strip_suffix('*')?, one)));
    let mut begun: Vec<_> = begun.collect();
    begun.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    begun
});

/// What is listed by the end of a name, the longest first.
static ENDINGS: LazyLock<Vec<(&'static str, Steering)>> = LazyLock::new(|| {
    let ended = rows().filter_map(|(name, one)| Some((name.strip_prefix('*')?, one)));
    let mut ended: Vec<_> = ended.collect();
    ended.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    ended
});

fn rows() -> impl Iterator<Item = (&'static str, Steering)> {
    TABLE.iter().flat_map(|(family, holds, unset, names)| {
        let one = Steering {
            family: *family,
            holds: *holds,
            unset: *unset,
        };
        names.split_ascii_whitespace().map(move |name| (name, one))
    })
}

/// What a variable of exactly this name steers; `None` for one that is not known to.
///
/// A whole name counts before a part of one.
pub fn steering(name: &str) -> Option<Steering> {
    if let Some(one) = NAMES.get(name) {
        return Some(*one);
    }
    let ends = ENDINGS.iter().find(|(end, _)| has_end(name, end));
    let begins = BEGINNINGS.iter().find(|(begun, _)| name.starts_with(begun));
    match (begins, ends) {
        // `GIT_…_COMMAND` is one of Git's, and a command.
        (Some((_, begun)), Some((_, end))) if begun.holds != Holds::Code => Some(Steering {
            holds: end.holds,
            ..*begun
        }),
        (Some((_, begun)), _) => Some(*begun),
        (None, ends) => cross(name).or_else(|| ends.map(|(_, end)| *end)),
    }
}

/// Whether a name ends so, and with a word of its own: `MY_PAGER`, not `SWAPPAGER`.
fn has_end(name: &str, end: &str) -> bool {
    name.strip_suffix(end)
        .is_some_and(|before| end.starts_with('_') || before.is_empty() || before.ends_with('_'))
}

/// The same for a name in whichever letters, as some programs read theirs: `npm_config_registry`, `CC_x86-64`.
///
/// A name that steers as it is written counts as it is written.
pub fn steering_in_any_letters(name: &str) -> Option<Steering> {
    steering(name).or_else(|| steering(&name.to_ascii_uppercase().replace('-', "_")))
}

/// A tool's variable for one machine.
fn cross(name: &str) -> Option<Steering> {
    let of_tool = |tool: &&'static str| {
        let machine = name.strip_prefix(*tool)?.strip_prefix('_')?;
        let machine = machine.to_ascii_uppercase();
        let known = MACHINES.iter().any(|known| machine.starts_with(known));
        known.then_some(*tool)
    };
    let tool = CROSS_TOOLS.iter().find_map(of_tool)?;
    let (holds, unset) = match tool.ends_with("FLAGS") {
        true => (Holds::Options, Some("")),
        false => (Holds::Command, None),
    };
    Some(Steering {
        family: Family::Build,
        holds,
        unset,
    })
}

#[cfg(test)]
mod tests;
