//! `/openapi.json`: the whole surface as OpenAPI 3.1, served as it stands in the documentation.

use axum::http::{HeaderName, HeaderValue, header};

/// The document.
pub const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// `GET /openapi.json`.
pub(super) async fn document() -> ([(HeaderName, HeaderValue); 2], &'static str) {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, DOCUMENT)
}
