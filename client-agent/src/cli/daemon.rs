//! `cairn daemon`.

use super::DaemonCommand;
use crate::state::StateDir;
use std::num::NonZero;
use std::process::ExitCode;
use std::thread::available_parallelism;

/// Threads that serve hooks, at most: a daemon waits nearly always, and each thread keeps memory of its own.
/// A workstation of 64 cores would have 64.
const MAX_WORKERS: usize = 4;

pub(super) fn run(state: &StateDir, command: &DaemonCommand) -> anyhow::Result<ExitCode> {
    match command {
        DaemonCommand::Run => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(
                    available_parallelism()
                        .map_or(1, NonZero::get)
                        .min(MAX_WORKERS),
                )
                .enable_all()
                .build()?;
            runtime.block_on(crate::daemon::run(state.clone()))?;
        }
        DaemonCommand::Stop => {
            let was_running = crate::daemon::stop(state)?;
            say!(
                "{}",
                if was_running {
                    "stopped"
                } else {
                    "no daemon was running"
                }
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
