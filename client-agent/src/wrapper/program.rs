//! The agent's program: where it is and which version.

use crate::state::{FILE_MODE, StateDir};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Variable that names the program where it is not in `PATH`.
pub const PROGRAM_VARIABLE: &str = "CAIRN_CLAUDE";

/// The program's name in `PATH`.
const NAME: &str = "claude";

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
    /// Its version, at least [`OLDEST`].
    pub version: Version,
}

/// The oldest version that can be held to its hooks: since then `onFailure` makes a hook that
/// crashes or times out block; before, the action ran.
pub const OLDEST: Version = Version([2, 1, 295]);

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Not in `PATH`.
    #[error("`claude` is not in PATH; install Claude Code or set CAIRN_CLAUDE to its path")]
    NotFound,
    /// It does not say which version it is, so whether its hooks can block is not known.
    #[error("`{}` does not say its version; install Claude Code again", .0.display())]
    NoVersion(PathBuf),
    /// Its hooks do not block when they fail.
    #[error(
        "Claude Code {found} lets an action run when a hook fails; update it to {OLDEST} or later"
    )]
    TooOld {
        /// Its version.
        found: Version,
    },
    /// The variable names no executable file.
    #[error("CAIRN_CLAUDE names `{}`, which is not an executable file", .0.display())]
    NotExecutable(PathBuf),
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
    /// Finds the program and its version.
    ///
    /// Errors: [`ProgramError`].
    pub fn find(state: &StateDir) -> Result<Self, ProgramError> {
        let path = path()?;
        match version(state, &path) {
            Some(version) if version >= OLDEST => Ok(Self { path, version }),
            Some(found) => Err(ProgramError::TooOld { found }),
            None => Err(ProgramError::NoVersion(path)),
        }
    }
}

fn path() -> Result<PathBuf, ProgramError> {
    if let Some(named) = std::env::var_os(PROGRAM_VARIABLE).map(PathBuf::from) {
        let absolute = std::path::absolute(&named).unwrap_or_else(|_| named.clone());
        return if is_executable(&absolute) {
            Ok(absolute)
        } else {
            Err(ProgramError::NotExecutable(named))
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(NAME))
        .find(|path| is_executable(path))
        .ok_or(ProgramError::NotFound)
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
fn version(state: &StateDir, path: &Path) -> Option<Version> {
    let file = file_number(path)?;
    let store = state.agent_settings().join("version.json");
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
        assert_eq!(Version::find("none"), None);
        assert!(Version([2, 1, 330]) > Version([2, 1, 295]));
        assert!(Version([2, 1, 9]) < Version([2, 1, 295]));
    }
}
