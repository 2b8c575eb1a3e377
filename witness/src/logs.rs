//! The logs a witness serves: their keys by origin, and origins by their public hash.
//!
//! Owns look-up only; keys come from the configuration. Source: C2SP tlog-witness (monitoring
//! prefix: lower-case hex of SHA-256 of the origin).

use std::collections::BTreeMap;

use cairn_tlog::VerifierKey;
use sha2::{Digest as _, Sha256};

/// Keys of the served logs. One origin may have several, while its log changes keys.
#[derive(Debug, Clone, Default)]
pub struct LogSet {
    keys: BTreeMap<String, Vec<VerifierKey>>,
    origins: BTreeMap<String, String>,
}

impl LogSet {
    /// The keys of an origin; empty when the origin is not served.
    #[must_use]
    pub fn keys_of(&self, origin: &str) -> &[VerifierKey] {
        self.keys.get(origin).map_or(&[], Vec::as_slice)
    }

    /// The origin whose SHA-256 is this lower-case hex text.
    #[must_use]
    pub fn origin_by_hash(&self, hash: &str) -> Option<&str> {
        self.origins.get(hash).map(String::as_str)
    }

    /// Number of origins served.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no origin is served.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl FromIterator<VerifierKey> for LogSet {
    fn from_iter<I: IntoIterator<Item = VerifierKey>>(keys: I) -> Self {
        let mut set = Self::default();
        for key in keys {
            let origin = key.name().to_owned();
            set.origins.insert(origin_hash(&origin), origin.clone());
            set.keys.entry(origin).or_default().push(key);
        }
        set
    }
}

/// Lower-case hex of SHA-256 of an origin, the name of its monitoring folder.
#[must_use]
pub fn origin_hash(origin: &str) -> String {
    hex::encode(Sha256::digest(origin))
}
