//! `GET /v1/sessions` and `GET /v1/sessions/{session}`.

use super::{Known, add_lines, concerns_others, limit, summarise};
use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use crate::services::index::Session;
use crate::services::reading::record;
use crate::services::request::{Name, Params, blocking};
use axum::Json;
use axum::extract::State;
use cairn_api::browse::{SessionDetail, SessionSummary, Sessions};
use serde::Deserialize;

/// Events of one session in one answer; a session of a long day has some thousands.
pub const MAX_SESSION_EVENTS: usize = 5_000;

/// Query of `GET /v1/sessions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::services) struct Wanted {
    before: Option<u64>,
    limit: Option<u64>,
    person: Option<String>,
    device: Option<String>,
}

type Key = (String, String);

/// `GET /v1/sessions`: newest first by their last entry.
pub(in crate::services) async fn list(
    State(services): State<Services>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Sessions>, Problem> {
    let limit = limit(wanted.limit)?;
    let known = Known::of(&services);
    let mut found: Vec<(&Key, &Session)> = known
        .index
        .sessions()
        .iter()
        .filter(|(key, session)| {
            caller.sees_person(Some(&session.person))
                && wanted
                    .before
                    .is_none_or(|before| session.last_index < before)
                && wanted
                    .person
                    .as_ref()
                    .is_none_or(|person| session.person == *person)
                && wanted.device.as_ref().is_none_or(|device| key.1 == *device)
        })
        .collect();
    found.sort_unstable_by_key(|(_, session)| std::cmp::Reverse(session.last_index));
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found
        .last()
        .filter(|_| more)
        .map(|(_, session)| session.last_index);
    let sessions = found
        .into_iter()
        .map(|(key, session)| view(&known, key, session))
        .collect();
    Ok(Json(Sessions { sessions, next }))
}

/// `GET /v1/sessions/{session}`: its events in chain order.
pub(in crate::services) async fn one(
    State(services): State<Services>,
    caller: Caller,
    Name(session): Name,
) -> Result<Json<SessionDetail>, Problem> {
    let mut detail = find(&Known::of(&services), &caller, &session)
        .ok_or_else(|| Problem::not_found("there is no such session"))?;
    if concerns_others(&caller, &detail.events) {
        record(&services, &caller, &format!("session:{session}")).await?;
    }
    blocking(move || {
        add_lines(&services, &mut detail.events);
        Ok(Json(detail))
    })
    .await
}

fn find(known: &Known<'_>, caller: &Caller, session: &str) -> Option<SessionDetail> {
    let from = (session.to_owned(), String::new());
    // Two devices could use one session identifier; the caller's newest one is meant.
    let (key, found) = known
        .index
        .sessions()
        .range(from..)
        .take_while(|(key, _)| key.0 == session)
        .filter(|(_, found)| caller.sees_person(Some(&found.person)))
        .max_by_key(|(_, found)| found.last_index)?;
    let rows = found.entries.iter().rev().take(MAX_SESSION_EVENTS).rev();
    let rows = rows.filter_map(|at| known.index.rows().get(at));
    let events = rows.map(|row| summarise(known, caller, row)).collect();
    Some(SessionDetail {
        summary: view(known, key, found),
        events,
    })
}

fn view(known: &Known<'_>, key: &Key, session: &Session) -> SessionSummary {
    SessionSummary {
        session: key.0.clone(),
        device: key.1.clone(),
        person: session.person.clone(),
        email: known.email(&session.person),
        agent: session.agent.clone(),
        started_ms: session.started_ms,
        last_ms: session.last_ms,
        last_index: session.last_index,
        decisions: session.decisions,
        denied: session.denied,
        unverdicted: session.unverdicted,
        ended: session.ended,
    }
}
