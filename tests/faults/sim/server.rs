//! The server's lives: started, killed, stopped by a fault, started again by a supervisor.
//!
//! Owns the restart and what the disk of the next life holds. A start that is refused is tried again, as
//! a service manager does; it must name a reason.

use super::network::Link;
use super::stage::{Host, Roller, Running, Stage, lock};
use crate::site::Life;
use cairn_server::Log;
use cairn_server::recover::StartError;
use cairn_server::sequence::chain;
use std::sync::Arc;
use std::time::Duration;

/// Reads into a start within which a late write of the dead process lands.
const LATE_READS: u64 = 4;

/// Whose dice decide about restarts.
const WHO: Roller = Roller::Actor(Host::Server);

/// Runs the server until the run ends.
pub async fn supervise(stage: Arc<Stage>) {
    let mut life = stage.site.first();
    loop {
        let log = tokio::select! {
            biased;
            () = stage.crash.notified() => None,
            started = start(&stage, &life) => started,
        };
        if let Some(log) = log {
            serve(&stage, &life, log).await;
        }
        // Whatever of this life still runs is dead from here on.
        life.disk.kill();
        let mut found = life.disk.remains();
        let late = found.late.take();
        tokio::time::sleep(Duration::from_millis(
            stage.roll(WHO, |dice| dice.of(20..1_500)),
        ))
        .await;
        life = stage.site.next(found);
        if let Some(late) = late {
            let reads = stage.roll(WHO, |dice| dice.of(0..LATE_READS)) as u32;
            stage.say(&format!("a late write will land after {reads} reads"));
            life.disk.land_after(late, reads);
        }
        if !stage.is_healed() && stage.roll(WHO, |dice| dice.chance(15)) {
            let reads = stage.roll(WHO, |dice| dice.of(0..12)) as u32;
            stage.say(&format!("read {reads} of the next start fails"));
            life.disk.fail_read(reads);
        }
    }
}

async fn start(stage: &Arc<Stage>, life: &Life) -> Option<Log> {
    let link = Arc::new(Link {
        stage: stage.clone(),
        disk: life.disk.clone(),
    });
    match stage.site.start(life, stage.server_clock(), link).await {
        Ok(log) => {
            stage.say(&format!("the server serves {} entries", log.size()));
            Some(log)
        }
        Err(error) => {
            let reason = chain(&error);
            stage.say(&format!("the server does not start: {reason}"));
            assert!(!reason.is_empty());
            // Nothing in an honest run makes the log and a witness contradict each other.
            let proof = matches!(
                error,
                StartError::WitnessContradicts { .. } | StartError::GenesisOther
            );
            assert!(!proof, "{reason}");
            None
        }
    }
}

/// Serves until the process is killed or the log stops by itself.
async fn serve(stage: &Stage, life: &Life, log: Log) {
    let mut stopped = log.stopped();
    let running = Running {
        log,
        disk: life.disk.clone(),
    };
    *lock(&stage.server) = Some(running);
    tokio::select! {
        biased;
        () = stage.crash.notified() => {
            life.disk.kill();
            stage.say("the server is killed");
        }
        reason = stopped.wait_for(Option::is_some) => {
            let reason = reason.ok().and_then(|reason| reason.clone()).unwrap_or_default();
            assert!(!reason.is_empty(), "the log stopped without a reason");
            stage.say(&format!("the log stopped: {reason}"));
        }
    }
    *lock(&stage.server) = None;
}
