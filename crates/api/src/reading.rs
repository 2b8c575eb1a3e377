//! Reading the confidential members of many entries: announced once, then given in parts.
//!
//! Owns the wire types. A part is lines of JSON: one [`EntryDisclosures`] for each entry that has any,
//! by ascending index, then one [`PartEnd`]; a part without its last line was cut off.
//! Source: `docs/formats/http.md`, "Readings".

use crate::browse::DisclosureState;
use serde::{Deserialize, Serialize};

/// Media type of a part.
pub const MEDIA_TYPE: &str = "application/x-ndjson";

/// Most entries that one part looks at: 8 bundles, so that a token that is withdrawn is noticed soon.
pub const MAX_PART_ENTRIES: u64 = 2_048;

/// Longest purpose in bytes; it stands in the log for ever, in clear.
pub const MAX_PURPOSE_BYTES: usize = 256;

/// What will be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingRequest {
    /// Index after the last entry of the range.
    pub end: u64,
    /// Why, in words, up to [`MAX_PURPOSE_BYTES`]; anybody who reads the log can read it.
    pub purpose: String,
    /// First index of the range.
    pub start: u64,
}

/// A reading that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingStarted {
    /// Confidential members of the range that are held and not erased.
    pub disclosures: u64,
    /// Index of the entry that says so: it names the reading in requests for its parts.
    pub reading: u64,
}

/// One disclosure of an entry and what is held of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDisclosure {
    /// As in `_sd`.
    pub digest: String,
    /// The encoded disclosure, where present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoded: Option<String>,
    /// What is held.
    pub state: DisclosureState,
}

/// The confidential members of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryDisclosures {
    /// In the order of `_sd`.
    pub disclosures: Vec<HeldDisclosure>,
    /// Index of the entry.
    pub index: u64,
}

/// The last line of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEnd {
    /// How many entries were given before it.
    pub entries: u64,
    /// The first index that was not looked at: the end of what was asked for, or less where the part
    /// would have grown too large.
    pub next: u64,
}
