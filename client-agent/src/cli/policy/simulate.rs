//! `cairn policy simulate`: the recorded actions of the last days, decided by a proposed policy.
//!
//! Owns reading the actions and counting what would change. Inputs are confidential: reading them is
//! announced to the server, which puts an entry about it into the log. An input that is withheld,
//! erased, redacted or by digest is counted as not replayable and never guessed.

use super::super::admin::Administrator;
use super::super::{AdminArguments, print_json};
use super::document::Document;
use super::review::{compiled, strictness};
use super::word;
use crate::clock::now_ms;
use anyhow::Context as _;
use cairn_api::browse::Events;
use cairn_api::explanation::recorded_subject;
use cairn_api::paths;
use cairn_api::reading::{
    EntryDisclosures, MAX_PART_ENTRIES, PartEnd, ReadingRequest, ReadingStarted,
};
use cairn_event::body::Body;
use cairn_event::{Disclosure, Effect, Entry, Posture};
use cairn_policy::recorded::is_by_engine;
use cairn_policy::{CompiledBundle, Obstacle, Request, decide, recorded_request};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// Events asked for at once.
const PAGE: u64 = 200;

/// Most recorded actions replayed; the newest come first.
const MAX_ACTIONS: usize = 50_000;

/// A day in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Most changed actions printed in words.
const MAX_PRINTED: usize = 40;

/// One recorded action that the proposed policy decides differently.
struct Changed {
    index: u64,
    person: String,
    teams: Vec<String>,
    call: String,
    from: Effect,
    to: Effect,
    rule: String,
}

/// What came of the whole period.
#[derive(Default)]
struct Simulation {
    actions: usize,
    alike: usize,
    changed: Vec<Changed>,
    /// Why actions could not be replayed, and how many.
    obstacles: BTreeMap<String, usize>,
}

pub(in crate::cli) async fn run(
    arguments: &AdminArguments,
    path: &Path,
    days: u64,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let proposed = compiled(&Document::open(path)?.bundle, path)?;
    let administrator = Administrator::open(arguments).await?;
    let since = now_ms().saturating_sub(days.saturating_mul(DAY_MS));
    let indices = indices(&administrator, since).await?;
    let mut held = disclosed(&administrator, &indices, days).await?;
    let mut simulation = Simulation::default();
    for index in indices {
        let path = paths::fill(paths::ENTRY, "index", index);
        let entry = Entry::parse(&administrator.client.bytes(&path).await?)
            .with_context(|| format!("entry {index}"))?;
        let disclosures = held.remove(&index).unwrap_or_default();
        simulation.take(index, &entry, &disclosures, &proposed, &administrator);
    }
    simulation.show(days, as_json)?;
    Ok(ExitCode::SUCCESS)
}

/// Indices of the decisions since a moment, newest first.
async fn indices(administrator: &Administrator, since: u64) -> anyhow::Result<Vec<u64>> {
    let mut found = Vec::new();
    let mut before: Option<u64> = None;
    loop {
        let from = before.map_or_else(String::new, |before| format!("&before={before}"));
        let path = format!("{}?type=tool.decision&limit={PAGE}{from}", paths::EVENTS);
        let page: Events = administrator.client.get(&path).await?;
        // A device's clock is a claim and late entries exist, so one old entry is not the end.
        let recent = page.events.iter().filter(|event| event.time_ms >= since);
        let before_page = found.len();
        found.extend(recent.map(|event| event.index));
        let exhausted = found.len() == before_page && !page.events.is_empty();
        match page.next {
            Some(next) if !exhausted && found.len() < MAX_ACTIONS => before = Some(next),
            _ => break,
        }
    }
    found.truncate(MAX_ACTIONS);
    Ok(found)
}

/// The disclosures of these entries, read in parts after the reading was announced.
async fn disclosed(
    administrator: &Administrator,
    indices: &[u64],
    days: u64,
) -> anyhow::Result<BTreeMap<u64, Vec<Disclosure>>> {
    let (Some(start), Some(last)) = (indices.iter().min(), indices.iter().max()) else {
        return Ok(BTreeMap::new());
    };
    let (start, end) = (*start, last.saturating_add(1));
    let request = ReadingRequest {
        start,
        end,
        purpose: format!("simulate a proposed policy over {days} days"),
    };
    let started: ReadingStarted = administrator.client.post(paths::READINGS, &request).await?;
    let base = paths::fill(paths::READING_DISCLOSURES, "index", started.reading);
    let mut held = BTreeMap::new();
    let mut from = start;
    while from < end {
        let to = end.min(from.saturating_add(MAX_PART_ENTRIES));
        let part = administrator
            .client
            .text(&format!("{base}?from={from}&to={to}"))
            .await?;
        let (entries, next) = parse_part(&part)?;
        for entry in entries {
            let disclosures = entry.disclosures.iter();
            let present = disclosures.filter_map(|one| one.encoded.as_deref());
            let parsed = present.filter_map(|encoded| Disclosure::parse(encoded).ok());
            held.insert(entry.index, parsed.collect());
        }
        anyhow::ensure!(next > from, "the server's part ends where it began");
        from = next;
    }
    Ok(held)
}

/// A part's entries and the first index it did not look at.
fn parse_part(part: &str) -> anyhow::Result<(Vec<EntryDisclosures>, u64)> {
    let mut lines: Vec<&str> = part.lines().collect();
    let end = lines.pop().context("an empty part")?;
    let end: PartEnd = serde_json::from_str(end).context("a part without its end was cut off")?;
    let entries = lines
        .into_iter()
        .map(serde_json::from_str)
        .collect::<Result<Vec<_>, _>>()?;
    Ok((entries, end.next))
}

impl Simulation {
    fn take(
        &mut self,
        index: u64,
        entry: &Entry,
        disclosures: &[Disclosure],
        proposed: &CompiledBundle,
        administrator: &Administrator,
    ) {
        let Body::ToolDecision(recorded) = &entry.payload().body else {
            return;
        };
        self.actions += 1;
        let replayed = if is_by_engine(recorded) {
            recorded_subject(entry, administrator.basis.roster())
                .and_then(|subject| Ok((recorded_request(entry, disclosures)?, subject)))
        } else {
            Err(Obstacle::NoEngine)
        };
        match replayed {
            Err(why) => *self.obstacles.entry(why.to_string()).or_default() += 1,
            Ok((request, subject)) => {
                let none = Posture::default();
                let payload = entry.payload();
                let posture = payload.context.posture.as_ref().unwrap_or(&none);
                let at_age = proposed.at_age(payload.context.policy_age_ms.unwrap_or(0));
                let again = decide(&request, at_age, &subject, posture, payload.time_ms);
                if again.effect == recorded.effect {
                    self.alike += 1;
                    return;
                }
                let rule = again
                    .rule
                    .map_or_else(|| "default".to_owned(), |rule| rule.id);
                self.changed.push(Changed {
                    index,
                    person: subject.person,
                    teams: subject.teams,
                    call: call(&request),
                    from: recorded.effect,
                    to: again.effect,
                    rule,
                });
            }
        }
    }

    fn show(&self, days: u64, as_json: bool) -> anyhow::Result<()> {
        let of = |key: fn(&Changed) -> Vec<&str>| {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for one in self.changed.iter().flat_map(key) {
                *counts.entry(one).or_default() += 1;
            }
            counts
        };
        let by_person = of(|one| vec![one.person.as_str()]);
        let by_team = of(|one| one.teams.iter().map(String::as_str).collect());
        let by_rule = of(|one| vec![one.rule.as_str()]);
        if as_json {
            let changed: Vec<Value> = self.changed.iter().map(Changed::value).collect();
            return print_json(&json!({
                "days": days, "actions": self.actions, "unchanged": self.alike,
                "not_replayable": self.obstacles, "changed": changed,
                "by_person": by_person, "by_team": by_team, "by_rule": by_rule,
            }));
        }
        for one in self.changed.iter().take(MAX_PRINTED) {
            say!(
                "{}: {} `{}`: {} -> {} by `{}`",
                one.index,
                one.person,
                one.call,
                word(one.from),
                word(one.to),
                one.rule
            );
        }
        for (title, counts) in [("person", by_person), ("team", by_team), ("rule", by_rule)] {
            for (name, count) in counts {
                say!("{title} {name}: {count} would change");
            }
        }
        let tighter = self
            .changed
            .iter()
            .filter(|one| strictness(one.to) > strictness(one.from));
        say!(
            "{} actions in {days} days: {} would stay, {} would change ({} to stricter)",
            self.actions,
            self.alike,
            self.changed.len(),
            tighter.count()
        );
        for (why, count) in &self.obstacles {
            say!("{count} not replayable: {why}");
        }
        Ok(())
    }
}

impl Changed {
    fn value(&self) -> Value {
        json!({"index": self.index, "person": self.person, "teams": self.teams, "call": self.call,
               "from": self.from, "to": self.to, "rule": self.rule})
    }
}

/// The call in one line.
fn call(request: &Request) -> String {
    const LONGEST: usize = 120;
    let command = request.input.get("command").and_then(Value::as_str);
    let text = command.map_or_else(
        || format!("{} {}", request.tool, request.input),
        str::to_owned,
    );
    let flat = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    flat.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_without_its_end_is_no_part() {
        let line = r#"{"disclosures":[],"index":4}"#;
        let end = r#"{"entries":1,"next":9}"#;
        let (entries, next) = parse_part(&format!("{line}\n{end}\n")).unwrap();
        assert_eq!((entries.len(), next), (1, 9));
        assert!(parse_part(line).is_err());
        assert!(parse_part("").is_err());
    }
}
