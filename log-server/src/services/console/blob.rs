//! `PUT /v1/blobs/{sha256}`: a policy bundle, durable before the entry that names it.

use crate::blobs::{MAX_BLOB_BYTES, PutBlobError};
use crate::problem::{Family, Problem};
use crate::services::Services;
use crate::services::request::{Name, blocking, internal};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use cairn_event::Sha256;

/// `PUT /v1/blobs/{sha256}`; 204 once it is durable, known or new.
pub(in crate::services) async fn put(
    State(services): State<Services>,
    Name(name): Name,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let named = Sha256::from_hex(&name).ok_or_else(|| {
        Problem::bad_request("digest", "the name is not 64 lower-case hex digits")
    })?;
    let too_long = || {
        let detail = format!("a blob is longer than {MAX_BLOB_BYTES} bytes");
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-long",
            Family::Refused,
            detail,
        )
    };
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(),
        _ => Problem::bad_request("malformed-body", rejection.body_text()),
    })?;
    let digest = Sha256::of(&body);
    if digest != named {
        let detail = format!("the body has digest {digest}");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(Problem::new(status, "digest", Family::Refused, detail));
    }
    blocking(move || match services.log().put_blob(&body) {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(PutBlobError::TooLong(_)) => Err(too_long()),
        Err(error @ PutBlobError::Store(_)) => Err(internal(&error, "keeping a blob")),
    })
    .await
}
