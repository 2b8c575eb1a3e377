//! I11 on a full disk: nothing is signed that could not be persisted, and the witness stops.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cairn_tlog::{Checkpoint, KeyAlgorithm, SignerKey, leaf_hash};
use cairn_witness::logs::origin_hash;
use tempfile::TempDir;

use crate::log::request;
use crate::program::run;

/// Logs of the witness. A row has about 600 bytes with these origins, so that the state must grow.
const LOGS: u64 = 6_000;

/// A log with a long name and one entry.
fn log(number: u64) -> (SignerKey, Checkpoint) {
    let origin = format!("log.example/{number}/{}", "x".repeat(200));
    let signer = SignerKey::from_seed(&origin, KeyAlgorithm::Ed25519, &[21; 32]).unwrap();
    let root = leaf_hash(origin.as_bytes());
    let (size, origin) = (1, origin);
    (signer, Checkpoint { origin, size, root })
}

/// Starts the witness of a configuration; no file of it can grow beyond `bytes`.
fn serve(folder: &Path, more: &[&str], bytes: Option<u64>) -> (Child, String) {
    let mut command = Command::new("sh");
    // Without the trap the system would end the process instead of refusing the write. A block of
    // this limit has 512 bytes.
    let limit = bytes.map_or("unlimited".to_owned(), |bytes| (bytes / 512).to_string());
    let script = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";
    command.args(["-c", script, &limit]);
    command.arg(env!("CARGO_BIN_EXE_cairn-witness"));
    command
        .args(["serve", "--config"])
        .arg(folder.join("witness.toml"));
    let mut child = command
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    let Some(url) = first.trim_end().strip_prefix("listening ") else {
        let mut text = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        panic!("not listening: {first}{text}");
    };
    (child, url.to_owned())
}

fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn i11_a_witness_on_a_full_disk_signs_nothing_that_it_would_forget() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    let made = run(&["init", "--name", "witness.example/full", "--out", out]);
    assert!(made.status.success());
    let logs: Vec<_> = (0..LOGS).map(log).collect();
    let keys: Vec<String> = logs
        .iter()
        .map(|(signer, _)| format!("{:?}", signer.verifier().to_string()))
        .collect();
    let state = folder.path().join("state.redb");
    let text = format!(
        "listen = \"127.0.0.1:0\"\nkey = {:?}\ndatabase = {state:?}\nlogs = [{}]\n",
        folder.path().join("witness.key"),
        keys.join(",")
    );
    std::fs::write(folder.path().join("witness.toml"), text).unwrap();
    let (child, _) = serve(folder.path(), &["--new-state"], None);
    end(child);
    let room = std::fs::metadata(&state).unwrap().len();

    let (mut child, url) = serve(folder.path(), &[], Some(room));
    let client = reqwest::Client::new();
    let mut signed = 0;
    for (signer, checkpoint) in &logs {
        let note = checkpoint.sign(signer).unwrap().to_string();
        let sent = client
            .post(format!("{url}/add-checkpoint"))
            .body(request(0, &[], &note))
            .send()
            .await
            .unwrap();
        if sent.status() != 200 {
            assert_eq!(sent.status(), 500);
            let said = sent.text().await.unwrap();
            assert!(!said.contains('\u{2014}'), "a signature was given: {said}");
            break;
        }
        signed += 1;
    }
    assert!(
        signed < logs.len(),
        "{room} bytes were enough for everything"
    );
    // It stops by itself, with a failure for its supervisor.
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert!(!ended.await.unwrap().success());

    // With room again it knows everything that it signed.
    let (child, url) = serve(folder.path(), &[], None);
    for (_, checkpoint) in logs.iter().take(signed) {
        let hash = origin_hash(&checkpoint.origin);
        let known = client.get(format!("{url}/{hash}/checkpoint")).send().await;
        let known = known.unwrap().text().await.unwrap();
        assert!(known.starts_with(&checkpoint.to_string()), "{known}");
    }
    // And the next one is cosigned.
    let (signer, checkpoint) = &logs[signed];
    let note = checkpoint.sign(signer).unwrap().to_string();
    let sent = client
        .post(format!("{url}/add-checkpoint"))
        .body(request(0, &[], &note))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200);
    end(child);
}
