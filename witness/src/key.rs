//! The witness's key file: one line, readable by its owner only.
//!
//! Owns making, reading and guarding the file. It does not own the key's text form
//! (`cairn_tlog::key`). Source: C2SP signed-note.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cairn_tlog::{KeyAlgorithm, KeyParseError, SignerKey};
use zeroize::Zeroizing;

/// Name of the key file that `init` makes.
pub const KEY_FILE_NAME: &str = "witness.key";

/// Name of the key file that `init --ml-dsa` makes.
pub const ML_DSA_KEY_FILE_NAME: &str = "witness-ml-dsa.key";

/// Owner may read and write.
const KEY_FILE_MODE: u32 = 0o600;
/// Permission bits of anybody but the owner.
const FOREIGN_BITS: u32 = 0o077;

/// Why no key file was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The name is not a legal key name.
    #[error("key name is refused")]
    Name(#[source] KeyParseError),
    /// The system gave no randomness.
    #[error("the system has no randomness to give")]
    Randomness(#[source] getrandom::Error),
    /// The file exists or cannot be written. An existing key is never replaced.
    #[error("key file {} cannot be created", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

/// Why a key file was not used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("key file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Others than the owner have access.
    #[error("key file {} has mode {mode:o}, nobody but the owner may have access", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a signer key.
    #[error("key file {} is not a signer key", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: KeyParseError,
    },
    /// The key is of the other algorithm: each has a setting of its own.
    #[error(
        "key file {} holds a key of type {:#04x}, expected {:#04x}",
        path.display(), found.byte(), want.byte()
    )]
    Algorithm {
        /// The file.
        path: PathBuf,
        /// What the file holds.
        found: KeyAlgorithm,
        /// What the setting is for.
        want: KeyAlgorithm,
    },
}

/// Makes a new cosigner key in `folder`, which is created if needed, and returns it with the file's
/// path; each algorithm has a file name of its own.
///
/// # Errors
/// See `InitError`; nothing is replaced.
pub fn init(
    folder: &Path,
    name: &str,
    algorithm: KeyAlgorithm,
) -> Result<(SignerKey, PathBuf), InitError> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(InitError::Randomness)?;
    let key = SignerKey::from_seed(name, algorithm, &seed).map_err(InitError::Name)?;
    let path = folder.join(match algorithm {
        KeyAlgorithm::MlDsa44Cosignature => ML_DSA_KEY_FILE_NAME,
        _ => KEY_FILE_NAME,
    });
    write_new(folder, &path, &key).map_err(|cause| InitError::Write {
        path: path.clone(),
        cause,
    })?;
    Ok((key, path))
}

/// Reads a key file that holds a key of type `want`. A type 0x01 key, as other witness programs
/// store it, is taken as the same seed of type 0x04.
///
/// # Errors
/// See `LoadError`; the operator mends the file.
pub fn load(path: &Path, want: KeyAlgorithm) -> Result<SignerKey, LoadError> {
    let key = load_any(path)?;
    let found = key.verifier().algorithm();
    if found == want {
        return Ok(key);
    }
    Err(LoadError::Algorithm {
        path: path.to_owned(),
        found,
        want,
    })
}

/// As [`load`], of either type.
///
/// # Errors
/// As [`load`], without `Algorithm`.
pub fn load_any(path: &Path) -> Result<SignerKey, LoadError> {
    let read = |cause| LoadError::Read {
        path: path.to_owned(),
        cause,
    };
    let mode = fs::metadata(path).map_err(read)?.permissions().mode() & 0o7777;
    if mode & FOREIGN_BITS != 0 {
        return Err(LoadError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(read)?);
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let key = SignerKey::parse(line).map_err(|cause| LoadError::Parse {
        path: path.to_owned(),
        cause,
    })?;
    Ok(key.as_cosigner())
}

fn write_new(folder: &Path, path: &Path, key: &SignerKey) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(KEY_FILE_MODE)
        .open(path)?;
    let text = Zeroizing::new(format!("{}\n", key.to_secret_text()));
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}
