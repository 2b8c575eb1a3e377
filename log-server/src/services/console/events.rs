//! `GET /v1/events`: the activity log, newest first, with filters.

use super::{Known, add_lines, concerns_others, limit, summarise};
use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use crate::services::index::Row;
use crate::services::reading::record;
use crate::services::request::{Params, blocking};
use axum::Json;
use axum::extract::State;
use cairn_api::browse::{EventSummary, Events};
use cairn_event::Effect;
use serde::Deserialize;

/// Rows looked at for one answer; a rare filter goes on with `next`.
pub const MAX_SCANNED: usize = 50_000;

/// Query of `GET /v1/events`. `before` and `after` are indices and exclusive.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::services) struct Wanted {
    before: Option<u64>,
    after: Option<u64>,
    limit: Option<u64>,
    effect: Option<Effect>,
    tool: Option<String>,
    person: Option<String>,
    device: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Wanted {
    fn takes(&self, row: &Row) -> bool {
        fn fits(wanted: &Option<String>, value: Option<&str>) -> bool {
            wanted.as_deref().is_none_or(|wanted| value == Some(wanted))
        }
        fits(&self.tool, row.tool.as_deref())
            && fits(&self.person, row.person.as_deref())
            && fits(&self.device, row.device.as_deref())
            && fits(&self.kind, Some(row.kind))
            && self.effect.is_none_or(|effect| row.effect == Some(effect))
    }
}

/// `GET /v1/events`.
pub(in crate::services) async fn list(
    State(services): State<Services>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Events>, Problem> {
    let limit = limit(wanted.limit)?;
    let (mut events, next) = find(&Known::of(&services), &caller, &wanted, limit);
    if concerns_others(&caller, &events) {
        record(&services, &caller, "events").await?;
    }
    blocking(move || {
        add_lines(&services, &mut events);
        Ok(Json(Events { events, next }))
    })
    .await
}

/// The newest rows wanted, and where to go on.
fn find(
    known: &Known<'_>,
    caller: &Caller,
    wanted: &Wanted,
    limit: usize,
) -> (Vec<EventSummary>, Option<u64>) {
    let first = wanted.after.map_or(0, |after| after.saturating_add(1));
    let end = wanted.before.unwrap_or(u64::MAX).max(first);
    let mut events = Vec::with_capacity(limit);
    for (scanned, (at, row)) in known.index.rows().range(first..end).rev().enumerate() {
        if scanned >= MAX_SCANNED || events.len() >= limit {
            // The row at `at` was not judged; `before` is exclusive.
            return (events, Some(at.saturating_add(1)));
        }
        if caller.sees_person(row.person.as_deref()) && wanted.takes(row) {
            events.push(summarise(known, caller, row));
        }
    }
    (events, None)
}
