//! Learns at once that a protection process has ended, without looking again and again.
//!
//! Owns process descriptors of the product found in a report. Works on root's processes without
//! privilege. Does not decide what the end means: the caller collects again, because a product
//! that was updated comes back under another number.
//!
//! Source: pidfd_open(2), poll(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::PostureReport;

/// Reports why the processes cannot be watched; the periodic pass still finds the change.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The kernel gave no descriptor for a process that exists.
    #[error("process {pid} cannot be watched")]
    Open {
        /// The process.
        pid: u32,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
    /// Waiting failed.
    #[error("waiting for the end of a process failed")]
    Wait {
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
}

/// Descriptors of the processes that make up the product found.
#[derive(Debug, Default)]
pub struct ProtectionWatch {
    processes: Vec<OwnedFd>,
    already_ended: bool,
}

impl ProtectionWatch {
    /// Opens a descriptor for every process the report names; none for a fixture's.
    ///
    /// Trap: a number may have been taken over between the report and this call. Collect once more
    /// after opening; if the numbers are the same, the right processes are watched.
    ///
    /// # Errors
    /// [`WatchError::Open`]: go on with the periodic pass alone.
    pub fn open(report: &PostureReport) -> Result<Self, WatchError> {
        let mut watch = Self::default();
        if report.fixture {
            return Ok(watch);
        }
        for pid in &report.protection_pids {
            let process = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            let Some(process) = process else { continue };
            match pidfd_open(process, PidfdFlags::empty()) {
                Ok(fd) => watch.processes.push(fd),
                Err(rustix::io::Errno::SRCH) => watch.already_ended = true,
                Err(error) => {
                    return Err(WatchError::Open {
                        pid: *pid,
                        source: error.into(),
                    });
                }
            }
        }
        Ok(watch)
    }

    /// Waits until one of the processes has ended or the time is up; says whether one has.
    ///
    /// # Errors
    /// [`WatchError::Wait`]: go on with the periodic pass alone.
    pub fn wait(&self, limit: Duration) -> Result<bool, WatchError> {
        if self.already_ended {
            return Ok(true);
        }
        let failed = |source: io::Error| WatchError::Wait { source };
        let timeout = Timespec::try_from(limit)
            .map_err(|_| failed(io::Error::from(io::ErrorKind::InvalidInput)))?;
        let mut fds: Vec<PollFd<'_>> = self
            .processes
            .iter()
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        match poll(&mut fds, Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Returns the descriptors, readable once their process has ended, for an event loop.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.processes.iter().map(AsFd::as_fd)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn report(pids: Vec<u32>, fixture: bool) -> PostureReport {
        PostureReport {
            collected_ms: 0,
            fields: std::collections::BTreeMap::new(),
            fixture,
            protection_pids: pids,
        }
    }

    #[test]
    fn the_end_of_a_process_wakes_the_watch() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let watch = ProtectionWatch::open(&report(vec![child.id()], false)).unwrap();
        assert!(!watch.wait(Duration::ZERO).unwrap());
        child.kill().unwrap();
        assert!(watch.wait(Duration::from_secs(60)).unwrap());
        child.wait().unwrap();
        let late = ProtectionWatch::open(&report(vec![child.id()], false)).unwrap();
        assert!(late.wait(Duration::ZERO).unwrap());
    }

    #[test]
    fn a_fixture_names_no_process_of_this_machine() {
        let watch = ProtectionWatch::open(&report(vec![1], true)).unwrap();
        assert_eq!(watch.descriptors().count(), 0);
    }
}
