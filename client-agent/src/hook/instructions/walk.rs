//! The instruction files of a session: folder by folder, import by import.
//!
//! Owns the places and the bounds. What is beyond a bound or cannot be looked at is an error, because what is
//! not judged must not be read. It reads files and blocks: not for async threads.

use super::imports;
use crate::hook::mentions::lexical;
use cairn_durable::file::ReadFileError;
use cairn_durable::read_limited;
use std::collections::{HashMap, HashSet};
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Most instruction files of a session: each costs a decision and a record, together less than the shim waits.
pub const FILES_MAX: usize = 256;

/// Largest file that Claude Code 2.1.330 loads as instructions, in bytes; a larger one it passes over.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Most bytes looked through for imports: some 100 ms.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How deep the program follows imports: a file, and four below it.
const DEPTH_MAX: usize = 5;

/// How deep folders of rules are looked through: far deeper than anybody nests them.
const RULES_DEPTH_MAX: usize = 32;

/// Most names and questions to the file system together: some 100 ms.
const PROBES_MAX: usize = 65_536;

/// Where instruction files are looked for.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder of the machine's administrator.
    pub managed: PathBuf,
    /// The agent's own folder, with the user's instructions.
    pub user: PathBuf,
    /// What `~` stands for.
    pub home: PathBuf,
    /// The folders that the session works in; those above count too.
    pub folders: Vec<PathBuf>,
    /// Folders that the agent was given besides; those above do not count.
    pub added: Vec<PathBuf>,
}

/// Why it cannot be said which instruction files a session has.
#[derive(Debug, thiserror::Error)]
pub enum InstructionsError {
    /// More than [`FILES_MAX`].
    #[error("the session has more than {FILES_MAX} instruction files")]
    TooManyFiles,
    /// More than [`BYTES_MAX`].
    #[error("the session's instruction files are longer than {BYTES_MAX} bytes together")]
    TooLong,
    /// More than [`PROBES_MAX`].
    #[error("the session's instruction files name more than can be looked for")]
    TooManyNames,
    /// A name that is too long to be looked for as it is: more than [`imports::NAME_BYTES_MAX`].
    #[error("the instruction file `{0}` imports a name that is too long to be looked for")]
    LongName(PathBuf),
    /// Deeper than [`RULES_DEPTH_MAX`].
    #[error("the rules in `{0}` lie too deep to be looked through")]
    TooDeep(PathBuf),
    /// One is there and cannot be read.
    #[error("the instruction file `{path}` cannot be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One is there and cannot be read.
    #[error("an instruction file cannot be read: {0}")]
    Read(#[from] ReadFileError),
}

/// Finds the instruction files of a session, in the order in which the program loads them.
///
/// Errors: [`InstructionsError`]; nothing may be answered in that session meanwhile.
pub fn find(places: &Places) -> Result<Vec<String>, InstructionsError> {
    let mut walk = Walk {
        home: &places.home,
        depths: HashMap::new(),
        found: Vec::new(),
        bytes: 0,
        probes: 0,
    };
    let mut done = HashSet::new();
    walk.file(&places.managed.join("CLAUDE.md"), 0)?;
    walk.rules(&places.managed.join(".claude/rules"), &mut done)?;
    walk.file(&places.user.join("CLAUDE.md"), 0)?;
    walk.rules(&places.user.join("rules"), &mut done)?;
    let above = places.folders.iter().flat_map(|folder| {
        let mut above: Vec<_> = folder.ancestors().collect();
        above.reverse();
        above
    });
    let added = places.added.iter().map(PathBuf::as_path);
    for folder in above.chain(added) {
        for name in ["CLAUDE.md", ".claude/CLAUDE.md"] {
            walk.file(&folder.join(name), 0)?;
        }
        walk.rules(&folder.join(".claude/rules"), &mut done)?;
        walk.file(&folder.join("CLAUDE.local.md"), 0)?;
    }
    Ok(walk.found)
}

struct Walk<'a> {
    home: &'a Path,
    /// The least depth at which each file was met.
    depths: HashMap<PathBuf, usize>,
    found: Vec<String>,
    bytes: u64,
    probes: usize,
}

impl Walk<'_> {
    /// Takes a file, and what it imports.
    fn file(&mut self, path: &Path, depth: usize) -> Result<(), InstructionsError> {
        let path = lexical(path);
        let before = self.depths.get(&path).copied();
        if depth >= DEPTH_MAX || before.is_some_and(|before| before <= depth) {
            return Ok(());
        }
        let Some(meta) = self.look(&path)?.filter(Metadata::is_file) else {
            return Ok(());
        };
        self.depths.insert(path.clone(), depth);
        if before.is_none() {
            self.found.push(path.to_string_lossy().into_owned());
        }
        if self.found.len() > FILES_MAX {
            return Err(InstructionsError::TooManyFiles);
        }
        // What a file at the last depth names is not followed.
        if meta.len() > FILE_BYTES_MAX || depth + 1 >= DEPTH_MAX {
            return Ok(());
        }
        let bytes = match read_limited(&path, FILE_BYTES_MAX) {
            Err(ReadFileError::NotFound { .. }) => return Ok(()),
            read => read?,
        };
        self.bytes += bytes.len() as u64;
        if self.bytes > BYTES_MAX {
            return Err(InstructionsError::TooLong);
        }
        // An import is relative to where the file is, and not to where a link to it is.
        let real = std::fs::canonicalize(&path).unwrap_or(path);
        let folder = real.parent().unwrap_or(&real).to_owned();
        let home = self.home.to_owned();
        imports::each(&String::from_utf8_lossy(&bytes), |name| {
            self.count()?;
            if name.len() > imports::NAME_BYTES_MAX {
                return Err(InstructionsError::LongName(real.clone()));
            }
            let named = match name.strip_prefix("~/") {
                Some(rest) => home.join(rest.trim_start_matches('/')),
                None => folder.join(name),
            };
            self.file(&named, depth + 1)
        })
    }

    /// Takes every file of a folder of rules, and of the folders in it.
    fn rules(
        &mut self,
        folder: &Path,
        done: &mut HashSet<PathBuf>,
    ) -> Result<(), InstructionsError> {
        let mut rest = vec![(folder.to_owned(), 0)];
        while let Some((folder, depth)) = rest.pop() {
            if !self.look(&folder)?.is_some_and(|meta| meta.is_dir()) {
                continue;
            }
            let folder = real(&folder)?;
            if !done.insert(folder.clone()) {
                continue;
            }
            if depth > RULES_DEPTH_MAX {
                return Err(InstructionsError::TooDeep(folder));
            }
            for name in names(&folder)? {
                let path = folder.join(name);
                match self.look(&path)? {
                    Some(meta) if meta.is_dir() => rest.push((path, depth + 1)),
                    // The program names a rule by where a link to it leads.
                    Some(_) if path.as_os_str().as_encoded_bytes().ends_with(b".md") => {
                        self.file(&real(&path)?, 0)?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Counts a name, or a question to the file system.
    fn count(&mut self) -> Result<(), InstructionsError> {
        self.probes += 1;
        if self.probes > PROBES_MAX {
            return Err(InstructionsError::TooManyNames);
        }
        Ok(())
    }

    /// What is at a path, links followed; `None` where nothing is.
    fn look(&mut self, path: &Path) -> Result<Option<Metadata>, InstructionsError> {
        self.count()?;
        match std::fs::metadata(path) {
            Ok(meta) => Ok(Some(meta)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(source) => Err(unreadable(path, source)),
        }
    }
}

/// Whether nothing can be at a path: no such name, or a name that the kernel does not take.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
    )
}

fn real(path: &Path) -> Result<PathBuf, InstructionsError> {
    std::fs::canonicalize(path).map_err(|source| unreadable(path, source))
}

/// The names in a folder, in order.
fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, InstructionsError> {
    let listed = std::fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
    let mut names = Vec::new();
    for entry in listed.take(PROBES_MAX) {
        names.push(
            entry
                .map_err(|source| unreadable(folder, source))?
                .file_name(),
        );
    }
    names.sort();
    Ok(names)
}

fn unreadable(path: &Path, source: io::Error) -> InstructionsError {
    let path = path.to_owned();
    InstructionsError::Unreadable { path, source }
}

#[cfg(test)]
mod tests;
