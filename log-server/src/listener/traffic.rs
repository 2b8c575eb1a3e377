//! A byte stream that remembers when something last moved on it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// When something last moved, and how many handlers work for the connection.
pub(super) struct Traffic {
    begun: Instant,
    moved_ms: AtomicU64,
    working: AtomicU64,
}

impl Traffic {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            moved_ms: AtomicU64::new(0),
            working: AtomicU64::new(0),
        })
    }

    fn moved(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_ms.store(now, Ordering::Relaxed);
    }

    /// A handler begins to work; it ends when the guard is dropped.
    pub(super) fn work(self: &Arc<Self>) -> Working {
        self.working.fetch_add(1, Ordering::Relaxed);
        Working(self.clone())
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

/// A handler at work.
pub(super) struct Working(Arc<Traffic>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.moved();
        self.0.working.fetch_sub(1, Ordering::Relaxed);
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
        let outcome = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        self.traffic.moved();
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
        Poll::Ready(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, parts));
        self.traffic.moved();
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
