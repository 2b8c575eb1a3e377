//! Erasure: an administrator orders it, the log says so first, then the content is destroyed.
//!
//! Write-ahead: the entry is durable before anything is destroyed, so a crash between the two
//! leaves a promise that the follower keeps at the next start. Proofs stay as they are: the entry
//! commits to digests, and those remain. There is no legal hold in this version: nothing stops an
//! erasure but the role.

use super::Services;
use super::access::Caller;
use super::authority::Statement;
use super::request::{Body, EntryIndex, blocking, internal};
use crate::disclosures::DisclosureStoreError;
use crate::outcome::Wait;
use crate::problem::{Family, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cairn_api::browse::{ErasureAnswer, ErasureRequest};
use cairn_event::administrative::Erasure;
use cairn_event::{Sha256, body};

/// Longest reason in bytes; it stands in the log for ever, in clear.
pub const MAX_REASON_BYTES: usize = 1_024;

/// `POST /v1/events/{index}/erasure`.
pub(super) async fn erase(
    State(services): State<Services>,
    caller: Caller,
    EntryIndex(index): EntryIndex,
    Body(request): Body<ErasureRequest>,
) -> Result<Json<ErasureAnswer>, Problem> {
    let reason = request.reason.trim().to_owned();
    if reason.is_empty() || reason.len() > MAX_REASON_BYTES {
        let detail = format!("`reason` is empty or longer than {MAX_REASON_BYTES} bytes");
        return Err(Problem::bad_request("reason", detail));
    }
    let reader = services.clone();
    let (digests, leaf) = blocking(move || plan(&reader, index, request.digests)).await?;
    let ordered_by = caller.claims.sub.clone();
    let say = |_: &cairn_identity::Ledger| {
        Some(Statement {
            body: body::Body::Erasure(Erasure {
                digests: digests.clone(),
                index,
                leaf,
                ordered_by: ordered_by.clone(),
                reason: reason.clone(),
            }),
            confidential: Vec::new(),
            ext: None,
        })
    };
    let written = services.0.authority.write(Wait::Published, say).await?;
    let named = digests.clone();
    let eraser = services.clone();
    let digests = blocking(move || {
        eraser
            .log()
            .disclosures()
            .erase(index, &named)
            .map_err(|error| refuse(&error))
    })
    .await?;
    Ok(Json(ErasureAnswer {
        erasure_index: written.index,
        digests,
    }))
}

/// What would be erased. A request for digests the entry does not have changes nothing.
fn plan(
    services: &Services,
    index: u64,
    asked: Option<Vec<String>>,
) -> Result<(Vec<String>, Sha256), Problem> {
    let log = services.log();
    if asked.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::bad_request(
            "digests",
            "`digests` is empty; leave it away for all",
        ));
    }
    let digests = log
        .disclosures()
        .committed(index, &asked.unwrap_or_default());
    let digests = digests.map_err(|error| refuse(&error))?;
    if digests.is_empty() {
        let detail = format!("the entry at index {index} has no confidential members");
        let status = StatusCode::CONFLICT;
        return Err(Problem::new(
            status,
            "nothing-to-erase",
            Family::Refused,
            detail,
        ));
    }
    let bytes = log
        .entry(index)
        .map_err(|error| internal(&error, "reading an entry"))?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("no such entry"))?;
    Ok((digests, Sha256::of_leaf(&bytes)))
}

fn refuse(error: &DisclosureStoreError) -> Problem {
    match error {
        DisclosureStoreError::NoEntry { .. } => Problem::not_found(error.to_string()),
        DisclosureStoreError::NotCommitted { .. } => {
            Problem::bad_request("not-committed", error.to_string())
        }
        DisclosureStoreError::Entry { .. } => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Problem::new(
                status,
                "unreadable-entry",
                Family::Refused,
                error.to_string(),
            )
        }
        _ => internal(error, "erasing"),
    }
}
