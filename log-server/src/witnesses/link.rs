//! The way to a witness: one request body there, one bounded answer back.
//!
//! Owns HTTP and its bounds. Does not own what is asked or what an answer means (`witnesses`), so that
//! the same publisher runs over a simulated network in tests.

use cairn_tlog::add_checkpoint::{MAX_RESPONSE_BYTES, SIZE_CONTENT_TYPE};
use futures_util::future::BoxFuture;
use reqwest::{Client, StatusCode, header};
use std::time::Duration;

/// What a witness answered, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Whether the media type says that the body is a tree size.
    pub is_size: bool,
    /// The body; longer than `MAX_RESPONSE_BYTES` when the witness sent more than may be read.
    pub body: Vec<u8>,
}

/// Why there is no answer. Retry: the witness may have acted on the request all the same.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The HTTP client's reason.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// Nothing came back in time.
    #[error("nothing came back in time")]
    Silence,
}

/// Carries add-checkpoint requests.
pub trait WitnessLink: Send + Sync {
    /// Sends `body` to the witness's `url` and waits for its answer, at most the link's time limit.
    ///
    /// # Errors
    /// [`LinkError`].
    fn add_checkpoint(
        &self,
        url: &str,
        body: String,
    ) -> BoxFuture<'static, Result<Answer, LinkError>>;
}

/// The link of a running server.
pub struct HttpLink {
    client: Client,
}

impl HttpLink {
    /// A client that gives up after `timeout`.
    ///
    /// # Errors
    /// The HTTP client could not be set up.
    pub fn new(timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder().timeout(timeout).build()?;
        Ok(Self { client })
    }
}

impl WitnessLink for HttpLink {
    fn add_checkpoint(
        &self,
        url: &str,
        body: String,
    ) -> BoxFuture<'static, Result<Answer, LinkError>> {
        let request = self.client.post(url).body(body);
        Box::pin(async move {
            let sent = request.send().await?;
            let status = sent.status();
            let is_size = sent
                .headers()
                .get(header::CONTENT_TYPE)
                .is_some_and(|kind| {
                    kind.to_str()
                        .is_ok_and(|kind| kind.starts_with(SIZE_CONTENT_TYPE))
                });
            let body = bounded_body(sent).await?;
            Ok(Answer {
                status,
                is_size,
                body,
            })
        })
    }
}

/// Reads at most `MAX_RESPONSE_BYTES` and one more chunk; the parser refuses what is longer.
async fn bounded_body(mut answer: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() <= MAX_RESPONSE_BYTES
        && let Some(chunk) = answer.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
