//! Authority: the keys that genesis names, and which of them an administrative entry needs.
//!
//! Source: `docs/formats/administrative.md`, "Who may sign".

use crate::refusal::Refusal;
use cairn_event::administrative::{Genesis, Right, RosterChange};
use cairn_event::body::Body;
use cairn_event::{Entry, Isolation, KeyProtection, Kid, PersonRole, PublicKey};
use std::collections::{BTreeMap, BTreeSet};

/// The keys of an organisation, as its genesis entry names them.
#[derive(Clone, Debug, PartialEq)]
pub struct Authority {
    administrators: BTreeMap<Kid, PublicKey>,
    threshold: usize,
    delegations: BTreeMap<Kid, (PublicKey, BTreeSet<Right>)>,
    observer: PublicKey,
    log_key: String,
    organisation: String,
}

impl Authority {
    /// Reads a genesis statement.
    ///
    /// Errors: [`Refusal::Genesis`] when the threshold cannot be met, keys repeat, one key holds two
    /// offices, or a delegation's rights are none, repeated or out of order; the log is not started.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, Refusal> {
        let named = &genesis.administrators;
        let administrators: BTreeMap<_, _> = named
            .keys
            .iter()
            .map(|key| (key.kid(), key.clone()))
            .collect();
        if administrators.len() != named.keys.len() {
            return Err(Refusal::Genesis("an administrator key is named twice"));
        }
        let threshold = usize::try_from(named.threshold).unwrap_or(usize::MAX);
        if threshold == 0 || threshold > administrators.len() {
            return Err(Refusal::Genesis(
                "the threshold is not 1 to the number of administrators",
            ));
        }
        let mut delegations = BTreeMap::new();
        for delegation in &genesis.delegations {
            let kid = delegation.key.kid();
            // A right said twice, or a delegation of nothing, is not what anybody meant to sign.
            if delegation.may.is_empty() || !delegation.may.is_sorted_by(|one, next| one < next) {
                return Err(Refusal::Genesis(
                    "a delegation's rights are not one or more of the table, each once and in its order",
                ));
            }
            let rights: BTreeSet<Right> = delegation.may.iter().copied().collect();
            let taken = administrators.contains_key(&kid) || kid == genesis.observer.kid();
            if taken
                || delegations
                    .insert(kid, (delegation.key.clone(), rights))
                    .is_some()
            {
                return Err(Refusal::Genesis("one key holds two offices"));
            }
        }
        if administrators.contains_key(&genesis.observer.kid()) {
            return Err(Refusal::Genesis("one key holds two offices"));
        }
        Ok(Self {
            administrators,
            threshold,
            delegations,
            observer: genesis.observer.clone(),
            log_key: genesis.log_key.clone(),
            organisation: genesis.organisation.clone(),
        })
    }

    /// The public key with this identifier, whatever its office.
    pub fn key(&self, kid: &Kid) -> Option<&PublicKey> {
        let administrator = self.administrators.get(kid);
        let delegated = || self.delegations.get(kid).map(|(key, _)| key);
        let observer = || (self.observer.kid() == *kid).then_some(&self.observer);
        administrator.or_else(delegated).or_else(observer)
    }

    /// Whether `kid` is an administrator key.
    pub fn is_administrator(&self, kid: &Kid) -> bool {
        self.administrators.contains_key(kid)
    }

    /// How many administrators must agree.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The log's signed-note verifier key.
    pub fn log_key(&self) -> &str {
        &self.log_key
    }

    /// The key that signs forks and gaps.
    pub fn observer(&self) -> &PublicKey {
        &self.observer
    }

    /// The organisation's name.
    pub fn organisation(&self) -> &str {
        &self.organisation
    }

    /// Whether an online key may put policy in force alone; shown as `policy by online key`.
    pub fn policy_by_online_key(&self) -> bool {
        self.delegations
            .values()
            .any(|(_, rights)| rights.contains(&Right::Policy))
    }

    /// Checks that an administrative entry carries enough authority. Its own signature must have
    /// been verified already, with the key of [`Authority::key`].
    ///
    /// Errors: [`Refusal`]; the submitter gathers more approvals or uses another key.
    pub fn check(&self, entry: &Entry) -> Result<(), Refusal> {
        let body = &entry.payload().body;
        if matches!(body, Body::Fork(_) | Body::ObservedGap(_)) {
            self.check_observer(entry)?;
            return no_approvals(entry);
        }
        if let Some((_, rights)) = self.delegations.get(entry.kid()) {
            no_approvals(entry)?;
            let missing = rights_needed(body).into_iter().find(|right| match right {
                Some(right) => !rights.contains(right),
                None => true,
            });
            return match missing {
                None => Ok(()),
                Some(right) => Err(not_authorised(
                    entry,
                    match right {
                        Some(right) => format!("the delegation lacks `{right:?}`"),
                        None => "only administrators may make this change".to_owned(),
                    },
                )),
            };
        }
        self.check_threshold(entry)
    }

    /// Whether enough of these administrators signed an entry of another log, beside whoever else did.
    /// Signatures that are not valid, and those of others, are passed over: that log judges them.
    ///
    /// Errors: [`Refusal::BelowThreshold`].
    pub fn check_agreement(&self, entry: &Entry) -> Result<(), Refusal> {
        let payload = entry.payload();
        let key_of = |kid: &Kid| self.administrators.get(kid);
        let signer = key_of(entry.kid()).filter(|key| entry.verify(key).is_ok());
        let approved = payload.approvals.iter().filter_map(|approval| {
            key_of(&approval.kid).filter(|key| approval.is_valid(payload, key))
        });
        let agreed: BTreeSet<Kid> = signer
            .into_iter()
            .chain(approved)
            .map(PublicKey::kid)
            .collect();
        self.check_count(entry, agreed.len())
    }

    fn check_observer(&self, entry: &Entry) -> Result<(), Refusal> {
        if *entry.kid() == self.observer.kid() {
            return Ok(());
        }
        Err(not_authorised(
            entry,
            "only the observer key may sign it".to_owned(),
        ))
    }

    fn check_threshold(&self, entry: &Entry) -> Result<(), Refusal> {
        let mut agreed = BTreeSet::new();
        if !self.administrators.contains_key(entry.kid()) {
            let need = "an administrator key or a delegation".to_owned();
            return Err(not_authorised(entry, need));
        }
        let mut before: Option<&Kid> = None;
        for approval in &entry.payload().approvals {
            let in_order =
                before.is_none_or(|before| *before < approval.kid) && approval.kid != *entry.kid();
            let valid = self
                .administrators
                .get(&approval.kid)
                .is_some_and(|key| approval.is_valid(entry.payload(), key));
            if !in_order || !valid {
                return Err(Refusal::BadApproval(approval.kid.clone()));
            }
            before = Some(&approval.kid);
            agreed.insert(approval.kid.clone());
        }
        agreed.insert(entry.kid().clone());
        self.check_count(entry, agreed.len())
    }

    fn check_count(&self, entry: &Entry, have: usize) -> Result<(), Refusal> {
        let need = self.threshold;
        if have >= need {
            Ok(())
        } else {
            Err(Refusal::BelowThreshold {
                kind: entry.payload().body.kind(),
                have,
                need,
            })
        }
    }
}

/// Nobody checks approvals where one key is enough, so none may stand there.
fn no_approvals(entry: &Entry) -> Result<(), Refusal> {
    match entry.payload().approvals.first() {
        Some(approval) => Err(Refusal::BadApproval(approval.kid.clone())),
        None => Ok(()),
    }
}

fn not_authorised(entry: &Entry, need: String) -> Refusal {
    Refusal::NotAuthorised {
        kid: entry.kid().clone(),
        kind: entry.payload().body.kind(),
        need,
    }
}

/// The rights a delegated key needs; `None` stands for what no delegation can give.
fn rights_needed(body: &Body) -> Vec<Option<Right>> {
    match body {
        Body::Roster(statement) => statement.changes.iter().map(right_for_change).collect(),
        Body::Policy(_) => vec![Some(Right::Policy)],
        Body::Erasure(_) | Body::AdminAction(_) => vec![Some(Right::RecordActions)],
        _ => vec![None],
    }
}

fn right_for_change(change: &RosterChange) -> Option<Right> {
    match change {
        RosterChange::AddPerson { roles, teams, .. }
            if roles.as_slice() == [PersonRole::Developer] && teams.is_empty() =>
        {
            Some(Right::EnrolDeveloper)
        }
        // Better protection or isolation is a statement about the machine that an online key must
        // not be able to invent.
        RosterChange::AdmitDevice {
            protection: KeyProtection::Software,
            isolation: Isolation::SelfAsserted,
            ..
        } => Some(Right::AdmitDevice),
        RosterChange::RevokeDevice { .. } => Some(Right::RevokeDevice),
        _ => None,
    }
}
