//! The state of an audit: what was verified up to a size, so that another run goes on from there.
//!
//! Owns its form, what binds it to one question, and every check that needs nothing but itself. It is
//! written by the auditor for itself: whoever can change it can make an audit skip entries, so it is kept
//! like the trust policy. Its check sum finds damage, not intent. It is read and written a line at a time, because the
//! chains of a log may not fit into memory; which file that is, is the program's to say.
//!
//! Source: `docs/formats/audit-state.md`.

mod lines;

pub use lines::Stored;

use super::Options;
use super::cold::Cold;
use super::resume::Ended;
use super::tiles::KeptTiles;
use crate::walk::KeptWalk;
use cairn_event::{Entry, Sha256};
use cairn_identity::{KeptChain, Ledger};
use cairn_policy::ENGINE_SEMANTICS;
use cairn_tlog::{Frontier, Hash};
use lines::{Lines, Writing};
use serde::{Deserialize, Serialize};
use std::io::Write;

/// Version of the form and of what is verified: a program that checks more than the one that wrote the
/// state must not skip entries on its word.
pub const VERSION: u64 = 2;

/// The longest state, some forty-five million chains. No memory hangs on it: a file beyond it is no state, and is not
/// read through to find that out.
pub const MAX_STATE_BYTES: u64 = 16 * 1_073_741_824;

/// Why a state is not gone on with. The audit is begun without it.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It could not be read.
    #[error("it cannot be read")]
    File(#[from] std::io::Error),
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

/// The first line of a state; `A` are its entries, owned or borrowed. Each further one is a chain.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head<A> {
    administrative: A,
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
    /// The chains, which are read when there is somebody to take them.
    chains: Lines,
}

impl State {
    /// Reads a state for an audit with these options: all of it for its check sum, and then its first line.
    ///
    /// Errors: [`StateError`]; nothing of it is used.
    pub fn read(file: impl Stored + 'static, options: &Options<'_>) -> Result<Self, StateError> {
        let mut chains = Lines::of_whole(Box::new(file))?;
        let mut line = Vec::new();
        chains.next(&mut line)?;
        let Versioned { v } = json(&line)?;
        if v != VERSION {
            return Err(StateError::Version(v));
        }
        let form: Head<Vec<Administrative>> = json(&line)?;
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
            chains,
        })
    }

    /// The ledger at the state's size: its administrative entries are verified and admitted again, and its
    /// chains, which only the whole log could show, are believed. They are taken out of the state, and out of memory
    /// where they are many.
    ///
    /// Errors: [`StateError::Entry`], [`StateError::Damaged`], and what is wrong with the disk.
    pub(super) fn take_ledger(&mut self, cold: &mut Cold) -> Result<Ledger, Ended> {
        let mut ledger = self.administrative_ledger()?;
        let mut line = Vec::new();
        let mut before = None;
        while self.chains.next(&mut line)? {
            let chain: KeptChain = json(&line)?;
            // Ascending, each is there once; the ledger need not hold it to know that.
            let ascends = before.is_none_or(|before| before < chain.chain);
            if !ascends || !chain.is_coherent(&ledger) {
                return Err(StateError::Damaged.into());
            }
            before = Some(chain.chain.clone());
            ledger.put_back(chain);
            cold.make_room(&mut ledger)?;
        }
        ledger.count_to(self.frontier.size());
        Ok(ledger)
    }

    fn administrative_ledger(&self) -> Result<Ledger, StateError> {
        let mut ledger = Ledger::new(&self.origin);
        for Administrative { entry, index } in &self.administrative {
            let index = *index;
            if index < ledger.size() || index >= self.frontier.size() {
                return Err(StateError::Damaged);
            }
            ledger.count_to(index);
            let admitted = admit(&mut ledger, entry.as_bytes());
            admitted.map_err(|reason| StateError::Entry { index, reason })?;
        }
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
    /// Writes the state, a line at a time: its head, each chain, and their SHA-256.
    ///
    /// Errors: those of `out`, and of the disk that chains are on.
    pub fn write_to(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut writing = Writing::to(out);
        writing.line(&serde_json::to_vec(&self.head())?)?;
        let each = |kept: &KeptChain<_>| writing.line(&serde_json::to_vec(kept)?);
        self.cold.each_chain(self.ledger, each)?;
        writing.finish()
    }

    fn head(&self) -> Head<&[Administrative]> {
        let hashes = self.frontier.hashes().iter();
        Head {
            administrative: self.administrative,
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
        }
    }
}

/// What is left of an audit that has come to its end, until its report says whether its state is kept.
pub(super) struct Left {
    pub(super) frontier: Frontier,
    pub(super) ledger: Ledger,
    pub(super) cold: Cold,
    pub(super) administrative: Vec<Administrative>,
    pub(super) published: Compared,
    pub(super) tiles: KeptTiles,
    pub(super) walk: KeptWalk,
}

impl Left {
    /// The state, to be written.
    pub(super) fn settled<'a>(&'a self, options: &'a Options<'a>) -> Settled<'a> {
        Settled {
            options,
            frontier: &self.frontier,
            ledger: &self.ledger,
            administrative: &self.administrative,
            cold: &self.cold,
            published: self.published,
            tiles: self.tiles.clone(),
            walk: self.walk.clone(),
        }
    }
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, StateError> {
    serde_json::from_slice(body).map_err(|_| StateError::Damaged)
}

/// The trust policy in its canonical form, whatever the file looked like.
fn trust_policy(options: &Options<'_>) -> Sha256 {
    Sha256::of(options.policy.to_string().as_bytes())
}
