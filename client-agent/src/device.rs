//! Facts about this device and user that entries disclose, and the programs that ask.
//!
//! Owns reading host name, machine identifier and user; and the ancestry of a process with the
//! agent's own executable in it. Does not own posture.

use crate::ancestry::procfs::Stat;
use crate::ancestry::{Ancestry, DigestCache, ProcessRecord, walk};
use crate::telemetry::Sink;
use cairn_event::Sha256;
use cairn_event::disclosure::names;
use cairn_event::payload::Agent;
use cairn_policy::McpServer;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long hashing executables may delay one decision at a time: 100 ms.
///
/// The first hash of a 400 MB agent takes longer; it is then recorded as pending, made in the
/// background, and present from the next entry on. Decisions made meanwhile do not hash at all: a
/// burst of hooks must not spend its five seconds on the same file.
const HASH_DEADLINE: Duration = Duration::from_millis(100);

/// Largest file of a host fact read; each has under 100 bytes.
const FACT_BYTES_MAX: u64 = 4_096;

/// Most launches remembered; older ones have ended or lose only their version.
const LAUNCHES_MAX: usize = 1_024;

/// Who and where this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Host name.
    pub host: String,
    /// User name.
    pub user: String,
    /// User number.
    pub uid: u32,
    /// Home directory of the user.
    pub home: PathBuf,
    /// SHA-256 of the machine identifier; the identifier itself must not leave the machine.
    pub machine: Option<Sha256>,
}

impl Facts {
    /// Reads the facts of this machine and process.
    pub fn read() -> Self {
        let text = |path: &str| {
            let bytes = cairn_durable::read_limited(path.as_ref(), FACT_BYTES_MAX).ok()?;
            Some(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        let uid = rustix::process::getuid().as_raw();
        let account = account(uid);
        let home = std::env::var_os("HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        Self {
            host: text("/proc/sys/kernel/hostname").unwrap_or_default(),
            user: account
                .as_ref()
                .map_or_else(|| uid.to_string(), |(name, _)| name.clone()),
            uid,
            home: home
                .or(account.map(|(_, home)| home))
                .unwrap_or_else(|| PathBuf::from("/")),
            machine: text("/etc/machine-id").map(|id| Sha256::of(id.as_bytes())),
        }
    }

    /// The confidential members `os_user` and `host`, and `email` where it is known.
    pub fn confidential(&self, email: &str) -> Vec<(&'static str, Value)> {
        let mut members = vec![
            (
                names::OS_USER,
                json!({ "name": self.user, "uid": self.uid }),
            ),
            (
                names::HOST,
                json!({ "machine_sha256": self.machine, "name": self.host }),
            ),
        ];
        if !email.is_empty() {
            members.push((names::EMAIL, Value::from(email)));
        }
        members
    }
}

/// Name and home of a user, from the local user database.
pub(crate) fn account(uid: u32) -> Option<(String, PathBuf)> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, number, _, _, home, ..] = fields.as_slice() else {
            return None;
        };
        (number.parse() == Ok(uid)).then(|| ((*name).to_owned(), PathBuf::from(home)))
    })
}

/// Who asked: the process ancestry and the agent in it.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The confidential member `ancestry`.
    pub ancestry: Value,
    /// The agent, as far as it could be identified.
    pub agent: Agent,
    /// The agent's process, where it was found above the one that asked: the one that it says it is, or else
    /// the one whose launch was announced.
    pub process: Option<Process>,
    /// The MCP servers it was started with; `None` where that is not known, because the launch was not
    /// announced to this run of the daemon.
    pub servers: Option<Vec<McpServer>>,
}

/// A process that no other can be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
}

impl Asker {
    /// Nobody that could be found, of an agent of that name.
    pub fn unknown(name: &str) -> Self {
        Self {
            ancestry: json!({ "missing": "walk failed" }),
            agent: nameless(name),
            process: None,
            servers: None,
        }
    }
}

/// An agent of which only the name is known.
fn nameless(name: &str) -> Agent {
    Agent {
        name: name.to_owned(),
        sha256: None,
        version: None,
    }
}

/// What the wrapper announced about an agent it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    /// The agent's name in entries.
    pub name: String,
    /// The agent's version; empty where it is not known.
    pub version: String,
    /// The MCP servers it was started with.
    pub servers: Vec<McpServer>,
    /// Whether the policy helper announced it.
    pub managed: bool,
    /// Where it was told to report its calls to.
    pub telemetry: Option<Sink>,
    /// When its process started, in clock ticks; 0 where it is not known.
    pub start: u64,
}

/// When a process started, in clock ticks since boot.
pub(crate) fn started(pid: u32) -> Option<u64> {
    let path = std::path::Path::new("/proc").join(pid.to_string());
    let bytes = cairn_durable::read_limited(&path.join("stat"), FACT_BYTES_MAX).ok()?;
    let stat = Stat::parse(String::from_utf8_lossy(&bytes).trim_end())?;
    Some(stat.start_time)
}

/// Finds out who asks; remembers digests and which launches the wrapper announced.
#[derive(Debug, Default)]
pub struct Askers {
    digests: Arc<DigestCache>,
    /// Held by the one decision that may hash.
    hashing: Mutex<()>,
    /// Whether a background walk is making digests.
    catching_up: Arc<AtomicBool>,
    launches: Mutex<HashMap<u32, Launch>>,
}

impl Askers {
    /// The digest cache, for the posture collectors.
    pub fn digests(&self) -> Arc<DigestCache> {
        Arc::clone(&self.digests)
    }

    /// Notes that the wrapper starts an agent as process `pid`.
    ///
    /// Announced again by the policy helper it keeps the servers that the wrapper gave it.
    pub fn launched(&self, pid: u32, mut launch: Launch) {
        launch.start = started(pid).unwrap_or(0);
        let mut launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        if launches.len() >= LAUNCHES_MAX {
            launches.clear();
        }
        if let Some(known) = launches.get(&pid)
            && launch.managed
            && known.start == launch.start
        {
            for server in &known.servers {
                if !launch.servers.contains(server) {
                    launch.servers.push(server.clone());
                }
            }
        }
        launches.insert(pid, launch);
    }

    /// Whether this very process was announced before; numbers are used again.
    pub fn is_known(&self, pid: u32) -> bool {
        let launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let known = launches.get(&pid).map(|launch| launch.start);
        known.is_some() && known == started(pid)
    }

    /// Where the agent with this process was told to report to, if it is still that process.
    pub fn telemetry_of(&self, pid: u32) -> Option<Sink> {
        let launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        let launch = launches.get(&pid)?;
        let same = started(pid) == Some(launch.start);
        launch.telemetry.clone().filter(|_| same)
    }

    /// Whether the policy helper announced the agent that names itself `claimed`.
    pub fn is_managed(&self, claimed: Option<u32>) -> bool {
        let launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        claimed
            .and_then(|pid| launches.get(&pid))
            .is_some_and(|launch| launch.managed)
    }

    /// Walks from the process that asked, for an agent of that name; `claimed` is the agent's process by
    /// its own account.
    ///
    /// The claim counts only if that process really is an ancestor. An agent that makes none is the
    /// process whose launch was announced.
    pub fn who(&self, pid: u32, claimed: Option<u32>, name: &str) -> Asker {
        let place = self.hashing.try_lock().ok();
        let time = if place.is_some() {
            HASH_DEADLINE
        } else {
            Duration::ZERO
        };
        let deadline = Instant::now() + time;
        let chain = walk(pid, &self.digests, SystemTime::now(), Some(deadline));
        drop(place);
        let mut agent = nameless(name);
        let chain = match chain {
            Ok(chain) => chain,
            Err(error) => {
                let ancestry = json!({ "missing": error.to_string() });
                return Asker {
                    ancestry,
                    agent,
                    process: None,
                    servers: None,
                };
            }
        };
        if chain.is_pending() {
            self.hash_later(pid, &chain);
        }
        let launch = self
            .launch(&chain.processes)
            .filter(|(_, launch)| launch.name == name);
        let process = claimed.or(launch.as_ref().map(|(pid, _)| *pid));
        let found = chain
            .processes
            .iter()
            .find(|found| Some(found.pid) == process);
        agent.sha256 = found.and_then(|process| process.exe_digest.sha256());
        let process = running(&chain.processes, claimed, launch.as_ref());
        let launch = launch.map(|(_, launch)| launch);
        let version = launch.as_ref().map(|launch| launch.version.clone());
        agent.version = version.filter(|version| !version.is_empty());
        let ancestry = serde_json::to_value(&chain).unwrap_or(Value::Null);
        Asker {
            ancestry,
            agent,
            process,
            servers: launch.map(|launch| launch.servers),
        }
    }

    /// The nearest announced launch among these processes, with its process.
    fn launch(&self, processes: &[ProcessRecord]) -> Option<(u32, Launch)> {
        let launches = self.launches.lock().unwrap_or_else(PoisonError::into_inner);
        processes
            .iter()
            .find_map(|process| Some((process.pid, launches.get(&process.pid)?.clone())))
    }

    /// Makes the digests of an agent about to start, before its first hook.
    pub fn prepare(&self, pid: u32, programs: Vec<PathBuf>) {
        self.catch_up(pid, programs);
    }

    /// Hashes what the deadline left out, so that the next entry has it.
    fn hash_later(&self, pid: u32, chain: &Ancestry) {
        // The asker itself is short-lived; its parent stays.
        self.catch_up(
            chain.processes.get(1).map_or(pid, |parent| parent.pid),
            Vec::new(),
        );
    }

    fn catch_up(&self, from: u32, programs: Vec<PathBuf>) {
        if self.catching_up.swap(true, Ordering::AcqRel) {
            return;
        }
        let (digests, busy) = (Arc::clone(&self.digests), Arc::clone(&self.catching_up));
        let started = std::thread::Builder::new()
            .name("digests".to_owned())
            .spawn(move || {
                for program in programs {
                    // Only the digests left in the cache are wanted; a missing file has none.
                    if let Ok(file) = std::fs::File::open(program) {
                        let _digest = digests.digest(&file, SystemTime::now(), None);
                    }
                }
                let _digests = walk(from, &digests, SystemTime::now(), None);
                busy.store(false, Ordering::Release);
            });
        if let Err(error) = started {
            self.catching_up.store(false, Ordering::Release);
            tracing::warn!(%error, "digests stay pending");
        }
    }
}

/// The process that is the agent, of those above the one that asked.
///
/// It is what it says it is, but not one above the process whose launch was announced: an agent that names
/// the first process of the machine, or the terminal, is not ended by a signal to that one.
fn running(
    above: &[ProcessRecord],
    claimed: Option<u32>,
    launch: Option<&(u32, Launch)>,
) -> Option<Process> {
    let claimed = above.iter().position(|one| Some(one.pid) == claimed);
    let launched = launch.and_then(|(pid, launch)| {
        let is_it = |one: &ProcessRecord| one.pid == *pid && one.start_time == launch.start;
        above.iter().position(is_it)
    });
    let nearest = match (claimed, launched) {
        (Some(claimed), Some(launched)) => Some(claimed.min(launched)),
        (claimed, launched) => claimed.or(launched),
    };
    above.get(nearest?).map(|found| Process {
        pid: found.pid,
        start: found.start_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_agent_must_be_an_ancestor() {
        let askers = Askers::default();
        let me = std::process::id();
        askers.launched(
            me,
            Launch {
                name: "codex".to_owned(),
                version: "0.169.0".to_owned(),
                ..Launch::default()
            },
        );
        let asker = askers.who(me, Some(me), "codex");
        assert_eq!(asker.agent.version.as_deref(), Some("0.169.0"));
        // Without a claim the announced process is the agent.
        let silent = askers.who(me, None, "codex");
        assert_eq!(silent.agent.version.as_deref(), Some("0.169.0"));
        let stranger = askers.who(me, Some(u32::MAX), "codex");
        assert_eq!(stranger.agent.sha256, None);
        // A false claim does not keep a session from being ended.
        let start = started(me).unwrap();
        assert_eq!(stranger.process, Some(Process { pid: me, start }));
        assert_eq!(stranger.process, silent.process);
        assert_eq!(askers.who(me, Some(1), "codex").process, silent.process);
        // What was announced of a process that had the number before says nothing.
        let before = Launch::default();
        let above = walk(me, &askers.digests, SystemTime::now(), None).unwrap();
        let found = running(&above.processes, None, Some(&(me, before)));
        assert_eq!(found, None);
        // Another agent inside a launched one is not that one.
        let inside = askers.who(me, Some(me), "claude-code");
        assert_eq!((inside.agent.version, inside.servers), (None, None));
    }

    #[test]
    fn facts_disclose_no_machine_identifier() {
        let members = Facts::read().confidential("ann@example.com");
        let id = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let text = format!("{members:?}");
        assert!(id.trim().is_empty() || !text.contains(id.trim()));
        assert_eq!(members.len(), 3);
    }
}
