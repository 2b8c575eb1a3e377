//! Devices, people, teams and MCP servers.

use crate::problem::Problem;
use crate::services::Services;
use crate::services::access::Caller;
use crate::services::index::{Index, McpFacts};
use axum::Json;
use axum::extract::State;
use cairn_api::browse::{DeviceView, McpView, PersonView};
use cairn_event::Sha256;
use serde::Serialize;

/// `GET /v1/devices`.
pub(in crate::services) async fn devices(
    State(services): State<Services>,
    caller: Caller,
) -> Result<Json<Vec<DeviceView>>, Problem> {
    let index = services.index();
    let people = services.people();
    let names = people.directory();
    let devices = index.ledger().roster().devices.iter();
    let visible = devices.filter(|(_, device)| caller.sees_person(Some(&device.person)));
    let views = visible.map(|(id, device)| {
        let facts = index.device(id).cloned().unwrap_or_default();
        DeviceView {
            device: id.clone(),
            person: device.person.clone(),
            email: names.email(&device.person).map(str::to_owned),
            host: names.host(id).map(str::to_owned),
            protection: device.protection,
            isolation: device.isolation,
            admitted_at: device.admitted_at,
            revoked_at: device.revoked_at,
            last_seen_ms: facts.last_seen_ms,
            posture: facts.posture,
            policy_version: facts.policy_version,
            policy_acknowledged_at: facts.acknowledged.map(|(index, _)| index),
            policy_acknowledged_ms: facts.acknowledged.map(|(_, time_ms)| time_ms),
            policy_age_ms: facts.policy_age_ms,
            gaps: facts.gaps,
        }
    });
    Ok(Json(views.collect()))
}

/// `GET /v1/people`.
pub(in crate::services) async fn people(
    State(services): State<Services>,
    caller: Caller,
) -> Result<Json<Vec<PersonView>>, Problem> {
    let index = services.index();
    let people = services.people();
    let members = index.ledger().roster().people.iter();
    let visible = members.filter(|(id, _)| caller.sees_person(Some(id)));
    let views = visible.map(|(id, person)| {
        let now = person.membership();
        PersonView {
            person: id.clone(),
            email: people.directory().email(id).map(str::to_owned),
            roles: now.map(|one| one.roles.clone()).unwrap_or_default(),
            teams: now.map(|one| one.teams.clone()).unwrap_or_default(),
            removed: person.removed_at.is_some(),
        }
    });
    Ok(Json(views.collect()))
}

/// One team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TeamView {
    /// Identifier.
    pub team: String,
    /// Display name.
    pub name: String,
    /// People in it now; for a developer only themselves.
    pub people: Vec<String>,
}

/// `GET /v1/teams`; a developer sees the teams they are in.
pub(in crate::services) async fn teams(
    State(services): State<Services>,
    caller: Caller,
) -> Result<Json<Vec<TeamView>>, Problem> {
    let index = services.index();
    let roster = index.ledger().roster();
    let views = roster.teams.iter().map(|(team, name)| {
        let members = roster.people.iter().filter(|(id, person)| {
            let in_team = person
                .membership()
                .is_some_and(|one| one.teams.contains(team));
            in_team && caller.sees_person(Some(id))
        });
        let people = members.map(|(id, _)| id.clone()).collect();
        TeamView {
            team: team.clone(),
            name: name.clone(),
            people,
        }
    });
    let visible = views.filter(|view| caller.reads_all() || !view.people.is_empty());
    Ok(Json(visible.collect()))
}

/// `GET /v1/mcp`; a developer sees the servers of their own devices, and on those devices only.
pub(in crate::services) async fn mcp(
    State(services): State<Services>,
    caller: Caller,
) -> Result<Json<Vec<McpView>>, Problem> {
    let index = services.index();
    let servers = index.mcp().iter();
    let views = servers.filter_map(|(key, facts)| mcp_view(&index, &caller, key, facts));
    Ok(Json(views.collect()))
}

fn mcp_view(
    index: &Index,
    caller: &Caller,
    (name, fingerprint): &(String, Sha256),
    facts: &McpFacts,
) -> Option<McpView> {
    let roster = index.ledger().roster();
    let visible = facts.seen.iter().filter(|(device, _)| {
        let person = roster.devices.get(*device).map(|one| one.person.as_str());
        caller.sees_person(person)
    });
    let (mut devices, mut sources) = (Vec::new(), Vec::new());
    for (device, seen_in) in visible {
        devices.push(device.clone());
        sources.extend_from_slice(seen_in);
    }
    if devices.is_empty() {
        return None;
    }
    sources.sort_unstable();
    sources.dedup();
    Some(McpView {
        name: name.clone(),
        fingerprint: *fingerprint,
        transport: facts.transport.clone(),
        effect: facts.effect,
        sources,
        devices,
        first_seen_ms: facts.first_seen_ms,
        last_seen_ms: facts.last_seen_ms,
        first_index: facts.first_index,
    })
}
