//! Forms of the values that have a structure: heads and checkpoints.
//!
//! Source: `docs/formats/store.md`, "Tables".

use super::super::engine::Table;
use super::super::{Head, PublishedCheckpoint, StoreError};
use super::LAYOUT;
use super::keys::damaged;
use cairn_tlog::{Frontier, Hash};

/// Layout byte, size, time, root, then the frontier's hashes left to right.
pub(super) fn encode_head(head: &Head) -> Vec<u8> {
    let mut bytes = vec![LAYOUT];
    bytes.extend_from_slice(&head.size().to_be_bytes());
    bytes.extend_from_slice(&head.time_ms.to_be_bytes());
    bytes.extend_from_slice(head.root.as_bytes());
    head.frontier
        .hashes()
        .iter()
        .for_each(|hash| bytes.extend_from_slice(hash.as_bytes()));
    bytes
}

pub(super) fn decode_head(bytes: &[u8]) -> Result<Head, StoreError> {
    let wrong = |what| damaged(Table::Meta, what);
    let (size, time_ms, root, rest) = split_fixed(bytes).ok_or_else(|| wrong("head is short"))?;
    let (hashes, tail) = rest.as_chunks::<32>();
    if !tail.is_empty() {
        return Err(wrong("head has trailing bytes"));
    }
    let hashes = hashes.iter().map(|hash| Hash(*hash)).collect();
    let frontier =
        Frontier::from_parts(size, hashes).map_err(|_| wrong("head has no valid frontier"))?;
    if frontier.root() != root {
        return Err(wrong("the right edge does not hash to the head's root"));
    }
    Ok(Head {
        frontier,
        root,
        time_ms,
    })
}

/// Layout byte, size, time, root, witnessed (0 or 1), then the note.
pub(super) fn encode_checkpoint(checkpoint: &PublishedCheckpoint) -> Vec<u8> {
    let mut bytes = vec![LAYOUT];
    bytes.extend_from_slice(&checkpoint.size.to_be_bytes());
    bytes.extend_from_slice(&checkpoint.time_ms.to_be_bytes());
    bytes.extend_from_slice(checkpoint.root.as_bytes());
    bytes.push(u8::from(checkpoint.witnessed));
    bytes.extend_from_slice(checkpoint.note.as_bytes());
    bytes
}

pub(super) fn decode_checkpoint(bytes: &[u8]) -> Result<PublishedCheckpoint, StoreError> {
    let wrong = |what| damaged(Table::Checkpoint, what);
    let short = || wrong("checkpoint is short");
    let (size, time_ms, root, rest) = split_fixed(bytes).ok_or_else(short)?;
    let (&witnessed, note) = rest.split_first().ok_or_else(short)?;
    let note = std::str::from_utf8(note)
        .map_err(|_| wrong("note is not text"))?
        .to_owned();
    Ok(PublishedCheckpoint {
        size,
        root,
        note,
        time_ms,
        witnessed: witnessed == 1,
    })
}

fn split_fixed(bytes: &[u8]) -> Option<(u64, u64, Hash, &[u8])> {
    let (&[LAYOUT], rest) = bytes.split_first_chunk::<1>()? else {
        return None;
    };
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (time_ms, rest) = rest.split_first_chunk::<8>()?;
    let (root, rest) = rest.split_first_chunk::<32>()?;
    Some((
        u64::from_be_bytes(*size),
        u64::from_be_bytes(*time_ms),
        Hash(*root),
        rest,
    ))
}
