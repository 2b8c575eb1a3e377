//! Pruning with the real programs: less on disk, the same tree, and everybody told.

use crate::programs::{
    Running, SERVER, audit, configure, errors, program, report, run, serve_folder,
};
use crate::world::{Chain, World, accept, write};
use cairn_event::administrative::LogPrune;
use cairn_event::body::Body;
use cairn_server::app::{STORE_FOLDER, wait_until_closed};
use cairn_server::clock::system_clock;
use cairn_server::config::Config;
use cairn_server::keys::Keys;
use cairn_server::recover::{Parts, start};
use cairn_server::store::{KeyedStore, Rocks};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const DAY_MS: u64 = 86_400_000;

/// Old entries: 21 whole bundles and some.
const OLD: usize = 5_500;

/// The minimum index that they allow.
const MINIMUM: u64 = 5_376;

/// A data folder with a log that was written 400 days ago, when nobody thought of pruning.
async fn old_log() -> (World, Chain) {
    let world = World::new();
    let rocks = Arc::new(Rocks::open(&world.data().join(STORE_FOLDER)).unwrap());
    let open = rocks.open_mark();
    let mut config = Config::load(&world.data()).unwrap();
    config.checkpoint.interval_ms = 1;
    let now = system_clock();
    let parts = Parts {
        dir: world.data(),
        config,
        keys: Keys::load(&world.data()).unwrap(),
        trust_text: None,
        store: Arc::new(KeyedStore::new(rocks)),
        clock: Arc::new(move || now() - 400 * DAY_MS),
        genesis: Some(world.genesis()),
    };
    let log = start(parts).await.unwrap();
    let (mut chain, first) = world.chain(3);
    accept(&log, vec![world.roster()]).await;
    accept(&log, vec![first]).await;
    for part in chain.many(OLD).chunks(256) {
        accept(&log, part.to_vec()).await;
    }
    drop(log);
    tokio::task::spawn_blocking(move || wait_until_closed(&open))
        .await
        .unwrap();
    configure(&world.data(), "[retention]\ndays = 365\n");
    let seconds = system_clock()() / 1_000;
    write(
        &world.data().join("CONFIRMED-TIME"),
        &format!("{seconds}\n"),
    );
    (world, chain)
}

fn order_of(plan: &Value) -> Body {
    let number = |name: &str| plan[name].as_u64().unwrap();
    Body::LogPrune(LogPrune {
        days: number("days"),
        from: number("from"),
        kept: cairn_event::Sha256::from_hex(plan["kept"].as_str().unwrap()).unwrap(),
        reason: "a year is what we promise".into(),
        to: number("to"),
    })
}

/// Bytes of all files of a folder.
fn bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

async fn status(server: &Running, path: &str) -> (u16, String) {
    let answer = server.get(path).await;
    let status = answer.status().as_u16();
    let text = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
    (status, text)
}

fn said(output: &std::process::Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    out + &errors(output)
}

fn export(world: &World, server: &Running, command: &[&str]) -> std::process::Output {
    Command::new(program("cairn-export"))
        .args(command)
        .args(["--server", &server.url, "--trust-policy"])
        .arg(world.dir.path().join("auditors.policy"))
        .output()
        .unwrap()
}

fn prune(data: &Path, more: &[&str]) -> std::process::Output {
    run(&[&["prune"], more, &["--data"]].concat(), &[data])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_log_is_served_audited_mirrored_and_smaller() {
    let (world, mut chain) = old_log().await;
    let (data, folder) = (world.data(), world.dir.path());
    // A stopped folder is planned and pruned as well as a served one.
    let plan = report(&prune(&data, &["--plan"]));
    assert_eq!((&plan["from"], &plan["to"]), (&0.into(), &MINIMUM.into()));
    let server = Running::start(&mut serve_folder(&data));
    assert_eq!(report(&prune(&data, &["--plan"])), plan);
    let early = prune(&data, &[]);
    assert!(
        said(&early).contains("no published `log.prune` entry"),
        "{}",
        said(&early)
    );
    let mirror = folder.join("mirror");
    report(&run(&["export-static", "--data"], &[&data, &mirror]));
    assert!(mirror.join("tile/entries/000").exists());

    let order = world.statement(order_of(&plan));
    server.accept(&[order], "published").await;
    server.more(&mut chain, 40).await;
    // An auditor works out what must stay while the entries are there.
    let audited = audit(&["--server", &server.url], &world, folder);
    assert!(audited.status.success(), "{}", said(&audited));
    assert!(said(&audited).contains("prunings ordered and not carried out: 1"));
    assert!(
        said(&audited).contains("ok   retention"),
        "{}",
        said(&audited)
    );

    let before = bytes(&data.join(STORE_FOLDER));
    let done = report(&prune(&data, &[]));
    let after = bytes(&data.join(STORE_FOLDER));
    println!("{before} bytes before the pruning, {after} after it");
    assert_eq!(done["minimum_index"], MINIMUM);
    assert_eq!(done["kept_entries"], 4, "{done}");
    // What of the store is no entry stays: tiles, indices, checkpoints.
    assert!(
        after < before * 3 / 4,
        "{before} bytes before, {after} after"
    );

    served(&server).await;
    let audited = audit(&["--server", &server.url], &world, folder);
    assert!(audited.status.success(), "{}", said(&audited));
    let fact = format!("audited from minimum index: {MINIMUM}; entries below it were pruned but 4");
    assert!(said(&audited).contains(&fact), "{}", said(&audited));

    exported(&world, &server);
    mirrored(&world, &mirror);
    let checked = report(&run(&["check", "--live", "--data"], &[&data]));
    assert_eq!(checked["minimum_index"], MINIMUM);
    let backup = folder.join("backup");
    report(&run(&["backup", "--data"], &[&data, &backup]));
    server.end();
    let restored = folder.join("restored");
    let keys = data.join("keys");
    let back = Command::new(SERVER)
        .args(["restore", "--nothing-signed-since", "--data"])
        .args([&restored, Path::new("--keys"), &keys, &backup])
        .output()
        .unwrap();
    assert!(back.status.success(), "{}", said(&back));
    // The restored log goes on: its chain, its minimum index.
    let server = Running::start(&mut serve_folder(&restored));
    server.more(&mut chain, 3).await;
    assert_eq!(server.json("/retention").await["minimum_index"], MINIMUM);
    server.end();
}

/// C2SP tlog-tiles, "Pruning": what may be denied is, and nothing else.
async fn served(server: &Running) {
    let retention = server.json("/retention").await;
    assert_eq!(retention["minimum_index"], MINIMUM);
    let (last, first) = (MINIMUM / 256 - 1, MINIMUM / 256);
    for denied in [
        "/tile/entries/000".to_owned(),
        "/tile/entries/000.p/7".to_owned(),
        format!("/tile/entries/{last:03}"),
        "/v1/entries/300".to_owned(),
    ] {
        let answer = server.get(&denied).await;
        assert_eq!(answer.headers()["cache-control"], "no-store", "{denied}");
        assert_eq!(answer.status(), 410, "{denied}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["type"], "urn:cairn:problem:pruned", "{problem}");
    }
    for there in [
        format!("/tile/entries/{first:03}.p/1"),
        "/tile/0/000".to_owned(),
        format!("/tile/0/{last:03}"),
        "/tile/1/000.p/21".to_owned(),
        "/kept/0".to_owned(),
        format!("/kept/{last}"),
        "/kept/7".to_owned(),
        "/v1/entries/0".to_owned(),
        "/v1/entries/2".to_owned(),
        format!("/v1/entries/{}", MINIMUM - 1),
        format!("/v1/entries/{MINIMUM}"),
        "/v1/receipts/300".to_owned(),
        "/v1/consistency?from=300&to=5500".to_owned(),
        "/v1/range?start=5400&end=5410&size=5500".to_owned(),
        "/v1/genesis".to_owned(),
    ] {
        let (status, text) = status(server, &there).await;
        assert_eq!(status, 200, "{there}: {text}");
    }
    for absent in [format!("/kept/{first}"), "/v1/entries/999999".to_owned()] {
        assert_eq!(status(server, &absent).await.0, 404, "{absent}");
    }
}

/// A pack of a period that is whole, none of one that is not, and a stream that says what it leaves out.
fn exported(world: &World, server: &Running) {
    let folder = world.dir.path();
    let genesis = cairn_event::Sha256::of_leaf(crate::world::entry_of(&world.genesis()).as_bytes());
    let genesis = genesis.to_string();
    let pack = |from: &str, to: &str, out: &str| {
        let out = folder.join(out);
        let out = out.to_str().unwrap();
        let arguments = [
            "pack",
            "--genesis-hash",
            &genesis,
            "--from",
            from,
            "--to",
            to,
            "--out",
            out,
        ];
        export(world, server, &arguments)
    };
    let partly = pack("300", "5503", "partly");
    assert!(!partly.status.success());
    assert!(
        said(&partly).contains("the log was pruned below 5376"),
        "{}",
        said(&partly)
    );
    assert!(!folder.join("partly").exists());
    // The whole log of 400 days ago has 5503 entries.
    let whole = pack("5503", "5540", "whole");
    assert!(whole.status.success(), "{}", said(&whole));

    let (cursor, sink) = (folder.join("cursor"), folder.join("records"));
    let sink = format!("file:{}", sink.display());
    let tail = [
        "tail",
        "--once",
        "--sink",
        &sink,
        "--cursor",
        cursor.to_str().unwrap(),
    ];
    let refused = export(world, server, &tail);
    assert!(
        said(&refused).contains("--skip-pruned"),
        "{}",
        said(&refused)
    );
    let skipping = export(world, server, &[&tail[..], &["--skip-pruned"]].concat());
    assert!(skipping.status.success(), "{}", said(&skipping));
}

/// A mirror loses what the log has lost, and is audited as the log is; less than what must stay is found.
fn mirrored(world: &World, mirror: &Path) {
    let place = ["--dir", mirror.to_str().unwrap()];
    report(&run(&["export-static", "--data"], &[&world.data(), mirror]));
    assert!(!mirror.join("tile/entries/000").exists());
    assert!(mirror.join("tile/0/000").exists());
    let audited = audit(&place, world, world.dir.path());
    assert!(audited.status.success(), "{}", said(&audited));
    let last = mirror.join(format!("kept/{}", MINIMUM / 256 - 1));
    let kept = std::fs::read(&last).unwrap();
    std::fs::remove_file(&last).unwrap();
    let audited = audit(&place, world, world.dir.path());
    assert!(!audited.status.success());
    assert!(
        said(&audited).contains("BAD  retention"),
        "{}",
        said(&audited)
    );
    // Minimum indices that nobody ordered are found as well.
    std::fs::write(&last, kept).unwrap();
    let wrong = r#"{"minimum_index":5120,"pruned":[{"entry":5503,"from":0,"to":5120}]}"#;
    std::fs::write(mirror.join("retention"), wrong).unwrap();
    assert!(!audit(&place, world, world.dir.path()).status.success());
}

/// Copies a folder without its sockets.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let (kind, target) = (item.file_type().unwrap(), to.join(item.file_name()));
        if kind.is_dir() {
            copy(&item.path(), &target);
        } else if kind.is_file() {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_a_pruning_killed_at_any_write_is_finished_by_the_next_start() {
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        println!("skipped: strace not installed");
        return;
    }
    let (world, _) = old_log().await;
    let server = Running::start(&mut serve_folder(&world.data()));
    let plan = report(&prune(&world.data(), &["--plan"]));
    server
        .accept(&[world.statement(order_of(&plan))], "published")
        .await;
    server.end();
    let mut pruned_and_killed = 0;
    for call in ["fdatasync", "fsync", "unlink", "rename"] {
        for when in 1.. {
            let data: PathBuf = world.dir.path().join(format!("{call}-{when}"));
            copy(&world.data(), &data);
            let inject = format!("inject={call}:signal=KILL:when={when}");
            let killed = Command::new("strace")
                .args([
                    "-f",
                    "-qq",
                    "-o",
                    "/dev/null",
                    "-e",
                    &inject,
                    SERVER,
                    "prune",
                    "--data",
                ])
                .arg(&data)
                .output()
                .unwrap();
            let seconds = system_clock()() / 1_000;
            write(&data.join("CONFIRMED-TIME"), &format!("{seconds}\n"));
            // It serves, whatever was done of it, and owes nothing any more.
            let server = Running::start(&mut serve_folder(&data));
            let minimum = server.json("/retention").await["minimum_index"].clone();
            assert!(minimum == 0 || minimum == MINIMUM, "{minimum}");
            if minimum == 0 {
                report(&prune(&data, &[]));
            } else if !killed.status.success() {
                pruned_and_killed += 1;
            }
            server.end();
            let checked = report(&run(&["check", "--data"], &[&data]));
            assert_eq!(checked["minimum_index"], MINIMUM, "{call} {when}");
            std::fs::remove_dir_all(&data).unwrap();
            if killed.status.success() {
                break;
            }
        }
    }
    assert!(
        pruned_and_killed > 0,
        "no kill came between the pruning and its end on disk"
    );
}
