//! `GET /v1/overview`: the fleet at a glance; for a developer, their own part of it.

use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use axum::Json;
use axum::extract::State;
use cairn_api::browse::Overview;
use cairn_event::Sha256;

/// A device counts as active when it was heard within this long before the newest device.
const ACTIVE_MS: u64 = 86_400_000;

/// `GET /v1/overview`.
pub(in crate::services) async fn overview(
    State(services): State<Services>,
    caller: Caller,
) -> Result<Json<Overview>, Problem> {
    let log = services.log();
    let (published_size, signed_ms) = {
        let published = log.published();
        let newest = published.borrow();
        (newest.size, newest.time_ms)
    };
    // The ledger is locked before the index, here as everywhere.
    let organisation = services.organisation();
    let index = services.index();
    let roster = index.ledger().roster();
    let sees = |person: &str| caller.sees_person(Some(person));
    let devices: Vec<&String> = roster
        .devices
        .iter()
        .filter(|(_, device)| device.revoked_at.is_none() && sees(&device.person))
        .map(|(id, _)| id)
        .collect();
    let seen = |id: &String| index.device(id).and_then(|facts| facts.last_seen_ms);
    let newest = devices.iter().filter_map(|id| seen(id)).max().unwrap_or(0);
    let since = newest.saturating_sub(ACTIVE_MS);
    let active = devices
        .iter()
        .filter(|id| seen(id).is_some_and(|at| at >= since))
        .count();
    let people = roster
        .people
        .iter()
        .filter(|(id, person)| person.removed_at.is_none() && sees(id))
        .count();
    let sessions = index
        .sessions()
        .values()
        .filter(|one| sees(&one.person))
        .count();
    let own = (!caller.reads_all()).then_some(caller.claims.sub.as_str());
    let counts = index.counts(own);
    let ledger = index.ledger();
    Ok(Json(Overview {
        organisation,
        origin: log.origin().to_owned(),
        genesis: ledger.genesis_leaf().unwrap_or(Sha256([0; 32])),
        published_size,
        checkpoint_age_ms: log.now_ms().saturating_sub(signed_ms),
        devices: devices.len() as u64,
        devices_active: active as u64,
        people: people as u64,
        sessions: sessions as u64,
        allowed: counts.allowed,
        denied: counts.denied,
        asked: counts.asked,
        no_opinion: counts.no_opinion,
        policy_version: ledger.policy().map(|head| head.version),
        policy_by_online_key: ledger
            .authority()
            .is_some_and(|one| one.policy_by_online_key()),
        gaps: counts.gaps,
        forks: counts.forks,
    }))
}
