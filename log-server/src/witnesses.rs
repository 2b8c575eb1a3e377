//! The client of other people's witnesses (C2SP tlog-witness).
//!
//! Owns the size each witness is believed to hold, the rule for 409, and the rest of a witness that
//! answers wrongly. Does not own the HTTP call (`link`) or the quorum (`cairn-tlog`). What a witness
//! answers is checked here: only cosignatures that verify under the trust policy's key leave this
//! module, and a size it names is followed only where this log has the tree to serve it.

mod link;

pub use link::{Answer, HttpLink, LinkError, WitnessLink};

use crate::receipts::{StoreTiles, TileError};
use crate::store::{LogStore, StoreError};
use cairn_tlog::add_checkpoint::{ResponseParseError, parse_response, parse_size};
use cairn_tlog::tile::TileNodeError;
use cairn_tlog::trust::TrustedWitness;
use cairn_tlog::{
    AddCheckpointRequest, Checkpoint, Note, NoteSignature, ProofError, TileNodes, TrustPolicy,
    consistency_proof,
};
use reqwest::StatusCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// First rest of a witness after an answer that is no cosignature: one round of publication.
const REST_FIRST: Duration = Duration::from_millis(500);

/// Longest rest: a witness that was mended is used again within ten seconds, and one that goes on
/// answering nonsense is asked too seldom to be a load. No answer takes a witness out for good.
const REST_MAX: Duration = Duration::from_secs(10);

/// Why a witness did not cosign this time.
#[derive(Debug, thiserror::Error)]
pub enum CosignFailure {
    /// An earlier call to the same witness is still under way.
    #[error("an earlier call is still under way")]
    Busy,
    /// It answered wrongly a moment ago and is not asked again yet.
    #[error("resting after a wrong answer")]
    Resting,
    /// No answer. Retry next round.
    #[error("no answer")]
    Link(#[from] LinkError),
    /// The consistency proof could not be made. Fatal for the round.
    #[error("the consistency proof could not be made")]
    Proof(#[from] ProofError<TileNodeError<TileError>>),
    /// The store could not say how much it holds. Retry next round.
    #[error("the store could not be read")]
    Store(#[from] StoreError),
    /// The witness says that it holds a larger size of this origin than the checkpoint. Above
    /// `stored` it says that this log lost entries: an alarm. It is not believed for the next round.
    #[error("the witness holds size {size}, the checkpoint has {offered}, the store {stored}")]
    Ahead {
        /// Size it says that it holds.
        size: u64,
        /// Size offered.
        offered: u64,
        /// Size of the store.
        stored: u64,
    },
    /// 409 without a size, or 422: the witness saw another tree of this origin. An alarm.
    #[error("the witness contradicts this log, status {status}")]
    Contradiction {
        /// HTTP status.
        status: u16,
    },
    /// 409 that promises a size and names none. Retry later.
    #[error("the witness answered 409 without a readable size")]
    NoSize,
    /// 409 naming the very size that was offered as the old one, or a second other one. Retry later.
    #[error("the witness refuses old size {old} and then names {size}")]
    Unsteady {
        /// Old size of the last request.
        old: u64,
        /// Size it names.
        size: u64,
    },
    /// 403 or 404: the witness does not know this log's origin or key.
    #[error("the witness does not know this log, status {status}")]
    Unknown {
        /// HTTP status.
        status: u16,
    },
    /// Another status. Retry later.
    #[error("status {status}")]
    Status {
        /// HTTP status.
        status: u16,
    },
    /// The body of a success is no list of signature lines.
    #[error("the answer cannot be read")]
    Answer(#[from] ResponseParseError),
    /// No line of the answer verifies under the witness's key.
    #[error("the answer has no valid cosignature of the witness")]
    NoCosignature,
}

impl CosignFailure {
    /// Whether the witness's word and this log's contradict each other.
    #[must_use]
    pub fn is_alarm(&self) -> bool {
        matches!(self, Self::Contradiction { .. }) || self.says_rolled_back()
    }

    /// Whether the witness says that it cosigned more than this log holds.
    #[must_use]
    pub fn says_rolled_back(&self) -> bool {
        matches!(self, Self::Ahead { size, stored, .. } if size > stored)
    }

    /// Whether the witness was asked at all.
    #[must_use]
    pub fn was_asked(&self) -> bool {
        !matches!(self, Self::Busy | Self::Resting)
    }

    /// Whether the witness rests after it: it answered, and not as a witness of this log should.
    fn tires(&self) -> bool {
        match self {
            Self::Ahead { .. } => self.says_rolled_back(),
            Self::Busy | Self::Resting | Self::Link(_) | Self::Proof(_) | Self::Store(_) => false,
            // Others crowd it; that says nothing about its word.
            Self::Status { status } => *status != StatusCode::TOO_MANY_REQUESTS.as_u16(),
            _ => true,
        }
    }
}

/// What is remembered of a witness between calls.
struct Standing {
    /// Size it is believed to hold; never above the newest checkpoint offered to it.
    size: u64,
    /// Wrong answers in a row.
    wrong: u32,
    /// When it may be asked again.
    rests_until: Option<Instant>,
}

impl Standing {
    fn note(&mut self, failure: Option<&CosignFailure>) {
        if failure.is_some_and(CosignFailure::tires) {
            let factor = 2_u32.saturating_pow(self.wrong);
            let rest = REST_FIRST.saturating_mul(factor).min(REST_MAX);
            self.wrong = self.wrong.saturating_add(1);
            self.rests_until = Some(Instant::now() + rest);
        } else if failure.is_none() {
            (self.wrong, self.rests_until) = (0, None);
        }
    }

    fn rests(&self) -> bool {
        self.rests_until.is_some_and(|until| Instant::now() < until)
    }
}

/// One witness.
pub struct Witness {
    /// Its name in the trust policy.
    pub name: String,
    trusted: TrustedWitness,
    url: String,
    /// Also keeps calls to one witness in order.
    standing: Mutex<Standing>,
}

/// All witnesses of a trust policy that have a URL.
#[derive(Clone)]
pub struct Witnesses {
    link: Arc<dyn WitnessLink>,
    all: Arc<Vec<Arc<Witness>>>,
}

/// What an answer comes to.
enum Verdict {
    Cosigned(NoteSignature),
    /// 409 with the size it holds.
    Holds(u64),
}

impl Witnesses {
    /// The witnesses of a policy; `from` is the size they are first believed to hold.
    #[must_use]
    pub fn new(trust: Option<&TrustPolicy>, from: u64, link: Arc<dyn WitnessLink>) -> Self {
        let named = trust.map_or(&[][..], TrustPolicy::witnesses).iter();
        let all = named.filter_map(|trusted| {
            let url = trusted.url.as_deref()?.trim_end_matches('/');
            Some(Arc::new(Witness {
                name: trusted.name.clone(),
                url: format!("{url}/add-checkpoint"),
                trusted: trusted.clone(),
                standing: Mutex::new(Standing {
                    size: from,
                    wrong: 0,
                    rests_until: None,
                }),
            }))
        });
        Self {
            link,
            all: Arc::new(all.collect()),
        }
    }

    /// Every witness.
    #[must_use]
    pub fn all(&self) -> &[Arc<Witness>] {
        &self.all
    }

    /// Asks one witness to cosign. `note` carries the log's signature only.
    ///
    /// # Errors
    /// [`CosignFailure`]; the publisher goes on without this witness.
    pub async fn cosign(
        &self,
        witness: &Witness,
        store: &Arc<dyn LogStore>,
        checkpoint: &Checkpoint,
        note: &Note,
    ) -> Result<NoteSignature, CosignFailure> {
        let standing = witness.standing.try_lock();
        let mut standing = standing.map_err(|_| CosignFailure::Busy)?;
        if standing.rests() {
            return Err(CosignFailure::Resting);
        }
        let mut size = standing.size.min(checkpoint.size);
        let answer = self.ask(witness, store, &mut size, checkpoint, note).await;
        standing.size = size;
        standing.note(answer.as_ref().err());
        answer
    }

    /// Asks from `old` on, and once more from the size that the witness says it holds. `old` becomes
    /// what it is believed to hold afterwards.
    async fn ask(
        &self,
        witness: &Witness,
        store: &Arc<dyn LogStore>,
        old: &mut u64,
        checkpoint: &Checkpoint,
        note: &Note,
    ) -> Result<NoteSignature, CosignFailure> {
        let offered = checkpoint.size;
        let mut corrected = false;
        loop {
            let body = request(store, *old, checkpoint, note)?;
            let size = match self.call(witness, body, note).await? {
                Verdict::Cosigned(line) => {
                    *old = offered;
                    return Ok(line);
                }
                Verdict::Holds(size) => size,
            };
            if size > offered {
                // One witness's word: loud where the store holds less, never taken as a fact.
                let stored = store.head()?.map_or(0, |head| head.size());
                return Err(CosignFailure::Ahead {
                    size,
                    offered,
                    stored,
                });
            }
            if corrected || size == *old {
                // Somebody else may be submitting; the next round begins with what it named last.
                let old = std::mem::replace(old, size);
                return Err(CosignFailure::Unsteady { old, size });
            }
            (*old, corrected) = (size, true);
        }
    }

    async fn call(
        &self,
        witness: &Witness,
        body: String,
        note: &Note,
    ) -> Result<Verdict, CosignFailure> {
        let Answer {
            status,
            is_size,
            body: answer,
        } = self.link.add_checkpoint(&witness.url, body).await?;
        let code = status.as_u16();
        match status {
            StatusCode::OK => verified(&answer, note, &witness.trusted).map(Verdict::Cosigned),
            StatusCode::CONFLICT if is_size => match parse_size(&answer) {
                Some(size) => Ok(Verdict::Holds(size)),
                None => Err(CosignFailure::NoSize),
            },
            // Witnesses of tlog-witness v1.0.0 say 409 to another root, later ones 422.
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(CosignFailure::Contradiction { status: code })
            }
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(CosignFailure::Unknown { status: code })
            }
            _ => Err(CosignFailure::Status { status: code }),
        }
    }
}

fn request(
    store: &Arc<dyn LogStore>,
    old: u64,
    checkpoint: &Checkpoint,
    note: &Note,
) -> Result<String, CosignFailure> {
    let nodes = TileNodes::new(StoreTiles::new(store.as_ref()), checkpoint.size);
    let proof = consistency_proof(&nodes, old, checkpoint.size)?;
    let (checkpoint, note) = (checkpoint.clone(), note.clone());
    Ok(AddCheckpointRequest {
        old,
        proof,
        checkpoint,
        note,
    }
    .to_string())
}

/// The first line of the answer that carries the witness's key and verifies. A witness may repeat
/// itself as often as an answer is long; the note must hold the lines of all.
fn verified(
    answer: &[u8],
    note: &Note,
    witness: &TrustedWitness,
) -> Result<NoteSignature, CosignFailure> {
    let lines = parse_response(answer)?;
    let is_ours = |line: &NoteSignature| {
        line.name == witness.key.name()
            && line.key_id == witness.key.id()
            && line.verify(&note.text, &witness.key).is_ok()
    };
    let ours = lines.into_iter().find(is_ours);
    ours.ok_or(CosignFailure::NoCosignature)
}
