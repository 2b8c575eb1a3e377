//! A witness in the process: it cosigns as a witness does, and answers wrongly when told to.

use cairn_server::witnesses::{Answer, LinkError, WitnessLink};
use cairn_tlog::cosignature::cosign;
use cairn_tlog::{AddCheckpointRequest, KeyAlgorithm, SignerKey};
use futures_util::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// An answer for the script.
pub fn answer(status: u16, is_size: bool, body: &str) -> Answer {
    Answer {
        status: status.try_into().unwrap(),
        is_size,
        body: body.as_bytes().to_vec(),
    }
}

/// A witness that remembers one size.
#[derive(Clone)]
pub struct Witness {
    key: Arc<SignerKey>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    size: u64,
    script: VecDeque<Answer>,
    asked: u64,
    /// How often it repeats its line in an answer, beyond the first.
    repeats: usize,
}

impl Witness {
    pub fn new(seed: u8) -> Self {
        let algorithm = KeyAlgorithm::Ed25519Cosignature;
        let key = SignerKey::from_seed("witness.example.com", algorithm, &[seed; 32]).unwrap();
        Self {
            key: Arc::new(key),
            state: Arc::default(),
        }
    }

    /// A trust policy of this witness alone.
    pub fn policy(&self, log_key: &str) -> String {
        let witness = self.key.verifier();
        format!("log {log_key}\nwitness w1 {witness} http://witness.example.com/\nquorum w1\n")
    }

    /// What it answers next, before it answers as it should again.
    pub fn say(&self, answers: &[Answer]) {
        self.state.lock().unwrap().script = answers.to_vec().into();
    }

    /// From now on it says its line so many times more in each answer.
    pub fn repeat(&self, times: usize) {
        self.state.lock().unwrap().repeats = times;
    }

    /// Requests so far.
    pub fn asked(&self) -> u64 {
        self.state.lock().unwrap().asked
    }

    fn add_checkpoint(&self, body: &str) -> Answer {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        if let Some(scripted) = state.script.pop_front() {
            return scripted;
        }
        let request = AddCheckpointRequest::parse(body.as_bytes()).unwrap();
        if request.old != state.size {
            return answer(409, true, &format!("{}\n", state.size));
        }
        state.size = request.checkpoint.size;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let line = cosign(&request.note.text, &self.key, now.as_secs()).unwrap();
        answer(200, false, &format!("{line}\n").repeat(1 + state.repeats))
    }
}

impl WitnessLink for Witness {
    fn add_checkpoint(
        &self,
        _url: &str,
        body: String,
    ) -> BoxFuture<'static, Result<Answer, LinkError>> {
        let answer = self.add_checkpoint(&body);
        Box::pin(async move { Ok(answer) })
    }
}
