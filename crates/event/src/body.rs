//! The bodies of chained entries: what a device's daemon says, one type per kind of statement.
//!
//! Source: `docs/formats/entry.md`, table "Bodies".

use crate::administrative::{
    AdminAction, Erasure, Fork, Genesis, LogClose, LogPrune, ObservedGap, PolicyStatement,
    RosterStatement,
};
use crate::encoding::Sha256;
use crate::key::{Kid, PublicKey};
use crate::vocabulary::{ActionClass, DecisionMode, Effect, OutcomeState, RuleRef};
use serde::{Deserialize, Serialize};

/// The first entry of a chain: the device key certifies this run's chain key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainStart {
    /// Version of the daemon's program.
    pub daemon_version: String,
    /// SHA-256 of the daemon's executable.
    pub daemon_sha256: Sha256,
    /// The chain key's public half; its thumbprint is the chain identifier.
    pub key: PublicKey,
    /// Proof of possession by the chain key, base64url; see [`crate::payload::possession_message`].
    pub pop: String,
    /// The chain before this one on the same device, absent for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousChain>,
}

/// The last entry the daemon froze in its previous run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviousChain {
    /// Its chain identifier.
    pub chain: Kid,
    /// Leaf hash of its last entry.
    pub head: Sha256,
    /// `seq` of its last entry.
    pub seq: u64,
}

/// A device-key signature over the chain so far: vouches for everything up to `prev`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainHead {}

/// The last entry of a chain, signed by the device key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainEnd {
    /// Why the daemon stopped, for example `shutdown`.
    pub reason: String,
}

/// An agent session began under Cairn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionStart {
    /// How it came under Cairn: `wrapper` or `managed`; `unmanaged` for an agent that was found
    /// running outside it, of which nothing else is recorded than its end.
    pub adoption: String,
    /// The agent's own word for how it was started, for example `startup` or `resume`.
    pub source: String,
}

/// An agent session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionEnd {
    /// The agent's own word for why.
    pub reason: String,
}

/// A posture gate refused to let a session go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRefused {
    /// The gate that refused, or `no-policy` where no verified bundle was active.
    pub gate: String,
}

/// A person's prompt. Its text, digest and origin are confidential members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// Length of the prompt in bytes.
    pub bytes: u64,
    /// The agent's identifier of the prompt, where it gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
}

/// Which MCP server a tool belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// The configured name.
    pub name: String,
    /// Where the agent says the configuration came from, for example `project`.
    pub source: String,
}

/// The verdict on one action, before it happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolDecision {
    /// What kind of effect the tool has.
    pub class: ActionClass,
    /// What the agent was told, or would have been told in monitor mode.
    pub effect: Effect,
    /// Time the decision took, in microseconds.
    pub latency_us: u64,
    /// Rules that matched and did not decide, strongest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<RuleRef>,
    /// The MCP server the tool belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp: Option<McpServer>,
    /// Whether the agent was held to it.
    pub mode: DecisionMode,
    /// The rule that decided; absent when the default or an error did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// Version of the engine's semantics, `cairn_policy::ENGINE_SEMANTICS`.
    pub semantics: u32,
    /// The subagent that asked, where the agent names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subagent: Option<String>,
    /// The tool's name.
    pub tool: String,
    /// The agent's identifier of this call; the outcome carries the same.
    pub use_id: String,
    /// Why, in a word: `rule`, `default`, `gate`, `error`, `stale-policy`.
    pub why: String,
}

/// What became of an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolOutcome {
    /// How long the tool ran, in milliseconds, where the agent says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Whether it ran.
    pub state: OutcomeState,
    /// The tool's name.
    pub tool: String,
    /// The agent's identifier of the call.
    pub use_id: String,
}

/// The agent, or one of its subagents, stopped working on what it was told. Digest and length of its last
/// message are confidential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnEnd {
    /// The agent's identifier of the prompt that began the turn, where it gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
    /// `ran`, or `failed` where the model's service answered with an error.
    pub state: OutcomeState,
    /// The subagent that stopped, as decisions name it; absent for the agent itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subagent: Option<String>,
    /// The subagent's kind, for example `Explore`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subagent_type: Option<String>,
}

/// An MCP server was found configured, and whether it may connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpSeen {
    /// `allow`, `deny` for one that may not run, or `no-opinion` for one that the list lets pass and that starts only
    /// when somebody else says so: a project's that its person never approved, a plug-in's that is off.
    pub effect: Effect,
    /// SHA-256 over the canonical definition without its environment values.
    pub fingerprint: Sha256,
    /// `monitor` where a policy that only monitors let a denied one run; absent where it is enforced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DecisionMode>,
    /// The configured name.
    pub name: String,
    /// The allow-list entry that matched, or for whose word it waits, as text; absent when the list blocked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Where it was configured: `user`, `project`, `local`, `plugin`, `flag`, `managed`, `enterprise` (the machine's own
    /// `managed-mcp.json`).
    pub source: String,
    /// `stdio`, `http` or `sse`.
    pub transport: String,
}

/// Posture changed during the run; the new posture is in the entry's context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostureChanged {
    /// Digest of the posture after.
    pub after: Sha256,
    /// Digest of the posture before.
    pub before: Sha256,
    /// Names of the fields that changed, sorted.
    pub fields: Vec<String>,
}

/// The daemon is alive and enforcing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// Agent sessions seen in the last ten minutes.
    pub sessions: u64,
    /// Bytes of records not yet receipted.
    pub spool_bytes: u64,
    /// Records not yet receipted.
    pub spool_records: u64,
}

/// The daemon knows that evidence is missing: hooks it could not record, or records it lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The chain that misses records; the entry's own or an earlier one of this device.
    pub chain: Kid,
    /// How many actions were answered without a record, where it can be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// First missing `seq`.
    pub from: u64,
    /// Why: `spool-full`, `spool-damaged`, `storage-error`, `crash`, `not-running` (the hook refused
    /// while no daemon ran), `refused-by-log`, `socket-replaced` (another program could have answered
    /// the hooks for a while), `no-verdict` and `denied-and-ran` (the agent itself
    /// reported such a call as run).
    pub reason: String,
    /// Last missing `seq`, inclusive; `from - 1` where only uncounted actions are missing.
    pub to: u64,
}

/// The daemon activated a policy bundle after verifying its receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyActivated {
    /// SHA-256 of the bundle.
    pub bundle: Sha256,
    /// The bundle's version.
    pub version: u64,
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $variant:ident($inner:ty) = $word:literal, $family:ident;)+) => {
        /// What an entry says. The word in `type` selects the shape of `body`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Body { $($(#[$doc])* $variant($inner),)+ }

        impl Body {
            /// The word in `type`.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $word,)+ }
            }

            /// Whether entries of this type belong to a device's chain.
            pub fn family(&self) -> Family {
                match self { $(Self::$variant(_) => Family::$family,)+ }
            }

            /// Writes what is said, without the word for its type.
            pub(crate) fn serialize_inner<S: serde::Serializer>(
                &self,
                writer: S,
            ) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(inner) => inner.serialize(writer),)+ }
            }

            pub(crate) fn from_slice(
                kind: &str,
                bytes: &[u8],
            ) -> Option<Result<Self, serde_json::Error>> {
                match kind {
                    $($word => Some(serde_json::from_slice(bytes).map(Self::$variant)),)+
                    _ => None,
                }
            }

            pub(crate) fn from_value(
                kind: &str,
                value: serde_json::Value,
            ) -> Option<Result<Self, serde_json::Error>> {
                match kind {
                    $($word => Some(serde_json::from_value(value).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }

        /// Every `type` word of version 1, in the order of `docs/formats/entry.md`.
        pub const KINDS: &[&str] = &[$($word),+];
    };
}

/// The two families of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Part of a device's chain: has `device`, `chain`, `seq`, `prev`.
    Chained,
    /// Says something about the organisation: ordered by the log, may carry approvals.
    Administrative,
}

bodies! {
    /// Device key certifies a chain key.
    ChainStart(ChainStart) = "chain.start", Chained;
    /// Device key vouches for the chain so far.
    ChainHead(ChainHead) = "chain.head", Chained;
    /// Device key closes the chain.
    ChainEnd(ChainEnd) = "chain.end", Chained;
    /// Agent session began.
    SessionStart(SessionStart) = "session.start", Chained;
    /// Agent session ended.
    SessionEnd(SessionEnd) = "session.end", Chained;
    /// A gate refused the session.
    SessionRefused(SessionRefused) = "session.refused", Chained;
    /// A person prompted the agent.
    Prompt(Prompt) = "prompt", Chained;
    /// Verdict on an action.
    ToolDecision(ToolDecision) = "tool.decision", Chained;
    /// What became of an action.
    ToolOutcome(ToolOutcome) = "tool.outcome", Chained;
    /// The agent stopped.
    TurnEnd(TurnEnd) = "turn.end", Chained;
    /// MCP server found and judged.
    McpSeen(McpSeen) = "mcp.seen", Chained;
    /// Posture changed.
    PostureChanged(PostureChanged) = "posture.changed", Chained;
    /// Policy bundle activated.
    PolicyActivated(PolicyActivated) = "policy.activated", Chained;
    /// The daemon is alive.
    Heartbeat(Heartbeat) = "heartbeat", Chained;
    /// The daemon knows that evidence is missing.
    Gap(Gap) = "gap", Chained;
    /// Entry 0.
    Genesis(Genesis) = "genesis", Administrative;
    /// People, teams, devices.
    Roster(RosterStatement) = "roster", Administrative;
    /// A policy bundle is put in force.
    Policy(PolicyStatement) = "policy", Administrative;
    /// Disclosures were erased.
    Erasure(Erasure) = "erasure", Administrative;
    /// An administrator did something worth recording.
    AdminAction(AdminAction) = "admin.action", Administrative;
    /// Two entries with one place in a chain.
    Fork(Fork) = "fork", Administrative;
    /// The observer misses entries of a chain.
    ObservedGap(ObservedGap) = "gap.observed", Administrative;
    /// The log takes no further entry.
    LogClose(LogClose) = "log.close", Administrative;
    /// The bytes of old entries go.
    LogPrune(LogPrune) = "log.prune", Administrative;
}
