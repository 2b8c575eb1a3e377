//! What no allow rule approves: files that configure the agent or the developer's tools, and
//! removals of whole trees.
//!
//! Owns the two lists as Claude Code has them, so that an allow here never allows what it would not.
//! Source: Claude Code findings 1.4.

use crate::bash::command::basename;
use crate::bash::scan::Word;
use crate::bash::{Absolute, Command};
use crate::glob::{Sym, known_text, syms};
use crate::paths;
use crate::request::Request;

/// Directories whose content an allow never approves writing to, in lower case.
const DIRECTORIES: &[&str] = &[
    ".git",
    ".vscode",
    ".idea",
    ".husky",
    ".cargo",
    ".devcontainer",
    ".yarn",
    ".mvn",
    ".claude",
];

/// Files an allow never approves writing to, in lower case.
const FILES: &[&str] = &[
    ".gitconfig",
    ".gitmodules",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_aliases",
    ".bash_logout",
    ".zshrc",
    ".zprofile",
    ".zshenv",
    ".zlogin",
    ".zlogout",
    ".profile",
    ".envrc",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pnp.cjs",
    ".pnp.loader.mjs",
    ".pnpmfile.cjs",
    "bunfig.toml",
    ".bunfig.toml",
    ".bazelrc",
    ".bazelversion",
    ".bazeliskrc",
    ".pre-commit-config.yaml",
    "lefthook.yml",
    "lefthook.yaml",
    ".lefthook.yml",
    ".lefthook.yaml",
    "gradle-wrapper.properties",
    "maven-wrapper.properties",
    ".devcontainer.json",
    ".ripgreprc",
    "pyrightconfig.json",
    ".mcp.json",
    ".claude.json",
];

/// Whether an absolute path is protected.
pub(crate) fn path_is_protected(path: &str) -> bool {
    let lower = path.to_lowercase();
    let segments: Vec<&str> = lower.split('/').collect();
    let (file, directories) = segments
        .split_last()
        .map_or(("", &[][..]), |(f, d)| (*f, d));
    let under = |name: &&str| DIRECTORIES.contains(name) && !lower.contains("/.claude/worktrees/");
    let git_settings = lower.contains("/.config/git/");
    FILES.contains(&file)
        || DIRECTORIES.contains(&file)
        || git_settings
        || directories.iter().any(under)
}

/// As [`path_is_protected`] for a path that may hold unknown stretches; those count as protected
/// only where they could be.
pub(crate) fn is_protected(path: &Absolute, cwd: &str) -> bool {
    match path {
        Absolute::Known(path) => path_is_protected(path),
        // An unknown path below the project may be any of them.
        Absolute::Open(path) => path.first() == Some(&Sym::Any) || path.starts_with(&syms(cwd)),
    }
}

/// `rm` of the root, one of its children, the home directory, the working directory or a parent.
pub(crate) fn removes_too_much(command: &Command, request: &Request) -> bool {
    command.views.iter().any(|view| {
        let Some((program, arguments)) = view.split_first() else {
            return false;
        };
        let name = known_text(&basename(&program.value));
        matches!(name.as_deref(), Some("rm" | "rmdir"))
            && arguments
                .iter()
                .filter(|word| !matches!(word.value.first(), Some(Sym::Char('-'))))
                .any(|word| is_critical(word, request))
    })
}

fn is_critical(word: &Word, request: &Request) -> bool {
    let Some(text) = known_text(&word.path) else {
        // `"$DIR"/*` is the whole root when the variable is empty.
        let first_slash = word.path.iter().position(|sym| *sym == Sym::Char('/'));
        return word.path.first() == Some(&Sym::Any) && first_slash.is_some()
            || word.path.first() == Some(&Sym::Char('/'))
                && word
                    .path
                    .iter()
                    .filter(|sym| **sym == Sym::Char('/'))
                    .count()
                    == 1;
    };
    let path = paths::absolute(&text, &request.cwd, &request.home);
    let depth = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .count();
    depth <= 1 || path == request.home || paths::is_within(&request.cwd, &path)
}
