//! The policy bundle: every rule of an organisation in one signed, versioned document.
//!
//! Owns the JSON shape, its strict parser and its canonical bytes. Whether the rules in it mean
//! anything is [`crate::compile`]'s question; naming the bytes by SHA-256 is the caller's.
//! Source: architecture sections 4 and 5; `docs/formats`.

use crate::condition::Condition;
use crate::mcp::McpPolicy;
use crate::staleness::Staleness;
use crate::subject::Subject;
use cairn_event::json::{self, Numbers};
use cairn_event::{DecisionMode, Effect};
use serde::{Deserialize, Serialize};

/// The only bundle schema this crate understands.
pub const BUNDLE_SCHEMA: u32 = 1;

/// Largest bundle in bytes: ten thousand long rules fit, and an agent reads it on every push.
pub const MAX_BUNDLE_BYTES: usize = 8 * 1024 * 1024;

/// Default age after which a posture value counts as unknown: twice the slowest re-evaluation.
pub const DEFAULT_MAX_POSTURE_AGE_MS: u64 = 10_000;

/// One version of an organisation's policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Always [`BUNDLE_SCHEMA`].
    pub schema: u32,
    /// The log origin the bundle belongs to; an agent of another log refuses it.
    pub origin: String,
    /// Grows by at least one with every bundle of the origin.
    pub version: u64,
    /// When it was written, milliseconds since 1970.
    pub created_ms: u64,
    /// The effect where no rule matches.
    pub default: Effect,
    /// Whether decisions are enforced or only recorded.
    pub mode: DecisionMode,
    /// Age in milliseconds after which a posture value counts as unknown.
    pub max_posture_age_ms: u64,
    /// What an agent does when its spool cannot take another entry.
    pub spool_full: SpoolFull,
    /// How much of a prompt is recorded.
    pub prompts: Prompts,
    /// Whom a blocked developer asks, in words or as an address.
    pub contact: String,
    /// The rules; their order carries no meaning.
    pub rules: Vec<Rule>,
    /// The MCP allow list and the managed servers.
    pub mcp: McpPolicy,
    /// Session gates on posture.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// How old it may be on a device; absent means the default steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staleness: Option<Staleness>,
}

/// What happens to actions that cannot be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpoolFull {
    /// Nothing runs unrecorded.
    Deny,
    /// Work goes on and a gap is recorded later.
    Allow,
}

/// How much of a prompt is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prompts {
    /// A salted hash only.
    Hash,
    /// The text, as a confidential disclosure.
    Text,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique in the bundle; decisions name it.
    pub id: String,
    /// Allow, deny or ask.
    pub effect: Effect,
    /// `Tool` or `Tool(specifier)`.
    pub pattern: String,
    /// Whom it is for.
    pub scope: Scope,
    /// When it applies; absent means always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// Whether no narrower allow can lift it; denies only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mandatory: bool,
    /// Which reading of the pattern applies.
    pub dialect: Dialect,
    /// `monitor` computes the rule without enforcing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DecisionMode>,
    /// When the rule ends, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// Absolute directory that `/`-anchored patterns start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// Who approved it as an exception; such a rule must end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// Why the rule exists, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Which reading of a pattern applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Written for Cairn: a spaced bar in a deny or ask Bash pattern separates alternatives.
    Cairn,
    /// Imported from Claude Code: its literal meaning.
    Claude,
}

/// Whom a rule is for; in JSON `{"global":true}`, `{"team":…}`, `{"role":…}` or `{"person":…}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ScopeWire", into = "ScopeWire")]
pub enum Scope {
    /// Everybody.
    #[default]
    Global,
    /// Members of the team with this id.
    Team(String),
    /// People with this role.
    Role(String),
    /// The person with this id.
    Person(String),
}

impl Scope {
    fn is_global(&self) -> bool {
        *self == Self::Global
    }

    /// Whether it is about this person.
    pub fn covers(&self, subject: &Subject) -> bool {
        match self {
            Self::Global => true,
            Self::Team(team) => subject.teams.contains(team),
            Self::Role(role) => subject.roles.contains(role),
            Self::Person(person) => subject.person == *person,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ScopeWire {
    Global(bool),
    Team(String),
    Role(String),
    Person(String),
}

impl TryFrom<ScopeWire> for Scope {
    type Error = &'static str;

    fn try_from(wire: ScopeWire) -> Result<Self, Self::Error> {
        match wire {
            ScopeWire::Global(true) => Ok(Self::Global),
            ScopeWire::Global(false) => Err("scope `global` can only be true"),
            ScopeWire::Team(id) => Ok(Self::Team(id)),
            ScopeWire::Role(name) => Ok(Self::Role(name)),
            ScopeWire::Person(id) => Ok(Self::Person(id)),
        }
    }
}

impl From<Scope> for ScopeWire {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Global => Self::Global(true),
            Scope::Team(id) => Self::Team(id),
            Scope::Role(name) => Self::Role(name),
            Scope::Person(id) => Self::Person(id),
        }
    }
}

/// A condition under which sessions neither start nor go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Unique in the bundle, rules included.
    pub id: String,
    /// The gate is closed while this holds or cannot be known.
    pub when: Condition,
    /// What the developer is told.
    pub message: String,
    /// What becomes of sessions that run when it closes.
    #[serde(default, skip_serializing_if = "RunningSessions::is_default")]
    pub running: RunningSessions,
    /// For whom it closes.
    #[serde(default, skip_serializing_if = "Scope::is_global")]
    pub scope: Scope,
    /// `enforce` closes it although the rest of the policy only monitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<DecisionMode>,
}

impl Gate {
    /// Whether it is closed whatever the device's posture is: sessions are halted, and no device is judged.
    pub fn is_halt(&self) -> bool {
        matches!(&self.when, Condition::All { all } if all.is_empty())
    }
}

/// What becomes of running sessions while a gate is closed. The later of two is the stricter one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunningSessions {
    /// They may read files, as far as the rules allow, and do nothing else.
    Restrict,
    /// They do nothing until it opens: calls are denied, each denial ends the turn, prompts are refused.
    #[default]
    Hold,
    /// As held, and the agent is ended.
    End,
}

impl RunningSessions {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a bundle was refused as a document.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// More than [`MAX_BUNDLE_BYTES`].
    #[error("bundle of {bytes} bytes is larger than {MAX_BUNDLE_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON that every reader understands alike.
    #[error("bundle refused: {0}")]
    Json(#[from] json::JsonError),
    /// JSON of another shape: a missing, unknown or mistyped member.
    #[error("bundle refused: {0}")]
    Shape(#[from] serde_json::Error),
    /// A schema this engine does not know.
    #[error("bundle schema {found} is not {BUNDLE_SCHEMA}")]
    Schema {
        /// The schema it names.
        found: u32,
    },
}

impl Bundle {
    /// Parses a bundle strictly.
    ///
    /// Errors: [`BundleError`]; the caller keeps the bundle it has. Trap: a parsed bundle can still
    /// fail to compile, and the bytes need not be canonical (compare [`Self::canonical_bytes`]).
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(BundleError::TooLarge { bytes: bytes.len() });
        }
        let bundle: Self = serde_json::from_value(json::parse(bytes, Numbers::SafeIntegers)?)?;
        if bundle.schema != BUNDLE_SCHEMA {
            return Err(BundleError::Schema {
                found: bundle.schema,
            });
        }
        Ok(bundle)
    }

    /// The bytes that are stored and named by SHA-256 (RFC 8785).
    pub fn canonical_bytes(&self) -> Result<Vec<u8>, BundleError> {
        Ok(json::to_canonical(&serde_json::to_value(self)?))
    }

    /// A bundle without rules that leaves everything to the agent's own permission flow.
    pub fn empty(origin: &str, contact: &str) -> Self {
        Self {
            schema: BUNDLE_SCHEMA,
            origin: origin.to_owned(),
            version: 0,
            created_ms: 0,
            default: Effect::NoOpinion,
            mode: DecisionMode::Enforce,
            max_posture_age_ms: DEFAULT_MAX_POSTURE_AGE_MS,
            spool_full: SpoolFull::Deny,
            prompts: Prompts::Hash,
            contact: contact.to_owned(),
            rules: Vec::new(),
            mcp: McpPolicy::default(),
            gates: Vec::new(),
            staleness: None,
        }
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}
