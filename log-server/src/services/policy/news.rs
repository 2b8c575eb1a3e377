//! What is told of a change: to every open stream, and to whoever asks and waits.
//!
//! A notice carries the entry with its receipt and the bundle where that is short: a thousand devices
//! that each had to fetch them would make a change slow for all of them. The text is made once for a
//! change. Who reads it verifies it as if it had been fetched.

use super::{Heads, policy_answer};
use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use crate::services::policy::pages::GROUP;
use crate::services::request::{Params, blocking};
use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use cairn_api::distribution::{LONGEST_WAIT_S, PolicyEvent, RosterEvent, STREAM_HEARTBEAT};
use futures_util::stream::{self, StreamExt as _};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::wrappers::WatchStream;

/// Longest notice with everything in it. A longer bundle is fetched: were it pushed, a slow line would be
/// busy with it while the next change waits.
const INLINE_BYTES: usize = 16_384;

/// Query of `GET /v1/policy/stream`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::services) struct Following {
    /// Seconds to wait for something newer; without it the answer is a stream.
    wait: Option<u64>,
    /// Index of the policy entry that the caller has.
    policy: Option<u64>,
    /// Revision of the roster that the caller has.
    roster: Option<u64>,
}

/// The notices of the newest heads, for all readers.
#[derive(Default)]
pub(crate) struct News(tokio::sync::Mutex<Arc<Announced>>);

#[derive(Default)]
struct Announced {
    heads: Heads,
    policy: Option<String>,
    roster: Option<String>,
}

/// `GET /v1/policy/stream`: the heads at once and at every change, until the token expires. With `wait`
/// one answer, as soon as there is something newer than the caller has.
pub(in crate::services) async fn stream(
    State(services): State<Services>,
    caller: Caller,
    Params(asked): Params<Following>,
) -> Response {
    match asked.wait {
        Some(seconds) => waited(&services, &asked, seconds).await,
        None => streamed(services, &caller),
    }
}

async fn waited(services: &Services, asked: &Following, seconds: u64) -> Response {
    let wait = Duration::from_secs(seconds.min(LONGEST_WAIT_S));
    let mut heads = services.0.heads.clone();
    let newer = heads.wait_for(|heads| asked.has_less_than(heads));
    let heads = match tokio::time::timeout(wait, newer).await {
        Ok(Ok(heads)) => Some(heads.clone()),
        // Nothing new in time, or the server is about to end: both say to ask again.
        Ok(Err(_)) | Err(_) => None,
    };
    let mut members = Vec::with_capacity(2);
    if let Some(heads) = heads {
        let told = announced(services, &heads).await;
        let named = [("policy", &told.policy), ("roster", &told.roster)];
        let written = |(name, text): (&str, &Option<String>)| {
            let text = text.as_ref()?;
            Some(format!(r#""{name}":{text}"#))
        };
        members.extend(named.into_iter().filter_map(written));
    }
    let media = [(header::CONTENT_TYPE, "application/json")];
    (media, format!("{{{}}}", members.join(","))).into_response()
}

impl Following {
    /// Newer, not only another: a caller that is ahead would be answered at once again and again.
    fn has_less_than(&self, heads: &Heads) -> bool {
        let policy = heads.policy.as_ref().map(|head| head.index);
        let roster = heads.roster.as_ref().map(|head| head.revision);
        policy > self.policy || roster > self.roster
    }
}

fn streamed(services: Services, caller: &Caller) -> Response {
    let now_s = services.log().now_ms() / 1_000;
    let left = Duration::from_secs(caller.claims.exp.saturating_sub(now_s));
    let expiry = Box::pin(tokio::time::sleep(left));
    // A slow reader gets the newest heads and no queue: the watch keeps one value.
    let changes = WatchStream::new(services.0.heads.clone());
    let told = changes.then(move |_| {
        let services = services.clone();
        // By now there may be newer ones than those that woke this reader.
        let heads = services.0.heads.borrow().clone();
        async move { announced(&services, &heads).await }
    });
    let mut sent = Heads::default();
    let events = told.flat_map(move |told| stream::iter(news(&mut sent, &told)));
    // The first bytes show at once whether something between holds them back.
    let first = stream::iter([Ok::<_, Infallible>(Event::default().comment("here"))]);
    let events = first.chain(events).take_until(expiry);
    let sse = Sse::new(events).keep_alive(KeepAlive::new().interval(STREAM_HEARTBEAT));
    ([("x-accel-buffering", "no")], sse).into_response()
}

/// The events that bring a reader from `sent` to what is told.
fn news(sent: &mut Heads, told: &Announced) -> Vec<Result<Event, Infallible>> {
    let heads = &told.heads;
    let mut events = Vec::with_capacity(2);
    if let (Some(head), Some(text)) = (&heads.roster, &told.roster)
        && heads.roster != sent.roster
    {
        events.push(Ok(event("roster", head.revision, text)));
    }
    if let (Some(head), Some(text)) = (&heads.policy, &told.policy)
        && heads.policy != sent.policy
    {
        events.push(Ok(event("policy", head.version, text)));
    }
    *sent = heads.clone();
    events
}

fn event(name: &str, id: u64, text: &str) -> Event {
    Event::default().event(name).id(id.to_string()).data(text)
}

/// The notices of these heads, made by the first who needs them.
async fn announced(services: &Services, heads: &Heads) -> Arc<Announced> {
    let mut known = services.0.news.0.lock().await;
    if known.heads == *heads {
        return known.clone();
    }
    let (of, wanted) = (services.clone(), heads.clone());
    let made = blocking(move || Ok(announce(&of, wanted))).await;
    // Without the work there is nothing to tell now; the reader asks by itself within minutes.
    let made = Arc::new(made.unwrap_or_default());
    known.clone_from(&made);
    made
}

/// Makes the notices, with what they are about where that can be read and is short.
fn announce(services: &Services, heads: Heads) -> Announced {
    let policy = heads.policy.clone().map(|notice| {
        let answer = policy_answer(services, &notice).ok();
        let whole = PolicyEvent { notice, answer };
        shortened(whole, |event| event.answer = None)
    });
    let roster = heads.roster.clone().map(|notice| {
        let entry = newest_entry(services, notice.index, notice.revision).ok();
        let whole = RosterEvent {
            notice,
            entry: entry.flatten(),
        };
        shortened(whole, |event| event.entry = None)
    });
    Announced {
        policy: policy.flatten(),
        roster: roster.flatten(),
        heads,
    }
}

/// The JSON of a notice; without what makes it long where it is too long.
fn shortened<T: serde::Serialize>(mut event: T, shorten: impl FnOnce(&mut T)) -> Option<String> {
    let whole = serde_json::to_string(&event).ok()?;
    if whole.len() <= INLINE_BYTES {
        return Some(whole);
    }
    shorten(&mut event);
    serde_json::to_string(&event).ok()
}

/// The roster entry of this revision without anybody's names, as all may have it.
fn newest_entry(
    services: &Services,
    index: u64,
    revision: u64,
) -> Result<Option<cairn_api::distribution::ReceiptedFrame>, Problem> {
    let position = usize::try_from(revision.saturating_sub(1)).unwrap_or(usize::MAX);
    let number = position / GROUP;
    let indices: Vec<u64> = {
        let roster = services.log().ledger().roster().clone();
        let entries = services.published_roster(&roster).iter();
        entries.skip(number * GROUP).take(GROUP).copied().collect()
    };
    let group = services.0.pages.group(services, number, &indices)?;
    let piece = group.get(position % GROUP);
    let piece = piece.filter(|piece| piece.index == index && piece.len() <= INLINE_BYTES);
    Ok(piece.and_then(|piece| serde_json::from_slice(&piece.text()).ok()))
}
