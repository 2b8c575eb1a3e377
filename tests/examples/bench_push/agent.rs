//! One agent: a stream, and the daemon's own verification of what it announces.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use cairn_agent::access::Access;
use cairn_agent::enrolment::{Identity, genesis_authority};
use cairn_agent::policy::{Basis, Enforcement, InForce, activate};
use cairn_api::{Client, paths};
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
}

impl Agent {
    /// An agent before its first look at the server.
    pub fn new(pins: Arc<Pins>, device: Device, client: &Client) -> Result<Self> {
        let identity = pins.identity(&device, client.base());
        Ok(Self {
            basis: Basis::new(&identity)?,
            access: Access::new(client.clone(), &pins.origin, Some(device.id())),
            enforcement: Enforcement::default(),
            device,
        })
    }

    /// Follows for ever; says each version that it enforces, and when it began to.
    pub async fn follow(mut self, told: mpsc::UnboundedSender<Result<(u64, Instant)>>) {
        if let Err(error) = self.try_follow(&told).await {
            // Nobody listens any more once the measurement is over.
            let _ = told.send(Err(error));
        }
    }

    async fn try_follow(
        &mut self,
        told: &mpsc::UnboundedSender<Result<(u64, Instant)>>,
    ) -> Result<()> {
        let client = self.access.client(self.device.key()).await?;
        let mut stream = std::pin::pin!(client.stream(paths::POLICY_STREAM).await?);
        self.sync(&client, told).await?;
        loop {
            let event = stream.next().await;
            event.context("the server closed the stream")??;
            self.sync(&client, told).await?;
        }
    }

    async fn sync(
        &mut self,
        client: &Client,
        told: &mpsc::UnboundedSender<Result<(u64, Instant)>>,
    ) -> Result<()> {
        let roster = client.roster(self.basis.roster().revision).await?;
        let policy = client.policy().await?.context("no policy is in force")?;
        for entry in &roster.entries {
            self.basis.apply_roster(entry)?;
        }
        let known = self
            .enforcement
            .now()
            .active
            .as_ref()
            .map(|active| active.index);
        if known == Some(policy.index) {
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
