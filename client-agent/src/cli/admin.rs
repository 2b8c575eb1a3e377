//! The administrator's side: keys off the server, signing, submitting, waiting for the receipt.
//!
//! Owns the folder that `cairn org create` makes. The keys in it are the organisation's root: they
//! lie in plain files of mode 0600 and belong on a machine or medium that is not the server.

use super::AdminArguments;
use crate::access::Access;
use crate::clock::now_ms;
use crate::enrolment::{Pinned, check_log_key, genesis_authority};
use crate::policy::Basis;
use crate::random;
use crate::receipts::Receipted;
use crate::state::{Config, StateDir};
use anyhow::{Context as _, bail};
use cairn_api::submission::{Status, Wait};
use cairn_api::{Client, paths};
use cairn_event::approval::approve;
use cairn_event::body::Body;
use cairn_event::disclosure::Disclosure;
use cairn_event::encoding::from_base64url;
use cairn_event::frame::present;
use cairn_event::{Context, EntrySigner, Frame, Payload, Sha256, SoftwareKey, freeze};
use cairn_identity::Roster;
use cairn_tlog::TrustPolicy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// Largest file of the folder read.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// How long one submission waits for its witnessed receipt: 20 s.
const RECEIPT_WAIT: Duration = Duration::from_secs(20);

/// How often a submission is repeated until its receipt is there: three minutes in all.
const RECEIPT_ATTEMPTS: u32 = 9;

/// `org.json`: what the administrators made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrgFile {
    /// The log's origin.
    pub origin: String,
    /// The organisation's name.
    pub organisation: String,
    /// Hash of the genesis entry; what everybody pins.
    pub genesis_leaf: Sha256,
    /// The genesis entry.
    pub genesis_entry: String,
}

/// An administrator at work.
pub(super) struct Administrator {
    pub org: OrgFile,
    pub client: Client,
    pub basis: Basis,
    trust_policy: TrustPolicy,
    keys: Vec<SoftwareKey>,
    threshold: usize,
    /// Addresses by person, as far as the roster discloses them.
    pub emails: BTreeMap<String, String>,
}

/// An entry that the log has, with its verified receipt.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Done {
    /// Its index.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Sha256,
    /// Witnesses that cosigned.
    pub witnesses: Vec<String>,
}

impl Administrator {
    /// Opens the folder, signs in and replays the roster.
    pub(super) async fn open(arguments: &AdminArguments) -> anyhow::Result<Self> {
        let org: OrgFile = serde_json::from_slice(&read(&arguments.admin.join("org.json"))?)?;
        let keys = keys(&arguments.admin)?;
        let authority = genesis_authority(&org.genesis_entry, &org.genesis_leaf)?;
        let threshold = authority.threshold();
        if keys.len() < threshold {
            bail!(
                "{} administrator keys are here, {threshold} must agree",
                keys.len()
            );
        }
        // An administrator may have no state folder; then the system's authorities count.
        let settings = match StateDir::from_environment() {
            Ok(state) => state.config()?,
            Err(_) => Config::default(),
        };
        let trust = settings.trust()?;
        let client = Client::trusting(&arguments.server, &trust)?;
        let text = match &arguments.trust_policy {
            Some(path) => String::from_utf8(read(path)?)?,
            None => {
                tell!("cairn: warning: using the server's own trust policy");
                client.text(paths::TRUST_POLICY).await?
            }
        };
        let trust_policy = TrustPolicy::parse(&text)?;
        check_log_key(&trust_policy, &authority)?;
        let first = keys.first().context("no administrator key is here")?;
        let client = Access::new(client, &org.origin, None)
            .client(first)
            .await
            .context("sign-in")?;
        let pinned = Pinned {
            authority,
            trust_policy: trust_policy.clone(),
        };
        let mut basis = Basis::of_log(&org.origin, pinned);
        let emails = replay(&client, &mut basis).await?;
        Ok(Self {
            org,
            client,
            basis,
            trust_policy,
            keys,
            threshold,
            emails,
        })
    }

    /// The person with this identifier or address.
    pub(super) fn person(&self, given: &str) -> anyhow::Result<String> {
        if self.basis.roster().people.contains_key(given) {
            return Ok(given.to_owned());
        }
        let known = self
            .emails
            .iter()
            .find(|(_, email)| email.eq_ignore_ascii_case(given));
        known
            .map(|(person, _)| person.clone())
            .with_context(|| format!("no person `{given}` in the roster"))
    }

    /// Refuses an address that somebody has already: whose it is decides who may enrol.
    pub(super) fn check_unused(&self, email: &str) -> anyhow::Result<()> {
        match holder(&self.emails, self.basis.roster(), email) {
            Some(person) => bail!(
                "`{email}` belongs to `{person}`; change that person with `cairn org person-update`"
            ),
            None => Ok(()),
        }
    }

    /// The trust policy that receipts are judged by.
    pub(super) fn trust_policy(&self) -> &TrustPolicy {
        &self.trust_policy
    }

    /// Signs a statement with as many keys as must agree, submits it and waits for its receipt.
    pub(super) async fn submit(
        &self,
        body: Body,
        confidential: &[(String, Value)],
    ) -> anyhow::Result<Done> {
        let line = sign(
            &self.org.origin,
            Statement::of(body),
            confidential,
            &self.keys,
            self.threshold,
        )?;
        for attempt in 1..=RECEIPT_ATTEMPTS {
            let answer = self
                .client
                .submit(std::slice::from_ref(&line), Wait::Witnessed, RECEIPT_WAIT)
                .await?;
            let result = answer
                .results
                .into_iter()
                .next()
                .context("the server answered nothing")?;
            if result.status == Status::Refused {
                bail!(
                    "the log refused the entry: {}",
                    result.problem.map_or_else(
                        || "no reason given".to_owned(),
                        |problem| problem.to_string(),
                    )
                );
            }
            let (Some(index), Some(receipt)) = (result.index, result.receipt) else {
                if attempt == 1 {
                    tell!("cairn: the log has the entry; waiting for the witnesses to cosign it");
                }
                continue;
            };
            let entry = line.split('~').next().unwrap_or_default().to_owned();
            let leaf = Sha256::of_leaf(entry.as_bytes());
            let receipted = Receipted {
                index,
                entry,
                receipt,
            };
            match receipted.verify(&self.trust_policy) {
                Ok(shown) => {
                    let witnesses = shown.witnesses.into_iter().map(|(name, _)| name).collect();
                    return Ok(Done {
                        index,
                        leaf,
                        witnesses,
                    });
                }
                Err(error) => tell!("cairn: waiting for a complete receipt: {error}"),
            }
        }
        bail!(
            "the log has the entry, but too few witnesses have cosigned it so far; it counts as soon as they \
             do, so do not repeat the command. Look at `/readyz` of the server, and at the witnesses"
        );
    }
}

/// Who has an address, of those who have not been taken out.
fn holder<'a>(
    emails: &'a BTreeMap<String, String>,
    roster: &Roster,
    email: &str,
) -> Option<&'a str> {
    let is_here = |person: &str| {
        let known = roster.people.get(person);
        known.is_some_and(|known| known.removed_at.is_none())
    };
    let mut known = emails.iter();
    let found = known.find(|(person, known)| known.eq_ignore_ascii_case(email) && is_here(person));
    found.map(|(person, _)| person.as_str())
}

/// What administrators sign.
pub(super) struct Statement {
    pub body: Body,
    pub ext: Option<Value>,
}

impl Statement {
    /// A body without extension members.
    pub(super) fn of(body: Body) -> Self {
        Self { body, ext: None }
    }
}

/// Freezes an administrative entry with its approvals into a frame line.
pub(super) fn sign(
    origin: &str,
    Statement { body, ext }: Statement,
    confidential: &[(String, Value)],
    keys: &[SoftwareKey],
    threshold: usize,
) -> anyhow::Result<String> {
    let mut disclosures = Vec::new();
    for (name, value) in confidential {
        disclosures.push(Disclosure::new(random::bytes()?, name, value.clone())?);
    }
    let mut sd: Vec<String> = disclosures.iter().map(Disclosure::digest).collect();
    sd.sort();
    let mut payload = Payload {
        log: origin.to_owned(),
        time_ms: now_ms(),
        link: None,
        context: Context::default(),
        body,
        approvals: Vec::new(),
        sd,
        ext,
    };
    let (first, others) = keys.split_first().context("no administrator key is here")?;
    let mut approvals = Vec::new();
    for key in others.iter().take(threshold.saturating_sub(1)) {
        approvals.push(approve(&payload, key as &dyn EntrySigner)?);
    }
    approvals.sort_by(|left, right| left.kid.cmp(&right.kid));
    payload.approvals = approvals;
    let frozen = freeze(&payload, first)?;
    Ok(present(
        &frozen.entry,
        disclosures.iter().map(Disclosure::encoded),
    ))
}

/// The administrator keys of a folder, in the order of their names.
pub(super) fn keys(dir: &Path) -> anyhow::Result<Vec<SoftwareKey>> {
    let listing =
        std::fs::read_dir(dir).with_context(|| format!("`{}` was not read", dir.display()))?;
    let mut paths: Vec<PathBuf> = listing.flatten().map(|file| file.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "key"));
    paths.sort();
    let mut keys = Vec::new();
    for path in paths {
        let text = Zeroizing::new(String::from_utf8(read(&path)?)?);
        let seed = from_base64url(text.trim()).and_then(|seed| <[u8; 32]>::try_from(seed).ok());
        let seed =
            seed.with_context(|| format!("`{}` is not an administrator key", path.display()))?;
        keys.push(SoftwareKey::from_seed(&Zeroizing::new(seed)));
    }
    Ok(keys)
}

/// Reads a small file.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    cairn_durable::read_limited(path, FILE_BYTES_MAX).map_err(anyhow::Error::from)
}

/// Replays the roster; the addresses that it discloses, by person.
async fn replay(client: &Client, basis: &mut Basis) -> anyhow::Result<BTreeMap<String, String>> {
    let mut emails = BTreeMap::new();
    loop {
        let page = client.roster(basis.roster().revision).await?;
        for entry in &page.entries {
            basis.apply_roster(entry)?;
            for disclosure in Frame::parse(&entry.frame)?.disclosures() {
                if let (Some(person), Some(email)) = (
                    disclosure.name().strip_prefix("email:"),
                    disclosure.value().as_str(),
                ) {
                    emails.insert(person.to_owned(), email.to_owned());
                }
            }
        }
        if page.entries.is_empty() || basis.roster().revision >= page.newest {
            return Ok(emails);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_event::PersonRole;
    use cairn_event::administrative::{RosterChange, RosterStatement};

    #[test]
    fn an_address_has_one_person_at_a_time() {
        let (ann, bob) = (format!("p_{:032x}", 1), format!("p_{:032x}", 2));
        let emails = [
            (ann.clone(), "ann@example.com"),
            (bob.clone(), "bob@example.com"),
        ];
        let emails = emails.map(|(person, email)| (person, email.to_owned()));
        let emails = BTreeMap::from(emails);
        let add = |person: &str| RosterChange::AddPerson {
            person: person.to_owned(),
            roles: vec![PersonRole::Developer],
            teams: vec![],
        };
        let then = |roster: Roster, index, change| {
            let statement = RosterStatement {
                revision: index,
                changes: vec![change],
            };
            roster.apply(index, &statement).unwrap()
        };
        let roster = then(Roster::default(), 1, add(&ann));
        assert_eq!(
            holder(&emails, &roster, "Ann@example.com"),
            Some(ann.as_str())
        );
        // Somebody of whom no roster entry is left to read, and somebody who was taken out.
        assert_eq!(holder(&emails, &roster, "bob@example.com"), None);
        let gone = then(roster, 2, RosterChange::RemovePerson { person: ann });
        assert_eq!(holder(&emails, &gone, "ann@example.com"), None);
    }
}
