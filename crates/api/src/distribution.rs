//! What an agent fetches to know its policy: genesis, roster entries, the policy entry.

use cairn_event::Sha256;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An administrative entry with its receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptedFrame {
    /// Its index.
    pub index: u64,
    /// `entry~disclosure~…~`; disclosures only for those who may read them.
    pub frame: String,
    /// C2SP tlog-proof.
    pub receipt: String,
}

/// Longest wait of `GET /v1/policy/stream?wait=`, seconds: proxies end a silent request after 30 to 60.
pub const LONGEST_WAIT_S: u64 = 25;

/// How often the server gives a sign of life in its streams of events: every 15 s.
///
/// Proxies close an idle connection after 30 to 60 s, and a reader that misses two of these has not yet lost a
/// policy by its age: a minute is the least at which an organisation may call one old.
pub const STREAM_HEARTBEAT: Duration = Duration::from_secs(15);

/// `GET /v1/roster?after_revision=`: roster entries in order, a page of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterAnswer {
    /// Ascending revisions without gaps.
    pub entries: Vec<ReceiptedFrame>,
    /// Revision of the newest roster entry; while it is greater than that of the last entry here, ask again
    /// after that one.
    pub newest: u64,
}

/// `GET /v1/policy?have=`: the newest published policy entry and its bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAnswer {
    /// Index of the policy entry.
    pub index: u64,
    /// The entry.
    pub entry: String,
    /// C2SP tlog-proof.
    pub receipt: String,
    /// The bundle's bytes, base64url; empty for a caller who has that of this index.
    pub bundle: String,
    /// The log's word that this policy is the newest at the size of the receipt's checkpoint, and how long its
    /// roster is: see [`Newest`](crate::newest::Newest). Empty where nobody asks what is newest.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub newest: String,
}

/// What `event: policy` in the policy stream is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyNotice {
    /// Index of the policy entry.
    pub index: u64,
    /// The bundle's version.
    pub version: u64,
    /// The bundle's digest.
    pub bundle_sha256: Sha256,
}

/// What `event: roster` in the policy stream is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterNotice {
    /// Index of the roster entry.
    pub index: u64,
    /// Its revision.
    pub revision: u64,
}

/// `event: policy` of the policy stream whole: the notice, and the policy itself where it is short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyEvent {
    /// What changed.
    #[serde(flatten)]
    pub notice: PolicyNotice,
    /// As `GET /v1/policy` would give it. Absent where it is long: then it is fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<PolicyAnswer>,
}

/// `event: roster` of the policy stream whole: the notice, and the newest entry where it is short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEvent {
    /// What changed.
    #[serde(flatten)]
    pub notice: RosterNotice,
    /// The newest entry, without disclosures. Whoever lacks more than this one fetches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<ReceiptedFrame>,
}

/// `GET /v1/policy/stream?wait=`: what is newer than the caller has; nothing when the time ran out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsAnswer {
    /// As `event: policy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyEvent>,
    /// As `event: roster`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roster: Option<RosterEvent>,
}

/// `GET /v1/genesis`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisAnswer {
    /// Entry 0.
    pub entry: String,
    /// Its leaf hash; compare it with the one you were given on paper.
    pub leaf: Sha256,
    /// C2SP tlog-proof, once published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}
