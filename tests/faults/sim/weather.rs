//! What goes wrong during a run, out of its dice, and how all of it is put right at the end.
//!
//! Owns the choice of faults. Two of three witnesses may be down at once, so publication may stand still;
//! what was acknowledged stays.

use super::stage::{Host, Quality, Roller, Stage, WITNESSES, lock};
use crate::disk::{Fault, Step};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Whose dice choose.
const WHO: Roller = Roller::Weather;

/// Faults of one run.
const FAULTS: u64 = 24;

/// Steps of the write path that a run strikes.
const STEPS: [Step; 3] = [Step::Commit, Step::ReadBack, Step::Publish];

/// How far a clock is put off, milliseconds: a little, two minutes, ten years, each way. A server that
/// starts under a clock two minutes ahead stands still for two minutes once it is set right.
const STEPS_OF_CLOCKS: [i64; 6] = [
    -1_500,
    1_500,
    -120_000,
    120_000,
    -315_360_000_000,
    315_360_000_000,
];

/// Makes faults, then heals everything.
pub async fn run(stage: Arc<Stage>) {
    let quality = stage.roll(WHO, |dice| Quality {
        loss: dice.of(0..20),
        twice: dice.of(0..15),
        delay: 1..dice.of(3..400),
        ..Quality::perfect()
    });
    stage.say(&format!("the network: {quality:?}"));
    *lock(&stage.quality) = quality;
    for _ in 0..FAULTS {
        stage.pause(WHO, 50..1_500).await;
        strike(&stage);
    }
    heal(&stage);
}

fn strike(stage: &Arc<Stage>) {
    match stage.roll(WHO, |dice| dice.of(0..10)) {
        0 | 1 => stage.crash.notify_waiters(),
        2 | 3 => strike_disk(stage),
        4 | 5 => stop_witness(stage),
        6 => cut(stage),
        7 | 8 => step_clock(stage),
        _ => {
            let loss = stage.roll(WHO, |dice| dice.of(0..40));
            stage.say(&format!("the network loses {loss} of a hundred"));
            lock(&stage.quality).loss = loss;
        }
    }
}

fn strike_disk(stage: &Stage) {
    let Some(running) = stage.running() else {
        return;
    };
    let (step, fault) = stage.roll(WHO, |dice| (dice.pick(&STEPS), dice.pick(&Fault::ALL)));
    stage.say(&format!("the next {step:?} of the server: {fault:?}"));
    running.disk.arm(step, fault);
}

fn stop_witness(stage: &Arc<Stage>) {
    let number = stage.roll(WHO, |dice| dice.of(0..u64::from(WITNESSES))) as u8;
    lock(&stage.witnesses[usize::from(number)]).stop();
    stage.say(&format!("witness {number} is killed"));
    let after = stage.roll(WHO, |dice| dice.of(100..6_000));
    let stage = stage.clone();
    later(after, move || {
        lock(&stage.witnesses[usize::from(number)]).restart();
        stage.say(&format!("witness {number} is back"));
    });
}

fn cut(stage: &Arc<Stage>) {
    let host = stage.roll(WHO, |dice| match dice.of(0..5) {
        0..=2 => Host::Witness(dice.of(0..u64::from(WITNESSES)) as u8),
        _ => Host::Agent(dice.of(0..2) as u8),
    });
    let one_way = stage.roll(WHO, |dice| dice.chance(50));
    let mut pairs = vec![(Host::Server, host)];
    if !one_way {
        pairs.push((host, Host::Server));
    }
    stage.say(&format!("cut: {pairs:?}"));
    lock(&stage.quality).cut.extend(pairs.iter().copied());
    let after = stage.roll(WHO, |dice| dice.of(200..5_000));
    let stage = stage.clone();
    later(after, move || {
        let mut quality = lock(&stage.quality);
        for pair in &pairs {
            quality.cut.remove(pair);
        }
        drop(quality);
        stage.say(&format!("joined: {pairs:?}"));
    });
}

/// A clock goes wrong and is set right after a while.
fn step_clock(stage: &Arc<Stage>) {
    let (host, offset) = stage.roll(WHO, |dice| {
        let host = match dice.of(0..3) {
            0 => Host::Witness(dice.of(0..u64::from(WITNESSES)) as u8),
            _ => Host::Server,
        };
        (host, dice.pick(&STEPS_OF_CLOCKS))
    });
    stage.set_clock(host, offset);
    let after = stage.roll(WHO, |dice| dice.of(200..4_000));
    let stage = stage.clone();
    later(after, move || stage.set_clock(host, 0));
}

fn later(after_ms: u64, act: impl FnOnce() + Send + 'static) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        act();
    });
}

fn heal(stage: &Stage) {
    stage.healed.store(true, Ordering::SeqCst);
    *lock(&stage.quality) = Quality::perfect();
    for node in &stage.witnesses {
        let mut node = lock(node);
        if !node.is_up() {
            node.restart();
        }
    }
    for number in 0..WITNESSES {
        stage.set_clock(Host::Witness(number), 0);
    }
    stage.set_clock(Host::Server, 0);
    if let Some(running) = stage.running() {
        running.disk.disarm();
    }
    stage.say("all is put right");
}
