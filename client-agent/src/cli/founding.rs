//! `cairn org create`: the administrators' keys and the genesis entry, made off the server.

use super::admin::{OrgFile, sign};
use super::print_json;
use crate::random;
use anyhow::bail;
use cairn_durable::{create_dir_durable, write_atomic};
use cairn_event::administrative::{Administrators, Delegation, Genesis, Right};
use cairn_event::body::Body;
use cairn_event::encoding::to_base64url;
use cairn_event::{EntrySigner, PublicKey, Sha256, SoftwareKey};
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Most administrator keys: more than a board of directors.
const ADMINS_MAX: u32 = 32;

/// Public keys of a server, as `cairn-server init` writes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerKeys {
    origin: String,
    log_key: String,
    authority: PublicKey,
    observer: PublicKey,
}

/// How an organisation is made.
pub(super) struct Founding {
    pub server: ServerKeys,
    pub name: String,
    pub out: PathBuf,
    pub admins: u32,
    pub threshold: u32,
    pub policy_by_online_key: bool,
}

/// Makes the keys and the genesis entry in a new folder.
pub(super) fn found(founding: Founding, as_json: bool) -> anyhow::Result<()> {
    check(&founding)?;
    let mut seeds = Vec::new();
    for _ in 0..founding.admins {
        seeds.push(Zeroizing::new(random::bytes::<32>()?));
    }
    let keys: Vec<SoftwareKey> = seeds
        .iter()
        .map(|seed| SoftwareKey::from_seed(seed))
        .collect();
    let genesis = genesis(&founding, &keys);
    cairn_identity::Authority::from_genesis(&genesis)?;
    let threshold = usize::try_from(founding.threshold)?;
    let origin = &founding.server.origin;
    let frame = sign(origin, Body::Genesis(genesis), &[], &keys, threshold)?;
    let genesis_entry = frame.trim_end_matches('~').to_owned();
    let org = OrgFile {
        origin: origin.clone(),
        organisation: founding.name.clone(),
        genesis_leaf: Sha256::of_leaf(genesis_entry.as_bytes()),
        genesis_entry,
    };
    write(&founding, &seeds, &frame, &org)?;
    report(&founding, &org, as_json)
}

fn check(founding: &Founding) -> anyhow::Result<()> {
    if founding.admins == 0 || founding.admins > ADMINS_MAX {
        bail!("--admins must be 1 to {ADMINS_MAX}");
    }
    if founding.threshold == 0 || founding.threshold > founding.admins {
        bail!("--threshold must be 1 to the number of administrators");
    }
    if founding.out.exists() {
        bail!(
            "`{}` exists; keys are never overwritten",
            founding.out.display()
        );
    }
    Ok(())
}

fn genesis(founding: &Founding, keys: &[SoftwareKey]) -> Genesis {
    let server = &founding.server;
    let mut may = vec![
        Right::AdmitDevice,
        Right::EnrolDeveloper,
        Right::RevokeDevice,
        Right::RecordActions,
    ];
    may.extend(founding.policy_by_online_key.then_some(Right::Policy));
    let authority = Delegation {
        key: server.authority.clone(),
        label: "authority".to_owned(),
        may,
    };
    Genesis {
        administrators: Administrators {
            keys: keys.iter().map(EntrySigner::public_key).collect(),
            threshold: founding.threshold,
        },
        delegations: vec![authority],
        log_key: server.log_key.clone(),
        observer: server.observer.clone(),
        organisation: founding.name.clone(),
    }
}

fn write(
    founding: &Founding,
    seeds: &[Zeroizing<[u8; 32]>],
    frame: &str,
    org: &OrgFile,
) -> anyhow::Result<()> {
    let out = &founding.out;
    create_dir_durable(out, 0o700)?;
    for (number, seed) in (1_u32..).zip(seeds) {
        let text = Zeroizing::new(format!("{}\n", to_base64url(seed.as_slice())));
        write_atomic(
            &out.join(format!("admin-{number:02}.key")),
            text.as_bytes(),
            0o600,
        )?;
    }
    write_atomic(
        &out.join("genesis.frame"),
        format!("{frame}\n").as_bytes(),
        0o644,
    )?;
    write_atomic(
        &out.join("org.json"),
        &serde_json::to_vec_pretty(org)?,
        0o644,
    )?;
    Ok(())
}

fn report(founding: &Founding, org: &OrgFile, as_json: bool) -> anyhow::Result<()> {
    let out = &founding.out;
    if as_json {
        return print_json(&json!({
            "genesis_hash": org.genesis_leaf, "genesis": out.join("genesis.frame"),
            "origin": org.origin, "admins": founding.admins, "threshold": founding.threshold,
        }));
    }
    println!("genesis hash  {}", org.genesis_leaf);
    println!(
        "keys          {} of {} in {}",
        founding.threshold,
        founding.admins,
        out.display()
    );
    println!("\nPublish the genesis hash where your developers and auditors can compare it.");
    println!("Start the server with the file `genesis.frame`; the keys never go there.");
    Ok(())
}
