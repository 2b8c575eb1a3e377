//! One small organisation: its keys, its genesis, one enrolled device and that device's chain.

use cairn_event::administrative::{
    Administrators, Delegation, Genesis, Right, RosterChange, RosterStatement,
};
use cairn_event::body::{Body, ChainStart, Gap, Heartbeat, PreviousChain};
use cairn_event::encoding::to_base64url;
use cairn_event::payload::{Beacon, possession_message};
use cairn_event::{
    Context, Disclosure, EntrySigner, Isolation, KeyProtection, Kid, Link, Payload, PersonRole,
    PublicKey, Sha256, SoftwareKey, frame, freeze,
};
use cairn_server::clock::system_clock;
use cairn_server::config::Config;
use cairn_server::keys::{Keys, ServerKeys};
use cairn_server::recover::{Parts, StartError, start};
use cairn_server::store::{HeadFile, KeyedStore, LogStore, Memory};
use cairn_server::{Log, SubmitResult, Wait, check};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub const ORIGIN: &str = "log.example.com/test";
pub const PERSON: &str = "p_00000000000000000000000000000001";
pub const DEVICE: &str = "d_00000000000000000000000000000001";

/// The administrator's key.
pub const ADMIN_SEED: [u8; 32] = [1; 32];

/// Longest wait of any test; reached only when something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A data folder and everybody's keys.
pub struct World {
    pub dir: TempDir,
    pub public: ServerKeys,
    admin: SoftwareKey,
    device: SoftwareKey,
}

/// One chain of the device.
pub struct Chain {
    key: SoftwareKey,
    prev: Option<Sha256>,
    pub seq: u64,
}

impl World {
    pub fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap())
    }

    /// In a given folder, whose `data` subfolder becomes the data folder.
    pub fn on(dir: TempDir) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let data = dir.path().join("data");
        let public = cairn_server::init::init(&data, ORIGIN, listen, "").unwrap();
        let admin = SoftwareKey::from_seed(&ADMIN_SEED);
        let device = SoftwareKey::from_seed(&[2; 32]);
        Self {
            dir,
            public,
            admin,
            device,
        }
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    pub fn genesis(&self) -> String {
        self.genesis_of("Example")
    }

    pub fn genesis_of(&self, organisation: &str) -> String {
        let may = [Right::AdmitDevice, Right::EnrolDeveloper];
        self.genesis_with(organisation, &may, None)
    }

    /// A genesis that grants the authority key these rights, and names another observer than ours.
    pub fn genesis_with(
        &self,
        organisation: &str,
        may: &[Right],
        observer: Option<PublicKey>,
    ) -> String {
        let body = Body::Genesis(Genesis {
            administrators: Administrators {
                keys: vec![self.admin.public_key()],
                threshold: 1,
            },
            delegations: vec![Delegation {
                key: self.public.authority.clone(),
                label: "authority".into(),
                may: may.to_vec(),
            }],
            log_key: self.public.log_key.clone(),
            observer: observer.unwrap_or_else(|| self.public.observer.clone()),
            organisation: organisation.into(),
        });
        frozen(administrative(body), &self.admin).0
    }

    /// The roster entry that enrols person and device.
    pub fn roster(&self) -> String {
        let body = Body::Roster(RosterStatement {
            changes: vec![
                RosterChange::AddPerson {
                    person: PERSON.into(),
                    roles: vec![PersonRole::Developer],
                    teams: vec![],
                },
                RosterChange::AdmitDevice {
                    device: DEVICE.into(),
                    isolation: Isolation::SelfAsserted,
                    key: self.device.public_key(),
                    methods: vec!["email-otp".into()],
                    person: PERSON.into(),
                    protection: KeyProtection::Software,
                },
            ],
            revision: 1,
        });
        frozen(administrative(body), &self.admin).0
    }

    /// What the administrator says.
    pub fn statement(&self, body: Body) -> String {
        frozen(administrative(body), &self.admin).0
    }

    /// A new chain and the frame that starts it.
    pub fn chain(&self, seed: u8) -> (Chain, String) {
        self.chain_with([seed; 32], None)
    }

    /// A new chain of which there are more than seeds.
    pub fn chain_numbered(&self, number: u64) -> (Chain, String) {
        let mut seed = [0xc4; 32];
        seed[..8].copy_from_slice(&number.to_be_bytes());
        self.chain_with(seed, None)
    }

    /// A new chain that names the last entry of another as its predecessor's head.
    pub fn chain_after(&self, seed: u8, before: &Chain) -> (Chain, String) {
        let previous = PreviousChain {
            chain: before.kid(),
            head: before.prev.unwrap(),
            seq: before.seq - 1,
        };
        self.chain_with([seed; 32], Some(previous))
    }

    fn chain_with(&self, seed: [u8; 32], previous: Option<PreviousChain>) -> (Chain, String) {
        let key = SoftwareKey::from_seed(&seed);
        let chain = key.public_key().kid();
        let message = possession_message(DEVICE, &chain, ORIGIN);
        let body = Body::ChainStart(ChainStart {
            daemon_version: "0.1.0".into(),
            daemon_sha256: Sha256::of(b"daemon"),
            key: key.public_key(),
            pop: to_base64url(&key.sign(&message).unwrap()),
            previous,
        });
        let mut chain = Chain {
            key,
            prev: None,
            seq: 0,
        };
        let payload = chain.payload(body);
        let (line, leaf) = frozen(payload, &self.device);
        chain.step(leaf);
        (chain, line)
    }

    pub fn parts(&self, engine: &Memory, genesis: bool) -> Parts {
        let mut config = Config::load(&self.data()).unwrap();
        config.checkpoint.interval_ms = 1;
        config.disk.reserve_bytes = 0;
        Parts {
            dir: self.data(),
            config,
            keys: Keys::load(&self.data()).unwrap(),
            trust_text: None,
            store: Arc::new(KeyedStore::new(engine.clone())),
            clock: system_clock(),
            genesis: genesis.then(|| self.genesis()),
        }
    }

    /// Starts the log on this engine; gives genesis when the engine is empty.
    pub async fn start(&self, engine: &Memory) -> Result<Log, StartError> {
        let empty = KeyedStore::new(engine.clone()).head().unwrap().is_none();
        start(self.parts(engine, empty)).await
    }

    /// Starts an empty log and enrols the device and a chain.
    pub async fn enrolled(&self, engine: &Memory) -> (Log, Chain) {
        let log = self.start(engine).await.unwrap();
        let (chain, first) = self.chain(3);
        accept(&log, vec![self.roster()]).await;
        accept(&log, vec![first]).await;
        (log, chain)
    }

    /// The one oracle: everything stored is read and must hold together.
    pub fn check(&self, engine: &Memory) -> check::CheckReport {
        self.try_check(engine).unwrap()
    }

    pub fn try_check(&self, engine: &Memory) -> Result<check::CheckReport, check::CheckError> {
        let store: Arc<dyn LogStore> = Arc::new(KeyedStore::new(engine.reopen()));
        let keys = Keys::load(&self.data()).unwrap();
        let signed = HeadFile::in_folder(&self.data()).read().unwrap();
        check::check(&store, signed, &keys, system_clock()())
    }
}

impl Chain {
    pub fn kid(&self) -> Kid {
        self.key.public_key().kid()
    }

    /// The next entry of the chain, as a frame.
    pub fn next(&mut self) -> String {
        let payload = self.payload(heartbeat(self.seq));
        let (line, leaf) = frozen(payload, &self.key);
        self.step(leaf);
        line
    }

    pub fn many(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next()).collect()
    }

    /// The next entry with confidential members.
    pub fn confidential(&mut self, salt: u8, members: &[(&str, &str)]) -> (String, String) {
        let disclosures: Vec<Disclosure> = members
            .iter()
            .zip(salt..)
            .map(|((name, value), salt)| {
                Disclosure::new([salt; 16], name, serde_json::Value::from(*value)).unwrap()
            })
            .collect();
        let mut payload = self.payload(heartbeat(self.seq));
        payload.sd = disclosures.iter().map(Disclosure::digest).collect();
        payload.sd.sort();
        let frozen = freeze(&payload, &self.key).unwrap();
        self.step(frozen.leaf);
        let with = frame::present(&frozen.entry, disclosures.iter().map(Disclosure::encoded));
        (with, frame::present(&frozen.entry, []))
    }

    /// An entry for the next place that commits to a member of any name; the place stays free.
    pub fn committing_to(&self, name: &str) -> String {
        let parts = serde_json::json!([to_base64url(&[9; 16]), name, "value"]);
        let encoded = to_base64url(parts.to_string().as_bytes());
        let mut payload = self.payload(heartbeat(self.seq));
        payload.sd = vec![to_base64url(&Sha256::of(encoded.as_bytes()).0)];
        let frozen = freeze(&payload, &self.key).unwrap();
        frame::present(&frozen.entry, [encoded.as_str()])
    }

    /// An entry for the next place, by a device that says which checkpoint it saw; the place stays free.
    pub fn having_seen(&self, size: u64, root: Sha256) -> String {
        let mut payload = self.payload(heartbeat(self.seq));
        payload.context.beacon = Some(Beacon { root, size });
        frozen(payload, &self.key).0
    }

    /// Another entry for the place that `next` will take.
    pub fn rival(&self, marker: u64) -> String {
        frozen(self.payload(heartbeat(1_000_000 + marker)), &self.key).0
    }

    /// Another entry for the place that `next` will take, of about this many bytes.
    pub fn rival_of(&self, bytes: usize) -> String {
        let mut payload = self.payload(heartbeat(2_000_000));
        let filling = "x".repeat(bytes / 4 * 3);
        payload.ext = Some(serde_json::json!({ "filling": filling }));
        frozen(payload, &self.key).0
    }

    /// Goes on after this entry, which was made for the chain's next place.
    pub fn adopt(&mut self, frame: &str) -> String {
        self.step(Sha256::of_leaf(entry_of(frame).as_bytes()));
        frame.to_owned()
    }

    /// An entry for the place that `next` will take, after an entry that nobody has shown.
    pub fn after_another(&self) -> String {
        let mut payload = self.payload(heartbeat(3_000_000));
        if let Some(link) = &mut payload.link {
            link.prev = Some(Sha256::of(b"another history"));
        }
        frozen(payload, &self.key).0
    }

    /// An entry that skips `missing` places, declared as a gap or not.
    pub fn skipping(&mut self, missing: u64, declared: bool) -> String {
        let (from, to) = (self.seq, self.seq + missing - 1);
        let gap = Gap {
            chain: self.kid(),
            count: None,
            from,
            reason: "crash".into(),
            to,
        };
        let mut payload = self.payload(if declared {
            Body::Gap(gap)
        } else {
            heartbeat(0)
        });
        if let Some(link) = &mut payload.link {
            link.seq += missing;
        }
        let (line, leaf) = frozen(payload, &self.key);
        if declared {
            self.seq += missing;
            self.step(leaf);
        }
        line
    }

    fn payload(&self, body: Body) -> Payload {
        let link = Link {
            device: DEVICE.into(),
            chain: self.kid(),
            seq: self.seq,
            prev: self.prev,
        };
        Payload {
            log: ORIGIN.into(),
            time_ms: 1_790_000_000_000,
            link: Some(link),
            context: Context::default(),
            body,
            approvals: vec![],
            sd: vec![],
            ext: None,
        }
    }

    fn step(&mut self, leaf: Sha256) {
        self.prev = Some(leaf);
        self.seq += 1;
    }
}

/// Submits and requires that every frame is accepted; gives the indices.
pub async fn accept(log: &Log, frames: Vec<String>) -> Vec<u64> {
    let results = log.submit(frames, Wait::Published, PATIENCE).await.unwrap();
    let index = |result: &SubmitResult| match result {
        SubmitResult::Accepted { index, .. } => *index,
        SubmitResult::Refused(problem) => panic!("refused: {problem:?}"),
    };
    results.iter().map(index).collect()
}

/// Submits one frame and requires a refusal; gives its code.
pub async fn refuse(log: &Log, frame: String) -> String {
    let results = log
        .submit(vec![frame], Wait::Sequenced, PATIENCE)
        .await
        .unwrap();
    match results.into_iter().next() {
        Some(SubmitResult::Refused(problem)) => problem.code().to_owned(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Bytes of the entry inside a frame.
pub fn entry_of(frame: &str) -> &str {
    frame.split('~').next().unwrap_or_default()
}

pub fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn heartbeat(marker: u64) -> Body {
    Body::Heartbeat(Heartbeat {
        sessions: 0,
        spool_bytes: marker,
        spool_records: 0,
    })
}

pub fn administrative(body: Body) -> Payload {
    Payload {
        log: ORIGIN.into(),
        time_ms: 1_790_000_000_000,
        link: None,
        context: Context::default(),
        body,
        approvals: vec![],
        sd: vec![],
        ext: None,
    }
}

pub fn frozen(payload: Payload, signer: &dyn EntrySigner) -> (String, Sha256) {
    let frozen = freeze(&payload, signer).unwrap();
    (frame::present(&frozen.entry, []), frozen.leaf)
}
