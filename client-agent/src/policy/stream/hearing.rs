//! How long a server is believed to be there that says nothing, or nothing whole.
//!
//! Owns the deadlines of a stream: until it begins, between signs of life, and for what began to end. A middlebox
//! that drops an idle connection tells nobody, and one that passes on a byte a second keeps it alive with
//! nothing ever told.

use cairn_api::ClientError;
use cairn_api::distribution::STREAM_HEARTBEAT;
use cairn_api::event_stream::{StreamEvent, StreamItem};
use cairn_policy::FRESH_LEAST_MS;
use futures_util::{Stream, StreamExt};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};

/// From the request for the stream to its first bytes, which the server sends at once.
const FIRST: Duration = Duration::from_secs(20);

/// Between signs of life: more than two of them, and with the reconnection less than the minute after which an
/// organisation may call a policy old.
const SILENCE: Duration = Duration::from_secs(40);

const _: () = assert!(SILENCE.as_secs() > 2 * STREAM_HEARTBEAT.as_secs());
const _: () = assert!(SILENCE.as_secs() < FRESH_LEAST_MS / 1_000);

/// From the first byte of an event to its last: an event has at most some 20 KiB, which a line of a mobile network
/// carries in a second.
const EVENT: Duration = Duration::from_secs(10);

/// How long the server is asked with `?wait=` before the stream is tried again.
const ASKING: Duration = Duration::from_secs(3_600);

/// How long a silent server is believed to be there.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the request for the stream to its first bytes.
    pub first: Duration,
    /// Between signs of life: more than two of the stream's heartbeats.
    pub silence: Duration,
    /// From the first byte of an event to its last.
    pub event: Duration,
    /// How long it is asked with `?wait=` before the stream is tried again.
    pub asking: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: FIRST,
            silence: SILENCE,
            event: EVENT,
            asking: ASKING,
        }
    }
}

/// A stream that began.
pub(super) struct Hearing<S> {
    stream: S,
    patience: Patience,
    /// What came and was not given out yet.
    next: Option<StreamItem>,
    silent_at: Instant,
    /// Until when what began has to end.
    whole_at: Option<Instant>,
}

/// What came of listening.
#[derive(Debug)]
pub(super) enum Heard {
    /// A change was told.
    Event(StreamEvent),
    /// The stream ended.
    Ended,
    /// No sign of life came in time.
    Silent,
    /// What began did not end in time.
    Trickles,
}

/// Opens the stream and waits for its first bytes: a proxy may hold back the head of the answer too. `None` where
/// nothing came, or it ended before it began, which is as good as silent.
///
/// Errors: those of the stream.
pub(super) async fn begin<S>(
    opening: impl Future<Output = Result<S, ClientError>>,
    patience: Patience,
) -> Result<Option<Hearing<Pin<Box<S>>>>, ClientError>
where
    S: Stream<Item = Result<StreamItem, ClientError>>,
{
    let first = timeout(patience.first, async {
        let mut stream = Box::pin(opening.await?);
        let first = stream.next().await.transpose()?;
        Ok::<_, ClientError>(first.map(|first| (stream, first)))
    });
    let Ok(begun) = first.await else {
        return Ok(None);
    };
    Ok(begun?.map(|(stream, first)| {
        let mut hearing = Hearing {
            stream,
            patience,
            next: None,
            silent_at: Instant::now(),
            whole_at: None,
        };
        hearing.came(&first);
        hearing.next = Some(first);
        hearing
    }))
}

impl<S> Hearing<S>
where
    S: Stream<Item = Result<StreamItem, ClientError>> + Unpin,
{
    /// The next change that is told, or why none will be. Dropped before it is ready it loses nothing.
    ///
    /// Errors: those of the stream.
    pub(super) async fn next(&mut self) -> Result<Heard, ClientError> {
        loop {
            if let Some(StreamItem::Event(event)) = self.next.take() {
                return Ok(Heard::Event(event));
            }
            let whole_at = self.whole_at.unwrap_or(self.silent_at);
            tokio::select! {
                biased;
                item = self.stream.next() => match item.transpose()? {
                    Some(item) => {
                        self.came(&item);
                        self.next = Some(item);
                    }
                    None => return Ok(Heard::Ended),
                },
                () = sleep_until(whole_at), if self.whole_at.is_some() => return Ok(Heard::Trickles),
                () = sleep_until(self.silent_at) => return Ok(Heard::Silent),
            }
        }
    }

    fn came(&mut self, item: &StreamItem) {
        let now = Instant::now();
        self.silent_at = now + self.patience.silence;
        self.whole_at = match item {
            StreamItem::Part => Some(self.whole_at.unwrap_or(now + self.patience.event)),
            StreamItem::Event(_) | StreamItem::Alive => None,
        };
    }
}

#[cfg(test)]
mod tests;
