//! A small signed log to witness, and a witness behind a real listener to send it to.

use cairn_tlog::{
    Checkpoint, KeyAlgorithm, MemoryNodes, Note, SignerKey, consistency_proof, leaf_hash,
};
use cairn_witness::http::Service;
use cairn_witness::{LogSet, Store, Witness};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Leaves of every test log.
pub const LEAVES: u64 = 1024;

/// A log that can sign any of its sizes.
pub struct TestLog {
    pub signer: SignerKey,
    nodes: MemoryNodes,
}

impl TestLog {
    /// A log whose content depends on its origin.
    pub fn new(origin: &str) -> Self {
        let signer = SignerKey::from_seed(origin, KeyAlgorithm::Ed25519, &[21; 32]).unwrap();
        let leaves = (0..LEAVES).map(|i| leaf_hash(format!("{origin} {i}").as_bytes()));
        Self {
            signer,
            nodes: leaves.collect(),
        }
    }

    /// The checkpoint at a size.
    pub fn checkpoint(&self, size: u64) -> Checkpoint {
        let root = self.nodes.root(size).unwrap();
        Checkpoint {
            origin: self.signer.name().to_owned(),
            size,
            root,
        }
    }

    /// The signed checkpoint at a size.
    pub fn note(&self, size: u64) -> Note {
        self.checkpoint(size).sign(&self.signer).unwrap()
    }

    /// A correct request from `old` to `size`.
    pub fn request(&self, old: u64, size: u64) -> String {
        request(old, &self.proof(old, size), &self.note(size).to_string())
    }

    /// The lines of the consistency proof.
    pub fn proof(&self, old: u64, size: u64) -> Vec<String> {
        let proof = consistency_proof(&self.nodes, old, size).unwrap();
        proof.iter().map(ToString::to_string).collect()
    }
}

/// Writes a request body by hand, so that wrong ones can be written too.
pub fn request(old: u64, proof: &[String], note: &str) -> String {
    let lines: String = proof.iter().map(|line| format!("{line}\n")).collect();
    format!("old {old}\n{lines}\n{note}")
}

/// The witness's key.
pub fn cosigner() -> SignerKey {
    SignerKey::from_seed(
        "witness.example/1",
        KeyAlgorithm::Ed25519Cosignature,
        &[5; 32],
    )
    .unwrap()
}

/// A witness in this process, with its folder.
pub fn witness(folder: &TempDir, logs: LogSet) -> Witness {
    Witness::new(cosigner(), logs, store(&folder.path().join("state.redb")))
}

/// A witness behind a listener on a free port.
pub struct Served {
    pub url: String,
    pub client: reqwest::Client,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

/// A response taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

impl Served {
    /// Serves a witness.
    pub async fn start(witness: Witness) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let service = Service::new(witness);
        let task = tokio::spawn(async move {
            let stop = async move { drop(stopped.await) };
            service.serve(listener, stop).await.unwrap();
        });
        Self {
            url,
            client: reqwest::Client::new(),
            stop,
            task,
        }
    }

    /// Stops and waits until the state file is released.
    pub async fn stop(self) {
        drop(self.client);
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }

    /// Posts an add-checkpoint body.
    pub async fn add(&self, body: impl Into<reqwest::Body>) -> Answer {
        let url = format!("{}/add-checkpoint", self.url);
        answer(self.client.post(url).body(body).send().await.unwrap()).await
    }

    /// Posts and returns the status only.
    pub async fn status(&self, body: impl Into<reqwest::Body>) -> u16 {
        self.add(body).await.status
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Answer {
        answer(
            self.client
                .get(format!("{}{path}", self.url))
                .send()
                .await
                .unwrap(),
        )
        .await
    }
}

async fn answer(response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let header = response
        .headers()
        .get("content-type")
        .map(|value| value.to_str().unwrap());
    let content_type = header.unwrap_or_default().to_owned();
    Answer {
        status,
        content_type,
        body: response.text().await.unwrap(),
    }
}

/// The state in a file: a new one the first time.
fn store(path: &std::path::Path) -> Store {
    if path.exists() {
        Store::open(path).unwrap()
    } else {
        Store::create(path).unwrap()
    }
}
