//! `cairn-server init`: a new data folder with keys and a configuration.
//!
//! Owns the layout of a data folder. It makes no log: the log begins with the genesis entry, which
//! administrators sign off the server.

use crate::config::{Config, FILE_NAME};
use crate::keys::{self, Keys, KeysError, ServerKeys};
use cairn_durable::file::{CreateDirError, WriteFileError};
use cairn_durable::{create_dir_durable, write_atomic};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why no folder was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Something is in the folder already. Refused: a second set of keys would orphan the first.
    #[error("`{}` is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The folder cannot be listed.
    #[error("`{}` cannot be listed", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A folder cannot be made.
    #[error("a folder cannot be made")]
    Folder(#[from] CreateDirError),
    /// The keys could not be made.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The configuration has no TOML form.
    #[error("the configuration cannot be written as TOML")]
    Toml(#[from] toml::ser::Error),
    /// A file cannot be written.
    #[error("a file cannot be written")]
    Write(#[from] WriteFileError),
}

/// Makes keys, `config.toml` and `server-keys.json` in a new or empty folder.
///
/// # Errors
/// [`InitError`]; after an error empty the folder and start again.
pub fn init(
    dir: &Path,
    origin: &str,
    listen: SocketAddr,
    public_url: &str,
) -> Result<ServerKeys, InitError> {
    create_dir_durable(dir, 0o700)?;
    let listed = |source| InitError::List {
        path: dir.to_owned(),
        source,
    };
    if std::fs::read_dir(dir).map_err(listed)?.next().is_some() {
        return Err(InitError::NotEmpty(dir.to_owned()));
    }
    let server_keys = Keys::generate(origin)?;
    let config = Config {
        public_url: public_url.to_owned(),
        ..Config::initial(listen)
    };
    create_dir_durable(&dir.join(keys::FOLDER), 0o700)?;
    server_keys.save(dir)?;
    server_keys.save_public(dir)?;
    write_atomic(
        &dir.join(FILE_NAME),
        toml::to_string(&config)?.as_bytes(),
        0o600,
    )?;
    Ok(server_keys.public())
}
