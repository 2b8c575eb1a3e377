//! The fault matrix: every step of the write path, every fault, and up to two failing reloads after it.
//!
//! Owns the table and how one cell is played: virtual time, one thread, no randomness, so a cell is the
//! same every time. Each cell ends with a log that serves; where it stopped on the way, with a reason.
//! What lies behind it: a log that went on after a reload that failed as well lost its tiles (Azul,
//! 2025-07-30).

mod carrier;

use crate::disk::{Disk, Fault, Remains, Step};
use crate::oracle::{Acknowledged, judge};
use crate::site::{Life, Site, virtual_time};
use crate::witness::{Node, policy};
use crate::world::Chain;
use cairn_server::clock::Clock;
use cairn_server::sequence::chain as causes;
use cairn_server::store::{HeadFile, KeyedStore, LogStore, Memory, SignedHead};
use cairn_server::{Log, SubmitResult, Wait};
use carrier::Carrier;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Entries before the fault: the round it strikes completes the first bundle, where most tiles change.
const ENTRIES_BEFORE: usize = 251;

/// Longest wait in virtual time; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);

/// The log's time at the start of a cell, milliseconds since 1970.
const EPOCH_MS: u64 = 1_790_000_000_000;

/// Where the fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Disk(Step),
    HeadFile,
    Cosign,
}

/// Further faults, met by the restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reload {
    Works,
    FailsOnce,
    FailsTwice,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    place: Place,
    fault: Fault,
    reload: Reload,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Disk(Step::Blob) => "blob",
            Place::Disk(Step::Commit) => "commit",
            Place::Disk(Step::ReadBack) => "read back",
            Place::HeadFile => "HEAD",
            Place::Cosign => "cosign",
            Place::Disk(Step::Publish) => "publish",
            Place::Disk(Step::Erase) => "erase",
            Place::Disk(Step::Prune) => "prune",
            Place::Disk(Step::Sweep) => "sweep",
        };
        let fault = match self.fault {
            Fault::FailedAndLost => "failed and lost",
            Fault::FailedButApplied => "failed but applied",
            Fault::CrashBefore => "crash before",
            Fault::CrashAfter => "crash after",
            Fault::AppliedLate => "applied late",
        };
        let reload = match self.reload {
            Reload::Works => "reload works",
            Reload::FailsOnce => "reload fails once",
            Reload::FailsTwice => "reload fails twice",
        };
        write!(f, "{place} / {fault} / {reload}")
    }
}

impl Cell {
    /// Whether the log must stop by itself.
    fn stops(self) -> bool {
        let dies = matches!(self.fault, Fault::CrashBefore | Fault::CrashAfter);
        self.place != Place::Cosign || dies
    }
}

/// Every cell that has a meaning: a read is not applied, so it only fails or dies, and what was owed and
/// not swept is swept by the next start, never late.
fn table() -> Vec<Cell> {
    let places = [
        Place::Disk(Step::Blob),
        Place::Disk(Step::Commit),
        Place::Disk(Step::ReadBack),
        Place::HeadFile,
        Place::Cosign,
        Place::Disk(Step::Publish),
        Place::Disk(Step::Erase),
        Place::Disk(Step::Sweep),
    ];
    let mut cells = Vec::new();
    for place in places {
        for fault in Fault::ALL {
            let reads = [Fault::FailedAndLost, Fault::CrashBefore];
            if place == Place::Disk(Step::ReadBack) && !reads.contains(&fault) {
                continue;
            }
            if place == Place::Disk(Step::Sweep) && fault == Fault::AppliedLate {
                continue;
            }
            for reload in [Reload::Works, Reload::FailsOnce, Reload::FailsTwice] {
                cells.push(Cell {
                    place,
                    fault,
                    reload,
                });
            }
        }
    }
    cells
}

#[test]
fn i3_i12_i13_every_step_fails_in_every_way_and_nothing_acknowledged_is_lost() {
    let cells = table();
    assert_eq!(cells.len(), (6 * 5 + 4 + 2) * 3);
    for cell in cells {
        println!("{cell}");
        let stops = virtual_time().block_on(Game::play(cell));
        assert!(
            stops.iter().all(|reason| !reason.is_empty()),
            "stopped without a reason"
        );
        println!("    serves; on the way: {stops:?}");
    }
}

/// A cell being played.
struct Game {
    cell: Cell,
    site: Site,
    carrier: Arc<Carrier>,
    clock: Clock,
    chain: Chain,
    told: Vec<(String, Option<u64>)>,
    acknowledged: Acknowledged,
    /// Index of the entry whose disclosures are erased.
    confidential: u64,
    /// Why the log stopped or did not start, in order.
    stops: Vec<String>,
}

impl Game {
    async fn play(cell: Cell) -> Vec<String> {
        let (mut game, life, log) = Self::begin(cell).await;
        game.strike(&life, &log).await;
        game.wait_for_the_end(&log).await;
        drop(log);
        let (life, log) = game.reload(life).await;
        game.finish(life, log).await;
        game.stops
    }

    async fn begin(cell: Cell) -> (Self, Life, Log) {
        let site = Site::new(&policy(1, 1));
        let node = Node::new(0, site.world.dir.path(), &site.world.public.log_key);
        let begun = tokio::time::Instant::now();
        let clock: Clock = Arc::new(move || EPOCH_MS + begun.elapsed().as_millis() as u64);
        let (chain, first) = site.world.chain(3);
        let mut game = Self {
            cell,
            carrier: Carrier::new(node, clock.clone()),
            clock,
            chain,
            told: Vec::new(),
            acknowledged: Acknowledged::default(),
            confidential: 0,
            stops: Vec::new(),
            site,
        };
        let life = game.site.first();
        let log = game.start(&life).await.unwrap();
        let roster = game.site.world.roster();
        game.submit(&log, vec![roster]).await;
        game.submit(&log, vec![first]).await;
        let (with, _) = game.chain.confidential(7, &[("host", "ws-1")]);
        game.submit(&log, vec![with]).await;
        game.confidential = log.size() - 1;
        let many = game.chain.many(ENTRIES_BEFORE);
        game.submit(&log, many).await;
        assert_eq!(log.size(), 4 + ENTRIES_BEFORE as u64);
        assert_eq!(log.published().borrow().size, log.size());
        (game, life, log)
    }

    /// Arms the fault and works until it has happened.
    async fn strike(&mut self, life: &Life, log: &Log) {
        let blocked = match self.cell.place {
            Place::Disk(step) => {
                life.disk.arm(step, self.cell.fault);
                None
            }
            Place::Cosign => {
                self.carrier.arm(self.cell.fault);
                None
            }
            Place::HeadFile => Some(block_head_file(&life.dir)),
        };
        for round in 0..6_u8 {
            let frames = self.chain.many(3);
            self.submit(log, frames).await;
            match self.cell.place {
                // The outcome is in the store; what the caller is told is not kept.
                Place::Disk(Step::Blob) => drop(log.put_blob(&[round; 100])),
                Place::Disk(Step::Erase | Step::Sweep) => {
                    drop(log.disclosures().erase(self.confidential, &[]));
                }
                _ => {}
            }
        }
        let fired = match self.cell.place {
            Place::Disk(_) => life.disk.fired(),
            Place::Cosign => self.carrier.fired(),
            Place::HeadFile => log.stopped().borrow().is_some(),
        };
        assert!(fired, "the fault never happened");
        if let Some(old) = blocked {
            self.unblock_head_file(life, &old);
        }
    }

    async fn wait_for_the_end(&mut self, log: &Log) {
        if !self.cell.stops() {
            assert_eq!(*log.stopped().borrow(), None, "stopped without need");
            return;
        }
        let mut stopped = log.stopped();
        let reason = tokio::time::timeout(PATIENCE, stopped.wait_for(Option::is_some)).await;
        let reason = reason.expect("the log goes on after the fault").unwrap();
        self.stops.push(reason.clone().unwrap_or_default());
    }

    /// Starts again, as often as it takes the cell's further faults.
    async fn reload(&mut self, life: Life) -> (Life, Log) {
        let found = life.disk.remains();
        let late = found.late.clone();
        let next = self.site.next(found);
        let failures: &[u32] = match self.cell.reload {
            Reload::Works => &[],
            Reload::FailsOnce => &[0],
            Reload::FailsTwice => &[0, 2],
        };
        for reads in failures {
            next.disk.fail_read(*reads);
            let refused = self.start(&next).await;
            let reason = refused.err().expect("a log started that could not be read");
            self.stops.push(causes(&reason));
        }
        // Late means: while the next process reads, or when it has read everything.
        match late {
            Some(late) if !failures.is_empty() => {
                next.disk.land_after(late, 1);
                let log = self.start(&next).await.unwrap();
                (next, log)
            }
            Some(late) => {
                let log = self.start(&next).await.unwrap();
                next.disk.land(late);
                (next, log)
            }
            None => {
                let log = self.start(&next).await.unwrap();
                self.land_head_file(&next);
                (next, log)
            }
        }
    }

    /// Submits everything again, with restarts where the log stops, and asks the oracle.
    async fn finish(&mut self, mut life: Life, mut log: Log) {
        self.carrier.land();
        let frames = self.chain.many(3);
        self.submit(&log, frames).await;
        for attempt in 0.. {
            assert!(attempt < 3, "the log stops again and again");
            if self.submit_all(&log).await {
                break;
            }
            self.wait_for_stop(&log).await;
            life = self.site.next(life.disk.remains());
            log = self.start(&life).await.unwrap();
        }
        assert_eq!(
            log.size(),
            1 + self.told.len() as u64,
            "an entry is there twice, or not at all"
        );
        assert_eq!(log.published().borrow().size, log.size());
        assert_eq!(self.carrier.held(), log.size());
        log.disclosures().erase(self.confidential, &[]).unwrap();
        drop(log);
        let store = KeyedStore::new(life.disk.remains().rows);
        let verdict = judge(
            &store,
            &self.site.trust,
            &self.site.genesis,
            &self.acknowledged,
        );
        assert_eq!(verdict, Ok(()));
    }

    async fn wait_for_stop(&mut self, log: &Log) {
        let mut stopped = log.stopped();
        let reason = tokio::time::timeout(PATIENCE, stopped.wait_for(Option::is_some)).await;
        let reason = reason.expect("neither served nor stopped").unwrap();
        self.stops.push(reason.clone().unwrap_or_default());
    }

    async fn submit_all(&mut self, log: &Log) -> bool {
        let frames: Vec<String> = self.told.iter().map(|(frame, _)| frame.clone()).collect();
        for batch in frames.chunks(128) {
            let told = self.told.len();
            self.submit(log, batch.to_vec()).await;
            let answers = self.told.split_off(told);
            if answers.iter().any(|(_, index)| index.is_none()) {
                return false;
            }
        }
        true
    }

    async fn submit(&mut self, log: &Log, frames: Vec<String>) {
        let results = log
            .submit(frames.clone(), Wait::Witnessed, Duration::from_secs(10))
            .await;
        let indices: Vec<Option<u64>> = match results {
            Ok(results) => results.iter().map(SubmitResult::index).collect(),
            Err(_) => vec![None; frames.len()],
        };
        for (frame, index) in frames.into_iter().zip(indices) {
            if let Some(index) = index {
                self.acknowledged.note(&frame, index);
            }
            self.told.push((frame, index));
        }
    }

    async fn start(&self, life: &Life) -> Result<Log, cairn_server::recover::StartError> {
        let link = self.carrier.link(&life.disk);
        self.site.start(life, self.clock.clone(), link).await
    }

    /// Gives the life's `HEAD` the content that the cell's outcome leaves.
    fn unblock_head_file(&self, life: &Life, old: &[u8]) {
        let path = life.dir.join("HEAD");
        std::fs::remove_dir_all(&path).unwrap();
        std::fs::write(&path, old).unwrap();
        if matches!(self.cell.fault, Fault::FailedButApplied | Fault::CrashAfter) {
            write_head_file(&life.dir, &life.disk.remains(), (self.clock)());
        }
    }

    /// The `HEAD` of the dead process reaches the disk when the next one has read the old one.
    fn land_head_file(&self, life: &Life) {
        if self.cell.place == Place::HeadFile && self.cell.fault == Fault::AppliedLate {
            write_head_file(&life.dir, &life.disk.remains(), (self.clock)());
        }
    }
}

/// Puts a folder where the file is, so that it cannot be replaced; gives the file's content.
fn block_head_file(dir: &Path) -> Vec<u8> {
    let path = dir.join("HEAD");
    let old = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("in-the-way"), b"").unwrap();
    old
}

fn write_head_file(dir: &Path, found: &Remains, time_ms: u64) {
    let head = KeyedStore::new(found.rows.clone()).head().unwrap().unwrap();
    let signed = SignedHead {
        size: head.size(),
        root: head.root,
        time_ms,
    };
    HeadFile::in_folder(dir).write(&signed).unwrap();
}

#[test]
fn the_disk_tells_the_steps_apart() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new(Memory::new(), folder.path());
    let store = KeyedStore::new(disk.clone());
    disk.arm(Step::Commit, Fault::FailedAndLost);
    store.put_blob(&[1; 32], b"blob").unwrap();
    assert!(!disk.fired());
    disk.arm(Step::Blob, Fault::FailedButApplied);
    assert!(store.put_blob(&[2; 32], b"other").is_err());
    assert!(disk.fired() && store.is_poisoned());
    assert!(
        store.put_blob(&[3; 32], b"third").is_err(),
        "written after a failed write"
    );
    let found = KeyedStore::new(disk.remains().rows);
    assert!(found.blob(&[2; 32]).unwrap().is_some());
    assert!(found.blob(&[3; 32]).unwrap().is_none());
}
