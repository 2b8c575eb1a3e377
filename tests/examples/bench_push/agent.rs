//! One agent: a stream, and the daemon's own verification of what it announces.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result};
use cairn_agent::access::{Access, AccessError};
use cairn_agent::backoff::Backoff;
use cairn_agent::enrolment::{Identity, genesis_authority};
use cairn_agent::policy::{Basis, Enforcement, InForce, News, activate};
use cairn_api::distribution::{PolicyAnswer, RosterEvent};
use cairn_api::event_stream::StreamItem;
use cairn_api::{Client, ClientError, Family, paths};
use cairn_event::{Isolation, KeyProtection, Sha256};
use cairn_tests::fleet::Device;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

/// What every agent pinned.
pub struct Pins {
    origin: String,
    genesis: String,
    leaf: Sha256,
    trust_policy: String,
}

impl Pins {
    /// Checks what is pinned once; every agent checks it again.
    pub fn new(origin: &str, genesis: &str, leaf: &Sha256, trust_policy: &str) -> Result<Self> {
        genesis_authority(genesis, leaf)?;
        Ok(Self {
            origin: origin.to_owned(),
            genesis: genesis.to_owned(),
            leaf: *leaf,
            trust_policy: trust_policy.to_owned(),
        })
    }

    fn identity(&self, device: &Device, server: &str) -> Identity {
        Identity {
            server: server.to_owned(),
            origin: self.origin.clone(),
            device: device.id().to_owned(),
            person: device.person().to_owned(),
            email: String::new(),
            roster_index: 1,
            genesis_entry: self.genesis.clone(),
            genesis_leaf: self.leaf,
            trust_policy: self.trust_policy.clone(),
            pinned_from_outside: true,
            isolation: Isolation::SelfAsserted,
            protection: KeyProtection::Software,
        }
    }
}

/// One device that follows the policy.
pub struct Agent {
    device: Device,
    basis: Basis,
    access: Access,
    enforcement: Enforcement,
    retries: Arc<AtomicU64>,
}

impl Agent {
    /// An agent before its first look at the server.
    pub fn new(
        pins: Arc<Pins>,
        device: Device,
        client: &Client,
        retries: Arc<AtomicU64>,
    ) -> Result<Self> {
        let identity = pins.identity(&device, client.base());
        Ok(Self {
            basis: Basis::new(&identity)?,
            access: Access::new(client.clone(), &pins.origin, Some(device.id())),
            enforcement: Enforcement::default(),
            retries,
            device,
        })
    }

    /// Follows for ever; says each version that it enforces, and when it began to.
    ///
    /// What a server under load refuses, or answers too late, is asked for again as the daemon does it:
    /// later by chance, and from where it was.
    pub async fn follow(mut self, told: mpsc::UnboundedSender<Result<(u64, Instant)>>) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.try_follow(&told, &mut backoff).await {
            let cause = error.downcast_ref::<ClientError>();
            let again = cause.is_some_and(|cause| cause.family() == Family::Retry);
            if !again {
                // Nobody listens any more once the measurement is over.
                let _ = told.send(Err(error));
                return;
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            let asked = cause.and_then(ClientError::retry_after);
            tokio::time::sleep(backoff.wait_as_asked(asked)).await;
        }
    }

    async fn try_follow(
        &mut self,
        told: &mpsc::UnboundedSender<Result<(u64, Instant)>>,
        backoff: &mut Backoff,
    ) -> Result<()> {
        let client = match self.access.client(self.device.key()).await {
            Err(AccessError::Client(error)) => return Err(error.into()),
            client => client?,
        };
        let mut stream = std::pin::pin!(client.stream(paths::POLICY_STREAM).await?);
        self.roster(&client).await?;
        let policy = client.policy(self.index()).await?;
        self.enforce(policy.context("no policy is in force")?, told)?;
        backoff.reset();
        while let Some(item) = stream.next().await {
            let StreamItem::Event(event) = item? else {
                continue;
            };
            match News::of(&event) {
                Some(News::Roster(news)) => self.news_of_roster(&client, news).await?,
                Some(News::Policy(news)) => {
                    let answer = match news.answer {
                        Some(answer) => Some(answer),
                        None => client.policy(self.index()).await?,
                    };
                    self.enforce(answer.context("no policy is in force")?, told)?;
                }
                Some(News::Other) | None => {
                    anyhow::bail!("`{}` is no event of this stream", event.event)
                }
            }
        }
        let ended = "the stream ended".to_owned();
        Err(ClientError::Unreachable(ended).into())
    }

    async fn news_of_roster(&mut self, client: &Client, news: RosterEvent) -> Result<()> {
        let known = self.basis.roster().revision;
        match news.entry.filter(|_| news.notice.revision == known + 1) {
            Some(entry) => self.basis.apply_roster(&entry)?,
            None => self.roster(client).await?,
        }
        Ok(())
    }

    async fn roster(&mut self, client: &Client) -> Result<()> {
        loop {
            let page = client.roster(self.basis.roster().revision).await?;
            for entry in &page.entries {
                self.basis.apply_roster(entry)?;
            }
            if page.entries.is_empty() || self.basis.roster().revision >= page.newest {
                return Ok(());
            }
        }
    }

    fn index(&self) -> Option<u64> {
        let now = self.enforcement.now();
        now.active.as_ref().map(|active| active.index)
    }

    fn enforce(
        &mut self,
        policy: PolicyAnswer,
        told: &mpsc::UnboundedSender<Result<(u64, Instant)>>,
    ) -> Result<()> {
        if self.index() == Some(policy.index) {
            self.basis.policy(&policy)?;
            return Ok(());
        }
        let (active, _) = activate(&mut self.basis, &policy)?;
        let version = active.compiled.bundle().version;
        self.enforcement.swap(InForce {
            active: Some(Arc::new(active)),
            subject: self.basis.subject(),
            roster_index: self.basis.roster_index(),
            ..InForce::default()
        });
        told.send(Ok((version, Instant::now())))?;
        Ok(())
    }
}
