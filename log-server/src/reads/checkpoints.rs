//! The kept checkpoints, the stream of new ones, and the server's copy of the trust policy.

use super::{Headers, IMMUTABLE, NO_CACHE, TEXT, blocking, headers, number, unreadable};
use crate::log::Log;
use crate::problem::Problem;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use cairn_api::distribution::STREAM_HEARTBEAT;
use cairn_api::submission::CheckpointSizes;
use futures_util::{Stream, StreamExt as _, future};
use serde::Deserialize;
use std::convert::Infallible;
use tokio_stream::wrappers::WatchStream;

/// Sizes in one answer when the client names no limit, and the most it can name.
const SIZES_LIMIT: usize = 1_000;

/// A page of sizes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    after: Option<u64>,
    limit: Option<usize>,
}

/// Where a follower stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    from: Option<u64>,
}

/// Sizes of published checkpoints, ascending.
pub(super) async fn sizes(
    State(log): State<Log>,
    query: Result<Query<Page>, QueryRejection>,
) -> Result<Json<CheckpointSizes>, Problem> {
    let Query(page) = query.map_err(|error| Problem::bad_request("query", error.body_text()))?;
    let from = page.after.map_or(0, |after| after.saturating_add(1));
    let limit = page.limit.unwrap_or(SIZES_LIMIT).min(SIZES_LIMIT);
    let sizes = blocking(move || {
        log.store()
            .checkpoint_sizes(from, limit)
            .map_err(|error| unreadable(&error))
    });
    Ok(Json(CheckpointSizes {
        sizes: sizes.await?,
    }))
}

/// The earliest checkpoint published at a size.
pub(super) async fn at(
    State(log): State<Log>,
    Path(size): Path<String>,
) -> Result<(Headers, String), Problem> {
    let size = number(&size)?;
    let found = log
        .store()
        .checkpoint(size)
        .map_err(|error| unreadable(&error))?;
    let found = found.ok_or_else(|| Problem::not_found(format!("none published at {size}")))?;
    // The first witnessed one takes the place of one without witnesses, once.
    let caching = if found.witnessed { IMMUTABLE } else { NO_CACHE };
    Ok((headers(TEXT, caching), found.note))
}

/// One event for each published checkpoint above `from`, beginning with the newest. A slow reader
/// misses sizes in between and loses nothing by it.
pub(super) async fn tail(
    State(log): State<Log>,
    query: Result<Query<From>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Query(query) = query.map_err(|error| Problem::bad_request("query", error.body_text()))?;
    let mut last = query.from.unwrap_or(0);
    let events = WatchStream::new(log.published()).filter_map(move |checkpoint| {
        let is_new = checkpoint.size > last;
        last = last.max(checkpoint.size);
        let data = format!("{{\"size\":{}}}", checkpoint.size);
        future::ready(is_new.then(|| Ok(Event::default().event("checkpoint").data(data))))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(STREAM_HEARTBEAT)))
}

/// The trust policy this log publishes under. Trap: whoever audits this log gets theirs elsewhere.
pub(super) async fn trust_policy(State(log): State<Log>) -> Result<(Headers, String), Problem> {
    let text = log.trust_policy_text().map(ToOwned::to_owned);
    let text = text.ok_or_else(|| Problem::not_found("no trust policy is configured"))?;
    Ok((headers(TEXT, NO_CACHE), text))
}
