//! The end of an enrolment: the roster entry, and waiting until it is published.

use super::identifier;
use crate::outcome::Wait;
use crate::services::Services;
use crate::services::authority::{AuthorityError, Statement, Written};
use crate::services::mail::Mail;
use cairn_event::PersonRole;
use cairn_event::administrative::{RosterChange, RosterStatement};
use cairn_event::body::Body;
use cairn_identity::Ledger;
use cairn_identity::enrolment::{
    Address, Admission, Applicant, ENROLMENT_MS, State, fingerprint_words,
};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How the person was verified, as the roster names it.
const METHOD: &str = "email-otp";

/// Longest wait for publication; beyond it the enrolment itself has expired.
const PUBLISH_WAIT: Duration = Duration::from_millis(ENROLMENT_MS);

/// Whether a person with this address may enrol a device.
///
/// Trap: only people that stand know; ask [`Services::stands`] before.
pub(super) fn may_enrol(services: &Services, address: &Address) -> bool {
    match services.person_of(address) {
        Some(person) => is_active(services, &person),
        None => services
            .log()
            .config()
            .allowed_domains
            .iter()
            .any(|one| one == address.domain()),
    }
}

fn is_active(services: &Services, person: &str) -> bool {
    let ledger = services.log().ledger();
    ledger
        .roster()
        .people
        .get(person)
        .is_some_and(|person| person.membership().is_some())
}

/// Writes the roster entry of a verified enrolment and moves it on; runs in the background.
pub(super) async fn admit(services: Services, id: String, applicant: Applicant, email: Address) {
    let outcome = write(&services, &applicant, &email).await;
    let now_ms = services.log().now_ms();
    let admission = match outcome {
        Ok(admission) => admission,
        Err(error) => {
            tracing::error!(%error, "an enrolment was not recorded");
            if let Some(open) = services.enrolments().get(&id, now_ms) {
                open.machine
                    .refuse("the server could not record the device; ask your administrator");
            }
            return;
        }
    };
    if let Some(open) = services.enrolments().get(&id, now_ms)
        && matches!(open.machine.state(), State::Verified(_))
        && let Err(error) = open.machine.admit(admission)
    {
        tracing::error!(%error, "an enrolment was recorded and not answered");
    }
    let words = fingerprint_words(&applicant.key);
    let mail = Mail::new_device(&applicant.host, &words, services.public_url());
    if let Err(error) = services.0.mailer.send(&email, mail).await {
        tracing::warn!(%error, "a person was not told of a new device");
    }
}

#[derive(Debug, thiserror::Error)]
enum AdmitError {
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("no randomness from the operating system")]
    Randomness(#[from] getrandom::Error),
    #[error("a roster entry was not published in time")]
    NotPublished,
    #[error("the address may not enrol any more")]
    NotEligible,
    #[error("the roster is not followed any more")]
    NoPeople,
}

/// The names that the entry gives to what is new.
struct Fresh {
    device: Arc<str>,
    person: Arc<str>,
}

async fn write(
    services: &Services,
    applicant: &Applicant,
    email: &Address,
) -> Result<Admission, AdmitError> {
    let fresh = Fresh {
        device: identifier("d_")?,
        person: identifier("p_")?,
    };
    let Written { index, .. } = write_once_known(services, applicant, email, &fresh).await?;
    let device = fresh.device.to_string();
    let person = {
        let ledger = services.log().ledger();
        let admitted = ledger.roster().devices.get(&device);
        admitted.map_or_else(|| fresh.person.to_string(), |one| one.person.clone())
    };
    let mut checkpoints = services.log().published();
    let covered = checkpoints.wait_for(|checkpoint| checkpoint.size > index);
    let waited = tokio::time::timeout(PUBLISH_WAIT, covered).await;
    waited
        .map_err(|_| AdmitError::NotPublished)?
        .map_err(|_| AdmitError::NotPublished)?;
    Ok(Admission {
        device,
        person,
        email: email.clone(),
        roster_index: index,
    })
}

/// Writes the entry when every person there is is known: an address that it does not know yet
/// may be that of somebody whom a roster entry not yet followed adds, or added before a restart.
async fn write_once_known(
    services: &Services,
    applicant: &Applicant,
    email: &Address,
    fresh: &Fresh,
) -> Result<Written, AdmitError> {
    let _turn = services.0.admissions.lock().await;
    let say = |ledger: &Ledger| statement(services, ledger, applicant, email, fresh);
    let written = loop {
        wait_for_people(services).await?;
        if !may_enrol(services, email) {
            return Err(AdmitError::NotEligible);
        }
        match services.0.authority.write(Wait::Sequenced, say).await {
            // An administrator's entry came in between.
            Err(AuthorityError::NotYet) => {}
            written => break written?,
        }
    };
    let person = {
        let ledger = services.log().ledger();
        let admitted = ledger.roster().devices.get(fresh.device.as_ref());
        admitted.map(|device| device.person.clone())
    };
    // The follower learns it from the published entry; a second enrolment may come before that.
    if let Some(person) = person {
        services.learn(|known| known.note_address(&person, email, written.index));
    }
    Ok(written)
}

/// Waits until the names of every roster entry of the log are known.
async fn wait_for_people(services: &Services) -> Result<(), AdmitError> {
    let mut heads = services.0.heads.clone();
    // The heads change with every roster entry that was followed.
    let known = heads.wait_for(|_| {
        let roster = services.log().ledger().roster().clone();
        services.people().knows_roster(&roster)
    });
    let waited = tokio::time::timeout(PUBLISH_WAIT, known).await;
    let known = waited.map_err(|_| AdmitError::NotPublished)?;
    known.map(|_| ()).map_err(|_| AdmitError::NoPeople)
}

/// The roster entry; `None` while not everybody is known whom `ledger` has.
fn statement(
    services: &Services,
    ledger: &Ledger,
    applicant: &Applicant,
    email: &Address,
    fresh: &Fresh,
) -> Option<Statement> {
    let known = {
        let people = services.people();
        if !people.knows_roster(ledger.roster()) {
            return None;
        }
        people.person_of(ledger.roster(), email).map(str::to_owned)
    };
    let person = known.unwrap_or_else(|| fresh.person.to_string());
    let mut changes = Vec::with_capacity(2);
    let mut confidential = Vec::with_capacity(2);
    if !ledger.roster().people.contains_key(&person) {
        let person = person.clone();
        confidential.push((format!("email:{person}"), Value::from(email.as_str())));
        changes.push(RosterChange::AddPerson {
            person,
            roles: vec![PersonRole::Developer],
            teams: Vec::new(),
        });
    }
    confidential.push((
        format!("host:{}", fresh.device),
        Value::from(applicant.host.as_str()),
    ));
    changes.push(RosterChange::AdmitDevice {
        device: fresh.device.to_string(),
        isolation: applicant.isolation,
        key: applicant.key.clone(),
        methods: vec![METHOD.to_owned()],
        person,
        protection: applicant.protection,
    });
    let revision = ledger.roster().revision + 1;
    let body = Body::Roster(RosterStatement { changes, revision });
    Some(Statement {
        body,
        confidential,
        ext: None,
    })
}
