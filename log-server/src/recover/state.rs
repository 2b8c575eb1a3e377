//! What a stored log says about itself, and every contradiction that keeps it down.

use super::kept::{Base, LedgerFile};
use super::replay::{ReplayError, Replayed, Signatures, replay};
use crate::keys::Keys;
use crate::stage::{Edge, StageError};
use crate::store::{Head, HeadFileError, LogStore, PublishedCheckpoint, SignedHead, StoreError};
use cairn_event::{EntrySigner as _, PublicKey};
use cairn_tlog::{Checkpoint, CheckpointOpenError, Hash};
use std::collections::BTreeMap;

/// Why a stored log must not be served. All are fatal.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file `HEAD`.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// The store holds less than was published.
    #[error("a checkpoint of size {published} is published, the store holds {size}")]
    PublishedAhead {
        /// Published size.
        published: u64,
        /// Stored size.
        size: u64,
    },
    /// The store holds less than was signed: it went back in time.
    #[error("size {signed} was signed, the store holds {size}")]
    SignedAhead {
        /// Size in `HEAD`.
        signed: u64,
        /// Stored size.
        size: u64,
    },
    /// The clock is behind the last recorded time.
    #[error("the clock says {now_ms} ms, {recorded_ms} ms is recorded")]
    ClockBehind {
        /// The clock.
        now_ms: u64,
        /// The latest time in the store or in `HEAD`.
        recorded_ms: u64,
    },
    /// The published checkpoint is not signed by this key under this origin.
    #[error("the published checkpoint is not of this log and key")]
    OtherKey(#[source] CheckpointOpenError),
    /// Two records of one size name two roots: `HEAD` or a kept checkpoint is not of this history.
    #[error("at size {size} root `{one}` is recorded, and `{other}`")]
    TwoRoots {
        /// The size.
        size: u64,
        /// The root recorded first.
        one: Hash,
        /// The other root.
        other: Hash,
    },
    /// Genesis names another observer key: this server could state no fork and no gap.
    #[error("genesis names another observer key than the key file has")]
    GenesisObserver,
    /// Genesis names another log key.
    #[error("genesis names log key `{named}`, the key file has `{ours}`")]
    GenesisLogKey {
        /// In genesis.
        named: String,
        /// Ours.
        ours: String,
    },
    /// The entries do not make the log.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The right edge.
    #[error(transparent)]
    Edge(#[from] StageError),
}

/// A stored log that contradicts itself nowhere.
pub struct Found {
    /// The committed head.
    pub head: Head,
    /// The newest published checkpoint.
    pub published: Option<PublishedCheckpoint>,
    /// The latest time recorded anywhere, milliseconds since 1970.
    pub recorded_ms: u64,
    /// Ledger and recomputed tree.
    pub replayed: Replayed,
    /// The right edge, for the sequencer.
    pub edge: Edge,
}

/// Reads and judges a stored log; `signed` is the content of the file `HEAD`, and `kept` the file from
/// which reading may begin.
///
/// # Errors
/// [`StateError`]; stay down and tell the operator.
pub fn examine(
    store: &dyn LogStore,
    signed: Option<SignedHead>,
    keys: &Keys,
    now_ms: u64,
    signatures: Signatures,
    kept: Option<&LedgerFile>,
) -> Result<Found, StateError> {
    let head = store.head()?.unwrap_or_else(|| Head::empty(0));
    let published = store.published()?;
    let size = head.size();
    let mut roots = BTreeMap::new();
    let mut recorded_ms = head.time_ms;
    if let Some(newest) = &published {
        if newest.size > size {
            return Err(StateError::PublishedAhead {
                published: newest.size,
                size,
            });
        }
        check_note(newest, keys)?;
        pin(&mut roots, newest.size, newest.root)?;
        recorded_ms = recorded_ms.max(newest.time_ms);
    }
    if let Some(signed) = signed {
        if signed.size > size {
            return Err(StateError::SignedAhead {
                signed: signed.size,
                size,
            });
        }
        pin(&mut roots, signed.size, signed.root)?;
        recorded_ms = recorded_ms.max(signed.time_ms);
    }
    if now_ms < recorded_ms {
        return Err(StateError::ClockBehind {
            now_ms,
            recorded_ms,
        });
    }
    if signatures == Signatures::Verify {
        pin_checkpoints(&mut roots, store, keys)?;
    }
    let base = kept.and_then(|file| believed(file, store, &head, keys));
    let replayed = replay(store, &head, &keys.origin, &roots, signatures, base)?;
    if let Some(authority) = replayed.ledger.authority() {
        check_log_key(authority.log_key(), keys)?;
        check_observer(authority.observer(), keys)?;
    }
    let edge = Edge::load(store, &head)?;
    Ok(Found {
        head,
        published,
        recorded_ms,
        replayed,
        edge,
    })
}

/// The kept ledger, unless it is in doubt: then the whole log is read.
fn believed(file: &LedgerFile, store: &dyn LogStore, head: &Head, keys: &Keys) -> Option<Base> {
    let observer = keys.observer.public_key();
    match file.read(store, head, &keys.origin, &observer) {
        Ok(base) => base,
        Err(doubt) => {
            let cause = crate::sequence::chain(&doubt);
            tracing::warn!(%cause, "the kept ledger is not believed; the whole log is read");
            None
        }
    }
}

/// Genesis must name this server's log key.
pub(super) fn check_log_key(named: &str, keys: &Keys) -> Result<(), StateError> {
    let ours = keys.log.verifier().to_string();
    if named == ours {
        return Ok(());
    }
    Err(StateError::GenesisLogKey {
        named: named.to_owned(),
        ours,
    })
}

/// Genesis must name this server's observer key.
pub(super) fn check_observer(named: &PublicKey, keys: &Keys) -> Result<(), StateError> {
    if *named == keys.observer.public_key() {
        return Ok(());
    }
    Err(StateError::GenesisObserver)
}

/// Notes the root of a size; a second root for a size is never preferred to the first.
fn pin(roots: &mut BTreeMap<u64, Hash>, size: u64, root: Hash) -> Result<(), StateError> {
    match roots.insert(size, root) {
        Some(one) if one != root => Err(StateError::TwoRoots {
            size,
            one,
            other: root,
        }),
        _ => Ok(()),
    }
}

fn check_note(published: &PublishedCheckpoint, keys: &Keys) -> Result<(), StateError> {
    let opened = Checkpoint::open(&published.note, keys.log.verifier());
    let (checkpoint, _) = opened.map_err(StateError::OtherKey)?;
    if checkpoint.size == published.size && checkpoint.root == published.root {
        return Ok(());
    }
    let what = "the note is not of its size and root";
    Err(StateError::Store(StoreError::Damaged {
        table: "checkpoint",
        what,
    }))
}

/// Notes the root of every checkpoint kept, opened with the log key.
fn pin_checkpoints(
    roots: &mut BTreeMap<u64, Hash>,
    store: &dyn LogStore,
    keys: &Keys,
) -> Result<(), StateError> {
    for size in store.checkpoint_sizes(0, usize::MAX)? {
        if let Some(checkpoint) = store.checkpoint(size)? {
            check_note(&checkpoint, keys)?;
            pin(roots, size, checkpoint.root)?;
        }
    }
    Ok(())
}
