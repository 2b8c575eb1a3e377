//! The operator who prunes: a log with a bundle of entries that are three days old, and orders to prune
//! them, planned, signed and carried out while everything goes wrong.
//!
//! Owns that past, and the faults that strike a pruning in its middle. The pruning itself is what the
//! running server does when it is asked over its socket. A late write is not tried for it: the folder's
//! lock is held until the dead process has ended, and nothing but this writes what was pruned.

use super::stage::{Host, Roller, Stage, WITNESSES, lock};
use crate::disk::{Fault, Step};
use crate::world::accept;
use cairn_event::Sha256;
use cairn_event::administrative::LogPrune;
use cairn_event::body::Body;
use cairn_server::retention::{Request, of_running};
use cairn_server::store::{KeyedStore, LogStore};
use cairn_server::{SubmitResult, Wait};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

const WHO: Roller = Roller::Actor(Host::Operator);

/// Runs with a pruning, in percent.
const RUNS: u64 = 50;

/// How long before the run the old entries were written: more than a day, and less than a log is silent
/// for without a question about its clock.
const PAST_MS: i64 = -3 * 86_400_000;

/// Old entries: a whole bundle, and some.
const OLD: usize = 262;

/// The minimum index that they allow.
const MINIMUM: u64 = 256;

/// Seed of the old chain's key; no agent has it.
const SEED: u8 = 220;

/// Steps of a pruning that a run strikes.
const STEPS: [Step; 3] = [Step::Prune, Step::Erase, Step::Sweep];

/// What happens to them.
const FAULTS: [Fault; 4] = [
    Fault::FailedAndLost,
    Fault::FailedButApplied,
    Fault::CrashBefore,
    Fault::CrashAfter,
];

/// The operator of a run that prunes.
pub struct Operator {
    stage: Arc<Stage>,
    /// Index of an old entry with a confidential member.
    confidential: u64,
}

impl Operator {
    /// Whether this run has one; then everybody's clock shows the past.
    pub fn comes(stage: &Stage) -> bool {
        let comes = stage.roll(WHO, |dice| dice.chance(RUNS));
        if comes {
            set_clocks(stage, PAST_MS);
        }
        comes
    }

    /// Writes the old entries, and brings everybody to the present.
    pub async fn after_the_past(stage: &Arc<Stage>) -> Self {
        let running = stage.running().unwrap();
        let (mut chain, first) = stage.site.world.chain(SEED);
        let start = accept(&running.log, vec![first.clone()]).await;
        note(stage, &[first], &start);
        let (secret, _) = chain.confidential(1, &[("email", "old secret")]);
        let confidential = accept(&running.log, vec![secret.clone()]).await;
        note(stage, &[secret], &confidential);
        for part in chain.many(OLD).chunks(64) {
            let indices = accept(&running.log, part.to_vec()).await;
            note(stage, part, &indices);
        }
        set_clocks(stage, 0);
        // A clock that leaps is believed by a new process only.
        stage.crash.notify_waiters();
        while !running.disk.is_dead() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while stage.running().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self {
            stage: stage.clone(),
            confidential: confidential[0],
        }
    }

    /// Prunes, or tries to, until it has succeeded and everything is right again.
    pub async fn run(self) -> Self {
        while !self.stage.is_healed() || !self.is_done() {
            self.stage.pause(WHO, 300..5_000).await;
            if self.minimum() != Some(MINIMUM) {
                self.attempt().await;
            }
        }
        self
    }

    /// Whether the log is pruned, and serves with nothing owed.
    fn is_done(&self) -> bool {
        let Some(running) = self.stage.running() else {
            return false;
        };
        let store = KeyedStore::new(running.disk.rows());
        self.minimum() == Some(MINIMUM) && matches!(store.pruning_owed(), Ok(None))
    }

    fn minimum(&self) -> Option<u64> {
        let running = self.stage.running()?;
        running.log.minimum_index().ok()
    }

    async fn attempt(&self) {
        let Some(running) = self.stage.running() else {
            return;
        };
        let plan = match of_running(
            &running.log,
            Request::Plan {
                days: None,
                to: None,
            },
        ) {
            Ok(plan) => plan,
            Err(error) => return self.stage.say(&format!("no plan to prune: {error}")),
        };
        let order = self.stage.site.world.statement(order_of(&plan));
        let sent = running.log.submit(
            vec![order.clone()],
            Wait::Witnessed,
            Duration::from_millis(2_500),
        );
        let taken = sent.await.ok().filter(|_| !running.disk.is_dead());
        if let Some([SubmitResult::Accepted { index, .. }]) = taken.as_deref() {
            note(&self.stage, &[order], &[*index]);
        }
        if running.disk.is_dead() {
            return;
        }
        let (strikes, step, fault) = self.stage.roll(WHO, |dice| {
            (dice.chance(60), dice.pick(&STEPS), dice.pick(&FAULTS))
        });
        if strikes && !self.stage.is_healed() {
            self.stage
                .say(&format!("the next {step:?} of the server: {fault:?}"));
            running.disk.arm(step, fault);
        }
        let done = of_running(&running.log, Request::Run);
        let done = done.map_or_else(|error| error.to_string(), |done| done.to_string());
        self.stage.say(&format!("pruning: {done}"));
    }

    /// What must be so at the end of the run.
    pub fn conclude(&self, store: &dyn LogStore) {
        assert_eq!(store.minimum_index().unwrap(), MINIMUM, "never pruned");
        assert_eq!(store.pruning_owed().unwrap(), None);
        assert!(store.entry(self.confidential).unwrap().is_none());
        assert!(store.disclosures(self.confidential).unwrap().is_empty());
    }
}

fn set_clocks(stage: &Stage, offset_ms: i64) {
    stage.set_clock(Host::Server, offset_ms);
    for number in 0..WITNESSES {
        stage.set_clock(Host::Witness(number), offset_ms);
    }
}

fn note(stage: &Stage, frames: &[String], indices: &[u64]) {
    let mut acknowledged = lock(&stage.acknowledged);
    for (frame, index) in frames.iter().zip(indices) {
        acknowledged.note(frame, *index);
    }
}

fn order_of(plan: &Value) -> Body {
    let number = |name: &str| plan[name].as_u64().unwrap();
    Body::LogPrune(LogPrune {
        days: number("days"),
        from: number("from"),
        kept: Sha256::from_hex(plan["kept"].as_str().unwrap()).unwrap(),
        reason: "as promised".into(),
        to: number("to"),
    })
}
