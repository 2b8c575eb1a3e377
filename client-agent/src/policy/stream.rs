//! Following the server: react to a push within a second, ask and wait where the stream does not come
//! through.
//!
//! Owns reconnecting with jitter and the rule that each connection begins with a full check, so a
//! missed push is never missed for good. A proxy that collects an answer before it passes it on turns a
//! stream into silence, a slow one into events that never end. Where the stream does not come through, the
//! same resource is asked with `?wait=`, and an answer that ends comes through every proxy. After a sleep of this
//! machine no connection is believed.
//!
//! Source: endpoint findings 6.1.

mod hearing;
mod wakes;

pub use hearing::Patience;

use super::news::News;
use super::sync::Syncer;
use super::sync_error::SyncError;
use crate::access::Access;
use crate::backoff::Backoff;
use crate::key::DeviceKey;
use crate::random;
use crate::recorder::Recorder;
use cairn_api::event_stream::StreamItem;
use cairn_api::{Client, ClientError, paths};
use futures_util::Stream;
use hearing::{Heard, Hearing, begin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use wakes::Wakes;

/// How often the policy is confirmed although nothing was told: every 3 to 4 minutes.
///
/// By its receipt a device knows that the policy is the newest. The spread keeps a fleet that started
/// together from asking together.
const CONFIRM: Duration = Duration::from_secs(240);

/// The least that two confirmations are apart: 15 s, however soon an organisation calls a policy old.
const CONFIRM_LEAST: Duration = Duration::from_secs(15);

/// An answer that was waited for less than this and brings nothing new was not waited for.
const WAITED: Duration = Duration::from_secs(1);

/// Problem codes that say this device's key is not good (any more), and not only its token, with what is told
/// of each: whoever stands between must not put a sentence of theirs before a model.
const GONE: [(&str, &str); 2] = [
    ("device-revoked", "it says that the device was revoked"),
    (
        "unknown-key",
        "it says that it does not know the device's key",
    ),
];

/// How following goes, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Following {
    /// The last failure, until something succeeds.
    pub problem: Option<String>,
    /// Whether the stream does not come through, so that the server is asked with `?wait=`.
    pub asks: bool,
}

/// Follows policy and roster for ever; `shown` says how that goes.
pub async fn follow(
    syncer: Syncer,
    access: Access,
    key: Arc<DeviceKey>,
    recorder: Recorder,
    patience: Patience,
    shown: watch::Sender<Following>,
) {
    let mut follower = Follower {
        syncer,
        access,
        key,
        recorder,
        patience,
        shown,
        backoff: Backoff::default(),
        asks_until: None,
        confirm_at: Instant::now(),
    };
    let client = follower.access.anonymous().clone();
    tokio::join!(follower.run(), sever(client, Wakes::of_this_machine()));
}

/// Gives all connections up after each sleep: they may be dead, and nobody tells.
async fn sever(client: Client, mut wakes: Wakes<impl Fn() -> Duration>) {
    loop {
        wakes.next().await;
        tracing::info!("this machine slept; the server is asked anew");
        client.sever();
    }
}

struct Follower {
    syncer: Syncer,
    access: Access,
    key: Arc<DeviceKey>,
    recorder: Recorder,
    patience: Patience,
    shown: watch::Sender<Following>,
    backoff: Backoff,
    /// Until when the stream is not tried.
    asks_until: Option<Instant>,
    confirm_at: Instant,
}

impl Follower {
    /// Connects again and again, for ever.
    async fn run(&mut self) {
        loop {
            let severed = self.access.anonymous().severed();
            let asked = match self.round().await {
                // A server that closes every stream at once must not be asked in a tight loop.
                Ok(()) => None,
                Err(error) => self.failed(&error),
            };
            tokio::select! {
                biased;
                // Nothing of before a sleep is a reason to wait, and a token may have ended in it.
                () = severed => {
                    self.backoff.reset();
                    self.access.forget();
                }
                () = tokio::time::sleep(self.backoff.wait_as_asked(asked)) => {}
            }
        }
    }

    /// One connection: the stream, and a look at everything.
    async fn round(&mut self) -> Result<(), SyncError> {
        let client = self.access.client(self.key.signer()).await?;
        if self.asks_until.is_some_and(|until| Instant::now() < until) {
            return self.ask().await;
        }
        // The stream begins with the newest heads: what changes while both are on their way is told.
        let opening = client.stream(paths::POLICY_STREAM);
        let begun = begin(opening, self.patience);
        let (begun, confirmed) = tokio::join!(begun, self.confirm());
        confirmed?;
        let Some(hearing) = begun? else {
            self.ask_from_now_on();
            return Ok(());
        };
        self.backoff.reset();
        self.asks_until = None;
        self.shown
            .send_if_modified(|shown| std::mem::take(&mut shown.asks));
        self.listen(hearing).await
    }

    /// From the next round on the server is asked: the stream does not come through.
    fn ask_from_now_on(&mut self) {
        tracing::info!("the stream does not come through; the server is asked instead");
        self.asks_until = Some(Instant::now() + self.patience.asking);
        self.shown.send_modify(|shown| shown.asks = true);
        self.backoff.reset();
    }

    /// Listens until the stream ends, or what is heard of it is too little.
    async fn listen(
        &mut self,
        mut hearing: Hearing<impl Stream<Item = Result<StreamItem, ClientError>> + Unpin>,
    ) -> Result<(), SyncError> {
        loop {
            let heard = tokio::select! {
                biased;
                heard = hearing.next() => heard?,
                () = tokio::time::sleep_until(self.confirm_at) => {
                    self.confirm().await?;
                    continue;
                }
            };
            match heard {
                Heard::Event(event) => {
                    if let Some(news) = News::of(&event) {
                        self.take(news).await?;
                    }
                }
                Heard::Ended => return Ok(()),
                Heard::Silent => {
                    // What is dead without a word is not dead alone.
                    self.access.anonymous().reconnect();
                    return Ok(());
                }
                Heard::Trickles => {
                    self.ask_from_now_on();
                    return Ok(());
                }
            }
        }
    }

    /// Asks with `?wait=` until the stream is to be tried again.
    async fn ask(&mut self) -> Result<(), SyncError> {
        self.confirm().await?;
        while self.asks_until.is_some_and(|until| Instant::now() < until) {
            let severed = self.access.anonymous().severed();
            let client = self.access.client(self.key.signer()).await?;
            let (policy, roster) = (self.syncer.policy_index(), self.syncer.roster_revision());
            let asked_at = Instant::now();
            let answer = client.news(policy, roster).await?;
            let mut changed = false;
            for news in News::of_answer(answer) {
                changed |= self.take(news).await?;
            }
            if Instant::now() >= self.confirm_at {
                self.confirm().await?;
            }
            if changed || asked_at.elapsed() >= WAITED {
                self.backoff.reset();
            } else {
                tokio::select! {
                    () = severed => {}
                    () = tokio::time::sleep(self.backoff.wait()) => {}
                }
            }
        }
        Ok(())
    }

    async fn take(&mut self, news: News) -> Result<bool, SyncError> {
        let (access, key) = (&mut self.access, self.key.as_ref());
        let changed = self.syncer.told(news, access, key, &self.recorder).await?;
        self.succeeded();
        Ok(changed)
    }

    /// Checks everything, and sets when to do so again.
    async fn confirm(&mut self) -> Result<(), SyncError> {
        let (access, key) = (&mut self.access, self.key.as_ref());
        self.syncer.sync(access, key, &self.recorder).await?;
        let fresh = Duration::from_millis(self.syncer.ages().warn_ms);
        let most = CONFIRM.min(fresh / 2).max(CONFIRM_LEAST);
        self.confirm_at = Instant::now() + random::spread(most.mul_f64(0.75), most);
        self.succeeded();
        Ok(())
    }

    fn succeeded(&self) {
        self.shown
            .send_if_modified(|shown| shown.problem.take().is_some());
    }

    /// Shows a failure; gives how long the server asks to be left alone.
    fn failed(&mut self, error: &SyncError) -> Option<Duration> {
        tracing::warn!(%error, "policy is not up to date");
        self.shown
            .send_modify(|shown| shown.problem = Some(error.to_string()));
        if let Some(refused) = error.key_refused() {
            self.access.forget();
            let gone = GONE.iter().find(|(code, _)| *code == refused.code());
            if let Some((_, reason)) = gone
                && let Err(error) = self.syncer.refuse(reason)
            {
                tracing::error!(%error, "the refusal is not on disk");
            }
        }
        error.retry_after()
    }
}
