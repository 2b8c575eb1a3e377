//! The members of a payload as they are written, and reading them without building a tree.
//!
//! Owns the names, order and presence of the members, and the short way in: bytes that are canonical
//! and that writing the members again gives back. It does not own what members mean (`payload`).
//!
//! Trap: the fields are in the order of RFC 8785; the short way relies on it.

use super::{Agent, Beacon, SCHEMA_VERSION, SD_ALG};
use crate::approval::Approval;
use crate::body::Body;
use crate::canonical::canonical_member;
use crate::encoding::Sha256;
use crate::key::Kid;
use crate::posture::Posture;
use crate::vocabulary::{Isolation, KeyProtection, Redaction};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::io;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wire {
    #[serde(rename = "_sd", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sd: Vec<String>,
    #[serde(rename = "_sd_alg", skip_serializing_if = "Option::is_none")]
    pub(super) sd_alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) agent: Option<Agent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) approvals: Vec<Approval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) beacon: Option<Beacon>,
    pub(super) body: Slot,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chain: Option<Kid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ext: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) isolation: Option<Isolation>,
    pub(super) log: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) person: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) posture: Option<Posture>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prev: Option<Sha256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protection: Option<KeyProtection>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) redactions: Vec<Redaction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) roster: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) teams: Vec<String>,
    pub(super) time_ms: u64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) v: u64,
}

/// The member `body`. Its shape hangs on `type`, which comes later: it is passed over when the
/// members are read, and read by itself.
pub(super) struct Slot(pub(super) Option<Body>);

impl Serialize for Slot {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(body) => body.serialize_inner(writer),
            None => writer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(reader).map(|_| Self(None))
    }
}

impl Wire {
    /// Reads canonical bytes of this version in which nothing is written in a second way.
    ///
    /// `None` says nothing about the bytes: the long way over a tree decides, and says why not.
    pub(super) fn read_plain(bytes: &[u8]) -> Option<Self> {
        let body = canonical_member(bytes, "body")?;
        let mut wire: Self = serde_json::from_slice(bytes).ok()?;
        if wire.v != SCHEMA_VERSION {
            return None;
        }
        wire.body = Slot(Some(Body::from_slice(&wire.kind, body)?.ok()?));
        let given = wire.sd_alg.take();
        wire.sd_alg = (!wire.sd.is_empty()).then(|| SD_ALG.to_owned());
        (given == wire.sd_alg && wire.writes(bytes)).then_some(wire)
    }

    /// Whether writing the members gives exactly `bytes`.
    fn writes(&self, bytes: &[u8]) -> bool {
        let mut same = Same { rest: bytes };
        serde_json::to_writer(&mut same, self).is_ok() && same.rest.is_empty()
    }
}

/// Compares what is written with what is expected, without keeping it.
struct Same<'a> {
    rest: &'a [u8],
}

impl io::Write for Same<'_> {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        match self.rest.strip_prefix(written) {
            Some(rest) => {
                self.rest = rest;
                Ok(written.len())
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Context, Link, Payload};
    use super::*;
    use crate::body::Heartbeat;
    use crate::json::to_canonical;
    use serde_json::json;

    fn plain() -> Payload {
        Payload {
            log: "log.example.com".into(),
            time_ms: 1,
            link: Some(Link {
                device: "d_1".into(),
                chain: Kid("k".into()),
                seq: 1,
                prev: Some(Sha256([1; 32])),
            }),
            context: Context {
                session: Some("s \"quoted\" \u{e9}\n".into()),
                teams: vec!["a".into()],
                ..Context::default()
            },
            body: Body::Heartbeat(Heartbeat {
                sessions: 0,
                spool_bytes: 9_007_199_254_740_991,
                spool_records: 0,
            }),
            approvals: vec![],
            sd: vec![],
            ext: Some(json!({ "a": [1, null], "b": { "c": "d" } })),
        }
    }

    #[test]
    fn what_a_writer_freezes_is_read_the_short_way_with_the_same_meaning() {
        let value = plain().to_value().unwrap();
        let bytes = to_canonical(&value);
        let wire = Wire::read_plain(&bytes).unwrap();
        assert_eq!(Payload::from_wire(wire), Payload::from_tree(&bytes));
        assert_eq!(Payload::from_tree(&bytes), Ok(plain()));
    }

    #[test]
    fn second_ways_are_left_to_the_long_way_which_refuses_them() {
        let edits: [(&str, Value); 7] = [
            ("agent", Value::Null),
            ("redactions", json!([])),
            ("_sd", json!([])),
            ("_sd_alg", json!(SD_ALG)),
            ("v", json!(2)),
            ("more", json!(1)),
            ("body", json!([0, 0, 0])),
        ];
        for (name, value) in edits {
            let mut edited = plain().to_value().unwrap();
            edited[name] = value;
            let bytes = to_canonical(&edited);
            assert!(Wire::read_plain(&bytes).is_none(), "{name}");
            assert!(Payload::from_tree(&bytes).is_err(), "{name}");
        }
    }
}
