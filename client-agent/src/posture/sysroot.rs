//! The folder under which a device's files are read: `/`, or a fixture that plays a device.
//!
//! Owns bounded reading and the rule that nothing outside a fixture is ever read through it.
//!
//! Source: architecture of record, section 1 (client agent).

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// The most bytes read from a small kernel or configuration file: 64 KiB.
///
/// A mountinfo of a busy container host is the largest of them; a longer one is refused and the
/// field becomes unknown.
const TEXT_BYTES_MAX: u64 = 64 * 1024;

/// The most bytes read of a mount table: 4 MiB, about 20,000 mounts.
const TABLE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The folder a device's files are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysroot {
    root: PathBuf,
    real: bool,
}

impl Sysroot {
    /// Prepares a folder; `/` is the device itself, anything else a fixture.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        // A link or a detour to `/` must not make the device look like a fixture or the reverse.
        let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
        let real = root == Path::new("/");
        Self { root, real }
    }

    /// Reports whether this is the device itself.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.real
    }

    /// Returns the user who must own what only root can change on the device played.
    pub(super) fn root_uid(&self) -> Option<u32> {
        if self.real {
            Some(0)
        } else {
            fs::metadata(&self.root).ok().map(|stat| stat.uid())
        }
    }

    /// Returns where an absolute path of the device lies, `..` and links unresolved.
    pub(super) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let mut joined = self.root.clone();
        for component in path.as_ref().components() {
            if let Component::Normal(name) = component {
                joined.push(name);
            }
        }
        joined
    }

    /// Follows links to the end; `None` when nothing is there or a fixture's link leads outside.
    pub(super) fn resolve(&self, path: &Path) -> Option<PathBuf> {
        fs::canonicalize(path)
            .ok()
            .filter(|path| path.starts_with(&self.root))
    }

    /// Reads a small text file, without the line feed at its end.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        text_at(&self.at(path))
    }

    /// Reads a mount table, which may be long.
    pub(super) fn table(&self, path: impl AsRef<Path>) -> Option<String> {
        let bytes = cairn_durable::read_limited(&self.at(path), TABLE_BYTES_MAX).ok()?;
        // Mount points are bytes; a name that is not UTF-8 must not hide the other lines.
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads the first bytes of a file that may be long.
    pub(super) fn beginning(&self, path: impl AsRef<Path>, bytes_max: u64) -> io::Result<String> {
        let mut bytes = Vec::new();
        fs::File::open(self.at(path))?
            .take(bytes_max)
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reports whether something has this name.
    pub(super) fn exists(&self, path: impl AsRef<Path>) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }
}

/// Reads a small text file at a place already found.
pub(super) fn text_at(path: &Path) -> Option<String> {
    let bytes = cairn_durable::read_limited(path, TEXT_BYTES_MAX).ok()?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.truncate(text.trim_end_matches('\n').len());
    Some(text)
}

/// Lists a folder's entries, sorted by name; empty when it cannot be listed.
pub(super) fn entries(path: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(path)
        .map(|listing| listing.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.sort();
    paths
}
