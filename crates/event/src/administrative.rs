//! The bodies of administrative entries: genesis, roster, policy, erasure, forks and gaps.
//!
//! Source: `docs/formats/administrative.md`. Who may sign which is decided in `cairn-identity`.

use crate::encoding::Sha256;
use crate::key::{Kid, PublicKey};
use crate::payload::Payload;
use crate::vocabulary::{Isolation, KeyProtection, PersonRole};
use serde::{Deserialize, Serialize};

/// Entry 0: names the organisation, its log key and who may speak for it.
///
/// Auditors pin the leaf hash of this entry; everything else follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// k-of-n administrator keys, held off the server.
    pub administrators: Administrators,
    /// Online keys and the few things each may do alone.
    pub delegations: Vec<Delegation>,
    /// The log's signed-note verifier key (C2SP signed-note vkey).
    pub log_key: String,
    /// The key that signs forks and gaps; not the log's.
    pub observer: PublicKey,
    /// The organisation's name.
    pub organisation: String,
}

/// What the genesis entry of a successor says of the log that it succeeds, in the member
/// [`Predecessor::MEMBER`] of `ext`.
///
/// The checkpoint is the last one there can be: its newest entry is the `log.close` of that log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// SHA-256 of the blob that proves the close; see `cairn_identity::succession`.
    pub closing: Sha256,
    /// Leaf hash of entry 0 of that log.
    pub genesis: Sha256,
    /// Its signed-note verifier key.
    pub log_key: String,
    /// Its origin.
    pub origin: String,
    /// Root hash of its final checkpoint.
    pub root: Sha256,
    /// Size of its final checkpoint.
    pub size: u64,
}

impl Predecessor {
    /// Name of the member in `ext`.
    pub const MEMBER: &str = "succeeds";

    /// What a genesis payload says; `None` where it succeeds nothing.
    ///
    /// Errors: the member is there and has not its form.
    pub fn of(payload: &Payload) -> Option<Result<Self, serde_json::Error>> {
        let member = payload.ext.as_ref()?.get(Self::MEMBER)?;
        Some(Self::deserialize(member))
    }
}

/// The administrator keys and how many of them must agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Administrators {
    /// The keys; order has no meaning.
    pub keys: Vec<PublicKey>,
    /// How many distinct keys an administrative entry needs, 1 to the number of keys.
    pub threshold: u32,
}

/// An online key and what it may do without the administrators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// The key.
    pub key: PublicKey,
    /// A label for people, for example `authority`.
    pub label: String,
    /// What it may do; sorted, no duplicates.
    pub may: Vec<Right>,
}

/// One thing that a delegated key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Admit a device of a person who proved an address; `software` and `self-asserted` only.
    AdmitDevice,
    /// Add a person in the developer role without teams.
    EnrolDeveloper,
    /// Revoke a device.
    RevokeDevice,
    /// Record what administrators did, and erasures they ordered.
    RecordActions,
    /// Put policy in force. Small installations only; shown as `policy by online key`.
    Policy,
}

/// A set of changes to people, teams and devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterStatement {
    /// Applied in order, all or none.
    pub changes: Vec<RosterChange>,
    /// One more than the roster entry before; the first is 1.
    pub revision: u64,
}

/// One change. E-mail addresses and host names are confidential members of the entry, named
/// `email:<person>` and `host:<device>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", deny_unknown_fields)]
pub enum RosterChange {
    /// A team exists.
    #[serde(rename = "team.add")]
    AddTeam {
        /// Display name.
        name: String,
        /// Identifier, `[a-z0-9-]`, at most 64 bytes.
        team: String,
    },
    /// A person joins.
    #[serde(rename = "person.add")]
    AddPerson {
        /// Random identifier, `p_` and 32 hex digits.
        person: String,
        /// What the person may do; sorted.
        roles: Vec<PersonRole>,
        /// Teams; sorted.
        teams: Vec<String>,
    },
    /// A person's roles and teams become these.
    #[serde(rename = "person.update")]
    UpdatePerson {
        /// The person.
        person: String,
        /// Sorted.
        roles: Vec<PersonRole>,
        /// Sorted.
        teams: Vec<String>,
    },
    /// A person leaves; their devices are revoked with them.
    #[serde(rename = "person.remove")]
    RemovePerson {
        /// The person.
        person: String,
    },
    /// A device key is good from here on.
    #[serde(rename = "device.admit")]
    AdmitDevice {
        /// Random identifier, `d_` and 32 hex digits.
        device: String,
        /// What separates daemon and developer.
        isolation: Isolation,
        /// The device key.
        key: PublicKey,
        /// How the person was verified, for example `["email-otp"]`.
        methods: Vec<String>,
        /// Whose device it is.
        person: String,
        /// Where the key lives, as the server judged it.
        protection: KeyProtection,
    },
    /// A device key is not good any more. Entries after its last device-key head before this one
    /// are flagged.
    #[serde(rename = "device.revoke")]
    RevokeDevice {
        /// The device.
        device: String,
        /// Why.
        reason: String,
    },
}

/// A policy bundle is put in force. The bundle is a blob, durable before this entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyStatement {
    /// SHA-256 of the bundle's bytes.
    pub bundle: Sha256,
    /// Length of the bundle in bytes.
    pub bytes: u64,
    /// One more than the policy entry before; the first is 1.
    pub revision: u64,
    /// The bundle's own version; must grow.
    pub version: u64,
}

/// The content of disclosures was destroyed; the entry and every proof over it stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Digests (as in `_sd`) of the erased disclosures; sorted.
    pub digests: Vec<String>,
    /// Index of the entry they belonged to.
    pub index: u64,
    /// Leaf hash of that entry.
    pub leaf: Sha256,
    /// Person identifier of the administrator who ordered it.
    pub ordered_by: String,
    /// Why, in the administrator's words.
    pub reason: String,
}

/// Something an administrator or the server did that auditors will ask about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminAction {
    /// What, for example `disclosure.read` or `pack.export`.
    pub action: String,
    /// On what, for example an index or a period.
    pub object: String,
    /// Person identifier of who did it.
    pub person: String,
}

/// Two signed entries that claim one place in a chain, embedded whole as proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    /// The chain.
    pub chain: Kid,
    /// Leaf hash of the entry that was admitted.
    pub admitted: Sha256,
    /// The entry that was admitted, whole; absent only where both do not fit one entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admitted_entry: Option<String>,
    /// The entry that was refused, whole; absent only where it does not fit one entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_entry: Option<String>,
    /// Leaf hash of the entry that was refused.
    pub refused: Sha256,
    /// The contested place.
    pub seq: u64,
}

/// The observer waited for entries of a chain and they did not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservedGap {
    /// The chain.
    pub chain: Kid,
    /// First missing `seq`.
    pub from: u64,
    /// What showed it, for example `next-chain-names-later-head`.
    pub shown_by: String,
    /// Last missing `seq`, inclusive.
    pub to: u64,
}

/// The log takes no entry after this one: its checkpoint with this entry as the newest is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogClose {
    /// Why, in the administrators' words.
    pub reason: String,
    /// The signed-note verifier key of the one log that may succeed this one; where absent, any log
    /// whose genesis the administrators of this one have signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

/// The administrators agree that the bytes of old entries go. Their hashes stay in the tree.
///
/// What must stay of the range is named by `kept`, so that a server can leave out nothing that later
/// entries are judged by. Source: `docs/formats/administrative.md`, "Pruning a log".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPrune {
    /// Every entry of the range was published at least this many days before this entry was made.
    pub days: u64,
    /// First index of the range: the log's minimum index until then.
    pub from: u64,
    /// Digest of the entries of the range that stay; `cairn_identity::retention::KeptDigest`.
    pub kept: Sha256,
    /// Why, in the administrators' words.
    pub reason: String,
    /// The log's minimum index from then on; a multiple of [`LogPrune::STEP`].
    pub to: u64,
}

impl LogPrune {
    /// Entries of a full bundle (C2SP tlog-tiles): only whole ones go.
    pub const STEP: u64 = 256;

    /// Clocks of a log, of its witnesses and of administrators may differ by this many seconds, and a
    /// checkpoint take as long.
    pub const SLACK_S: u64 = 3_600;

    /// Seconds of a day.
    pub const DAY_S: u64 = 86_400;

    /// Whether its days had passed when it was made: from `published_s`, by which a quorum of witnesses had
    /// seen the whole range, to `made_s`. Both in seconds since 1970.
    pub fn came_late_enough(&self, published_s: u64, made_s: u64) -> bool {
        let passed = made_s.saturating_sub(published_s);
        passed.saturating_add(Self::SLACK_S) >= self.days.saturating_mul(Self::DAY_S)
    }
}
