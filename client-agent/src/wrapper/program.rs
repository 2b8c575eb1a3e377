//! An agent's program: where it is and which version.

use crate::state::{FILE_MODE, StateDir};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A coding agent as it is installed.
#[derive(Debug, PartialEq, Eq)]
pub struct Make {
    /// Its name for people.
    pub title: &'static str,
    /// The program's name in `PATH`.
    pub command: &'static str,
    /// Variable that names the program where it is not in `PATH`.
    pub variable: &'static str,
    /// The oldest version that can be held to its hooks.
    pub oldest: Version,
    /// Why no older one can.
    pub reason: &'static str,
    /// File that remembers the version.
    remembered: &'static str,
    /// Where the program itself lies, from the folder of the package whose script starts it.
    parts: &'static [&'static str],
}

/// Claude Code: since 2.1.295 `onFailure` makes a hook that crashes or times out block.
pub const CLAUDE_CODE: Make = Make {
    title: "Claude Code",
    command: "claude",
    variable: "CAIRN_CLAUDE",
    oldest: Version([2, 1, 295]),
    reason: "lets an action run when a hook fails",
    remembered: "version.json",
    parts: &[],
};

/// Codex: 0.169.0 asks a hook before every tool but two, of which Cairn takes away one and ties the other.
pub const CODEX: Make = Make {
    title: "Codex",
    command: "codex",
    variable: "CAIRN_CODEX",
    oldest: Version([0, 169, 0]),
    reason: "is not known to ask a hook before each tool",
    remembered: "codex-version.json",
    parts: &[
        "../codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
        "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex",
    ],
};

/// Largest remembered version file.
const REMEMBERED_BYTES_MAX: u64 = 4_096;

/// A version of three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(pub [u32; 3]);

/// The agent's program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its absolute path.
    pub path: PathBuf,
    /// Its version, at least [`Make::oldest`].
    pub version: Version,
}

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Not in `PATH`.
    #[error("`{}` is not in PATH; install {} or set {} to its path", .0.command, .0.title, .0.variable)]
    NotFound(&'static Make),
    /// It does not say which version it is, so whether its hooks can block is not known.
    #[error("`{}` does not say its version; install {} again", path.display(), make.title)]
    NoVersion {
        /// Which agent.
        make: &'static Make,
        /// The program.
        path: PathBuf,
    },
    /// It cannot be held to its hooks.
    #[error("{} {found} {}; update it to {} or later", make.title, make.reason, make.oldest)]
    TooOld {
        /// Which agent.
        make: &'static Make,
        /// Its version.
        found: Version,
    },
    /// The variable names no executable file.
    #[error("{} names `{}`, which is not an executable file", make.variable, path.display())]
    NotExecutable {
        /// Which agent.
        make: &'static Make,
        /// What the variable names.
        path: PathBuf,
    },
}

/// A version as it was found, bound to the file it came from.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Remembered {
    file: [i128; 5],
    version: Version,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl Version {
    /// Reads the first word of the form `1.2.3`, whatever follows.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .find_map(|word| {
                let mut numbers = word.split('.').map(|number| number.parse().ok());
                let version = Self([numbers.next()??, numbers.next()??, numbers.next()??]);
                numbers.next().is_none().then_some(version)
            })
    }
}

impl Program {
    /// Finds an agent's program and its version.
    ///
    /// Errors: [`ProgramError`].
    pub fn find(state: &StateDir, make: &'static Make) -> Result<Self, ProgramError> {
        let path = itself(path(make)?, make);
        match version(state, &path, make) {
            Some(version) if version >= make.oldest => Ok(Self { path, version }),
            Some(found) => Err(ProgramError::TooOld { make, found }),
            None => Err(ProgramError::NoVersion { make, path }),
        }
    }
}

fn path(make: &'static Make) -> Result<PathBuf, ProgramError> {
    if let Some(named) = std::env::var_os(make.variable).map(PathBuf::from) {
        let absolute = std::path::absolute(&named).unwrap_or_else(|_| named.clone());
        return if is_executable(&absolute) {
            Ok(absolute)
        } else {
            Err(ProgramError::NotExecutable { make, path: named })
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(make.command))
        .find(|path| is_executable(path))
        .ok_or(ProgramError::NotFound(make))
}

/// The program that a package's script would start, so that the agent is one process with one digest; the
/// script where it lies elsewhere.
fn itself(path: PathBuf, make: &Make) -> PathBuf {
    let Ok(script) = path.canonicalize() else {
        return path;
    };
    if script.extension().is_none_or(|ending| ending != "js") {
        return path;
    }
    let package = script.parent().and_then(Path::parent);
    let parts = make.parts.iter();
    parts
        .filter_map(|part| package.map(|package| package.join(part)))
        .find_map(|path| path.canonicalize().ok().filter(|path| is_executable(path)))
        .unwrap_or(path)
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Which file a program is: device, number, length and last change; `None` where there is none.
pub fn file_number(path: &Path) -> Option<[i128; 5]> {
    let meta = std::fs::metadata(path).ok()?;
    Some([
        i128::from(meta.dev()),
        i128::from(meta.ino()),
        i128::from(meta.size()),
        i128::from(meta.ctime()),
        i128::from(meta.ctime_nsec()),
    ])
}

/// Asks the program for its version once for each file; starting it costs a good part of a second.
fn version(state: &StateDir, path: &Path, make: &Make) -> Option<Version> {
    let file = file_number(path)?;
    let store = state.agent_settings().join(make.remembered);
    let known = cairn_durable::read_limited(&store, REMEMBERED_BYTES_MAX)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok())
        .filter(|known| known.file == file);
    if let Some(known) = known {
        return Some(known.version);
    }
    let output = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let version = Version::find(&String::from_utf8_lossy(&output.ok()?.stdout))?;
    if let Ok(bytes) = serde_json::to_vec(&Remembered { file, version }) {
        // Not remembered it is asked again the next time.
        let _asked_again = cairn_durable::write_atomic(&store, &bytes, FILE_MODE);
    }
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_and_compared_by_number() {
        assert_eq!(
            Version::find("2.1.330 (Claude Code)\n"),
            Some(Version([2, 1, 330]))
        );
        assert_eq!(
            Version::find("claude v2.1.9-beta"),
            Some(Version([2, 1, 9]))
        );
        assert_eq!(
            Version::find("codex-cli 0.169.0\n"),
            Some(Version([0, 169, 0]))
        );
        assert_eq!(Version::find("none"), None);
        assert!(Version([2, 1, 330]) > Version([2, 1, 295]));
        assert!(Version([2, 1, 9]) < Version([2, 1, 295]));
    }

    #[test]
    fn a_package_s_script_leads_to_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let package = root.join("node_modules/@openai/codex");
        let file = |path: PathBuf| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let script = file(package.join("bin/codex.js"));
        let link = root.join("codex");
        std::os::unix::fs::symlink(&script, &link).unwrap();
        assert_eq!(itself(link.clone(), &CODEX), link, "nothing else is there");
        let program = file(package.join(CODEX.parts[0]).components().collect());
        assert_eq!(itself(link, &CODEX), program.canonicalize().unwrap());
        assert_eq!(itself(program.clone(), &CODEX), program);
    }
}
