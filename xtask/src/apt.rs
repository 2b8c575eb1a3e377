//! System packages: which are needed, how their presence is seen, and how they are installed.
//!
//! It owns the list and the one command that needs root. Presence is looked at by what a package
//! brings, not by the package database, so that other systems and hand-made installs count as well.

use std::path::Path;

use anyhow::{Result, bail};

use crate::context::{Consent, Context};
use crate::process::{self, Process};

/// What a package is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nothing can be compiled without it.
    Build,
    /// The demo and the suites in other languages need it.
    Demo,
    /// Some suites need it and are skipped without it.
    Tests,
}

/// How to see that a package is there.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// One of these programs can be found.
    Program(&'static [&'static str]),
    /// The C compiler's library that RocksDB's bindings are generated with.
    LibClang,
    /// Python can make environments with pip in them.
    PythonVenv,
}

/// One Debian package.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Its name in Debian.
    pub name: &'static str,
    /// What it is for.
    pub purpose: Use,
    sign: Sign,
}

const fn program(name: &'static str, purpose: Use, programs: &'static [&'static str]) -> Package {
    Package {
        name,
        purpose,
        sign: Sign::Program(programs),
    }
}

/// Every system package the repository uses.
pub const PACKAGES: &[Package] = &[
    program("g++", Use::Build, &["c++"]),
    program("ccache", Use::Build, &["ccache"]),
    Package {
        name: "libclang-dev",
        purpose: Use::Build,
        sign: Sign::LibClang,
    },
    program("git", Use::Build, &["git"]),
    program("python3", Use::Demo, &["python3"]),
    Package {
        name: "python3-venv",
        purpose: Use::Demo,
        sign: Sign::PythonVenv,
    },
    program(
        "chromium",
        Use::Tests,
        &["chromium", "chromium-browser", "google-chrome"],
    ),
    program("strace", Use::Tests, &["strace"]),
    program("iproute2", Use::Tests, &["ip"]),
    program("util-linux", Use::Tests, &["unshare"]),
    program("curl", Use::Tests, &["curl"]),
    program("nginx-light", Use::Tests, &["nginx"]),
];

impl Package {
    /// Whether what the package brings can be seen.
    #[must_use]
    pub fn is_present(&self) -> bool {
        match self.sign {
            Sign::Program(names) => names.iter().any(|name| process::find(name).is_some()),
            Sign::LibClang => lib_clang_is_present(),
            Sign::PythonVenv => {
                process::answer("python3", &["-c", "import ensurepip, venv"]).is_some()
            }
        }
    }
}

/// The packages of these uses that are not there.
#[must_use]
pub fn missing(uses: &[Use]) -> Vec<Package> {
    let wanted = PACKAGES
        .iter()
        .filter(|package| uses.contains(&package.purpose));
    wanted
        .filter(|package| !package.is_present())
        .copied()
        .collect()
}

/// Installs what is missing, asking first; true means that nothing is missing afterwards.
///
/// # Errors
/// A package that the build needs is missing and may not or cannot be installed: the message names it.
pub fn provide(context: &Context, uses: &[Use]) -> Result<bool> {
    let absent = missing(uses);
    if absent.is_empty() {
        return Ok(true);
    }
    let names: Vec<&str> = absent.iter().map(|package| package.name).collect();
    println!("missing system packages: {}", names.join(" "));
    if install(context, &names)? && missing(uses).is_empty() {
        return Ok(true);
    }
    let needed = missing(&[Use::Build]);
    if uses.contains(&Use::Build) && !needed.is_empty() {
        let names: Vec<&str> = needed.iter().map(|package| package.name).collect();
        bail!(
            "the build needs {}; install them, or run again with `--yes`",
            names.join(", ")
        );
    }
    println!("going on without them: what needs them is skipped");
    Ok(false)
}

fn install(context: &Context, names: &[&str]) -> Result<bool> {
    if process::find("apt-get").is_none() {
        println!("no apt-get here: install the same things with this system's own package manager");
        return Ok(false);
    }
    let root = process::answer("id", &["-u"]).as_deref() == Some("0");
    if !root && process::find("sudo").is_none() {
        println!("neither root nor sudo here: ask somebody with root to install them");
        return Ok(false);
    }
    let question = format!("Install with root rights: {}?", names.join(" "));
    if !context.consent.asked(&question)? {
        if context.consent == Consent::Nobody {
            println!("nobody to ask for root rights: run again with `--yes` to install them");
        }
        return Ok(false);
    }
    let apt = |title: &str, args: &[&str]| {
        let (first, rest) = if root {
            ("env", &[][..])
        } else {
            ("sudo", &["env"][..])
        };
        let process = Process::new(context, title, first).args(rest);
        process
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .args(args)
            .run()
    };
    let list = ["install", "-y", "-q", "--no-install-recommends"];
    Ok(apt("refresh the package lists", &["update", "-q"])?
        && apt("install system packages", &[&list, names].concat())?)
}

/// Looks where Debian and its kin put the library, and where the user says it is.
fn lib_clang_is_present() -> bool {
    let named = std::env::var_os("LIBCLANG_PATH").is_some_and(|path| Path::new(&path).exists());
    let holds = |folder: &Path| {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
        names.map(|entry| entry.file_name()).any(|name| {
            let name = name.to_string_lossy();
            name.starts_with("libclang.so")
                || (name.starts_with("libclang-") && name.contains(".so"))
        })
    };
    let versions = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten();
    named
        || versions
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("llvm"))
            .any(|entry| holds(&entry.path().join("lib")))
        || [
            "/usr/lib64",
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
        ]
        .iter()
        .any(|folder| holds(Path::new(folder)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_seen() {
        assert!(!program("x", Use::Tests, &["cairn-no-such-program"]).is_present());
        assert!(program("x", Use::Tests, &["cairn-no-such-program", "sh"]).is_present());
    }

    #[test]
    fn no_package_is_listed_twice() {
        for (position, package) in PACKAGES.iter().enumerate() {
            assert!(
                PACKAGES
                    .iter()
                    .skip(position + 1)
                    .all(|other| other.name != package.name)
            );
        }
    }
}
