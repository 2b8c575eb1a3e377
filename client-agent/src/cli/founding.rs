//! `cairn org create`: the administrators' keys and the genesis entry, made off the server.
//!
//! The genesis of a successor names the checkpoint at which its predecessor was closed and is signed by
//! administrators of both. Keys of the closed log that are at hand are kept; lost ones are replaced by
//! new ones.

use super::admin::{OrgFile, Statement, sign};
use super::closing::Evidence;
use super::print_json;
use crate::random;
use anyhow::bail;
use cairn_durable::{create_dir_durable, write_atomic};
use cairn_event::administrative::{Administrators, Delegation, Genesis, Predecessor, Right};
use cairn_event::body::Body;
use cairn_event::encoding::to_base64url;
use cairn_event::{Entry, EntrySigner, PublicKey, Sha256, SoftwareKey};
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
    pub(super) log_key: String,
    authority: PublicKey,
    observer: PublicKey,
}

/// How an organisation is made.
pub(super) struct Founding {
    pub server: ServerKeys,
    pub name: String,
    pub out: PathBuf,
    pub admins: Option<u32>,
    pub threshold: Option<u32>,
    pub policy_by_online_key: bool,
    pub succeeds: Option<Succession>,
}

/// The log that the new one succeeds.
pub(super) struct Succession {
    pub evidence: Evidence,
    /// Its administrators' keys, as far as they are at hand.
    pub keys: Vec<SoftwareKey>,
}

/// How many keys there are to be, how many must agree, and how many sign the genesis.
struct Numbers {
    admins: u32,
    threshold: u32,
    signers: usize,
}

/// Makes the keys and the genesis entry in a new folder.
pub(super) fn found(founding: Founding, as_json: bool) -> anyhow::Result<()> {
    let numbers = check(&founding)?;
    let kept = founding.succeeds.iter().flat_map(|before| &before.keys);
    let mut seeds: Vec<_> = kept.map(|key| Zeroizing::new(key.seed())).collect();
    while seeds.len() < usize::try_from(numbers.admins)? {
        seeds.push(Zeroizing::new(random::bytes::<32>()?));
    }
    let keys: Vec<SoftwareKey> = seeds
        .iter()
        .map(|seed| SoftwareKey::from_seed(seed))
        .collect();
    let genesis = genesis(&founding, &keys, numbers.threshold);
    cairn_identity::Authority::from_genesis(&genesis)?;
    let origin = &founding.server.origin;
    let named = founding.succeeds.as_ref().map(|before| &before.evidence);
    let statement = Statement {
        body: Body::Genesis(genesis),
        ext: named.map(|evidence| json!({ Predecessor::MEMBER: evidence.named })),
    };
    let frame = sign(origin, statement, &[], &keys, numbers.signers)?;
    let genesis_entry = frame.trim_end_matches('~').to_owned();
    if let Some(evidence) = named {
        let entry = Entry::parse(genesis_entry.as_bytes())?;
        evidence.closed.check_successor(&entry, &evidence.named)?;
    }
    let org = OrgFile {
        origin: origin.clone(),
        organisation: founding.name.clone(),
        genesis_leaf: Sha256::of_leaf(genesis_entry.as_bytes()),
        genesis_entry,
    };
    write(&founding, &seeds, &frame, &org)?;
    report(&founding, &numbers, &org, as_json)
}

fn check(founding: &Founding) -> anyhow::Result<Numbers> {
    let (mut kept, mut agreed) = (1, 1);
    if let Some(before) = &founding.succeeds {
        kept = before.keys.len();
        agreed = before.evidence.closed.authority.threshold();
        if kept < agreed {
            bail!("{kept} keys of the closed log's administrators are here, {agreed} must agree");
        }
        if founding.server.origin == before.evidence.closed.origin {
            bail!(
                "the successor needs another origin than `{}`",
                founding.server.origin
            );
        }
    }
    let admins = founding.admins.unwrap_or(u32::try_from(kept)?);
    let threshold = founding.threshold.unwrap_or(u32::try_from(agreed)?);
    if admins == 0 || admins > ADMINS_MAX {
        bail!("--admins must be 1 to {ADMINS_MAX}");
    }
    if founding.succeeds.is_some() && usize::try_from(admins)? < kept {
        bail!("--admins must be at least {kept}: keys of the closed log are kept");
    }
    if threshold == 0 || threshold > admins {
        bail!("--threshold must be 1 to the number of administrators");
    }
    if founding.out.exists() {
        bail!(
            "`{}` exists; keys are never overwritten",
            founding.out.display()
        );
    }
    Ok(Numbers {
        admins,
        threshold,
        signers: agreed.max(usize::try_from(threshold)?),
    })
}

fn genesis(founding: &Founding, keys: &[SoftwareKey], threshold: u32) -> Genesis {
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
            threshold,
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
    let mut lines = format!("{frame}\n");
    if let Some(before) = &founding.succeeds {
        // The server stores it before the genesis that names it.
        lines.push_str(&before.evidence.line);
        lines.push('\n');
    }
    write_atomic(&out.join("genesis.frame"), lines.as_bytes(), 0o644)?;
    write_atomic(
        &out.join("org.json"),
        &serde_json::to_vec_pretty(org)?,
        0o644,
    )?;
    Ok(())
}

fn report(
    founding: &Founding,
    Numbers {
        admins, threshold, ..
    }: &Numbers,
    org: &OrgFile,
    as_json: bool,
) -> anyhow::Result<()> {
    let out = &founding.out;
    let named = founding.succeeds.as_ref();
    let named = named.map(|before| &before.evidence.named);
    if as_json {
        return print_json(&json!({
            "genesis_hash": org.genesis_leaf, "genesis": out.join("genesis.frame"),
            "origin": org.origin, "admins": admins, "threshold": threshold,
            "succeeds": named,
        }));
    }
    say!("genesis hash  {}", org.genesis_leaf);
    say!("keys          {threshold} of {admins} in {}", out.display());
    if let Some(named) = named {
        say!("succeeds      {} at size {}", named.origin, named.size);
    }
    say!("");
    say!("Publish the genesis hash where your developers and auditors can compare it.");
    say!("Start the server with the file `genesis.frame`; the keys never go there.");
    Ok(())
}
