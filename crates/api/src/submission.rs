//! Submitting frames and what comes back for each.

use crate::problem::Problem;
use cairn_event::Sha256;
use serde::{Deserialize, Serialize};

/// How far a submission should have come before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// Durable at its index.
    Sequenced,
    /// Under a checkpoint that everybody can fetch.
    Published,
    /// Under a published checkpoint whose cosignatures meet the server's trust policy.
    Witnessed,
}

impl Wait {
    /// The word in the query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sequenced => "sequenced",
            Self::Published => "published",
            Self::Witnessed => "witnessed",
        }
    }
}

/// Query of a submission.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitQuery {
    /// Default: `witnessed`.
    pub wait: Option<Wait>,
    /// Longest wait in milliseconds; the server caps it.
    pub timeout_ms: Option<u64>,
}

/// How far one frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Durable at its index; no receipt yet.
    Sequenced,
    /// Published without a witness quorum; the receipt shows the log's signature only.
    Published,
    /// Published and witnessed; the receipt is complete.
    Witnessed,
    /// Not admitted; see the problem.
    Refused,
}

/// The answer for one frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameResult {
    /// How far it came.
    pub status: Status,
    /// Its index; absent when refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// Its leaf hash; absent when it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf: Option<Sha256>,
    /// Whether the same bytes were in the log already.
    #[serde(default)]
    pub duplicate: bool,
    /// C2SP tlog-proof; absent before publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// The answer to a submission: one result a frame, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitResponse {
    /// In the order of the frames.
    pub results: Vec<FrameResult>,
}

/// `GET /v1/leaves/{leaf}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafIndex {
    /// The entry's index.
    pub index: u64,
}

/// `GET /v1/consistency?from=&to=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyAnswer {
    /// RFC 6962 consistency proof, standard base64.
    pub proof: Vec<String>,
}

/// `GET /v1/range?start=&end=&size=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeAnswer {
    /// Maximal subtrees left of the range, left to right, standard base64.
    pub left: Vec<String>,
    /// Maximal subtrees right of the range, left to right, standard base64.
    pub right: Vec<String>,
}

/// `GET /v1/checkpoints?after=&limit=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSizes {
    /// Ascending.
    pub sizes: Vec<u64>,
}
