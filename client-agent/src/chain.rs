//! One chain of entries: the in-memory key of this run, contiguous numbers, links.
//!
//! Owns freezing an entry at the next place. A frozen entry takes its place only with
//! [`Chain::advance`], so that an entry the spool refused leaves no hole. Pure but for salts.
//!
//! Source: `docs/formats/entry.md`, "Chains"; architecture of record, section 3.

use crate::random::{self, NoRandomness};
use cairn_event::body::{Body, ChainStart, PreviousChain};
use cairn_event::disclosure::{Disclosure, DisclosureError, bounded_value};
use cairn_event::encoding::to_base64url;
use cairn_event::json::to_canonical;
use cairn_event::key::SignError;
use cairn_event::payload::possession_message;
use cairn_event::redact::Redactor;
use cairn_event::{
    Context, EntryError, EntrySigner, Kid, Link, Payload, Sha256, SoftwareKey, freeze,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// An entry before it has a place.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What is said.
    pub body: Body,
    /// Circumstances; redactions are added when it is frozen.
    pub context: Context,
    /// Confidential members by name; secrets in them are redacted when it is frozen.
    pub confidential: Vec<(&'static str, Value)>,
    /// Device time in milliseconds since 1970.
    pub time_ms: u64,
}

/// Why an entry was not frozen.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The entry breaks a rule of its format or the key is gone.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A confidential member cannot be disclosed.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// A key refused to sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No salt.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// A frozen entry with its disclosures, not yet in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenFrame {
    /// `entry~disclosure~…~`.
    pub line: String,
    /// Leaf hash of the entry.
    pub leaf: Sha256,
    /// Its place in the chain.
    pub seq: u64,
}

/// The chain of this run.
pub struct Chain {
    origin: String,
    device: String,
    key: SoftwareKey,
    id: Kid,
    next_seq: u64,
    prev: Option<Sha256>,
}

/// Which key signs an entry of the chain.
#[derive(Clone, Copy)]
pub enum Signer<'a> {
    /// This run's chain key.
    Chain,
    /// The device key, for starts, heads and ends.
    Device(&'a dyn EntrySigner),
}

impl Chain {
    /// A chain with a fresh key; its first entry must be [`Chain::start_body`].
    ///
    /// Errors: [`NoRandomness`].
    pub fn new(origin: &str, device: &str) -> Result<Self, NoRandomness> {
        let seed = Zeroizing::new(random::bytes::<32>()?);
        let key = SoftwareKey::from_seed(&seed);
        let id = key.public_key().kid();
        let (origin, device) = (origin.to_owned(), device.to_owned());
        Ok(Self {
            origin,
            device,
            key,
            id,
            next_seq: 0,
            prev: None,
        })
    }

    /// The chain's identifier.
    pub fn id(&self) -> &Kid {
        &self.id
    }

    /// The place the next entry will have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The chain as the next one will name it; `None` before its first entry.
    pub fn as_previous(&self) -> Option<PreviousChain> {
        let seq = self.next_seq.checked_sub(1)?;
        Some(PreviousChain {
            chain: self.id.clone(),
            head: self.prev?,
            seq,
        })
    }

    /// The body of the first entry: the chain key with its proof of possession.
    ///
    /// Errors: [`SignError`].
    pub fn start_body(
        &self,
        daemon_version: &str,
        daemon_sha256: Sha256,
        previous: Option<PreviousChain>,
    ) -> Result<Body, SignError> {
        let message = possession_message(&self.device, &self.id, &self.origin);
        Ok(Body::ChainStart(ChainStart {
            daemon_version: daemon_version.to_owned(),
            daemon_sha256,
            key: self.key.public_key(),
            pop: to_base64url(&self.key.sign(&message)?),
            previous,
        }))
    }

    /// Freezes a draft at the next place, which stays free until [`Chain::advance`].
    ///
    /// Errors: [`FreezeError`]; nothing changed.
    pub fn freeze(
        &self,
        draft: Draft,
        redactor: &Redactor,
        signer: Signer<'_>,
    ) -> Result<FrozenFrame, FreezeError> {
        let mut context = draft.context;
        let mut disclosures = Vec::with_capacity(draft.confidential.len());
        for (name, mut value) in draft.confidential {
            context.redactions.extend(redactor.redact(name, &mut value));
            disclosures.push(disclose(name, bounded_value(value))?);
        }
        context.redactions.sort();
        context.redactions.dedup();
        let mut sd: Vec<String> = disclosures.iter().map(Disclosure::digest).collect();
        sd.sort();
        let payload = Payload {
            log: self.origin.clone(),
            time_ms: draft.time_ms,
            link: Some(Link {
                device: self.device.clone(),
                chain: self.id.clone(),
                seq: self.next_seq,
                prev: self.prev,
            }),
            context,
            body: draft.body,
            approvals: Vec::new(),
            sd,
            ext: None,
        };
        let frozen = match signer {
            Signer::Chain => freeze(&payload, &self.key)?,
            Signer::Device(device) => freeze(&payload, device)?,
        };
        let encoded = disclosures.iter().map(Disclosure::encoded);
        let line = cairn_event::frame::present(&frozen.entry, encoded);
        Ok(FrozenFrame {
            line,
            leaf: frozen.leaf,
            seq: self.next_seq,
        })
    }

    /// Takes the place of a frozen entry that is in the spool.
    pub fn advance(&mut self, frame: &FrozenFrame) {
        self.next_seq = frame.seq.saturating_add(1);
        self.prev = Some(frame.leaf);
    }
}

/// A disclosure of the value, or of its digest and length where it is too long even when bounded.
fn disclose(name: &str, value: Value) -> Result<Disclosure, FreezeError> {
    let text = to_canonical(&value);
    match Disclosure::new(random::bytes()?, name, value) {
        Err(DisclosureError::TooLong(_)) => {
            let digest = json!({ "bytes": text.len(), "sha256": Sha256::of(&text) });
            Ok(Disclosure::new(random::bytes()?, name, digest)?)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_event::Frame;
    use cairn_event::body::Heartbeat;

    fn draft() -> Draft {
        let body = Body::Heartbeat(Heartbeat {
            sessions: 0,
            spool_bytes: 0,
            spool_records: 0,
        });
        let confidential = vec![("host", json!({ "note": "PGPASSWORD=hunter22 psql" }))];
        Draft {
            body,
            context: Context::default(),
            confidential,
            time_ms: 5,
        }
    }

    #[test]
    fn entries_link_and_secrets_do_not_survive() {
        let redactor = Redactor::new().unwrap();
        let device = SoftwareKey::from_seed(&[1; 32]);
        let mut chain = Chain::new("log.example", "d_1").unwrap();
        assert_eq!(chain.as_previous(), None);
        let start = chain.start_body("0", Sha256([0; 32]), None).unwrap();
        let start = Draft {
            body: start,
            confidential: Vec::new(),
            ..draft()
        };
        let first = chain
            .freeze(start, &redactor, Signer::Device(&device))
            .unwrap();
        chain.advance(&first);
        let second = chain.freeze(draft(), &redactor, Signer::Chain).unwrap();
        let again = chain.freeze(draft(), &redactor, Signer::Chain).unwrap();
        assert_eq!(
            (second.seq, again.seq),
            (1, 1),
            "a frozen entry takes no place"
        );
        let frame = Frame::parse(&second.line).unwrap();
        assert_eq!(
            frame.entry().payload().link.as_ref().unwrap().prev,
            Some(first.leaf)
        );
        assert!(!format!("{frame:?}").contains("hunter22"));
        assert_eq!(frame.entry().payload().context.redactions.len(), 1);
        chain.advance(&second);
        let previous = chain.as_previous().unwrap();
        assert_eq!((previous.seq, previous.head), (1, second.leaf));
    }

    #[test]
    fn the_start_proves_that_the_device_holds_the_chain_key() {
        let device = SoftwareKey::from_seed(&[1; 32]);
        let chain = Chain::new("log.example", "d_1").unwrap();
        let body = chain.start_body("0", Sha256([0; 32]), None).unwrap();
        let redactor = Redactor::new().unwrap();
        let start = Draft {
            body,
            confidential: Vec::new(),
            ..draft()
        };
        let frozen = chain
            .freeze(start, &redactor, Signer::Device(&device))
            .unwrap();
        let frame = Frame::parse(&frozen.line).unwrap();
        frame.entry().verify(&device.public_key()).unwrap();
        let payload = frame.entry().payload();
        let Body::ChainStart(body) = &payload.body else {
            panic!("not a start")
        };
        let link = payload.link.as_ref().unwrap();
        assert_eq!((body.key.kid(), link.seq), (link.chain.clone(), 0));
        let message = possession_message("d_1", &link.chain, "log.example");
        let pop = cairn_event::encoding::from_base64url(&body.pop).unwrap();
        assert!(body.key.verifies(&message, &pop));
    }
}
