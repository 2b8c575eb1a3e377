//! The typed client: one method a call, problems as errors, bounded bodies.

mod answer;
mod connections;

pub use answer::{MAX_ANSWER_BYTES, MAX_NEWS_BYTES, MAX_PROBLEM_BYTES};

use answer::{not_understood, unreachable_server};
use connections::Connections;

use crate::access::{EnrollRequest, EnrollStarted, EnrollStatus, TokenAnswer, TokenRequest};
use crate::distribution::{GenesisAnswer, LONGEST_WAIT_S, NewsAnswer, PolicyAnswer, RosterAnswer};
use crate::event_stream::{EventReader, StreamItem};
use crate::paths;
use crate::problem::{Family, Problem};
use crate::submission::{SubmitResponse, Wait};
use crate::tls_trust::TlsTrust;
use cairn_event::{Sha256, frame};
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for an answer beyond what the call itself asks the server to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest wait for a page of the roster or for a policy: as long as the server lets a slow reader take for
/// its answer. On a morning on which a whole fleet starts at once, patience costs less than asking again.
const PAGE_TIMEOUT: Duration = Duration::from_secs(90);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server answered with a problem body.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The server could not be reached or did not answer in time. Retry.
    #[error("server unreachable: {0}")]
    Unreachable(String),
    /// The answer is not what the surface says. Fatal for this server version.
    #[error("answer of `{path}` not understood: {detail}")]
    Answer {
        /// The path called.
        path: String,
        /// What was wrong.
        detail: String,
    },
    /// Certificates or keys given to the client are not PEM of what they should be.
    #[error("certificates of the client refused: {0}")]
    Certificates(String),
    /// The server's address is not an http or https address.
    #[error("`{0}` is not an http or https address")]
    Address(String),
}

impl ClientError {
    /// How long the server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Problem(problem) => problem.retry_after_s.map(Duration::from_secs),
            _ => None,
        }
    }

    /// What the caller should do.
    pub fn family(&self) -> Family {
        match self {
            Self::Problem(problem) => problem.family,
            Self::Unreachable(_) => Family::Retry,
            Self::Answer { .. } => Family::Fatal,
            Self::Address(_) | Self::Certificates(_) => Family::Refused,
        }
    }
}

/// A connection pool to one server, with an access token or without.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    token: Option<String>,
    connections: Arc<Connections>,
}

impl Client {
    /// A client for `http://host:port` or `https://…`; a trailing slash is dropped.
    ///
    /// Errors: [`ClientError::Address`], or [`ClientError::Unreachable`] when TLS cannot be set up.
    pub fn new(base: &str) -> Result<Self, ClientError> {
        Self::trusting(base, &TlsTrust::default())
    }

    /// As [`Client::new`], with TLS settings of the caller's.
    ///
    /// # Errors
    /// As [`Client::new`], and [`ClientError::Certificates`].
    pub fn trusting(base: &str, trust: &TlsTrust) -> Result<Self, ClientError> {
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(ClientError::Address(base.to_owned()));
        }
        Ok(Self {
            base: base.trim_end_matches('/').to_owned(),
            token: None,
            connections: Arc::new(Connections::new(trust)?),
        })
    }

    /// The same client with an access token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The access token, where there is one.
    pub fn bearer(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Gives up every connection of this client and of all that were made from it: calls that run fail as
    /// [`ClientError::Unreachable`], streams end, and what is called from now on connects anew. For who knows
    /// that the network is another one, or that this machine slept.
    pub fn sever(&self) {
        self.connections.sever();
    }

    /// Lets calls from now on connect anew; those that run go on.
    pub fn reconnect(&self) {
        self.connections.renew();
    }

    /// Ends when [`Client::sever`] is called after this.
    pub fn severed(&self) -> impl Future<Output = ()> + use<> {
        self.connections.severed()
    }

    /// Submits frame lines and waits up to `timeout` for `wait`.
    ///
    /// Errors: [`ClientError`]; every frame may be sent again, a duplicate keeps its index.
    pub async fn submit(
        &self,
        frames: &[String],
        wait: Wait,
        timeout: Duration,
    ) -> Result<SubmitResponse, ClientError> {
        let mut body = String::with_capacity(frames.iter().map(|frame| frame.len() + 1).sum());
        for frame in frames {
            body.push_str(frame);
            body.push('\n');
        }
        let path = format!(
            "{}?wait={}&timeout_ms={}",
            paths::ENTRIES,
            wait.as_str(),
            timeout.as_millis()
        );
        let request = self
            .http()
            .post(self.url(&path))
            .header("content-type", frame::MEDIA_TYPE)
            .body(body)
            .timeout(timeout + ANSWER_TIMEOUT);
        self.json(&path, request).await
    }

    /// `GET` of a JSON answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(
            path,
            self.http().get(self.url(path)).timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// `POST` of a JSON body for a JSON answer.
    pub async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let request = self
            .http()
            .post(self.url(path))
            .json(body)
            .timeout(ANSWER_TIMEOUT);
        self.json(path, request).await
    }

    /// `GET` of raw bytes, for tiles, entries, receipts and checkpoints.
    ///
    /// Errors: as everywhere; a 404 is a problem with status 404.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let request = self.http().get(self.url(path)).timeout(ANSWER_TIMEOUT);
        self.send(path, request, MAX_ANSWER_BYTES).await
    }

    /// `GET` of text.
    pub async fn text(&self, path: &str) -> Result<String, ClientError> {
        String::from_utf8(self.bytes(path).await?).map_err(|error| not_understood(path, &error))
    }

    /// The genesis entry.
    pub async fn genesis(&self) -> Result<GenesisAnswer, ClientError> {
        self.get(paths::GENESIS).await
    }

    /// A page of roster entries after a revision.
    pub async fn roster(&self, after_revision: u64) -> Result<RosterAnswer, ClientError> {
        let path = format!("{}?after_revision={after_revision}", paths::ROSTER);
        self.page(&path).await
    }

    /// The policy in force; `None` before there is one. For a caller who has the bundle of the policy entry
    /// at `have`, that entry comes without its bundle.
    pub async fn policy(&self, have: Option<u64>) -> Result<Option<PolicyAnswer>, ClientError> {
        let path = match have {
            Some(index) => format!("{}?have={index}", paths::POLICY),
            None => paths::POLICY.to_owned(),
        };
        match self.page(&path).await {
            Ok(answer) => Ok(Some(answer)),
            Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is newer than the policy at an index and the roster of a revision; it waits for that, up to
    /// [`LONGEST_WAIT_S`], where the stream does not come through.
    pub async fn news(
        &self,
        policy_index: Option<u64>,
        roster_revision: u64,
    ) -> Result<NewsAnswer, ClientError> {
        let mut path = format!(
            "{}?wait={LONGEST_WAIT_S}&roster={roster_revision}",
            paths::POLICY_STREAM
        );
        if let Some(index) = policy_index {
            path.push_str(&format!("&policy={index}"));
        }
        let patience = Duration::from_secs(LONGEST_WAIT_S) + ANSWER_TIMEOUT;
        let request = self.http().get(self.url(&path)).timeout(patience);
        parsed(&path, &self.send(&path, request, MAX_NEWS_BYTES).await?)
    }

    async fn page<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(path, self.http().get(self.url(path)).timeout(PAGE_TIMEOUT))
            .await
    }

    /// Stores a blob under its digest.
    pub async fn put_blob(&self, bytes: Vec<u8>) -> Result<Sha256, ClientError> {
        let digest = Sha256::of(&bytes);
        let path = paths::fill(paths::BLOB, "sha256", digest);
        let request = self
            .http()
            .put(self.url(&path))
            .body(bytes)
            .timeout(ANSWER_TIMEOUT);
        let stored = self.send(&path, request, MAX_ANSWER_BYTES).await;
        stored.map(|_| digest)
    }

    /// A blob by digest; checked against it.
    pub async fn blob(&self, digest: &Sha256) -> Result<Vec<u8>, ClientError> {
        let path = paths::fill(paths::BLOB, "sha256", digest);
        let bytes = self.bytes(&path).await?;
        if Sha256::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(not_understood(
                &path,
                &"the bytes do not hash to the digest asked for",
            ))
        }
    }

    /// Starts an enrolment.
    pub async fn enroll(&self, request: &EnrollRequest) -> Result<EnrollStarted, ClientError> {
        self.post(paths::ENROLL, request).await
    }

    /// Where an enrolment stands; the client must hold its poll secret as token.
    pub async fn enrollment(&self, id: &str) -> Result<EnrollStatus, ClientError> {
        self.get(&paths::fill(paths::ENROLLMENT, "id", id)).await
    }

    /// Exchanges an assertion for an access token.
    pub async fn token(&self, assertion: String) -> Result<TokenAnswer, ClientError> {
        self.post(paths::TOKEN, &TokenRequest { assertion }).await
    }

    /// Opens a stream of server-sent events; it has no overall deadline.
    ///
    /// Errors: each item may be an error; the caller reconnects with jitter.
    pub async fn stream(
        &self,
        path: &str,
    ) -> Result<impl Stream<Item = Result<StreamItem, ClientError>> + use<>, ClientError> {
        let severed = self.connections.severed();
        let request = self
            .http()
            .get(self.url(path))
            .header("accept", "text/event-stream");
        let opening = async {
            let sent = self.authorised(request).send().await;
            let response = sent.map_err(unreachable_server)?;
            if response.status().is_success() {
                Ok(response)
            } else {
                Err(answer::refusal(response).await)
            }
        };
        let response = self.connections.or_severed(opening).await?;
        let path = path.to_owned();
        let mut reader = EventReader::default();
        let items = response.bytes_stream().flat_map(move |chunk| {
            let items = match chunk {
                Ok(chunk) => items(&mut reader, &chunk, &path),
                Err(error) => vec![Err(unreachable_server(error))],
            };
            futures_util::stream::iter(items)
        });
        Ok(items.take_until(severed))
    }

    fn http(&self) -> reqwest::Client {
        self.connections.http()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn authorised(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<T, ClientError> {
        let body = self.send(path, request, MAX_ANSWER_BYTES).await?;
        parsed(path, &body)
    }

    async fn send(
        &self,
        path: &str,
        request: reqwest::RequestBuilder,
        bytes_max: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let answered = async {
            let sent = self.authorised(request).send().await;
            let response = sent.map_err(unreachable_server)?;
            answer::body(path, response, bytes_max).await
        };
        self.connections.or_severed(answered).await
    }
}

/// What came of a stream by these bytes.
fn items(
    reader: &mut EventReader,
    bytes: &[u8],
    path: &str,
) -> Vec<Result<StreamItem, ClientError>> {
    let mut items: Vec<_> = match reader.feed(bytes) {
        Ok(events) => events
            .into_iter()
            .map(|event| Ok(StreamItem::Event(event)))
            .collect(),
        Err(error) => return vec![Err(not_understood(path, &error))],
    };
    if reader.is_within() {
        items.push(Ok(StreamItem::Part));
    } else if items.is_empty() {
        items.push(Ok(StreamItem::Alive));
    }
    items
}

fn parsed<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| not_understood(path, &error))
}
