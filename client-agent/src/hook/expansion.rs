//! What a slash command or a skill turns into: its text on disk, and the shell commands in it.
//!
//! Owns finding the text. Claude Code expands it after its hooks were asked about the name alone:
//! files that the text mentions come in, and `!` commands run, without a hook of their own. A text
//! that is not found here is not judged, so that its expansion is refused.
//!
//! Source: Claude Code findings 1.1; observed by `tests/claude` with 2.1.330.

mod arguments;
mod nested;

pub use arguments::{UNCERTAIN, Values, put_in};

use crate::interference::front_matter;
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
    /// The project has more folders than can be searched while a hook waits.
    #[error("`{}` has too many folders to look for skills in", .0.display())]
    TooWide(PathBuf),
    /// It is there and cannot be read.
    #[error("the command's file `{}` cannot be read", .0.display())]
    Unreadable(PathBuf),
}

/// Where commands and skills are configured for a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Folders whose own configuration, and that of the folders above and below, counts: the working
    /// directory, the project, and those added to the session.
    pub folders: Vec<PathBuf>,
    /// The agent's configuration folder, usually `~/.claude`.
    pub config: PathBuf,
}

/// The text of a command or skill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its file.
    pub file: PathBuf,
    /// What stands there.
    pub text: String,
}

impl Places {
    /// The configuration folders: that of the agent, and every `.claude` that counts.
    fn configurations(&self) -> Result<Vec<PathBuf>, ExpansionError> {
        let mut found = vec![self.config.clone()];
        let above = self.folders.iter().flat_map(|folder| folder.ancestors());
        found.extend(above.map(|folder| folder.join(".claude")));
        for folder in &self.folders {
            // One that lies in another of them is searched with it.
            let covered = |other: &PathBuf| folder != other && folder.starts_with(other);
            if !self.folders.iter().any(covered) {
                found.extend(nested::configurations(folder)?);
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}

/// Every command and skill of this name; of two with one name both are judged.
///
/// Errors: [`ExpansionError`].
pub fn texts(places: &Places, name: &str) -> Result<Vec<Found>, ExpansionError> {
    texts_within(places, name, ENTRIES_MAX)
}

fn texts_within(
    places: &Places,
    name: &str,
    entries_max: usize,
) -> Result<Vec<Found>, ExpansionError> {
    let last = name.rsplit(':').next().unwrap_or(name);
    let mut search = Search {
        name: last,
        entries_left: entries_max,
        found: Vec::new(),
    };
    for folder in places.configurations()? {
        for root in ["commands", "skills"] {
            search.folder(&folder.join(root), DEPTH_MAX)?;
        }
    }
    search.folder(&places.config.join("plugins"), DEPTH_MAX)?;
    Ok(search.found)
}

/// The shell commands that a text runs when it is expanded: `` !`command` `` and fenced `!` blocks.
pub fn commands(text: &str) -> Vec<String> {
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
    entries_left: usize,
    found: Vec<Found>,
}

impl Search<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) -> Result<(), ExpansionError> {
        // A folder that is not there or not to be listed gives the agent nothing either.
        let Ok(listing) = std::fs::read_dir(folder) else {
            return Ok(());
        };
        for entry in listing.flatten() {
            let left = self.entries_left.checked_sub(1);
            self.entries_left =
                left.ok_or_else(|| ExpansionError::TooMany(self.name.to_owned()))?;
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
                let file = path.to_owned();
                if named || declares(&text, self.name) {
                    self.found.push(Found { file, text });
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
    let front = front_matter(text).unwrap_or_default();
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
        let at = |path: &str| folder.path().join(path);
        let config = at("cfg");
        std::fs::create_dir_all(at("repo/sub")).unwrap();
        write(at("repo/.claude/commands/a/deploy.md"), "above");
        write(at("repo/sub/.claude/skills/deploy/SKILL.md"), "here");
        write(at("repo/sub/x/y/.claude/skills/deploy/SKILL.md"), "below");
        write(at("repo/beside/.claude/skills/deploy/SKILL.md"), "project");
        write(at("added/.claude/skills/deploy/SKILL.md"), "added");
        write(at("added/z/.claude/commands/deploy.md"), "below added");
        let package = "repo/node_modules/@scope/p/.claude/skills/deploy/SKILL.md";
        write(at(package), "package");
        let renamed = "---\nname: 'deploy'\n---\nrenamed";
        write(config.join("skills/other/SKILL.md"), renamed);
        write(config.join("plugins/cache/p/commands/deploy.md"), "plugin");
        write(
            config.join("plugins/cache/p/node_modules/x/deploy.md"),
            "no",
        );
        write(config.join("commands/else.md"), "no");
        write(at("elsewhere/.claude/skills/deploy/SKILL.md"), "no");
        // A loop of links is no endless search.
        std::os::unix::fs::symlink(at("repo"), at("repo/sub/loop")).unwrap();
        let places = Places {
            folders: vec![at("repo/sub"), at("repo"), at("added")],
            config,
        };
        let found = texts(&places, "p:deploy").unwrap();
        let mut found: Vec<_> = found.iter().map(|one| one.text.as_str()).collect();
        found.sort_unstable();
        let expected = [
            renamed,
            "above",
            "added",
            "below",
            "below added",
            "here",
            "package",
            "plugin",
            "project",
        ];
        assert_eq!(found, expected);
        assert!(texts(&places, "init").unwrap().is_empty());
    }

    #[test]
    fn more_files_than_can_be_looked_at_are_refused_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("cfg");
        for number in 0..5 {
            write(config.join(format!("commands/{number}.md")), "text");
        }
        let places = Places {
            folders: Vec::new(),
            config,
        };
        assert_eq!(texts_within(&places, "3", 5).unwrap().len(), 1);
        for fewer in 0..5 {
            let refused = texts_within(&places, "3", fewer).unwrap_err();
            assert_eq!(refused, ExpansionError::TooMany("3".to_owned()));
        }
    }

    #[test]
    fn commands_are_found() {
        let text = "now !`git log -1` and\n```!\nrm -rf x\n```\nnot `ls` or ```sh\nls\n```";
        assert_eq!(commands(text), ["git log -1", "rm -rf x"]);
        assert!(commands("say !` and stop").is_empty());
    }
}
