//! Reading requests: JSON bodies, queries and path numbers, with problems for everything else.

use crate::problem::{Family, Problem};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use cairn_tlog::decimal;
use serde::de::DeserializeOwned;

/// Largest body of a service call in bytes; an enrolment has about 500, blobs have their own limit.
pub const MAX_BODY_BYTES: usize = 65_536;

/// A JSON body that is exactly a `T`.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(json_problem(&rejection)),
        }
    }
}

fn json_problem(rejection: &JsonRejection) -> Problem {
    let code = match rejection.status() {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media-type",
        StatusCode::PAYLOAD_TOO_LARGE => "body-too-long",
        _ => "malformed-body",
    };
    // A well-formed document of the wrong shape is a 422 in axum; to the caller both are a 400.
    let status = match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        other => other,
    };
    Problem::new(status, code, Family::Refused, rejection.body_text())
}

/// A query string that is exactly a `T`.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        match query {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::bad_request("query", rejection.body_text())),
        }
    }
}

/// The one parameter of a path, as text.
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<Path<String>, PathRejection> =
            Path::from_request_parts(parts, state).await;
        path.map(|Path(name)| Self(name))
            .map_err(|_| Problem::not_found("no such resource"))
    }
}

/// The one parameter of a path, as an index in canonical decimal.
pub struct EntryIndex(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for EntryIndex {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Name(text) = Name::from_request_parts(parts, state).await?;
        let number = decimal::parse(&text);
        number
            .map(Self)
            .ok_or_else(|| Problem::bad_request("number", format!("`{text}` is not a number")))
    }
}

/// Runs work that reads the store many times away from the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(Problem::internal("the work did not end")))
}

/// A failure inside the server: the cause goes to the diagnostics, the caller gets a code.
pub(crate) fn internal(error: &dyn std::error::Error, doing: &str) -> Problem {
    tracing::error!(%error, doing, "a service call failed");
    Problem::internal(format!("{doing} failed"))
}
