//! The console's build: npm packages, then Vite, only when its sources have changed.
//!
//! It owns when to build. What is built is `console/`'s own affair.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::context::Context;
use crate::process::Process;
use crate::steps::Outcome;
use crate::tools::{Need, Toolbox};

/// Folders of `console/` that a build writes.
const MADE: [&str; 2] = ["node_modules", "dist"];
/// Where the hash of what was built is kept; gone with the packages, so that both are made again.
const STAMP: &str = "node_modules/.cairn-sources";

/// Builds the console into `console/dist`, unless that is already made from these sources.
///
/// # Errors
/// The sources cannot be read or npm cannot be started.
pub fn build(context: &Context, toolbox: &Toolbox<'_>) -> Result<Outcome> {
    let folder = context.checkout.join("console");
    if !folder.join("package.json").is_file() {
        return Ok(Outcome::skipped("there is no console/package.json"));
    }
    let sources = hash_of(&folder)?;
    let stamp = folder.join(STAMP);
    let built = fs::read_to_string(&stamp).is_ok_and(|text| text == sources);
    if built && folder.join("dist/index.html").is_file() {
        println!("the console is built from these sources already");
        return Ok(Outcome::Passed);
    }
    let Some(programs) = toolbox.folder(Need::Node) else {
        return Ok(Outcome::failed("Node is not installed and cannot be"));
    };
    let npm = |title: &str, args: &[&str]| {
        Process::new(context, title, programs.join("npm"))
            .args(args)
            .dir(&folder)
            .path_first(std::slice::from_ref(&programs))
            .pulse("npm")
            .run()
    };
    if !npm(
        "install the console's packages",
        &["ci", "--no-audit", "--no-fund"],
    )? || !npm("build the console", &["run", "build"])?
    {
        return Ok(Outcome::failed("npm failed"));
    }
    fs::write(&stamp, sources).context("cannot note what the console was built from")?;
    Ok(Outcome::Passed)
}

/// A hash over names and contents of everything in `console/` but what a build writes.
///
/// It only says whether to build again, so the standard library's hash is enough.
///
/// # Errors
/// A file cannot be read.
pub fn hash_of(folder: &Path) -> Result<String> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in
            fs::read_dir(&next).with_context(|| format!("cannot read `{}`", next.display()))?
        {
            let path = entry?.path();
            let made = next == folder && MADE.iter().any(|name| path.ends_with(name));
            if path.is_dir() && !made {
                folders.push(path);
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.strip_prefix(folder)?.hash(&mut hasher);
        fs::read(&file)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_source_changes_the_hash_and_a_build_does_not() {
        let folder = std::env::temp_dir().join(format!("cairn-console-{}", std::process::id()));
        fs::create_dir_all(folder.join("src")).unwrap();
        fs::create_dir_all(folder.join("dist")).unwrap();
        fs::write(folder.join("src/a.ts"), "1").unwrap();
        let before = hash_of(&folder).unwrap();
        fs::write(folder.join("dist/index.html"), "built").unwrap();
        let built = hash_of(&folder).unwrap();
        fs::write(folder.join("src/a.ts"), "2").unwrap();
        let changed = hash_of(&folder).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(before, built);
        assert_ne!(before, changed);
    }
}
