//! What the console shows: read-only projections, each cut to what its caller may see.
//!
//! Developers see their own rows only; a row of somebody else is "not found" to them, so that
//! asking does not tell whether it exists.

pub mod blob;
pub mod compiled;
pub mod detail;
pub mod events;
pub mod explanation;
pub mod fleet;
pub mod me;
pub mod overview;
pub mod policies;
pub mod sessions;

use super::Services;
use super::access::Caller;
use super::index::{Decider, Index, Row};
use super::people::People;
use super::reading;
use crate::problem::Problem;
use cairn_api::browse::EventSummary;
use std::sync::RwLockReadGuard;

/// Rows in one answer where the caller names no limit.
pub const DEFAULT_LIMIT: usize = 50;

/// Most rows in one answer: each may cost a read of the disclosure store.
pub const MAX_LIMIT: usize = 200;

impl Services {
    /// The organisation's name, as genesis has it.
    pub(super) fn organisation(&self) -> String {
        let ledger = self.log().ledger();
        ledger
            .authority()
            .map(|one| one.organisation().to_owned())
            .unwrap_or_default()
    }
}

/// What lists are made of: the rows, and the names of those whom they are about.
struct Known<'a> {
    index: RwLockReadGuard<'a, Index>,
    people: RwLockReadGuard<'a, People>,
}

impl<'a> Known<'a> {
    /// Trap: whoever needs the log's ledger too locks that first.
    fn of(services: &'a Services) -> Self {
        Self {
            index: services.index(),
            people: services.people(),
        }
    }

    fn email(&self, person: &str) -> Option<String> {
        self.people.directory().email(person).map(str::to_owned)
    }
}

/// The limit of a list, within bounds.
fn limit(asked: Option<u64>) -> Result<usize, Problem> {
    match asked.map(usize::try_from) {
        None => Ok(DEFAULT_LIMIT),
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(_) => {
            let detail = format!("`limit` is not between 1 and {MAX_LIMIT}");
            Err(Problem::bad_request("query", detail))
        }
    }
}

/// A row as lists show it, without the line that is read from the disclosure store.
fn summarise(known: &Known<'_>, caller: &Caller, row: &Row) -> EventSummary {
    let shown = |person: &&str| caller.sees_person(Some(person));
    let email = row.person.as_deref().filter(shown);
    let text = |text: Option<&str>| text.map(str::to_owned);
    EventSummary {
        index: row.index,
        kind: row.kind.to_owned(),
        time_ms: row.time_ms,
        device: text(row.device.as_deref()),
        person: text(row.person.as_deref()),
        email: email.and_then(|person| known.email(person)),
        session: text(row.session.as_deref()),
        seq: row.seq,
        tool: text(row.tool.as_deref()),
        use_id: text(row.use_id.as_deref()),
        effect: row.effect,
        mode: row.mode,
        rule: row.rule.as_ref().map(Decider::to_ref),
        outcome: known.index.outcome_of(row),
        summary: None,
        flags: row.flags.to_vec(),
    }
}

/// Adds the line of what was asked to each decision. Reads the store: not on async threads.
fn add_lines(services: &Services, events: &mut [EventSummary]) {
    for event in events
        .iter_mut()
        .filter(|event| event.kind == "tool.decision")
    {
        event.summary = reading::summary(services, event.index);
    }
}

/// Whether any of these rows holds content of somebody other than the caller.
fn concerns_others(caller: &Caller, events: &[EventSummary]) -> bool {
    let own = Some(caller.claims.sub.as_str());
    events
        .iter()
        .any(|event| event.kind == "tool.decision" && event.person.as_deref() != own)
}
