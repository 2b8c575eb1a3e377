//! Synthetic devices: their keys, their enrolment in one roster entry, their chains of decisions.
//!
//! Owns what an event of the load says. Seeds and salts are derived from counters: everything about
//! these devices is made up, and a run is the same each time.

use std::path::Path;

use anyhow::{Context as _, Result};
use cairn_event::administrative::{RosterChange, RosterStatement};
use cairn_event::body::{Body, ChainStart, Heartbeat, ToolDecision};
use cairn_event::disclosure::names;
use cairn_event::encoding::{from_base64url, to_base64url};
use cairn_event::payload::possession_message;
use cairn_event::{
    ActionClass, Context, DecisionMode, Disclosure, Effect, EntrySigner, Isolation, KeyProtection,
    Link, Payload, PersonRole, PublicKey, Rank, RuleRef, Sha256, SoftwareKey, frame, freeze,
};
use serde_json::{Value, json};

/// The clock of every synthetic event, milliseconds since 1970: a claim that nobody checks.
const TIME_MS: u64 = 1_795_000_000_000;

/// Devices in one roster entry: twice as many would be longer than an entry may be.
pub const ADMITTED_AT_ONCE: usize = 64;

/// What the administrators hold: the log's name and a key that may change the roster.
pub struct Office {
    /// The log's origin.
    pub origin: String,
    key: SoftwareKey,
}

impl Office {
    /// Reads the folder that `cairn org create` made.
    ///
    /// Errors: a file is missing or is not what that command wrote.
    pub fn open(folder: &Path) -> Result<Self> {
        let org: Value = serde_json::from_slice(&std::fs::read(folder.join("org.json"))?)?;
        let origin = org["origin"].as_str().context("no origin in `org.json`")?;
        let keys = std::fs::read_dir(folder)?.flatten().map(|file| file.path());
        let path = keys
            .filter(|path| path.extension().is_some_and(|ending| ending == "key"))
            .min()
            .context("no administrator key is here")?;
        let seed = from_base64url(std::fs::read_to_string(path)?.trim())
            .and_then(|seed| <[u8; 32]>::try_from(seed).ok())
            .context("the administrator key is not a seed")?;
        Ok(Self {
            origin: origin.to_owned(),
            key: SoftwareKey::from_seed(&seed),
        })
    }

    /// One roster entry that admits these devices, at most [`ADMITTED_AT_ONCE`].
    pub fn roster(&self, devices: &[Device], revision: u64) -> Result<String> {
        let changes = devices.iter().flat_map(Device::admission).collect();
        let body = Body::Roster(RosterStatement { changes, revision });
        let payload = payload(&self.origin, None, Context::default(), body);
        let frozen = freeze(&payload, &self.key)?;
        Ok(frame::present(&frozen.entry, []))
    }
}

/// One synthetic device and the chain of its one run.
pub struct Device {
    number: usize,
    device: String,
    person: String,
    key: SoftwareKey,
    chain: SoftwareKey,
    seq: u64,
    prev: Option<Sha256>,
}

/// Makes devices from a number on; each belongs to a person of its own.
pub fn devices(first: usize, count: usize) -> Vec<Device> {
    (first..first + count).map(Device::new).collect()
}

impl Device {
    fn new(number: usize) -> Self {
        let seed = |what: &str| Sha256::of(format!("bench {what} {number}").as_bytes()).0;
        Self {
            number,
            device: format!("d_{number:032x}"),
            person: format!("p_{number:032x}"),
            key: SoftwareKey::from_seed(&seed("device")),
            chain: SoftwareKey::from_seed(&seed("chain")),
            seq: 0,
            prev: None,
        }
    }

    /// The device identifier.
    pub fn id(&self) -> &str {
        &self.device
    }

    /// The person it belongs to.
    pub fn person(&self) -> &str {
        &self.person
    }

    /// The key that is the device's identity.
    pub fn key(&self) -> &SoftwareKey {
        &self.key
    }

    /// The key that signs this device's events.
    pub fn chain_key(&self) -> PublicKey {
        self.chain.public_key()
    }

    fn admission(&self) -> [RosterChange; 2] {
        [
            RosterChange::AddPerson {
                person: self.person.clone(),
                roles: vec![PersonRole::Developer],
                teams: Vec::new(),
            },
            RosterChange::AdmitDevice {
                device: self.device.clone(),
                isolation: Isolation::SelfAsserted,
                key: self.key.public_key(),
                methods: vec!["email-otp".into()],
                person: self.person.clone(),
                protection: KeyProtection::Software,
            },
        ]
    }

    /// The frame that starts the chain.
    pub fn start(&mut self, origin: &str) -> Result<String> {
        let message = possession_message(&self.device, &self.chain_key().kid(), origin);
        let body = Body::ChainStart(ChainStart {
            daemon_version: "0.1.0".into(),
            daemon_sha256: Sha256::of(b"synthetic"),
            key: self.chain_key(),
            pop: to_base64url(&self.chain.sign(&message)?),
            previous: None,
        });
        let payload = payload(origin, Some(self.link()), Context::default(), body);
        let frozen = freeze(&payload, &self.key)?;
        self.step(frozen.leaf);
        Ok(frame::present(&frozen.entry, []))
    }

    /// The next events of the chain: decisions on commands, each with its request disclosed.
    pub fn decisions(&mut self, origin: &str, roster: u64, count: usize) -> Result<Vec<String>> {
        (0..count).map(|_| self.decision(origin, roster)).collect()
    }

    /// One more entry of the chain, without confidential members.
    pub fn heartbeat(&mut self, origin: &str) -> Result<String> {
        let body = Body::Heartbeat(Heartbeat {
            sessions: 1,
            spool_bytes: 0,
            spool_records: 0,
        });
        let payload = payload(origin, Some(self.link()), Context::default(), body);
        let frozen = freeze(&payload, &self.chain)?;
        self.step(frozen.leaf);
        Ok(frame::present(&frozen.entry, []))
    }

    fn decision(&mut self, origin: &str, roster: u64) -> Result<String> {
        let call = format!("{}-{}", self.number, self.seq);
        let salt = Sha256::of(format!("bench salt {call}").as_bytes()).0;
        let salt = <[u8; 16]>::try_from(&salt[..16])?;
        let request = json!({
            "cwd": "/home/ann/app", "input": { "command": "git status" }, "tool": "Bash"
        });
        let disclosure = Disclosure::new(salt, names::REQUEST, request)?;
        let body = Body::ToolDecision(ToolDecision {
            class: ActionClass::Exec,
            effect: Effect::Allow,
            latency_us: 180,
            lost: Vec::new(),
            mcp: None,
            mode: DecisionMode::Enforce,
            rule: Some(RuleRef {
                effect: Effect::Allow,
                id: "git-status".into(),
                rank: Rank::Global,
            }),
            semantics: 1,
            subagent: None,
            tool: "Bash".into(),
            use_id: format!("toolu_{call}"),
            why: "rule".into(),
        });
        let context = Context {
            isolation: Some(Isolation::SelfAsserted),
            person: Some(self.person.clone()),
            protection: Some(KeyProtection::Software),
            roster: Some(roster),
            session: Some(format!("bench-{}", self.number)),
            ..Context::default()
        };
        let mut payload = payload(origin, Some(self.link()), context, body);
        payload.sd = vec![disclosure.digest()];
        let frozen = freeze(&payload, &self.chain)?;
        self.step(frozen.leaf);
        Ok(frame::present(&frozen.entry, [disclosure.encoded()]))
    }

    fn link(&self) -> Link {
        Link {
            device: self.device.clone(),
            chain: self.chain_key().kid(),
            seq: self.seq,
            prev: self.prev,
        }
    }

    fn step(&mut self, leaf: Sha256) {
        self.seq += 1;
        self.prev = Some(leaf);
    }
}

fn payload(origin: &str, link: Option<Link>, context: Context, body: Body) -> Payload {
    Payload {
        log: origin.to_owned(),
        time_ms: TIME_MS,
        link,
        context,
        body,
        approvals: Vec::new(),
        sd: Vec::new(),
        ext: None,
    }
}
