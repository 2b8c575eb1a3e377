//! How strongly a running process is shown to be the product its name claims.
//!
//! Owns the evidence ladder for processes. A name is worth nothing: any user can give a process
//! any name.
//!
//! ```text
//! 0  the name
//! 1  runs as root in the first process's pid namespace
//! 2  runs in the product's service unit: root put it there, the process cannot
//! 3  and its executable lies in the product's folder, which only root can change
//! 4  and the executable's digest is one the organisation expects
//! ```
//!
//! Source: proc_pid_status(5), proc_pid_cgroup(5), systemd's control group layout.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use super::field::{DIGEST, NAME, PATH, ROOT, SYSTEM};
use super::product::Product;
use super::sysroot::{Sysroot, text_at};
use crate::ancestry::DigestCache;
use crate::ancestry::procfs::Status;

/// Permission bits that let somebody other than the owner change a file or folder.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Judges the process whose folder under `/proc` is `dir` and whose name is one of `product`'s.
pub(super) fn evidence(
    sysroot: &Sysroot,
    dir: &Path,
    product: &Product,
    digests: &DigestCache,
) -> u8 {
    let status = text_at(&dir.join("status")).and_then(|text| Status::parse(&text));
    let Some(status) = status.filter(|status| in_first_namespace(sysroot, dir, status)) else {
        return NAME;
    };
    if !in_unit(dir, product) {
        return if status.euid == 0 { ROOT } else { NAME };
    }
    let Some(exe) = executable(sysroot, dir, product) else {
        return SYSTEM;
    };
    if product.exe_sha256.is_empty() {
        return PATH;
    }
    let file = File::open(if sysroot.is_real() {
        dir.join("exe")
    } else {
        exe
    });
    let digest = file
        .ok()
        .and_then(|file| digests.digest(&file, SystemTime::now(), None).ok());
    match digest {
        Some(digest) if product.exe_sha256.contains(&digest.sha256) => DIGEST,
        _ => PATH,
    }
}

/// Reports whether the process is in the pid namespace of process 1.
///
/// Inside another namespace anybody who may create one is root. The links need privilege to read;
/// without it, a process known by one number only is in the namespace this `/proc` belongs to.
fn in_first_namespace(sysroot: &Sysroot, dir: &Path, status: &Status) -> bool {
    let own = fs::read_link(dir.join("ns/pid"));
    let first = fs::read_link(sysroot.at("/proc/1/ns/pid"));
    match (own, first) {
        (Ok(own), Ok(first)) => own == first,
        _ => status.namespace_depth <= 1,
    }
}

/// Reports whether the service manager runs the process in one of the product's units.
fn in_unit(dir: &Path, product: &Product) -> bool {
    let groups = text_at(&dir.join("cgroup")).unwrap_or_default();
    groups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .any(|path| {
            let mut parts = path.split('/').skip(1);
            // Only the system's slice: a user's own manager can name a unit as it likes.
            parts.next() == Some("system.slice")
                && parts
                    .next()
                    .is_some_and(|unit| product.unit.iter().any(|known| known == unit))
        })
}

/// Returns where the executable lies, if it is the product's and only root can change it.
fn executable(sysroot: &Sysroot, dir: &Path, product: &Product) -> Option<PathBuf> {
    let exe = fs::read_link(dir.join("exe")).ok()?;
    if !product.dir.iter().any(|folder| exe.starts_with(folder)) {
        return None;
    }
    let place = sysroot.at(&exe);
    if !only_root_changes(sysroot, &exe)? {
        return None;
    }
    if sysroot.is_real() {
        // The path may by now hold another file than the one that runs.
        let (runs, lies) = (
            fs::metadata(dir.join("exe")).ok()?,
            fs::metadata(&place).ok()?,
        );
        if (runs.dev(), runs.ino()) != (lies.dev(), lies.ino()) {
            return None;
        }
    }
    Some(place)
}

/// Reports whether root owns a path and every folder above it and nobody else may write there.
fn only_root_changes(sysroot: &Sysroot, path: &Path) -> Option<bool> {
    let root_uid = sysroot.root_uid()?;
    let mut prefix = PathBuf::from("/");
    for component in path.components() {
        if let Component::Normal(name) = component {
            prefix.push(name);
        }
        let stat = fs::symlink_metadata(sysroot.at(&prefix)).ok()?;
        let safe = stat.uid() == root_uid
            && stat.mode() & WRITABLE_BY_OTHERS == 0
            && !stat.file_type().is_symlink();
        if !safe {
            return Some(false);
        }
    }
    Some(true)
}
