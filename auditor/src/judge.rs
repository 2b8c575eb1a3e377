//! Judging entries in the order of the log: who signed, with what authority, at which place.
//!
//! Owns the walk and what an auditor adds to `cairn_identity::Ledger`: a reader that does not begin
//! at entry 0. Such a reader is given the administrative entries and the chain starts from before its
//! range, each with an inclusion proof, and takes the first entry of a continued chain at its word
//! for `seq` and `prev`; every later entry of the chain must follow it.
//! Source: `docs/formats/administrative.md`, architecture section 3 ("Chains").

use cairn_event::body::Body;
use cairn_event::{Entry, EntryError, Integrity, Kid, PublicKey};
use cairn_identity::chain::{Signer, signer_of};
use cairn_identity::{ChainState, Flag, Ledger, Refusal};
use std::collections::BTreeMap;

/// Why an entry is not what it claims to be.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The bytes are not an entry.
    #[error("not an entry: {0}")]
    Bytes(EntryError),
    /// No key, no authority, or the wrong place.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The signature is not valid.
    #[error(transparent)]
    Signature(EntryError),
    /// Entries must come in ascending order.
    #[error("entry {index} comes after entry {after}")]
    Order {
        /// The entry.
        index: u64,
        /// The index that was expected or later.
        after: u64,
    },
}

/// What judging one entry brought.
#[derive(Debug)]
pub struct Judgement {
    /// The key whose signature must be valid; `None` for an entry of an unknown version.
    pub key: Option<PublicKey>,
    /// What an auditor must be told.
    pub flags: Vec<Flag>,
}

/// Entry bytes as far as this version can read them.
#[derive(Debug)]
pub enum Reading {
    /// A version 1 entry.
    Known(Box<Entry>),
    /// Another version: integrity only.
    Foreign,
    /// Not an entry.
    Damaged(EntryError),
}

impl Reading {
    /// Reads entry bytes of any version.
    pub fn of(bytes: &[u8]) -> Self {
        match Entry::parse(bytes) {
            Ok(entry) => Self::Known(Box::new(entry)),
            Err(error) => match Integrity::parse(bytes) {
                Ok(outer) if is_foreign(&outer, &error) => Self::Foreign,
                _ => Self::Damaged(error),
            },
        }
    }

    /// The entry, where it was read.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Known(entry) => Some(entry),
            _ => None,
        }
    }
}

fn is_foreign(outer: &Integrity, error: &EntryError) -> bool {
    use cairn_event::payload::PayloadError;
    let version = matches!(error, EntryError::Payload(PayloadError::UnknownVersion(_)));
    version || outer.typ != cairn_event::entry::TYP_V1
}

/// Walks entries by ascending index.
#[derive(Clone, Debug)]
pub struct Judge {
    ledger: Ledger,
    /// Chains that began before the range: `None` until their first entry in the range.
    resumed: BTreeMap<Kid, Option<ChainState>>,
    /// Whether entries were passed over: a chain that is not known may have been among them.
    partial: bool,
}

impl Judge {
    /// A judge of the log `origin` who has seen nothing.
    pub fn new(origin: &str) -> Self {
        Self {
            ledger: Ledger::new(origin),
            resumed: BTreeMap::new(),
            partial: false,
        }
    }

    /// What is known after the last entry.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Judges an entry from before the range whose inclusion was proven on its own.
    ///
    /// Errors: [`Fault`]; nothing changes but the index.
    pub fn context(&mut self, index: u64, reading: &Reading) -> Result<Judgement, Fault> {
        self.skip_to(index)?;
        let judgement = self.next(reading)?;
        if let Some(entry) = reading.entry()
            && let (Body::ChainStart(_), Some(link)) =
                (&entry.payload().body, &entry.payload().link)
        {
            self.resumed.insert(link.chain.clone(), None);
        }
        Ok(judgement)
    }

    /// Counts the entries up to `index` as unseen.
    ///
    /// Errors: [`Fault::Order`] when `index` has gone by.
    pub fn skip_to(&mut self, index: u64) -> Result<(), Fault> {
        let size = self.ledger.size();
        if index < size {
            return Err(Fault::Order { index, after: size });
        }
        self.partial |= index > size;
        (size..index).for_each(|_| self.ledger.skip());
        Ok(())
    }

    /// Judges the entry at the next index, its signature excepted: check that with
    /// [`verify`] and the key given, in parallel if you like.
    ///
    /// Errors: [`Fault`]; the entry is counted and otherwise ignored.
    pub fn next(&mut self, reading: &Reading) -> Result<Judgement, Fault> {
        let entry = match reading {
            Reading::Known(entry) => entry,
            Reading::Foreign => {
                self.ledger.skip();
                return Ok(Judgement {
                    key: None,
                    flags: Vec::new(),
                });
            }
            Reading::Damaged(error) => {
                self.ledger.skip();
                return Err(Fault::Bytes(error.clone()));
            }
        };
        let judged = self.judge(entry);
        if judged.is_err() {
            self.ledger.skip();
        }
        judged.map_err(Fault::Refused)
    }

    fn judge(&mut self, entry: &Entry) -> Result<Judgement, Refusal> {
        if let Some(link) = &entry.payload().link
            && self.resumed.contains_key(&link.chain)
        {
            return self.judge_resumed(entry);
        }
        let key = self.ledger.key_for(entry, &[])?;
        let admission = self.ledger.admit(entry)?;
        let flags = admission
            .flags
            .iter()
            .filter_map(|flag| self.recheck(flag))
            .collect();
        self.ledger.apply(entry, admission);
        Ok(Judgement {
            key: Some(key),
            flags,
        })
    }

    /// The ledger knows only the start of a resumed chain, so what it misses of it is judged here.
    fn recheck(&self, flag: &Flag) -> Option<Flag> {
        match flag {
            Flag::Missing { chain, .. } if self.partial && self.ledger.chain(chain).is_none() => {
                None
            }
            Flag::Missing { chain, to, .. } => match self.resumed.get(chain) {
                None => Some(flag.clone()),
                Some(None) => None,
                Some(Some(state)) if *to >= state.next_seq => Some(Flag::Missing {
                    chain: chain.clone(),
                    from: state.next_seq,
                    to: *to,
                }),
                Some(Some(_)) => None,
            },
            other => Some(other.clone()),
        }
    }

    fn judge_resumed(&mut self, entry: &Entry) -> Result<Judgement, Refusal> {
        let payload = entry.payload();
        let Some(link) = &payload.link else {
            return Err(Refusal::Genesis("no place in a chain"));
        };
        if payload.log != self.ledger.origin() {
            let (named, origin) = (payload.log.clone(), self.ledger.origin().to_owned());
            return Err(Refusal::OtherLog { named, origin });
        }
        if matches!(payload.body, Body::ChainStart(_)) {
            return Err(Refusal::ChainExists(link.chain.clone()));
        }
        let unknown = || Refusal::UnknownChain(link.chain.clone());
        let started = self.ledger.chain(&link.chain).ok_or_else(unknown)?;
        let state = match self.resumed.get(&link.chain).and_then(Option::as_ref) {
            Some(state) => state.clone(),
            // The first entry seen: its own place is the only one known.
            None => ChainState {
                next_seq: link.seq,
                last: link.prev.unwrap_or(started.last),
                ..started.clone()
            },
        };
        let devices = &self.ledger.roster().devices;
        let device = devices.get(&link.device);
        let device = device.ok_or_else(|| Refusal::UnknownDevice(link.device.clone()))?;
        check_claims(&payload.context, device)?;
        let (next, flag) = state.extend(entry, link)?;
        let mut flags: Vec<Flag> = flag.into_iter().collect();
        if device.revoked_at.is_some() {
            flags.push(Flag::DeviceRevoked);
        }
        let key = match signer_of(&payload.body) {
            Signer::Device => device.key.clone(),
            Signer::Chain => state.key.clone(),
        };
        self.resumed.insert(link.chain.clone(), Some(next));
        self.ledger.skip();
        Ok(Judgement {
            key: Some(key),
            flags,
        })
    }
}

/// The claims about the device that the ledger checks for chains it follows itself.
fn check_claims(
    context: &cairn_event::Context,
    device: &cairn_identity::Device,
) -> Result<(), Refusal> {
    let contradiction = |member, claimed: String, known: String| {
        Err(Refusal::Contradiction {
            member,
            claimed,
            known,
        })
    };
    match (&context.person, &context.protection, &context.isolation) {
        (Some(person), _, _) if *person != device.person => {
            contradiction("person", person.clone(), device.person.clone())
        }
        (_, Some(protection), _) if *protection != device.protection => contradiction(
            "protection",
            format!("{protection:?}"),
            format!("{:?}", device.protection),
        ),
        (_, _, Some(isolation)) if *isolation != device.isolation => contradiction(
            "isolation",
            format!("{isolation:?}"),
            format!("{:?}", device.isolation),
        ),
        _ => Ok(()),
    }
}

/// Checks the signature of a judged entry.
///
/// Errors: [`Fault::Signature`].
pub fn verify(reading: &Reading, judgement: &Judgement) -> Result<(), Fault> {
    match (reading.entry(), &judgement.key) {
        (Some(entry), Some(key)) => entry.verify(key).map_err(Fault::Signature),
        _ => Ok(()),
    }
}
