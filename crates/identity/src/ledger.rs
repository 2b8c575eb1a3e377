//! The ledger: everything that admission and judgement need to know, projected from the entries.

use crate::authority::Authority;
use crate::chain::{self, ChainState, Flag, Signer, signer_of};
use crate::refusal::Refusal;
use crate::roster::{Device, Roster};
use cairn_event::administrative::PolicyStatement;
use cairn_event::body::{Body, ChainStart};
use cairn_event::{Entry, Kid, Link, PublicKey, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

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
    chains: BTreeMap<Kid, ChainState>,
    latest_chain: BTreeMap<String, Kid>,
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
            chains: BTreeMap::new(),
            latest_chain: BTreeMap::new(),
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

    /// A chain's state.
    pub fn chain(&self, chain: &Kid) -> Option<&ChainState> {
        self.chains.get(chain)
    }

    /// All chains.
    pub fn chains(&self) -> impl Iterator<Item = (&Kid, &ChainState)> {
        self.chains.iter()
    }

    /// The key that must have signed `entry`. `pending` are entries submitted with it and not yet
    /// applied: a chain may start in the same submission.
    ///
    /// Errors: [`Refusal`] when no such key is known; some pass later (see
    /// [`Refusal::may_pass_later`]).
    pub fn key_for(&self, entry: &Entry, pending: &[Entry]) -> Result<PublicKey, Refusal> {
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
        if let Some(state) = self.chains.get(chain) {
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

    fn admit_chained(&self, entry: &Entry, link: &Link) -> Result<Admission, Refusal> {
        if let Body::ChainStart(body) = &entry.payload().body {
            return self.admit_start(entry, link, body);
        }
        let unknown = || Refusal::UnknownChain(link.chain.clone());
        let state = self.chains.get(&link.chain).ok_or_else(unknown)?;
        // A second entry for one place is a fork whatever else it claims.
        state.check_free(entry, link)?;
        let device = self.device(&link.device)?;
        self.check_context(entry, device)?;
        let (mut next, flag) = state.extend(entry, link)?;
        let mut flags: Vec<Flag> = flag.into_iter().collect();
        if device.revoked_at.is_some() {
            // A revoked key vouches for nothing more.
            next.anchored_seq = state.anchored_seq;
            flags.push(Flag::DeviceRevoked);
        }
        Ok(Admission {
            flags,
            effect: Change::Chain(link.chain.clone(), Box::new(next)),
        })
    }

    fn admit_start(
        &self,
        entry: &Entry,
        link: &Link,
        body: &ChainStart,
    ) -> Result<Admission, Refusal> {
        let device = self.device(&link.device)?;
        let state = chain::start(entry, link, body)?;
        if let Some(known) = self.chains.get(&link.chain) {
            claim("device", Some(&link.device), &known.device)?;
            return Err(Refusal::Fork {
                chain: link.chain.clone(),
                seq: 0,
            });
        }
        if let Some(index) = device.revoked_at {
            let device = link.device.clone();
            return Err(Refusal::RevokedDevice { device, index });
        }
        self.check_context(entry, device)?;
        Ok(Admission {
            flags: self.history_flag(link, body).into_iter().collect(),
            effect: Change::Start(link.chain.clone(), Box::new(state)),
        })
    }

    fn check_context(&self, entry: &Entry, device: &Device) -> Result<(), Refusal> {
        let context = &entry.payload().context;
        claim("person", context.person.as_ref(), &device.person)?;
        claim(
            "protection",
            context.protection.as_ref(),
            &device.protection,
        )?;
        claim("isolation", context.isolation.as_ref(), &device.isolation)?;
        if let Some(index) = context.roster
            && self.roster.indices.binary_search(&index).is_err()
        {
            return Err(Refusal::NoSuchBasis {
                what: "roster",
                index,
            });
        }
        self.check_teams(entry, device)?;
        if let Some(index) = context.policy
            && self
                .policies
                .binary_search_by_key(&index, |head| head.index)
                .is_err()
        {
            return Err(Refusal::NoSuchBasis {
                what: "policy",
                index,
            });
        }
        Ok(())
    }

    /// Teams that an entry names must be the person's under the roster it names. Naming none claims
    /// nothing: an entry written before the device read its first roster knows none.
    fn check_teams(&self, entry: &Entry, device: &Device) -> Result<(), Refusal> {
        let context = &entry.payload().context;
        let (Some(index), false) = (context.roster, context.teams.is_empty()) else {
            return Ok(());
        };
        let person = self.roster.people.get(&device.person);
        let membership = person.and_then(|person| person.membership_at(index));
        let known = membership.map(|membership| membership.teams.clone());
        claim("teams", Some(&context.teams), &known.unwrap_or_default())
    }

    /// Whether a chain start continues the history of its device where this log has it end.
    fn history_flag(&self, link: &Link, start: &ChainStart) -> Option<Flag> {
        let latest = self.latest_chain.get(&link.device);
        let known = latest.and_then(|chain| Some((chain, self.chains.get(chain)?)));
        match (known, &start.previous) {
            (None, None) => None,
            (None, Some(previous)) => Some(Flag::Missing {
                chain: previous.chain.clone(),
                from: 0,
                to: previous.seq,
            }),
            (Some((chain, state)), Some(previous)) if previous.chain == *chain => {
                if previous.seq >= state.next_seq {
                    return Some(Flag::Missing {
                        chain: chain.clone(),
                        from: state.next_seq,
                        to: previous.seq,
                    });
                }
                let last =
                    previous.seq.saturating_add(1) == state.next_seq && previous.head == state.last;
                (!last).then_some(Flag::HistoryRewritten)
            }
            (Some(_), _) => Some(Flag::HistoryDropped),
        }
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
            Change::Start(chain, state) => {
                self.latest_chain
                    .insert(state.device.clone(), chain.clone());
                self.chains.insert(chain, *state);
            }
            Change::Chain(chain, state) => {
                self.chains.insert(chain, *state);
            }
        }
        self.size += 1;
    }

    /// Counts an entry that this version cannot read: integrity only.
    pub fn skip(&mut self) {
        self.size += 1;
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

fn claim<T: PartialEq + std::fmt::Debug>(
    member: &'static str,
    claimed: Option<&T>,
    known: &T,
) -> Result<(), Refusal> {
    match claimed {
        Some(claimed) if claimed != known => Err(Refusal::Contradiction {
            member,
            claimed: format!("{claimed:?}"),
            known: format!("{known:?}"),
        }),
        _ => Ok(()),
    }
}

fn unknown_signer(entry: &Entry) -> Refusal {
    Refusal::NotAuthorised {
        kid: entry.kid().clone(),
        kind: entry.payload().body.kind(),
        need: "a key that genesis names".to_owned(),
    }
}
