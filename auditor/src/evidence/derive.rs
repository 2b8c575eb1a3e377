//! From entry to row: what each typed column says, given the exact bytes and the disclosures.
//!
//! Owns the mapping of payload members to columns and of Cairn's words to those of the control
//! tests. It does not verify signatures. Source: `docs/formats/pack.md`, "events".

use super::context::Context;
use super::event::EventRow;
use cairn_event::body::Body;
use cairn_event::disclosure::names;
use cairn_event::json::to_canonical;
use cairn_event::{
    DecisionMode, Disclosure, Effect, Entry, Integrity, OutcomeState, Payload, Sha256,
};
use serde::Serialize;
use serde_json::Value;

/// Microseconds in a millisecond.
const US_PER_MS: i64 = 1_000;

/// The row of the entry at `index`.
///
/// Bytes that this version cannot read give a row with index, hash, bytes and signing key only:
/// integrity without meaning.
pub fn event_row(
    index: u64,
    bytes: &[u8],
    entry: Option<&Entry>,
    disclosures: &[Disclosure],
    context: &Context,
) -> EventRow {
    let mut row = bare_row(index, bytes);
    row.integrated_time = context.integrated_us(index);
    let Some(entry) = entry else { return row };
    let payload = entry.payload();
    row.schema_version = Some(cairn_event::payload::SCHEMA_VERSION.to_string());
    row.entry_type = Some(payload.body.kind().to_owned());
    row.event_type = Some(event_type(payload.body.kind()).to_owned());
    row.event_time = millis(payload.time_ms);
    row.tenant_id = Some(payload.log.clone());
    fill_place(&mut row, payload, context);
    fill_posture(&mut row, payload);
    fill_body(&mut row, &payload.body);
    fill_disclosed(&mut row, disclosures);
    count_disclosures(&mut row, index, payload, disclosures, context);
    row
}

/// The `disclosures` column: each encoded disclosure followed by a tilde.
pub fn frame_disclosures(disclosures: &[Disclosure]) -> String {
    disclosures
        .iter()
        .flat_map(|one| [one.encoded(), "~"])
        .collect()
}

fn bare_row(index: u64, bytes: &[u8]) -> EventRow {
    let kid = Integrity::parse(bytes)
        .ok()
        .map(|integrity| integrity.kid.0);
    EventRow {
        leaf_index: signed(index),
        leaf_hash: Sha256::of_leaf(bytes).0,
        canonical: bytes.to_vec(),
        disclosures: String::new(),
        schema_version: None,
        entry_type: None,
        event_type: None,
        event_time: None,
        integrated_time: None,
        tenant_id: None,
        device_id: None,
        chain_id: None,
        device_seq: None,
        prev_event_hash: None,
        device_key_id: kid,
        key_protection: None,
        isolation: None,
        beacon_size: None,
        session_id: None,
        human_id: None,
        human_email: None,
        team: None,
        os_user: None,
        src_host: None,
        agent_name: None,
        agent_version: None,
        agent_binary_hash: None,
        action_class: None,
        tool: None,
        tool_use_id: None,
        tool_args: None,
        mcp_server: None,
        decision: None,
        decision_mode: None,
        decided_by: None,
        rule_id: None,
        rule_rank: None,
        losing_rules: None,
        policy_index: None,
        policy_version: None,
        policy_hash: None,
        roster_index: None,
        eval_latency_us: None,
        outcome: None,
        duration_ms: None,
        posture: None,
        posture_disk_encrypted: None,
        posture_secure_boot: None,
        posture_edr_running: None,
        posture_checked_at: None,
        process_ancestry: None,
        process_chain_hash: None,
        disclosures_present: 0,
        disclosures_withheld: 0,
        disclosures_erased: 0,
        redaction_level: "none".to_owned(),
    }
}

fn fill_place(row: &mut EventRow, payload: &Payload, context: &Context) {
    if let Some(link) = &payload.link {
        row.device_id = Some(link.device.clone());
        row.chain_id = Some(link.chain.0.clone());
        row.device_seq = Some(signed(link.seq));
        row.prev_event_hash = link.prev.map(|prev| prev.0);
    }
    let circumstances = &payload.context;
    row.key_protection = circumstances.protection.as_ref().map(word);
    row.isolation = circumstances.isolation.as_ref().map(word);
    row.beacon_size = circumstances
        .beacon
        .as_ref()
        .map(|beacon| signed(beacon.size));
    row.session_id = circumstances.session.clone();
    row.human_id = circumstances.person.clone();
    row.team = (!circumstances.teams.is_empty()).then(|| circumstances.teams.join(","));
    row.roster_index = circumstances.roster.map(signed);
    row.policy_index = circumstances.policy.map(signed);
    if let Some((version, bundle)) = circumstances.policy.and_then(|at| context.policy(at)) {
        row.policy_version = Some(version.to_string());
        row.policy_hash = Some(bundle.to_string());
    }
    if let Some(agent) = &circumstances.agent {
        row.agent_name = Some(agent.name.clone());
        row.agent_version = agent.version.clone();
        row.agent_binary_hash = agent.sha256.map(|digest| digest.to_string());
    }
}

fn fill_posture(row: &mut EventRow, payload: &Payload) {
    let Some(posture) = &payload.context.posture else {
        return;
    };
    let flag = |field: &str| posture.known(field).map(|value| value == "on");
    row.posture_disk_encrypted = flag("disk_encryption");
    row.posture_secure_boot = flag("secure_boot");
    row.posture_edr_running = flag("endpoint_protection");
    let oldest = posture.0.values().map(|field| field.age_ms).max();
    row.posture_checked_at = oldest
        .and_then(|age| payload.time_ms.checked_sub(age))
        .and_then(millis);
    row.posture = serde_json::to_value(posture)
        .ok()
        .map(|value| canonical_text(&value));
}

fn fill_body(row: &mut EventRow, body: &Body) {
    match body {
        Body::ToolDecision(decision) => {
            row.action_class = Some(word(&decision.class));
            row.tool = Some(decision.tool.clone());
            row.tool_use_id = Some(decision.use_id.clone());
            row.mcp_server = decision.mcp.as_ref().map(|server| server.name.clone());
            row.decision = Some(word(&decision.effect));
            row.decision_mode = Some(word(&decision.mode));
            row.decided_by = Some(decision.why.clone());
            row.rule_id = decision.rule.as_ref().map(|rule| rule.id.clone());
            row.rule_rank = decision.rule.as_ref().map(|rule| word(&rule.rank));
            let lost: Vec<&str> = decision.lost.iter().map(|rule| rule.id.as_str()).collect();
            row.losing_rules = (!lost.is_empty()).then(|| lost.join(","));
            row.eval_latency_us = Some(signed(decision.latency_us));
            let blocked = decision.effect == Effect::Deny && decision.mode == DecisionMode::Enforce;
            row.outcome = blocked.then(|| "blocked".to_owned());
        }
        Body::ToolOutcome(outcome) => {
            row.tool = Some(outcome.tool.clone());
            row.tool_use_id = Some(outcome.use_id.clone());
            row.duration_ms = outcome.duration_ms.map(signed);
            row.outcome = Some(succeeded(outcome.state).to_owned());
        }
        Body::TurnEnd(end) => row.outcome = Some(succeeded(end.state).to_owned()),
        Body::McpSeen(seen) => {
            row.mcp_server = Some(seen.name.clone());
            row.decision = Some(word(&seen.effect));
            row.rule_id = seen.rule.clone();
            row.decision_mode = seen.mode.as_ref().map(word);
            let monitored = seen.mode == Some(DecisionMode::Monitor);
            // One that waits for its person's word was not blocked by anybody.
            let blocked = seen.effect == Effect::Deny && !monitored;
            row.outcome = blocked.then(|| "blocked".to_owned());
        }
        Body::PolicyActivated(activated) => {
            row.policy_version = Some(activated.version.to_string());
            row.policy_hash = Some(activated.bundle.to_string());
        }
        Body::SessionRefused(_) => row.outcome = Some("blocked".to_owned()),
        _ => {}
    }
}

/// A state in the vocabulary of the control tests.
fn succeeded(state: OutcomeState) -> &'static str {
    match state {
        OutcomeState::Ran => "success",
        OutcomeState::Failed => "failure",
        OutcomeState::Interrupted => "unknown",
    }
}

fn fill_disclosed(row: &mut EventRow, disclosures: &[Disclosure]) {
    row.disclosures = frame_disclosures(disclosures);
    let find = |name: &str| disclosures.iter().find(|one| one.name() == name);
    let value = |name: &str| find(name).map(Disclosure::value);
    row.human_email = value(names::EMAIL)
        .and_then(Value::as_str)
        .map(str::to_owned);
    row.os_user = value(names::OS_USER).map(plain_or_name);
    row.src_host = value(names::HOST).map(plain_or_name);
    row.tool_args = value(names::REQUEST)
        .and_then(|request| request.get("input"))
        .map(canonical_text);
    row.process_ancestry = value(names::ANCESTRY).map(canonical_text);
    row.process_chain_hash = row
        .process_ancestry
        .as_ref()
        .map(|text| Sha256::of(text.as_bytes()).to_string());
}

fn count_disclosures(
    row: &mut EventRow,
    index: u64,
    payload: &Payload,
    disclosures: &[Disclosure],
    context: &Context,
) {
    let present: Vec<String> = disclosures.iter().map(Disclosure::digest).collect();
    for digest in &payload.sd {
        if present.contains(digest) {
            row.disclosures_present += 1;
        } else if context.is_erased(index, digest) {
            row.disclosures_erased += 1;
        } else {
            row.disclosures_withheld += 1;
        }
    }
    if row.disclosures_withheld + row.disclosures_erased > 0 {
        row.redaction_level = "args".to_owned();
    }
}

/// Cairn's `type` words in the vocabulary of the control tests; other words stay as they are.
pub fn event_type(kind: &str) -> &str {
    match kind {
        "tool.outcome" => "tool.result",
        "mcp.seen" => "mcp.connect",
        "posture.changed" => "posture.change",
        "policy.activated" => "policy.load",
        "chain.start" => "log.start",
        "chain.end" => "log.stop",
        "gap" | "gap.observed" => "log.gap",
        "policy" => "config.change",
        "genesis" | "roster" | "erasure" | "log.close" | "log.prune" => "admin.action",
        "fork" => "alert",
        other => other,
    }
}

/// A closed word as entries write it.
pub fn word<T: Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Canonical JSON as text.
pub fn canonical_text(value: &Value) -> String {
    String::from_utf8(to_canonical(value)).unwrap_or_default()
}

/// A string as it is, an object by its `name`, anything else as JSON.
fn plain_or_name(value: &Value) -> String {
    let named = value
        .as_str()
        .or_else(|| value.get("name").and_then(Value::as_str));
    named.map_or_else(|| canonical_text(value), str::to_owned)
}

/// Indices and counters never exceed 2^53 - 1, which entries enforce.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn millis(time_ms: u64) -> Option<i64> {
    i64::try_from(time_ms).ok()?.checked_mul(US_PER_MS)
}
