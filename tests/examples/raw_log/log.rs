//! One sequencer and one publisher over a store of their own, as `cairn-server` has them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use cairn_server::publish::Verified;
use cairn_server::stage::{Edge, NewEntry, stage};
use cairn_server::store::{Head, LogStore, PublishedCheckpoint};
use cairn_tlog::{Checkpoint, Frontier, SignerKey, leaf_hash};
use tokio::sync::{oneshot, watch};

/// Entries in one round, as the server's own default.
const ROUND_MAX: usize = 256;

/// Requests that may wait; more are answered with 503 and come back.
const WAITING_MAX: usize = 1_024;

/// Between two checkpoints.
const INTERVAL: Duration = Duration::from_millis(200);

/// Bytes to append and whom to tell the index.
type Waiting = (Vec<u8>, oneshot::Sender<u64>);

/// The way into the log, and its newest checkpoint.
#[derive(Clone)]
pub struct RawLog {
    waiting: SyncSender<Waiting>,
    pub published: watch::Receiver<PublishedCheckpoint>,
}

impl RawLog {
    /// Waits until the entry is durable at its index; `None` when the log is full or has stopped.
    pub async fn add(&self, bytes: Vec<u8>) -> Option<u64> {
        let (tell, told) = oneshot::channel();
        match self.waiting.try_send((bytes, tell)) {
            Ok(()) => told.await.ok(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => None,
        }
    }
}

/// Signs the empty tree and starts both threads; each ends the process when it fails.
pub fn start(store: Arc<dyn LogStore>, key: SignerKey) -> Result<RawLog> {
    let head = Head::empty(now_ms());
    let (waiting, received) = sync_channel(WAITING_MAX);
    let (heads, newest) = watch::channel(head.clone());
    let mut publisher = Publisher {
        store: Arc::clone(&store),
        key,
        verified: Verified::from_frontier(Frontier::new()),
    };
    let (published, shown) = watch::channel(publisher.publish(&head)?);
    thread::spawn(move || or_exit(sequence(store.as_ref(), head, &received, &heads)));
    thread::spawn(move || {
        loop {
            thread::sleep(INTERVAL);
            let head = newest.borrow().clone();
            if head.size() > published.borrow().size {
                published.send_replace(or_exit(publisher.publish(&head)));
            }
        }
    });
    Ok(RawLog {
        waiting,
        published: shown,
    })
}

/// A log whose store failed does not go on.
fn or_exit<T>(outcome: Result<T>) -> T {
    outcome.unwrap_or_else(|error| {
        eprintln!("raw_log: {error:#}");
        std::process::exit(1)
    })
}

/// Appends what waits, a round at a time; the same bytes have one index.
fn sequence(
    store: &dyn LogStore,
    mut head: Head,
    waiting: &Receiver<Waiting>,
    heads: &watch::Sender<Head>,
) -> Result<()> {
    let mut edge = Edge::default();
    while let Ok(first) = waiting.recv() {
        let round: Vec<Waiting> = std::iter::once(first)
            .chain(waiting.try_iter().take(ROUND_MAX - 1))
            .collect();
        let mut entries: Vec<NewEntry> = Vec::new();
        let mut answers = Vec::new();
        for (bytes, tell) in round {
            let leaf = leaf_hash(&bytes);
            let known = store.index_of_leaf(&leaf)?;
            let place = entries.iter().position(|entry| entry.bytes == bytes);
            let index =
                known.unwrap_or_else(|| head.size() + place.unwrap_or(entries.len()) as u64);
            if known.is_none() && place.is_none() {
                entries.push(NewEntry {
                    bytes,
                    leaf,
                    place: None,
                });
            }
            answers.push((tell, index));
        }
        if !entries.is_empty() {
            let (staged, after) = stage(&head, &edge, entries, now_ms())?;
            store.commit(&staged)?;
            (head, edge) = (staged.head, after);
            heads.send_replace(head.clone());
        }
        for (tell, index) in answers {
            // The client may have gone; its entry is in the log all the same.
            let _ = tell.send(index);
        }
    }
    Ok(())
}

struct Publisher {
    store: Arc<dyn LogStore>,
    key: SignerKey,
    verified: Verified,
}

impl Publisher {
    /// Reads back what is new, signs it, makes the checkpoint durable.
    fn publish(&mut self, head: &Head) -> Result<PublishedCheckpoint> {
        self.verified = self.verified.advance(self.store.as_ref(), head)?;
        let checkpoint = Checkpoint {
            origin: self.key.name().to_owned(),
            size: head.size(),
            root: head.root,
        };
        let published = PublishedCheckpoint {
            size: head.size(),
            root: head.root,
            note: checkpoint.sign(&self.key)?.to_string(),
            time_ms: now_ms(),
            witnessed: false,
        };
        self.store.publish(&published)?;
        Ok(published)
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
