//! `cairn policy status`: which devices run which version of the policy.
//!
//! Owns the table. A device acknowledges a policy with an entry of its chain, `policy.activated`; what is
//! shown here is what the server's index knows of those entries. Whoever needs proof reads the entry that
//! is named, with its receipt.

use super::super::admin::Administrator;
use super::super::{AdminArguments, print_json};
use crate::clock::now_ms;
use crate::policy::span;
use cairn_api::browse::{DeviceView, PolicyView};
use cairn_api::paths;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Devices that said nothing for longer than this are not counted as late: 15 minutes. They are off.
const SILENT_MS: u64 = 15 * 60_000;

/// What is known of one device.
struct Standing<'a> {
    view: &'a DeviceView,
    state: State,
}

/// Where a device is with the newest policy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// It is heard of, and runs an older one or none.
    Behind,
    /// It runs an older one or none and is not heard of.
    Silent,
    /// It acknowledged the newest.
    Current,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Behind => "behind",
            Self::Silent => "silent",
            Self::Current => "current",
        }
    }
}

pub(in crate::cli) async fn run(
    arguments: &AdminArguments,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let administrator = Administrator::open(arguments).await?;
    let policies: Vec<PolicyView> = administrator.client.get(paths::POLICIES).await?;
    let devices: Vec<DeviceView> = administrator.client.get(paths::DEVICES).await?;
    let newest = policies.first();
    let now_ms = now_ms();
    let enrolled = devices.iter().filter(|one| one.revoked_at.is_none());
    let mut standing: Vec<Standing> = enrolled
        .map(|view| Standing {
            view,
            state: state(view, newest, now_ms),
        })
        .collect();
    standing.sort_by(|left, right| {
        let key = |one: &Standing| (one.state, one.view.device.clone());
        key(left).cmp(&key(right))
    });
    let count = |state| standing.iter().filter(|one| one.state == state).count();
    let behind = count(State::Behind);
    if as_json {
        print_json(&json!({
            "version": newest.map(|one| one.version), "index": newest.map(|one| one.index),
            "bundle_sha256": newest.map(|one| one.bundle_sha256), "devices": standing.len(),
            "current": count(State::Current), "behind": behind, "silent": count(State::Silent),
            "versions": versions(&standing).into_iter().map(|(version, devices)| {
                json!({ "version": version, "devices": devices })
            }).collect::<Vec<_>>(),
            "rows": standing.iter().map(row).collect::<Vec<_>>(),
        }))?;
        return Ok(code(behind));
    }
    match newest {
        Some(newest) => say!(
            "in force: version {}, log index {}; acknowledged by {} of {} devices",
            newest.version,
            newest.index,
            count(State::Current),
            standing.len()
        ),
        None => say!("no policy has been put in force yet"),
    }
    for one in &standing {
        say!("{}", line(one, now_ms));
    }
    for (version, devices) in versions(&standing) {
        match version {
            Some(version) => say!("version {version}: {devices} devices"),
            None => say!("no version: {devices} devices"),
        }
    }
    Ok(code(behind))
}

fn state(view: &DeviceView, newest: Option<&PolicyView>, now_ms: u64) -> State {
    let Some(newest) = newest else {
        return State::Current;
    };
    if view.policy_version == Some(newest.version) {
        return State::Current;
    }
    let silent_ms = now_ms.saturating_sub(view.last_seen_ms.unwrap_or(0));
    if silent_ms > SILENT_MS {
        State::Silent
    } else {
        State::Behind
    }
}

fn versions(standing: &[Standing]) -> BTreeMap<Option<u64>, usize> {
    let mut counts = BTreeMap::new();
    for one in standing {
        *counts.entry(one.view.policy_version).or_default() += 1;
    }
    counts
}

fn row(one: &Standing) -> serde_json::Value {
    let view = one.view;
    json!({
        "device": view.device, "person": view.person, "email": view.email, "host": view.host,
        "state": one.state.as_str(), "version": view.policy_version,
        "acknowledged_at": view.policy_acknowledged_at,
        "acknowledged_ms": view.policy_acknowledged_ms,
        "policy_age_ms": view.policy_age_ms, "last_seen_ms": view.last_seen_ms,
    })
}

fn line(one: &Standing, now_ms: u64) -> String {
    let view = one.view;
    let whose = view.email.as_deref().unwrap_or(&view.person);
    let version = view
        .policy_version
        .map_or_else(|| "none".to_owned(), |version| version.to_string());
    let acknowledged = view
        .policy_acknowledged_at
        .map_or_else(String::new, |at| format!(", acknowledged in entry {at}"));
    let old = view.policy_age_ms.map_or_else(String::new, |age| {
        format!(", last confirmed {} before its last word", span(age))
    });
    let seen = view.last_seen_ms.map_or_else(
        || "never heard of".to_owned(),
        |at| format!("heard of {} ago", span(now_ms.saturating_sub(at))),
    );
    format!(
        "{:8} {} ({whose}): version {version}{acknowledged}{old}; {seen}",
        one.state.as_str(),
        view.device
    )
}

fn code(behind: usize) -> ExitCode {
    if behind == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
