//! Clocks that go back, stand still, or jump ten years, under the real programs.
//!
//! Owns a small library, preloaded, that adds an offset from a file to the wall clock or holds it still.
//! The monotonic clock is left alone, as in a machine whose wall clock is set.

use super::copied::{WitnessProcess, wait_for, witness_in};
use super::office::Office;
use super::programs::{Launch, Running, has_tool, judge_running};
use crate::world::ORIGIN;
use cairn_tlog::TrustPolicy;
use cairn_witness::Store;
use std::path::{Path, PathBuf};
use std::process::Command;

const SHIM: &str = include_str!("clock.c");

const TEN_YEARS_S: i64 = 315_360_000;

/// A wall clock that a test sets.
pub struct WallClock {
    file: PathBuf,
    library: PathBuf,
}

impl WallClock {
    pub fn build(dir: &Path, name: &str) -> Option<Self> {
        if !has_tool("cc") {
            return None;
        }
        let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
        std::fs::write(&source, SHIM).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-ldl")
            .status();
        assert!(built.unwrap().success());
        let clock = Self {
            file: dir.join(name),
            library,
        };
        clock.set("+0");
        Some(clock)
    }

    /// `+N` or `-N` seconds, or `=N`: held still at that Unix time. Replaced whole, so that nobody reads
    /// half a number.
    pub fn set(&self, how: &str) {
        let next = self.file.with_extension("next");
        std::fs::write(&next, how).unwrap();
        std::fs::rename(&next, &self.file).unwrap();
    }

    pub fn env(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        vec![
            ("LD_PRELOAD".to_owned(), text(&self.library)),
            ("CAIRN_TEST_CLOCK".to_owned(), text(&self.file)),
        ]
    }
}

/// A witnessed server whose wall clock is a test's.
struct Scene {
    office: Office,
    clock: WallClock,
    launch: Launch,
    trust: TrustPolicy,
    witness: WitnessProcess,
    witness_clock: WallClock,
    witness_folder: PathBuf,
}

impl Scene {
    fn new() -> Option<Self> {
        let office = Office::new();
        let dir = office.world.dir.path();
        let clock = WallClock::build(dir, "server-clock")?;
        let witness_clock = WallClock::build(dir, "witness-clock")?;
        let log = office.world.public.log_key.clone();
        let witness_folder = dir.join("witness");
        let launch = Launch {
            env: witness_clock.env(),
            ..Launch::default()
        };
        let witness = witness_in(&witness_folder, &log, &launch);
        let url = &witness.running.url;
        let text = format!("log {log}\nwitness w {} {url}\nquorum w\n", witness.key);
        let path = dir.join("trust.policy");
        std::fs::write(&path, &text).unwrap();
        Some(Self {
            launch: Launch {
                env: clock.env(),
                trust: Some(path),
                ..Launch::default()
            },
            trust: TrustPolicy::parse(&text).unwrap(),
            office,
            clock,
            witness,
            witness_clock,
            witness_folder,
        })
    }

    /// Serves normally again: everything gets witnessed, and the oracle agrees.
    async fn recovers(&mut self, server: &Running) {
        let published = self.work_until_published(server).await;
        assert!(published, "not published: {}", server.diagnostics());
        let acknowledged = &self.office.acknowledged;
        let verdict = judge_running(server, &self.office.world, &self.trust, acknowledged).await;
        assert_eq!(verdict, Ok(()));
    }

    async fn work_until_published(&mut self, server: &Running) -> bool {
        for _ in 0..6 {
            let frames = self.office.chain.many(2);
            let results = server.post(&frames, "witnessed").await.unwrap_or_default();
            for (frame, result) in frames.iter().zip(&results) {
                if let Some(index) = result["index"].as_u64() {
                    self.office.acknowledged.note(frame, index);
                }
            }
            if results.iter().all(|result| result["status"] == "witnessed") && results.len() == 2 {
                return true;
            }
        }
        false
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_running_server_survives_every_step_of_its_clock() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let server = scene.office.start(&scene.launch).unwrap();
    assert!(scene.office.work(&server, 2).await);
    let now = || {
        std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs()
    };
    let steps = [
        "-3600".to_owned(),
        format!("-{TEN_YEARS_S}"),
        format!("={}", now()),
        "+3600".to_owned(),
        format!("+{TEN_YEARS_S}"),
    ];
    for step in steps {
        scene.clock.set(&step);
        // Long enough for some rounds of publication under the wrong clock.
        let frames = scene.office.chain.many(3);
        let taken = server.submit(&frames, &mut scene.office.acknowledged).await;
        println!(
            "clock {step}: entries taken: {taken}; {}",
            last_line(&server)
        );
        scene.clock.set("+0");
        scene.recovers(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_start_with_a_wrong_clock_is_refused_with_a_reason_and_works_once_it_is_right() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let server = scene.office.start(&scene.launch).unwrap();
    assert!(scene.office.work(&server, 2).await);
    drop(server);
    for step in [
        format!("-{TEN_YEARS_S}"),
        "-3600".to_owned(),
        format!("+{TEN_YEARS_S}"),
    ] {
        scene.clock.set(&step);
        match scene.office.start(&scene.launch) {
            Err(refused) => {
                println!(
                    "clock {step}: {}",
                    refused.diagnostics.lines().last().unwrap_or("")
                );
                assert!(
                    refused.diagnostics.contains("clock"),
                    "{}",
                    refused.diagnostics
                );
            }
            Ok(server) => {
                println!("clock {step}: starts; {}", last_line(&server));
                assert!(
                    !step.starts_with('-'),
                    "started with a clock behind its own log"
                );
                let frames = scene.office.chain.many(1);
                server.submit(&frames, &mut scene.office.acknowledged).await;
            }
        }
        scene.clock.set("+0");
        let server = scene.office.start(&scene.launch).unwrap();
        scene.recovers(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_a_witness_with_a_wrong_clock_never_goes_back_and_cosigns_again() {
    let Some(mut scene) = Scene::new() else {
        return;
    };
    let server = scene.office.start(&scene.launch).unwrap();
    assert!(scene.office.work(&server, 2).await);
    for step in [
        "-3600".to_owned(),
        format!("-{TEN_YEARS_S}"),
        "+3600".to_owned(),
    ] {
        scene.witness_clock.set(&step);
        let frames = scene.office.chain.many(3);
        server.submit(&frames, &mut scene.office.acknowledged).await;
        scene.witness_clock.set("+0");
        scene.recovers(&server).await;
    }
    drop(server);
    let state = scene.witness_folder.join("state.redb");
    drop(scene.witness);
    let store = wait_for(|| Store::open(&state).ok()).await.unwrap();
    let record = store.latest(ORIGIN).unwrap().unwrap();
    let published = scene
        .office
        .acknowledged
        .iter()
        .map(|(_, index)| index + 1)
        .max();
    assert_eq!(Some(record.head.size), published);
}

fn last_line(server: &Running) -> String {
    server
        .diagnostics()
        .lines()
        .last()
        .unwrap_or("nothing said")
        .to_owned()
}
