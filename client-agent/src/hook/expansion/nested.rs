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
    let mut walk = Walk {
        entries: 0,
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
    entries: usize,
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
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return None;
            }
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
