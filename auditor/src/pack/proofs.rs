//! Proof files: the checkpoint, the range proof, and entries with inclusion proofs.
//!
//! Owns their JSON shapes and the check of one proven entry. Source: `docs/formats/pack.md`, "proofs".

use cairn_event::Sha256;
use cairn_tlog::{Hash, HashParseError, RangeProof, VerifyError, leaf_hash, verify_inclusion};
use serde::{Deserialize, Serialize};

/// `proofs/range.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeFile {
    /// Index after the last row.
    pub end: u64,
    /// Complete subtrees left of the range, largest first, base64.
    pub left: Vec<String>,
    /// Complete subtrees right of the range, left to right, base64.
    pub right: Vec<String>,
    /// Leaves of the tree.
    pub size: u64,
    /// First row.
    pub start: u64,
}

/// An entry that is proven on its own: `proofs/genesis.json` and each line of the context file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenEntry {
    /// Encoded disclosures that are present.
    pub disclosures: Vec<String>,
    /// The exact entry bytes, which are ASCII.
    pub entry: String,
    /// Index in the log.
    pub index: u64,
    /// Inclusion proof in the pack's tree, base64, the leaf's sibling first.
    pub proof: Vec<String>,
}

/// Why a proof file does not prove anything.
#[derive(Debug, thiserror::Error)]
pub enum ProofFileError {
    /// Not the JSON it should be.
    #[error("not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A hash is not base64 of 32 bytes.
    #[error(transparent)]
    Hash(#[from] HashParseError),
    /// The proof does not lead to the root.
    #[error(transparent)]
    Proof(#[from] VerifyError),
}

impl RangeFile {
    /// A range proof as a file.
    pub fn new(start: u64, end: u64, size: u64, proof: &RangeProof) -> Self {
        let text = |hashes: &[Hash]| hashes.iter().map(Hash::to_string).collect();
        Self {
            end,
            left: text(&proof.left),
            right: text(&proof.right),
            size,
            start,
        }
    }

    /// The proof itself.
    ///
    /// Errors: [`ProofFileError::Hash`].
    pub fn proof(&self) -> Result<RangeProof, ProofFileError> {
        Ok(RangeProof {
            left: hashes(&self.left)?,
            right: hashes(&self.right)?,
        })
    }
}

impl ProvenEntry {
    /// Reads one line.
    ///
    /// Errors: [`ProofFileError::Json`].
    pub fn parse(line: &str) -> Result<Self, ProofFileError> {
        Ok(serde_json::from_str(line)?)
    }

    /// Checks the inclusion proof.
    ///
    /// Errors: [`ProofFileError`].
    pub fn check(&self, size: u64, root: &Sha256) -> Result<(), ProofFileError> {
        let leaf = leaf_hash(self.entry.as_bytes());
        verify_inclusion(
            &leaf,
            self.index,
            size,
            &hashes(&self.proof)?,
            &Hash(root.0),
        )?;
        Ok(())
    }
}

fn hashes(texts: &[String]) -> Result<Vec<Hash>, HashParseError> {
    texts.iter().map(|text| Hash::from_base64(text)).collect()
}
