//! The manifest of a pack: what it covers, and the digest of every other file.
//!
//! Owns the JSON shape. The manifest is canonical JSON (RFC 8785); its SHA-256 is the *pack root*,
//! which both the exporter and the auditor print. Source: `docs/formats/pack.md`, "manifest".

use cairn_event::Sha256;
use cairn_event::json::{self, JsonError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The word in `format`.
pub const FORMAT: &str = "cairn-pack";

/// The only version of the pack format this crate reads.
pub const SCHEMA: u64 = 1;

/// Largest manifest accepted: a file list of ten thousand bundles with room.
pub const MAX_MANIFEST_BYTES: u64 = 16 * 1024 * 1024;

/// What a pack is and which files it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Every other file, by path.
    pub files: Vec<FileDigest>,
    /// Always [`FORMAT`].
    pub format: String,
    /// Frameworks whose controls were looked at, sorted.
    pub frameworks: Vec<String>,
    /// Leaf hash of entry 0. Compare with the one you pinned.
    pub genesis: Sha256,
    /// Origin of the log.
    pub origin: String,
    /// The rows.
    pub range: RangeOf,
    /// Always [`SCHEMA`].
    pub schema: u64,
    /// What made the pack, by name: crate and format versions.
    pub tools: BTreeMap<String, String>,
    /// Counts to compare with one's own.
    pub totals: Totals,
    /// The tree the rows are proven in.
    pub tree: TreeOf,
}

/// A file and its digest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    /// Path in the pack, with forward slashes.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
}

/// An index range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeOf {
    /// First index.
    pub start: u64,
    /// Index after the last one.
    pub end: u64,
}

/// A tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeOf {
    /// Its head.
    pub root: Sha256,
    /// Its leaves.
    pub size: u64,
}

/// Control totals.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Confidential members by state: `present`, `withheld`, `erased`.
    pub disclosures: BTreeMap<String, u64>,
    /// Decisions by effect.
    pub effects: BTreeMap<String, u64>,
    /// Rows by entry type; `unknown` for those of another version.
    pub kinds: BTreeMap<String, u64>,
    /// Rows.
    pub rows: u64,
}

impl Totals {
    /// Counts a row.
    pub fn add(&mut self, row: &crate::evidence::EventRow) {
        let bump = |map: &mut BTreeMap<String, u64>, name: &str, by: i64| {
            let slot = map.entry(name.to_owned()).or_default();
            *slot = slot.saturating_add(u64::try_from(by).unwrap_or_default());
        };
        self.rows = self.rows.saturating_add(1);
        bump(
            &mut self.kinds,
            row.entry_type.as_deref().unwrap_or("unknown"),
            1,
        );
        if row.event_type.as_deref() == Some("tool.decision") {
            bump(
                &mut self.effects,
                row.decision.as_deref().unwrap_or("unknown"),
                1,
            );
        }
        bump(&mut self.disclosures, "present", row.disclosures_present);
        bump(&mut self.disclosures, "withheld", row.disclosures_withheld);
        bump(&mut self.disclosures, "erased", row.disclosures_erased);
    }
}

/// Why bytes are not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not canonical JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Members missing, unknown or of the wrong type.
    #[error("manifest members: {0}")]
    Members(#[from] serde_json::Error),
    /// Another format or version.
    #[error("manifest is of format `{format}` version {schema}")]
    Version {
        /// The word in `format`.
        format: String,
        /// The number in `schema`.
        schema: u64,
    },
    /// A path that could leave the folder, or paths that are not sorted.
    #[error("manifest lists `{0}`, which is not a plain path in its place of the order")]
    Path(String),
}

impl Manifest {
    /// Reads a manifest strictly.
    ///
    /// Errors: [`ManifestError`]; the pack is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_value(json::parse_canonical(bytes)?)?;
        if manifest.format != FORMAT || manifest.schema != SCHEMA {
            let (format, schema) = (manifest.format, manifest.schema);
            return Err(ManifestError::Version { format, schema });
        }
        let mut before = "";
        for file in &manifest.files {
            if !is_plain(&file.path) || file.path.as_str() <= before {
                return Err(ManifestError::Path(file.path.clone()));
            }
            before = &file.path;
        }
        Ok(manifest)
    }

    /// The canonical bytes; their SHA-256 is the pack root.
    ///
    /// Errors: only if serialisation fails, which these types do not.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(json::to_canonical(&serde_json::to_value(self)?))
    }
}

/// Whether a path stays inside the pack: parts of `[A-Za-z0-9._-]`, none of them `.` or `..`.
fn is_plain(path: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    path.split('/')
        .all(|part| !part.is_empty() && part != "." && part != ".." && part.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert!(is_plain("data/events.parquet"));
        for path in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\\b", "a/."] {
            assert!(!is_plain(path), "{path}");
        }
    }
}
