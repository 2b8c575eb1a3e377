//! The files that belong to the repository, read once.
//!
//! It owns which files are looked at: those git tracks or would track. Cargo's lock file
//! is left out, because cargo writes its registry's name into every entry.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::rust::Source;

/// One text file.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path from the root of the checkout, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Every text file of the repository.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The files, sorted by path.
    pub files: Vec<File>,
    /// Every path, including those of files that are not text.
    pub paths: Vec<String>,
    /// Paths of built programs (ELF).
    pub programs: Vec<String>,
}

/// How a built program begins.
const ELF: &[u8] = b"\x7fELF";

const LOCK_FILE: &str = "Cargo.lock";

impl Tree {
    /// Reads the files of a checkout.
    ///
    /// # Errors
    /// git cannot list them or one of them cannot be read.
    pub fn of_checkout(checkout: &Path) -> Result<Self> {
        let output = std::process::Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(checkout)
            .output()
            .context("cannot start `git`")?;
        if !output.status.success() {
            bail!(
                "git cannot list the files: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let mut tree = Self::default();
        for path in String::from_utf8_lossy(&output.stdout).split('\0') {
            let file = checkout.join(path);
            // A file that is tracked but deleted in the work tree is listed and cannot be read.
            if !path.is_empty() && file.is_file() {
                tree.add(
                    path,
                    &std::fs::read(&file).with_context(|| format!("cannot read `{path}`"))?,
                );
            }
        }
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn add(&mut self, path: &str, bytes: &[u8]) {
        self.paths.push(path.to_owned());
        if bytes.starts_with(ELF) {
            self.programs.push(path.to_owned());
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if name == LOCK_FILE || bytes.contains(&0) {
            return;
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            self.files.push(File {
                path: path.to_owned(),
                text: text.to_owned(),
            });
        }
    }

    /// The files whose names end in one of `endings`, such as `.rs`.
    pub fn ending<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = &'a File> {
        self.files
            .iter()
            .filter(|file| endings.iter().any(|end| file.path.ends_with(end)))
    }

    /// The Rust files with their masked text.
    pub fn rust(&self) -> impl Iterator<Item = (&File, Source)> {
        self.ending(&[".rs"])
            .map(|file| (file, Source::new(&file.text)))
    }

    /// The file at a path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// A tree of these files, for the tests of the checks.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        files
            .iter()
            .for_each(|(path, text)| tree.add(path, text.as_bytes()));
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_and_binary_files_are_listed_but_not_read() {
        let tree = Tree::of(&[("Cargo.lock", "x"), ("a.png", "\0"), ("a.rs", "x")]);
        assert_eq!(tree.paths.len(), 3);
        assert_eq!(tree.files.len(), 1);
        assert!(tree.file("a.rs").is_some());
    }

    #[test]
    fn this_checkout_has_this_file() {
        let tree = Tree::of_checkout(&crate::context::checkout()).unwrap();
        assert!(tree.file("xtask/src/tidy/tree.rs").is_some());
    }
}
