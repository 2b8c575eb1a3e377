//! Single entries, receipts, the index of a leaf, genesis, blobs.

use super::{
    BYTES, Headers, IMMUTABLE, NO_CACHE, TEXT, blocking, gone, headers, number, unreadable,
};
use crate::log::Log;
use crate::problem::Problem;
use axum::Json;
use axum::extract::{Path, State};
use cairn_api::distribution::GenesisAnswer;
use cairn_api::submission::LeafIndex;
use cairn_event::Sha256;
use cairn_tlog::Hash;

/// The exact bytes of an entry.
pub(super) async fn entry(
    State(log): State<Log>,
    Path(index): Path<String>,
) -> Result<(Headers, Vec<u8>), Problem> {
    let index = number(&index)?;
    let bytes = if index < log.size() {
        log.entry(index)
    } else {
        Ok(None)
    };
    let bytes = bytes.map_err(|error| unreadable(&error))?;
    let absent = || Problem::not_found(format!("no entry at {index}"));
    let bytes = bytes.ok_or_else(|| gone(&log, index, absent))?;
    Ok((headers(TEXT, IMMUTABLE), bytes))
}

/// The tlog-proof of an index against the newest published checkpoint.
pub(super) async fn receipt(
    State(log): State<Log>,
    Path(index): Path<String>,
) -> Result<(Headers, String), Problem> {
    prove(log, number(&index)?).await
}

/// The tlog-proof of a leaf hash.
pub(super) async fn receipt_by_leaf(
    State(log): State<Log>,
    Path(leaf): Path<String>,
) -> Result<(Headers, String), Problem> {
    let index = index_of(&log, &leaf)?;
    prove(log, index).await
}

/// The index of a leaf hash.
pub(super) async fn leaf(
    State(log): State<Log>,
    Path(leaf): Path<String>,
) -> Result<Json<LeafIndex>, Problem> {
    Ok(Json(LeafIndex {
        index: index_of(&log, &leaf)?,
    }))
}

/// Entry 0 with its receipt.
pub(super) async fn genesis(State(log): State<Log>) -> Result<Json<GenesisAnswer>, Problem> {
    let bytes = log.entry(0).map_err(|error| unreadable(&error))?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("the log has no genesis entry yet"))?;
    let leaf = Sha256::of_leaf(&bytes);
    let entry = String::from_utf8(bytes).map_err(|error| unreadable(&error))?;
    let receipt = log.receipt(0).map_err(|error| unreadable(&error))?;
    Ok(Json(GenesisAnswer {
        entry,
        leaf,
        receipt,
    }))
}

/// A blob by its SHA-256.
pub(super) async fn blob(
    State(log): State<Log>,
    Path(digest): Path<String>,
) -> Result<(Headers, Vec<u8>), Problem> {
    let named = Sha256::from_hex(&digest);
    let named = named.ok_or_else(|| Problem::bad_request("digest", "not a SHA-256 in hex"))?;
    let bytes = log.blob(&named.0).map_err(|error| unreadable(&error))?;
    let bytes = bytes.ok_or_else(|| Problem::not_found(format!("no blob `{digest}`")))?;
    Ok((headers(BYTES, IMMUTABLE), bytes))
}

async fn prove(log: Log, index: u64) -> Result<(Headers, String), Problem> {
    let receipt = blocking(move || log.receipt(index).map_err(|error| unreadable(&error))).await?;
    let text = receipt
        .ok_or_else(|| Problem::not_found(format!("no published checkpoint covers {index}")))?;
    Ok((headers(TEXT, NO_CACHE), text))
}

fn index_of(log: &Log, leaf: &str) -> Result<u64, Problem> {
    let hash =
        Hash::from_hex(leaf).map_err(|_| Problem::bad_request("leaf", "not a leaf hash in hex"))?;
    let index = log
        .index_of_leaf(&hash)
        .map_err(|error| unreadable(&error))?;
    index.ok_or_else(|| Problem::not_found(format!("no entry with leaf `{leaf}`")))
}
