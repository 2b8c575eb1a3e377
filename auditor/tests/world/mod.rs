//! A small organisation and its log, built in memory from fixed seeds and written as a mirror folder.
//!
//! Every decision in it is made by the real engine, every entry is signed by the key that the real
//! roster names, so that an audit of the untouched world finds nothing. Shared with the exporter's
//! tests.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test world fails by panicking, and each test uses another part of it"
)]

pub mod calls;
mod devices;
mod publish;
mod stories;

pub use devices::DeviceRun;
pub use stories::{busy, default_bundle, quiet};

use cairn_event::administrative::*;
use cairn_event::body::*;
use cairn_event::disclosure::names;
use cairn_event::encoding::to_base64url;
use cairn_event::payload::{Agent, Beacon, possession_message};
use cairn_event::*;
use cairn_policy::{Bundle, Request, Subject, compile, decide};
use cairn_tlog::{Hash, KeyAlgorithm, SignerKey, leaf_hash};
use serde_json::json;
use std::collections::BTreeMap;

pub const ORIGIN: &str = "log.example/cairn";
/// The world begins on 2026-07-01.
pub const BEGIN_MS: u64 = 1_782_864_000_000;

/// One entry and what is disclosed of it.
#[derive(Clone)]
pub struct Item {
    pub bytes: Vec<u8>,
    pub disclosures: Vec<Disclosure>,
    pub erased: bool,
}

pub struct World {
    pub admin: SoftwareKey,
    pub authority: SoftwareKey,
    pub observer: SoftwareKey,
    pub log_key: SignerKey,
    pub witnesses: Vec<SignerKey>,
    pub items: Vec<Item>,
    pub checkpoints: BTreeMap<u64, String>,
    pub blobs: BTreeMap<Sha256, Vec<u8>>,
    pub now_ms: u64,
    pub roster_index: u64,
    pub roster_revision: u64,
    pub policy_index: u64,
    pub policy_revision: u64,
    pub bundle: Option<Bundle>,
    salts: u128,
    calls: u64,
}

pub fn person_id(n: u8) -> String {
    format!("p_{:032x}", n)
}

pub fn device_id(n: u8) -> String {
    format!("d_{:032x}", n)
}

impl World {
    /// Genesis, a team, two people, two devices and a policy.
    pub fn new() -> Self {
        let mut world = Self::bare();
        world.genesis();
        world.roster(vec![
            RosterChange::AddTeam {
                name: "Infrastructure".into(),
                team: "infrastructure".into(),
            },
            RosterChange::AddPerson {
                person: person_id(1),
                roles: vec![PersonRole::Developer],
                teams: vec!["infrastructure".into()],
            },
            RosterChange::AddPerson {
                person: person_id(2),
                roles: vec![PersonRole::Developer],
                teams: vec![],
            },
        ]);
        world.policy(default_bundle(1));
        world
    }

    pub fn bare() -> Self {
        let witness = |name: &str, seed: u8| {
            SignerKey::from_seed(name, KeyAlgorithm::Ed25519Cosignature, &[seed; 32]).unwrap()
        };
        Self {
            admin: SoftwareKey::from_seed(&[1; 32]),
            authority: SoftwareKey::from_seed(&[2; 32]),
            observer: SoftwareKey::from_seed(&[3; 32]),
            log_key: SignerKey::from_seed(ORIGIN, KeyAlgorithm::Ed25519, &[4; 32]).unwrap(),
            witnesses: vec![
                witness("w1.example", 5),
                witness("w2.example", 6),
                witness("w3.example", 7),
            ],
            items: Vec::new(),
            checkpoints: BTreeMap::new(),
            blobs: BTreeMap::new(),
            now_ms: BEGIN_MS,
            roster_index: 0,
            roster_revision: 0,
            policy_index: 0,
            policy_revision: 0,
            bundle: None,
            salts: 0,
            calls: 0,
        }
    }

    pub fn size(&self) -> u64 {
        self.items.len() as u64
    }

    pub fn genesis_hash(&self) -> Hash {
        leaf_hash(&self.items[0].bytes)
    }

    /// Two of three witnesses must cosign.
    pub fn trust_policy(&self) -> String {
        let mut text = format!("log {}\n", self.log_key.verifier());
        for (position, witness) in self.witnesses.iter().enumerate() {
            text.push_str(&format!(
                "witness w{} {}\n",
                position + 1,
                witness.verifier()
            ));
        }
        text.push_str("group witnesses 2 w1 w2 w3\nquorum witnesses\n");
        text
    }

    fn tick(&mut self) -> u64 {
        self.now_ms += 1_000;
        self.now_ms
    }

    pub fn disclosure(&mut self, name: &str, value: serde_json::Value) -> Disclosure {
        self.salts += 1;
        Disclosure::new(self.salts.to_be_bytes(), name, value).unwrap()
    }

    fn push(&mut self, payload: Payload, key: &SoftwareKey, disclosures: Vec<Disclosure>) -> u64 {
        let frozen = freeze(&payload, key).unwrap();
        let bytes = frozen.entry.into_bytes();
        self.items.push(Item {
            bytes,
            disclosures,
            erased: false,
        });
        self.size() - 1
    }

    fn administrative(&mut self, body: Body, disclosures: Vec<Disclosure>) -> Payload {
        Payload {
            log: ORIGIN.into(),
            time_ms: self.tick(),
            link: None,
            context: Context::default(),
            body,
            approvals: vec![],
            sd: digests(&disclosures),
            ext: None,
        }
    }

    fn genesis(&mut self) {
        let genesis = Genesis {
            administrators: Administrators {
                keys: vec![self.admin.public_key()],
                threshold: 1,
            },
            delegations: vec![Delegation {
                key: self.authority.public_key(),
                label: "authority".into(),
                may: vec![
                    Right::AdmitDevice,
                    Right::EnrolDeveloper,
                    Right::RevokeDevice,
                    Right::RecordActions,
                ],
            }],
            log_key: self.log_key.verifier().to_string(),
            observer: self.observer.public_key(),
            organisation: "Example".into(),
        };
        let payload = self.administrative(Body::Genesis(genesis), vec![]);
        let key = SoftwareKey::from_seed(&self.admin.seed());
        self.push(payload, &key, vec![]);
    }

    pub fn roster(&mut self, changes: Vec<RosterChange>) -> u64 {
        let mut disclosures = Vec::new();
        for change in &changes {
            if let RosterChange::AddPerson { person, .. } = change {
                let address = json!(format!("{}@example.com", &person[30..]));
                let name = format!("email:{person}");
                disclosures.push(self.disclosure(&name, address));
            }
        }
        self.roster_revision += 1;
        let statement = RosterStatement {
            changes,
            revision: self.roster_revision,
        };
        let payload = self.administrative(Body::Roster(statement), disclosures.clone());
        let key = SoftwareKey::from_seed(&self.admin.seed());
        self.roster_index = self.push(payload, &key, disclosures);
        self.roster_index
    }

    pub fn policy(&mut self, bundle: Bundle) -> u64 {
        let bytes = bundle.canonical_bytes().unwrap();
        self.policy_revision += 1;
        let statement = PolicyStatement {
            bundle: Sha256::of(&bytes),
            bytes: bytes.len() as u64,
            revision: self.policy_revision,
            version: bundle.version,
        };
        self.blobs.insert(statement.bundle, bytes);
        self.bundle = Some(bundle);
        let payload = self.administrative(Body::Policy(statement), vec![]);
        let key = SoftwareKey::from_seed(&self.admin.seed());
        self.policy_index = self.push(payload, &key, vec![]);
        self.policy_index
    }

    /// Appends an entry whose payload schema this version does not know.
    pub fn foreign(&mut self) {
        let header = json!({ "alg": "Ed25519", "kid": self.admin.public_key().kid(),
            "typ": "vnd.cairn.entry.v1+sd-jwt" });
        let payload = json!({ "v": 2, "what": "something later" });
        let part =
            |value: &serde_json::Value| to_base64url(&cairn_event::json::to_canonical(value));
        let mut entry = format!("{}.{}", part(&header), part(&payload));
        let signature = self.admin.sign(entry.as_bytes()).unwrap();
        entry.push('.');
        entry.push_str(&to_base64url(&signature));
        self.items.push(Item {
            bytes: entry.into_bytes(),
            disclosures: vec![],
            erased: false,
        });
    }

    /// Destroys one disclosure of an entry and says so in the log.
    pub fn erase(&mut self, index: u64, name: &str) -> u64 {
        let item = &mut self.items[index as usize];
        let at = item
            .disclosures
            .iter()
            .position(|one| one.name() == name)
            .unwrap();
        let digest = item.disclosures.remove(at).digest();
        item.erased = true;
        let leaf = Sha256::of_leaf(&item.bytes);
        let erasure = Erasure {
            digests: vec![digest],
            index,
            leaf,
            ordered_by: "administrator".into(),
            reason: "request of the person".into(),
        };
        let payload = self.administrative(Body::Erasure(erasure), vec![]);
        let key = SoftwareKey::from_seed(&self.authority.seed());
        self.push(payload, &key, vec![])
    }
}

fn digests(disclosures: &[Disclosure]) -> Vec<String> {
    let mut digests: Vec<String> = disclosures.iter().map(Disclosure::digest).collect();
    digests.sort_unstable();
    digests
}
