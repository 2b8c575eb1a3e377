//! The real witness behind a link without a network: its decision, its state file, its statuses.
//!
//! Owns the mapping from decisions to answers that the witness's HTTP surface makes as well. Faults of
//! the way there belong to whoever carries the messages.

use cairn_server::witnesses::Answer;
use cairn_tlog::add_checkpoint::{format_response, format_size};
use cairn_tlog::{KeyAlgorithm, SignerKey, VerifierKey};
use cairn_witness::{AddCheckpointError, LogSet, Refusal, Store, Witness};
use reqwest::StatusCode;
use std::path::{Path, PathBuf};

/// A witness and its state file.
pub struct Node {
    name: String,
    number: u8,
    path: PathBuf,
    log: VerifierKey,
    /// `None` while the process is down.
    running: Option<Witness>,
}

/// The verifier key of the witness of this number.
pub fn key(number: u8) -> SignerKey {
    let name = format!("witness.example/{number}");
    let algorithm = KeyAlgorithm::Ed25519Cosignature;
    SignerKey::from_seed(&name, algorithm, &[100 + number; 32]).unwrap()
}

/// The lines of a trust policy that ask for `threshold` of `count` witnesses.
pub fn policy(count: u8, threshold: u8) -> String {
    let mut text = String::new();
    for number in 0..count {
        let key = key(number);
        text += &format!("witness w{number} {} http://w{number}\n", key.verifier());
    }
    let all: Vec<String> = (0..count).map(|number| format!("w{number}")).collect();
    text + &format!("group all {threshold} {}\nquorum all\n", all.join(" "))
}

impl Node {
    /// A witness of one log, with a new state in `folder`.
    pub fn new(number: u8, folder: &Path, log: &str) -> Self {
        let path = folder.join(format!("witness-{number}.redb"));
        let log = VerifierKey::parse(log).unwrap();
        let mut node = Self {
            name: format!("w{number}"),
            number,
            path,
            log,
            running: None,
        };
        let store = Store::create(&node.path).unwrap();
        node.running = Some(node.with(store));
        node
    }

    /// Whether this witness is the one at `url`.
    pub fn is_at(&self, url: &str) -> bool {
        url == format!("http://{}/add-checkpoint", self.name)
    }

    /// Ends the process.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts the process again on its state file.
    pub fn restart(&mut self) {
        self.running = None;
        let store = Store::open(&self.path).unwrap();
        self.running = Some(self.with(store));
    }

    /// Whether the process runs.
    pub fn is_up(&self) -> bool {
        self.running.is_some()
    }

    fn with(&self, store: Store) -> Witness {
        let logs: LogSet = [self.log.clone()].into_iter().collect();
        Witness::new(key(self.number), logs, store)
    }

    /// Answers a request at Unix time `now`; `None` while the process is down.
    pub fn answer(&self, body: &str, now: u64) -> Option<Answer> {
        let witness = self.running.as_ref()?;
        let plain = |status: StatusCode| Answer {
            status,
            is_size: false,
            body: Vec::new(),
        };
        Some(match witness.add_checkpoint(body.as_bytes(), now) {
            Ok(signatures) => Answer {
                body: format_response(&signatures).into(),
                ..plain(StatusCode::OK)
            },
            Err(AddCheckpointError::Refused(refusal)) => match refusal {
                Refusal::SizeConflict { latest, .. } => Answer {
                    status: StatusCode::CONFLICT,
                    is_size: true,
                    body: format_size(latest).into(),
                },
                Refusal::Malformed(_) | Refusal::OldAboveSize { .. } => {
                    plain(StatusCode::BAD_REQUEST)
                }
                Refusal::UnknownOrigin { .. } => plain(StatusCode::NOT_FOUND),
                Refusal::Signature { .. } => plain(StatusCode::FORBIDDEN),
                _ => plain(StatusCode::UNPROCESSABLE_ENTITY),
            },
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
        })
    }

    /// Size that the state file holds for the log.
    pub fn held(&self) -> u64 {
        let witness = self.running.as_ref().unwrap();
        let hash = cairn_witness::logs::origin_hash(self.log.name());
        let note = witness.published(&hash).unwrap();
        let size = note.and_then(|note| note.lines().nth(1)?.parse().ok());
        size.unwrap_or(0)
    }
}
