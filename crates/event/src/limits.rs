//! Every size limit of an entry and its submission, with the reason for each number.

/// Largest entry in bytes: an entry bundle prefixes each entry with a `u16` (C2SP tlog-tiles).
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// Largest single disclosure in bytes, encoded.
///
/// Four file-write inputs of 192 KiB fit one frame; larger inputs are replaced by their SHA-256 and
/// length before freezing (see [`crate::disclosure::bounded_value`]).
pub const MAX_DISCLOSURE_BYTES: usize = 262_144;

/// Largest submission frame (entry and all its disclosures) in bytes.
pub const MAX_FRAME_BYTES: usize = 1_048_576;

/// Most disclosures in one entry: eight confidential members exist, the rest is room for `ext`.
pub const MAX_DISCLOSURES: usize = 256;

/// Most frames in one submission: one full entry bundle.
pub const MAX_FRAMES_PER_SUBMISSION: usize = 256;

/// Largest submission body in bytes: a full batch of average 2 KiB frames with a wide margin.
pub const MAX_SUBMISSION_BYTES: usize = 8 * 1_048_576;

/// Deepest nesting of JSON accepted from anybody: hook inputs nest below 20 in practice, and a
/// recursive reader must not be driven into its stack guard.
pub const MAX_JSON_DEPTH: usize = 64;

/// Largest integer accepted in JSON (2^53 - 1): beyond it JavaScript readers see another number.
pub const MAX_SAFE_INTEGER: u64 = 9_007_199_254_740_991;

/// Salt length of a disclosure in bytes (RFC 9901 section 4.2.1 recommends 128 bits).
pub const SALT_BYTES: usize = 16;

/// Longest identifier (person, device, team, session, tool use) in bytes; longest seen is 64.
pub const MAX_ID_BYTES: usize = 256;

/// Longest log origin in bytes (C2SP caps cosigner names at 255 through its ML-DSA message).
pub const MAX_ORIGIN_BYTES: usize = 255;
