//! Device posture as entries carry it: a value per field, with how well it is known and how old.

use crate::encoding::Sha256;
use crate::json::to_canonical;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of a field that could not be established. It never counts as good.
pub const UNKNOWN: &str = "unknown";

/// One posture field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostureValue {
    /// Milliseconds between the observation and the entry.
    pub age_ms: u64,
    /// Evidence level reached, 0 (a name) to 5 (the vendor's own health statement, checked).
    pub evidence: u8,
    /// Where the value came from, for example `sysfs` or `efivarfs`; `fixture:` for test roots.
    pub source: String,
    /// `on`, `off`, `partial`, `unknown`, `not-applicable`, or free text for `os` and `kernel`.
    pub value: String,
}

impl PostureValue {
    /// A field that could not be established, with the reason as its source.
    pub fn unknown(reason: &str) -> Self {
        Self {
            age_ms: 0,
            evidence: 0,
            source: reason.to_owned(),
            value: UNKNOWN.to_owned(),
        }
    }

    /// Whether the value is known.
    pub fn is_known(&self) -> bool {
        self.value != UNKNOWN
    }
}

/// Posture by field name (`os`, `kernel`, `disk_encryption`, `secure_boot`, `endpoint_protection`…).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Posture(pub BTreeMap<String, PostureValue>);

impl Posture {
    /// The field's value, or `None` where it is absent or unknown.
    ///
    /// Trap: absent and unknown are one case on purpose, so that no condition can tell them apart.
    pub fn known(&self, field: &str) -> Option<&str> {
        self.0
            .get(field)
            .filter(|field| field.is_known())
            .map(|field| field.value.as_str())
    }

    /// SHA-256 over the canonical values, evidence and sources; ages are left out so that an
    /// unchanged device keeps its digest.
    pub fn digest(&self) -> Sha256 {
        let members = self.0.iter().map(|(name, field)| {
            let facts = serde_json::json!([field.value, field.evidence, field.source]);
            (name.clone(), facts)
        });
        Sha256::of(&to_canonical(&serde_json::Value::Object(members.collect())))
    }

    /// A copy with `elapsed_ms` added to every age.
    pub fn aged(&self, elapsed_ms: u64) -> Self {
        let mut copy = self.clone();
        for field in copy.0.values_mut() {
            field.age_ms = field.age_ms.saturating_add(elapsed_ms);
        }
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn posture(value: &str, age_ms: u64) -> Posture {
        let field = PostureValue {
            age_ms,
            evidence: 2,
            source: "sysfs".into(),
            value: value.into(),
        };
        Posture(BTreeMap::from([("disk_encryption".to_owned(), field)]))
    }

    #[test]
    fn digest_ignores_age_and_nothing_else() {
        assert_eq!(posture("on", 1).digest(), posture("on", 9).digest());
        assert_ne!(posture("on", 1).digest(), posture("off", 1).digest());
    }

    #[test]
    fn unknown_is_absent_to_conditions() {
        assert_eq!(posture("unknown", 0).known("disk_encryption"), None);
        assert_eq!(posture("on", 0).known("disk_encryption"), Some("on"));
        assert_eq!(posture("on", 0).known("secure_boot"), None);
    }
}
