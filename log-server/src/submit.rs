//! `POST /v1/entries`: frames in, one result for each out.
//!
//! Owns the HTTP form of a submission and what an unknown sender may cost: bodies in memory at once,
//! and the time one may take to arrive. No token: each entry is authenticated by its own signature.

use crate::arrival::{Arrived, Room};
use crate::log::Log;
use crate::outcome::{SubmitResult, Wait};
use crate::problem::{Family, Problem};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::{Json, Router};
use cairn_api::paths;
use cairn_api::submission::{FrameResult, Status, SubmitQuery, SubmitResponse};
use cairn_event::Sha256;
use cairn_event::frame::{MEDIA_TYPE, split_submission};
use cairn_event::limits::MAX_SUBMISSION_BYTES;
use std::time::Duration;
use tracing::Instrument as _;

/// How long a submitter waits when it names no time: several witness rounds.
const DEFAULT_WAIT_MS: u64 = 10_000;

/// The longest wait: below the minute after which middle boxes give up.
const MAX_WAIT_MS: u64 = 30_000;

/// Bytes of bodies that may have arrived and are not yet in the pool: 32 of the largest size.
const ARRIVING_BYTES_MAX: usize = 32 * MAX_SUBMISSION_BYTES;

/// How long one body may take to arrive: 8 MiB over 10 Mbit/s, with room.
const BODY_DEADLINE: Duration = Duration::from_secs(15);

/// The log and the room for arriving bodies.
#[derive(Clone)]
struct Door {
    log: Log,
    room: Room,
}

/// The submission route.
pub fn routes(log: Log) -> Router {
    let room = Room::new(ARRIVING_BYTES_MAX);
    Router::new()
        .route(paths::ENTRIES, post(submit))
        .with_state(Door { log, room })
}

async fn submit(
    State(door): State<Door>,
    query: Result<Query<SubmitQuery>, QueryRejection>,
    headers: HeaderMap,
    request: Request,
) -> Result<(StatusCode, Json<SubmitResponse>), Problem> {
    let log = &door.log;
    let Query(query) = query.map_err(|error| Problem::bad_request("query", error.body_text()))?;
    check_media_type(&headers)?;
    let turned_away = |problem: &Problem| {
        if problem.retry_after_s.is_some() {
            log.metrics().turned_away.add(1);
        }
    };
    let frames = read_frames(request, &door.room).await;
    let frames = frames.inspect_err(turned_away)?;
    let wait = query.wait.unwrap_or(Wait::Witnessed);
    let wait_ms = query.timeout_ms.unwrap_or(DEFAULT_WAIT_MS).min(MAX_WAIT_MS);
    let span = tracing::info_span!("submit", entries = frames.len() as i64, wait = ?wait);
    let submitted = log.submit(frames, wait, Duration::from_millis(wait_ms));
    let submitted = submitted.instrument(span).await;
    let results = submitted.map_err(Problem::from).inspect_err(turned_away)?;
    let all_there = results.iter().all(|result| match result {
        SubmitResult::Accepted { level, .. } => level.satisfies(wait),
        SubmitResult::Refused(_) => true,
    });
    let status = if all_there {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    let results = results.into_iter().map(to_wire).collect();
    Ok((status, Json(SubmitResponse { results })))
}

/// Reads the body within its bounds and splits it into lines.
async fn read_frames(request: Request, room: &Room) -> Result<Vec<String>, Problem> {
    let arriving = room.take(request.into_body(), MAX_SUBMISSION_BYTES, BODY_DEADLINE);
    let Arrived { bytes, room: _room } = arriving.await?;
    let lines = split_submission(&bytes).map_err(|error| Problem::from(&error))?;
    Ok(lines.into_iter().map(ToOwned::to_owned).collect())
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if given == Some(MEDIA_TYPE) {
        return Ok(());
    }
    let detail = format!("expected `{MEDIA_TYPE}`");
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(Problem::new(status, "media-type", Family::Refused, detail))
}

fn to_wire(result: SubmitResult) -> FrameResult {
    match result {
        SubmitResult::Accepted {
            index,
            leaf,
            duplicate,
            level,
            receipt,
        } => FrameResult {
            status: level.status(),
            index: Some(index),
            leaf: Some(Sha256(leaf.0)),
            duplicate,
            receipt,
            problem: None,
        },
        SubmitResult::Refused(problem) => FrameResult {
            status: Status::Refused,
            index: None,
            leaf: None,
            duplicate: false,
            receipt: None,
            problem: Some(problem.body),
        },
    }
}
