//! Backups of a served folder, and a log that does not go back.

use crate::programs::{Running, Witness, errors, report, run, serve, serve_folder};
use crate::world::World;
use std::path::{Path, PathBuf};
use std::process::Output;

fn backup(world: &World, name: &str) -> (PathBuf, Output) {
    let target = world.dir.path().join(name);
    let output = run(&["backup", "--data"], &[&world.data(), &target]);
    (target, output)
}

fn restore(backup: &Path, data: &Path, keys: &Path, more: &[&str]) -> Output {
    let flags = [&["restore", "--data"], more].concat();
    let mut command = std::process::Command::new(crate::programs::SERVER);
    command.args(&flags[..2]).arg(data).args(&flags[2..]);
    command.arg("--keys").arg(keys).arg(backup);
    command.env("CAIRN_LOG", "warn").output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_whole_and_comes_back() {
    let world = World::new();
    let witness = Witness::of(&world);
    let server = Running::start(&mut serve(&world));
    let mut chain = server.grow(&world, 3, 300).await;
    let target = world.dir.path().join("backup");
    let data = world.data();
    let copying = {
        let (data, target) = (data.clone(), target.clone());
        tokio::task::spawn_blocking(move || run(&["backup", "--data"], &[&data, &target]))
    };
    while !copying.is_finished() {
        server.more(&mut chain, 20).await;
    }
    let made = report(&copying.await.unwrap());
    server.more(&mut chain, 1).await;
    let size = made["size"].as_u64().unwrap();
    assert!(size >= 303, "{made}");
    assert!(!target.join("keys").exists(), "a backup holds no keys");
    assert!(!data.join("snapshot").exists(), "the snapshot was left");
    let again = run(&["backup", "--data"], &[&data, &target]);
    assert!(errors(&again).contains("exists"), "{}", errors(&again));

    // The log has gone on: the witness knows, and no folder is made.
    let restored = world.dir.path().join("restored");
    let refused = restore(
        &target,
        &restored,
        &data.join("keys"),
        &["--nothing-signed-since"],
    );
    let text = errors(&refused);
    assert!(
        text.contains("holds size") && text.contains("entries were signed after it"),
        "{text}"
    );
    assert!(!restored.exists());

    // Stopped, then backed up: nothing was signed since, and the log goes on from there.
    let live = report(&run(&["check", "--live", "--data"], &[&data]));
    server.end();
    let (newest, made) = backup(&world, "newest");
    let made = report(&made);
    assert!(made["size"].as_u64() >= live["size"].as_u64());
    let done = report(&restore(&newest, &restored, &data.join("keys"), &[]));
    assert_eq!(done["confirmed_by"], serde_json::json!(["w1"]), "{done}");
    let server = Running::start(&mut serve_folder(&restored));
    server.more(&mut chain, 5).await;
    assert_eq!(server.json("/healthz").await["status"], "ok");
    drop(witness);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_witness_and_no_witness_are_no_leave_to_restore() {
    let world = World::new();
    let mut witness = Witness::of(&world);
    let server = Running::start(&mut serve(&world));
    server.grow(&world, 3, 3).await;
    server.end();
    let (target, made) = backup(&world, "backup");
    report(&made);
    witness.kill();
    let (keys, restored) = (world.data().join("keys"), world.dir.path().join("restored"));
    let silent = restore(&target, &restored, &keys, &[]);
    let text = errors(&silent);
    assert!(text.contains("`w1` did not answer"), "{text}");
    assert!(
        text.contains("--nothing-signed-since") && !restored.exists(),
        "{text}"
    );
    report(&restore(
        &target,
        &restored,
        &keys,
        &["--nothing-signed-since"],
    ));
    let onto = restore(&target, &restored, &keys, &["--nothing-signed-since"]);
    assert!(
        errors(&onto).contains("may be newer than the backup"),
        "{}",
        errors(&onto)
    );

    let alone = World::new();
    let server = Running::start(&mut serve(&alone));
    server.grow(&alone, 3, 3).await;
    server.end();
    let (target, made) = backup(&alone, "backup");
    report(&made);
    let keys = alone.data().join("keys");
    let refused = restore(&target, &alone.dir.path().join("restored"), &keys, &[]);
    assert!(
        errors(&refused).contains("no witness is configured"),
        "{}",
        errors(&refused)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_backup_and_other_keys_are_refused() {
    let world = World::new();
    let server = Running::start(&mut serve(&world));
    server.grow(&world, 3, 3).await;
    let (target, made) = backup(&world, "backup");
    let made = report(&made);
    let restored = world.dir.path().join("restored");
    let other = World::new();
    let flags = ["--nothing-signed-since"];
    let refused = restore(&target, &restored, &other.data().join("keys"), &flags);
    assert!(
        errors(&refused).contains("not sound"),
        "{}",
        errors(&refused)
    );
    let keys = world.data().join("keys");
    for file in made["files"].as_array().unwrap() {
        let path = target.join(file["path"].as_str().unwrap());
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        match bad.last_mut() {
            Some(last) => *last ^= 1,
            None => bad.push(0),
        }
        std::fs::write(&path, &bad).unwrap();
        let refused = restore(&target, &restored, &keys, &flags);
        let text = errors(&refused);
        assert!(text.contains("is damaged"), "{}: {text}", path.display());
        std::fs::write(&path, &good).unwrap();
    }
    assert!(!restored.exists());
    report(&restore(&target, &restored, &keys, &flags));
}
