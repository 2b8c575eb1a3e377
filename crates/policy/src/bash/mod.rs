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
mod nesting;
pub(crate) mod pieces;
mod plain;
pub(crate) mod scan;
mod sed;
pub(crate) mod strip;
mod vars;
mod walk;
pub(crate) mod whole;

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
    /// Which stretches between its pipes have a `&`.
    pub deferred: Vec<usize>,
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
        source: source.trim_matches([' ', '\t', '\n']).to_owned(),
        commands: walker.commands,
        directories: walker.directories,
        unknown_directory: walker.unknown_directory,
        deferred: walker.deferred,
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
        for (position, mut command) in again.commands.into_iter().enumerate() {
            // Most of them stand where they stood before.
            let same_place = line.commands.get(position);
            let mut known = same_place.into_iter().chain(&line.commands);
            let is_known = known.any(|known| known.runs_as(&command, work));
            if work.is_exhausted() {
                return Err(Unreadable::TooMuch);
            }
            if !is_known {
                command.required = false;
                line.commands.push(command);
            }
        }
    }
    Ok(line)
}

impl Line {
    /// The absolute forms of a path named on the line: one per directory it may be relative to.
    pub(crate) fn absolute_forms(&self, path: &[Sym], home: &str) -> Vec<Absolute> {
        if let Some(text) = known_text(path) {
            let bases = if text.starts_with('/') {
                1
            } else {
                self.directories.len()
            };
            let absolute = |base: &String| Absolute::Known(paths::absolute(&text, base, home));
            let mut forms: Vec<_> = self.directories.iter().take(bases).map(absolute).collect();
            if self.unknown_directory && !text.starts_with('/') {
                let open = [vec![Sym::Any, Sym::Char('/')], syms(&text)].concat();
                forms.push(Absolute::Open(open));
            }
            return forms;
        }
        if let Some(Sym::Char('/') | Sym::Any) = path.first() {
            return vec![Absolute::Open(straight(path))];
        }
        let below = |base: &[Sym]| Absolute::Open(straight(&[base, &[SLASH], path].concat()));
        let bases = self.directories.iter().map(|base| below(&syms(base)));
        let elsewhere = self.unknown_directory.then(|| below(&[Sym::Any]));
        bases.chain(elsewhere).collect()
    }
}

/// What stands between the segments of a path.
const SLASH: Sym = Sym::Char('/');

/// The segment that leads up.
const UP: [Sym; 2] = [Sym::Char('.'), Sym::Char('.')];

/// A path with unknown stretches, without `.`, `..` and doubled slashes. A way up from a name that is not known, and a
/// wildcard that covers `..`, may end anywhere: of such a path only what follows is kept.
///
/// Trap: a variable within a path is taken for a name below what stands before it.
fn straight(path: &[Sym]) -> Vec<Sym> {
    let mut kept: Vec<&[Sym]> = Vec::new();
    for segment in path.split(|sym| *sym == SLASH) {
        match segment {
            [] | [Sym::Char('.')] => {}
            _ if segment == UP => {
                let from = kept.pop();
                if from.is_some_and(|name| known_text(name).is_none()) {
                    kept = vec![&[Sym::Any]];
                }
            }
            _ if may_lead_up(segment) => kept = vec![&[Sym::Any]],
            _ => kept.push(segment),
        }
    }
    let from_anywhere = kept
        .first()
        .is_some_and(|first| first.starts_with(&[Sym::Any]));
    let mut straight = kept.join(&SLASH);
    if !from_anywhere {
        straight.insert(0, SLASH);
    }
    straight
}

/// Whether a wildcard covers `..`, as `.*` does in most shells.
fn may_lead_up(segment: &[Sym]) -> bool {
    let dots = |sym: &Sym| matches!(sym, Sym::Char('.') | Sym::Segment { .. } | Sym::One);
    segment.first() == Some(&Sym::Char('.'))
        && segment.iter().all(dots)
        && segment.iter().any(|sym| !matches!(sym, Sym::Char(_)))
}

/// Whether a path goes up from a directory that it names: where that is a link, the file is elsewhere.
pub(crate) fn climbs(path: &[Sym]) -> bool {
    let mut segments = path.split(|sym| *sym == SLASH);
    let named = |segment: &&[Sym]| !segment.is_empty() && !UP.starts_with(segment);
    segments.any(|segment| named(&segment)) && segments.any(|segment| segment == UP)
}

/// An absolute path that a line names.
#[derive(Clone, Debug)]
pub(crate) enum Absolute {
    /// All of it is known; without `.` and `..`.
    Known(String),
    /// It has unknown stretches.
    Open(Vec<Sym>),
}

impl Absolute {
    /// The path, if all of it is known.
    pub(crate) fn known(&self) -> Option<&str> {
        match self {
            Self::Known(path) => Some(path),
            Self::Open(_) => None,
        }
    }

    /// The directory that the path is below whatever its wildcards stand for; `None` where something else
    /// is not known, which may lead up again.
    pub(crate) fn directory(&self) -> Option<String> {
        let Self::Open(path) = self else {
            return None;
        };
        let known = path.iter().map_while(|sym| match sym {
            Sym::Char(c) => Some(*c),
            _ => None,
        });
        let known: String = known.collect();
        let (directory, name) = known.rsplit_once('/')?;
        let rest = path.get(known.chars().count() - name.chars().count()..)?;
        let leads_up = rest.contains(&Sym::Any);
        (known.starts_with('/') && !leads_up).then(|| paths::absolute(directory, "/", "/"))
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
            let forms = line.absolute_forms(&path, home);
            let named =
                |form: &Absolute| form.known().map(str::to_owned).or_else(|| form.directory());
            found.extend(forms.iter().filter_map(named));
        }
    }
    found
}
