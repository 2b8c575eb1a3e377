//! Consistency and range proofs, for clients that do not read tiles.
//!
//! A cache that ignored the query would hand out wrong proofs, so they are never cached.

use super::{blocking, unreadable};
use crate::log::Log;
use crate::problem::Problem;
use crate::receipts::{StoreTiles, TileError};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderName, HeaderValue, header};
use cairn_api::submission::{ConsistencyAnswer, RangeAnswer};
use cairn_tlog::tile::TileNodeError;
use cairn_tlog::{Hash, ProofError, TileNodes, consistency_proof, range_proof};
use serde::Deserialize;

type Uncached<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

/// Sizes of a consistency proof.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    from: u64,
    to: u64,
}

/// A range in a tree.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Within {
    start: u64,
    end: u64,
    size: u64,
}

/// The proof that the tree of `to` leaves extends that of `from`.
pub(super) async fn consistency(
    State(log): State<Log>,
    query: Result<Query<Between>, QueryRejection>,
) -> Result<Uncached<ConsistencyAnswer>, Problem> {
    let Query(between) = query.map_err(|error| malformed(&error))?;
    check_size(&log, between.to)?;
    let proof = blocking(move || {
        let nodes = TileNodes::new(StoreTiles::new(log.store()), between.to);
        consistency_proof(&nodes, between.from, between.to).map_err(|error| refuse(&error))
    })
    .await?;
    Ok(uncached(ConsistencyAnswer {
        proof: texts(&proof),
    }))
}

/// The subtrees around a range.
pub(super) async fn range(
    State(log): State<Log>,
    query: Result<Query<Within>, QueryRejection>,
) -> Result<Uncached<RangeAnswer>, Problem> {
    let Query(within) = query.map_err(|error| malformed(&error))?;
    check_size(&log, within.size)?;
    let proof = blocking(move || {
        let nodes = TileNodes::new(StoreTiles::new(log.store()), within.size);
        range_proof(&nodes, within.start, within.end, within.size).map_err(|error| refuse(&error))
    })
    .await?;
    Ok(uncached(RangeAnswer {
        left: texts(&proof.left),
        right: texts(&proof.right),
    }))
}

/// Only published trees are proven: a proof to an unsigned size proves nothing to anybody.
fn check_size(log: &Log, size: u64) -> Result<(), Problem> {
    let published = log.published().borrow().size;
    if size <= published {
        return Ok(());
    }
    let detail = format!("size {size} is above the published size {published}");
    Err(Problem::bad_request("size", detail))
}

fn refuse(error: &ProofError<TileNodeError<TileError>>) -> Problem {
    match error {
        ProofError::Read(_) => unreadable(error),
        _ => Problem::bad_request("range", error.to_string()),
    }
}

fn malformed(error: &QueryRejection) -> Problem {
    Problem::bad_request("query", error.body_text())
}

fn uncached<T>(answer: T) -> Uncached<T> {
    (
        [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        Json(answer),
    )
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}
