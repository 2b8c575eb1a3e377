//! Devices of the world: their chains and everything they write but decisions.

use super::*;

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

impl World {
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
        self.start_with(run, run.previous.clone());
    }

    /// Starts the chain in hand after `previous`.
    pub fn start_with(&mut self, run: &mut DeviceRun, previous: Option<PreviousChain>) {
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
            previous,
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
            policy_age_ms: None,
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
        self.edited(run, body, session, disclosures, |_| {})
    }

    /// The same with something changed before it is signed.
    pub fn edited(
        &mut self,
        run: &mut DeviceRun,
        body: Body,
        session: Option<&str>,
        disclosures: Vec<Disclosure>,
        edit: impl FnOnce(&mut Payload),
    ) -> u64 {
        let by_device = matches!(
            body,
            Body::ChainStart(_) | Body::ChainHead(_) | Body::ChainEnd(_)
        );
        let mut payload = Payload {
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
        edit(&mut payload);
        let key = if by_device { &run.key } else { &run.chain };
        let key = SoftwareKey::from_seed(&key.seed());
        let index = self.push(payload, &key, disclosures);
        run.next_seq += 1;
        run.last = Some(Sha256::of_leaf(&self.items.last().unwrap().bytes));
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
            mode: None,
            name: "github".into(),
            rule: None,
            source: "project".into(),
            transport: "stdio".into(),
        };
        self.chained(run, Body::McpSeen(seen), Some(session), vec![]);
    }
}
