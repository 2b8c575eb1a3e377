//! The closed word lists that entries use: effects, ranks, classes, protection and isolation.

use serde::{Deserialize, Serialize};

/// What a decision says about an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// The agent may act without asking.
    Allow,
    /// The agent must not act.
    Deny,
    /// A person decides; where nobody can be asked this is a deny.
    Ask,
    /// Cairn has no opinion: the agent's own permission flow decides.
    NoOpinion,
}

/// How specific, or how binding, the rule is that decided. Later is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rank {
    /// No rule matched: the organisation's default.
    Default,
    /// A rule for everybody.
    Global,
    /// A rule for a team; several teams rank equal.
    Team,
    /// A rule for a role.
    Role,
    /// A rule for one person.
    Person,
    /// A deny conditioned on device posture: wins over every scope.
    PostureDeny,
    /// A deny marked mandatory: wins over every scope.
    Mandatory,
}

/// A rule as a decision names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRef {
    /// What the rule says.
    pub effect: Effect,
    /// The rule's identifier in its bundle.
    pub id: String,
    /// The rank at which it spoke.
    pub rank: Rank,
}

/// Whether a decision is enforced or only recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionMode {
    /// The agent was told.
    Enforce,
    /// The decision was computed and recorded; the agent was not held to it.
    Monitor,
}

/// Where the device key lives, as the server judged it at enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyProtection {
    /// A sealed file: whoever is root on the device can copy it.
    Software,
    /// A TPM that could not be shown to be real hardware.
    TpmUnattested,
    /// A virtual TPM: its host can copy it.
    TpmVirtual,
    /// A TPM whose endorsement key chains to a manufacturer.
    TpmAttested,
}

/// What separates the daemon from the developer it watches, verified at enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// The daemon runs as the developer's own user: the evidence is self-asserted.
    SelfAsserted,
    /// The daemon runs as another user whose files the developer cannot write.
    SeparateUser,
}

/// What kind of effect a tool call has on the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionClass {
    /// Reads files or data.
    Read,
    /// Creates something new.
    Create,
    /// Changes something that exists.
    Update,
    /// Removes something.
    Delete,
    /// Runs a program.
    Exec,
    /// Talks to the network.
    Network,
    /// Touches credentials.
    Credential,
    /// Starts another agent or changes the agent itself.
    Agent,
    /// Nothing known about this tool.
    Unknown,
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonRole {
    /// Administers people, devices and policy; the only role that may erase a disclosure.
    Admin,
    /// Reads everything and writes policy.
    Security,
    /// Reads and verifies; changes nothing.
    Auditor,
    /// Uses an enrolled device; sees their own records.
    Developer,
}

impl PersonRole {
    /// The word in entries, tokens and policy scopes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Security => "security",
            Self::Auditor => "auditor",
            Self::Developer => "developer",
        }
    }
}

/// Whether an action that was decided really happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeState {
    /// The agent reported success.
    Ran,
    /// The agent reported a failure.
    Failed,
    /// The person interrupted it.
    Interrupted,
}

/// A confidential string that was replaced before the entry was frozen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redaction {
    /// How many replacements.
    pub count: u64,
    /// JSON Pointer (RFC 6901) below the disclosure's name, for example `request/input/command`.
    pub field: String,
    /// Name of the redaction rule.
    pub rule: String,
}
