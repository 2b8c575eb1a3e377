//! `/healthz`, `/readyz` and `/metrics`.
//!
//! `/healthz` says whether the process serves at all; a supervisor restarts on it. `/readyz` says
//! whether it does its whole work *now*: a balancer or an alarm looks at it, nobody restarts on it.

use super::{NO_CACHE, TEXT, headers};
use crate::log::Log;
use crate::services::standing::NotStanding;
use crate::store::PublishedCheckpoint;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// Prometheus' own name for its text.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a load balancer or an operator looks at first.
#[derive(Debug, Serialize)]
struct Health {
    /// `ok`, `closed` for ever, `degraded` with reasons, or `stopped` after a fatal error.
    status: &'static str,
    origin: String,
    /// Version of the program.
    version: &'static str,
    /// Sequenced entries.
    size: u64,
    /// Entries covered by the newest published checkpoint.
    published_size: u64,
    /// Entries that the console's lists know; behind for minutes after a start of a large log.
    #[serde(skip_serializing_if = "Option::is_none")]
    indexed_size: Option<u64>,
    /// Age of that checkpoint; absent when none is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint_age_ms: Option<u64>,
    /// Whether it satisfies a quorum of witnesses.
    witnessed: bool,
    /// Index of the entry that closed the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_at: Option<u64>,
    /// What is not as it should be.
    reasons: Vec<&'static str>,
    /// Why the log stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
}

/// Since when entries wait for publication, or for the index, as far as anybody has looked.
#[derive(Debug, Default)]
pub struct Lag(Mutex<Option<(u64, u64)>>);

impl Lag {
    /// Milliseconds that entries beyond the published size, or that of the index, have waited since they
    /// were first seen.
    fn look(&self, published: u64, size: u64, now_ms: u64) -> u64 {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if size <= published {
            *seen = None;
            return 0;
        }
        match *seen {
            Some((at, since_ms)) if at == published => now_ms.saturating_sub(since_ms),
            _ => {
                *seen = Some((published, now_ms));
                0
            }
        }
    }
}

/// 200 while the log runs, 503 after it stopped.
pub(super) async fn health(State(log): State<Log>) -> Response {
    let health = look(&log);
    let status = match health.stopped {
        None => StatusCode::OK,
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    answer(status, health)
}

/// 200 while entries are taken and published in time, else 503 with the reasons.
pub(super) async fn ready(State(log): State<Log>) -> Response {
    let health = look(&log);
    let status = match health.status {
        "ok" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    answer(status, health)
}

fn answer(status: StatusCode, health: Health) -> Response {
    let fresh = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, fresh, Json(health)).into_response()
}

fn look(log: &Log) -> Health {
    let published = log.published().borrow().clone();
    let stopped = log.stopped().borrow().clone();
    let reasons = reasons(log, &published);
    let age = log.now_ms().saturating_sub(published.time_ms);
    let closed_at = log.ledger().closed_at();
    let status = match (&stopped, reasons.is_empty(), closed_at) {
        (Some(_), ..) => "stopped",
        (None, false, _) => "degraded",
        (None, true, Some(_)) => "closed",
        (None, true, None) => "ok",
    };
    Health {
        status,
        origin: log.origin().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        size: log.size(),
        published_size: published.size,
        indexed_size: log.0.watched.get().map(|watched| watched.index().0),
        checkpoint_age_ms: (!published.note.is_empty()).then_some(age),
        witnessed: published.witnessed,
        closed_at,
        reasons,
        stopped,
    }
}

/// Everything that keeps the server from its whole work.
fn reasons(log: &Log, published: &PublishedCheckpoint) -> Vec<&'static str> {
    let limits = &log.config().health;
    let age_ms = log.now_ms().saturating_sub(published.time_ms);
    let (entries, bytes) = log.0.pool.load();
    let pool = &log.config().pool;
    let wants_quorum = log
        .trust_policy()
        .is_some_and(|trust| trust.quorum().is_some());
    let checks = [
        (published.note.is_empty(), "nothing is published yet"),
        (
            age_ms > limits.stale_s.saturating_mul(1_000),
            "the published checkpoint is too old",
        ),
        (
            lag_ms(log, published) > limits.lag_s.saturating_mul(1_000),
            if wants_quorum {
                "the quorum of witnesses is missing"
            } else {
                "entries are not published in time"
            },
        ),
        (
            entries >= pool.entries || bytes >= pool.bytes,
            "the pool is full",
        ),
        (
            free_bytes(log).is_some_and(|free| free < log.config().disk.reserve_bytes),
            "the disk is nearly full",
        ),
    ];
    let found = checks.into_iter().filter(|(is_so, _)| *is_so);
    let found = found.map(|(_, reason)| reason);
    let found = found.chain(people_trouble(log));
    found.chain(index_trouble(log, published)).collect()
}

/// What keeps devices from their policy, and people from enrolling and signing in.
fn people_trouble(log: &Log) -> Option<&'static str> {
    match log.0.watched.get()?.people() {
        Err(NotStanding::Failed) => Some("the roster is not followed any more"),
        Err(NotStanding::Behind { .. }) => Some("the roster is being read"),
        Ok(()) => None,
    }
}

/// What keeps the console from its lists. A program without services has no index. While it is rebuilt
/// after a start everything else goes on: a balancer that took the server out would stop that too.
fn index_trouble(log: &Log, published: &PublishedCheckpoint) -> Option<&'static str> {
    match log.0.watched.get()?.index() {
        (_, Err(NotStanding::Failed)) => Some("the index of the services has failed"),
        (_, Err(NotStanding::Behind { .. })) => None,
        (size, Ok(())) => {
            let lag_ms = log.0.index_lag.look(size, published.size, log.now_ms());
            let limit_ms = log.config().health.lag_s.saturating_mul(1_000);
            (lag_ms > limit_ms).then_some("the index of the services is behind")
        }
    }
}

fn lag_ms(log: &Log, published: &PublishedCheckpoint) -> u64 {
    log.0.lag.look(published.size, log.size(), log.now_ms())
}

fn free_bytes(log: &Log) -> Option<u64> {
    let disk = rustix::fs::statvfs(log.dir()).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Prometheus text.
pub(super) async fn metrics(State(log): State<Log>) -> Response {
    let published = log.published().borrow().clone();
    let (entries, bytes) = log.0.pool.load();
    let is_ready = u64::from(reasons(&log, &published).is_empty());
    let age = log.now_ms().saturating_sub(published.time_ms);
    let text = log.metrics().render(&[
        ("cairn_size", "Sequenced entries.", log.size()),
        (
            "cairn_published_size",
            "Entries covered by the newest published checkpoint.",
            published.size,
        ),
        (
            "cairn_indexed_size",
            "Entries that the console's lists know.",
            log.0.watched.get().map_or(0, |watched| watched.index().0),
        ),
        (
            "cairn_checkpoint_age_milliseconds",
            "Age of the newest published checkpoint.",
            age,
        ),
        (
            "cairn_publication_lag_milliseconds",
            "How long entries have waited for publication.",
            lag_ms(&log, &published),
        ),
        (
            "cairn_checkpoint_witnessed",
            "Whether that checkpoint satisfies a quorum of witnesses.",
            u64::from(published.witnessed),
        ),
        (
            "cairn_pool_entries",
            "Entries waiting to be sequenced.",
            entries,
        ),
        ("cairn_pool_bytes", "Bytes of frames waiting.", bytes),
        (
            "cairn_disk_free_bytes",
            "Free bytes on the disk of the data folder.",
            free_bytes(&log).unwrap_or(0),
        ),
        (
            "cairn_connections",
            "Connections open.",
            log.metrics().connections.get(),
        ),
        ("cairn_ready", "Whether `/readyz` answers 200.", is_ready),
        (
            "cairn_stopped",
            "Whether the log stopped after a fatal error.",
            u64::from(log.stopped().borrow().is_some()),
        ),
    ]);
    let mut answer = (headers(TEXT, NO_CACHE), text).into_response();
    let media = HeaderValue::from_static(EXPOSITION);
    answer.headers_mut().insert(header::CONTENT_TYPE, media);
    answer
}

#[cfg(test)]
mod tests {
    use super::Lag;

    #[test]
    fn lag_counts_from_the_first_look_and_ends_with_publication() {
        let lag = Lag::default();
        assert_eq!(lag.look(5, 5, 1_000), 0);
        assert_eq!(lag.look(5, 6, 2_000), 0);
        assert_eq!(lag.look(5, 9, 5_000), 3_000);
        // Something was published: what waits now began to wait later.
        assert_eq!(lag.look(7, 9, 6_000), 0);
        assert_eq!(lag.look(9, 9, 7_000), 0);
    }
}
