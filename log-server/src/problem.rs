//! Problem bodies (RFC 9457): the one place where an error becomes a status and a JSON body.
//!
//! Owns the status of each cause and the headers that go with it; the form is `cairn_api::Problem`. Does
//! not own the causes: each module maps its own error here through `From`.

use crate::outcome::SubmitError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cairn_api::problem::MEDIA_TYPE;
use cairn_event::frame::FrameError;
use cairn_identity::Refusal;

pub use cairn_api::Family;

/// A problem body with the headers that go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is sent.
    pub body: cairn_api::Problem,
    /// Seconds for `Retry-After`.
    pub retry_after_s: Option<u64>,
}

/// Seconds a caller waits after a 503 that is not about load.
const RETRY_AFTER_STOPPED_S: u64 = 5;

impl Problem {
    /// A problem with a stable `code` (lower-case words joined by hyphens).
    #[must_use]
    pub fn new(status: StatusCode, code: &str, family: Family, detail: impl Into<String>) -> Self {
        let title = code.replace('-', " ");
        let body = cairn_api::Problem::new(code, &title, status.as_u16(), family, detail.into());
        Self {
            body,
            retry_after_s: None,
        }
    }

    /// 400: the request itself is malformed.
    #[must_use]
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, Family::Refused, detail)
    }

    /// 404: no such thing here.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", Family::Refused, detail)
    }

    /// 410: the bytes were pruned; the leaf hash is still in the tree.
    #[must_use]
    pub fn pruned(minimum_index: u64) -> Self {
        let detail = format!(
            "it was pruned: the log's minimum index is {minimum_index}; its leaf hash is in the tiles, and \
             its receipt still holds"
        );
        Self::new(StatusCode::GONE, "pruned", Family::Refused, detail)
    }

    /// 500: the store could not be read or our own state is in doubt.
    #[must_use]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            Family::Fatal,
            detail,
        )
    }

    /// 503 or 429 with the seconds to wait.
    #[must_use]
    pub fn retry(status: StatusCode, code: &str, after_s: u64, detail: impl Into<String>) -> Self {
        let problem = Self::new(status, code, Family::Retry, detail);
        Self {
            retry_after_s: Some(after_s),
            ..problem
        }
    }

    /// The code at the end of `type`.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body.code()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.body.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.body).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let media = HeaderValue::from_static(MEDIA_TYPE);
        headers.insert(header::CONTENT_TYPE, media);
        // A cached 429 or 503 would outlive its cause; a cached 404 would hide a later tile.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            headers.remove(header::CACHE_CONTROL);
        }
        response
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let (status, family) = match refusal {
            later if later.may_pass_later() => (StatusCode::CONFLICT, Family::Retry),
            Refusal::Fork { .. }
            | Refusal::BrokenLink { .. }
            | Refusal::GapDeclared { .. }
            | Refusal::ChainExists(_) => (StatusCode::CONFLICT, Family::Refused),
            // A server lets no chain go, so that this is a fault of its own.
            Refusal::ChainAway(_) => (StatusCode::INTERNAL_SERVER_ERROR, Family::Fatal),
            // No agent can help it: an operator moves the devices to the successor.
            Refusal::LogClosed { .. } => (StatusCode::GONE, Family::Fatal),
            Refusal::NotAuthorised { .. } | Refusal::BelowThreshold { .. } => {
                (StatusCode::FORBIDDEN, Family::Refused)
            }
            _ => (StatusCode::UNPROCESSABLE_ENTITY, Family::Refused),
        };
        Self::new(status, refusal.code(), family, refusal.to_string())
    }
}

impl From<&FrameError> for Problem {
    fn from(error: &FrameError) -> Self {
        let (status, code) = match error {
            FrameError::BodyTooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-long"),
            FrameError::TooLong(_) => (StatusCode::PAYLOAD_TOO_LARGE, "frame-too-long"),
            FrameError::Entry(_) => (StatusCode::UNPROCESSABLE_ENTITY, "malformed-entry"),
            FrameError::Lines => (StatusCode::BAD_REQUEST, "malformed-submission"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "malformed-frame"),
        };
        Self::new(status, code, Family::Refused, error.to_string())
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let (many, none) = (
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        );
        let (status, code, after_s) = match &error {
            SubmitError::Quota(exceeded) => (many, "quota", exceeded.retry_after_s),
            SubmitError::ChainStarts(many_more) => (many, "chain-starts", many_more.retry_after_s),
            SubmitError::PoolFull { retry_after_s } => (none, "pool-full", *retry_after_s),
            SubmitError::DiskReserve { .. } => (none, "disk-reserve", RETRY_AFTER_STOPPED_S),
            SubmitError::Stopped => (none, "stopped", RETRY_AFTER_STOPPED_S),
        };
        Self::retry(status, code, after_s, error.to_string())
    }
}
