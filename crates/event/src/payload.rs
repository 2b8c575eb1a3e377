//! The payload of an entry: its place, its context and its body, to and from canonical JSON.
//!
//! Source: `docs/formats/entry.md`, table "Members".

mod age;
mod wire;

use crate::approval::Approval;
use crate::body::{Body, Family};
use crate::disclosure::{holds_reserved, is_reserved};
use crate::encoding::{Sha256, is_digest};
use crate::json::{JsonError, parse_canonical, to_canonical};
use crate::key::Kid;
use crate::limits::{MAX_DISCLOSURES, MAX_ID_BYTES, MAX_ORIGIN_BYTES};
use crate::posture::Posture;
use crate::vocabulary::{Isolation, KeyProtection, Redaction};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::{Slot, Wire};

/// The version of the payload schema that this crate reads and writes.
pub const SCHEMA_VERSION: u64 = 1;

/// The one digest algorithm of disclosures (RFC 9901 section 4.1.1).
pub const SD_ALG: &str = "sha-256";

/// Everything an entry says.
#[derive(Clone, Debug, PartialEq)]
pub struct Payload {
    /// Origin of the log that the entry is meant for; no other log admits it.
    pub log: String,
    /// The writer's clock, milliseconds since 1970. A claim, not a fact.
    pub time_ms: u64,
    /// Place in a device's chain; present exactly for chained bodies.
    pub link: Option<Link>,
    /// Circumstances; all absent for administrative bodies.
    pub context: Context,
    /// What is said.
    pub body: Body,
    /// Further signatures of administrators; administrative bodies only.
    pub approvals: Vec<Approval>,
    /// Digests of the confidential members, sorted.
    pub sd: Vec<String>,
    /// Signed extension members; readers that do not know them ignore them.
    pub ext: Option<Value>,
}

/// The place of an entry in a device's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The device.
    pub device: String,
    /// The chain: thumbprint of the chain key.
    pub chain: Kid,
    /// Contiguous from 0.
    pub seq: u64,
    /// Leaf hash of the entry with `seq - 1`; absent exactly at 0.
    pub prev: Option<Sha256>,
}

/// The circumstances under which a device wrote an entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// The coding agent.
    pub agent: Option<Agent>,
    /// The newest checkpoint the device had verified: a lower bound of the time of writing.
    pub beacon: Option<Beacon>,
    /// What separates daemon and developer.
    pub isolation: Option<Isolation>,
    /// The person the device belongs to.
    pub person: Option<String>,
    /// Index of the policy entry in force on the device.
    pub policy: Option<u64>,
    /// How long before `time_ms` that policy was last known to be the newest, where that was long ago; it
    /// stands in `ext`.
    pub policy_age_ms: Option<u64>,
    /// Device posture; ages count up to `time_ms`.
    pub posture: Option<Posture>,
    /// Where the device key lives.
    pub protection: Option<KeyProtection>,
    /// What was replaced in confidential members before freezing.
    pub redactions: Vec<Redaction>,
    /// Index of the roster entry in force on the device.
    pub roster: Option<u64>,
    /// The agent's session identifier.
    pub session: Option<String>,
    /// The person's teams under that roster, sorted.
    pub teams: Vec<String>,
}

/// The coding agent that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// For example `claude-code`.
    pub name: String,
    /// SHA-256 of its executable; absent where it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// Its version; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A checkpoint seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beacon {
    /// Root hash.
    pub root: Sha256,
    /// Tree size.
    pub size: u64,
}

/// Why a payload was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Not canonical JSON.
    #[error("payload: {0}")]
    Json(#[from] JsonError),
    /// Members missing, unknown, of the wrong type, or written in a second way.
    #[error("payload members: {0}")]
    Members(String),
    /// A version this reader does not know: the entry can be checked for integrity only.
    #[error("payload has schema version {0}, this reader knows {SCHEMA_VERSION}")]
    UnknownVersion(u64),
    /// A type that version 1 does not have.
    #[error("payload type `{0}` is not known")]
    UnknownType(String),
    /// A chained body without a place in a chain, or the reverse.
    #[error("payload type `{0}` and its chain members do not fit")]
    Family(&'static str),
    /// `prev` absent after 0 or present at 0.
    #[error("payload has seq {0} and the wrong presence of prev")]
    Prev(u64),
    /// An identifier is empty, too long or holds control characters.
    #[error("payload member `{0}` is not a plain identifier of 1 to {MAX_ID_BYTES} bytes")]
    Identifier(&'static str),
    /// A list that must be sorted without duplicates is not.
    #[error("payload member `{0}` is not sorted or repeats an element")]
    Order(&'static str),
    /// A digest of a disclosure that is not base64url of 32 bytes.
    #[error("payload member `{0}` holds a digest that is not base64url of 32 bytes")]
    Digest(&'static str),
    /// A member that RFC 9901 gives a meaning, below the top level.
    #[error("payload member `{0}` holds a member `_sd` or `...`")]
    Reserved(&'static str),
    /// An erasure that names nothing.
    #[error("payload member `digests` is empty")]
    NothingErased,
    /// More disclosures than allowed.
    #[error("payload lists {0} disclosures, more than {MAX_DISCLOSURES}")]
    TooManyDisclosures(usize),
}

impl Payload {
    /// Reads canonical payload bytes.
    ///
    /// Errors: [`PayloadError`]; an unknown version is its own case because such an entry can still
    /// be checked for integrity.
    pub fn parse(bytes: &[u8]) -> Result<Self, PayloadError> {
        let payload = match Wire::read_plain(bytes) {
            Some(wire) => Self::from_wire(wire)?,
            None => Self::from_tree(bytes)?,
        };
        payload.check()?;
        Ok(payload)
    }

    /// The long way: builds the tree, and names what is wrong.
    fn from_tree(bytes: &[u8]) -> Result<Self, PayloadError> {
        let value = parse_canonical(bytes)?;
        match value.get("v").and_then(Value::as_u64) {
            Some(SCHEMA_VERSION) => {}
            Some(other) => return Err(PayloadError::UnknownVersion(other)),
            None => return Err(PayloadError::Members("`v` is missing".into())),
        }
        let mut wire: Wire = serde_json::from_value(value.clone()).map_err(members)?;
        let body = value.get("body").cloned().unwrap_or_default();
        let body = Body::from_value(&wire.kind, body)
            .ok_or_else(|| PayloadError::UnknownType(wire.kind.clone()))?;
        wire.body = Slot(Some(body.map_err(members)?));
        let payload = Self::from_wire(wire)?;
        // A null, an empty list or a default written out would be a second way to say the same.
        if payload.to_value()? != value {
            return Err(PayloadError::Members(
                "a member is written in a second way".into(),
            ));
        }
        Ok(payload)
    }

    /// The canonical bytes.
    ///
    /// Errors: [`PayloadError`] when the payload breaks a rule of the format; a writer's mistake.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PayloadError> {
        self.check()?;
        let bytes = to_canonical(&self.to_value()?);
        // Floats or unsafe integers hidden in `ext` would make the bytes unreadable to everybody.
        parse_canonical(&bytes)?;
        Ok(bytes)
    }

    /// The payload as a JSON value, members unsorted.
    pub fn to_value(&self) -> Result<Value, PayloadError> {
        let context = self.context.clone();
        let link = self.link.clone();
        let wire = Wire {
            sd: self.sd.clone(),
            sd_alg: (!self.sd.is_empty()).then(|| SD_ALG.to_owned()),
            agent: context.agent,
            approvals: self.approvals.clone(),
            beacon: context.beacon,
            body: Slot(Some(self.body.clone())),
            chain: link.as_ref().map(|link| link.chain.clone()),
            device: link.as_ref().map(|link| link.device.clone()),
            ext: age::put(context.policy_age_ms, self.ext.clone()),
            isolation: context.isolation,
            log: self.log.clone(),
            person: context.person,
            policy: context.policy,
            posture: context.posture,
            prev: link.as_ref().and_then(|link| link.prev),
            protection: context.protection,
            redactions: context.redactions,
            roster: context.roster,
            seq: link.as_ref().map(|link| link.seq),
            session: context.session,
            teams: context.teams,
            time_ms: self.time_ms,
            kind: self.body.kind().to_owned(),
            v: SCHEMA_VERSION,
        };
        serde_json::to_value(wire).map_err(members)
    }

    fn from_wire(wire: Wire) -> Result<Self, PayloadError> {
        let Some(body) = wire.body.0 else {
            return Err(PayloadError::Members("`body` is missing".into()));
        };
        if wire.sd_alg.as_deref().unwrap_or(SD_ALG) != SD_ALG {
            return Err(PayloadError::Members("`_sd_alg` is not sha-256".into()));
        }
        let link = match (wire.device, wire.chain, wire.seq) {
            (Some(device), Some(chain), Some(seq)) => Some(Link {
                device,
                chain,
                seq,
                prev: wire.prev,
            }),
            (None, None, None) if wire.prev.is_none() => None,
            _ => return Err(PayloadError::Family(body.kind())),
        };
        // Only a device has a policy in force: in other entries the member means nothing.
        let (policy_age_ms, ext) = match link {
            Some(_) => age::taken(wire.ext),
            None => (None, wire.ext),
        };
        let context = Context {
            agent: wire.agent,
            beacon: wire.beacon,
            isolation: wire.isolation,
            person: wire.person,
            policy: wire.policy,
            policy_age_ms,
            posture: wire.posture,
            protection: wire.protection,
            redactions: wire.redactions,
            roster: wire.roster,
            session: wire.session,
            teams: wire.teams,
        };
        let (log, time_ms) = (wire.log, wire.time_ms);
        let (approvals, sd) = (wire.approvals, wire.sd);
        Ok(Self {
            log,
            time_ms,
            link,
            context,
            body,
            approvals,
            sd,
            ext,
        })
    }

    fn check(&self) -> Result<(), PayloadError> {
        let kind = self.body.kind();
        let chained = self.body.family() == Family::Chained;
        let plain = self.context == Context::default();
        if chained != self.link.is_some()
            || (chained && !self.approvals.is_empty())
            || (!chained && !plain)
        {
            return Err(PayloadError::Family(kind));
        }
        if let Some(link) = &self.link {
            if link.prev.is_some() != (link.seq > 0) {
                return Err(PayloadError::Prev(link.seq));
            }
            identifier("device", &link.device)?;
            identifier("chain", &link.chain.0)?;
        }
        if self.log.is_empty() || self.log.len() > MAX_ORIGIN_BYTES {
            return Err(PayloadError::Identifier("log"));
        }
        for (name, value) in [
            ("person", &self.context.person),
            ("session", &self.context.session),
        ] {
            value
                .as_deref()
                .map_or(Ok(()), |value| identifier(name, value))?;
        }
        self.context
            .teams
            .iter()
            .try_for_each(|team| identifier("teams", team))?;
        sorted("teams", &self.context.teams)?;
        sorted("redactions", &self.context.redactions)?;
        sorted("_sd", &self.sd)?;
        if self.sd.len() > MAX_DISCLOSURES {
            return Err(PayloadError::TooManyDisclosures(self.sd.len()));
        }
        self.check_confidential()
    }

    /// What an SD-JWT library reads must be what this crate reads.
    fn check_confidential(&self) -> Result<(), PayloadError> {
        digests("_sd", &self.sd)?;
        if self.ext.as_ref().is_some_and(holds_reserved) {
            return Err(PayloadError::Reserved("ext"));
        }
        let fields = self.context.posture.iter().flat_map(|posture| &posture.0);
        if fields.into_iter().any(|(field, _)| is_reserved(field)) {
            return Err(PayloadError::Reserved("posture"));
        }
        if let Body::Erasure(erasure) = &self.body {
            if erasure.digests.is_empty() {
                return Err(PayloadError::NothingErased);
            }
            sorted("digests", &erasure.digests)?;
            digests("digests", &erasure.digests)?;
        }
        Ok(())
    }
}

/// The message that the chain key signs in a `chain.start` to prove that the device holds it:
/// `cairn-chain-start-v1\n` and the hex SHA-256 of `device \n chain \n log`.
pub fn possession_message(device: &str, chain: &Kid, log: &str) -> Vec<u8> {
    let bound = Sha256::of(format!("{device}\n{chain}\n{log}").as_bytes());
    format!("cairn-chain-start-v1\n{bound}").into_bytes()
}

fn identifier(name: &'static str, value: &str) -> Result<(), PayloadError> {
    let plain = !value.is_empty()
        && value.len() <= MAX_ID_BYTES
        && !value
            .chars()
            .any(|letter| letter.is_control() || letter.is_whitespace());
    if plain {
        Ok(())
    } else {
        Err(PayloadError::Identifier(name))
    }
}

fn sorted<T: Ord>(name: &'static str, list: &[T]) -> Result<(), PayloadError> {
    let strictly_ascending = list.is_sorted_by(|left, right| left < right);
    if strictly_ascending {
        Ok(())
    } else {
        Err(PayloadError::Order(name))
    }
}

/// SHA-256 as `_sd` lists it: 43 characters.
fn digests(name: &'static str, list: &[String]) -> Result<(), PayloadError> {
    if list.iter().all(|digest| is_digest(digest)) {
        Ok(())
    } else {
        Err(PayloadError::Digest(name))
    }
}

fn members(error: serde_json::Error) -> PayloadError {
    PayloadError::Members(error.to_string())
}
