//! `/healthz` and `/metrics`.

use super::{NO_CACHE, TEXT, headers};
use crate::log::Log;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What a load balancer or an operator looks at first.
#[derive(Debug, Serialize)]
struct Health {
    /// `ok`, or `stopped` after a fatal error.
    status: &'static str,
    origin: String,
    /// Sequenced entries.
    size: u64,
    /// Entries covered by the newest published checkpoint.
    published_size: u64,
    /// Age of that checkpoint; absent when none is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_age_ms: Option<u64>,
    /// Whether it satisfies a quorum of witnesses.
    witnessed: bool,
    /// Why the log stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
}

/// 200 while the log runs, 503 after it stopped.
pub(super) async fn health(State(log): State<Log>) -> Response {
    let published = log.published().borrow().clone();
    let stopped = log.stopped().borrow().clone();
    let age = log.now_ms().saturating_sub(published.time_ms);
    let health = Health {
        status: if stopped.is_some() { "stopped" } else { "ok" },
        origin: log.origin().to_owned(),
        size: log.size(),
        published_size: published.size,
        checkpoint_age_ms: (!published.note.is_empty()).then_some(age),
        witnessed: published.witnessed,
        stopped,
    };
    let status = match health.stopped {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(health)).into_response()
}

/// Prometheus text.
pub(super) async fn metrics(State(log): State<Log>) -> Response {
    let published = log.published().borrow().clone();
    let (entries, bytes) = log.0.pool.load();
    let text = log.metrics().render(&[
        ("cairn_size", log.size()),
        ("cairn_published_size", published.size),
        (
            "cairn_checkpoint_age_milliseconds",
            log.now_ms().saturating_sub(published.time_ms),
        ),
        ("cairn_pool_entries", entries),
        ("cairn_pool_bytes", bytes),
        ("cairn_stopped", u64::from(log.stopped().borrow().is_some())),
    ]);
    (headers(TEXT, NO_CACHE), text).into_response()
}
