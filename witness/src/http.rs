//! The HTTP surface: statuses, bodies, limits and shutdown.
//!
//! Owns the mapping from decisions to responses. It does not own the decisions (`witness`).
//! Source: C2SP tlog-witness. Paths are relative to the submission and monitoring prefixes, which
//! are the same here; TLS and public rate limits belong to a proxy in front.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cairn_tlog::add_checkpoint::{
    AddCheckpointParseError, MAX_REQUEST_BYTES, SIZE_CONTENT_TYPE, format_response, format_size,
};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tower_http::timeout::TimeoutLayer;

use crate::add_checkpoint::Refusal;
use crate::clock::Clock;
use crate::witness::{AddCheckpointError, PublishedError, Witness};

/// Requests that may wait for the one writer; each costs two disk flushes, so more than this
/// would wait for seconds. Further ones get 429 and come back.
const MAX_WAITING: usize = 64;

/// A request that is not read and answered by then is dropped: clients wait no longer anyway.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests in flight may take after the signal to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Seconds a client is asked to wait after 429.
const RETRY_AFTER_SECONDS: &str = "1";

const TEXT: &str = "text/plain; charset=utf-8";

/// A witness behind HTTP.
#[derive(Debug, Clone)]
pub struct Service {
    witness: Arc<Witness>,
    clock: Arc<Clock>,
    waiting: Arc<Semaphore>,
    failed: watch::Sender<bool>,
}

/// Why serving ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener failed.
    #[error("the listener failed")]
    Listener(#[source] std::io::Error),
    /// The store failed; the process must not go on with what it has in memory.
    #[error("the witness state failed, restart after mending it")]
    State,
}

impl Service {
    /// Puts a witness behind HTTP.
    #[must_use]
    pub fn new(witness: Witness) -> Self {
        Self {
            witness: Arc::new(witness),
            clock: Arc::default(),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            failed: watch::Sender::new(false),
        }
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/{origin_hash}/checkpoint", get(published))
            .route("/healthz", get(health))
            .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
            .layer(TimeoutLayer::with_status_code(
                StatusCode::REQUEST_TIMEOUT,
                REQUEST_TIMEOUT,
            ))
            .with_state(self.clone())
    }

    /// Serves until `stop` resolves or the store fails, then lets requests in flight end.
    ///
    /// # Errors
    /// `Listener`, or `State` after a store failure; the process exits non-zero on both.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let (stopping, mut stopped) = watch::channel(false);
        let mut failed = self.failed.subscribe();
        let ended = async move {
            tokio::select! {
                () = stop => {}
                _ = failed.wait_for(|failed| *failed) => {}
            }
            stopping.send_replace(true);
        };
        let server = axum::serve(listener, self.router()).with_graceful_shutdown(ended);
        let drained = async move {
            if stopped.wait_for(|stopped| *stopped).await.is_ok() {
                tokio::time::sleep(DRAIN_TIMEOUT).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            outcome = async { server.await } => outcome.map_err(ServeError::Listener)?,
            () = drained => tracing::warn!("requests still in flight are dropped"),
        }
        if *self.failed.borrow() {
            Err(ServeError::State)
        } else {
            Ok(())
        }
    }

    fn fail(&self, error: &(dyn std::error::Error + 'static)) -> Response {
        tracing::error!(error, "witness state failed, stopping");
        self.failed.send_replace(true);
        plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
    }
}

async fn add_checkpoint(State(service): State<Service>, body: Bytes) -> Response {
    let Ok(permit) = service.waiting.clone().try_acquire_owned() else {
        let retry = [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)];
        return (StatusCode::TOO_MANY_REQUESTS, retry, "busy\n").into_response();
    };
    let (witness, clock) = (Arc::clone(&service.witness), Arc::clone(&service.clock));
    let outcome = tokio::task::spawn_blocking(move || {
        let outcome = witness.add_checkpoint(&body, clock.unix_seconds());
        drop(permit);
        outcome
    });
    match outcome.await {
        Ok(Ok(signatures)) => plain(StatusCode::OK, format_response(&signatures)),
        Ok(Err(AddCheckpointError::Refused(refusal))) => refuse(&refusal),
        Ok(Err(AddCheckpointError::Store(error))) => service.fail(&error),
        Ok(Err(error @ AddCheckpointError::ClockAhead { .. })) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot cosign");
            plain(StatusCode::SERVICE_UNAVAILABLE, "clock in doubt\n")
        }
        Ok(Err(AddCheckpointError::Sign(error))) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot cosign");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
        }
        Err(error) => service.fail(&error),
    }
}

async fn published(State(service): State<Service>, Path(origin_hash): Path<String>) -> Response {
    let witness = Arc::clone(&service.witness);
    let outcome = tokio::task::spawn_blocking(move || witness.published(&origin_hash));
    match outcome.await {
        Ok(Ok(Some(note))) => {
            let headers = [
                (header::CONTENT_TYPE, TEXT),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, note).into_response()
        }
        Ok(Ok(None)) => plain(StatusCode::NOT_FOUND, "not found\n"),
        Ok(Err(PublishedError::Store(error))) => service.fail(&error),
        Ok(Err(PublishedError::Sign(error))) => {
            tracing::error!(error = &error as &dyn std::error::Error, "cannot cosign");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
        }
        Err(error) => service.fail(&error),
    }
}

async fn health(State(service): State<Service>) -> Response {
    if *service.failed.borrow() {
        plain(StatusCode::SERVICE_UNAVAILABLE, "state failed\n")
    } else {
        plain(StatusCode::OK, "ok\n")
    }
}

/// The status of a refusal (C2SP tlog-witness, "add-checkpoint").
fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed(AddCheckpointParseError::TooLong { .. }) => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Refusal::Malformed(_) | Refusal::OldAboveSize { .. } => StatusCode::BAD_REQUEST,
        Refusal::UnknownOrigin { .. } => StatusCode::NOT_FOUND,
        Refusal::Signature { .. } => StatusCode::FORBIDDEN,
        Refusal::SizeConflict { .. } => StatusCode::CONFLICT,
        Refusal::EmptyRoot | Refusal::Fork { .. } | Refusal::Proof(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

fn refuse(refusal: &Refusal) -> Response {
    let status = status_of(refusal);
    match refusal {
        Refusal::SizeConflict { latest, .. } => {
            with_type(status, SIZE_CONTENT_TYPE, format_size(*latest))
        }
        // Signed evidence that a log shows two histories: somebody must look.
        Refusal::Fork { .. } | Refusal::Proof(_) | Refusal::EmptyRoot => {
            let cause = refusal as &(dyn std::error::Error + 'static);
            tracing::warn!(cause, "a correctly signed checkpoint is not consistent");
            plain(status, format!("{refusal}\n"))
        }
        _ => plain(status, format!("{refusal}\n")),
    }
}

fn plain(status: StatusCode, body: impl IntoResponse) -> Response {
    with_type(status, TEXT, body)
}

fn with_type(status: StatusCode, content_type: &'static str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &'static str); 1] = [(header::CONTENT_TYPE, content_type)];
    (status, headers, body).into_response()
}
