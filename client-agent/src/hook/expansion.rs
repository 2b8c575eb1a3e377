//! What a slash command or a skill turns into: its text on disk, and the shell commands in it.
//!
//! Owns finding the text. Claude Code expands it after its hooks were asked about the name alone:
//! files that the text mentions come in, and `!` commands run, without a hook of their own.
//!
//! Source: Claude Code findings 1.1; observed by `tests/claude` with 2.1.330.

use std::path::{Path, PathBuf};

/// Most directory entries looked at for one name: the plug-ins of a developer with many of them.
const ENTRIES_MAX: usize = 50_000;

/// How deep below a root commands and skills are looked for.
const DEPTH_MAX: usize = 10;

/// Largest text: a prompt of 1 MiB is more than any model reads.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// Folders that hold no commands and very many files.
const SKIPPED: [&str; 2] = [".git", "node_modules"];

/// Why the text cannot be judged; the expansion is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpansionError {
    /// More than [`ENTRIES_MAX`] entries.
    #[error("there are too many files to find the command `{0}` in")]
    TooMany(String),
    /// It is there and cannot be read.
    #[error("the command's file `{}` cannot be read", .0.display())]
    Unreadable(PathBuf),
}

/// Where commands and skills are configured for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places<'a> {
    /// Working directory of the session.
    pub cwd: &'a Path,
    /// The agent's configuration folder, usually `~/.claude`.
    pub config: &'a Path,
}

/// The texts of every command and skill of this name; of two with one name both are judged.
///
/// Errors: [`ExpansionError`].
pub fn texts(places: &Places<'_>, name: &str) -> Result<Vec<String>, ExpansionError> {
    let last = name.rsplit(':').next().unwrap_or(name);
    let mut roots: Vec<PathBuf> = places
        .cwd
        .ancestors()
        .map(|folder| folder.join(".claude"))
        .chain([places.config.to_owned()])
        .flat_map(|folder| [folder.join("commands"), folder.join("skills")])
        .collect();
    roots.push(places.config.join("plugins"));
    roots.dedup();
    let mut search = Search {
        name: last,
        entries: 0,
        texts: Vec::new(),
    };
    for root in roots {
        search.folder(&root, DEPTH_MAX)?;
    }
    Ok(search.texts)
}

/// The shell commands that a text runs when it is expanded: `` !`command` `` and fenced `!` blocks,
/// with the arguments put in.
pub fn commands(text: &str, arguments: &str) -> Vec<String> {
    let text = text
        .replace("${ARGUMENTS}", arguments)
        .replace("$ARGUMENTS", arguments);
    let mut found = Vec::new();
    for (position, _) in text.match_indices("!`") {
        let rest = text.get(position + 2..).unwrap_or_default();
        found.extend(rest.split_once('`').map(|(command, _)| command.to_owned()));
    }
    for (position, _) in text.match_indices("```!") {
        let rest = text.get(position + 4..).unwrap_or_default();
        let block = rest.split("```").next().unwrap_or_default();
        found.push(block.trim().to_owned());
    }
    found.retain(|command| !command.is_empty());
    found
}

struct Search<'a> {
    name: &'a str,
    entries: usize,
    texts: Vec<String>,
}

impl Search<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), ExpansionError> {
        // A folder that is not there or not to be listed gives the agent nothing either.
        let Ok(listing) = std::fs::read_dir(folder) else {
            return Ok(());
        };
        for entry in listing.flatten() {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(ExpansionError::TooMany(self.name.to_owned()));
            }
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            // Links are followed, as the agent follows them; the depth ends every loop.
            let is_folder = std::fs::metadata(&path).is_ok_and(|meta| meta.is_dir());
            if is_folder && depth > 0 && !SKIPPED.contains(&name.as_str()) {
                self.folder(&path, depth - 1)?;
            } else if !is_folder {
                self.file(&path, &name)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, file: &str) -> Result<(), ExpansionError> {
        let Some(stem) = file
            .strip_suffix(".md")
            .or_else(|| file.strip_suffix(".MD"))
        else {
            return Ok(());
        };
        let is_skill = stem.eq_ignore_ascii_case("skill");
        let folder = path.parent().and_then(Path::file_name);
        let label = match folder {
            Some(folder) if is_skill => folder.to_string_lossy().into_owned(),
            _ => stem.to_owned(),
        };
        let named = label.eq_ignore_ascii_case(self.name);
        let text = cairn_durable::read_limited(path, TEXT_BYTES_MAX);
        match text {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if named || declares(&text, self.name) {
                    self.texts.push(text);
                }
                Ok(())
            }
            Err(_) if named => Err(ExpansionError::Unreadable(path.to_owned())),
            Err(_) => Ok(()),
        }
    }
}

/// Whether the front matter gives this name.
fn declares(text: &str, name: &str) -> bool {
    let Some(rest) = text.trim_start_matches('\u{feff}').strip_prefix("---") else {
        return false;
    };
    let front = rest.split("\n---").next().unwrap_or_default();
    front
        .lines()
        .filter_map(|line| line.trim().strip_prefix("name:"))
        .any(|value| {
            let value = value.trim().trim_matches(['"', '\'']);
            value.eq_ignore_ascii_case(name)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: PathBuf, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn texts_are_found_wherever_the_agent_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let (cwd, config) = (folder.path().join("repo/sub"), folder.path().join("cfg"));
        std::fs::create_dir_all(&cwd).unwrap();
        write(
            folder.path().join("repo/.claude/commands/a/deploy.md"),
            "one",
        );
        write(cwd.join(".claude/skills/deploy/SKILL.md"), "two");
        write(
            config.join("skills/other/SKILL.md"),
            "---\nname: 'deploy'\n---\nthree",
        );
        write(config.join("plugins/cache/p/commands/deploy.md"), "four");
        write(
            config.join("plugins/cache/p/node_modules/x/deploy.md"),
            "no",
        );
        write(config.join("commands/else.md"), "no");
        let places = Places {
            cwd: &cwd,
            config: &config,
        };
        let mut found = texts(&places, "p:deploy").unwrap();
        found.sort();
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(texts(&places, "init").unwrap().is_empty());
    }

    #[test]
    fn commands_are_found_with_their_arguments() {
        let text = "now !`git log $ARGUMENTS` and\n```!\nrm -rf x\n```\nnot `ls` or ```sh\nls\n```";
        assert_eq!(commands(text, "-1"), ["git log -1", "rm -rf x"]);
        assert!(commands("say !` and stop", "").is_empty());
    }
}
