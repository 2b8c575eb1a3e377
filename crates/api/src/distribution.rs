//! What an agent fetches to know its policy: genesis, roster entries, the policy entry.

use cairn_event::Sha256;
use serde::{Deserialize, Serialize};

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

/// `GET /v1/roster?after_revision=`: roster entries in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterAnswer {
    /// Ascending revisions without gaps.
    pub entries: Vec<ReceiptedFrame>,
}

/// `GET /v1/policy`: the newest published policy entry and its bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyAnswer {
    /// Index of the policy entry.
    pub index: u64,
    /// The entry.
    pub entry: String,
    /// C2SP tlog-proof.
    pub receipt: String,
    /// The bundle's bytes, base64url.
    pub bundle: String,
}

/// Data of `event: policy` in the policy stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyNotice {
    /// Index of the policy entry.
    pub index: u64,
    /// The bundle's version.
    pub version: u64,
    /// The bundle's digest.
    pub bundle_sha256: Sha256,
}

/// Data of `event: roster` in the policy stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterNotice {
    /// Index of the roster entry.
    pub index: u64,
    /// Its revision.
    pub revision: u64,
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
