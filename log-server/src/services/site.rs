//! The console's files, embedded at build time.
//!
//! Owns caching and the security headers of static files. Does not own what the console shows; it
//! is a program in the browser that asks the routes of this server.

use crate::answers::Shared;
use crate::problem::Problem;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use std::borrow::Cow;

/// The built console, or a page that says how to build it.
#[derive(RustEmbed)]
#[folder = "../console/dist"]
struct Files;

/// The page that starts the console.
const START: &str = "index.html";

/// Where the build puts files whose names carry their digest.
const HASHED: &str = "assets/";

/// Nothing from elsewhere, nothing inline, no frames.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
    img-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// Whatever no route takes: a file of the console, its start page, or a problem.
pub(super) async fn fallback(request: Request) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path().trim_start_matches('/');
    if !reads || path.starts_with("v1/") || path.starts_with("tile/") {
        return Problem::not_found("there is no such route").into_response();
    }
    if let Some(file) = Files::get(path).filter(|_| path != START) {
        return serve(path, file.data);
    }
    // The console keeps its place in the address, so a page of it may be asked for by any path.
    let is_page = path.is_empty() || path == START || wants_html(request.headers());
    match Files::get(START) {
        Some(start) if is_page && !path.starts_with(HASHED) => serve(START, start.data),
        _ => Problem::not_found("there is no such file").into_response(),
    }
}

fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn serve(path: &str, data: Cow<'static, [u8]>) -> Response {
    let bytes = match data {
        Cow::Borrowed(embedded) => Bytes::from_static(embedded),
        Cow::Owned(read) => Bytes::from(read),
    };
    let media = mime_guess::from_path(path).first_or_octet_stream();
    let media = HeaderValue::from_str(media.as_ref());
    let hashed = path.starts_with(HASHED);
    let caching = if hashed {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let fixed = |text| HeaderValue::from_static(text);
    let headers: [(HeaderName, HeaderValue); 7] = [
        (
            header::CONTENT_TYPE,
            media.unwrap_or_else(|_| fixed("application/octet-stream")),
        ),
        (header::CACHE_CONTROL, fixed(caching)),
        (header::CONTENT_SECURITY_POLICY, fixed(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
        (header::REFERRER_POLICY, fixed("no-referrer")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            fixed("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            fixed("same-origin"),
        ),
    ];
    (StatusCode::OK, headers, Extension(Shared), bytes).into_response()
}
