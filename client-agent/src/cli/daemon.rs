//! `cairn daemon`.

use super::DaemonCommand;
use crate::state::StateDir;
use std::process::ExitCode;

pub(super) fn run(state: &StateDir, command: &DaemonCommand) -> anyhow::Result<ExitCode> {
    match command {
        DaemonCommand::Run => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(crate::daemon::run(state.clone()))?;
        }
        DaemonCommand::Stop => {
            let was_running = crate::daemon::stop(state)?;
            println!(
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
