//! Reading what a server answers: bodies up to a limit, problems as errors.
//!
//! Owns the limits. A body is counted as it comes, because whoever stands between need not say its length
//! or may say a wrong one, and no text of others gets into a terminal with its control characters.

use super::ClientError;
use crate::event_stream::MAX_EVENT_BYTES;
use crate::problem::{Family, Problem};
use futures_util::StreamExt;

/// Largest answer body accepted: a full bundle of largest entries, decoded, twice.
pub const MAX_ANSWER_BYTES: usize = 64 * 1_048_576;

/// Largest answer that was waited for: both notices, each as long as an event of the stream may be.
pub const MAX_NEWS_BYTES: usize = 2 * MAX_EVENT_BYTES;

/// Largest problem body that is read: ours have some hundred bytes. A longer one is known by its status.
pub const MAX_PROBLEM_BYTES: usize = 65_536;

/// The body of a good answer.
///
/// Errors: [`ClientError`]; [`ClientError::Answer`] for a body of more than `bytes_max`.
pub(super) async fn body(
    path: &str,
    response: reqwest::Response,
    bytes_max: usize,
) -> Result<Vec<u8>, ClientError> {
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    match read(response, bytes_max).await? {
        Some(body) => Ok(body),
        None => Err(not_understood(
            path,
            &format!("longer than {bytes_max} bytes"),
        )),
    }
}

/// The problem that an answer is which is no good one.
pub(super) async fn refusal(response: reqwest::Response) -> ClientError {
    let (status, pause) = (response.status().as_u16(), retry_after(&response));
    match read(response, MAX_PROBLEM_BYTES).await {
        Ok(body) => problem(status, pause, &body.unwrap_or_default()),
        Err(error) => error,
    }
}

/// A body of at most `bytes_max`; `None` for a longer one, of which no more is read.
async fn read(
    response: reqwest::Response,
    bytes_max: usize,
) -> Result<Option<Vec<u8>>, ClientError> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(unreachable_server)?;
        if body.len().saturating_add(chunk.len()) > bytes_max {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The seconds of `Retry-After`; a date is not what our server sends, and a proxy's is not waited for.
fn retry_after(response: &reqwest::Response) -> Option<u64> {
    let value = response.headers().get("retry-after")?;
    value.to_str().ok()?.parse().ok()
}

fn problem(status: u16, retry_after_s: Option<u64>, body: &[u8]) -> ClientError {
    let read: Problem = serde_json::from_slice(body).unwrap_or_else(|_| {
        let family = if status == 429 || status >= 500 {
            Family::Retry
        } else {
            Family::Refused
        };
        Problem::new(
            "http",
            "The server answered with an error",
            status,
            family,
            String::new(),
        )
    });
    ClientError::Problem(Box::new(Problem {
        kind: shown(&read.kind),
        title: shown(&read.title),
        detail: shown(&read.detail),
        retry_after_s,
        ..read
    }))
}

/// A text for people: what would move a cursor or colour a terminal is replaced, line feeds are not.
fn shown(text: &str) -> String {
    let harmless = |letter: char| !letter.is_control() || letter == '\n';
    let letters = text.chars();
    letters
        .map(|letter| {
            if harmless(letter) {
                letter
            } else {
                char::REPLACEMENT_CHARACTER
            }
        })
        .collect()
}

/// An answer that is not what the surface says.
pub(super) fn not_understood(path: &str, detail: &dyn std::fmt::Display) -> ClientError {
    ClientError::Answer {
        path: path.to_owned(),
        detail: detail.to_string(),
    }
}

/// A server that cannot be reached, in the words of what happened.
pub(super) fn unreachable_server(error: reqwest::Error) -> ClientError {
    // reqwest's own text stops at "error sending request"; its source says what happened.
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    ClientError::Unreachable(text)
}
