//! Bytes that change by themselves: flipped bits and cut files, in every class of file.
//!
//! Owns the campaign over the data folder of a stopped log and over a witness's state. A damaged folder
//! is refused with a reason, or serves a log that the oracle finds whole, or serves what it can while the
//! oracle names the damage. It never serves other bytes than were acknowledged.

use super::injection::soak;
use super::office::{Office, copy};
use super::programs::{Ended, Launch, judge_running, log_alone, server};
use crate::world::entry_of;
use cairn_witness::Store;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How far apart the bytes of a witness's state are that an ordinary run changes.
const STRIDE: usize = 211;

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    FlipFirst,
    FlipMiddle,
    FlipLast,
    CutHalf,
    Empty,
    Gone,
}

const ALL: [Damage; 6] = [
    Damage::FlipFirst,
    Damage::FlipMiddle,
    Damage::FlipLast,
    Damage::CutHalf,
    Damage::Empty,
    Damage::Gone,
];

/// How a damaged folder ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Refused,
    Whole,
    Named,
}

fn damage(path: &Path, how: Damage) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    match how {
        Damage::Gone => return std::fs::remove_file(path).unwrap(),
        Damage::FlipFirst => bytes.iter_mut().take(1).for_each(|byte| *byte ^= 4),
        Damage::FlipMiddle => bytes
            .iter_mut()
            .skip(middle)
            .take(1)
            .for_each(|byte| *byte ^= 4),
        Damage::FlipLast => bytes.iter_mut().rev().take(1).for_each(|byte| *byte ^= 4),
        Damage::CutHalf => bytes.truncate(middle),
        Damage::Empty => bytes.clear(),
    }
    std::fs::write(path, bytes).unwrap();
}

/// One file of each class: the largest, because it holds the most.
fn classes(data: &Path) -> BTreeMap<String, PathBuf> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut open = vec![data.to_owned()];
    while let Some(folder) = open.pop() {
        for item in std::fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            // A socket of the server holds nothing.
            if !path.is_file() {
                continue;
            }
            let name = path.strip_prefix(data).unwrap().to_str().unwrap();
            let class = class_of(name);
            let length = |path: &Path| path.metadata().unwrap().len();
            let kept = found
                .get(&class)
                .is_some_and(|kept| length(kept) >= length(&path));
            if !kept {
                found.insert(class, path);
            }
        }
    }
    found
}

fn class_of(name: &str) -> String {
    let digits = |c: char| c.is_ascii_digit();
    match name.strip_prefix("store/") {
        Some(store) if store.starts_with(digits) => {
            format!("store/*.{}", store.rsplit('.').next().unwrap())
        }
        Some(store) => format!(
            "store/{}",
            store.trim_end_matches(|c: char| digits(c) || c == '-')
        ),
        None => name.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_i5_a_damaged_file_is_refused_or_found_and_never_believed() {
    let office = full_office().await;
    let data = office.world.data();
    let soak = soak().is_some();
    let mut table: BTreeMap<String, Vec<Ending>> = BTreeMap::new();
    for (place, (class, path)) in classes(&data).into_iter().enumerate() {
        // An ordinary run takes two kinds of damage for each class, other ones for the next.
        let kinds = ALL.iter().skip(if soak { 0 } else { place % 3 });
        for how in kinds.step_by(if soak { 1 } else { 3 }) {
            let to = copy(&data, &office.world.dir.path().join("damaged"));
            damage(&to.join(path.strip_prefix(&data).unwrap()), *how);
            let ending = play(&office, &to, &format!("{class}: {how:?}")).await;
            table.entry(class.clone()).or_default().push(ending);
            std::fs::remove_dir_all(&to).unwrap();
        }
    }
    for (class, endings) in &table {
        println!("{class}: {endings:?}");
    }
    for class in [
        "store/*.log",
        "store/*.sst",
        "store/*.blob",
        "HEAD",
        "keys/log.key",
    ] {
        assert!(
            table.contains_key(class),
            "no file of class {class}: {table:?}"
        );
    }
}

/// A log with full bundles, opened several times, so that there are tables, blobs and a write-ahead log.
async fn full_office() -> Office {
    let mut office = Office::new();
    for batches in [30, 14, 1] {
        let server = office.start(&Launch::default()).unwrap();
        assert!(office.work(&server, batches).await);
    }
    office
}

async fn play(office: &Office, data: &Path, name: &str) -> Ending {
    let launch = Launch::default();
    let running = match server(&office.world, data, &launch) {
        Ok(running) => running,
        Err(ended) => {
            assert!(
                Ended::has_reason(&ended),
                "{name}: refused without a reason"
            );
            let mut lines = ended.diagnostics.lines();
            let reason = lines
                .find(|line| line.contains("ERROR"))
                .unwrap_or("killed");
            println!("{name}: refused: {reason}");
            return Ending::Refused;
        }
    };
    let trust = log_alone(&office.world);
    let verdict = judge_running(&running, &office.world, &trust, &office.acknowledged).await;
    let Err(found) = verdict else {
        return Ending::Whole;
    };
    println!(
        "{name}: {}",
        found
            .lines()
            .find(|line| line.contains("BAD"))
            .unwrap_or(&found)
    );
    for (frame, index) in office.acknowledged.iter() {
        let answer = reqwest::get(format!("{}/v1/entries/{index}", running.url)).await;
        let Ok(answer) = answer else { continue };
        if answer.status().is_success() {
            let bytes = answer.bytes().await.unwrap();
            assert_eq!(
                bytes,
                entry_of(frame).as_bytes(),
                "{name}: other bytes at {index}"
            );
        }
    }
    Ending::Named
}

#[test]
fn i11_a_damaged_state_never_makes_a_witness_cosign_a_fork() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::new("one");
    let fork = History::new("two");
    let path = folder.path().join("state.redb");
    let node = |store| history.witness(store);
    let witness = node(Store::create(&path).unwrap());
    for (old, size) in [(0, 3), (3, 9), (9, 20)] {
        witness
            .add_checkpoint(history.request(old, size).as_bytes(), 1_000)
            .unwrap();
    }
    drop(witness);
    let bytes = std::fs::read(&path).unwrap();
    let (mut refused, mut opened) = (0, 0);
    let (begun, bound) = (Instant::now(), soak());
    for at in places(&bytes, history.signer.name().as_bytes()) {
        if bound.is_some_and(|bound| begun.elapsed() > bound) {
            break;
        }
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        std::fs::write(&path, damaged).unwrap();
        // A store that panics is one that does not sign.
        let tried = std::panic::catch_unwind(|| {
            let store = Store::open(&path).ok()?;
            let record = store.latest(history.signer.name()).ok()?;
            let held = record.map(|record| record.head.size);
            assert_eq!(held, Some(20), "byte {at}: a cosignature was forgotten");
            let witness = node(store);
            for old in [0, 3, 9, 20] {
                for size in [9, 20, 30] {
                    let signed = witness.add_checkpoint(fork.request(old, size).as_bytes(), 2_000);
                    assert!(
                        signed.is_err(),
                        "byte {at}: a fork was cosigned from {old} to {size}"
                    );
                }
            }
            Some(())
        });
        match tried {
            Ok(Some(())) => opened += 1,
            Ok(None) => refused += 1,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                assert!(!text.contains("byte "), "{text}");
                refused += 1;
            }
        }
    }
    println!("{refused} damaged states were refused, {opened} opened and signed no fork");
    assert!(refused > 0 && opened > 0);
}

/// Which bytes are changed: those of the stored origin, and some of all that hold something; in a long
/// run as many of these as there is time for, in rounds over the whole file.
fn places(bytes: &[u8], origin: &[u8]) -> Vec<usize> {
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let origins = bytes.windows(origin.len()).enumerate();
    let origins = origins.filter(|(_, window)| *window == origin);
    let origins = origins.flat_map(|(at, _)| at..at + origin.len());
    let rounds = if soak().is_some() { STRIDE } else { 1 };
    let rounds = (0..rounds).flat_map(|from| used.iter().skip(from).step_by(STRIDE));
    origins.chain(rounds.copied()).collect()
}

/// A log's signed history.
struct History {
    signer: cairn_tlog::SignerKey,
    nodes: cairn_tlog::MemoryNodes,
}

impl History {
    fn new(content: &str) -> Self {
        let leaf = |index: u32| cairn_tlog::leaf_hash(format!("{content} {index}").as_bytes());
        let algorithm = cairn_tlog::KeyAlgorithm::Ed25519;
        Self {
            signer: cairn_tlog::SignerKey::from_seed("log.example/x", algorithm, &[3; 32]).unwrap(),
            nodes: (0..40).map(leaf).collect(),
        }
    }

    fn witness(&self, store: Store) -> cairn_witness::Witness {
        let logs = [self.signer.verifier().clone()].into_iter().collect();
        cairn_witness::Witness::new(crate::witness::key(9), logs, store)
    }

    fn request(&self, old: u64, size: u64) -> String {
        let root = self.nodes.root(size).unwrap();
        let origin = self.signer.name().to_owned();
        let note = cairn_tlog::Checkpoint { origin, size, root }
            .sign(&self.signer)
            .unwrap();
        let proof = cairn_tlog::consistency_proof(&self.nodes, old.min(size), size).unwrap();
        let lines: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
        format!("old {old}\n{lines}\n{note}")
    }
}
