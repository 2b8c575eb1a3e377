//! What the last canary proved, and what this machine's enforcement amounts to.
//!
//! Owns `canary.json` in the state folder and the words for it. "Enforced" needs a proof that fits the
//! installation and the agent's program as they are now, and that is not old.

use super::drift::{Drift, drifts};
use super::manifest::{Manifest, ManifestError};
use super::place::Place;
use crate::state::{FILE_MODE, StateDir};
use crate::wrapper::file_number;
use cairn_event::Sha256;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Largest proof file.
const BYTES_MAX: u64 = 64 * 1024;

/// How long a proof counts: two days, so that a daily canary may be missed once.
const PROOF_AGE_MAX_MS: u64 = 2 * 24 * 3_600 * 1_000;

/// What a canary proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Digest of the installation's manifest.
    pub installation: Sha256,
    /// The agent's program.
    pub program: PathBuf,
    /// Which file that was: device, number, length, change.
    pub file: [i128; 5],
    /// Its version.
    pub version: String,
    /// Session in which it was proven.
    pub session: String,
    /// Log index of the call that was allowed and ran.
    pub allowed: u64,
    /// Log index of the call that was denied and did not run.
    pub denied: u64,
}

impl Proof {
    /// Reads the proof of a state folder; `None` where there is none that can be read.
    pub fn load(state: &StateDir) -> Option<Self> {
        let bytes = cairn_durable::read_limited(&state.canary(), BYTES_MAX).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes it.
    ///
    /// Errors: what the encoder or the file system says.
    pub fn save(&self, state: &StateDir) -> std::io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        cairn_durable::write_atomic(&state.canary(), &bytes, FILE_MODE)
            .map_err(std::io::Error::other)
    }
}

/// What this machine's enforcement amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is installed: only `cairn claude` is under Cairn.
    Unmanaged,
    /// The manifest is not believed.
    Doubtful(String),
    /// Files are not as installed.
    Changed(Vec<Drift>),
    /// Nothing proves that the agent obeys; why.
    NotProven(String),
    /// A canary proved it.
    Enforced(Proof),
}

impl Standing {
    /// The line of `cairn status`.
    pub fn sentence(&self, now_ms: u64, monitors: bool) -> String {
        match self {
            Self::Unmanaged => {
                "bypassable: unprivileged wrapper (calling `claude` directly is outside Cairn)"
                    .to_owned()
            }
            Self::Doubtful(problem) => format!("not proven: {problem}"),
            Self::Changed(found) => format!(
                "not proven: the managed installation was changed in {} places; see `cairn doctor`",
                found.len()
            ),
            Self::NotProven(why) => format!("installed, not proven: {why}; run `cairn canary`"),
            Self::Enforced(proof) => {
                let hours = now_ms.saturating_sub(proof.at_ms) / 3_600_000;
                let word = if monitors {
                    "managed, but the policy in force only monitors"
                } else {
                    "enforced"
                };
                format!(
                    "{word}: Claude Code {} obeyed a canary {hours} h ago (allowed: log index {}, \
                     denied: log index {})",
                    proof.version, proof.allowed, proof.denied
                )
            }
        }
    }

    /// One word for programs.
    pub fn word(&self, monitors: bool) -> &'static str {
        match self {
            Self::Unmanaged => "bypassable",
            Self::Doubtful(_) | Self::Changed(_) => "changed",
            Self::NotProven(_) => "not-proven",
            Self::Enforced(_) if monitors => "monitoring",
            Self::Enforced(_) => "enforced",
        }
    }
}

/// How the installation at `place` stands for the device of `state`.
pub fn standing(place: &Place, state: &StateDir, now_ms: u64) -> Standing {
    let manifest = match Manifest::load(place) {
        Ok(manifest) => manifest,
        Err(ManifestError::None) => return Standing::Unmanaged,
        Err(error) => return Standing::Doubtful(error.to_string()),
    };
    let found = drifts(place, &manifest);
    if !found.is_empty() {
        return Standing::Changed(found);
    }
    let Some(proof) = Proof::load(state) else {
        return Standing::NotProven("no canary went through Claude Code yet".to_owned());
    };
    let problem = if proof.installation != manifest.digest() {
        Some("the installation was renewed since the last canary")
    } else if file_number(&proof.program) != Some(proof.file) {
        Some("Claude Code was changed since the last canary")
    } else if now_ms.saturating_sub(proof.at_ms) > PROOF_AGE_MAX_MS {
        Some("the last canary is more than two days old")
    } else {
        None
    };
    match problem {
        Some(problem) => Standing::NotProven(problem.to_owned()),
        None => Standing::Enforced(proof),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proof_makes_it_enforced() {
        let proof = Proof {
            at_ms: 0,
            installation: Sha256::of(b"x"),
            program: PathBuf::from("/claude"),
            file: [0; 5],
            version: "2.1.330".to_owned(),
            session: "s".to_owned(),
            allowed: 7,
            denied: 9,
        };
        let enforced = Standing::Enforced(proof);
        assert!(enforced.sentence(0, false).starts_with("enforced: "));
        assert!(!enforced.sentence(0, true).contains("enforced"));
        for other in [
            Standing::Unmanaged,
            Standing::Doubtful("x".to_owned()),
            Standing::Changed(Vec::new()),
            Standing::NotProven("x".to_owned()),
        ] {
            assert!(!other.sentence(0, false).contains("enforced"), "{other:?}");
        }
    }
}
