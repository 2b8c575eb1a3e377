//! The program from outside: commands, exit codes, and persist-before-sign under SIGKILL.

use cairn_tlog::Checkpoint;
use cairn_witness::logs::origin_hash;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::log::{LEAVES, TestLog};
use crate::program::{Running, run};

const ORIGIN: &str = "log.example/process";

/// Kills tried; the tree grows a little between any two.
const KILLS: u64 = 8;

/// A folder with a fresh key, and the key's verifier.
fn folder() -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    let made = run(&["init", "--name", "witness.example/p", "--out", out]);
    assert!(made.status.success());
    let vkey = String::from_utf8(made.stdout)
        .unwrap()
        .trim_end()
        .to_owned();
    (folder, vkey)
}

#[test]
fn init_prints_the_key_that_vkey_prints() {
    let (folder, vkey) = folder();
    assert!(vkey.starts_with("witness.example/p+"));
    let key = folder.path().join("witness.key");
    let shown = run(&["vkey", "--key", key.to_str().unwrap()]);
    assert_eq!(String::from_utf8(shown.stdout).unwrap().trim_end(), vkey);
    let again = run(&[
        "init",
        "--name",
        "x",
        "--out",
        folder.path().to_str().unwrap(),
    ]);
    assert!(!again.status.success());
}

#[test]
fn check_config_reports_all_problems() {
    let (folder, _) = folder();
    let file = folder.path().join("witness.toml");
    std::fs::write(&file, "listen = \"nowhere\"\nlogs = [\"bad\"]\n").unwrap();
    let checked = run(&[
        "serve",
        "--check-config",
        "--config",
        file.to_str().unwrap(),
    ]);
    assert!(!checked.status.success());
    let told = String::from_utf8(checked.stderr).unwrap();
    for problem in [
        "listen address `nowhere`",
        "no key file",
        "no database file",
        "log key `bad`",
    ] {
        assert!(told.contains(problem), "{problem} not in {told}");
    }
    let log = TestLog::new(ORIGIN);
    let text = format!(
        "key = {:?}\ndatabase = {:?}\nlogs = [\"{}\"]\n",
        folder.path().join("witness.key"),
        folder.path().join("w.redb"),
        log.signer.verifier(),
    );
    std::fs::write(&file, text).unwrap();
    assert!(
        run(&[
            "serve",
            "--check-config",
            "--config",
            file.to_str().unwrap()
        ])
        .status
        .success()
    );
    assert!(!folder.path().join("w.redb").exists());
}

#[test]
fn a_second_process_on_the_same_state_is_refused() {
    let (folder, _) = folder();
    let log = TestLog::new(ORIGIN).signer.verifier().to_string();
    let running = Running::start(folder.path(), &log);
    let (key, db) = (
        folder.path().join("witness.key"),
        folder.path().join("witness.redb"),
    );
    let second = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--log",
        &log,
        "--key",
        key.to_str().unwrap(),
        "--db",
        db.to_str().unwrap(),
    ]);
    assert!(!second.status.success());
    assert!(
        String::from_utf8(second.stderr)
            .unwrap()
            .contains("in use by another process")
    );
    assert!(running.terminate().success());
}

#[test]
fn i11_serve_refuses_to_forget() {
    let (folder, _) = folder();
    let log = TestLog::new(ORIGIN).signer.verifier().to_string();
    let (key, db) = (
        folder.path().join("witness.key"),
        folder.path().join("witness.redb"),
    );
    let serve = |more: &[&str]| {
        let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--log", &log, "--key"];
        args.extend([key.to_str().unwrap(), "--db", db.to_str().unwrap()]);
        args.extend(more);
        let ended = run(&args);
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    for empty in [false, true] {
        if empty {
            std::fs::write(&db, b"").unwrap();
        }
        assert!(serve(&[]).contains("there is no state in"));
    }
    std::fs::remove_file(&db).unwrap();
    assert!(Running::start(folder.path(), &log).terminate().success());
    assert!(serve(&["--new-state"]).contains("serve it without `--new-state`"));
    assert!(Running::start(folder.path(), &log).terminate().success());
    std::fs::remove_file(&db).unwrap();
    assert!(serve(&[]).contains("there is no state in"));
}

#[tokio::test]
async fn sigterm_ends_the_program_with_success() {
    let (folder, _) = folder();
    let log = TestLog::new(ORIGIN);
    let running = Running::start(folder.path(), &log.signer.verifier().to_string());
    let client = reqwest::Client::new();
    let url = format!("{}/add-checkpoint", running.url);
    let response = client
        .post(url)
        .body(log.request(0, 3))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    // The client still holds an idle connection; it must not keep the program alive.
    let ended = tokio::task::spawn_blocking(|| running.terminate())
        .await
        .unwrap();
    assert!(ended.success());
}

/// Sends ever larger checkpoints until the connection breaks; reports each size that was signed.
async fn grow(url: String, first: u64, signed: mpsc::UnboundedSender<u64>) {
    let log = TestLog::new(ORIGIN);
    let client = reqwest::Client::new();
    let mut old = first;
    while old < LEAVES {
        let body = log.request(old, old + 1);
        let sent = client
            .post(format!("{url}/add-checkpoint"))
            .body(body)
            .send()
            .await;
        let Ok(response) = sent else { return };
        let status = response.status();
        let Ok(body) = response.text().await else {
            return;
        };
        assert_eq!(status, 200, "{body}");
        old += 1;
        if signed.send(old).is_err() {
            return;
        }
    }
}

/// The size the witness publishes; 0 for none.
async fn published(url: &str) -> u64 {
    let response = reqwest::get(format!("{url}/{}/checkpoint", origin_hash(ORIGIN)))
        .await
        .unwrap();
    if response.status() == 404 {
        return 0;
    }
    let note = response.text().await.unwrap();
    let log = TestLog::new(ORIGIN);
    let (checkpoint, _) = Checkpoint::open(&note, log.signer.verifier()).unwrap();
    assert_eq!(checkpoint, log.checkpoint(checkpoint.size));
    checkpoint.size
}

#[tokio::test]
async fn i11_sigkill_never_forgets_a_signed_size() {
    let (folder, _) = folder();
    let vkey = TestLog::new(ORIGIN).signer.verifier().to_string();
    let mut signed = 0;
    for kill in 0..KILLS {
        let running = Running::start(folder.path(), &vkey);
        let stored = published(&running.url).await;
        assert!(
            stored >= signed,
            "signed {signed}, but only {stored} stored"
        );
        let (sender, mut sizes) = mpsc::unbounded_channel();
        let sending = tokio::spawn(grow(running.url.clone(), stored, sender));
        // Kill after a growing number of signatures, while the next request is on its way.
        for _ in 0..=kill % 4 {
            signed = sizes.recv().await.expect("a signature");
        }
        running.kill();
        sending.await.unwrap();
        while let Some(size) = sizes.recv().await {
            signed = size;
        }
    }
    let running = Running::start(folder.path(), &vkey);
    let stored = published(&running.url).await;
    assert!(stored >= signed);
    // A client that missed the answer asks again at the same size and gets its cosignature.
    let log = TestLog::new(ORIGIN);
    let url = format!("{}/add-checkpoint", running.url);
    let client = reqwest::Client::new();
    let again = client
        .post(url)
        .body(log.request(stored, stored))
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 200);
    running.kill();
}
