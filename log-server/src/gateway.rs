//! What every request passes, whichever route it is for.
//!
//! Owns counting and tracing requests, compressing answers where that pays, the time a body may
//! take to arrive, and the demand for a client certificate. Does not own who may call a route
//! (`services::access`) nor what an answer's caching is (each route says).

use crate::answers::{self, Held};
use crate::arrival::{Arrived, Room};
use crate::blobs::MAX_BLOB_BYTES;
use crate::config::ClientCertificates;
use crate::listener::Peer;
use crate::log::Log;
use crate::problem::{Family, Problem};
use crate::services::request::MAX_BODY_BYTES;
use crate::traces;
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use cairn_api::paths;
use std::time::{Duration, Instant};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tracing::Instrument as _;

/// Answers below this are not compressed: they fit in one packet as they are.
const COMPRESSED_FROM_BYTES: u16 = 1_024;

/// Effort of brotli, 0 to 11: beyond 4 it costs several times the time for a few per cent.
const BROTLI_EFFORT: i32 = 4;

/// How long a body of any route but submission may take: 1 MiB over 1 Mbit/s, with room.
const BODY_DEADLINE: Duration = Duration::from_secs(20);

/// Bytes of such bodies that may be here at once: as many blobs as an organisation ever sends.
const BODIES_BYTES_MAX: usize = 64 * MAX_BLOB_BYTES;

/// Media types that compress: text made by programs. Tiles and bundles of hashes and signatures do
/// not, and an event stream must not wait for a block to fill.
const COMPRESSIBLE: [&str; 7] = [
    "application/json",
    "application/problem+json",
    "text/html",
    "text/css",
    "text/javascript",
    "application/javascript",
    "image/svg+xml",
];

/// Wraps every route.
pub fn around(routes: Router, log: &Log) -> Router {
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Precise(BROTLI_EFFORT))
        .compress_when(SizeAbove::new(COMPRESSED_FROM_BYTES).and(is_compressible));
    // Layers run from the last to the first.
    routes
        .layer(from_fn_with_state(Held::new(), answers::charged))
        .layer(from_fn_with_state(
            Room::new(BODIES_BYTES_MAX),
            bounded_body,
        ))
        .layer(from_fn_with_state(log.clone(), certified))
        .layer(compression)
        .layer(from_fn_with_state(log.clone(), observed))
}

fn is_compressible(
    _status: StatusCode,
    _version: axum::http::Version,
    headers: &HeaderMap,
    _extensions: &axum::http::Extensions,
) -> bool {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|media| media.to_str().ok());
    let media = media.map_or("", |media| media.split(';').next().unwrap_or(media).trim());
    COMPRESSIBLE.contains(&media)
}

/// Counts and traces a request by its route, never by its path: paths are the caller's to choose.
async fn observed(State(log): State<Log>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("other", MatchedPath::as_str).to_owned();
    let method = method_name(request.method());
    let span = traces::request_span(method, &route, request.headers());
    let answer = next.run(request).instrument(span.clone()).await;
    let status = answer.status();
    // A signed number: an unsigned one would be exported as text.
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    let requests = &log.metrics().requests;
    requests.answered(&route, method, status.as_u16(), begun.elapsed());
    answer
}

/// The method, if it is one of HTTP's own: a label must not be the caller's to choose.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Lets submissions pass only with a client certificate, where the configuration says so. Where
/// everybody must show one, the handshake has seen to it.
async fn certified(State(log): State<Log>, request: Request, next: Next) -> Response {
    let tls = log.config().tls.as_ref();
    let asked = tls.is_some_and(|tls| tls.client == ClientCertificates::Submitters);
    let submits = request.method() == Method::POST && request.uri().path() == paths::ENTRIES;
    let shown = request.extensions().get::<Peer>();
    if asked && submits && !shown.is_some_and(|peer| peer.certified) {
        let detail = "submitting needs a client certificate of this organisation";
        let status = StatusCode::FORBIDDEN;
        return Problem::new(status, "no-client-certificate", Family::Refused, detail)
            .into_response();
    }
    next.run(request).await
}

/// Reads a body before its handler begins, so that a slow sender costs no handler. Submissions have
/// bounds of their own.
async fn bounded_body(State(room): State<Room>, request: Request, next: Next) -> Response {
    let bodiless = matches!(*request.method(), Method::GET | Method::HEAD);
    if bodiless || request.uri().path() == paths::ENTRIES {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    // One byte more, so that the route itself finds what is too long for it.
    let bytes_max = if head.method == Method::PUT {
        MAX_BLOB_BYTES + 1
    } else {
        MAX_BODY_BYTES + 1
    };
    match room.take(body, bytes_max, BODY_DEADLINE).await {
        Ok(Arrived { bytes, room: _room }) => {
            next.run(Request::from_parts(head, Body::from(bytes))).await
        }
        Err(problem) => problem.into_response(),
    }
}
