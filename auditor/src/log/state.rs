//! The state of an audit: what was verified up to a size, so that another run goes on from there.
//!
//! Owns its form, what binds it to one question, and every check that needs nothing but itself. It is
//! written by the auditor for itself: whoever can change it can make an audit skip entries, so it is kept
//! like the trust policy. Its check sum finds damage, not intent. Reading and writing the file is the
//! program's.
//!
//! Source: `docs/formats/audit-state.md`.

use super::Options;
use super::cold::{Cold, ColdError};
use super::tiles::KeptTiles;
use crate::walk::KeptWalk;
use cairn_event::{Entry, Sha256};
use cairn_identity::{KeptChain, Ledger};
use cairn_policy::ENGINE_SEMANTICS;
use cairn_tlog::{Frontier, Hash};
use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Deserialize, Serialize, Serializer};
use std::io::Write as _;

/// Version of the form and of what is verified: a program that checks more than the one that wrote the
/// state must not skip entries on its word.
pub const VERSION: u64 = 1;

/// The longest state: a million chains take about 340 MB.
pub const MAX_STATE_BYTES: u64 = 1_073_741_824;

/// Why a state is not gone on with. The audit is begun without it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Damaged, cut off, or not a state.
    #[error("it is damaged or cut off")]
    Damaged,
    /// Another version wrote it.
    #[error("it has version {0}, this program goes on with version {VERSION}")]
    Version(u64),
    /// Another engine replayed the decisions.
    #[error(
        "its decisions were replayed with engine semantics {0}, this program has {ENGINE_SEMANTICS}"
    )]
    Semantics(u32),
    /// Another genesis was pinned.
    #[error("it is of the log with genesis hash {found}, {pinned} is pinned")]
    Genesis {
        /// As the state has it.
        found: Sha256,
        /// As it was asked.
        pinned: Sha256,
    },
    /// Another trust policy was given.
    #[error("it was verified under another trust policy")]
    TrustPolicy,
    /// Confidential members were read, or were not, contrary to what is asked now.
    #[error("confidential members were {} for it, and {} now", read(*.0), read(!*.0))]
    Disclosures(bool),
    /// Another log.
    #[error("it is of log `{found}`, this is `{asked}`")]
    Origin {
        /// As the state has it.
        found: String,
        /// As the checkpoint has it.
        asked: String,
    },
    /// The log was pruned: what is left below this index is compared as a whole.
    #[error("the log is pruned below index {0}, and the audit of a pruned log begins at entry 0")]
    Pruned(u64),
    /// An entry that the log admitted is not admitted again.
    #[error("its entry {index} is refused: {reason}")]
    Entry {
        /// Index in the log.
        index: u64,
        /// Why.
        reason: String,
    },
}

fn read(read: bool) -> &'static str {
    if read { "read" } else { "not read" }
}

/// An entry about authority, people, devices or policy, or the one that closed the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Administrative {
    /// The exact bytes, which are text.
    pub entry: String,
    /// Index in the log.
    pub index: u64,
}

/// The published checkpoints that were compared with the tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// How many.
    pub count: u64,
    /// The size of the last of them; 0 without any.
    pub last: u64,
}

/// What a state holds; `A` and `C` are its entries and chains, owned or borrowed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form<A, C> {
    administrative: A,
    chains: C,
    disclosures: bool,
    frontier: Vec<Sha256>,
    genesis: Sha256,
    origin: String,
    published: Compared,
    semantics: u32,
    size: u64,
    tiles: KeptTiles,
    trust_policy: Sha256,
    v: u64,
    walk: KeptWalk,
}

#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

/// A state as it was read; it fits the options it was read for.
pub struct State {
    /// The log's origin, to be compared with that of the checkpoint.
    pub origin: String,
    /// The tree that the audited entries make.
    pub frontier: Frontier,
    /// The entries that the ledger is made from.
    pub administrative: Vec<Administrative>,
    /// Checkpoints compared.
    pub published: Compared,
    /// The open tiles.
    pub tiles: KeptTiles,
    /// The walk.
    pub walk: KeptWalk,
    chains: Vec<KeptChain>,
}

impl State {
    /// Reads a state for an audit with these options.
    ///
    /// Errors: [`StateError`]; nothing of it is used.
    pub fn parse(bytes: &[u8], options: &Options<'_>) -> Result<Self, StateError> {
        let body = whole(bytes).ok_or(StateError::Damaged)?;
        let Versioned { v } = json(body)?;
        if v != VERSION {
            return Err(StateError::Version(v));
        }
        let form: Form<Vec<Administrative>, Vec<KeptChain>> = json(body)?;
        if form.semantics != ENGINE_SEMANTICS {
            return Err(StateError::Semantics(form.semantics));
        }
        let pinned = Sha256(options.genesis.0);
        if form.genesis != pinned {
            let found = form.genesis;
            return Err(StateError::Genesis { found, pinned });
        }
        if form.trust_policy != trust_policy(options) {
            return Err(StateError::TrustPolicy);
        }
        if form.disclosures != options.disclosures {
            return Err(StateError::Disclosures(form.disclosures));
        }
        let hashes = form.frontier.iter().map(|hash| Hash(hash.0)).collect();
        let frontier = Frontier::from_parts(form.size, hashes).map_err(|_| StateError::Damaged)?;
        if form.size == 0 || form.published.last > form.size {
            return Err(StateError::Damaged);
        }
        Ok(Self {
            origin: form.origin,
            frontier,
            administrative: form.administrative,
            published: form.published,
            tiles: form.tiles,
            walk: form.walk,
            chains: form.chains,
        })
    }

    /// The ledger at the state's size: its administrative entries are verified and admitted again, and its
    /// chains, which only the whole log could show, are believed. They are taken out of the state.
    ///
    /// Errors: [`StateError::Entry`], [`StateError::Damaged`].
    pub fn take_ledger(&mut self) -> Result<Ledger, StateError> {
        let size = self.frontier.size();
        let mut ledger = Ledger::new(&self.origin);
        for Administrative { entry, index } in &self.administrative {
            let index = *index;
            if index < ledger.size() || index >= size {
                return Err(StateError::Damaged);
            }
            ledger.count_to(index);
            let admitted = admit(&mut ledger, entry.as_bytes());
            admitted.map_err(|reason| StateError::Entry { index, reason })?;
        }
        for chain in std::mem::take(&mut self.chains) {
            if !chain.is_coherent(&ledger) {
                return Err(StateError::Damaged);
            }
            ledger.put_back(chain);
        }
        ledger.count_to(size);
        Ok(ledger)
    }
}

fn admit(ledger: &mut Ledger, bytes: &[u8]) -> Result<(), String> {
    let entry = Entry::parse(bytes).map_err(|error| error.to_string())?;
    let key = ledger.key_for(&entry, &[]);
    let key = key.map_err(|refusal| refusal.to_string())?;
    entry.verify(&key).map_err(|error| error.to_string())?;
    let admission = ledger.admit(&entry);
    let admission = admission.map_err(|refusal| refusal.to_string())?;
    ledger.apply(&entry, admission);
    Ok(())
}

/// A state about to be written.
pub struct Settled<'a> {
    /// What the audit is asked.
    pub options: &'a Options<'a>,
    /// The tree, up to which everything is settled.
    pub frontier: &'a Frontier,
    /// The ledger at that size.
    pub ledger: &'a Ledger,
    /// Its chains that are not in memory.
    pub(super) cold: &'a Cold,
    /// The entries that the ledger is made from.
    pub administrative: &'a [Administrative],
    /// Checkpoints compared.
    pub published: Compared,
    /// The open tiles.
    pub tiles: KeptTiles,
    /// The walk.
    pub walk: KeptWalk,
}

impl Settled<'_> {
    /// The bytes of the state: one line of JSON, and one with its SHA-256.
    ///
    /// Errors: none that an honest program shows; they are given for the program to tell.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let hashes = self.frontier.hashes().iter();
        let form = Form {
            administrative: self.administrative,
            chains: Chains(self.ledger, self.cold),
            disclosures: self.options.disclosures,
            frontier: hashes.map(|hash| Sha256(hash.0)).collect(),
            genesis: Sha256(self.options.genesis.0),
            origin: self.ledger.origin().to_owned(),
            published: self.published,
            semantics: ENGINE_SEMANTICS,
            size: self.frontier.size(),
            tiles: self.tiles.clone(),
            trust_policy: trust_policy(self.options),
            v: VERSION,
            walk: self.walk.clone(),
        };
        let mut bytes = serde_json::to_vec(&form)?;
        let sum = Sha256::of(&bytes);
        writeln!(bytes, "\n{sum}").map_err(serde_json::Error::io)?;
        Ok(bytes)
    }
}

/// The chains of a ledger, written one by one: a list of them would take as much memory again.
struct Chains<'a>(&'a Ledger, &'a Cold);

impl Serialize for Chains<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut chains = serializer.serialize_seq(None)?;
        let each = |kept: &_| chains.serialize_element(kept).map_err(Unwritten::Form);
        match self.1.each_chain(self.0, each) {
            Ok(()) => chains.end(),
            Err(Unwritten::Form(error)) => Err(error),
            Err(Unwritten::Chains(error)) => Err(S::Error::custom(error)),
        }
    }
}

/// Why chains were not written.
enum Unwritten<E> {
    Form(E),
    Chains(ColdError),
}

impl<E> From<ColdError> for Unwritten<E> {
    fn from(error: ColdError) -> Self {
        Self::Chains(error)
    }
}

/// The first line, if the second one is its check sum.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let lines = bytes.strip_suffix(b"\n")?;
    let cut = lines.iter().rposition(|byte| *byte == b'\n')?;
    let (body, sum) = lines.split_at_checked(cut)?;
    let sum = std::str::from_utf8(sum.get(1..)?).ok()?;
    (Sha256::from_hex(sum)? == Sha256::of(body)).then_some(body)
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, StateError> {
    serde_json::from_slice(body).map_err(|_| StateError::Damaged)
}

/// The trust policy in its canonical form, whatever the file looked like.
fn trust_policy(options: &Options<'_>) -> Sha256 {
    Sha256::of(options.policy.to_string().as_bytes())
}
