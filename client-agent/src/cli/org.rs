//! `cairn org`: making an organisation, changing its roster, pruning and closing its log.

use super::admin::{Administrator, Done, keys, read};
use super::closing::{self, Evidence, Wish};
use super::founding::{Founding, Succession, found};
use super::{AdminArguments, OrgCommand, print_json, pruning};
use crate::random;
use anyhow::{Context as _, bail};
use cairn_durable::write_atomic;
use cairn_event::PersonRole;
use cairn_event::administrative::{RosterChange, RosterStatement};
use cairn_event::body::Body;
use cairn_identity::enrolment::Address;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// A change of the roster as it was asked for; people may still be named by their address.
struct Wanted {
    change: RosterChange,
    confidential: Vec<(String, Value)>,
}

pub(super) async fn run(command: OrgCommand, as_json: bool) -> anyhow::Result<ExitCode> {
    match command {
        OrgCommand::Create {
            server_keys,
            name,
            out,
            admins,
            threshold,
            policy_by_online_key,
            succeeds,
            administrators,
            trust_policy,
        } => {
            let succeeds = match (succeeds, administrators, trust_policy) {
                (Some(evidence), Some(administrators), Some(policy)) => Some(Succession {
                    evidence: Evidence::read(&evidence, &policy)?,
                    keys: keys(&administrators)?,
                }),
                _ => None,
            };
            let server = serde_json::from_slice(&read(&server_keys)?)
                .with_context(|| format!("`{}`", server_keys.display()))?;
            let founding = Founding {
                server,
                name,
                out,
                admins,
                threshold,
                policy_by_online_key,
                succeeds,
            };
            found(founding, as_json)?;
        }
        OrgCommand::CloseLog {
            admin,
            reason,
            successor_keys,
            out,
            yes,
        } => {
            let wanted = Wish {
                reason,
                successor_keys,
                out,
                yes,
            };
            closing::close(&admin, wanted, as_json).await?;
        }
        OrgCommand::Prune { admin, prune } => pruning::order(&admin, prune, as_json).await?,
        OrgCommand::Show { admin } => show(&Administrator::open(&admin).await?, as_json)?,
        OrgCommand::Token { admin, out } => token(&admin, &out).await?,
        change => {
            if let Some((admin, wanted)) = wanted(change)? {
                change_roster(&admin, wanted, as_json).await?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The roster change that a command asks for; nothing for the commands that ask for none.
fn wanted(command: OrgCommand) -> anyhow::Result<Option<(AdminArguments, Wanted)>> {
    let mut confidential = Vec::new();
    let (admin, change) = match command {
        OrgCommand::Create { .. }
        | OrgCommand::CloseLog { .. }
        | OrgCommand::Prune { .. }
        | OrgCommand::Show { .. }
        | OrgCommand::Token { .. } => return Ok(None),
        OrgCommand::PersonAdd {
            admin,
            email,
            roles,
            teams,
        } => {
            let person = random::identifier("p_")?;
            // What is in the log stays there, and nobody could enrol with what is no address.
            let email = Address::parse(&email).with_context(|| format!("`{email}`"))?;
            confidential.push((format!("email:{person}"), Value::from(email.as_str())));
            let (roles, teams) = (parse_roles(&roles)?, sorted(teams));
            (
                admin,
                RosterChange::AddPerson {
                    person,
                    roles,
                    teams,
                },
            )
        }
        OrgCommand::PersonUpdate {
            admin,
            person,
            roles,
            teams,
        } => {
            let (roles, teams) = (parse_roles(&roles)?, sorted(teams));
            (
                admin,
                RosterChange::UpdatePerson {
                    person,
                    roles,
                    teams,
                },
            )
        }
        OrgCommand::PersonRemove { admin, person } => {
            (admin, RosterChange::RemovePerson { person })
        }
        OrgCommand::TeamAdd { admin, team, name } => (admin, RosterChange::AddTeam { name, team }),
        OrgCommand::DeviceRevoke {
            admin,
            device,
            reason,
        } => (admin, RosterChange::RevokeDevice { device, reason }),
    };
    Ok(Some((
        admin,
        Wanted {
            change,
            confidential,
        },
    )))
}

/// Writes a short-lived access token to a file that only its owner can read.
async fn token(arguments: &AdminArguments, out: &Path) -> anyhow::Result<()> {
    let administrator = Administrator::open(arguments).await?;
    let token = administrator
        .client
        .bearer()
        .context("the server gave no token")?;
    write_atomic(out, format!("{token}\n").as_bytes(), 0o600)?;
    say!("{}", out.display());
    Ok(())
}

async fn change_roster(
    arguments: &AdminArguments,
    mut wanted: Wanted,
    as_json: bool,
) -> anyhow::Result<()> {
    let administrator = Administrator::open(arguments).await?;
    if let RosterChange::UpdatePerson { person, .. } | RosterChange::RemovePerson { person } =
        &mut wanted.change
    {
        *person = administrator.person(person)?;
    }
    for (_, email) in &wanted.confidential {
        administrator.check_unused(email.as_str().unwrap_or_default())?;
    }
    let subject = subject(&wanted.change);
    let roster = administrator.basis.roster();
    let statement = RosterStatement {
        changes: vec![wanted.change],
        revision: roster.revision.saturating_add(1),
    };
    // Tried here first: the log would refuse it with the same words.
    if let Err((_, reason)) = roster.apply(u64::MAX, &statement) {
        bail!("{reason}");
    }
    let done = administrator
        .submit(Body::Roster(statement), &wanted.confidential)
        .await?;
    report(&subject, &done, as_json)
}

/// What a change is about, for the person who asked for it.
fn subject(change: &RosterChange) -> Value {
    match change {
        RosterChange::AddTeam { team, .. } => json!({ "team": team }),
        RosterChange::AddPerson { person, .. }
        | RosterChange::UpdatePerson { person, .. }
        | RosterChange::RemovePerson { person } => json!({ "person": person }),
        RosterChange::AdmitDevice { device, .. } | RosterChange::RevokeDevice { device, .. } => {
            json!({ "device": device })
        }
    }
}

fn report(subject: &Value, done: &Done, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let mut out = subject.clone();
        if let (Some(members), Value::Object(more)) =
            (out.as_object_mut(), serde_json::to_value(done)?)
        {
            members.extend(more);
        }
        return print_json(&out);
    }
    for (name, value) in subject.as_object().into_iter().flatten() {
        say!("{name}  {}", value.as_str().unwrap_or_default());
    }
    say!(
        "log index {}, witnessed by {}",
        done.index,
        done.witnesses.join(", ")
    );
    Ok(())
}

fn show(administrator: &Administrator, as_json: bool) -> anyhow::Result<()> {
    let roster = administrator.basis.roster();
    let people: Vec<Value> = roster
        .people
        .iter()
        .map(|(id, person)| {
            let membership = person.membership();
            json!({
                "person": id, "email": administrator.emails.get(id),
                "roles": membership.map(|one| one.roles.clone()),
                "teams": membership.map(|one| one.teams.clone()),
                "removed_at": person.removed_at,
            })
        })
        .collect();
    let devices: Vec<Value> = roster
        .devices
        .iter()
        .map(|(id, device)| {
            json!({
                "device": id, "person": device.person, "admitted_at": device.admitted_at,
                "revoked_at": device.revoked_at, "protection": device.protection,
                "isolation": device.isolation,
            })
        })
        .collect();
    if as_json {
        return print_json(&json!({
            "revision": roster.revision, "teams": roster.teams, "people": people,
            "devices": devices,
        }));
    }
    say!("roster revision {}", roster.revision);
    for (team, name) in &roster.teams {
        say!("team    {team}  {name}");
    }
    for row in people.iter().chain(&devices) {
        say!("{row}");
    }
    Ok(())
}

fn parse_roles(words: &[String]) -> anyhow::Result<Vec<PersonRole>> {
    let mut roles = Vec::new();
    for word in words {
        let role: PersonRole = serde_json::from_value(Value::from(word.as_str()))
            .with_context(|| format!("`{word}` is not admin, security, auditor or developer"))?;
        roles.push(role);
    }
    roles.sort();
    roles.dedup();
    Ok(roles)
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(email: &str) -> anyhow::Result<Wanted> {
        let admin = AdminArguments {
            admin: "admin".into(),
            server: "https://cairn.example.com".to_owned(),
            trust_policy: None,
        };
        let (email, roles, teams) = (email.to_owned(), vec!["developer".to_owned()], vec![]);
        let command = OrgCommand::PersonAdd {
            admin,
            email,
            roles,
            teams,
        };
        wanted(command).map(|wanted| wanted.unwrap().1)
    }

    #[test]
    fn what_is_no_address_never_gets_into_the_log() {
        let wanted = added(" Ann@Example.com ").unwrap();
        assert_eq!(wanted.confidential[0].1, "ann@example.com");
        for wrong in [
            "not an address",
            "ann",
            "ann@",
            "@example.com",
            "ann@exämple.com",
        ] {
            let refused = format!("{:#}", added(wrong).err().unwrap());
            assert!(refused.contains(&format!("`{wrong}`")), "{refused}");
        }
    }
}
