//! Everything that can be read from the log without a token.
//!
//! Owns the routes of C2SP tlog-tiles and the proof routes beside them. All of it can be computed
//! from checkpoint and tiles; the proof routes only spare small clients the work. Nothing beyond
//! the published checkpoint is served as a tile. Does not own submission (`submit`).

mod checkpoints;
mod entries;
mod health;
mod proofs;
mod tiles;

pub use health::Lag;

use crate::log::Log;
use crate::problem::Problem;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::routing::get;
use cairn_api::paths;

/// What never changes may be kept for ever; one year is what caches take for that.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// What changes is asked for again.
const NO_CACHE: &str = "no-cache";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// Paths that are read here and written to in the services.
pub(crate) const SHARED_PATHS: &[&str] = &[paths::BLOB];

/// The public read routes.
pub fn routes(log: Log) -> Router {
    Router::new()
        .route(paths::CHECKPOINT, get(tiles::checkpoint))
        .route(paths::TILE, get(tiles::tile))
        .route(paths::RETENTION, get(tiles::retention))
        .route(paths::KEPT, get(tiles::kept))
        .route(paths::ENTRY, get(entries::entry))
        .route(paths::RECEIPT, get(entries::receipt))
        .route(paths::RECEIPT_BY_LEAF, get(entries::receipt_by_leaf))
        .route(paths::LEAF, get(entries::leaf))
        .route(paths::GENESIS, get(entries::genesis))
        .route(paths::BLOB, get(entries::blob))
        .route(paths::CONSISTENCY, get(proofs::consistency))
        .route(paths::RANGE, get(proofs::range))
        .route(paths::CHECKPOINTS, get(checkpoints::sizes))
        .route(paths::CHECKPOINT_AT, get(checkpoints::at))
        .route(paths::TAIL, get(checkpoints::tail))
        .route(paths::TRUST_POLICY, get(checkpoints::trust_policy))
        .route(paths::HEALTH, get(health::health))
        .route(paths::READY, get(health::ready))
        .route(paths::METRICS, get(health::metrics))
        .with_state(log)
}

type Headers = [(HeaderName, HeaderValue); 3];

/// Media type, caching, and leave for pages of any origin to read: all of this is public.
fn headers(media: &'static str, caching: &'static str) -> Headers {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        ),
    ]
}

/// A number in a path or query: canonical decimal only, so that each resource has one address.
fn number(text: &str) -> Result<u64, Problem> {
    let parsed = cairn_tlog::decimal::parse(text);
    parsed.ok_or_else(|| Problem::bad_request("number", format!("`{text}` is not a number")))
}

/// Runs work that reads the store many times away from the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Problem::internal("the work did not end")))
}

/// Why an entry or a bundle is not there: pruned, or never here.
fn gone(log: &Log, index: u64, absent: impl FnOnce() -> Problem) -> Problem {
    match log.minimum_index() {
        Ok(minimum) if index < minimum => Problem::pruned(minimum),
        Ok(_) => absent(),
        Err(error) => unreadable(&error),
    }
}

/// A store that cannot be read is the server's fault and no reason to say "not found".
fn unreadable(error: &dyn std::error::Error) -> Problem {
    let cause = crate::sequence::chain(error);
    tracing::error!(%cause, "a read failed");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "store",
        crate::problem::Family::Fatal,
        "the store could not be read",
    )
}
