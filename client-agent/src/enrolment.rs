//! What enrolment leaves on the device: who it is, whose log it writes to, what it pinned.
//!
//! Owns the file `identity.json` and its checks. The genesis hash and the trust policy in it are
//! pinned: nothing that the server says later replaces them.
//!
//! Source: architecture of record, sections 3 (keys) and 5 (genesis).

use crate::state::{FILE_MODE, StateDir};
use cairn_durable::file::{ReadFileError, WriteFileError};
use cairn_durable::{read_limited, write_atomic};
use cairn_event::body::Body;
use cairn_event::{Entry, EntryError, Isolation, KeyProtection, Sha256};
use cairn_identity::{Authority, Refusal};
use cairn_tlog::{TrustPolicy, TrustPolicyError};
use serde::{Deserialize, Serialize};

/// Largest identity file: the largest trust policy and a genesis entry fit.
const IDENTITY_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The server's address.
    pub server: String,
    /// The log's origin.
    pub origin: String,
    /// The device identifier.
    pub device: String,
    /// The person identifier.
    pub person: String,
    /// The address that was verified at enrolment.
    pub email: String,
    /// Index of the roster entry that admitted the device.
    pub roster_index: u64,
    /// Entry 0, whole.
    pub genesis_entry: String,
    /// Its leaf hash, pinned.
    pub genesis_leaf: Sha256,
    /// The trust policy, pinned (C2SP tlog-policy).
    pub trust_policy: String,
    /// Whether genesis hash and trust policy were given from outside and not by the server.
    pub pinned_from_outside: bool,
    /// What separates daemon and developer.
    pub isolation: Isolation,
    /// Where the key lives.
    pub protection: KeyProtection,
}

/// What the pinned parts of an identity amount to once checked.
#[derive(Debug)]
pub struct Pinned {
    /// The keys that genesis names.
    pub authority: Authority,
    /// The trust policy.
    pub trust_policy: TrustPolicy,
}

/// Why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The device is not enrolled. Refused.
    #[error("this device is not enrolled; run `cairn enroll --server URL`")]
    NotEnrolled,
    /// The file cannot be read. Retry.
    #[error("identity: {0}")]
    Read(#[from] ReadFileError),
    /// The file cannot be written. Retry.
    #[error("identity: {0}")]
    Write(#[from] WriteFileError),
    /// The file is not what was written. Fatal: enrol again.
    #[error("identity file: {0}")]
    Form(#[from] serde_json::Error),
    /// The genesis entry is not one. Refused.
    #[error("genesis: {0}")]
    Genesis(#[from] EntryError),
    /// The genesis entry does not carry its own authority. Refused.
    #[error("genesis: {0}")]
    Authority(#[from] Refusal),
    /// The genesis entry is not the one that was pinned. Refused: this is another log.
    #[error("genesis has hash {found}, pinned is {pinned}")]
    OtherGenesis {
        /// Hash of the entry.
        found: Sha256,
        /// The pinned hash.
        pinned: Sha256,
    },
    /// The entry at index 0 says something else.
    #[error("entry 0 is `{0}` and not a genesis")]
    NotGenesis(&'static str),
    /// The trust policy does not parse. Refused.
    #[error("trust policy: {0}")]
    TrustPolicy(#[from] TrustPolicyError),
    /// The trust policy does not list the log key that genesis names. Refused.
    #[error("the trust policy does not list the log key `{0}` that genesis names")]
    OtherLogKey(String),
}

impl Identity {
    /// Reads the identity.
    ///
    /// Errors: [`IdentityError`]; [`IdentityError::NotEnrolled`] before enrolment.
    pub fn load(state: &StateDir) -> Result<Self, IdentityError> {
        let bytes = match read_limited(&state.identity(), IDENTITY_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(ReadFileError::NotFound { .. }) => return Err(IdentityError::NotEnrolled),
            Err(error) => return Err(error.into()),
        };
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Writes the identity durably.
    ///
    /// Errors: [`IdentityError::Write`]; enrol again.
    pub fn save(&self, state: &StateDir) -> Result<(), IdentityError> {
        let bytes = serde_json::to_vec_pretty(self)?;
        Ok(write_atomic(&state.identity(), &bytes, FILE_MODE)?)
    }

    /// Checks what was pinned: the genesis entry against its hash, the trust policy against it.
    ///
    /// Errors: [`IdentityError`]; the daemon does not start.
    pub fn pinned(&self) -> Result<Pinned, IdentityError> {
        let authority = genesis_authority(&self.genesis_entry, &self.genesis_leaf)?;
        let trust_policy = TrustPolicy::parse(&self.trust_policy)?;
        check_log_key(&trust_policy, &authority)?;
        Ok(Pinned {
            authority,
            trust_policy,
        })
    }
}

/// Reads a genesis entry, compares its hash and verifies that it carries its own authority.
///
/// Errors: [`IdentityError`].
pub fn genesis_authority(entry: &str, pinned: &Sha256) -> Result<Authority, IdentityError> {
    let entry = Entry::parse(entry.as_bytes())?;
    let (found, pinned) = (entry.leaf(), *pinned);
    if found != pinned {
        return Err(IdentityError::OtherGenesis { found, pinned });
    }
    let body = &entry.payload().body;
    let Body::Genesis(genesis) = body else {
        return Err(IdentityError::NotGenesis(body.kind()));
    };
    let authority = Authority::from_genesis(genesis)?;
    let unknown = Refusal::Genesis("it is not signed by an administrator it names");
    let key = authority.key(entry.kid()).ok_or(unknown)?;
    entry.verify(key)?;
    authority.check(&entry)?;
    Ok(authority)
}

/// Whether the trust policy trusts exactly the log key that genesis names.
///
/// Errors: [`IdentityError::OtherLogKey`].
pub fn check_log_key(policy: &TrustPolicy, authority: &Authority) -> Result<(), IdentityError> {
    let named = authority.log_key();
    let listed = policy.logs().iter().any(|log| log.key.to_string() == named);
    if listed {
        Ok(())
    } else {
        Err(IdentityError::OtherLogKey(named.to_owned()))
    }
}
