//! What a prompt brings in with `@`: files, folders and resources of MCP servers.
//!
//! Owns finding them in the text. Claude Code puts their content into the request without a tool call,
//! so the prompt is the only place where a rule about reading can hold. More spellings are taken for a
//! mention here than the program takes: what exists and might be meant is judged, never guessed away.
//!
//! Source: Claude Code findings 1.1, "What never reaches PreToolUse"; the spellings that the program
//! reads are observed by `tests/claude`.

use std::path::{Component, Path, PathBuf};

/// Most files that one prompt may bring in: each costs a decision and a record. A prompt with more
/// is refused, for what is not judged must not be read.
const FILES_MAX: usize = 32;

/// Most questions to the file system about one prompt: about 100 ms. A prompt that needs more is
/// refused, so that a wall of `@` can neither hide a name nor hold the hook up.
const PROBES_MAX: usize = 32_768;

/// Longest name looked at, in bytes: the kernel takes no longer path. But the program shortens `./` and `x/../` before
/// it asks the kernel, so that a longer one with a `/` in it may name any file.
const NAME_BYTES_MAX: usize = 4_096;

/// Why it cannot be said what a prompt brings in; it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MentionsError {
    /// More than [`FILES_MAX`] of them.
    #[error("it brings in too many files to judge")]
    TooMany,
    /// More than [`PROBES_MAX`] names to look for.
    #[error("it names more than can be looked for")]
    TooManyNames,
    /// A name, or a resource's address, of more than [`NAME_BYTES_MAX`].
    #[error("it names a file by a name that is too long to be looked for")]
    LongName,
}

/// What a prompt brings in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Absolute paths of existing files and folders, in order, without repeats.
    pub files: Vec<String>,
    /// Resources of MCP servers: the server's name and the address within it.
    pub resources: Vec<(String, String)>,
}

/// Finds what the prompt names: existing files and folders, and resources of the servers that the
/// agent was started with. With `None` for them every `@word:rest` is taken for a resource.
///
/// A word such as `@ann` that names nothing brings nothing in and is left out.
///
/// Errors: [`MentionsError`]; the caller refuses the prompt.
pub fn find(
    prompt: &str,
    cwd: &str,
    home: &Path,
    servers: Option<&[String]>,
) -> Result<Mentions, MentionsError> {
    let mut words = Words::of(prompt);
    let mut search = Search {
        cwd,
        home,
        found: Mentions::default(),
        probes: 0,
    };
    for (position, _) in prompt.match_indices('@') {
        let rest = prompt.get(position + 1..).unwrap_or_default();
        match rest.strip_prefix('"') {
            Some(quoted) => {
                let (inside, is_closed) = match quoted.split_once('"') {
                    Some((inside, _)) => (inside, true),
                    None => (beginning(quoted), false),
                };
                if is_closed && inside.len() > NAME_BYTES_MAX && inside.contains('/') {
                    return Err(MentionsError::LongName);
                }
                search.names(inside)?;
                search.names(inside.trim())?;
            }
            None => {
                let near = beginning(rest);
                let word = near.split(ends_a_word).next().unwrap_or_default();
                search.names(word)?;
                let is_whole = word.len() < near.len() || near.len() == rest.len();
                let names_one = search.resource(word, servers);
                if !is_whole && (names_one || words.has_slash_after(position)) {
                    return Err(MentionsError::LongName);
                }
            }
        }
        if search.found.files.len() + search.found.resources.len() > FILES_MAX {
            return Err(MentionsError::TooMany);
        }
    }
    Ok(search.found)
}

/// The words of a prompt, from the first to the last: each is read once, however many `@` are in it.
struct Words<'a> {
    prompt: &'a str,
    /// Where the word ends that was read last.
    end: usize,
    /// Its last `/`.
    slash: Option<usize>,
}

impl<'a> Words<'a> {
    fn of(prompt: &'a str) -> Self {
        Self {
            prompt,
            end: 0,
            slash: None,
        }
    }

    /// Whether a `/` follows in the word at this position; positions only grow.
    fn has_slash_after(&mut self, position: usize) -> bool {
        if position >= self.end {
            let rest = self.prompt.get(position..).unwrap_or_default();
            let word = rest.split(ends_a_word).next().unwrap_or_default();
            self.end = position + word.len();
            self.slash = word.rfind('/').map(|at| position + at);
        }
        self.slash.is_some_and(|slash| slash > position)
    }
}

/// The first [`NAME_BYTES_MAX`] bytes, or as many as are whole letters.
fn beginning(text: &str) -> &str {
    let mut end = text.len().min(NAME_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// White space as JavaScript's `\s` has it, by which the program ends a word.
fn ends_a_word(letter: char) -> bool {
    (letter.is_whitespace() && letter != '\u{85}') || letter == '\u{feff}'
}

struct Search<'a> {
    cwd: &'a str,
    home: &'a Path,
    found: Mentions,
    probes: usize,
}

impl Search<'_> {
    /// Takes `text` itself, and every part of it before something that is not a letter or digit: a
    /// line range, closing punctuation and brackets are not part of the name, and which of them the
    /// program cuts off differs from version to version.
    fn names(&mut self, text: &str) -> Result<(), MentionsError> {
        let text = beginning(text);
        self.name(text, true)?;
        for (position, letter) in text.char_indices() {
            if !letter.is_alphanumeric() {
                let rest = text.get(position..).unwrap_or_default();
                // A folder counts only when nothing but punctuation follows: `src` is not what
                // `@src/a.rs` brings in.
                let closes = !rest.chars().any(char::is_alphanumeric);
                let ranges = letter == '#' || letter == '"';
                self.name(text.get(..position).unwrap_or_default(), closes || ranges)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &str, folders: bool) -> Result<(), MentionsError> {
        if name.is_empty() {
            return Ok(());
        }
        self.probes += 1;
        if self.probes > PROBES_MAX {
            return Err(MentionsError::TooManyNames);
        }
        let path = match name.strip_prefix('~') {
            Some("") => self.home.to_owned(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ => Path::new(self.cwd).join(name),
        };
        // The program takes `nosuch/../file` for `file`; the kernel would not find it.
        let path = lexical(&path);
        let exists = match std::fs::metadata(&path) {
            Ok(meta) => folders || !meta.is_dir(),
            // What may be there and cannot be looked at is judged as well.
            Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
        };
        let path = path.to_string_lossy().into_owned();
        if exists && !self.found.files.contains(&path) {
            self.found.files.push(path);
        }
        Ok(())
    }

    /// Whether the word names a resource.
    fn resource(&mut self, word: &str, servers: Option<&[String]>) -> bool {
        let Some(servers) = servers else {
            let parts = word.split_once(':');
            return parts.is_some_and(|(server, address)| self.of_server(server, address));
        };
        let mut names_one = false;
        for server in servers {
            let rest = word.strip_prefix(server.as_str());
            if let Some(address) = rest.and_then(|rest| rest.strip_prefix(':')) {
                names_one |= self.of_server(server, address);
            }
        }
        names_one
    }

    fn of_server(&mut self, server: &str, address: &str) -> bool {
        if server.is_empty() || address.is_empty() {
            return false;
        }
        let one = (server.to_owned(), address.to_owned());
        if !self.found.resources.contains(&one) {
            self.found.resources.push(one);
        }
        true
    }
}

/// The path without `.`, `..` and doubled slashes, links not followed.
pub(super) fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
