//! Whether every file system that holds the developer's work is encrypted.
//!
//! Owns the all-of over the paths in scope. Swap is reported in the reason and does not change the
//! state: a machine may have none, or one in memory.
//!
//! Source: the walk in `block.rs`.

use std::path::{Path, PathBuf};

use super::block::{Cover, Devices};
use super::field::{Finding, SYSTEM, State};
use super::mounts::{Mounts, swaps};
use super::surroundings::Surroundings;
use super::sysroot::Sysroot;

/// Where the answer comes from.
const SOURCE: &str = "sysfs";

/// Judges the file systems that hold `paths`, which are absolute.
pub(super) fn collect(sysroot: &Sysroot, paths: &[PathBuf]) -> Finding {
    let around = Surroundings::of(sysroot);
    // Both see devices of a machine whose disk they cannot judge.
    if around.container.is_some() {
        return Finding::unknown(SOURCE, "container");
    }
    if around.wsl {
        return Finding::unknown(SOURCE, "wsl-host");
    }
    let Some(mounts) = Mounts::read(sysroot) else {
        return Finding::unknown(SOURCE, "no-mount-table");
    };
    let devices = Devices {
        sysroot,
        mounts: &mounts,
    };
    let covers: Vec<Cover> = paths
        .iter()
        .map(|path| devices.cover_of_path(path))
        .collect();
    let mut notes: Vec<String> = paths
        .iter()
        .zip(&covers)
        .map(|(path, cover)| note(path, *cover))
        .collect();
    notes.push(swap_note(&devices));
    let notes = notes.join(" ");
    match Cover::all_of(covers) {
        Some(Cover::Encrypted(method)) => {
            Finding::known(State::On, SYSTEM, &format!("{SOURCE}:{method}"), &notes)
        }
        Some(Cover::Plain) => {
            Finding::known(State::Off, SYSTEM, &format!("{SOURCE}:plain"), &notes)
        }
        Some(Cover::Mixed) => {
            Finding::known(State::Partial, SYSTEM, &format!("{SOURCE}:mixed"), &notes)
        }
        Some(Cover::Unknown(reason)) => Finding::unknown(SOURCE, reason),
        None => Finding::unknown(SOURCE, "no-path-in-scope"),
    }
}

fn note(path: &Path, cover: Cover) -> String {
    format!("{}={}", path.display(), word(cover))
}

fn swap_note(devices: &Devices<'_>) -> String {
    let Some(areas) = swaps(devices.sysroot) else {
        return "swap=unreadable".to_owned();
    };
    let covers = areas.iter().map(|area| {
        if area.path.starts_with("/dev") && area.path.to_string_lossy().contains("/zram") {
            Cover::Encrypted("memory")
        } else if area.is_file {
            devices.cover_of_path(&area.path)
        } else {
            devices.cover_of_device(&area.path)
        }
    });
    format!("swap={}", Cover::all_of(covers).map_or("none", word))
}

fn word(cover: Cover) -> &'static str {
    match cover {
        Cover::Encrypted(method) => method,
        Cover::Plain => "plain",
        Cover::Mixed => "mixed",
        Cover::Unknown(reason) => reason,
    }
}
