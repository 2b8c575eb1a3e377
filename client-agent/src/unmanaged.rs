//! Agents that run on this device without Cairn: started by themselves, not through the wrapper.
//!
//! Owns finding them among the processes of this user and telling them from managed ones. Does not
//! stop them: a process of the developer's own user cannot be held to anything by another one.
//!
//! Source: architecture of record, section 8 (completeness); Claude Code findings 1.8 and 6.

use crate::ancestry::procfs::Stat;
use crate::managed::Place;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Most ancestors followed; a longer chain is nobody's terminal.
const ANCESTORS_MAX: usize = 64;

/// Largest command line or `stat` line read.
const TEXT_BYTES_MAX: u64 = 128 * 1024;

/// How exactly a process's start is known: two clock ticks and the rounding of the boot time.
const START_SLACK: Duration = Duration::from_secs(2);

/// How long an agent may run on a managed machine before it must have asked the policy helper.
///
/// It asks before anything else; a daemon that is started for the answer takes one to two seconds.
const HELPER_GRACE: Duration = Duration::from_secs(10);

/// Programs that agents play under these names: Claude Code searches, Codex applies patches.
const PLAYED: [&str; 6] = ["apply_patch", "applypatch", "bfs", "rg", "ripgrep", "ugrep"];

/// Programs that run an agent whose name is in their words only.
const INTERPRETERS: [&str; 3] = ["bun", "deno", "node"];

/// What the names of the parts of Codex that are no session begin with, such as its sandbox.
const CODEX_PART: &str = "codex-";

/// Clock ticks a second in `/proc`, the same on every Linux (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// One run of an agent, by process and start: the pair is never used again before a reboot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    /// Its process.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
}

impl Run {
    /// The session identifier under which it is recorded; the agent's own is not known.
    pub fn session(&self) -> String {
        format!("unmanaged-{}-{}", self.pid, self.start)
    }
}

/// What changed between two passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Runs that are new, with the agent's name.
    pub began: Vec<(Run, &'static str)>,
    /// Runs that are over, with the agent's name.
    pub ended: Vec<(Run, &'static str)>,
}

/// Looks for unmanaged runs again and again.
#[derive(Debug)]
pub struct Lookout {
    proc: PathBuf,
    /// Where the wrapper leaves the settings of each run it starts.
    settings: PathBuf,
    /// This program: what it starts itself is no run.
    own: PathBuf,
    uid: u32,
    /// Where a managed installation would lie.
    machine: Place,
    known: BTreeMap<Run, &'static str>,
}

/// A process as far as this needs it.
struct Process {
    stat: Stat,
    exe: PathBuf,
    argv: Vec<String>,
}

impl Lookout {
    /// A lookout over `/proc` for the processes of user `uid`.
    pub fn new(settings: PathBuf, own: PathBuf, uid: u32) -> Self {
        Self {
            proc: PathBuf::from("/proc"),
            settings,
            own,
            uid,
            machine: Place::machine(),
            known: BTreeMap::new(),
        }
    }

    /// Makes one pass.
    pub fn look(&mut self) -> Change {
        let found = self.runs();
        let began = found
            .iter()
            .filter(|(run, _)| !self.known.contains_key(*run))
            .map(|(run, name)| (run.clone(), *name))
            .collect();
        let ended = self
            .known
            .iter()
            .filter(|(run, _)| !found.contains_key(*run))
            .map(|(run, name)| (run.clone(), *name))
            .collect();
        self.known = found;
        Change { began, ended }
    }

    /// How many unmanaged runs the last pass found.
    pub fn count(&self) -> u64 {
        self.known.len() as u64
    }

    fn runs(&self) -> BTreeMap<Run, &'static str> {
        let Ok(listing) = std::fs::read_dir(&self.proc) else {
            return BTreeMap::new();
        };
        let pids = listing
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut agents = BTreeMap::new();
        for pid in pids {
            let folder = self.proc.join(pid.to_string());
            if std::fs::metadata(&folder).is_ok_and(|meta| meta.uid() == self.uid)
                && let Some(exe) = self.exe(pid)
                // Nearly every process ends here, and each is looked at again in every pass.
                && may_be_agent(&exe)
                && let Some(argv) = self.argv(pid)
                && let Some(name) = agent(&exe, &argv)
                // Making this line costs the kernel more than all else that is read of a process.
                && let Some(stat) = self.stat(pid)
            {
                agents.insert(pid, (Process { stat, exe, argv }, name));
            }
        }
        let pids: BTreeSet<u32> = agents.keys().copied().collect();
        agents
            .into_iter()
            .filter(|(pid, (process, _))| !self.is_accounted_for(*pid, process, &pids))
            .map(|(pid, (process, name))| {
                let start = process.stat.start_time;
                (Run { pid, start }, name)
            })
            .collect()
    }

    /// Whether the wrapper started it, or it is a part of such a run, or another entry tells of it, or it is
    /// no session at all.
    fn is_accounted_for(&self, pid: u32, process: &Process, agents: &BTreeSet<u32>) -> bool {
        if process.argv.len() == 2 && process.argv.iter().any(|word| word == "--version") {
            return true;
        }
        if self.is_wrapped(pid, process) || self.may_still_ask(process) {
            return true;
        }
        let mut next = process.stat.parent;
        for _ in 0..ANCESTORS_MAX {
            if next <= 1 {
                return false;
            }
            let Some(parent) = self.process(next) else {
                return false;
            };
            // What an agent starts has its hooks only with its settings.
            if self.is_wrapped(next, &parent) {
                return process.has_settings_of(next) || process.hooks().is_some();
            }
            // Its own entry tells of the agent above, unless that one is a part of a wrapped one.
            let is_given = parent.settings().is_some() || parent.hooks().is_some();
            if parent.exe == self.own || (agents.contains(&next) && !is_given) {
                return true;
            }
            next = parent.stat.parent;
        }
        false
    }

    /// Whether it runs on a managed machine and is too young to have been told its settings.
    fn may_still_ask(&self, process: &Process) -> bool {
        let age = self
            .started(&process.stat)
            .and_then(|started| SystemTime::now().duration_since(started).ok());
        self.machine.is_managed() && age.is_some_and(|age| age < HELPER_GRACE)
    }

    /// Whether the wrapper or the policy helper wrote settings for this very process: since it started, because numbers
    /// are used again. A wrapper with another state folder of the same user counts, for another
    /// daemon records what that one starts.
    fn is_wrapped(&self, pid: u32, process: &Process) -> bool {
        let name = settings_name(pid);
        let given = process
            .settings()
            .map(Path::to_path_buf)
            .filter(|_| process.has_settings_of(pid))
            .or_else(|| process.noted(&name));
        let told = self.settings.join(format!("{pid}.managed.json"));
        [Some(self.settings.join(&name)), Some(told), given]
            .into_iter()
            .flatten()
            .filter_map(|file| {
                std::fs::metadata(file)
                    .and_then(|meta| meta.modified())
                    .ok()
            })
            .any(|written| {
                self.started(&process.stat)
                    .is_none_or(|started| written + START_SLACK >= started)
            })
    }

    fn started(&self, stat: &Stat) -> Option<SystemTime> {
        let text = std::fs::read_to_string(self.proc.join("stat")).ok()?;
        let boot = text.lines().find_map(|line| line.strip_prefix("btime "))?;
        let since_boot = stat.start_time.checked_div(TICKS_PER_SECOND)?;
        let seconds = boot.trim().parse::<u64>().ok()?.checked_add(since_boot)?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    fn process(&self, pid: u32) -> Option<Process> {
        let (exe, argv) = (self.exe(pid)?, self.argv(pid)?);
        let stat = self.stat(pid)?;
        Some(Process { stat, exe, argv })
    }

    fn exe(&self, pid: u32) -> Option<PathBuf> {
        std::fs::read_link(self.proc.join(pid.to_string()).join("exe")).ok()
    }

    fn argv(&self, pid: u32) -> Option<Vec<String>> {
        let words = self.text(pid, "cmdline")?;
        Some(words.split_terminator('\0').map(str::to_owned).collect())
    }

    fn stat(&self, pid: u32) -> Option<Stat> {
        Stat::parse(self.text(pid, "stat")?.trim_end())
    }

    fn text(&self, pid: u32, name: &str) -> Option<String> {
        let path = self.proc.join(pid.to_string()).join(name);
        let bytes = cairn_durable::read_limited(&path, TEXT_BYTES_MAX).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Process {
    /// The settings file it was given.
    fn settings(&self) -> Option<&Path> {
        let mut words = self.argv.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let value = match word.strip_prefix("--settings") {
                Some("") => words.next(),
                Some(rest) => rest.strip_prefix('='),
                None => continue,
            };
            if let Some(value) = value {
                return Some(Path::new(value));
            }
        }
        None
    }

    /// The hook of Cairn that it was given on its command line, as Codex is.
    fn hooks(&self) -> Option<&str> {
        let mut words = self.argv.iter().map(String::as_str);
        words.find(|word| word.starts_with("hooks.PreToolUse=") && word.contains("--agent codex"))
    }

    /// What the wrapper left about it, by that hook's socket, in the state folder of a device.
    fn noted(&self, name: &str) -> Option<PathBuf> {
        let (_, socket) = self.hooks()?.split_once("--socket '")?;
        let (socket, _) = socket.split_once('\'')?;
        let file = Path::new(socket).parent()?.join("claude").join(name);
        is_in_a_state_folder(&file).then_some(file)
    }

    /// Whether it was given the settings that a wrapper wrote for process `pid`.
    fn has_settings_of(&self, pid: u32) -> bool {
        let name = settings_name(pid);
        self.settings().is_some_and(|path| {
            path.file_name().is_some_and(|last| last == name.as_str()) && is_in_a_state_folder(path)
        })
    }
}

/// The name of the settings file that a wrapper writes for a process.
fn settings_name(pid: u32) -> String {
    format!("{pid}.settings.json")
}

/// Whether a settings file lies where a wrapper puts it, in the folder of an enrolled device.
fn is_in_a_state_folder(settings: &Path) -> bool {
    let state = settings.parent().and_then(Path::parent);
    state.is_some_and(|state| state.join("identity.json").is_file())
}

/// The agent that a program is, by where it is installed; `None` for any other program.
///
/// A renamed copy is not recognised: whoever hides an agent from their own device can.
fn agent(exe: &Path, argv: &[String]) -> Option<&'static str> {
    let exe = lying_at(exe);
    if let Some(name) = by_path(&exe) {
        let called = argv.first().map_or("", String::as_str);
        let called = called.rsplit('/').next().unwrap_or_default();
        let is_part = PLAYED.contains(&called) || called.starts_with(CODEX_PART);
        return (!is_part).then_some(name);
    }
    if !interprets(&exe) {
        return None;
    }
    let script = argv.iter().skip(1).find(|word| !word.starts_with('-'))?;
    by_path(script)
}

/// Whether it takes the words of its command line to tell that a program is no agent.
fn may_be_agent(exe: &Path) -> bool {
    let exe = lying_at(exe);
    by_path(&exe).is_some() || interprets(&exe)
}

/// Where an executable lies or lay: the kernel marks a program whose file is gone, for example after an
/// update.
fn lying_at(exe: &Path) -> String {
    let exe = exe.to_string_lossy();
    exe.strip_suffix(" (deleted)").unwrap_or(&exe).to_owned()
}

fn interprets(exe: &str) -> bool {
    let name = exe.rsplit('/').next().unwrap_or_default();
    INTERPRETERS.contains(&name)
}

fn by_path(path: &str) -> Option<&'static str> {
    let words: Vec<&str> = path.split('/').collect();
    let last = words.last().copied().unwrap_or_default();
    let has = |part: &str| words.iter().any(|word| word.starts_with(part));
    let versions = words.windows(2).any(|pair| pair == ["claude", "versions"]);
    if last == "claude" || versions || has("claude-code") {
        Some("claude-code")
    } else if last == "codex" || last == "codex.js" {
        Some("codex")
    } else if last == "gemini" || path.contains("@google/gemini-cli") {
        Some("gemini-cli")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
