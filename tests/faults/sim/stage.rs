//! What all actors of a run share: the organisation, the clocks, the network, and what was seen.
//!
//! Owns the state and the trace. The trace is every event with its virtual time, folded into one number,
//! so that a replay can be compared with the first run.

use super::dice::Dice;
use super::seen::Seen;
use crate::disk::Disk;
use crate::oracle::Acknowledged;
use crate::site::Site;
use crate::witness::{Node, policy};
use cairn_server::Log;
use cairn_server::clock::{Clock, watched};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Witnesses of a run, and how many must have cosigned.
pub const WITNESSES: u8 = 3;
pub const QUORUM: u8 = 2;

/// Wall-clock time at the start of a run, milliseconds since 1970.
const EPOCH_MS: u64 = 1_790_000_000_000;

/// A machine of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    Server,
    Witness(u8),
    Agent(u8),
    Operator,
}

/// How well messages travel.
#[derive(Debug, Clone)]
pub struct Quality {
    /// Messages lost, in percent, each way.
    pub loss: u64,
    /// Requests that arrive twice, in percent.
    pub twice: u64,
    /// Milliseconds one way takes.
    pub delay: Range<u64>,
    /// Pairs that do not reach each other, in this direction.
    pub cut: BTreeSet<(Host, Host)>,
}

impl Quality {
    pub fn perfect() -> Self {
        Self {
            loss: 0,
            twice: 0,
            delay: 1..4,
            cut: BTreeSet::new(),
        }
    }
}

/// The server's process while it runs.
#[derive(Clone)]
pub struct Running {
    pub log: Log,
    pub disk: Disk,
}

/// Who rolls. Each has dice of its own, so that the order in which two are woken at the same moment,
/// which the runtime leaves open, changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Roller {
    Weather,
    Actor(Host),
    /// The way from one to the other.
    Way(Host, Host),
}

impl Host {
    fn number(self) -> u64 {
        match self {
            Self::Server => 0,
            Self::Witness(number) => 1 + u64::from(number),
            Self::Agent(number) => 100 + u64::from(number),
            Self::Operator => 200,
        }
    }
}

impl Roller {
    fn number(self) -> u64 {
        match self {
            Self::Weather => 0,
            Self::Actor(host) => 1_000 + host.number(),
            Self::Way(from, to) => 1_000_000 + 1_000 * from.number() + to.number(),
        }
    }
}

/// Everything.
pub struct Stage {
    pub site: Site,
    pub witnesses: Vec<Mutex<Node>>,
    pub quality: Mutex<Quality>,
    pub server: Mutex<Option<Running>>,
    /// Kills the server's process.
    pub crash: Notify,
    /// No further faults are made.
    pub healed: AtomicBool,
    pub acknowledged: Mutex<Acknowledged>,
    pub seen: Mutex<Seen>,
    seed: u64,
    dice: Mutex<BTreeMap<Roller, Dice>>,
    begun: Instant,
    server_clock: Arc<AtomicI64>,
    witness_clocks: Vec<AtomicI64>,
    trace: Mutex<Vec<(u64, String)>>,
}

impl Stage {
    /// An organisation with three witnesses, everything up and the network perfect.
    pub fn new(seed: u64) -> Arc<Self> {
        let site = Site::new(&policy(WITNESSES, QUORUM));
        let (folder, log) = (site.world.dir.path(), &site.world.public.log_key);
        let nodes = (0..WITNESSES).map(|number| Mutex::new(Node::new(number, folder, log)));
        Arc::new(Self {
            witnesses: nodes.collect(),
            quality: Mutex::new(Quality::perfect()),
            server: Mutex::new(None),
            crash: Notify::new(),
            healed: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            seen: Mutex::new(Seen::new(site.trust.clone())),
            seed,
            dice: Mutex::default(),
            begun: Instant::now(),
            server_clock: Arc::default(),
            witness_clocks: (0..WITNESSES).map(|_| AtomicI64::new(0)).collect(),
            trace: Mutex::default(),
            site,
        })
    }

    /// Milliseconds of virtual time since the start of the run.
    pub fn elapsed_ms(&self) -> u64 {
        self.begun.elapsed().as_millis() as u64
    }

    /// The clock of a server that starts now: a wall clock that may be wrong, watched by a steady one.
    pub fn server_clock(&self) -> Clock {
        let (begun, offset) = (self.begun, self.server_clock.clone());
        let steady = move || begun.elapsed().as_millis() as u64;
        let wall =
            move || (EPOCH_MS + steady()).saturating_add_signed(offset.load(Ordering::SeqCst));
        watched(Arc::new(wall), Arc::new(steady))
    }

    /// The wall clock of a witness, Unix seconds.
    pub fn witness_seconds(&self, number: u8) -> u64 {
        let offset = self.witness_clocks[usize::from(number)].load(Ordering::SeqCst);
        (EPOCH_MS + self.elapsed_ms()).saturating_add_signed(offset) / 1000
    }

    /// Puts a machine's clock off by some milliseconds.
    pub fn set_clock(&self, host: Host, offset_ms: i64) {
        match host {
            Host::Witness(number) => {
                self.witness_clocks[usize::from(number)].store(offset_ms, Ordering::SeqCst);
            }
            _ => self.server_clock.store(offset_ms, Ordering::SeqCst),
        }
        self.say(&format!("clock of {host:?} is off by {offset_ms} ms"));
    }

    /// Adds to the trace.
    pub fn say(&self, what: &str) {
        lock(&self.trace).push((self.elapsed_ms(), what.to_owned()));
    }

    /// The trace as one number, and its lines. Of one millisecond, lines are in no particular order.
    pub fn trace(&self) -> (u64, Vec<String>) {
        let mut events = lock(&self.trace).clone();
        events.sort();
        let lines = events.iter().map(|(at, what)| format!("{at:>7} {what}"));
        let lines: Vec<String> = lines.collect();
        let bytes = lines.iter().flat_map(|line| line.bytes());
        let fold = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |fold, byte| {
            (fold ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (fold, lines)
    }

    pub fn roll<T>(&self, who: Roller, roll: impl FnOnce(&mut Dice) -> T) -> T {
        let mut all = lock(&self.dice);
        let fresh = || Dice::new(self.seed).of_stream(who.number());
        roll(all.entry(who).or_insert_with(fresh))
    }

    pub fn is_healed(&self) -> bool {
        self.healed.load(Ordering::SeqCst)
    }

    pub fn running(&self) -> Option<Running> {
        lock(&self.server).clone()
    }

    /// Sleeps for a number of milliseconds out of a range.
    pub async fn pause(&self, who: Roller, range: Range<u64>) {
        let millis = self.roll(who, |dice| dice.of(range));
        tokio::time::sleep(self.slot(who, millis)).await;
    }

    /// A wait of at least so many milliseconds that ends in a millisecond of the agent's own, or the
    /// operator's: two of them never come at the same moment, in which their order would be open.
    pub fn slot(&self, who: Roller, millis: u64) -> Duration {
        let slots = u64::from(super::AGENTS) + 1;
        let own = match who {
            Roller::Actor(Host::Agent(number))
            | Roller::Way(Host::Agent(number), _)
            | Roller::Way(_, Host::Agent(number)) => u64::from(number),
            Roller::Actor(Host::Operator) => u64::from(super::AGENTS),
            _ => return Duration::from_millis(millis),
        };
        let end = self.elapsed_ms() + millis;
        let late = (own + slots - end % slots) % slots;
        Duration::from_millis(millis + late)
    }
}

/// A lock of the run; a panic in one actor fails the run elsewhere.
pub fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
