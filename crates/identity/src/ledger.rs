//! The ledger: everything that admission and judgement need to know, projected from the entries.

mod chained;
mod held;
mod kept;

use crate::authority::Authority;
use crate::chain::{ChainState, Flag, Signer, signer_of};
use crate::refusal::Refusal;
use crate::roster::{Device, Roster};
use cairn_event::administrative::{LogPrune, PolicyStatement, Predecessor};
use cairn_event::body::Body;
use cairn_event::{Entry, Kid, PublicKey, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use held::Chains;
pub use kept::KeptChain;

/// The policy entry in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyHead {
    /// Index of the policy entry.
    pub index: u64,
    /// SHA-256 of the bundle.
    pub bundle: Sha256,
    /// Revision of the policy entry.
    pub revision: u64,
    /// Version of the bundle.
    pub version: u64,
}

/// What admitting an entry would change. Made by [`Ledger::admit`], spent by [`Ledger::apply`].
#[derive(Clone, Debug, PartialEq)]
pub struct Admission {
    /// What auditors must be told.
    pub flags: Vec<Flag>,
    effect: Change,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Nothing,
    Genesis(Box<Authority>),
    Roster(Arc<Roster>),
    Policy(PolicyHead),
    Close,
    Prune(LogPrune),
    Start(Kid, Box<ChainState>),
    Chain(Kid, Box<ChainState>),
}

/// A projection of the log. Clone is cheap enough for snapshots: the roster is shared.
#[derive(Clone, Debug)]
pub struct Ledger {
    origin: String,
    authority: Option<Arc<Authority>>,
    genesis_leaf: Option<Sha256>,
    roster: Arc<Roster>,
    policies: Vec<PolicyHead>,
    /// Index of the entry that closed the log.
    closed: Option<u64>,
    /// What the administrators agreed to prune, with the index of each entry.
    prunes: Vec<(u64, LogPrune)>,
    /// Below it entries are missing that were pruned, and none that a later one is judged by.
    minimum: u64,
    chains: Chains,
    latest_chain: BTreeMap<String, Kid>,
    /// Chains that may have grown among entries that were passed over unread.
    behind: BTreeSet<Kid>,
    /// Whether entries were passed over: what this ledger does not know may be among them.
    partial: bool,
    size: u64,
}

impl Ledger {
    /// The ledger of an empty log.
    pub fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            authority: None,
            genesis_leaf: None,
            roster: Arc::default(),
            policies: Vec::new(),
            closed: None,
            prunes: Vec::new(),
            minimum: 0,
            chains: Chains::default(),
            latest_chain: BTreeMap::new(),
            behind: BTreeSet::new(),
            partial: false,
            size: 0,
        }
    }

    /// Number of entries applied; the next index.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The keys of genesis; `None` before entry 0.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_deref()
    }

    /// Leaf hash of entry 0; what auditors pin.
    pub fn genesis_leaf(&self) -> Option<Sha256> {
        self.genesis_leaf
    }

    /// The roster after the last entry.
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// The policy in force after the last entry.
    pub fn policy(&self) -> Option<&PolicyHead> {
        self.policies.last()
    }

    /// All policy entries, oldest first.
    pub fn policies(&self) -> &[PolicyHead] {
        &self.policies
    }

    /// Index of the entry that closed the log; nothing is admitted after it.
    pub fn closed_at(&self) -> Option<u64> {
        self.closed
    }

    /// What the administrators agreed to prune, oldest first, with the index of each entry.
    pub fn prunes(&self) -> &[(u64, LogPrune)] {
        &self.prunes
    }

    /// Says that the reader is given a log that was pruned below this index: of the entries before it
    /// exactly those that [`crate::retention::Keeping`] keeps, the others with [`Ledger::skip`] or
    /// [`Ledger::pass_over`].
    ///
    /// Below it every chain may have grown unseen between two entries that stayed. Since its last entry
    /// stayed, the ledger at this index is that of the whole log.
    pub fn set_minimum_index(&mut self, index: u64) {
        self.minimum = self.minimum.max(index);
    }

    /// The greatest index ever given to [`Ledger::set_minimum_index`].
    pub fn minimum_index(&self) -> u64 {
        self.minimum
    }

    /// Whether entries before this place may be missing although the ledger counts them.
    fn has_grown_unseen(&self, chain: &Kid) -> bool {
        self.size < self.minimum || self.behind.contains(chain)
    }

    /// A chain's state.
    ///
    /// Trap: `None` too for one that [`Ledger::take_cold`] gave away.
    pub fn chain(&self, chain: &Kid) -> Option<&ChainState> {
        self.chains.held(chain)
    }

    /// All chains, but those that [`Ledger::take_cold`] gave away.
    pub fn chains(&self) -> impl Iterator<Item = (&Kid, &ChainState)> {
        self.chains.iter()
    }

    /// The key that must have signed `entry`. `pending` are entries submitted with it and not yet
    /// applied: a chain may start in the same submission.
    ///
    /// Errors: [`Refusal`] when no such key is known; some pass later (see
    /// [`Refusal::may_pass_later`]). A closed log still knows the keys of what it holds.
    pub fn key_for(&self, entry: &Entry, pending: &[Entry]) -> Result<PublicKey, Refusal> {
        let found = self.find_key(entry, pending);
        found.map_err(|refusal| match self.closed {
            // Nothing that is missing can come any more.
            Some(index) if refusal.may_pass_later() => Refusal::LogClosed { index },
            _ => refusal,
        })
    }

    fn find_key(&self, entry: &Entry, pending: &[Entry]) -> Result<PublicKey, Refusal> {
        let payload = entry.payload();
        if payload.log != self.origin {
            let (named, origin) = (payload.log.clone(), self.origin.clone());
            return Err(Refusal::OtherLog { named, origin });
        }
        if let Body::Genesis(genesis) = &payload.body {
            let authority = Authority::from_genesis(genesis)?;
            return authority
                .key(entry.kid())
                .cloned()
                .ok_or_else(|| unknown_signer(entry));
        }
        let Some(link) = &payload.link else {
            let authority = self
                .authority()
                .ok_or(Refusal::Genesis("the log has no genesis entry yet"))?;
            return authority
                .key(entry.kid())
                .cloned()
                .ok_or_else(|| unknown_signer(entry));
        };
        match signer_of(&payload.body) {
            Signer::Device => Ok(self.device(&link.device)?.key.clone()),
            Signer::Chain => self.chain_key(&link.chain, pending),
        }
    }

    fn chain_key(&self, chain: &Kid, pending: &[Entry]) -> Result<PublicKey, Refusal> {
        if let Some(state) = self.chains.known(chain)? {
            return Ok(state.key.clone());
        }
        let started = pending
            .iter()
            .find_map(|entry| match &entry.payload().body {
                Body::ChainStart(start) if start.key.kid() == *chain => Some(start.key.clone()),
                _ => None,
            });
        started.ok_or_else(|| Refusal::UnknownChain(chain.clone()))
    }

    fn device(&self, device: &str) -> Result<&Device, Refusal> {
        let known = self.roster.devices.get(device);
        known.ok_or_else(|| Refusal::UnknownDevice(device.to_owned()))
    }

    /// Judges an entry whose signature was verified with [`Ledger::key_for`]'s key.
    ///
    /// Errors: [`Refusal`]; nothing changes.
    /// Trap: duplicates (same bytes) must be found before; here they look like forks.
    pub fn admit(&self, entry: &Entry) -> Result<Admission, Refusal> {
        let payload = entry.payload();
        if payload.log != self.origin {
            let (named, origin) = (payload.log.clone(), self.origin.clone());
            return Err(Refusal::OtherLog { named, origin });
        }
        if let Some(index) = self.closed {
            return Err(Refusal::LogClosed { index });
        }
        if let Body::Genesis(genesis) = &payload.body {
            return self.admit_genesis(entry, Authority::from_genesis(genesis)?);
        }
        let authority = self
            .authority()
            .ok_or(Refusal::Genesis("the log has no genesis entry yet"))?;
        match &payload.link {
            Some(link) => self.admit_chained(entry, link),
            None => {
                authority.check(entry)?;
                self.admit_administrative(entry)
            }
        }
    }

    fn admit_genesis(&self, entry: &Entry, authority: Authority) -> Result<Admission, Refusal> {
        if self.size != 0 {
            return Err(Refusal::Genesis("the log already has its genesis entry"));
        }
        authority.check(entry)?;
        match Predecessor::of(entry.payload()) {
            Some(Err(_)) => return Err(Refusal::Genesis("`ext.succeeds` has not its form")),
            Some(Ok(named)) if named.origin == self.origin => {
                return Err(Refusal::Genesis("a log does not succeed itself"));
            }
            _ => {}
        }
        Ok(Admission {
            flags: Vec::new(),
            effect: Change::Genesis(Box::new(authority)),
        })
    }

    fn admit_administrative(&self, entry: &Entry) -> Result<Admission, Refusal> {
        let effect = match &entry.payload().body {
            Body::Roster(statement) => {
                in_order(
                    "roster",
                    "revision",
                    statement.revision,
                    self.roster.revision + 1,
                )?;
                let next = self
                    .roster
                    .apply(self.size, statement)
                    .map_err(|(position, reason)| Refusal::RosterChange { position, reason })?;
                Change::Roster(Arc::new(next))
            }
            Body::Policy(statement) => Change::Policy(self.next_policy(statement)?),
            Body::LogClose(_) => Change::Close,
            Body::LogPrune(prune) => self.next_prune(prune)?,
            _ => Change::Nothing,
        };
        Ok(Admission {
            flags: Vec::new(),
            effect,
        })
    }

    fn next_policy(&self, statement: &PolicyStatement) -> Result<PolicyHead, Refusal> {
        let (revision, version) = self
            .policy()
            .map_or((0, 0), |head| (head.revision, head.version));
        in_order("policy", "revision", statement.revision, revision + 1)?;
        if statement.version <= version {
            let (got, expected) = (statement.version, version + 1);
            return Err(Refusal::OutOfOrder {
                kind: "policy",
                what: "version",
                got,
                expected,
            });
        }
        Ok(PolicyHead {
            index: self.size,
            bundle: statement.bundle,
            revision: statement.revision,
            version: statement.version,
        })
    }

    /// What a pruning states must be possible. Whether it is old enough, and whether it keeps what it
    /// must, is for those to judge who hold the entries.
    fn next_prune(&self, prune: &LogPrune) -> Result<Change, Refusal> {
        let step = LogPrune::STEP;
        let wrong = if !prune.from.is_multiple_of(step) || !prune.to.is_multiple_of(step) {
            "a range has whole bundles of 256 entries"
        } else if prune.from >= prune.to {
            "the range is empty"
        } else if prune.to > self.size {
            "the range ends after the last entry"
        } else if prune.days == 0 {
            "`days` is at least 1"
        } else {
            return Ok(Change::Prune(prune.clone()));
        };
        Err(Refusal::Prune(wrong))
    }

    /// Applies an admitted entry at the next index.
    pub fn apply(&mut self, entry: &Entry, admission: Admission) {
        match admission.effect {
            Change::Nothing => {}
            Change::Genesis(authority) => {
                self.authority = Some(Arc::new(*authority));
                self.genesis_leaf = Some(entry.leaf());
            }
            Change::Roster(roster) => self.roster = roster,
            Change::Policy(head) => self.policies.push(head),
            Change::Close => self.closed = Some(self.size),
            Change::Prune(prune) => self.prunes.push((self.size, prune)),
            Change::Start(chain, state) => {
                self.latest_chain
                    .insert(state.device.clone(), chain.clone());
                self.chains.insert(chain, *state, self.size);
            }
            Change::Chain(chain, state) => {
                self.behind.remove(&chain);
                self.chains.insert(chain, *state, self.size);
            }
        }
        self.size += 1;
    }

    /// Counts an entry that this version cannot read: integrity only.
    pub fn skip(&mut self) {
        self.size += 1;
    }

    /// Counts the entries up to `index` as unread, for a reader who is given parts of a log.
    ///
    /// From then on every chain known may have grown unseen: its next entry is believed about `seq`
    /// and `prev`, unless they are those of a place that was read, and judged like any other in all
    /// else. Trap: the reader must be given every roster and policy entry, and the start of every
    /// chain whose entries are admitted; what is missing there refuses, it is never guessed.
    /// Source: `docs/formats/pack.md`, "Context entries".
    pub fn pass_over(&mut self, index: u64) {
        if index <= self.minimum {
            self.size = self.size.max(index);
        } else if index > self.size {
            self.size = index;
            self.partial = true;
            self.behind = self.chains.iter().map(|(chain, _)| chain.clone()).collect();
        }
    }
}

fn in_order(
    kind: &'static str,
    what: &'static str,
    got: u64,
    expected: u64,
) -> Result<(), Refusal> {
    if got == expected {
        Ok(())
    } else {
        Err(Refusal::OutOfOrder {
            kind,
            what,
            got,
            expected,
        })
    }
}

fn unknown_signer(entry: &Entry) -> Refusal {
    Refusal::NotAuthorised {
        kid: entry.kid().clone(),
        kind: entry.payload().body.kind(),
        need: "a key that genesis names".to_owned(),
    }
}
