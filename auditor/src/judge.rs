//! Judging entries in the order of the log: who signed, with what authority, at which place.
//!
//! Owns reading entries of any version and the walk. The judgement itself is `cairn_identity::Ledger`'s,
//! for a whole log and for a part of one alike: a reader that does not begin at entry 0 is given the
//! administrative entries and the chain starts from before its range, each with an inclusion proof,
//! and what lies between them is passed over.
//! Source: `docs/formats/administrative.md`, architecture section 3 ("Chains").

use cairn_event::{Entry, EntryError, Integrity, Kid, PublicKey};
use cairn_identity::{Flag, Ledger, Refusal};

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
}

impl Fault {
    /// The chain that the reader of the log let go and did not recall before judging: his fault, not the entry's.
    pub fn chain_away(&self) -> Option<&Kid> {
        match self {
            Self::Refused(Refusal::ChainAway(chain)) => Some(chain),
            _ => None,
        }
    }
}

impl Judge {
    /// A judge of the log `origin` who has seen nothing.
    pub fn new(origin: &str) -> Self {
        Self {
            ledger: Ledger::new(origin),
        }
    }

    /// A judge who has seen what the ledger has.
    pub fn from_ledger(ledger: Ledger) -> Self {
        Self { ledger }
    }

    /// Says that the log was pruned below this index; see [`Ledger::set_minimum_index`].
    pub fn set_minimum_index(&mut self, index: u64) {
        self.ledger.set_minimum_index(index);
    }

    /// What is known after the last entry.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The ledger, when nothing is judged any more.
    pub fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// The ledger, for a reader who lets chains go and recalls them.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Judges an entry from before the range whose inclusion was proven on its own.
    ///
    /// Errors: [`Fault`]; nothing changes but the index.
    pub fn context(&mut self, index: u64, reading: &Reading) -> Result<Judgement, Fault> {
        self.skip_to(index)?;
        self.next(reading)
    }

    /// Counts the entries up to `index` as unseen.
    ///
    /// Errors: [`Fault::Order`] when `index` has gone by.
    pub fn skip_to(&mut self, index: u64) -> Result<(), Fault> {
        let size = self.ledger.size();
        if index < size {
            return Err(Fault::Order { index, after: size });
        }
        self.ledger.pass_over(index);
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
        let key = self.ledger.key_for(entry, &[])?;
        let admission = self.ledger.admit(entry)?;
        let flags = admission.flags.clone();
        self.ledger.apply(entry, admission);
        Ok(Judgement {
            key: Some(key),
            flags,
        })
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
