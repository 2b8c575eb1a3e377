//! Configuration folders below a project: the agent takes up one as soon as it reads a file beside it.
//!
//! Owns finding them, within a bound.

use super::ExpansionError;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most directory entries looked at: a large repository has about as many, and listing them takes less
/// than half a second of the five that a hook has.
const ENTRIES_MAX: usize = 400_000;

/// Every `.claude` below `root`, through links as well, each folder once.
///
/// In `node_modules` only the packages themselves are looked at.
///
/// Errors: [`ExpansionError::TooWide`].
pub(super) fn configurations(root: &Path) -> Result<Vec<PathBuf>, ExpansionError> {
    within(root, ENTRIES_MAX)
}

fn within(root: &Path, entries_max: usize) -> Result<Vec<PathBuf>, ExpansionError> {
    let mut walk = Walk {
        entries_left: entries_max,
        seen: HashSet::new(),
        found: Vec::new(),
    };
    let mut open = vec![root.to_owned()];
    // A link back to the root leads nowhere new.
    walk.is_new(root);
    while let Some(folder) = open.pop() {
        let Some(below) = walk.folder(&folder) else {
            return Err(ExpansionError::TooWide(root.to_owned()));
        };
        open.extend(below);
    }
    Ok(walk.found)
}

struct Walk {
    entries_left: usize,
    seen: HashSet<(u64, u64)>,
    found: Vec<PathBuf>,
}

impl Walk {
    /// The folders to look into next; `None` when there were too many.
    fn folder(&mut self, folder: &Path) -> Option<Vec<PathBuf>> {
        let mut next = Vec::new();
        for below in self.folders(folder)? {
            match below.file_name().and_then(|name| name.to_str()) {
                Some(".claude") => self.found.push(below),
                Some(".git") => {}
                Some("node_modules") => self.packages(&below)?,
                _ => next.push(below),
            }
        }
        Some(next)
    }

    fn packages(&mut self, modules: &Path) -> Option<()> {
        for package in self.folders(modules)? {
            let name = package.file_name().unwrap_or_default().to_string_lossy();
            let packages = match name.starts_with('@') {
                true => self.folders(&package)?,
                false => vec![package],
            };
            let configurations = packages.iter().map(|package| package.join(".claude"));
            self.found.extend(configurations.filter(|one| one.is_dir()));
        }
        Some(())
    }

    /// The folders in a folder that were not seen before; one that cannot be listed has none for the
    /// agent either.
    fn folders(&mut self, folder: &Path) -> Option<Vec<PathBuf>> {
        let mut found = Vec::new();
        let Ok(listing) = std::fs::read_dir(folder) else {
            return Some(found);
        };
        for entry in listing.flatten() {
            self.entries_left = self.entries_left.checked_sub(1)?;
            let may_be_a_folder = entry
                .file_type()
                .is_ok_and(|kind| kind.is_dir() || kind.is_symlink());
            if !may_be_a_folder {
                continue;
            }
            let path = entry.path();
            if self.is_new(&path) {
                found.push(path);
            }
        }
        Some(found)
    }

    /// Whether it is a folder that was not seen before; from then on it was.
    fn is_new(&mut self, path: &Path) -> bool {
        std::fs::metadata(path)
            .is_ok_and(|meta| meta.is_dir() && self.seen.insert((meta.dev(), meta.ino())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn made(root: &Path, folders: &[&str]) {
        for folder in folders {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
    }

    #[test]
    fn a_project_is_searched_up_to_the_bound_and_refused_beyond_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        made(root, &["a/b/.claude", "c/.claude/skills/x", ".git/hooks"]);
        fs::write(root.join("c/file"), "").unwrap();
        // a, c, .git; b; .claude; .claude and file: what is in `.claude` and `.git` is not looked at.
        let entries = 7;
        let mut found = within(root, entries).unwrap();
        found.sort();
        assert_eq!(found, [root.join("a/b/.claude"), root.join("c/.claude")]);
        for fewer in 0..entries {
            let refused = within(root, fewer).unwrap_err();
            assert_eq!(refused, ExpansionError::TooWide(root.to_owned()), "{fewer}");
        }
    }

    #[test]
    fn links_that_lead_around_end_and_of_packages_only_the_top_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        made(
            root,
            &[
                "a/b",
                "node_modules/p/.claude",
                "node_modules/@s/q/.claude",
                "node_modules/p/deep/.claude",
            ],
        );
        std::os::unix::fs::symlink(root, root.join("a/b/up")).unwrap();
        std::os::unix::fs::symlink(root.join("a"), root.join("again")).unwrap();
        // a, node_modules, again; b; up; p, @s; q.
        let mut found = within(root, 8).unwrap();
        found.sort();
        let packages = root.join("node_modules");
        assert_eq!(
            found,
            [packages.join("@s/q/.claude"), packages.join("p/.claude")]
        );
    }
}
