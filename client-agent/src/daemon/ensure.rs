//! Starting the daemon on demand, and stopping it.

use super::control::{self, StatusAnswer, ask};
use super::run::READY;
use super::wire::AskError;
use crate::state::{FILE_MODE, FOLDER_MODE, StateDir};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Size at which the diagnostics file is set aside with the next start: 8 MiB.
const DIAGNOSTICS_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Why there is no running daemon.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    /// The state folder cannot be made.
    #[error(transparent)]
    Folder(#[from] cairn_durable::file::CreateDirError),
    /// The program could not be started.
    #[error("the daemon could not be started: {0}")]
    Start(#[from] std::io::Error),
    /// It ended before it was ready.
    #[error("the daemon ended before it was ready; see `{0}`")]
    Ended(String),
    /// It runs and does not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Makes sure that a daemon answers and says how things stand.
///
/// Errors: [`EnsureError`]; the agent is not started.
pub fn ensure(state: &StateDir) -> Result<StatusAnswer, EnsureError> {
    if let Ok(status) = ask(state, control::STATUS, &()) {
        return Ok(status);
    }
    cairn_durable::create_dir_durable(state.path(), FOLDER_MODE)?;
    let diagnostics = state.diagnostics();
    if std::fs::metadata(&diagnostics).is_ok_and(|meta| meta.len() > DIAGNOSTICS_BYTES_MAX) {
        std::fs::rename(&diagnostics, diagnostics.with_extension("log.old"))?;
    }
    let log = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .open(&diagnostics)?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["daemon", "run"])
        .env(crate::state::HOME_VARIABLE, state.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        // A group of its own, so that an interrupt in the terminal does not end it.
        .process_group(0)
        .current_dir("/")
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.trim_end() == READY {
        return Ok(ask(state, control::STATUS, &())?);
    }
    // Another one may have been started at the same moment; then it answers.
    ask(state, control::STATUS, &())
        .map_err(|_| EnsureError::Ended(diagnostics.display().to_string()))
}

/// Longest wait for a daemon to end: its last flush and signature.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Tells the daemon to end and waits until it has; true when one was running.
///
/// Errors: [`EnsureError`] when it runs and refuses.
pub fn stop(state: &StateDir) -> Result<bool, EnsureError> {
    let status: StatusAnswer = match ask(state, control::STATUS, &()) {
        Ok(status) => status,
        Err(AskError::Unreachable { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let pid = i32::try_from(status.pid).ok().and_then(Pid::from_raw);
    let process = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    ask::<_, serde_json::Value>(state, control::STOP, &())?;
    if let Some(process) = process {
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        let timeout = Timespec::try_from(END_TIMEOUT).map_err(std::io::Error::other)?;
        poll(&mut fds, Some(&timeout)).map_err(std::io::Error::from)?;
    }
    Ok(true)
}
