//! Reading a Bash line: which simple commands it runs, on which files, under which names.
//!
//! Owns everything that knows shell syntax. Does not know rules: [`crate::evaluate`] compares.
//! Source: architecture section 4, item 1; Claude Code findings 2.2 to 2.5 and 5.

pub(crate) mod access;
mod beside;
pub(crate) mod builtin;
pub(crate) mod command;
mod escapes;
mod extent;
mod guard;
mod launch;
mod launchers;
pub(crate) mod scan;
mod sed;
pub(crate) mod strip;
mod vars;
mod walk;

pub(crate) use command::{Access, Command};
pub use guard::Unreadable;

use crate::glob::{Sym, known_text, syms};
use crate::paths;
use crate::work::Work;
use vars::Variables;

/// A line that could be read.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// As received, without blanks around it.
    pub source: String,
    /// Every simple command, nested ones included.
    pub commands: Vec<Command>,
    /// The working directory and every directory the line may change to.
    pub directories: Vec<String>,
    /// Whether relative paths may be relative to a directory that is not known.
    pub unknown_directory: bool,
}

/// Reads a line.
///
/// A line on which the value of a variable may not hold is read twice, the second time without values:
/// what only the second reading runs is judged too.
///
/// Errors: [`Unreadable`]; such a line is never allowed, and every deny on a command possibly
/// matches it.
pub(crate) fn read(source: &str, cwd: &str, home: &str, work: &Work) -> Result<Line, Unreadable> {
    let mut walker = walk::Walker::new(cwd, Variables::new(home), work);
    walker.line(source)?;
    let mut line = Line {
        source: source.trim().to_owned(),
        commands: walker.commands,
        directories: walker.directories,
        unknown_directory: walker.unknown_directory,
    };
    if let Some(variables) = walker.variables.without_values() {
        let mut again = walk::Walker::new(cwd, variables, work);
        again.line(source)?;
        line.unknown_directory |= again.unknown_directory;
        for directory in again.directories {
            if !line.directories.contains(&directory) {
                line.directories.push(directory);
            }
        }
        if !work.spend(line.commands.len() * again.commands.len()) {
            return Err(Unreadable::TooMuch);
        }
        for mut command in again.commands {
            if !line.commands.iter().any(|known| known.runs_as(&command)) {
                command.required = false;
                line.commands.push(command);
            }
        }
    }
    Ok(line)
}

impl Line {
    /// The absolute forms of a path named on the line: one per directory it may be relative to.
    pub(crate) fn absolute_forms(&self, path: &[Sym], home: &str) -> Vec<Vec<Sym>> {
        if let Some(text) = known_text(path) {
            let bases = if text.starts_with('/') {
                1
            } else {
                self.directories.len()
            };
            let absolute = |base: &String| syms(&paths::absolute(&text, base, home));
            let mut forms: Vec<_> = self.directories.iter().take(bases).map(absolute).collect();
            if self.unknown_directory && !text.starts_with('/') {
                forms.push([vec![Sym::Any, Sym::Char('/')], syms(&text)].concat());
            }
            return forms;
        }
        match path.first() {
            Some(Sym::Char('/') | Sym::Any) => vec![path.to_vec()],
            _ => {
                let path = path
                    .strip_prefix(&[Sym::Char('.'), Sym::Char('/')])
                    .unwrap_or(path);
                let below = |base: &String| [&syms(base), &[Sym::Char('/')][..], path].concat();
                self.directories.iter().map(below).collect()
            }
        }
    }
}

/// Most paths that are collected, repeats included, for the caller to resolve.
const MAX_FILE_PATHS: usize = 20_000;

/// The absolute paths of every file a line names, for the caller to resolve.
pub(crate) fn file_paths(source: &str, cwd: &str, home: &str) -> Vec<String> {
    let work = Work::reading();
    let Ok(line) = read(source, cwd, home, &work) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for command in &line.commands {
        let redirects = command
            .redirects
            .iter()
            .map(|redirect| redirect.file.path.clone());
        let Ok(named) = access::accesses(command, &work) else {
            return Vec::new();
        };
        let named = named.into_iter().map(|file| file.path);
        let arguments = command.words.iter().skip(1).map(|word| word.path.clone());
        for path in redirects.chain(named).chain(arguments) {
            let longest = line.directories.iter().map(String::len).max();
            let each = path.len() + longest.unwrap_or_default();
            if found.len() > MAX_FILE_PATHS || !work.spend(each * line.directories.len()) {
                return found;
            }
            found.extend(
                line.absolute_forms(&path, home)
                    .iter()
                    .filter_map(|f| known_text(f)),
            );
        }
    }
    found
}
