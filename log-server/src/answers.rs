//! Answers that are made and not yet taken: how much memory they may hold, and for how long.
//!
//! A client decides when it reads. What it asked for is kept until then, so room is charged for long
//! answers to reads, and a connection whose answer is not taken in time is closed (`listener`). Bytes
//! that all answers share cost nothing more and are not charged.

use crate::problem::Problem;
use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of long answers that may be held at once: some hundred bundles of the largest entries.
const HELD_BYTES_MAX: usize = 268_435_456;

/// Answers from this length on are charged: shorter ones are bounded by how many there may be on a
/// connection, and by how many connections there may be.
const CHARGED_FROM_BYTES: u64 = 65_536;

/// Seconds a reader waits while too many answers are held.
const RETRY_AFTER_S: u64 = 2;

/// How long an answer may take to be read, beside the time its length needs.
const DEADLINE: Duration = Duration::from_secs(60);

/// The slowest reading that is waited for, bytes a second: 512 kbit/s.
const SLOWEST: u64 = 65_536;

/// Marks an answer whose bytes are in memory once for all readers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared;

/// Room for long answers.
#[derive(Clone)]
pub(crate) struct Held(Arc<Semaphore>);

impl Held {
    /// All of it.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(HELD_BYTES_MAX)))
    }
}

/// Charges a long answer to a read. Answers to submissions are not: who submits is known by then, and
/// an answer refused would be asked for again.
pub(crate) async fn charged(State(held): State<Held>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = next.run(request).await;
    let length = answer.body().size_hint().exact().unwrap_or_default();
    let shared = answer.extensions().get::<Shared>().is_some();
    if !reads || shared || length < CHARGED_FROM_BYTES {
        return answer;
    }
    let bytes = u32::try_from(length).unwrap_or(u32::MAX);
    match held.0.try_acquire_many_owned(bytes) {
        Ok(room) => answer.map(|body| Kept::<OwnedSemaphorePermit>::body(body, room)),
        Err(_) => {
            let detail = "too many long answers are waiting to be read";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::retry(status, "answers-full", RETRY_AFTER_S, detail).into_response()
        }
    }
}

/// How long `answer` may take to be read; `None` for a stream, which ends when its reader wants.
pub(crate) fn time_to_read(answer: &Response) -> Option<Duration> {
    let media = answer.headers().get(header::CONTENT_TYPE);
    if media.is_some_and(|media| media.as_bytes().starts_with(b"text/event-stream")) {
        return None;
    }
    let length = answer.body().size_hint().exact().unwrap_or_default();
    Some(DEADLINE + Duration::from_secs(length / SLOWEST))
}

/// A body that keeps something until it is read or dropped.
pub(crate) struct Kept<T> {
    body: Body,
    _kept: T,
}

impl<T: Send + Unpin + 'static> Kept<T> {
    /// `body`, which keeps `kept`.
    pub fn body(body: Body, kept: T) -> Body {
        Body::new(Self { body, _kept: kept })
    }
}

impl<T: Unpin> HttpBody for Kept<T> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    fn router() -> Router {
        let long = || async { vec![0_u8; HELD_BYTES_MAX / 4] };
        let once = || async {
            let bytes = Bytes::from_static(&[0; 131_072]);
            (axum::Extension(Shared), bytes)
        };
        Router::new()
            .route("/long", get(long).post(long))
            .route("/once", get(once))
            .layer(from_fn_with_state(Held::new(), charged))
    }

    async fn ask(router: &Router, method: &str, path: &str) -> Response {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn unread_answers_hold_no_more_than_there_is_room_for() {
        let router = router();
        let mut unread = Vec::new();
        for _ in 0..4 {
            unread.push(ask(&router, "GET", "/long").await);
            assert_eq!(unread.last().unwrap().status(), StatusCode::OK);
        }
        let refused = ask(&router, "GET", "/long").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key(header::RETRY_AFTER));
        // What is kept for all anyway, and the answer to a submission, are given.
        assert_eq!(ask(&router, "GET", "/once").await.status(), StatusCode::OK);
        assert_eq!(ask(&router, "POST", "/long").await.status(), StatusCode::OK);
        let read = unread.pop().unwrap().into_body();
        let bytes = axum::body::to_bytes(read, usize::MAX).await.unwrap();
        assert_eq!(bytes.len(), HELD_BYTES_MAX / 4);
        assert_eq!(ask(&router, "GET", "/long").await.status(), StatusCode::OK);
    }
}
