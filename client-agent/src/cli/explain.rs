//! `cairn why`: a recorded decision in words, judged again where its inputs are to be had.
//!
//! Owns finding the decision and what is printed about it. Its inputs are [`inputs`]' business.

mod inputs;

use super::print_json;
use crate::enrolment::Identity;
use crate::receipts::read_all;
use crate::state::StateDir;
use anyhow::Context as _;
use cairn_durable::SegmentReader;
use cairn_durable::segment::OpenSegmentError;
use cairn_event::body::Body;
use cairn_event::frame::Unopened;
use cairn_event::{DecisionMode, Disclosure, Effect, Entry, Sha256};
use cairn_policy::explain::{rank, word};
use cairn_policy::recorded::{Judged, SERVER, SESSION};
use cairn_policy::{Again, Explanation, NamedRule, explain_recorded};
use inputs::Inputs;
use serde::Serialize;
use std::io::ErrorKind;
use std::process::ExitCode;

/// A recorded decision of this device.
struct Found {
    /// Its index; absent while it waits for its receipt.
    index: Option<u64>,
    entry: Entry,
    /// What the spool still has of its confidential members.
    disclosures: Option<Vec<Disclosure>>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    leaf: Sha256,
    /// Where the input came from: `spool`, `server`, or nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_from: Option<&'static str>,
    /// Why something could not be fetched from the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(flatten)]
    explanation: Explanation,
}

pub(super) async fn run(state: &StateDir, what: &str, json: bool) -> anyhow::Result<ExitCode> {
    let identity = Identity::load(state)?;
    let mut found = find(state, what)?;
    if found.is_none() {
        // It may have got its receipt, and left the spool, between the two looks.
        found = find(state, what)?;
    }
    let found = found.with_context(|| {
        format!("no recorded decision `{what}` on this device; see `cairn log` and `cairn status`")
    })?;
    let inputs = Inputs::gather(state, &identity, found).await?;
    let explained = explain_recorded(
        &inputs.found.entry,
        inputs.found.disclosures.as_deref().unwrap_or_default(),
        inputs.bundle.as_ref().map_err(|obstacle| *obstacle),
        inputs.subject.clone(),
    );
    let shown = Shown {
        index: inputs.found.index,
        leaf: inputs.found.entry.leaf(),
        input_from: inputs.input_from,
        problem: inputs.problem,
        explanation: explained.context("the entry is no decision")?,
    };
    if json {
        print_json(&shown)?;
    } else {
        shown.print();
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest decision of that name among what has a receipt and what waits for one.
fn find(state: &StateDir, what: &str) -> anyhow::Result<Option<Found>> {
    let number: Option<u64> = what.parse().ok();
    let mut receipted = Vec::new();
    for one in read_all(&state.receipts())? {
        let entry = Entry::parse(one.entry.as_bytes()).ok();
        let means = |entry: &Entry| {
            is_decision(entry) && (number == Some(one.index) || is_called(entry, what))
        };
        receipted.extend(entry.filter(means).map(|entry| (one.index, entry)));
    }
    let index_of = |leaf: Sha256| {
        let mut known = receipted.iter();
        known
            .find(|(_, entry)| entry.leaf() == leaf)
            .map(|(index, _)| *index)
    };
    let mut found = None;
    // A record with a receipt lies in the spool until its whole file is done with.
    each_spooled(state, |line| {
        let Ok(unopened) = Unopened::parse(line) else {
            return;
        };
        let index = index_of(unopened.entry().leaf());
        let wanted = index.is_some() || is_called(unopened.entry(), what);
        if let (true, Ok(frame)) = (wanted && is_decision(unopened.entry()), unopened.open()) {
            found = Some(Found {
                index,
                disclosures: Some(frame.disclosures().to_vec()),
                entry: frame.into_entry(),
            });
        }
    })?;
    Ok(found.or_else(|| {
        let (index, entry) = receipted.pop()?;
        Some(Found {
            index: Some(index),
            entry,
            disclosures: None,
        })
    }))
}

fn is_decision(entry: &Entry) -> bool {
    use Body::{McpSeen, SessionRefused, ToolDecision};
    let body = &entry.payload().body;
    matches!(body, ToolDecision(_) | SessionRefused(_) | McpSeen(_))
}

/// Whether somebody means this entry: by its leaf hash, the call, the session that was refused, or the name of
/// the server.
fn is_called(entry: &Entry, what: &str) -> bool {
    let payload = entry.payload();
    let name = match &payload.body {
        Body::ToolDecision(decision) => Some(&decision.use_id),
        Body::SessionRefused(_) => payload.context.session.as_ref(),
        Body::McpSeen(seen) => Some(&seen.name),
        _ => return false,
    };
    name.is_some_and(|name| name == what) || entry.leaf().to_string() == what
}

/// Gives each line in the spool, oldest first, read without the daemon's lock; an append under way is
/// left out.
fn each_spooled(state: &StateDir, mut take: impl FnMut(&str)) -> anyhow::Result<()> {
    let listing = match std::fs::read_dir(state.spool()) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("the spool cannot be listed"),
    };
    let mut files: Vec<_> = listing.flatten().map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "seg"));
    files.sort();
    for file in files {
        let reader = match SegmentReader::open(&file) {
            // All of a file that is gone has receipts by now.
            Err(OpenSegmentError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                continue;
            }
            opened => opened?,
        };
        for record in reader.map_while(Result::ok) {
            if let Ok(line) = std::str::from_utf8(&record.payload) {
                take(line);
            }
        }
    }
    Ok(())
}

impl Shown {
    fn print(&self) {
        let explained = &self.explanation;
        let place = self.index.map_or_else(
            || "waits for its receipt".to_owned(),
            |index| format!("log index {index}"),
        );
        match is_call(explained) {
            true => say!(
                "{place}, tool {}, call {}",
                explained.tool,
                explained.use_id
            ),
            false => say!("{place}, {} {}", explained.tool, explained.use_id),
        }
        say!("{}", outcome(explained));
        match &explained.rule {
            Some(rule) => say!("decided by {}", named(rule)),
            None => say!("no rule decided: {}", reason(&explained.why)),
        }
        for rule in &explained.lost {
            say!("lost: {}", named(rule));
        }
        if let (Some(policy), Some(roster)) = (explained.policy, explained.roster) {
            say!("under policy entry {policy} and roster entry {roster}");
        }
        match &explained.again {
            Again::Judged(judged) => print_judged(judged, is_call(explained)),
            Again::Impossible { reason } => {
                say!("what would change it cannot be said: {reason}");
            }
        }
        if let Some(problem) = &self.problem {
            say!("the server was asked in vain: {problem}");
        }
        if let Some(contact) = &explained.contact {
            say!("ask {contact} about it");
        }
    }
}

/// Whether it was decided about a call, and not about the start of a session or a server.
fn is_call(explained: &Explanation) -> bool {
    explained.tool != SESSION && !explained.tool.starts_with(SERVER)
}

fn print_judged(judged: &Judged, is_call: bool) {
    match &judged.difference {
        None => say!("judged again here: the same"),
        Some(difference) => say!("judged again here: {difference}"),
    }
    let told = if is_call {
        "the model was told"
    } else {
        "in words"
    };
    say!("{told}: {}", judged.sentence);
    for part in judged.parts.iter().filter(|_| judged.parts.len() > 1) {
        let by = part.rule.as_ref().map_or("the default", |rule| &rule.id);
        say!("part `{}`: {} by {by}", part.command, word(part.effect));
    }
    for change in &judged.changes.changes {
        say!("would change it: {change}");
    }
    if judged.changes.changes.is_empty() {
        say!("no single change of rules, teams, roles or posture would change it");
    }
    if !judged.changes.complete {
        say!("not everything was tried: deciding this call is expensive");
    }
}

fn named(rule: &NamedRule) -> String {
    let pattern = rule.pattern.as_ref().map(|text| format!(" ({text})"));
    let note = rule.note.as_ref().map(|text| format!("; {text}"));
    format!(
        "{} rule `{}`{}, {}{}",
        word(rule.effect),
        rule.id,
        pattern.unwrap_or_default(),
        rank(rule.rank),
        note.unwrap_or_default()
    )
}

fn outcome(explained: &Explanation) -> String {
    let word = match explained.effect {
        Effect::Allow => "allowed",
        Effect::Deny => "denied",
        Effect::Ask => "put to a person",
        Effect::NoOpinion => "left to the agent's own permissions",
    };
    match explained.mode {
        DecisionMode::Enforce => format!("It was {word}."),
        DecisionMode::Monitor => format!("It would have been {word}; the policy only monitors."),
    }
}

fn reason(why: &str) -> &'static str {
    match why {
        "default" => "nothing matched, so the organisation's default did",
        "gate" => "a session gate was closed",
        "mcp-list" => "no entry of the MCP list names it, so the list's default did",
        "stale-policy" => "there was no verified, current policy",
        _ => "the call could not be understood, which is a denial",
    }
}
