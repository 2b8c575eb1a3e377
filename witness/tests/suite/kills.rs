//! I11 under everything at once: many clients offer checkpoints of one size with different roots and
//! of different sizes, the program is killed at random moments, and every signature anybody saw is
//! compared with what the next process remembers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cairn_tlog::add_checkpoint::parse_response;
use cairn_tlog::cosignature::verify;
use cairn_tlog::{Checkpoint, Hash, VerifierKey, leaf_hash};
use cairn_witness::logs::origin_hash;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::log::{LEAVES, TestLog, request};
use crate::program::{Running, run};

const ORIGIN: &str = "log.example/kills";

/// Processes that are started and killed.
const KILLS: u64 = 6;

/// Clients at a time; more than two, so that several wait for the one writer when the kill comes.
const CLIENTS: u64 = 8;

/// What one client saw: the size and root that were cosigned, and the time.
type Seen = (u64, Hash, u64);

/// Every root that was ever cosigned, by size, and the newest time.
#[derive(Default)]
struct Word {
    roots: BTreeMap<u64, Hash>,
    latest: u64,
}

impl Word {
    fn add(&mut self, (size, root, time): Seen) {
        let known = *self.roots.entry(size).or_insert(root);
        assert_eq!(known, root, "two roots of size {size} were cosigned");
        self.latest = self.latest.max(time);
    }

    fn largest(&self) -> u64 {
        self.roots.keys().next_back().copied().unwrap_or_default()
    }
}

/// One client: offers the next sizes, and forks of the present one, until the connection breaks.
async fn offer(client: u64, url: String, key: VerifierKey, told: mpsc::UnboundedSender<Seen>) {
    let log = TestLog::new(ORIGIN);
    let http = reqwest::Client::new();
    let mut known = 0;
    for turn in 0.. {
        let size = (known + 1 + (client + turn) % 3).min(LEAVES);
        // Every third client now and then shows another history of the size it knows.
        let fork = client.is_multiple_of(3) && turn % 4 == 3 && known > 0;
        let (body, checkpoint) = match fork {
            true => forged(&log, known),
            false => (log.request(known, size), log.checkpoint(size)),
        };
        let sent = http.post(format!("{url}/add-checkpoint")).body(body).send();
        let Ok(response) = sent.await else { return };
        let status = response.status().as_u16();
        let Ok(text) = response.text().await else {
            return;
        };
        match status {
            200 => {
                assert!(!fork, "another root of size {known} was cosigned");
                known = checkpoint.size;
                let time = cosigned_at(&checkpoint, &text, &key);
                if told.send((checkpoint.size, checkpoint.root, time)).is_err() {
                    return;
                }
            }
            409 => known = text.trim_end().parse().unwrap(),
            422 => assert!(fork, "a true extension was refused: {text}"),
            429 => tokio::task::yield_now().await,
            other => panic!("status {other}: {text}"),
        }
    }
}

/// A correctly signed checkpoint of `size` with another root.
fn forged(log: &TestLog, size: u64) -> (String, Checkpoint) {
    let checkpoint = Checkpoint {
        root: leaf_hash(b"another history"),
        ..log.checkpoint(size)
    };
    let note = checkpoint.sign(&log.signer).unwrap();
    (request(size, &[], &note.to_string()), checkpoint)
}

fn cosigned_at(checkpoint: &Checkpoint, answer: &str, key: &VerifierKey) -> u64 {
    let lines = parse_response(answer.as_bytes()).unwrap();
    let note = cairn_tlog::Note {
        text: checkpoint.to_string(),
        signatures: lines,
    };
    verify(&note, key).unwrap()
}

/// What a new process remembers: size, root and time of its published cosignature.
async fn remembered(url: &str, key: &VerifierKey) -> Option<Seen> {
    let response = reqwest::get(format!("{url}/{}/checkpoint", origin_hash(ORIGIN)));
    let response = response.await.unwrap();
    if response.status() == 404 {
        return None;
    }
    let note = response.text().await.unwrap();
    let log = TestLog::new(ORIGIN);
    let (checkpoint, note) = Checkpoint::open(&note, log.signer.verifier()).unwrap();
    let time = verify(&note, key).unwrap();
    Some((checkpoint.size, checkpoint.root, time))
}

/// Lets the clients work until a number of signatures were given and a random moment more, then
/// kills the process and takes down everything that was signed.
async fn round(running: Running, key: &VerifierKey, after: usize, word: &Arc<Mutex<Word>>) {
    let (told, mut seen) = mpsc::unbounded_channel();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            tokio::spawn(offer(
                client,
                running.url.clone(),
                key.clone(),
                told.clone(),
            ))
        })
        .collect();
    drop(told);
    let mut taken = Vec::new();
    for _ in 0..after {
        taken.push(seen.recv().await.expect("a signature"));
    }
    let mut random = [0_u8; 2];
    getrandom::fill(&mut random).unwrap();
    let moment = Duration::from_micros(u64::from(u16::from_le_bytes(random)) / 4);
    // The kill may fall anywhere between two signatures: this waits for no condition.
    let more = tokio::time::timeout(moment, async {
        while let Some(one) = seen.recv().await {
            taken.push(one);
        }
    });
    drop(more.await);
    running.kill();
    for client in clients {
        client.await.unwrap();
    }
    while let Some(one) = seen.recv().await {
        taken.push(one);
    }
    let mut word = word.lock().unwrap();
    taken.into_iter().for_each(|one| word.add(one));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i11_kills_at_random_moments_under_concurrent_clients_forget_and_fork_nothing() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    let made = run(&["init", "--name", "witness.example/k", "--out", out]);
    let key = String::from_utf8(made.stdout).unwrap();
    let key = VerifierKey::parse(key.trim_end()).unwrap();
    let log = TestLog::new(ORIGIN).signer.verifier().to_string();
    let word = Arc::new(Mutex::new(Word::default()));
    for kill in 0..=KILLS {
        let running = Running::start(folder.path(), &log);
        let stored = remembered(&running.url, &key).await;
        {
            let mut word = word.lock().unwrap();
            let size = stored.map_or(0, |(size, ..)| size);
            let time = stored.map_or(0, |(.., time)| time);
            let (signed, latest) = (word.largest(), word.latest);
            assert!(size >= signed, "signed {signed}, remembers {size}");
            assert!(time >= latest, "signed at {latest}, remembers {time}");
            // What it remembers may be more than anybody saw, never something else.
            stored.into_iter().for_each(|one| word.add(one));
        }
        if kill == KILLS {
            running.kill();
            break;
        }
        let after = usize::try_from(kill % 3).unwrap() + 2;
        round(running, &key, after, &word).await;
    }
    let word = word.lock().unwrap();
    let log = TestLog::new(ORIGIN);
    for (size, root) in &word.roots {
        assert_eq!(log.checkpoint(*size).root, *root);
    }
    assert!(word.largest() >= KILLS);
}
