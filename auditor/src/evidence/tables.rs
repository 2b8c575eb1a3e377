//! The small tables of a pack: period, checkpoints, devices, keys, people, policies, MCP servers,
//! heartbeats.
//!
//! Owns their columns; `collect` fills them. Source: `docs/formats/pack.md`, "tables".

mod collect;

use super::column::{Digest, Flag, Int, OptInt, OptText, OptTime, Row, Text, table};
use super::event::EventRow;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

pub use collect::Collector;

table! {
    /// The audit period: an index range between two published checkpoints.
    PeriodRow {
        /// When the checkpoint of size `range_start` had been cosigned; empty at 0 or unwitnessed.
        start_ts: OptTime,
        /// When the checkpoint of size `range_end` had been cosigned.
        end_ts: OptTime,
        /// `origin#start-end`.
        pack_id: Text,
        /// First index.
        range_start: Int,
        /// Index after the last one.
        range_end: Int,
    }
}

table! {
    /// An organisation-defined value used by a control test.
    ParamRow {
        /// The parameter.
        name: Text,
        /// Its value.
        value: Text,
    }
}

table! {
    /// A published checkpoint inside the period.
    CheckpointRow {
        /// Origin of the log.
        origin: Text,
        /// Tree size.
        tree_size: Int,
        /// Tree head.
        root_hash: Digest,
        /// When the last witness named by the exporter's trust policy had cosigned it.
        checkpoint_time: OptTime,
        /// How many witnesses of that trust policy cosigned it.
        witness_count: Int,
        /// The whole signed note.
        note: Text,
    }
}

table! {
    /// A device of the roster.
    DeviceRow {
        /// The device.
        device_id: Text,
        /// The person it belongs to.
        owner_human_id: Text,
        /// Index of its admission.
        enrolled_index: Int,
        /// Upper bound of the time of its admission.
        enrolled_at: OptTime,
        /// Index of its revocation.
        deprovisioned_index: OptInt,
        /// Upper bound of the time of its revocation.
        deprovisioned_at: OptTime,
        /// Where its key lives.
        key_protection: Text,
        /// What separates daemon and developer.
        isolation: Text,
        /// How the person was verified, separated by commas.
        methods: Text,
    }
}

table! {
    /// A key that signs entries of a device.
    DeviceKeyRow {
        /// RFC 7638 thumbprint.
        device_key_id: Text,
        /// The device.
        device_id: Text,
        /// `device` or `chain`.
        kind: Text,
        /// First index at which the key is good.
        valid_from_index: Int,
        /// Upper bound of that time.
        valid_from: OptTime,
        /// Index from which entries of the device are flagged.
        revoked_index: OptInt,
        /// Upper bound of that time.
        revoked_at: OptTime,
        /// Whether the device key lives in hardware that was shown to be genuine.
        attested: Flag,
        /// Signature algorithm.
        algorithm: Text,
    }
}

table! {
    /// A person of the roster.
    RosterRow {
        /// Random identifier.
        human_id: Text,
        /// Address, where the roster entry's disclosure is in the pack.
        email: OptText,
        /// `active` or `left`.
        status: Text,
        /// Index at which the person joined.
        start_index: Int,
        /// Upper bound of that time.
        start_date: OptTime,
        /// Index at which the person left.
        end_index: OptInt,
        /// Upper bound of that time.
        end_date: OptTime,
        /// Teams at the end of the period, separated by commas.
        team: Text,
        /// Roles at the end of the period, separated by commas.
        roles: Text,
    }
}

table! {
    /// A policy entry.
    PolicyRow {
        /// Index of the entry.
        policy_index: Int,
        /// Version of the bundle.
        policy_version: Text,
        /// SHA-256 of the bundle, hex.
        policy_hash: Text,
        /// Revision of the policy entry.
        revision: Int,
        /// Upper bound of the time at which it was put in force.
        activated_at: OptTime,
        /// The key that signed the entry.
        signed_by: Text,
        /// Administrator keys that agreed, the signer included.
        signatures: Int,
    }
}

table! {
    /// A rule of a bundle in the pack.
    PolicyRuleRow {
        /// Version of the bundle.
        policy_version: Text,
        /// SHA-256 of the bundle, hex.
        policy_hash: Text,
        /// The rule; `default` for the bundle's default.
        rule_id: Text,
        /// Its effect.
        effect: Text,
        /// `global`, `team:…`, `role:…` or `person:…`.
        scope: Text,
        /// Its pattern.
        pattern: Text,
        /// Whether this is the bundle's default.
        default_rule: Flag,
        /// Whether no narrower allow can lift it.
        mandatory: Flag,
    }
}

table! {
    /// An MCP server seen in the period, once for each definition and verdict.
    McpServerRow {
        /// The configured name.
        mcp_server: Text,
        /// SHA-256 of the definition, hex.
        fingerprint: Text,
        /// `stdio`, `http` or `sse`.
        transport: Text,
        /// `allow` or `deny`.
        effect: Text,
        /// First index in the period.
        first_index: Int,
        /// Last index in the period.
        last_index: Int,
        /// Devices it was seen on.
        devices: Int,
    }
}

table! {
    /// A heartbeat of the period.
    HeartbeatRow {
        /// Index of the entry.
        leaf_index: Int,
        /// The device.
        device_id: Text,
        /// The chain.
        chain_id: Text,
        /// The device's clock.
        hb_time: OptTime,
        /// Whether an agent session was seen in the last ten minutes.
        agent_running: Flag,
        /// Agent sessions seen in the last ten minutes.
        sessions: Int,
        /// Place in the chain.
        last_seq: Int,
        /// Records not yet receipted.
        queue_depth: Int,
        /// Bytes of records not yet receipted.
        queue_bytes: Int,
    }
}

/// Every table of a pack.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// One row.
    pub period: Vec<PeriodRow>,
    /// Parameters of control tests.
    pub params: Vec<ParamRow>,
    /// Entries, in order. Their `canonical` and `disclosures` are empty once written or compared.
    pub events: Vec<EventRow>,
    /// Checkpoints, by size.
    pub checkpoints: Vec<CheckpointRow>,
    /// Devices, by identifier.
    pub devices: Vec<DeviceRow>,
    /// Device keys and chain keys, by device, then first index.
    pub device_keys: Vec<DeviceKeyRow>,
    /// People, by identifier.
    pub roster: Vec<RosterRow>,
    /// Policy entries, by index.
    pub policies: Vec<PolicyRow>,
    /// Rules of the bundles, by policy entry and then as written.
    pub policy_rules: Vec<PolicyRuleRow>,
    /// MCP servers, by name.
    pub mcp_servers: Vec<McpServerRow>,
    /// Heartbeats, by index.
    pub heartbeats: Vec<HeartbeatRow>,
}

impl Tables {
    /// Names of every table but `events`, sorted.
    pub const NAMES: [&'static str; 10] = [
        "checkpoints",
        "device_keys",
        "devices",
        "heartbeats",
        "mcp_servers",
        "params",
        "period",
        "policies",
        "policy_rules",
        "roster",
    ];

    /// Every table but `events`, each with its name and as one batch.
    ///
    /// Errors: Arrow's, when the values cannot be arrays.
    pub fn small(&self) -> Result<Vec<(&'static str, RecordBatch)>, ArrowError> {
        let batches = [
            CheckpointRow::batch(&self.checkpoints)?,
            DeviceKeyRow::batch(&self.device_keys)?,
            DeviceRow::batch(&self.devices)?,
            HeartbeatRow::batch(&self.heartbeats)?,
            McpServerRow::batch(&self.mcp_servers)?,
            ParamRow::batch(&self.params)?,
            PeriodRow::batch(&self.period)?,
            PolicyRow::batch(&self.policies)?,
            PolicyRuleRow::batch(&self.policy_rules)?,
            RosterRow::batch(&self.roster)?,
        ];
        Ok(Self::NAMES.into_iter().zip(batches).collect())
    }
}
