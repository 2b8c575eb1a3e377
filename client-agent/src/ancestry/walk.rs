//! The walk from one process to the first one.
//!
//! Owns following parents and noticing that the tree changed underneath. A process is read through
//! one open folder while a descriptor for it is held; afterwards it must still be alive, started at
//! the same time and have the same parent. Otherwise it is read once more, and then marked.
//!
//! Source: pidfd_open(2), proc_pid_stat(5), pid_namespaces(7).

use std::time::{Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::digest::DigestCache;
use super::executable::{Hashing, ProcessDir};
use super::procfs::{MACHINE_PID_NAMESPACE, Stat};
use super::record::{Ancestry, ProcessRecord};

/// The longest chain recorded. The deepest seen on a workstation is about 20.
pub const ANCESTORS_MAX: usize = 64;

/// The most bytes of all command lines together: 32 KiB, so that the record fits a disclosure.
const ARGV_TOTAL_BYTES_MAX: usize = 32 * 1024;

/// How often a process is read before its row is marked as a race.
const ATTEMPTS: u32 = 2;

/// Reports why there is no chain at all.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The process is in a pid namespace that cannot be seen from here.
    #[error("the process is not visible from this pid namespace")]
    NotVisible,
    /// The process ended before it could be read.
    #[error("process {pid} has ended")]
    Gone {
        /// The process.
        pid: u32,
    },
}

/// Records a process and all its ancestors, nearest first.
///
/// `pid` is the peer of a socket as the kernel gives it (SO_PEERCRED), 0 when it has no number
/// here. `now` is the wall clock for the digest cache. Digests not made by `deadline` are pending;
/// everything else is recorded in any case.
///
/// # Errors
/// [`WalkError`]: there is no evidence of who asked; the caller records that.
pub fn walk(
    pid: u32,
    cache: &DigestCache,
    now: SystemTime,
    deadline: Option<Instant>,
) -> Result<Ancestry, WalkError> {
    if pid == 0 {
        return Err(WalkError::NotVisible);
    }
    let hashing = Hashing {
        cache,
        now,
        deadline,
    };
    let mut chain = Ancestry {
        boot_id: boot_id(),
        pid_namespace_root: false,
        truncated: false,
        processes: Vec::new(),
    };
    let mut next = pid;
    let mut child: Option<Visit> = None;
    while next != 0 {
        if chain.processes.len() == ANCESTORS_MAX {
            chain.truncated = true;
            break;
        }
        let Some(mut visit) = visit(next, hashing) else {
            if child.is_none() {
                return Err(WalkError::Gone { pid });
            }
            chain.truncated = true;
            break;
        };
        if let Some(child) = &child {
            visit.record.race |= !child.is_still_child_of(&visit);
        }
        next = visit.stat.parent;
        chain.processes.push(visit.record.clone());
        child = Some(visit);
    }
    chain.pid_namespace_root = !chain.truncated && !in_machine_namespace();
    limit_argv(&mut chain.processes);
    Ok(chain)
}

/// A process that was read, with its folder still open.
struct Visit {
    dir: ProcessDir,
    stat: Stat,
    record: ProcessRecord,
}

impl Visit {
    /// Reports whether `parent`, read just now, is the parent this process has and always had.
    fn is_still_child_of(&self, parent: &Visit) -> bool {
        // A parent that started later took over the number of the real one.
        let older = parent.stat.start_time <= self.stat.start_time;
        let now = self.dir.stat().map(|stat| (stat.parent, stat.start_time));
        older && now == Some((parent.record.pid, self.stat.start_time))
    }
}

/// Reads one process; `None` when it does not exist.
fn visit(pid: u32, hashing: Hashing<'_>) -> Option<Visit> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let Ok(dir) = ProcessDir::open(pid) else {
            break;
        };
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        // Opened after the folder: if both agree on being alive at the end, they are one process.
        let alive = pidfd_open(raw, PidfdFlags::empty());
        let Some(stat) = dir.stat() else { break };
        let exe_before = dir.exe_link().ok();
        let record = read(pid, &dir, &stat, hashing);
        let after = dir.stat().map(|stat| (stat.parent, stat.start_time));
        // The number and the start survive an exec; the image does not.
        let same_image = dir.exe_link().ok() == exe_before;
        let steady = same_image && after == Some((stat.parent, stat.start_time));
        let ended = alive.map_or_else(|error| error != Errno::NOSYS, |fd| has_ended(&fd));
        let race = !steady || ended;
        last = Some(Visit {
            dir,
            stat,
            record: ProcessRecord { race, ..record },
        });
        if !race {
            break;
        }
    }
    last
}

fn read(pid: u32, dir: &ProcessDir, stat: &Stat, hashing: Hashing<'_>) -> ProcessRecord {
    let (argv, argv_truncated) = dir.argv();
    let exe = dir.executable(hashing);
    let script = exe
        .path
        .as_deref()
        .and_then(|path| dir.script(path, &argv, hashing));
    let status = dir.status();
    let status = status.as_ref();
    ProcessRecord {
        argv,
        argv_truncated,
        euid: status.map(|status| status.euid),
        exe: exe.path.map(|path| path.to_string_lossy().into_owned()),
        exe_digest: exe.digest,
        exe_state: exe.state,
        login_uid: dir.login_uid(),
        name: stat.name.clone(),
        namespace_depth: status.map_or(1, |status| status.namespace_depth),
        pid,
        race: false,
        script,
        session: stat.session,
        start_time: stat.start_time,
        terminal: stat.terminal,
        traced: status.is_some_and(|status| status.tracer != 0),
        uid: status.map(|status| status.uid),
    }
}

/// Reports whether the process has ended; a descriptor that cannot be asked counts as ended.
fn has_ended(process: &std::os::fd::OwnedFd) -> bool {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&at_once)).map_or(true, |ready| ready > 0)
}

fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// Reports whether this daemon sees the machine's own processes; unknown counts as not.
fn in_machine_namespace() -> bool {
    rustix::fs::readlink("/proc/self/ns/pid", Vec::new())
        .is_ok_and(|link| link.as_bytes() == MACHINE_PID_NAMESPACE.as_bytes())
}

/// Drops command lines of the farthest processes when all together are too long.
fn limit_argv(processes: &mut [ProcessRecord]) {
    let mut left = ARGV_TOTAL_BYTES_MAX;
    for process in processes {
        let bytes = process
            .argv
            .iter()
            .fold(0, |sum: usize, arg| sum.saturating_add(arg.len()));
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => {
                process.argv.clear();
                process.argv_truncated = true;
                left = 0;
            }
        }
    }
}
