//! Bodies on their way in: what an unknown sender may make the server hold, and for how long.
//!
//! Owns room that is charged as bytes come, so that a sender who sends slowly takes no room from the
//! others. Does not own what the bytes mean.

use crate::problem::{Family, Problem};
use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Seconds a sender waits when too many bodies are arriving.
const RETRY_AFTER_S: u64 = 1;

/// Room for the bodies of some routes.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// A body that has arrived, and its room.
pub(crate) struct Arrived {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Given back when the bytes are no longer held.
    pub room: OwnedSemaphorePermit,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Takes in a body of at most `bytes_max` within `deadline`.
    ///
    /// # Errors
    /// 413 `body-too-long`, 408 `slow-body`, 429 `too-many-bodies`, 400 `body` where it broke off.
    pub async fn take(
        &self,
        body: Body,
        bytes_max: usize,
        deadline: Duration,
    ) -> Result<Arrived, Problem> {
        let arriving = tokio::time::timeout(deadline, self.arrive(body, bytes_max));
        arriving.await.map_err(|_| {
            let (status, detail) = (
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time",
            );
            Problem::new(status, "slow-body", Family::Retry, detail)
        })?
    }

    async fn arrive(&self, body: Body, bytes_max: usize) -> Result<Arrived, Problem> {
        let full = || {
            let detail = "too many bodies are arriving";
            let status = StatusCode::TOO_MANY_REQUESTS;
            Problem::retry(status, "too-many-bodies", RETRY_AFTER_S, detail)
        };
        let take = |bytes: usize| {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let taken = self.0.clone().try_acquire_many_owned(bytes);
            taken.map_err(|_| full())
        };
        let mut room = take(0)?;
        let mut bytes = Vec::new();
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| Problem::bad_request("body", error.to_string()))?;
            if bytes.len() + chunk.len() > bytes_max {
                let detail = format!("the body is longer than {bytes_max} bytes");
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                let family = Family::Refused;
                return Err(Problem::new(status, "body-too-long", family, detail));
            }
            room.merge(take(chunk.len())?);
            bytes.extend_from_slice(&chunk);
        }
        Ok(Arrived { bytes, room })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use futures_util::stream;
    use std::convert::Infallible;

    const LONG: Duration = Duration::from_secs(20);

    fn status(taken: Result<Arrived, Problem>) -> Option<u16> {
        taken.err().map(|problem| problem.body.status)
    }

    /// A body that sends its beginning and then nothing.
    fn slow() -> Body {
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(&[0; 60]))]);
        Body::from_stream(first.chain(stream::pending()))
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_under_way_have_a_common_bound_and_an_end() {
        let room = Room::new(100);
        let held = room.take(Body::from(vec![0; 30]), 50, LONG).await.unwrap();
        assert_eq!(held.bytes.len(), 30);
        let too_long = room.take(Body::from(vec![0; 51]), 50, LONG).await;
        assert_eq!(status(too_long), Some(413));
        let other = room.clone();
        let slow = tokio::spawn(async move { other.take(slow(), 80, LONG).await });
        tokio::task::yield_now().await;
        let full = room.take(Body::from(vec![0; 11]), 50, LONG).await;
        assert_eq!(status(full), Some(429));
        assert_eq!(status(slow.await.unwrap()), Some(408));
        // The slow one's room came back with its end.
        assert_eq!(
            status(room.take(Body::from(vec![0; 50]), 50, LONG).await),
            None
        );
    }
}
