//! Succession of logs: what proves that a log was closed, and that another one may call itself its
//! successor.
//!
//! Owns the evidence and its judgement as far as entries go: the close carries the authority of its
//! log, and the successor's genesis the agreement of the same administrators. Does not own the tree:
//! that the receipt of the close is valid, and which checkpoint it is for, is the caller's to check.
//! A checkpoint with the close as its newest entry is final, because nothing is admitted after it.
//!
//! Source: `docs/formats/administrative.md`, "Closing a log".

use crate::authority::Authority;
use crate::refusal::Refusal;
use cairn_event::administrative::Predecessor;
use cairn_event::body::Body;
use cairn_event::{Entry, EntryError, Sha256};
use serde::{Deserialize, Serialize};

/// The evidence that a log was closed: one line of JSON, and a blob of the successor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// The `log.close` entry.
    pub entry: String,
    /// Entry 0 of the closed log.
    pub genesis: String,
    /// C2SP tlog-proof of the `log.close` entry under the final checkpoint.
    pub receipt: String,
}

/// Why something is not the end of a log, or not its successor. Each is final for these bytes.
#[derive(Debug, thiserror::Error)]
pub enum SuccessionError {
    /// The evidence is not one JSON object of three texts.
    #[error("the evidence of the close has not its form")]
    Form(#[from] serde_json::Error),
    /// One of the two entries is none, or its signature is not valid.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// Genesis or close do not carry the authority they need.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An entry is of another type.
    #[error("the entry is `{found}` and not `{expected}`")]
    OtherType {
        /// Its type.
        found: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The close is an entry of another log than the genesis.
    #[error("the close is of log `{close}`, the genesis of log `{genesis}`")]
    OtherLog {
        /// Log of the close.
        close: String,
        /// Log of the genesis.
        genesis: String,
    },
    /// The checkpoint is not the one that ends with the close.
    #[error("the checkpoint of size {size} is not final: the close is at index {index}")]
    NotFinal {
        /// Size of the checkpoint.
        size: u64,
        /// Index of the close.
        index: u64,
    },
    /// The genesis says nothing of a predecessor.
    #[error("the genesis does not name the log that it succeeds")]
    NotNamed,
    /// The genesis names something else than the evidence shows.
    #[error("the genesis names another {0} than the evidence of the close shows")]
    Differs(&'static str),
    /// The close names another log as its successor.
    #[error("the close names log key `{named}` as its successor, this log has `{found}`")]
    OtherSuccessor {
        /// Named in the close.
        named: String,
        /// Of this genesis.
        found: String,
    },
}

/// A log whose close carries the authority of its own genesis.
#[derive(Debug)]
pub struct ClosedLog {
    /// Who may speak for it.
    pub authority: Authority,
    /// Its origin.
    pub origin: String,
    /// Leaf hash of its entry 0.
    pub genesis: Sha256,
    /// Leaf hash of its last entry.
    pub close: Sha256,
    /// The log key of the one log that may succeed it, where the close names one.
    pub successor: Option<String>,
}

impl Closing {
    /// Reads the evidence.
    ///
    /// Errors: [`SuccessionError::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SuccessionError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Judges both entries: genesis carries its own authority, and the close that of genesis.
    ///
    /// Errors: [`SuccessionError`]. Trap: nothing is said yet about the log's tree.
    pub fn judge(&self) -> Result<ClosedLog, SuccessionError> {
        let genesis = Entry::parse(self.genesis.as_bytes())?;
        let authority = match &genesis.payload().body {
            Body::Genesis(body) => Authority::from_genesis(body)?,
            other => return Err(other_type(other, "genesis")),
        };
        check(&authority, &genesis)?;
        let close = Entry::parse(self.entry.as_bytes())?;
        let Body::LogClose(body) = &close.payload().body else {
            return Err(other_type(&close.payload().body, "log.close"));
        };
        let (of_close, of_genesis) = (&close.payload().log, &genesis.payload().log);
        if of_close != of_genesis {
            return Err(SuccessionError::OtherLog {
                close: of_close.clone(),
                genesis: of_genesis.clone(),
            });
        }
        check(&authority, &close)?;
        Ok(ClosedLog {
            origin: of_genesis.clone(),
            genesis: genesis.leaf(),
            close: close.leaf(),
            successor: body.successor.clone(),
            authority,
        })
    }
}

impl ClosedLog {
    /// What a successor's genesis must say, given the checkpoint that the close's receipt is for and
    /// the index it proves. `closing` is the SHA-256 of the evidence.
    ///
    /// Errors: [`SuccessionError::NotFinal`].
    pub fn predecessor(
        &self,
        closing: Sha256,
        index: u64,
        size: u64,
        root: Sha256,
    ) -> Result<Predecessor, SuccessionError> {
        if index.checked_add(1) != Some(size) {
            return Err(SuccessionError::NotFinal { size, index });
        }
        Ok(Predecessor {
            closing,
            genesis: self.genesis,
            log_key: self.authority.log_key().to_owned(),
            origin: self.origin.clone(),
            root,
            size,
        })
    }

    /// Checks that a genesis entry names exactly `shown`, that the close leaves it the succession, and
    /// that enough administrators of the closed log signed it.
    ///
    /// Errors: [`SuccessionError`]; the log is not the successor of this one.
    pub fn check_successor(
        &self,
        genesis: &Entry,
        shown: &Predecessor,
    ) -> Result<(), SuccessionError> {
        let Body::Genesis(body) = &genesis.payload().body else {
            return Err(other_type(&genesis.payload().body, "genesis"));
        };
        let named = Predecessor::of(genesis.payload()).ok_or(SuccessionError::NotNamed)??;
        for (what, same) in [
            ("closing", named.closing == shown.closing),
            ("genesis", named.genesis == shown.genesis),
            ("log key", named.log_key == shown.log_key),
            ("origin", named.origin == shown.origin),
            ("size", named.size == shown.size),
            ("root", named.root == shown.root),
        ] {
            if !same {
                return Err(SuccessionError::Differs(what));
            }
        }
        match &self.successor {
            Some(named) if *named != body.log_key => {
                return Err(SuccessionError::OtherSuccessor {
                    named: named.clone(),
                    found: body.log_key.clone(),
                });
            }
            _ => {}
        }
        Ok(self.authority.check_agreement(genesis)?)
    }
}

/// Signature and authority of an administrative entry.
fn check(authority: &Authority, entry: &Entry) -> Result<(), SuccessionError> {
    let kid = entry.kid();
    let unknown = || Refusal::NotAuthorised {
        kid: kid.clone(),
        kind: entry.payload().body.kind(),
        need: "a key that genesis names".to_owned(),
    };
    entry.verify(authority.key(kid).ok_or_else(unknown)?)?;
    Ok(authority.check(entry)?)
}

fn other_type(body: &Body, expected: &'static str) -> SuccessionError {
    let found = body.kind();
    SuccessionError::OtherType { found, expected }
}
