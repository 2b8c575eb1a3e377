//! Where links lead: the one thing about paths that has to be asked of the file system.
//!
//! Owns resolving each path a request names, once, before the decision. What cannot be followed is
//! left out, and what is left out is never allowed.
//!
//! Source: `cairn_policy::ResolvedPath`; architecture of record, section 3 (frozen requests).

use cairn_policy::ResolvedPath;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Resolves absolute lexical paths, in their order.
pub fn resolve(paths: Vec<String>) -> Vec<ResolvedPath> {
    paths.into_iter().filter_map(resolve_one).collect()
}

fn resolve_one(lexical: String) -> Option<ResolvedPath> {
    let target = follow(Path::new(&lexical))?;
    let target = target.to_str()?.to_owned();
    let target = (target != lexical).then_some(target);
    Some(ResolvedPath {
        given: lexical.clone(),
        lexical,
        target,
    })
}

/// Where the path leads; for what does not exist yet, the nearest existing parent decides.
pub(super) fn follow(path: &Path) -> Option<PathBuf> {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        match std::fs::canonicalize(existing) {
            Ok(found) => {
                let rest = missing.iter().rev();
                return Some(rest.fold(found, |path: PathBuf, name: &&std::ffi::OsStr| {
                    path.join(name)
                }));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // A dangling link exists although what it leads to does not: creating the file
                // would create it there, so where it leads cannot be said.
                if std::fs::symlink_metadata(existing).is_ok() {
                    return None;
                }
                missing.push(existing.file_name()?);
                existing = existing.parent()?;
            }
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                missing.push(existing.file_name()?);
                existing = existing.parent()?;
            }
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_and_what_cannot_be_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        symlink("real", root.join("link")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
        let target = |name: &str| resolve(vec![path(name)]).pop().map(|found| found.target);
        assert_eq!(target("real/new.txt"), Some(None));
        assert_eq!(target("link/a/new.txt"), Some(Some(path("real/a/new.txt"))));
        assert_eq!(target("loop"), None);
        assert_eq!(target("dangling"), None);
    }
}
