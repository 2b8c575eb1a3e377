//! The form of an ancestry record, as it goes into an entry's `ancestry` disclosure.
//!
//! Owns the members and their JSON names. Every row is present even when most of it could not be
//! read, because a missing row would look like a shorter chain.
//!
//! Source: `docs/formats/entry.md`, the `ancestry` disclosure.

use cairn_event::Sha256;
use serde::Serialize;

/// A chain of processes, nearest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ancestry {
    /// Identifies the boot: together with a row's `pid` and `start_time` it names a process for
    /// ever. Empty when it could not be read.
    pub boot_id: String,
    /// Whether the chain ends at the first process of a container and not of the machine.
    pub pid_namespace_root: bool,
    /// Whether the chain was cut at its greatest length, or an ancestor ended during the walk.
    pub truncated: bool,
    /// The processes, nearest first.
    pub processes: Vec<ProcessRecord>,
}

impl Ancestry {
    /// Reports whether a digest is still owed because the deadline passed.
    ///
    /// The caller walks again without a deadline, apart from the decision, and records the result
    /// under the same process identities.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        let pending = |digest: &Digest| *digest == Digest::pending();
        self.processes.iter().any(|process| {
            pending(&process.exe_digest)
                || process
                    .script
                    .as_ref()
                    .is_some_and(|script| pending(&script.digest))
        })
    }
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessRecord {
    /// Command line, one item per argument, not redacted; cut where `argv_truncated` says so.
    pub argv: Vec<String>,
    /// Whether arguments are missing or cut.
    pub argv_truncated: bool,
    /// User whose rights the process has.
    pub euid: Option<u32>,
    /// Path of the executable in the process's own view, as the kernel shows it.
    pub exe: Option<String>,
    /// Digest of the running image.
    pub exe_digest: Digest,
    /// How the running image relates to the file of that name.
    pub exe_state: ExeState,
    /// Login user set by the audit system, which survives `sudo`; absent when unset.
    pub login_uid: Option<u32>,
    /// Name the process gave itself; worth nothing as evidence.
    pub name: String,
    /// In how many nested pid namespaces the process is; 1 for one on the machine itself.
    pub namespace_depth: usize,
    /// Process id as this daemon sees it.
    pub pid: u32,
    /// Whether the process changed or ended while it was read, so that the row may mix two.
    pub race: bool,
    /// The script an interpreter runs.
    pub script: Option<Script>,
    /// Session id.
    pub session: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// Device number of the controlling terminal, 0 for none.
    pub terminal: i32,
    /// Whether a debugger is attached.
    pub traced: bool,
    /// User who started the process.
    pub uid: Option<u32>,
}

/// How a running image relates to the file that has its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExeState {
    /// The file of that name is the one that runs.
    Ok,
    /// Another file has that name now.
    Replaced,
    /// No file has that name now.
    Deleted,
    /// The image never was a file: it was made in memory.
    Memfd,
    /// It could not be examined.
    Unreadable,
}

/// A digest, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    /// SHA-256 of a file whose attributes this kernel vouches for.
    Sha256(Sha256),
    /// SHA-256 of a file on a file system whose server may show others other bytes.
    UntrustedSha256(Sha256),
    /// A stable word: `permission`, `no-executable`, `not-found`, `not-a-file`, `too-large`,
    /// `changing`, `pending`, `gone`, `io`.
    Missing(&'static str),
}

impl Digest {
    /// The digest that is still owed.
    #[must_use]
    pub fn pending() -> Self {
        Digest::Missing("pending")
    }

    /// Returns the digest, whether or not the file system vouches for it.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256> {
        match self {
            Digest::Sha256(digest) | Digest::UntrustedSha256(digest) => Some(*digest),
            Digest::Missing(_) => None,
        }
    }
}

/// A script run by an interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// Digest of the file as it is now.
    pub digest: Digest,
    /// Path as given to the interpreter, relative to its working directory.
    pub path: String,
}
