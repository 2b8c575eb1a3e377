//! `cairn org`: making an organisation and changing its roster.

use super::admin::{Administrator, Done, OrgFile, read, sign};
use super::{AdminArguments, OrgCommand, print_json};
use crate::random;
use anyhow::{Context as _, bail};
use cairn_durable::{create_dir_durable, write_atomic};
use cairn_event::administrative::{
    Administrators, Delegation, Genesis, Right, RosterChange, RosterStatement,
};
use cairn_event::body::Body;
use cairn_event::encoding::to_base64url;
use cairn_event::{EntrySigner, PersonRole, PublicKey, Sha256, SoftwareKey};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// Most administrator keys: more than a board of directors.
const ADMINS_MAX: u32 = 32;

/// Public keys of a server, as `cairn-server init` writes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerKeys {
    origin: String,
    log_key: String,
    authority: PublicKey,
    observer: PublicKey,
}

/// How an organisation is made.
struct Plan<'a> {
    server: ServerKeys,
    name: &'a str,
    out: &'a Path,
    admins: u32,
    threshold: u32,
    policy_by_online_key: bool,
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
        } => {
            let server = serde_json::from_slice(&read(&server_keys)?)
                .with_context(|| format!("`{}`", server_keys.display()))?;
            let (name, out) = (name.as_str(), out.as_path());
            create(
                Plan {
                    server,
                    name,
                    out,
                    admins,
                    threshold,
                    policy_by_online_key,
                },
                as_json,
            )?;
        }
        OrgCommand::PersonAdd {
            admin,
            email,
            roles,
            teams,
        } => {
            let person = random::identifier("p_")?;
            let change = RosterChange::AddPerson {
                person: person.clone(),
                roles: parse_roles(&roles)?,
                teams: sorted(teams),
            };
            let confidential = vec![(format!("email:{person}"), Value::from(email))];
            let done = change_roster(&admin, |_| Ok(change), &confidential).await?;
            report(&json!({ "person": person }), &done, as_json)?;
        }
        OrgCommand::PersonUpdate {
            admin,
            person,
            roles,
            teams,
        } => {
            let (roles, teams) = (parse_roles(&roles)?, sorted(teams));
            let change = |administrator: &Administrator| {
                Ok(RosterChange::UpdatePerson {
                    person: administrator.person(&person)?,
                    roles,
                    teams,
                })
            };
            let done = change_roster(&admin, change, &[]).await?;
            report(&json!({ "person": person }), &done, as_json)?;
        }
        OrgCommand::PersonRemove { admin, person } => {
            let change = |administrator: &Administrator| {
                Ok(RosterChange::RemovePerson {
                    person: administrator.person(&person)?,
                })
            };
            let done = change_roster(&admin, change, &[]).await?;
            report(&json!({ "person": person }), &done, as_json)?;
        }
        OrgCommand::TeamAdd { admin, team, name } => {
            let change = RosterChange::AddTeam {
                name,
                team: team.clone(),
            };
            let done = change_roster(&admin, |_| Ok(change), &[]).await?;
            report(&json!({ "team": team }), &done, as_json)?;
        }
        OrgCommand::DeviceRevoke {
            admin,
            device,
            reason,
        } => {
            let change = RosterChange::RevokeDevice {
                device: device.clone(),
                reason,
            };
            let done = change_roster(&admin, |_| Ok(change), &[]).await?;
            report(&json!({ "device": device }), &done, as_json)?;
        }
        OrgCommand::Show { admin } => show(&Administrator::open(&admin).await?, as_json)?,
        OrgCommand::Token { admin, out } => {
            let administrator = Administrator::open(&admin).await?;
            let token = administrator
                .client
                .bearer()
                .context("the server gave no token")?;
            write_atomic(&out, format!("{token}\n").as_bytes(), 0o600)?;
            println!("{}", out.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn create(plan: Plan<'_>, as_json: bool) -> anyhow::Result<()> {
    if plan.admins == 0 || plan.admins > ADMINS_MAX {
        bail!("--admins must be 1 to {ADMINS_MAX}");
    }
    if plan.threshold == 0 || plan.threshold > plan.admins {
        bail!("--threshold must be 1 to the number of administrators");
    }
    if plan.out.exists() {
        bail!(
            "`{}` exists; keys are never overwritten",
            plan.out.display()
        );
    }
    let mut seeds = Vec::new();
    for _ in 0..plan.admins {
        seeds.push(zeroize::Zeroizing::new(random::bytes::<32>()?));
    }
    let keys: Vec<SoftwareKey> = seeds
        .iter()
        .map(|seed| SoftwareKey::from_seed(seed))
        .collect();
    let mut may = vec![
        Right::AdmitDevice,
        Right::EnrolDeveloper,
        Right::RevokeDevice,
        Right::RecordActions,
    ];
    may.extend(plan.policy_by_online_key.then_some(Right::Policy));
    let authority = Delegation {
        key: plan.server.authority,
        label: "authority".to_owned(),
        may,
    };
    let genesis = Genesis {
        administrators: Administrators {
            keys: keys.iter().map(EntrySigner::public_key).collect(),
            threshold: plan.threshold,
        },
        delegations: vec![authority],
        log_key: plan.server.log_key,
        observer: plan.server.observer,
        organisation: plan.name.to_owned(),
    };
    cairn_identity::Authority::from_genesis(&genesis)?;
    let threshold = usize::try_from(plan.threshold)?;
    let frame = sign(
        &plan.server.origin,
        Body::Genesis(genesis),
        &[],
        &keys,
        threshold,
    )?;
    let genesis_entry = frame.trim_end_matches('~').to_owned();
    let genesis_leaf = Sha256::of_leaf(genesis_entry.as_bytes());
    let organisation = plan.name.to_owned();
    let org = OrgFile {
        origin: plan.server.origin,
        organisation,
        genesis_leaf,
        genesis_entry,
    };
    create_dir_durable(plan.out, 0o700)?;
    for (number, seed) in (1_u32..).zip(&seeds) {
        let text = zeroize::Zeroizing::new(format!("{}\n", to_base64url(seed.as_slice())));
        let path = plan.out.join(format!("admin-{number:02}.key"));
        write_atomic(&path, text.as_bytes(), 0o600)?;
    }
    write_atomic(
        &plan.out.join("genesis.frame"),
        format!("{frame}\n").as_bytes(),
        0o644,
    )?;
    write_atomic(
        &plan.out.join("org.json"),
        &serde_json::to_vec_pretty(&org)?,
        0o644,
    )?;
    if as_json {
        return print_json(&json!({
            "genesis_hash": genesis_leaf, "genesis": plan.out.join("genesis.frame"),
            "origin": org.origin, "admins": plan.admins, "threshold": plan.threshold,
        }));
    }
    println!("genesis hash  {genesis_leaf}");
    println!(
        "keys          {} of {} in {}",
        plan.threshold,
        plan.admins,
        plan.out.display()
    );
    println!("\nPublish the genesis hash where your developers and auditors can compare it.");
    println!("Start the server with the file `genesis.frame`; the keys never go there.");
    Ok(())
}

async fn change_roster(
    arguments: &AdminArguments,
    change: impl FnOnce(&Administrator) -> anyhow::Result<RosterChange>,
    confidential: &[(String, Value)],
) -> anyhow::Result<Done> {
    let administrator = Administrator::open(arguments).await?;
    let roster = administrator.basis.roster();
    let statement = RosterStatement {
        changes: vec![change(&administrator)?],
        revision: roster.revision.saturating_add(1),
    };
    // Tried here first: the log would refuse it with the same words.
    let tried = roster.apply(u64::MAX, &statement);
    if let Err((_, reason)) = tried {
        bail!("{reason}");
    }
    administrator
        .submit(Body::Roster(statement), confidential)
        .await
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
        println!("{name}  {}", value.as_str().unwrap_or_default());
    }
    println!(
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
    println!("roster revision {}", roster.revision);
    for (team, name) in &roster.teams {
        println!("team    {team}  {name}");
    }
    for row in people.iter().chain(&devices) {
        println!("{row}");
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
