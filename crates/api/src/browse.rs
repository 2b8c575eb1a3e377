//! What the console shows: sessions, events, devices, people, MCP servers, policies.

use cairn_event::{
    DecisionMode, Effect, Isolation, KeyProtection, OutcomeState, PersonRole, Posture, PublicKey,
    RuleRef, Sha256,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventSummary {
    /// Its index.
    pub index: u64,
    /// The entry's `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The device's clock.
    pub time_ms: u64,
    /// The device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The person's address, where the caller may see it and it is not erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The agent session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Place in the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The tool or MCP server concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_id: Option<String>,
    /// Verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Whether it was enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<DecisionMode>,
    /// The rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// What became of it; joined from the outcome entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeState>,
    /// One line of what was asked, where the caller may see it and it is not erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What auditors must be told, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// `GET /v1/events`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Events {
    /// At most the limit asked for.
    pub events: Vec<EventSummary>,
    /// Pass as `before` to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// One agent session in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// The agent's session identifier.
    pub session: String,
    /// Device.
    pub device: String,
    /// Person.
    pub person: String,
    /// Address, where the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Agent name and version.
    pub agent: String,
    /// First and last device time.
    pub started_ms: u64,
    /// Last event's device time.
    pub last_ms: u64,
    /// Index of its last event.
    pub last_index: u64,
    /// Decisions.
    pub decisions: u64,
    /// Decisions that denied.
    pub denied: u64,
    /// Outcomes without a decision: ran without a verdict.
    pub unverdicted: u64,
    /// Whether the session ended.
    pub ended: bool,
}

/// `GET /v1/sessions`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sessions {
    /// At most the limit asked for.
    pub sessions: Vec<SessionSummary>,
    /// Pass as `before` to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// `GET /v1/sessions/{session}`: every event in chain order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionDetail {
    /// The session.
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// In chain order.
    pub events: Vec<EventSummary>,
}

/// Whether a disclosure can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisclosureState {
    /// Held and shown.
    Present,
    /// Held or never submitted, and not shown to this caller.
    Withheld,
    /// Destroyed; the digest remains.
    Erased,
}

/// One disclosure of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisclosureView {
    /// As listed in `_sd`.
    pub digest: String,
    /// Whether it can be read.
    pub state: DisclosureState,
    /// The disclosure itself; the browser hashes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoded: Option<String>,
    /// Member name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Member value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// `GET /v1/events/{index}`: one event in full, with everything needed to check it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventDetail {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Sha256,
    /// The exact bytes.
    pub entry: String,
    /// The payload, decoded for reading.
    pub payload: Value,
    /// The key that verifies it.
    pub key: PublicKey,
    /// Its confidential members.
    pub disclosures: Vec<DisclosureView>,
    /// C2SP tlog-proof against the newest published checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The log's verifier key and the witnesses', as a C2SP tlog-policy.
    pub trust_policy: String,
    /// Witness times of the earliest published checkpoint that covers it: the upper time bound.
    pub witnessed_at: Vec<WitnessTime>,
    /// The summary, as in lists.
    pub summary: EventSummary,
}

/// When a witness cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessTime {
    /// Witness name.
    pub witness: String,
    /// Seconds since 1970.
    pub time: u64,
}

/// `POST /v1/events/{index}/erasure`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureRequest {
    /// Why.
    pub reason: String,
    /// Digests to erase; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Vec<String>>,
}

/// Answer to an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureAnswer {
    /// Index of the erasure entry.
    pub erasure_index: u64,
    /// What was erased.
    pub digests: Vec<String>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceView {
    /// Identifier.
    pub device: String,
    /// Whose it is.
    pub person: String,
    /// Address, where the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Host name, where the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where the key lives.
    pub protection: KeyProtection,
    /// What separates daemon and developer.
    pub isolation: Isolation,
    /// Index of the admission.
    pub admitted_at: u64,
    /// Index of the revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<u64>,
    /// Device time of its last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_ms: Option<u64>,
    /// Posture in its last entry that carries one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub posture: Option<Posture>,
    /// Policy version it last acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<u64>,
    /// Index of the entry that acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_acknowledged_at: Option<u64>,
    /// Device time of that entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_acknowledged_ms: Option<u64>,
    /// How old its policy was in its last entry that can say so, where that was long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_age_ms: Option<u64>,
    /// Gaps seen in its chains.
    pub gaps: u64,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonView {
    /// Identifier.
    pub person: String,
    /// Address, where the caller may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Roles now.
    pub roles: Vec<PersonRole>,
    /// Teams now.
    pub teams: Vec<String>,
    /// Whether the person left.
    pub removed: bool,
}

/// One MCP server as seen on devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct McpView {
    /// Configured name.
    pub name: String,
    /// Fingerprint of its definition.
    pub fingerprint: Sha256,
    /// `stdio`, `http` or `sse`.
    pub transport: String,
    /// Verdict when last seen.
    pub effect: Effect,
    /// Where it was configured.
    pub sources: Vec<String>,
    /// Devices it was seen on.
    pub devices: Vec<String>,
    /// Device time when first seen.
    pub first_seen_ms: u64,
    /// Device time when last seen.
    pub last_seen_ms: u64,
    /// Index of the first entry that saw it.
    pub first_index: u64,
}

/// One policy version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyView {
    /// Index of the policy entry.
    pub index: u64,
    /// Revision.
    pub revision: u64,
    /// Bundle version.
    pub version: u64,
    /// Bundle digest.
    pub bundle_sha256: Sha256,
    /// Device-independent time at which it was put in force.
    pub time_ms: u64,
    /// Who signed: `administrators` or a delegation's label.
    pub signed_by: String,
    /// The bundle, decoded; present for the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Value>,
    /// Devices that acknowledged it as their active one.
    pub active_on: u64,
}

/// `GET /v1/overview`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Organisation.
    pub organisation: String,
    /// Origin.
    pub origin: String,
    /// Leaf hash of entry 0.
    pub genesis: Sha256,
    /// Entries in the published tree.
    pub published_size: u64,
    /// Age of the newest published checkpoint, milliseconds.
    pub checkpoint_age_ms: u64,
    /// Devices enrolled and not revoked.
    pub devices: u64,
    /// Of those, seen in the last 24 hours of the newest device time.
    pub devices_active: u64,
    /// People.
    pub people: u64,
    /// Sessions seen.
    pub sessions: u64,
    /// Decisions by effect.
    pub allowed: u64,
    /// Denied.
    pub denied: u64,
    /// Asked.
    pub asked: u64,
    /// Left to the agent's own flow.
    pub no_opinion: u64,
    /// Policy version in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<u64>,
    /// Whether an online key may change policy.
    pub policy_by_online_key: bool,
    /// Gaps and forks recorded.
    pub gaps: u64,
    /// Forks recorded.
    pub forks: u64,
}
