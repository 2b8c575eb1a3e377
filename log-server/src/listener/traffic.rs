//! A byte stream that remembers when something last moved on it, since when it waits for the rest of a
//! request's head, and which answers it still owes.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

/// When something last moved, how many handlers work for the connection, and by when which of its
/// answers must have been read.
pub(super) struct Traffic {
    begun: Instant,
    moved_ms: AtomicU64,
    working: AtomicU64,
    owed: Mutex<Owed>,
    first_due: watch::Sender<Option<Instant>>,
    /// Since when a head is on its way: the first byte of it has come, or of the first one none yet.
    head_since: watch::Sender<Option<Instant>>,
    spoken: Mutex<Spoken>,
}

/// What a connection speaks, by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spoken {
    /// So many bytes of the HTTP/2 preface have come, and nothing else.
    Unknown(usize),
    Http1,
    Http2,
}

/// How the preface of HTTP/2 begins, and no request of HTTP/1 that anybody has a route for.
const PREFACE: &[u8] = b"PRI ";

/// Answers that are being read: when each must be done, and its number.
#[derive(Default)]
struct Owed {
    answers: BTreeSet<(Instant, u64)>,
    made: u64,
}

impl Traffic {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            moved_ms: AtomicU64::new(0),
            working: AtomicU64::new(0),
            owed: Mutex::default(),
            first_due: watch::Sender::new(None),
            head_since: watch::Sender::new(Some(Instant::now())),
            spoken: Mutex::new(Spoken::Unknown(0)),
        })
    }

    /// Bytes have come. In HTTP/1 they begin a head when nobody works on a request; HTTP/2 has frames of
    /// its own at any time, and is bounded by its silence.
    fn read(&self, bytes: &[u8]) {
        self.moved();
        let spoken = {
            let mut spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
            *spoken = spoken.after(bytes);
            *spoken
        };
        if spoken == Spoken::Http2 {
            self.head_is_over();
        } else if !bytes.is_empty() && self.working.load(Ordering::Relaxed) == 0 {
            self.head_since.send_if_modified(|since| {
                let begins = since.is_none();
                since.get_or_insert_with(Instant::now);
                begins
            });
        }
    }

    /// The head has come whole, or an answer goes out: no head is waited for.
    fn head_is_over(&self) {
        self.head_since
            .send_if_modified(|since| since.take().is_some());
    }

    /// Resolves when a head that has begun is not whole after `head`. A connection that is silent between
    /// two requests waits for none.
    pub(super) async fn head_overdue(&self, head: Duration) {
        let mut head_since = self.head_since.subscribe();
        loop {
            let since = *head_since.borrow_and_update();
            let late = async {
                match since {
                    Some(since) => tokio::time::sleep_until(since + head).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = late => return,
                // The sender lives as long as this connection.
                _ = head_since.changed() => {}
            }
        }
    }

    fn moved(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(now, Ordering::Relaxed);
    }

    /// A handler begins to work; it ends when the guard is dropped.
    pub(super) fn work(self: &Arc<Self>) -> Working {
        self.working.fetch_add(1, Ordering::Relaxed);
        self.head_is_over();
        Working(self.clone())
    }

    /// An answer is made and must be read within `time`; dropping the guard says that it was.
    pub(super) fn owe(self: &Arc<Self>, time: Duration) -> Owing {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.made += 1;
        let answer = (Instant::now() + time, owed.made);
        owed.answers.insert(answer);
        self.tell_first_due(&owed);
        Owing {
            traffic: self.clone(),
            answer,
        }
    }

    fn tell_first_due(&self, owed: &Owed) {
        let first = owed.answers.first().map(|(due, _)| *due);
        self.first_due.send_if_modified(|known| {
            let changed = *known != first;
            *known = first;
            changed
        });
    }

    /// Resolves when an answer has not been read in time, whatever else moves on the connection.
    pub(super) async fn overdue(&self) {
        let mut first_due = self.first_due.subscribe();
        loop {
            let due = *first_due.borrow_and_update();
            let late = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = late => return,
                // The sender lives as long as this connection.
                _ = first_due.changed() => {}
            }
        }
    }

    /// Resolves when nothing has moved for as long as `idle` says at that moment, and nobody works.
    pub(super) async fn idle(&self, idle: impl Fn() -> Duration) {
        loop {
            let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
            let quiet = self.begun.elapsed().saturating_sub(moved);
            let allowed = idle();
            if quiet >= allowed {
                if self.working.load(Ordering::Relaxed) == 0 {
                    return;
                }
                tokio::time::sleep(allowed).await;
            } else {
                // Looked at again in a second, since what is allowed may shrink.
                let next = (allowed - quiet).min(Duration::from_secs(1).max(allowed / 16));
                tokio::time::sleep(next).await;
            }
        }
    }
}

impl Spoken {
    fn after(self, bytes: &[u8]) -> Self {
        let Self::Unknown(come) = self else {
            return self;
        };
        let expected = PREFACE.get(come..).unwrap_or_default();
        let compared = expected.len().min(bytes.len());
        match (expected.get(..compared), bytes.get(..compared)) {
            (Some(expected), Some(found)) if expected != found => Self::Http1,
            _ if come + compared == PREFACE.len() => Self::Http2,
            _ => Self::Unknown(come + compared),
        }
    }
}

/// A handler at work.
pub(super) struct Working(Arc<Traffic>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.moved();
        self.0.working.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer that is being read.
pub(super) struct Owing {
    traffic: Arc<Traffic>,
    answer: (Instant, u64),
}

impl Drop for Owing {
    fn drop(&mut self) {
        let owed = &self.traffic.owed;
        let mut owed = owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.answers.remove(&self.answer);
        self.traffic.tell_first_due(&owed);
    }
}

/// A stream whose bytes are noted.
pub(super) struct Watched<I> {
    inner: I,
    traffic: Arc<Traffic>,
}

impl<I> Watched<I> {
    pub(super) fn new(inner: I, traffic: Arc<Traffic>) -> Self {
        Self { inner, traffic }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        let come = buffer.filled().get(before..).unwrap_or_default();
        self.traffic.read(come);
        Poll::Ready(outcome)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.inner).poll_write(context, bytes));
        self.traffic.moved();
        self.traffic.head_is_over();
        Poll::Ready(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, parts));
        self.traffic.moved();
        self.traffic.head_is_over();
        Poll::Ready(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_and_silence_between_requests_has_another() {
        const HEAD: Duration = Duration::from_secs(20);
        let late = |traffic: Arc<Traffic>| async move {
            let waiting = traffic.head_overdue(HEAD);
            tokio::time::timeout(Duration::from_secs(600), waiting)
                .await
                .is_ok()
        };
        // The first head never comes.
        assert!(late(Traffic::new()).await);
        // It comes, is worked on and answered; then nothing.
        let traffic = Traffic::new();
        traffic.read(b"GET / HTTP/1.1\r\n\r\n");
        drop(traffic.work());
        traffic.head_is_over();
        assert!(!late(traffic.clone()).await);
        // The second one begins and does not end, however slowly it goes on.
        let begun = Instant::now();
        let dripping = async {
            loop {
                traffic.read(b"G");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            () = traffic.head_overdue(HEAD) => {}
            () = dripping => {}
        }
        assert_eq!(begun.elapsed(), HEAD);
        // HTTP/2 is told by its preface, wherever that is cut.
        let traffic = Traffic::new();
        for part in [&b"P"[..], b"RI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"a frame"] {
            traffic.read(part);
        }
        assert!(!late(traffic).await);
        let traffic = Traffic::new();
        traffic.read(b"PRO");
        assert!(late(traffic).await);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_read_ends_the_connection_although_other_bytes_move() {
        let traffic = Traffic::new();
        let begun = Instant::now();
        let read = traffic.owe(Duration::from_secs(10));
        let unread = traffic.owe(Duration::from_secs(30));
        let moving = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                traffic.moved();
            }
        };
        let in_time = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(read);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = traffic.overdue() => {}
            () = moving => {}
            () = in_time => {}
        }
        assert_eq!(begun.elapsed().as_secs(), 30);
        drop(unread);
        let late = tokio::time::timeout(Duration::from_secs(600), traffic.overdue());
        assert!(late.await.is_err(), "nothing is owed any more");
    }
}
