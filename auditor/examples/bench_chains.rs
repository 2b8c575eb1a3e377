//! A log of many chains in plain files, for measuring what an audit of it takes.
//!
//! Owns its making: everything is signed, and nothing is kept in memory but a bundle and the open tiles.
//!
//! ```text
//! bench_chains FOLDER CHAINS HEARTBEATS       chains with a start, so many heartbeats and an end
//! ```
//!
//! FOLDER becomes a mirror of static files (`cairn-audit log --dir`), with `trust.policy` and `genesis-hash` in it.
//! Chains go round a thousand devices, each naming the one before. Source: `docs/performance.md`, "Audit".

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cairn_event::administrative::{Administrators, Genesis, RosterChange, RosterStatement};
use cairn_event::body::{Body, ChainEnd, ChainStart, Heartbeat, PreviousChain};
use cairn_event::encoding::to_base64url;
use cairn_event::payload::{Context, possession_message};
use cairn_event::{
    EntrySigner as _, Isolation, KeyProtection, Link, Payload, PersonRole, Sha256, SoftwareKey,
    freeze,
};
use cairn_tlog::{
    BundleId, Checkpoint, Frontier, Hash, KeyAlgorithm, SignerKey, TILE_WIDTH, TileId, bundle,
    leaf_hash, node_hash,
};

/// The log.
const ORIGIN: &str = "bench.example/chains";

/// Devices: an office of a thousand people.
const DEVICES: u64 = 1_000;

/// Devices that one roster entry admits: an entry has at most 64 KiB.
const DEVICES_AN_ENTRY: u64 = 100;

/// The most chains: a run ends by itself within minutes.
const CHAINS_MAX: u64 = 2_000_000;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, chains, heartbeats] = words.as_slice() else {
        bail!("usage: bench_chains FOLDER CHAINS HEARTBEATS");
    };
    let (chains, heartbeats): (u64, u64) = (chains.parse()?, heartbeats.parse()?);
    if chains > CHAINS_MAX {
        bail!("at most {CHAINS_MAX} chains");
    }
    let mut log = Log::begin(Path::new(folder))?;
    for number in 0..chains {
        log.chain(number, heartbeats)?;
    }
    log.finish()
}

/// A key of its own for each purpose and number.
fn key(purpose: u8, number: u64) -> SoftwareKey {
    let mut seed = [purpose; 32];
    for (place, byte) in seed.iter_mut().zip(number.to_be_bytes()) {
        *place = byte;
    }
    SoftwareKey::from_seed(&seed)
}

fn device(number: u64) -> String {
    format!("d_{number:032x}")
}

/// The log so far.
struct Log {
    folder: PathBuf,
    log_key: SignerKey,
    /// Where each device's newest chain ends.
    newest: Vec<Option<PreviousChain>>,
    frontier: Frontier,
    /// The open bundle, and the open tile of each level.
    bundle: Vec<u8>,
    tiles: Vec<Vec<Hash>>,
    time_ms: u64,
}

impl Log {
    /// Genesis, one person and the devices.
    fn begin(folder: &Path) -> Result<Self> {
        let log_key = SignerKey::from_seed(ORIGIN, KeyAlgorithm::Ed25519, &[4; 32])?;
        fs::create_dir_all(folder)?;
        let mut log = Self {
            folder: folder.to_owned(),
            newest: (0..DEVICES).map(|_| None).collect(),
            frontier: Frontier::new(),
            bundle: Vec::new(),
            tiles: Vec::new(),
            time_ms: 1_782_864_000_000,
            log_key,
        };
        let admin = key(1, 0);
        let genesis = Body::Genesis(Genesis {
            administrators: Administrators {
                keys: vec![admin.public_key()],
                threshold: 1,
            },
            delegations: Vec::new(),
            log_key: log.log_key.verifier().to_string(),
            observer: key(3, 0).public_key(),
            organisation: "Bench".to_owned(),
        });
        let leaf = log.append(genesis, None, &admin)?;
        fs::write(folder.join("genesis-hash"), leaf.to_hex())?;
        let person = format!("p_{:032x}", 1);
        let mut changes = vec![RosterChange::AddPerson {
            person: person.clone(),
            roles: vec![PersonRole::Developer],
            teams: Vec::new(),
        }];
        let mut revision = 0;
        for number in 0..DEVICES {
            changes.push(RosterChange::AdmitDevice {
                device: device(number),
                isolation: Isolation::SelfAsserted,
                key: key(2, number).public_key(),
                methods: vec!["email-otp".to_owned()],
                person: person.clone(),
                protection: KeyProtection::Software,
            });
            if (number + 1).is_multiple_of(DEVICES_AN_ENTRY) {
                revision += 1;
                let changes = std::mem::take(&mut changes);
                let statement = RosterStatement { changes, revision };
                log.append(Body::Roster(statement), None, &admin)?;
            }
        }
        Ok(log)
    }

    /// A whole chain of the next device.
    fn chain(&mut self, number: u64, heartbeats: u64) -> Result<()> {
        let at = usize::try_from(number % DEVICES)?;
        let (id, chain) = (device(number % DEVICES), key(5, number));
        let kid = chain.public_key().kid();
        let own = key(2, number % DEVICES);
        let pop = chain.sign(&possession_message(&id, &kid, ORIGIN))?;
        let start = Body::ChainStart(ChainStart {
            daemon_sha256: Sha256([1; 32]),
            daemon_version: "0.1.0".to_owned(),
            key: chain.public_key(),
            pop: to_base64url(&pop),
            previous: self.newest.get(at).cloned().flatten(),
        });
        let mut link = Link {
            chain: kid.clone(),
            device: id,
            prev: None,
            seq: 0,
        };
        link.prev = Some(Sha256(self.append(start, Some(link.clone()), &own)?.0));
        for _ in 0..heartbeats {
            link.seq += 1;
            let beat = Body::Heartbeat(Heartbeat {
                sessions: 1,
                spool_bytes: 0,
                spool_records: 0,
            });
            link.prev = Some(Sha256(self.append(beat, Some(link.clone()), &chain)?.0));
        }
        link.seq += 1;
        let end = Body::ChainEnd(ChainEnd {
            reason: "shutdown".to_owned(),
        });
        let last = self.append(end, Some(link.clone()), &own)?;
        let ended = PreviousChain {
            chain: kid,
            head: Sha256(last.0),
            seq: link.seq,
        };
        if let Some(newest) = self.newest.get_mut(at) {
            *newest = Some(ended);
        }
        Ok(())
    }

    fn append(&mut self, body: Body, link: Option<Link>, signer: &SoftwareKey) -> Result<Hash> {
        self.time_ms += 10;
        let payload = Payload {
            log: ORIGIN.to_owned(),
            time_ms: self.time_ms,
            link,
            context: Context::default(),
            body,
            approvals: Vec::new(),
            sd: Vec::new(),
            ext: None,
        };
        let bytes = freeze(&payload, signer)?.entry.into_bytes();
        let leaf = leaf_hash(&bytes);
        bundle::append(&mut self.bundle, &bytes)?;
        self.frontier.push(leaf);
        if self.frontier.size().is_multiple_of(u64::from(TILE_WIDTH)) {
            let id = BundleId::full(self.frontier.size() / u64::from(TILE_WIDTH) - 1);
            let full = std::mem::take(&mut self.bundle);
            self.write(&id.to_string(), &full)?;
        }
        self.grow(0, leaf)?;
        Ok(leaf)
    }

    /// Adds a hash to the open tile of a level.
    fn grow(&mut self, level: usize, hash: Hash) -> Result<()> {
        if self.tiles.len() == level {
            self.tiles.push(Vec::new());
        }
        let open = self.tiles.get_mut(level).context("the open tile")?;
        open.push(hash);
        if open.len() < usize::from(TILE_WIDTH) {
            return Ok(());
        }
        let mut row = std::mem::take(open);
        self.write_tile(level, &row)?;
        while row.len() > 1 {
            let (pairs, _) = row.as_chunks::<2>();
            row = pairs
                .iter()
                .map(|[left, right]| node_hash(left, right))
                .collect();
        }
        let root = *row.first().context("the root of a full tile")?;
        self.grow(level + 1, root)
    }

    fn write_tile(&self, level: usize, row: &[Hash]) -> Result<()> {
        let level = u8::try_from(level)?;
        let id = TileId::at_size(level, self.index_of(level, row), self.frontier.size());
        let id = id.context("a tile of the tree")?;
        let bytes: Vec<u8> = row.iter().flat_map(|hash| hash.0).collect();
        self.write(&id.to_string(), &bytes)
    }

    /// The index of a level's last tile, which `row` fills so far.
    fn index_of(&self, level: u8, row: &[Hash]) -> u64 {
        let width = u64::from(TILE_WIDTH);
        let nodes = self.frontier.size() / width.pow(u32::from(level));
        (nodes - row.len() as u64) / width
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::write(path, bytes)?)
    }

    /// The partial right edge, and the checkpoint over all of it.
    fn finish(self) -> Result<()> {
        let size = self.frontier.size();
        for (level, row) in self.tiles.iter().enumerate() {
            if !row.is_empty() {
                self.write_tile(level, row)?;
            }
        }
        if !self.bundle.is_empty() {
            let id = BundleId::at_size(size / u64::from(TILE_WIDTH), size);
            self.write(&id.context("the last bundle")?.to_string(), &self.bundle)?;
        }
        let checkpoint = Checkpoint {
            origin: ORIGIN.to_owned(),
            size,
            root: self.frontier.root(),
        };
        let note = checkpoint.sign(&self.log_key)?.to_string();
        self.write("checkpoint", note.as_bytes())?;
        self.write(&format!("checkpoints/{size}"), note.as_bytes())?;
        let policy = format!("log {}\nquorum none\n", self.log_key.verifier());
        self.write("trust.policy", policy.as_bytes())?;
        println!(
            "{}",
            serde_json::json!({ "name": "entries", "value": size, "unit": "entries" })
        );
        Ok(())
    }
}
