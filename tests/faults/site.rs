//! One organisation for a campaign: its keys, its trust policy, and folders for the lives of its server.
//!
//! Owns what stays the same over crashes. Each life of the server has a data folder of its own, made
//! from the one before as it was at the crash, so that what is left of a dead life can change nothing.

use crate::disk::{Disk, Remains};
use crate::world::World;
use cairn_server::Log;
use cairn_server::clock::Clock;
use cairn_server::config::Config;
use cairn_server::keys::Keys;
use cairn_server::pool::Waiting;
use cairn_server::recover::{Parts, RunSequencer, StartError, Surroundings, start_in};
use cairn_server::sequence::Sequencer;
use cairn_server::store::{KeyedStore, Memory};
use cairn_server::witnesses::WitnessLink;
use cairn_tlog::TrustPolicy;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Memory-backed folder of Linux; a campaign of thousands of runs would wear a disk for nothing.
const IN_MEMORY: &str = "/dev/shm";

/// How often the sequencer looks for submissions, in virtual time.
const ROUND: Duration = Duration::from_millis(3);

/// The organisation.
pub struct Site {
    /// Its keys and its device.
    pub world: World,
    /// The frame of entry 0.
    pub genesis: String,
    /// Who makes a checkpoint believable.
    pub trust: TrustPolicy,
    trust_text: String,
    lives: AtomicU32,
}

/// One life of the server: its disk and its folder.
pub struct Life {
    /// The disk under its store.
    pub disk: Disk,
    /// Its data folder.
    pub dir: PathBuf,
}

impl Site {
    /// A new organisation. `witnesses` are lines of a trust policy after the log's own.
    pub fn new(witnesses: &str) -> Self {
        let folder = if Path::new(IN_MEMORY).is_dir() {
            tempfile::tempdir_in(IN_MEMORY)
        } else {
            tempfile::tempdir()
        };
        let world = World::on(folder.unwrap());
        let trust_text = format!("log {}\n{witnesses}", world.public.log_key);
        Self {
            genesis: world.genesis(),
            trust: TrustPolicy::parse(&trust_text).unwrap(),
            trust_text,
            lives: AtomicU32::new(0),
            world,
        }
    }

    /// A first life on an empty disk.
    pub fn first(&self) -> Life {
        self.next(Remains {
            rows: Memory::new(),
            head: None,
            late: None,
        })
    }

    /// A life on what the one before left.
    pub fn next(&self, found: Remains) -> Life {
        let life = self.lives.fetch_add(1, Ordering::SeqCst);
        let dir = self.world.dir.path().join(format!("life-{life}"));
        std::fs::create_dir(&dir).unwrap();
        if let Some(head) = &found.head {
            std::fs::write(dir.join("HEAD"), head).unwrap();
        }
        Life {
            disk: Disk::new(found.rows, &dir),
            dir,
        }
    }

    /// Starts the log of a life, with its sequencer on virtual time.
    pub async fn start(
        &self,
        life: &Life,
        clock: Clock,
        link: Arc<dyn WitnessLink>,
    ) -> Result<Log, StartError> {
        let mut config = Config::load(&self.world.data()).unwrap();
        config.disk.reserve_bytes = 0;
        config.retention.days = Some(1);
        let parts = Parts {
            dir: life.dir.clone(),
            config,
            keys: Keys::load(&self.world.data()).unwrap(),
            trust_text: Some(self.trust_text.clone()),
            store: Arc::new(KeyedStore::new(life.disk.clone())),
            clock,
            genesis: Some(self.genesis.clone()),
        };
        let sequencer: RunSequencer = Box::new(|sequencer, waiting| {
            tokio::spawn(turns(sequencer, waiting));
            Ok(())
        });
        start_in(parts, Surroundings { link, sequencer }).await
    }
}

async fn turns(mut sequencer: Sequencer, waiting: mpsc::Receiver<Waiting>) {
    while sequencer.turn(&waiting) {
        tokio::time::sleep(ROUND).await;
    }
}

/// A runtime of one thread whose clock moves only when everybody waits.
pub fn virtual_time() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}
