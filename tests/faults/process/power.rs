//! Power cuts: writes that were never synced are gone.
//!
//! Owns the campaign: one recorded run of the real program, and for many moments of it the disk that a
//! power cut at that moment leaves. A killed process tests nothing of this, because the kernel keeps its
//! writes. Every entry that was acknowledged before the moment must be there.

use super::copied::{WitnessProcess, witness};
use super::office::Office;
use super::programs::{Launch, Running, has_tool, log_alone, restart_and_judge};
use super::trace::{self, CALLS, DiskModel, Event, STRACE, Survival, read};
use crate::oracle::Acknowledged;
use cairn_witness::Store;
use std::path::{Path, PathBuf};

/// Submissions of the recorded run.
const BATCHES: usize = 8;

/// Moments that are played in an ordinary run; each is a start of the server.
const MOMENTS: usize = 5;

fn traced(trace: &Path) -> Launch {
    let mut wrapper: Vec<String> = STRACE.map(str::to_owned).to_vec();
    let output = trace.display().to_string();
    wrapper.extend([CALLS.to_owned(), "-o".to_owned(), output]);
    Launch {
        wrapper,
        ..Launch::default()
    }
}

/// Ends a traced process and waits until its tracer has written everything.
async fn end(running: Running, trace: &Path) -> String {
    drop(running);
    let whole = super::copied::wait_for(|| {
        let text = std::fs::read_to_string(trace).unwrap_or_default();
        text.trim_end()
            .ends_with("+++ killed by SIGKILL +++")
            .then_some(text)
    });
    whole.await.expect("the tracer did not end")
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_i12_after_a_power_cut_everything_acknowledged_is_there() {
    if !has_tool("strace") {
        return;
    }
    let mut office = Office::new();
    let data = office.world.data();
    // Entries before: the recorded run begins with a log that recovers.
    let server = office.start(&Launch::default()).unwrap();
    assert!(office.work(&server, 2).await);
    drop(server);
    let model = DiskModel::of_folder(&data);
    let trace = office.world.dir.path().join("trace");
    let server = office.start(&traced(&trace)).unwrap();
    // What is acknowledged after each answer, in order.
    let mut told = vec![office.acknowledged.clone()];
    for _ in 0..BATCHES {
        assert!(office.work(&server, 1).await);
        told.push(office.acknowledged.clone());
    }
    let text = end(server, &trace).await;
    let events = read(&text);
    let answers = events
        .iter()
        .filter(|event| **event == Event::Answer)
        .count();
    let found = trace::answers(&text);
    assert_eq!(answers, BATCHES, "not every answer once: {found:#?}");
    play(&office, model, &events, &told).await;
}

/// Which events are followed by a power cut: every answer, and some syncs between.
fn moments(events: &[Event]) -> Vec<usize> {
    let interesting = |event: &Event| matches!(event, Event::Answer | Event::Sync(_));
    let all = events
        .iter()
        .enumerate()
        .filter(|(_, event)| interesting(event));
    let all: Vec<usize> = all.map(|(place, _)| place).collect();
    if std::env::var_os("CAIRN_SOAK_SECONDS").is_some() {
        return all;
    }
    let step = (all.len() / MOMENTS).max(1);
    let answers = events
        .iter()
        .enumerate()
        .filter(|(_, event)| **event == Event::Answer);
    let answers = answers.map(|(place, _)| place).step_by(3);
    let mut chosen: Vec<usize> = all.iter().copied().step_by(step).chain(answers).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

async fn play(office: &Office, mut model: DiskModel, events: &[Event], told: &[Acknowledged]) {
    let (data, trust) = (office.world.data(), log_alone(&office.world));
    let chosen = moments(events);
    let survivals = [Survival::Nothing, Survival::Names, Survival::Half];
    let (mut answered, mut played) = (0, 0);
    for (place, event) in events.iter().enumerate() {
        model.apply(event);
        answered += usize::from(*event == Event::Answer);
        if !chosen.contains(&place) {
            continue;
        }
        for survival in survivals {
            let to: PathBuf = office
                .world
                .dir
                .path()
                .join(format!("cut-{place}-{survival:?}"));
            model.cut(survival, &data, &to);
            let known = &told[answered];
            let name = format!("after event {place} ({event:?}), {survival:?} survives");
            let again =
                restart_and_judge(&office.world, &to, &Launch::default(), &trust, known).await;
            let again = again.unwrap_or_else(|ended| panic!("{name}: {}", ended.diagnostics));
            drop(again);
            played += 1;
            std::fs::remove_dir_all(&to).unwrap();
        }
    }
    println!("{played} power cuts, {} calls recorded", events.len());
    assert_eq!(answered, told.len() - 1);
    assert_eq!(model.agrees_with(&data.join("store")), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_after_a_power_cut_a_witness_knows_everything_it_cosigned() {
    if !has_tool("strace") {
        return;
    }
    let mut office = Office::new();
    let folder = office.world.dir.path().join("witness");
    let log = office.world.public.log_key.clone();
    // The first life makes key and state; the second is recorded.
    drop(witness(&folder, &log));
    let model = DiskModel::of_folder(&folder);
    let trace = office.world.dir.path().join("trace");
    let WitnessProcess { running, key } = super::copied::witness_in(&folder, &log, &traced(&trace));
    let trust = office.world.dir.path().join("trust.policy");
    let text = format!("log {log}\nwitness w {key} {}\nquorum w\n", running.url);
    std::fs::write(&trust, text).unwrap();
    let launch = Launch {
        trust: Some(trust),
        ..Launch::default()
    };
    let server = office.start(&launch).unwrap();
    assert!(office.work(&server, BATCHES).await);
    drop(server);
    let events = read(&end(running, &trace).await);
    check_witness(&office, &folder, model, &events);
}

/// After each cosignature the state file on disk holds at least the size that was cosigned: sizes grow
/// with every answer, so the number of different sizes seen on disk is that of the answers.
fn check_witness(office: &Office, folder: &Path, mut model: DiskModel, events: &[Event]) {
    let mut sizes = Vec::new();
    for (place, event) in events.iter().enumerate() {
        model.apply(event);
        if *event != Event::Answer {
            continue;
        }
        for survival in [Survival::Nothing, Survival::Names, Survival::Half] {
            let to = office
                .world
                .dir
                .path()
                .join(format!("witness-{place}-{survival:?}"));
            model.cut(survival, folder, &to);
            let store = Store::open(&to.join("state.redb")).unwrap();
            let record = store.latest(crate::world::ORIGIN).unwrap();
            let size = record.map_or(0, |record| record.head.size);
            if survival == Survival::Nothing {
                sizes.push(size);
            }
            assert_eq!(sizes.last(), Some(&size), "{survival:?} shows another size");
        }
    }
    println!("sizes on disk after each cosignature: {sizes:?}");
    assert!(sizes.len() > BATCHES, "{sizes:?}");
    assert!(sizes.is_sorted());
    // Every published size was cosigned, and is there the moment it was answered.
    let published = office.acknowledged.iter().map(|(_, index)| index + 1).max();
    assert_eq!(sizes.last().copied(), published);
    let stored = model.agrees_with(folder);
    assert_eq!(stored, Ok(()), "the trace missed a write");
}
