//! A small organisation and its log, built in memory from fixed seeds and written as a mirror folder.
//!
//! Every decision in it is made by the real engine, every entry is signed by the key that the real
//! roster names, so that an audit of the untouched world finds nothing. Shared with the exporter's
//! tests.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test world fails by panicking, and each test uses another part of it"
)]

mod publish;
mod stories;

pub use stories::{busy, default_bundle};

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

/// A running device: its key, its chain and where the chain stands.
pub struct DeviceRun {
    pub id: String,
    pub person: String,
    pub key: SoftwareKey,
    pub chain: SoftwareKey,
    pub next_seq: u64,
    pub last: Option<Sha256>,
    pub previous: Option<PreviousChain>,
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

    /// Admits device `n` of person `n` and starts a chain on it.
    pub fn device(&mut self, n: u8) -> DeviceRun {
        let key = SoftwareKey::from_seed(&[100 + n; 32]);
        self.roster(vec![RosterChange::AdmitDevice {
            device: device_id(n),
            isolation: Isolation::SeparateUser,
            key: key.public_key(),
            methods: vec!["email-otp".into()],
            person: person_id(n),
            protection: KeyProtection::Software,
        }]);
        let mut run = DeviceRun {
            id: device_id(n),
            person: person_id(n),
            key,
            chain: SoftwareKey::from_seed(&[0; 32]),
            next_seq: 0,
            last: None,
            previous: None,
        };
        self.start_chain(&mut run, 150 + n);
        run
    }

    /// Ends the chain in hand, if any, and starts another.
    pub fn start_chain(&mut self, run: &mut DeviceRun, seed: u8) {
        if run.next_seq > 0 {
            self.chained(
                run,
                Body::ChainEnd(ChainEnd {
                    reason: "shutdown".into(),
                }),
                None,
                vec![],
            );
            run.previous = Some(PreviousChain {
                chain: run.chain.public_key().kid(),
                head: run.last.unwrap(),
                seq: run.next_seq - 1,
            });
        }
        run.chain = SoftwareKey::from_seed(&[seed; 32]);
        (run.next_seq, run.last) = (0, None);
        let kid = run.chain.public_key().kid();
        let pop = run
            .chain
            .sign(&possession_message(&run.id, &kid, ORIGIN))
            .unwrap();
        let start = ChainStart {
            daemon_version: "0.1.0".into(),
            daemon_sha256: Sha256::of(b"daemon"),
            key: run.chain.public_key(),
            pop: to_base64url(&pop),
            previous: run.previous.clone(),
        };
        self.chained(run, Body::ChainStart(start), None, vec![]);
    }

    pub fn context(&self, run: &DeviceRun, session: Option<&str>) -> Context {
        let posture = ["disk_encryption", "secure_boot", "endpoint_protection"].map(|field| {
            let value = if field == "secure_boot" {
                "unknown"
            } else {
                "on"
            };
            let value = PostureValue {
                age_ms: 1_500,
                evidence: 2,
                source: "sysfs".into(),
                value: value.into(),
            };
            (field.to_owned(), value)
        });
        let in_team = run.person == person_id(1);
        Context {
            agent: session.map(|_| Agent {
                name: "claude-code".into(),
                sha256: Some(Sha256::of(b"agent")),
                version: Some("2.1.0".into()),
            }),
            beacon: self.checkpoints.last_key_value().map(|(size, _)| Beacon {
                root: Sha256(self.tree().root(*size).unwrap().0),
                size: *size,
            }),
            isolation: Some(Isolation::SeparateUser),
            person: Some(run.person.clone()),
            policy: Some(self.policy_index),
            posture: Some(Posture(BTreeMap::from(posture))),
            protection: Some(KeyProtection::Software),
            redactions: vec![],
            roster: Some(self.roster_index),
            session: session.map(str::to_owned),
            teams: if in_team {
                vec!["infrastructure".into()]
            } else {
                vec![]
            },
        }
    }

    /// Appends a chained entry with the key its body needs.
    pub fn chained(
        &mut self,
        run: &mut DeviceRun,
        body: Body,
        session: Option<&str>,
        disclosures: Vec<Disclosure>,
    ) -> u64 {
        let by_device = matches!(
            body,
            Body::ChainStart(_) | Body::ChainHead(_) | Body::ChainEnd(_)
        );
        let payload = Payload {
            log: ORIGIN.into(),
            time_ms: self.tick(),
            link: Some(Link {
                device: run.id.clone(),
                chain: run.chain.public_key().kid(),
                seq: run.next_seq,
                prev: run.last,
            }),
            context: self.context(run, session),
            body,
            approvals: vec![],
            sd: digests(&disclosures),
            ext: None,
        };
        let key = if by_device { &run.key } else { &run.chain };
        let key = SoftwareKey::from_seed(&key.seed());
        let index = self.push(payload, &key, disclosures);
        run.next_seq += 1;
        run.last = Some(Sha256::of_leaf(&self.items.last().unwrap().bytes));
        index
    }

    /// One Bash call: decided by the engine, recorded, and run when it was not denied.
    pub fn bash(&mut self, run: &mut DeviceRun, session: &str, command: &str) -> u64 {
        self.calls += 1;
        let use_id = format!("toolu_{:06}", self.calls);
        let request = Request {
            tool: "Bash".into(),
            input: json!({ "command": command, "timeout": 1.5 }),
            cwd: "/home/ann/project".into(),
            home: "/home/ann".into(),
            resolved: vec![],
            interactive: true,
            permission_mode: None,
            mcp: None,
        };
        let context = self.context(run, Some(session));
        let subject = Subject {
            person: run.person.clone(),
            teams: context.teams.clone(),
            roles: vec!["developer".into()],
        };
        let compiled = compile(self.bundle.as_ref().unwrap()).unwrap();
        let posture = context.posture.unwrap();
        let decision = decide(&request, &compiled, &subject, &posture, self.now_ms + 1_000);
        let body = Body::ToolDecision(ToolDecision {
            class: ActionClass::Exec,
            effect: decision.effect,
            latency_us: 420,
            lost: decision.losing.clone(),
            mcp: None,
            mode: decision.mode,
            rule: decision.rule.clone(),
            semantics: decision.semantics,
            subagent: None,
            tool: "Bash".into(),
            use_id: use_id.clone(),
            why: if decision.rule.is_some() {
                "rule"
            } else {
                "default"
            }
            .into(),
        });
        let disclosures = vec![
            self.disclosure(names::REQUEST, serde_json::to_value(&request).unwrap()),
            self.disclosure(names::EMAIL, json!("ann@example.com")),
            self.disclosure(names::OS_USER, json!({ "name": "ann", "uid": 1000 })),
            self.disclosure(names::HOST, json!({ "name": "laptop-1" })),
        ];
        let index = self.chained(run, body, Some(session), disclosures);
        if decision.effect == Effect::Allow {
            let body = Body::ToolOutcome(ToolOutcome {
                duration_ms: Some(12),
                state: OutcomeState::Ran,
                tool: "Bash".into(),
                use_id,
            });
            self.chained(run, body, Some(session), vec![]);
        }
        index
    }

    pub fn heartbeat(&mut self, run: &mut DeviceRun) -> u64 {
        let beat = Heartbeat {
            sessions: 1,
            spool_bytes: 0,
            spool_records: 0,
        };
        self.chained(run, Body::Heartbeat(beat), None, vec![])
    }

    pub fn session(&mut self, run: &mut DeviceRun, session: &str) {
        let start = SessionStart {
            adoption: "wrapper".into(),
            source: "startup".into(),
        };
        let ancestry = self.disclosure(names::ANCESTRY, json!([{ "exe": "/usr/bin/claude" }]));
        self.chained(
            run,
            Body::SessionStart(start),
            Some(session),
            vec![ancestry],
        );
        let seen = McpSeen {
            effect: Effect::Allow,
            fingerprint: Sha256::of(b"github"),
            name: "github".into(),
            rule: None,
            source: "project".into(),
            transport: "stdio".into(),
        };
        self.chained(run, Body::McpSeen(seen), Some(session), vec![]);
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
