//! The client of other people's witnesses (C2SP tlog-witness).
//!
//! Owns one HTTP call, the size each witness is believed to hold, and the rule for 409. Does not
//! own the quorum (`cairn-tlog`). What a witness answers is checked here: only cosignatures that
//! verify under the trust policy's key leave this module.

use crate::receipts::{StoreTiles, TileError};
use crate::store::LogStore;
use cairn_tlog::add_checkpoint::{
    MAX_RESPONSE_BYTES, ResponseParseError, SIZE_CONTENT_TYPE, parse_response, parse_size,
};
use cairn_tlog::tile::TileNodeError;
use cairn_tlog::trust::TrustedWitness;
use cairn_tlog::{
    AddCheckpointRequest, Checkpoint, Note, NoteSignature, ProofError, TileNodes, TrustPolicy,
    consistency_proof,
};
use reqwest::{Client, StatusCode, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Why a witness did not cosign this time.
#[derive(Debug, thiserror::Error)]
pub enum CosignFailure {
    /// An earlier call to the same witness is still under way.
    #[error("an earlier call is still under way")]
    Busy,
    /// No answer. Retry next round.
    #[error("no answer")]
    Http(#[from] reqwest::Error),
    /// The consistency proof could not be made. Fatal for the round.
    #[error("the consistency proof could not be made")]
    Proof(#[from] ProofError<TileNodeError<TileError>>),
    /// The witness holds a larger size of this origin than the checkpoint.
    #[error("the witness holds size {size}, the checkpoint has {offered}")]
    Ahead {
        /// Size it holds.
        size: u64,
        /// Size offered.
        offered: u64,
    },
    /// 409 without a size, or 422: the witness saw another tree of this origin. An alarm.
    #[error("the witness contradicts this log, status {status}")]
    Contradiction {
        /// HTTP status.
        status: u16,
    },
    /// 403 or 404: the witness does not know this log's origin or key.
    #[error("the witness does not know this log, status {status}")]
    Unknown {
        /// HTTP status.
        status: u16,
    },
    /// Another status. Retry next round.
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
        matches!(self, Self::Contradiction { .. } | Self::Ahead { .. })
    }
}

/// One witness.
pub struct Witness {
    /// Its name in the trust policy.
    pub name: String,
    trusted: TrustedWitness,
    url: String,
    /// Size it is believed to hold; also keeps calls to one witness in order.
    size: Mutex<u64>,
}

/// All witnesses of a trust policy that have a URL.
#[derive(Clone)]
pub struct Witnesses {
    client: Client,
    all: Arc<Vec<Arc<Witness>>>,
}

impl Witnesses {
    /// The witnesses of a policy; `from` is the size they are first believed to hold.
    ///
    /// # Errors
    /// The HTTP client could not be set up.
    pub fn new(
        trust: Option<&TrustPolicy>,
        from: u64,
        timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let client = Client::builder().timeout(timeout).build()?;
        let named = trust.map_or(&[][..], TrustPolicy::witnesses).iter();
        let all = named.filter_map(|trusted| {
            let url = trusted.url.as_deref()?.trim_end_matches('/');
            Some(Arc::new(Witness {
                name: trusted.name.clone(),
                url: format!("{url}/add-checkpoint"),
                trusted: trusted.clone(),
                size: Mutex::new(from),
            }))
        });
        Ok(Self {
            client,
            all: Arc::new(all.collect()),
        })
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
    ) -> Result<Vec<NoteSignature>, CosignFailure> {
        let mut held = witness.size.try_lock().map_err(|_| CosignFailure::Busy)?;
        // One correction: a second 409 in a row means somebody else is submitting.
        for last_try in [false, true] {
            if *held > checkpoint.size {
                return Err(CosignFailure::Ahead {
                    size: *held,
                    offered: checkpoint.size,
                });
            }
            let body = request(store, *held, checkpoint, note)?;
            let sent = self.client.post(&witness.url).body(body).send().await?;
            let status = sent.status();
            let is_size = sent
                .headers()
                .get(header::CONTENT_TYPE)
                .is_some_and(|kind| {
                    kind.to_str()
                        .is_ok_and(|kind| kind.starts_with(SIZE_CONTENT_TYPE))
                });
            let answer = bounded_body(sent).await?;
            match (status, parse_size(&answer).filter(|_| is_size)) {
                (StatusCode::OK, _) => {
                    *held = checkpoint.size;
                    return verified(&answer, note, &witness.trusted);
                }
                (StatusCode::CONFLICT, Some(size)) if !last_try || size > checkpoint.size => {
                    *held = size;
                }
                (StatusCode::CONFLICT, None) | (StatusCode::UNPROCESSABLE_ENTITY, _) => {
                    return Err(CosignFailure::Contradiction {
                        status: status.as_u16(),
                    });
                }
                (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, _) => {
                    return Err(CosignFailure::Unknown {
                        status: status.as_u16(),
                    });
                }
                _ => {
                    return Err(CosignFailure::Status {
                        status: status.as_u16(),
                    });
                }
            }
        }
        match *held {
            size if size > checkpoint.size => Err(CosignFailure::Ahead {
                size,
                offered: checkpoint.size,
            }),
            _ => Err(CosignFailure::Status {
                status: StatusCode::CONFLICT.as_u16(),
            }),
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

/// Reads at most `MAX_RESPONSE_BYTES` and one more chunk; the parser refuses what is longer.
async fn bounded_body(mut answer: reqwest::Response) -> Result<Vec<u8>, CosignFailure> {
    let mut body = Vec::new();
    while body.len() <= MAX_RESPONSE_BYTES
        && let Some(chunk) = answer.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The lines of the answer that carry the witness's key and verify.
fn verified(
    answer: &[u8],
    note: &Note,
    witness: &TrustedWitness,
) -> Result<Vec<NoteSignature>, CosignFailure> {
    let lines = parse_response(answer)?;
    let ours = lines.into_iter().filter(|line| {
        line.name == witness.key.name()
            && line.key_id == witness.key.id()
            && line.verify(&note.text, &witness.key).is_ok()
    });
    let valid: Vec<_> = ours.collect();
    if valid.is_empty() {
        Err(CosignFailure::NoCosignature)
    } else {
        Ok(valid)
    }
}
