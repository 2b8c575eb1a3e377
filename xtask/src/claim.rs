//! Whose compiled packages the cache holds: those of one checkout.
//!
//! Cargo tells a stale package by the times of its files. Between two checkouts these say nothing: files
//! of an older checkout look older than what another one compiled, and a compiled test goes on to name the
//! folder of its own sources. So a checkout that finds another's packages has its own compiled again;
//! dependencies, which are the same everywhere, stay. Whoever works from a checkout holds a lock, so that
//! another does not take the packages away while they are compiled or run.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cache::Cache;

/// The file in the cache that names the checkout whose packages were compiled last.
const OWNER: &str = "CHECKOUT";

/// The file in the cache that is locked: shared by all who work from one checkout.
const LOCK: &str = "CHECKOUT.lock";

/// How what cargo remembers of this workspace's packages begins: with their names.
const OURS: [&str; 2] = ["cairn-", "xtask-"];

/// A hold on the cache: until it is dropped, another checkout waits.
#[derive(Debug)]
pub struct Claim {
    _lock: File,
}

/// Makes the cache this checkout's, once nobody works from another one.
///
/// # Errors
/// The cache cannot be written.
pub fn claim(cache: &Cache, checkout: &Path) -> Result<Claim> {
    let target = cache.target();
    let held = hold(cache, checkout);
    held.with_context(|| format!("`{}` cannot be made this checkout's", target.display()))
}

fn hold(cache: &Cache, checkout: &Path) -> io::Result<Claim> {
    let target = cache.target();
    fs::create_dir_all(target)?;
    let owner = target.join(OWNER);
    let name = checkout.as_os_str().as_encoded_bytes();
    let is_ours = || fs::read(&owner).is_ok_and(|known| known == name);
    let lock = File::create(target.join(LOCK))?;
    loop {
        lock.lock_shared()?;
        if is_ours() {
            return Ok(Claim { _lock: lock });
        }
        // Two who share cannot both go on to hold it alone: each lets go first, and looks again.
        lock.unlock()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                println!(
                    "another checkout works with `{}`: waiting",
                    target.display()
                );
                lock.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if !is_ours() {
            forget(target)?;
            forget(&cache.hook_target())?;
            fs::write(&owner, name)?;
        }
        lock.unlock()?;
    }
}

/// Removes what cargo remembers of our packages in every profile of a target directory.
fn forget(target: &Path) -> io::Result<()> {
    for profile in folders(target)? {
        for package in folders(&profile.join(".fingerprint"))? {
            let name = package.file_name().unwrap_or_default().to_string_lossy();
            if OURS.iter().any(|ours| name.starts_with(ours)) {
                fs::remove_dir_all(&package)?;
            }
        }
    }
    Ok(())
}

fn folders(of: &Path) -> io::Result<Vec<PathBuf>> {
    let read = match fs::read_dir(of) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        read => read?,
    };
    let paths = read.map(|item| item.map(|item| item.path()));
    let mut paths = paths.collect::<io::Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.is_dir());
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_checkout_has_its_own_packages_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().as_os_str().to_owned();
        let variable = |name: &str| (name == "CAIRN_CACHE").then(|| root.clone());
        let cache = Cache::from_variables(variable).unwrap();
        let prints = |target: PathBuf, profile| target.join(profile).join(".fingerprint");
        let debug = prints(cache.target().to_owned(), "debug");
        let hook = prints(cache.hook_target(), "release");
        let all = [
            debug.join("cairn-event-0123"),
            debug.join("xtask-4567"),
            debug.join("serde-89ab"),
            hook.join("cairn-hook-cdef"),
        ];
        let make = || all.iter().for_each(|one| fs::create_dir_all(one).unwrap());
        let there = || all.each_ref().map(|one| one.is_dir());

        make();
        claim(&cache, Path::new("/one")).unwrap();
        assert_eq!(there(), [false, false, true, false], "nobody's packages");
        make();
        claim(&cache, Path::new("/one")).unwrap();
        assert_eq!(there(), [true; 4], "its own packages stay");
        claim(&cache, Path::new("/two")).unwrap();
        assert_eq!(there(), [false, false, true, false], "another's packages");
    }

    #[test]
    fn who_works_from_a_checkout_keeps_another_from_the_cache() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().as_os_str().to_owned();
        let variable = |name: &str| (name == "CAIRN_CACHE").then(|| root.clone());
        let cache = Cache::from_variables(variable).unwrap();
        let held = claim(&cache, Path::new("/one")).unwrap();
        let beside = claim(&cache, Path::new("/one")).unwrap();
        drop(beside);
        let owner = || fs::read(cache.target().join(OWNER)).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let taken = claim(&cache, Path::new("/two")).map(|_| owner());
                sender.send(taken.unwrap()).unwrap();
            });
            // However long the other has been at it, the cache is not its own yet.
            assert_eq!(owner(), b"/one");
            assert!(receiver.try_recv().is_err());
            drop(held);
            assert_eq!(receiver.recv().unwrap(), b"/two");
        });
    }

    #[test]
    fn every_package_of_the_workspace_is_known_by_its_name() {
        let metadata = cargo_metadata::MetadataCommand::new()
            .manifest_path(crate::context::checkout().join("Cargo.toml"))
            .no_deps()
            .exec()
            .unwrap();
        assert!(!metadata.packages.is_empty());
        for package in metadata.packages {
            let print = format!("{}-0123", package.name);
            assert!(OURS.iter().any(|ours| print.starts_with(ours)), "{print}");
        }
    }
}
