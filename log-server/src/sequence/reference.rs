//! What an entry refers to must be here before the entry is.
//!
//! Owns what the ledger cannot judge because it is no entry's place or authority: disclosures, the
//! bundle of a policy entry, the target of an erasure, the checkpoint that a device says it saw, the key
//! that a close names. Does not own storing any of them.

use crate::problem::{Family, Problem};
use crate::retention::age;
use crate::store::{LogStore, StoreError};
use axum::http::StatusCode;
use cairn_event::administrative::{Erasure, LogClose, LogPrune, PolicyStatement};
use cairn_event::payload::Beacon;
use cairn_event::{Entry, Frame, Sha256};
use cairn_tlog::VerifierKey;

/// A new entry comes with everything it commits to. Names are unique within a frame, so nobody can
/// later present a second content under a name.
pub(super) fn check_complete(frame: &Frame) -> Result<(), Problem> {
    if frame.is_complete() {
        return Ok(());
    }
    let (have, need) = (frame.disclosures().len(), frame.entry().payload().sd.len());
    let detail = format!("the frame has {have} of the {need} disclosures its entry commits to");
    Err(later("incomplete-frame", detail))
}

/// The bundle of a policy entry is durable, with the length that the entry states.
pub(super) fn check_bundle(
    store: &dyn LogStore,
    statement: &PolicyStatement,
) -> Result<Result<(), Problem>, StoreError> {
    let bundle = store.blob(&statement.bundle.0)?;
    let length = bundle.and_then(|bundle| u64::try_from(bundle.len()).ok());
    if length == Some(statement.bytes) {
        return Ok(Ok(()));
    }
    let (digest, bytes) = (statement.bundle, statement.bytes);
    let detail = format!("no bundle `{digest}` of {bytes} bytes is stored; hand it in first");
    Ok(Err(later("missing-blob", detail)))
}

/// A beacon names a checkpoint that this log published. An invented one would make every later audit
/// find two trees where there is one; an honest device has it from a receipt that it verified.
pub(super) fn check_beacon(
    store: &dyn LogStore,
    beacon: &Beacon,
) -> Result<Result<(), Problem>, StoreError> {
    let published = store.checkpoint(beacon.size)?;
    if published.is_some_and(|checkpoint| checkpoint.root.0 == beacon.root.0) {
        return Ok(Ok(()));
    }
    let (size, root) = (beacon.size, beacon.root);
    let detail = format!("this log published no checkpoint of size {size} with root `{root}`");
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(Err(Problem::new(
        status,
        "unknown-beacon",
        Family::Refused,
        detail,
    )))
}

/// An erasure is about digests of the entry it names. `target` are the bytes at its index.
pub(super) fn check_erasure(erasure: &Erasure, target: Option<&[u8]>) -> Result<(), Problem> {
    let index = erasure.index;
    let wrong = |detail: String| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Err(Problem::new(
            status,
            "erasure-target",
            Family::Refused,
            detail,
        ))
    };
    let Some(bytes) = target else {
        return wrong(format!("there is no entry at index {index}"));
    };
    if Sha256::of_leaf(bytes) != erasure.leaf {
        return wrong(format!("the entry at index {index} has another leaf hash"));
    }
    let Ok(entry) = Entry::parse(bytes) else {
        return wrong(format!("the entry at index {index} cannot be read"));
    };
    let committed = &entry.payload().sd;
    let foreign = |digest: &&String| committed.binary_search(digest).is_err();
    match erasure.digests.iter().find(foreign) {
        Some(digest) => wrong(format!(
            "`{digest}` is not a digest of the entry at index {index}"
        )),
        None => Ok(()),
    }
}

/// A close names no successor or the key of another log: a mistake here could not be taken back.
pub(super) fn check_close(close: &LogClose, origin: &str) -> Result<(), Problem> {
    let Some(named) = &close.successor else {
        return Ok(());
    };
    let key = VerifierKey::parse(named);
    if key.is_ok_and(|key| key.algorithm().is_for_logs() && key.name() != origin) {
        return Ok(());
    }
    let detail = format!("`{named}` is not the verifier key of another log");
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let family = Family::Refused;
    Err(Problem::new(status, "close-successor", family, detail))
}

/// A pruning begins where the last one ended and takes nothing that is younger than it says, or than this
/// server keeps. What it must keep is compared before anything goes: that takes a walk over the range.
pub(super) fn check_prune(
    store: &dyn LogStore,
    prune: &LogPrune,
    least_days: Option<u64>,
    now_ms: u64,
) -> Result<Result<(), Problem>, StoreError> {
    let wrong = |code: &str, detail: String| {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Ok(Err(Problem::new(status, code, Family::Refused, detail)))
    };
    let Some(least) = least_days else {
        let detail = "this server has no `retention.days`: nothing is pruned";
        return wrong("no-retention", detail.to_owned());
    };
    if prune.days < least {
        let detail = format!("entries are kept for {least} days here, not {}", prune.days);
        return wrong("retention-days", detail);
    }
    let minimum = store.minimum_index()?;
    if prune.from != minimum {
        let detail = format!("the minimum index is {minimum}, not {}", prune.from);
        return wrong("prune-range", detail);
    }
    if age::is_older(store, prune.to, prune.days, now_ms, None)? {
        return Ok(Ok(()));
    }
    let (days, to) = (prune.days, prune.to);
    let detail = format!("not every entry before {to} was published {days} days ago");
    wrong("prune-too-young", detail)
}

fn later(code: &str, detail: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, Family::Retry, detail)
}
