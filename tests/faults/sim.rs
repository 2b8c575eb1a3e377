//! Server, witnesses and agents together, in virtual time, with everything going wrong that can.
//!
//! Owns one run: a pure function of its seed. The server's admission, sequencer, store layout, publisher
//! and witness client are the real ones, so is the witness with its state file; the network, the disk's
//! faults, the clocks and the order of turns come out of the seed. A failure prints the seed and the end
//! of the trace; `CAIRN_SEED=N` plays it again. In every other run a log with a past is pruned meanwhile.

mod agent;
mod dice;
mod network;
mod operator;
mod seen;
mod server;
mod soak;
mod stage;
mod weather;

use crate::oracle::judge;
use crate::site::virtual_time;
use agent::Agent;
use cairn_server::store::{KeyedStore, entries};
use operator::Operator;
use stage::{Stage, lock};
use std::sync::Arc;
use std::time::Duration;

/// Agents of a run.
const AGENTS: u8 = 2;

/// Times each agent acts.
const ACTIONS: u32 = 40;

/// Virtual time after which a run that was put right must be done: the longest that a clock was ahead,
/// and many rounds of every time limit.
const DONE_AFTER: Duration = Duration::from_secs(420);

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ran {
    /// The whole trace as one number.
    fold: u64,
    /// Entries in the log at the end.
    entries: u64,
    /// Different checkpoints that agents verified.
    checkpoints: usize,
    /// Whether it was pruned.
    pruned: bool,
}

/// Plays one seed; gives the last lines of its trace as well.
fn play(seed: u64) -> (Ran, Vec<String>) {
    virtual_time().block_on(async {
        let stage = Stage::new(seed);
        let failed = ShowTrace {
            stage: stage.clone(),
            seed,
        };
        let ran = run(stage.clone()).await;
        drop(failed);
        (ran, stage.trace().1)
    })
}

async fn run(stage: Arc<Stage>) -> Ran {
    let prunes = Operator::comes(&stage);
    let supervisor = tokio::spawn(server::supervise(stage.clone()));
    enrol(&stage).await;
    let operator = if prunes {
        let operator = Operator::after_the_past(&stage).await;
        Some(tokio::spawn(operator.run()))
    } else {
        None
    };
    let weather = tokio::spawn(weather::run(stage.clone()));
    let agents = (0..AGENTS).map(|number| {
        let agent = Agent::new(&stage, number);
        tokio::spawn(agent.run(ACTIONS))
    });
    let agents: Vec<_> = agents.collect();
    weather.await.unwrap();
    let done = tokio::time::timeout(DONE_AFTER, futures_util::future::join_all(agents)).await;
    let done = done.expect("put right, and still not every entry has its receipt");
    done.into_iter().for_each(|agent| agent.unwrap());
    let operator = match operator {
        Some(operator) => {
            let done = tokio::time::timeout(DONE_AFTER, operator).await;
            Some(done.expect("put right, and never pruned").unwrap())
        }
        None => None,
    };
    assert!(!supervisor.is_finished(), "the supervisor failed");
    supervisor.abort();
    conclude(&stage, operator.as_ref()).await
}

/// The person and the device are enrolled before anything goes wrong.
async fn enrol(stage: &Stage) {
    while stage.running().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let running = stage.running().unwrap();
    crate::world::accept(&running.log, vec![stage.site.world.roster()]).await;
}

/// Everything is right: the newest checkpoint covers all, the witnesses know it, the auditor agrees.
async fn conclude(stage: &Stage, operator: Option<&Operator>) -> Ran {
    let running = stage
        .running()
        .expect("put right, and the server does not serve");
    let size = running.log.size();
    let mut published = running.log.published();
    let all = published.wait_for(|newest| newest.size == size);
    let newest = tokio::time::timeout(DONE_AFTER, all).await;
    let newest = newest
        .expect("the newest entries are not published")
        .unwrap();
    assert!(newest.witnessed);
    let (newest_size, root) = (newest.size, newest.root);
    drop(newest);
    lock(&stage.seen).checkpoint(newest_size, root);
    for node in &stage.witnesses {
        assert!(
            lock(node).held() <= size,
            "a witness holds more than the log"
        );
    }
    let store = KeyedStore::new(running.disk.remains().rows);
    let acknowledged = lock(&stage.acknowledged).clone();
    let site = &stage.site;
    assert_eq!(
        judge(&store, &site.trust, &site.genesis, &acknowledged),
        Ok(())
    );
    let seen = lock(&stage.seen);
    check_history(&store, &seen);
    if let Some(operator) = operator {
        operator.conclude(&store);
    }
    Ran {
        fold: stage.trace().0,
        entries: size,
        checkpoints: seen.roots().len(),
        pruned: operator.is_some(),
    }
}

/// Each root that anybody ever verified is the root of the entries at that size (I1, I2, I4).
fn check_history(store: &KeyedStore<cairn_server::store::Memory>, seen: &seen::Seen) {
    let mut tree = cairn_tlog::Frontier::new();
    let size = seen.roots().keys().max().copied().unwrap_or(0);
    for index in 0..=size {
        if let Some(root) = seen.roots().get(&index) {
            assert_eq!(
                tree.root(),
                *root,
                "another history was witnessed at {index}"
            );
        }
        if index < size {
            let (_, stored) = entries(store, index..index + 1).next().unwrap().unwrap();
            tree.push(stored.leaf());
        }
    }
}

/// Prints seed and trace when a run panics.
struct ShowTrace {
    stage: Arc<Stage>,
    seed: u64,
}

impl Drop for ShowTrace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (_, lines) = self.stage.trace();
            let (text, seed) = (lines.join("\n"), self.seed);
            eprintln!("{text}\nseed {seed} failed; CAIRN_SEED={seed} plays it again");
        }
    }
}
