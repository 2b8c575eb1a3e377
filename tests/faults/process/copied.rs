//! A data folder that was copied and started twice: two logs with one key, and only one goes on.

use super::office::{Office, copy};
use super::programs::{Launch, Running, command, judge_running, program, start};
use cairn_tlog::TrustPolicy;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A witness process and its line in a trust policy.
pub struct WitnessProcess {
    pub running: Running,
    pub key: String,
}

/// Starts a witness of one log in `folder`, with a new state where there is none.
pub fn witness(folder: &Path, log: &str) -> WitnessProcess {
    witness_in(folder, log, &Launch::default())
}

/// As [`witness`], inside a wrapper or an environment.
pub fn witness_in(folder: &Path, log: &str, launch: &Launch) -> WitnessProcess {
    let program = program("cairn-witness");
    if !folder.join("witness.key").exists() {
        let made = Command::new(&program)
            .args(["init", "--name", "witness.example/1", "--out"])
            .arg(folder)
            .output()
            .unwrap();
        assert!(made.status.success());
    }
    let key = Command::new(&program)
        .args(["vkey", "--key"])
        .arg(folder.join("witness.key"))
        .output();
    let key = String::from_utf8(key.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned();
    let state = folder.join("state.redb");
    let mut serve = command(launch, &program);
    serve.args(["serve", "--listen", "127.0.0.1:0", "--log", log, "--key"]);
    serve
        .arg(folder.join("witness.key"))
        .arg("--db")
        .arg(&state);
    if !state.exists() {
        serve.arg("--new-state");
    }
    if launch.confirm_clock {
        serve.arg("--confirm-clock");
    }
    let running = start(&mut serve, &folder.join("diagnostics")).unwrap();
    WitnessProcess { running, key }
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_i2_of_two_copies_of_a_folder_only_one_is_witnessed_and_the_other_says_why() {
    let mut office = Office::new();
    let folder = office.world.dir.path().join("witness");
    let witness = witness(&folder, &office.world.public.log_key);
    let text = format!(
        "log {}\nwitness w {} {}\nquorum w\n",
        office.world.public.log_key, witness.key, witness.running.url
    );
    let trust = office.world.dir.path().join("trust.policy");
    std::fs::write(&trust, &text).unwrap();
    let launch = Launch {
        trust: Some(trust),
        ..Launch::default()
    };
    let first = office.start(&launch).unwrap();
    assert!(office.work(&first, 2).await);
    drop(first);
    let data = office.world.data();
    let other = copy(&data, &office.world.dir.path().join("copy"));

    let original = office.start(&launch).unwrap();
    let copied = super::programs::server(&office.world, &other, &launch).unwrap();
    // Each gets entries of its own.
    let (_, foreign) = office.world.chain(90);
    assert!(office.work(&original, 2).await);
    let results = copied.post(&[foreign], "witnessed").await.unwrap();
    assert_eq!(
        results[0]["status"], "sequenced",
        "the copy was witnessed: {results:?}"
    );
    let alarm = wait_for(|| {
        let text = copied.diagnostics();
        text.contains("witness alarm").then_some(text)
    });
    let alarm = alarm.await;
    assert!(
        alarm.is_some(),
        "the copy does not say why: {}",
        copied.diagnostics()
    );
    assert!(office.work(&original, 1).await);
    let policy = TrustPolicy::parse(&text).unwrap();
    let verdict = judge_running(&original, &office.world, &policy, &office.acknowledged).await;
    assert_eq!(verdict, Ok(()));
    drop(copied);
    // Started again, it is refused at once.
    let refused = super::programs::server(&office.world, &other, &launch).err();
    let refused = refused.expect("a copy that was overtaken started again");
    assert!(
        refused.diagnostics.contains("witness"),
        "{}",
        refused.diagnostics
    );
    println!("{}", refused.diagnostics);
}

/// Looks again until there is something, for some seconds.
pub async fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..200 {
        if let Some(found) = look() {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}
