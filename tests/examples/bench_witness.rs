//! Load for one `cairn-witness` that serves many logs, and for the disk under it.
//!
//! Owns the logs, whose trees are made up, and what is measured in which order; prints one JSON object a
//! line. Does not start the witness.
//!
//! ```text
//! bench_witness config LOGS                  the member `logs` of a witness's configuration
//! bench_witness load WITNESS LOGS FILE       a first checkpoint of every log, then one log that grows
//! ```
//!
//! One request is under way at a time, so that a time is one cosignature's and not a queue's. Between
//! two requests 4 KiB are appended to FILE and synced: what the witness does, with nothing around it.
//! Source: `docs/performance.md`.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cairn_tests::connection::{Address, Connection};
use cairn_tests::figures::print_times;
use cairn_tlog::{
    AddCheckpointRequest, Checkpoint, Hash, KeyAlgorithm, MemoryNodes, SignerKey,
    consistency_proof, leaf_hash,
};

/// Checkpoints of the one log that grows.
const GROWTH: u64 = 2_000;

/// Entries between two of them.
const STEP: u64 = 100;

/// Bytes of one bare write: a page, the least that a store writes.
const WRITE_BYTES: usize = 4_096;

/// Most logs: as many as a witness serves.
const LOGS_MAX: u64 = 10_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["config", logs] => {
            let keys = (0..count(logs)?).map(|number| Ok(key(number)?.verifier().to_string()));
            let keys = keys.collect::<Result<Vec<String>>>()?;
            println!("logs = {}", serde_json::to_string(&keys)?);
            Ok(())
        }
        ["load", witness, logs, file] => load(witness, count(logs)?, File::create(file)?).await,
        _ => bail!("expected `config` or `load` and its words"),
    }
}

fn count(text: &str) -> Result<u64> {
    let count: u64 = text.parse().context("not a number of logs")?;
    Ok(count.clamp(1, LOGS_MAX))
}

fn key(number: u64) -> Result<SignerKey> {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    let origin = format!("log.bench/{number}");
    let algorithm = KeyAlgorithm::Ed25519;
    Ok(SignerKey::from_seed(&origin, algorithm, &seed)?)
}

async fn load(witness: &str, logs: u64, mut disk: File) -> Result<()> {
    let address = Address::of(witness)?;
    let mut connection = Connection::open(&address).await?;
    let (mut firsts, mut growth, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    let mut tree = MemoryNodes::new();
    grow(&mut tree);
    for number in 0..logs {
        let request = request(&key(number)?, &tree, 0)?;
        firsts.push(cosigned(&mut connection, &address, &request).await?);
    }
    let grown = key(0)?;
    for _ in 0..GROWTH {
        let old = tree.size();
        grow(&mut tree);
        let request = request(&grown, &tree, old)?;
        growth.push(cosigned(&mut connection, &address, &request).await?);
        syncs.push(written(&mut disk)?);
    }
    print_times("primitive.fdatasync", &mut syncs);
    print_times("witness.first_of_each_log", &mut firsts);
    print_times("witness.add_checkpoint", &mut growth);
    Ok(())
}

fn grow(tree: &mut MemoryNodes) {
    for _ in 0..STEP {
        let number = tree.size();
        tree.push(leaf_hash(&number.to_be_bytes()));
    }
}

fn request(key: &SignerKey, tree: &MemoryNodes, old: u64) -> Result<String> {
    let size = tree.size();
    let root: Hash = tree.root(size)?;
    let origin = key.name().to_owned();
    let checkpoint = Checkpoint { origin, size, root };
    let note = checkpoint.sign(key)?;
    let proof = consistency_proof(tree, old, size)?;
    let request = AddCheckpointRequest {
        old,
        proof,
        checkpoint,
        note,
    };
    Ok(request.to_string())
}

/// The time from a request to its cosignature.
async fn cosigned(
    connection: &mut Connection,
    address: &Address,
    request: &str,
) -> Result<Duration> {
    let request = address.post("/add-checkpoint", "text/plain", request);
    let begun = Instant::now();
    let answer = connection.exchange(&request).await?;
    let elapsed = begun.elapsed();
    if answer.starts_with("\u{2014} ".as_bytes()) {
        Ok(elapsed)
    } else {
        bail!("the witness answered no cosignature")
    }
}

fn written(disk: &mut File) -> Result<Duration> {
    let begun = Instant::now();
    disk.write_all(&[1; WRITE_BYTES])?;
    disk.sync_data()?;
    Ok(begun.elapsed())
}
