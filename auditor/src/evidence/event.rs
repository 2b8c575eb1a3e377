//! One row of `data/events.parquet`: an entry of the log and what it says, column by column.
//!
//! Owns the columns only; `derive` fills them. Names follow the evidence model that the control
//! tests are written against. Source: `docs/formats/pack.md`, "events".

use super::column::{
    Bytes, Digest, Int, OptDigest, OptFlag, OptInt, OptText, OptTime, Text, table,
};

table! {
    /// An entry with its typed columns.
    EventRow {
        /// Index in the log.
        leaf_index: Int,
        /// SHA-256(0x00 || `canonical`).
        leaf_hash: Digest,
        /// The exact entry bytes.
        canonical: Bytes,
        /// The disclosures that are present, each followed by a tilde; `canonical~` and this text are
        /// the entry's frame.
        disclosures: Text,
        /// Version of the payload schema; empty where this version could not be read.
        schema_version: OptText,
        /// The entry's own `type` word.
        entry_type: OptText,
        /// The same in the words of the control tests, for example `tool.result`.
        event_type: OptText,
        /// The writer's clock: a claim.
        event_time: OptTime,
        /// When the witnesses had cosigned the first published checkpoint that covers the entry: an
        /// upper bound of the time of writing. Empty where nobody cosigned.
        integrated_time: OptTime,
        /// Origin of the log.
        tenant_id: OptText,
        /// The device.
        device_id: OptText,
        /// The chain: one run of the device's daemon.
        chain_id: OptText,
        /// Place in the chain.
        device_seq: OptInt,
        /// Leaf hash of the entry before it in the chain.
        prev_event_hash: OptDigest,
        /// The key that signed the entry.
        device_key_id: OptText,
        /// Where the device key lives.
        key_protection: OptText,
        /// What separates daemon and developer.
        isolation: OptText,
        /// Size of the newest checkpoint the device had seen: a lower bound of the time of writing.
        beacon_size: OptInt,
        /// The agent's session.
        session_id: OptText,
        /// The person the device belongs to.
        human_id: OptText,
        /// Their address, where disclosed.
        human_email: OptText,
        /// Their teams at the time, separated by commas.
        team: OptText,
        /// Operating-system user, where disclosed.
        os_user: OptText,
        /// Host, where disclosed.
        src_host: OptText,
        /// The coding agent.
        agent_name: OptText,
        /// Its version.
        agent_version: OptText,
        /// SHA-256 of its executable, hex.
        agent_binary_hash: OptText,
        /// What kind of effect the tool has.
        action_class: OptText,
        /// The tool.
        tool: OptText,
        /// The agent's identifier of the call; decision and outcome carry the same.
        tool_use_id: OptText,
        /// The tool's input as JSON, where disclosed.
        tool_args: OptText,
        /// The MCP server of the tool or of the connection.
        mcp_server: OptText,
        /// `allow`, `deny`, `ask` or `no-opinion`.
        decision: OptText,
        /// `enforce` or `monitor`.
        decision_mode: OptText,
        /// What decided: `rule`, `default`, `gate`, `error` or `stale-policy`.
        decided_by: OptText,
        /// The deciding rule.
        rule_id: OptText,
        /// Its rank.
        rule_rank: OptText,
        /// Rules that matched and lost, strongest first, separated by commas.
        losing_rules: OptText,
        /// Index of the policy entry in force on the device.
        policy_index: OptInt,
        /// Version of that policy's bundle.
        policy_version: OptText,
        /// SHA-256 of that bundle, hex.
        policy_hash: OptText,
        /// Index of the roster entry in force on the device.
        roster_index: OptInt,
        /// Time the decision took, in microseconds.
        eval_latency_us: OptInt,
        /// `success`, `failure`, `blocked` or `unknown`.
        outcome: OptText,
        /// How long the tool ran, in milliseconds.
        duration_ms: OptInt,
        /// Posture as canonical JSON.
        posture: OptText,
        /// Whether the disk is encrypted; empty where unknown.
        posture_disk_encrypted: OptFlag,
        /// Whether the device booted securely; empty where unknown.
        posture_secure_boot: OptFlag,
        /// Whether endpoint protection runs; empty where unknown.
        posture_edr_running: OptFlag,
        /// When the oldest posture value was observed, by the writer's clock.
        posture_checked_at: OptTime,
        /// Process ancestry as canonical JSON, where disclosed.
        process_ancestry: OptText,
        /// SHA-256 of `process_ancestry`, hex.
        process_chain_hash: OptText,
        /// Confidential members that are in the pack.
        disclosures_present: Int,
        /// Confidential members that exist, or may exist, and were not given.
        disclosures_withheld: Int,
        /// Confidential members that an erasure entry in the pack names.
        disclosures_erased: Int,
        /// `none` where nothing is missing, `args` where confidential members are missing.
        redaction_level: Text,
    }
}
