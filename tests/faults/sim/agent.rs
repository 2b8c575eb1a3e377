//! A submitting agent: a spool that survives its restarts, and a receipt for every record before it goes.
//!
//! Owns the agent's half of the contract: submit in order, submit again after silence, believe nothing
//! but a verified receipt. It is the protocol of `docs/life-of-an-event.md`, not the product's daemon.

use super::network::carry;
use super::stage::{Host, Roller, Stage, lock};
use crate::world::{Chain, entry_of};
use cairn_server::{SubmitResult, Wait};
use cairn_tlog::{Hash, leaf_hash};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Frames of one submission.
const BATCH: usize = 24;

/// How long the server may hold a submission back for its receipt, and the agent waits for an answer.
const SERVER_WAIT: Duration = Duration::from_millis(2_500);
const PATIENCE: Duration = Duration::from_millis(4_000);

/// Chains one agent may begin; the seeds of their keys do not collide between agents.
const CHAINS: u8 = 20;

/// One agent.
pub struct Agent {
    stage: Arc<Stage>,
    number: u8,
    chains: u8,
    chain: Chain,
    spool: VecDeque<String>,
}

impl Agent {
    pub fn new(stage: &Arc<Stage>, number: u8) -> Self {
        let (chain, first) = stage.site.world.chain(30 + number * CHAINS);
        Self {
            stage: stage.clone(),
            number,
            chains: 1,
            chain,
            spool: [first].into(),
        }
    }

    fn who(&self) -> Roller {
        Roller::Actor(Host::Agent(self.number))
    }

    /// Works until nothing new is made and the spool is empty.
    pub async fn run(mut self, actions: u32) {
        for _ in 0..actions {
            self.stage.pause(self.who(), 5..600).await;
            let stage = self.stage.clone();
            if stage.roll(self.who(), |dice| dice.chance(5)) && !stage.is_healed() {
                self.restart();
            }
            let new = stage.roll(self.who(), |dice| dice.of(1..9)) as usize;
            self.spool.extend(self.chain.many(new));
            self.upload().await;
        }
        while !self.spool.is_empty() {
            self.upload().await;
            self.stage.pause(self.who(), 50..400).await;
        }
    }

    /// The daemon dies and begins a new chain; its spool is on disk.
    fn restart(&mut self) {
        if self.chains == CHAINS {
            return;
        }
        let seed = 30 + self.number * CHAINS + self.chains;
        let (chain, first) = self.stage.site.world.chain_after(seed, &self.chain);
        self.chains += 1;
        self.chain = chain;
        self.spool.push_back(first);
        self.stage
            .say(&format!("agent {} begins a new chain", self.number));
    }

    /// Submits the oldest records, sometimes over two connections at once.
    async fn upload(&mut self) {
        let frames: Vec<String> = self.spool.iter().take(BATCH).cloned().collect();
        let twice = self.stage.roll(self.who(), |dice| dice.chance(20));
        let (first, second) = tokio::join!(self.submit(&frames), async {
            if twice {
                self.submit(&frames).await
            } else {
                None
            }
        });
        let mut retired = 0;
        for results in [first, second].into_iter().flatten() {
            retired = retired.max(self.take(&frames, &results));
        }
        self.spool.drain(..retired);
    }

    async fn submit(&self, frames: &[String]) -> Option<Vec<SubmitResult>> {
        let (at, frames) = (self.stage.clone(), frames.to_vec());
        let act = move || {
            let (stage, frames) = (at.clone(), frames.clone());
            async move {
                let running = stage.running()?;
                let results = running
                    .log
                    .submit(frames, Wait::Witnessed, SERVER_WAIT)
                    .await;
                // A dead process answers nobody, whatever it found out.
                results.ok().filter(|_| !running.disk.is_dead())
            }
        };
        let host = Host::Agent(self.number);
        let sent = carry(self.stage.clone(), host, Host::Server, act);
        timeout(PATIENCE, sent).await.ok().flatten()
    }

    /// Takes the answers in; gives how many of the oldest records have a verified receipt.
    fn take(&self, frames: &[String], results: &[SubmitResult]) -> usize {
        assert_eq!(frames.len(), results.len());
        let mut retired = 0;
        let mut proven = true;
        for (frame, result) in frames.iter().zip(results) {
            let SubmitResult::Accepted {
                index,
                leaf,
                receipt,
                ..
            } = result
            else {
                panic!("agent {}: refused: {result:?}", self.number);
            };
            let own: Hash = leaf_hash(entry_of(frame).as_bytes());
            assert_eq!(own, *leaf, "the answer is about other bytes");
            lock(&self.stage.acknowledged).note(frame, *index);
            if let Some(receipt) = receipt {
                lock(&self.stage.seen).receipt(receipt, leaf, *index);
            }
            proven &= receipt.is_some();
            retired += usize::from(proven);
        }
        let number = self.number;
        self.stage.say(&format!(
            "agent {number} retires {retired} of {}",
            frames.len()
        ));
        retired
    }
}
