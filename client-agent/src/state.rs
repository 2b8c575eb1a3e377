//! The daemon's state folder: where everything lies, and its small configuration.
//!
//! Owns the layout and the rule where the folder is. Does not own what the files hold.
//!
//! Source: XDG Base Directory Specification 0.8 for the default place.

use cairn_api::TlsTrust;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Variable that moves the folder.
pub const HOME_VARIABLE: &str = "CAIRN_HOME";

/// Permission bits of the folder: keys and evidence are for their owner alone.
pub const FOLDER_MODE: u32 = 0o700;

/// Permission bits of every file in it.
pub const FILE_MODE: u32 = 0o600;

/// Longest socket path: the kernel's `sun_path` holds 108 bytes with its terminator.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Largest configuration file in bytes; every setting together has under 1 KiB.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// Default cap of the spool: 1 GiB, about a week of one developer without a network.
const SPOOL_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Largest PEM file; a bundle of public authorities has 250 KiB.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// The state folder of one enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir(PathBuf);

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither `CAIRN_HOME` nor `XDG_STATE_HOME` nor `HOME` is an absolute path.
    #[error("no state folder: set CAIRN_HOME to an absolute path")]
    Nowhere,
    /// The socket's path would be longer than the kernel takes.
    #[error("`{}` is too long for a socket; set CAIRN_HOME to a shorter path", .0.display())]
    PathTooLong(PathBuf),
    /// `config.toml` cannot be read.
    #[error("`{}` cannot be read: {detail}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        detail: String,
    },
}

/// Settings of one device, from `config.toml`; every member may be absent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder whose files play the device in posture tests; evidence from it is marked `fixture:`.
    pub posture_sysroot: PathBuf,
    /// Most bytes the spool may hold.
    pub spool_bytes_max: u64,
    /// PEM file with the authorities that may certify the server, and no others; absent means the
    /// system's.
    pub server_ca: Option<PathBuf>,
    /// PEM file with this device's certificate and key, for a server that asks for one.
    pub client_certificate: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            posture_sysroot: PathBuf::from("/"),
            spool_bytes_max: SPOOL_BYTES_MAX,
            server_ca: None,
            client_certificate: None,
        }
    }
}

impl Config {
    /// Reads the certificate files.
    ///
    /// Errors: [`StateError::Config`] that names the file; the server is not spoken to.
    pub fn trust(&self) -> Result<TlsTrust, StateError> {
        let read = |path: &PathBuf| {
            let failed = |detail: String| StateError::Config {
                path: path.clone(),
                detail,
            };
            let bytes = cairn_durable::read_limited(path, PEM_BYTES_MAX)
                .map_err(|error| failed(error.to_string()))?;
            String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
        };
        Ok(TlsTrust {
            authorities: self.server_ca.as_ref().map(read).transpose()?,
            identity: self.client_certificate.as_ref().map(read).transpose()?,
        })
    }
}

impl StateDir {
    /// The folder that the environment names.
    ///
    /// Errors: [`StateError::Nowhere`], [`StateError::PathTooLong`].
    pub fn from_environment() -> Result<Self, StateError> {
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let chosen = absolute(HOME_VARIABLE)
            .or_else(|| absolute("XDG_STATE_HOME").map(|path| path.join("cairn")))
            .or_else(|| absolute("HOME").map(|path| path.join(".local/state/cairn")));
        Self::at(chosen.ok_or(StateError::Nowhere)?)
    }

    /// The folder at an absolute path.
    ///
    /// Errors: [`StateError::PathTooLong`].
    pub fn at(path: PathBuf) -> Result<Self, StateError> {
        let state = Self(path);
        if state.socket().as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(StateError::PathTooLong(state.socket()));
        }
        Ok(state)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.0.join("daemon.sock")
    }

    /// Refusals that the hook shim counted while no daemon ran, one byte each.
    pub fn unrecorded(&self) -> PathBuf {
        self.0.join("unrecorded")
    }

    /// What enrolment left.
    pub fn identity(&self) -> PathBuf {
        self.0.join("identity.json")
    }

    /// Entries that have no receipt yet.
    pub fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// How far the spool was receipted.
    pub fn uploaded(&self) -> PathBuf {
        self.0.join("uploaded.json")
    }

    /// Receipts held.
    pub fn receipts(&self) -> PathBuf {
        self.0.join("receipts")
    }

    /// Frames that the log refused.
    pub fn refused(&self) -> PathBuf {
        self.0.join("refused")
    }

    /// Verified roster entries and the verified policy.
    pub fn policy(&self) -> PathBuf {
        self.0.join("policy")
    }

    /// MCP servers ever found on this device.
    pub fn servers(&self) -> PathBuf {
        self.0.join("servers.json")
    }

    /// What the last canary proved.
    pub fn canary(&self) -> PathBuf {
        self.0.join("canary.json")
    }

    /// Settings files written for the agent.
    pub fn agent_settings(&self) -> PathBuf {
        self.0.join("claude")
    }

    /// The daemon's diagnostics when it was started on demand.
    pub fn diagnostics(&self) -> PathBuf {
        self.0.join("daemon.log")
    }

    /// Reads `config.toml`; an absent file is the default.
    ///
    /// Errors: [`StateError::Config`]; the daemon does not start.
    pub fn config(&self) -> Result<Config, StateError> {
        use cairn_durable::file::ReadFileError;
        let path = self.0.join("config.toml");
        let failed = |detail: String| StateError::Config {
            path: path.clone(),
            detail,
        };
        let bytes = match cairn_durable::read_limited(&path, CONFIG_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(ReadFileError::NotFound { .. }) => return Ok(Config::default()),
            Err(error) => return Err(failed(error.to_string())),
        };
        let text = String::from_utf8(bytes).map_err(|error| failed(error.to_string()))?;
        toml::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_too_long_for_a_socket_is_refused() {
        assert!(StateDir::at(PathBuf::from("/tmp/x")).is_ok());
        let long = PathBuf::from(format!("/{}", "x".repeat(100)));
        assert!(matches!(
            StateDir::at(long),
            Err(StateError::PathTooLong(_))
        ));
    }

    #[test]
    fn configuration_is_strict() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path().to_owned()).unwrap();
        assert_eq!(state.config().unwrap(), Config::default());
        std::fs::write(dir.path().join("config.toml"), "spool_bytes_max = 5\n").unwrap();
        assert_eq!(state.config().unwrap().spool_bytes_max, 5);
        std::fs::write(dir.path().join("config.toml"), "spool = 5\n").unwrap();
        assert!(state.config().is_err());
    }
}
