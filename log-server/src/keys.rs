//! The server's secret keys, in the folder `keys` of the data folder.
//!
//! Owns five keys and their files (mode 0600): the log's note key, the online authority, the
//! observer that states forks and gaps, the token key and the master key of disclosures. The
//! administrators' keys are not here and never were. Does not own what each may sign: genesis does.

mod fingerprints;

use cairn_durable::file::{ReadFileError, WriteFileError};
use cairn_durable::{read_limited, write_atomic};
use cairn_event::{EntrySigner as _, PublicKey, SoftwareKey};
use cairn_tlog::key::check_name;
use cairn_tlog::{KeyAlgorithm, KeyParseError, SignerKey};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Folder of the key files.
pub const FOLDER: &str = "keys";

/// The public half of everything, for whoever makes the genesis entry.
pub const PUBLIC_FILE: &str = "server-keys.json";

pub use fingerprints::NAME as FINGERPRINTS_FILE;

const LOG_FILE: &str = "log.key";
const AUTHORITY_FILE: &str = "authority.seed";
const OBSERVER_FILE: &str = "observer.seed";
const TOKEN_FILE: &str = "token.seed";
const SEALING_FILE: &str = "sealing.key";

/// Every key file.
pub const FILES: [&str; 5] = [
    LOG_FILE,
    AUTHORITY_FILE,
    OBSERVER_FILE,
    TOKEN_FILE,
    SEALING_FILE,
];

/// Largest key file: a note key with the longest origin.
const MAX_KEY_BYTES: u64 = 1_024;

/// The keys of one server.
pub struct Keys {
    /// The log's origin, which is the log key's name.
    pub origin: String,
    /// Signs checkpoints.
    pub log: SignerKey,
    /// Signs what genesis delegates to the server.
    pub authority: Arc<SoftwareKey>,
    /// Signs forks and gaps.
    pub observer: Arc<SoftwareKey>,
    /// Seed of the Ed25519 key that signs access tokens.
    pub token: Zeroizing<[u8; 32]>,
    /// Master key of the disclosure store.
    pub sealing: Zeroizing<[u8; 32]>,
}

/// What the maker of genesis needs: `server-keys.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerKeys {
    /// The log's origin.
    pub origin: String,
    /// Verifier key of the log (C2SP signed-note vkey).
    pub log_key: String,
    /// JWK of the online authority.
    pub authority: PublicKey,
    /// JWK of the observer.
    pub observer: PublicKey,
}

/// Why keys were not made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The origin is no note key name. Refused.
    #[error("`{origin}` cannot be an origin")]
    Origin {
        /// As given.
        origin: String,
        /// Why.
        #[source]
        source: KeyParseError,
    },
    /// The operating system gave no randomness. Retry.
    #[error("no randomness from the operating system")]
    Randomness,
    /// A key file cannot be read. Fatal.
    #[error("key file `{name}` cannot be read")]
    Read {
        /// Name in the folder.
        name: &'static str,
        /// Why.
        #[source]
        source: ReadFileError,
    },
    /// A key file has not its form. Fatal; nothing of its content is in the error.
    #[error("key file `{name}` is damaged")]
    Form {
        /// Name in the folder.
        name: &'static str,
    },
    /// A key is another one than this folder was made with. Fatal: put the right file back.
    #[error(
        "key file `{name}` holds another key than this folder was made with; put the right one back from where \
         keys are kept"
    )]
    Changed {
        /// Name in the folder.
        name: &'static str,
    },
    /// The public file does not name these keys. Fatal: whoever is given it is misled.
    #[error(
        "`{PUBLIC_FILE}` does not name the keys of this folder; put the right one back, or remove it to have it \
         written again"
    )]
    Public,
    /// A key file cannot be written. Fatal.
    #[error("key file `{name}` cannot be written")]
    Write {
        /// Name in the folder.
        name: &'static str,
        /// Why.
        #[source]
        source: WriteFileError,
    },
}

impl Keys {
    /// Draws new keys for `origin`.
    ///
    /// # Errors
    /// `Origin`, `Randomness`.
    pub fn generate(origin: &str) -> Result<Self, KeysError> {
        let refused = |source| KeysError::Origin {
            origin: origin.to_owned(),
            source,
        };
        check_name(origin).map_err(refused)?;
        let log = SignerKey::from_seed(origin, KeyAlgorithm::Ed25519, &*random()?);
        Ok(Self {
            origin: origin.to_owned(),
            log: log.map_err(refused)?,
            authority: Arc::new(SoftwareKey::from_seed(&*random()?)),
            observer: Arc::new(SoftwareKey::from_seed(&*random()?)),
            token: random()?,
            sealing: random()?,
        })
    }

    /// Writes every key file, mode 0600, durably.
    ///
    /// # Errors
    /// `Write`.
    pub fn save(&self, data: &Path) -> Result<(), KeysError> {
        let folder = data.join(FOLDER);
        let write = |name: &'static str, text: Zeroizing<String>| {
            let line = Zeroizing::new(format!("{}\n", *text));
            write_atomic(&folder.join(name), line.as_bytes(), 0o600)
                .map_err(|source| KeysError::Write { name, source })
        };
        write(LOG_FILE, Zeroizing::new(self.log.to_secret_text()))?;
        write(AUTHORITY_FILE, to_hex(&self.authority.seed()))?;
        write(OBSERVER_FILE, to_hex(&self.observer.seed()))?;
        write(TOKEN_FILE, to_hex(&self.token))?;
        write(SEALING_FILE, to_hex(&self.sealing))?;
        fingerprints::record(data)
    }

    /// Reads every key file, and holds them against what was recorded of them where something was.
    ///
    /// # Errors
    /// `Read`, `Form`, `Changed`.
    pub fn load(data: &Path) -> Result<Self, KeysError> {
        fingerprints::check(data)?;
        let folder = data.join(FOLDER);
        let log = SignerKey::parse(&read_line(&folder, LOG_FILE)?);
        let log = log.map_err(|_| KeysError::Form { name: LOG_FILE })?;
        let authority = read_seed(&folder, AUTHORITY_FILE)?;
        let observer = read_seed(&folder, OBSERVER_FILE)?;
        Ok(Self {
            origin: log.name().to_owned(),
            log,
            authority: Arc::new(SoftwareKey::from_seed(&authority)),
            observer: Arc::new(SoftwareKey::from_seed(&observer)),
            token: read_seed(&folder, TOKEN_FILE)?,
            sealing: read_seed(&folder, SEALING_FILE)?,
        })
    }

    /// As [`Keys::load`], for the process that serves: keys of which nothing was recorded, in a folder that
    /// an earlier version made, are recorded now, and the public file must name them.
    ///
    /// # Errors
    /// Any of [`KeysError`].
    pub fn load_to_serve(data: &Path) -> Result<Self, KeysError> {
        let keys = Self::load(data)?;
        if fingerprints::check(data)? {
            fingerprints::record(data)?;
        }
        let public = data.join(PUBLIC_FILE);
        let bytes = match read_limited(&public, MAX_KEY_BYTES * 4) {
            Ok(bytes) => bytes,
            Err(ReadFileError::NotFound { .. }) => {
                keys.save_public(data)?;
                return Ok(keys);
            }
            Err(source) => {
                let name = PUBLIC_FILE;
                return Err(KeysError::Read { name, source });
            }
        };
        let named = serde_json::from_slice::<ServerKeys>(&bytes);
        if named.is_ok_and(|named| named == keys.public()) {
            return Ok(keys);
        }
        Err(KeysError::Public)
    }

    /// Writes the public file, durably.
    ///
    /// # Errors
    /// `Write`.
    pub fn save_public(&self, data: &Path) -> Result<(), KeysError> {
        let name = PUBLIC_FILE;
        let mut json =
            serde_json::to_string_pretty(&self.public()).map_err(|_| KeysError::Form { name })?;
        json.push('\n');
        write_atomic(&data.join(name), json.as_bytes(), 0o644)
            .map_err(|source| KeysError::Write { name, source })
    }

    /// The public halves.
    #[must_use]
    pub fn public(&self) -> ServerKeys {
        ServerKeys {
            origin: self.origin.clone(),
            log_key: self.log.verifier().to_string(),
            authority: self.authority.public_key(),
            observer: self.observer.public_key(),
        }
    }
}

fn random() -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| KeysError::Randomness)?;
    Ok(seed)
}

fn to_hex(seed: &[u8; 32]) -> Zeroizing<String> {
    Zeroizing::new(hex::encode(seed))
}

fn read_line(folder: &Path, name: &'static str) -> Result<Zeroizing<String>, KeysError> {
    let bytes = read_limited(&folder.join(name), MAX_KEY_BYTES);
    let bytes = Zeroizing::new(bytes.map_err(|source| KeysError::Read { name, source })?);
    let text = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.strip_suffix('\n'));
    text.map(|line| Zeroizing::new(line.to_owned()))
        .ok_or(KeysError::Form { name })
}

fn read_seed(folder: &Path, name: &'static str) -> Result<Zeroizing<[u8; 32]>, KeysError> {
    let line = read_line(folder, name)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(line.as_bytes(), seed.as_mut()).map_err(|_| KeysError::Form { name })?;
    Ok(seed)
}
