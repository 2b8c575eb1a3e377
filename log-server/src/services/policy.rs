//! What devices follow: roster entries, the policy in force, and the stream that tells of both.
//!
//! Everything here is published: a device verifies a receipt before it believes anything, so an
//! entry without one is of no use to it. Who gets which disclosures is decided here.

use super::Services;
use super::access::Caller;
use super::request::{Params, blocking, internal};
use crate::problem::{Family, Problem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use cairn_api::distribution::{
    PolicyAnswer, PolicyNotice, ReceiptedFrame, RosterAnswer, RosterNotice,
};
use cairn_event::encoding::to_base64url;
use cairn_event::{Disclosure, frame};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::WatchStream;

/// Proxies close idle connections after 30 to 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(25);

/// Roster entries in one answer; a device that is far behind asks again after the last revision.
pub const MAX_ROSTER_ENTRIES: usize = 1_000;

/// The newest published policy and roster entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// The policy entry in force.
    pub policy: Option<PolicyNotice>,
    /// The newest roster entry.
    pub roster: Option<RosterNotice>,
}

/// Query of `GET /v1/roster`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    after_revision: Option<u64>,
}

/// `GET /v1/roster`.
pub(super) async fn roster(
    State(services): State<Services>,
    caller: Caller,
    Params(after): Params<After>,
) -> Result<Json<RosterAnswer>, Problem> {
    let from = after.after_revision.unwrap_or(0);
    let indices: Vec<u64> = {
        let index = services.index();
        // Revisions count roster entries from 1, so a revision is a position.
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        index
            .roster_entries()
            .iter()
            .skip(skip)
            .take(MAX_ROSTER_ENTRIES)
            .copied()
            .collect()
    };
    blocking(move || {
        let entries = indices
            .iter()
            .map(|index| receipted(&services, &caller, *index));
        Ok(Json(RosterAnswer {
            entries: entries.collect::<Result<_, _>>()?,
        }))
    })
    .await
}

fn receipted(services: &Services, caller: &Caller, index: u64) -> Result<ReceiptedFrame, Problem> {
    let entry = entry_text(services, index)?;
    let held = services.log().disclosures().get(index);
    let held = held.map_err(|error| internal(&error, "reading disclosures"))?;
    let shown: Vec<String> = held
        .into_iter()
        .filter_map(|held| held.encoded)
        .filter(|encoded| may_read(services, caller, encoded))
        .collect();
    let frame = frame::present(&entry, shown.iter().map(String::as_str));
    Ok(ReceiptedFrame {
        index,
        frame,
        receipt: receipt(services, index)?,
    })
}

/// Developers and their devices read what concerns themselves.
fn may_read(services: &Services, caller: &Caller, encoded: &str) -> bool {
    if caller.reads_all() {
        return true;
    }
    let Ok(disclosure) = Disclosure::parse(encoded) else {
        return false;
    };
    let own = caller.claims.sub.as_str();
    match disclosure.name().split_once(':') {
        Some(("email", person)) => person == own,
        Some(("host", device)) => {
            let ledger = services.log().ledger();
            ledger
                .roster()
                .devices
                .get(device)
                .is_some_and(|device| device.person == own)
        }
        _ => false,
    }
}

/// `GET /v1/policy`.
pub(super) async fn policy(
    State(services): State<Services>,
) -> Result<Json<PolicyAnswer>, Problem> {
    let head = services.0.heads.borrow().policy.clone();
    let head = head.ok_or_else(|| {
        let detail = "no policy has been put in force yet";
        Problem::new(StatusCode::NOT_FOUND, "no-policy", Family::Refused, detail)
    })?;
    blocking(move || {
        let bundle = services.log().blob(&head.bundle_sha256.0);
        let bundle = bundle.map_err(|error| internal(&error, "reading the bundle"))?;
        // An administrator may have submitted an entry whose bundle never came.
        let bundle = bundle.ok_or_else(|| {
            let detail = "the policy in force names a bundle that was never handed in";
            Problem::new(StatusCode::NOT_FOUND, "no-bundle", Family::Refused, detail)
        })?;
        Ok(Json(PolicyAnswer {
            index: head.index,
            entry: entry_text(&services, head.index)?,
            receipt: receipt(&services, head.index)?,
            bundle: to_base64url(&bundle),
        }))
    })
    .await
}

fn entry_text(services: &Services, index: u64) -> Result<String, Problem> {
    let bytes = services
        .log()
        .entry(index)
        .map_err(|error| internal(&error, "reading an entry"))?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Problem::internal("a published entry is missing"))
}

fn receipt(services: &Services, index: u64) -> Result<String, Problem> {
    let receipt = services.log().receipt(index);
    let receipt = receipt.map_err(|error| internal(&error, "making a receipt"))?;
    receipt.ok_or_else(|| Problem::internal("a published entry has no receipt"))
}

/// `GET /v1/policy/stream`: the heads at once and at every change, until the token expires.
pub(super) async fn stream(
    State(services): State<Services>,
    caller: Caller,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut sent = Heads::default();
    // A slow reader gets the newest heads and no queue: the watch keeps one value.
    let changes = WatchStream::new(services.0.heads.clone());
    let events = changes.flat_map(move |heads| stream::iter(news(&mut sent, heads)));
    let now_s = services.log().now_ms() / 1_000;
    let left = Duration::from_secs(caller.claims.exp.saturating_sub(now_s));
    let expiry = Box::pin(tokio::time::sleep(left));
    Sse::new(events.take_until(expiry)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// The events that bring a reader from `sent` to `heads`.
fn news(sent: &mut Heads, heads: Heads) -> Vec<Result<Event, Infallible>> {
    let mut events = Vec::with_capacity(2);
    if let Some(roster) = heads
        .roster
        .as_ref()
        .filter(|_| heads.roster != sent.roster)
    {
        events.extend(event("roster", roster.revision, roster));
    }
    if let Some(policy) = heads
        .policy
        .as_ref()
        .filter(|_| heads.policy != sent.policy)
    {
        events.extend(event("policy", policy.version, policy));
    }
    *sent = heads;
    events
}

fn event(name: &str, id: u64, data: &impl serde::Serialize) -> Option<Result<Event, Infallible>> {
    // Two numbers and a digest always have a JSON form; were it otherwise nothing is sent.
    let event = Event::default()
        .event(name)
        .id(id.to_string())
        .json_data(data);
    event.ok().map(Ok)
}
