//! Filling the small tables from verified entries.
//!
//! Owns the accumulation. Everything is derived from entries in the order of their indices, so that
//! two readers of the same entries get the same tables.

use super::{
    CheckpointRow, DeviceKeyRow, DeviceRow, HeartbeatRow, McpServerRow, PeriodRow, PolicyRow,
    PolicyRuleRow, RosterRow, Tables,
};
use crate::evidence::context::Context;
use crate::evidence::derive::{canonical_text, millis, signed, word};
use cairn_event::body::{Body, ChainStart, Heartbeat, McpSeen};
use cairn_event::{Disclosure, Entry, KeyProtection, Sha256};
use cairn_identity::{Device, Ledger};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What the collector remembers of an MCP server.
#[derive(Clone, Debug)]
struct Sighting {
    first: u64,
    last: u64,
    devices: BTreeSet<String>,
}

/// Gathers the small tables while entries go by.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    emails: BTreeMap<String, String>,
    chains: Vec<(String, String, u64)>,
    policies: Vec<PolicyRow>,
    heartbeats: Vec<HeartbeatRow>,
    mcp: BTreeMap<(String, String, String, String), Sighting>,
}

impl Collector {
    /// Takes one verified entry, context entries included; rows of `range` only for what happened
    /// in the period.
    pub fn feed(
        &mut self,
        index: u64,
        entry: &Entry,
        disclosures: &[Disclosure],
        range: &Range<u64>,
    ) {
        match &entry.payload().body {
            Body::Roster(_) => self.learn_emails(disclosures),
            Body::ChainStart(start) => self.chain(index, entry, start),
            Body::Policy(statement) => self.policies.push(PolicyRow {
                policy_index: signed(index),
                policy_version: statement.version.to_string(),
                policy_hash: statement.bundle.to_string(),
                revision: signed(statement.revision),
                activated_at: None,
                signed_by: entry.kid().0.clone(),
                signatures: signed(entry.payload().approvals.len() as u64).saturating_add(1),
            }),
            Body::Heartbeat(beat) if range.contains(&index) => self.heartbeat(index, entry, beat),
            Body::McpSeen(seen) if range.contains(&index) => self.mcp_seen(index, entry, seen),
            _ => {}
        }
    }

    fn learn_emails(&mut self, disclosures: &[Disclosure]) {
        for disclosure in disclosures {
            let person = disclosure.name().strip_prefix("email:");
            if let (Some(person), Value::String(address)) = (person, disclosure.value()) {
                self.emails.insert(person.to_owned(), address.clone());
            }
        }
    }

    fn chain(&mut self, index: u64, entry: &Entry, start: &ChainStart) {
        if let Some(link) = &entry.payload().link {
            self.chains
                .push((link.device.clone(), start.key.kid().0, index));
        }
    }

    fn heartbeat(&mut self, index: u64, entry: &Entry, beat: &Heartbeat) {
        let Some(link) = &entry.payload().link else {
            return;
        };
        self.heartbeats.push(HeartbeatRow {
            leaf_index: signed(index),
            device_id: link.device.clone(),
            chain_id: link.chain.0.clone(),
            hb_time: millis(entry.payload().time_ms),
            agent_running: beat.sessions > 0,
            sessions: signed(beat.sessions),
            last_seq: signed(link.seq),
            queue_depth: signed(beat.spool_records),
            queue_bytes: signed(beat.spool_bytes),
        });
    }

    fn mcp_seen(&mut self, index: u64, entry: &Entry, seen: &McpSeen) {
        let key = (
            seen.name.clone(),
            seen.fingerprint.to_string(),
            seen.transport.clone(),
            word(&seen.effect),
        );
        let fresh = Sighting {
            first: index,
            last: index,
            devices: BTreeSet::new(),
        };
        let sighting = self.mcp.entry(key).or_insert(fresh);
        sighting.last = index;
        sighting.devices.extend(
            entry
                .payload()
                .link
                .as_ref()
                .map(|link| link.device.clone()),
        );
    }

    /// The tables, with the roster as `ledger` has it after the last entry. `events` and `params`
    /// are left to the caller.
    pub fn finish(
        self,
        ledger: &Ledger,
        context: &Context,
        range: &Range<u64>,
        bundles: &BTreeMap<Sha256, Vec<u8>>,
    ) -> Tables {
        let devices = &ledger.roster().devices;
        let mut policies = self.policies;
        for row in &mut policies {
            row.activated_at = at(context, u64::try_from(row.policy_index).ok());
        }
        Tables {
            period: vec![period(ledger.origin(), context, range)],
            params: Vec::new(),
            events: Vec::new(),
            checkpoints: checkpoints(ledger.origin(), context),
            devices: devices
                .iter()
                .map(|(id, device)| device_row(id, device, context))
                .collect(),
            device_keys: keys(devices, &self.chains, context),
            roster: roster(ledger, &self.emails, context),
            policy_rules: rules(context, bundles),
            policies,
            mcp_servers: self.mcp.into_iter().map(mcp_row).collect(),
            heartbeats: self.heartbeats,
        }
    }
}

/// Upper bound of the time of an index.
fn at(context: &Context, index: Option<u64>) -> Option<i64> {
    index.and_then(|index| context.integrated_us(index))
}

fn period(origin: &str, context: &Context, range: &Range<u64>) -> PeriodRow {
    let time_of = |size| {
        let found = context
            .checkpoints()
            .iter()
            .find(|checkpoint| checkpoint.size == size);
        found.and_then(super::super::CheckpointRecord::time_us)
    };
    PeriodRow {
        start_ts: time_of(range.start),
        end_ts: time_of(range.end),
        pack_id: format!("{origin}#{}-{}", range.start, range.end),
        range_start: signed(range.start),
        range_end: signed(range.end),
    }
}

fn checkpoints(origin: &str, context: &Context) -> Vec<CheckpointRow> {
    let rows = context
        .checkpoints()
        .iter()
        .map(|checkpoint| CheckpointRow {
            origin: origin.to_owned(),
            tree_size: signed(checkpoint.size),
            root_hash: checkpoint.root.0,
            checkpoint_time: checkpoint.time_us(),
            witness_count: signed(checkpoint.cosigned.len() as u64),
            note: checkpoint.note.clone(),
        });
    rows.collect()
}

fn device_row(id: &str, device: &Device, context: &Context) -> DeviceRow {
    DeviceRow {
        device_id: id.to_owned(),
        owner_human_id: device.person.clone(),
        enrolled_index: signed(device.admitted_at),
        enrolled_at: at(context, Some(device.admitted_at)),
        deprovisioned_index: device.revoked_at.map(signed),
        deprovisioned_at: at(context, device.revoked_at),
        key_protection: word(&device.protection),
        isolation: word(&device.isolation),
        methods: device.methods.join(","),
    }
}

fn keys(
    devices: &BTreeMap<String, Device>,
    chains: &[(String, String, u64)],
    context: &Context,
) -> Vec<DeviceKeyRow> {
    let mut rows = Vec::new();
    for (id, device) in devices {
        let row = |key: String, kind: &str, from: u64| DeviceKeyRow {
            device_key_id: key,
            device_id: id.clone(),
            kind: kind.to_owned(),
            valid_from_index: signed(from),
            valid_from: at(context, Some(from)),
            revoked_index: device.revoked_at.map(signed),
            revoked_at: at(context, device.revoked_at),
            attested: device.protection == KeyProtection::TpmAttested,
            algorithm: "Ed25519".to_owned(),
        };
        rows.push(row(device.key.kid().0, "device", device.admitted_at));
        let own = chains.iter().filter(|(owner, _, _)| owner == id);
        rows.extend(own.map(|(_, chain, index)| row(chain.clone(), "chain", *index)));
    }
    rows
}

fn roster(ledger: &Ledger, emails: &BTreeMap<String, String>, context: &Context) -> Vec<RosterRow> {
    let people = ledger.roster().people.iter();
    people
        .map(|(id, person)| {
            let first = person
                .history
                .first()
                .map(|membership| membership.from_index);
            let last = person.history.last();
            let roles = last.map(|now| now.roles.iter().map(|role| role.as_str()).collect());
            RosterRow {
                human_id: id.clone(),
                email: emails.get(id).cloned(),
                status: if person.removed_at.is_some() {
                    "left"
                } else {
                    "active"
                }
                .to_owned(),
                start_index: signed(first.unwrap_or_default()),
                start_date: at(context, first),
                end_index: person.removed_at.map(signed),
                end_date: at(context, person.removed_at),
                team: last.map(|now| now.teams.join(",")).unwrap_or_default(),
                roles: roles
                    .map(|roles: Vec<&str>| roles.join(","))
                    .unwrap_or_default(),
            }
        })
        .collect()
}

fn rules(context: &Context, bundles: &BTreeMap<Sha256, Vec<u8>>) -> Vec<PolicyRuleRow> {
    let mut rows = Vec::new();
    for (_, version, digest) in context.policies() {
        let bundle: Option<Value> = bundles
            .get(&digest)
            .and_then(|bytes| serde_json::from_slice(bytes).ok());
        let Some(bundle) = bundle else { continue };
        let row = |id: &str, effect: &str, scope: String, pattern: &str| PolicyRuleRow {
            policy_version: version.to_string(),
            policy_hash: digest.to_string(),
            rule_id: id.to_owned(),
            effect: effect.to_owned(),
            scope,
            pattern: pattern.to_owned(),
            default_rule: false,
            mandatory: false,
        };
        for rule in bundle
            .get("rules")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
            let scope = rule.get("scope").map(scope_text).unwrap_or_default();
            let mut row = row(text("id"), text("effect"), scope, text("pattern"));
            row.mandatory = rule
                .get("mandatory")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            rows.push(row);
        }
        let default = bundle
            .get("default")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut default = row("default", default, "global".to_owned(), "*");
        default.default_rule = true;
        rows.push(default);
    }
    rows
}

fn scope_text(scope: &Value) -> String {
    let Some((kind, who)) = scope.as_object().and_then(|members| members.iter().next()) else {
        return canonical_text(scope);
    };
    who.as_str()
        .map_or_else(|| kind.clone(), |who| format!("{kind}:{who}"))
}

fn mcp_row(
    ((mcp_server, fingerprint, transport, effect), seen): (
        (String, String, String, String),
        Sighting,
    ),
) -> McpServerRow {
    McpServerRow {
        mcp_server,
        fingerprint,
        transport,
        effect,
        first_index: signed(seen.first),
        last_index: signed(seen.last),
        devices: signed(seen.devices.len() as u64),
    }
}
