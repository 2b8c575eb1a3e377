//! What must stay of a range of the log, worked out here from the log itself.
//!
//! Owns reading the log up to the end of the range and the checks by which what was read is the log that
//! witnesses saw: the root, the pinned genesis, what is left of earlier prunings, and how long ago
//! witnesses saw the range. Nothing that the server says about the range is taken. Signatures of entries
//! are the auditor's to verify; who changed an entry changed the root.
//!
//! Memory grows with what stays, by 40 bytes an entry, and with the chains of the log; not with entries.
//!
//! Source: `docs/formats/administrative.md`, "Pruning a log"; C2SP tlog-tiles.

use crate::backoff::Backoff;
use anyhow::{Context as _, bail, ensure};
use cairn_api::problem::Family;
use cairn_api::submission::{CheckpointSizes, ConsistencyAnswer};
use cairn_api::{Client, ClientError, paths};
use cairn_event::administrative::LogPrune;
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_identity::Ledger;
use cairn_identity::retention::{
    KeptDigest, PrunedRange, Remainder, Retention, digest, read_thinned,
};
use cairn_tlog::hash::HASH_BYTES;
use cairn_tlog::{
    BundleId, Frontier, Hash, TILE_WIDTH, TileId, TrustPolicy, bundle, leaf_hash,
    verify_consistency,
};
use futures_util::{StreamExt as _, stream};
use serde::de::DeserializeOwned;
use std::ops::Range;

/// Bundles fetched ahead: enough to hide a slow line, and at most 135 MB of the largest entries.
const AHEAD: usize = 8;

/// How often something is asked for before a silent or busy server ends the command: about a minute.
const ATTEMPTS: u32 = 6;

/// Entries in a bundle.
const WIDTH: u64 = TILE_WIDTH as u64;

/// The log to be read.
pub(super) struct Log<'a> {
    /// The server.
    pub client: &'a Client,
    /// Who makes a checkpoint believable.
    pub policy: &'a TrustPolicy,
    /// The log's origin.
    pub origin: &'a str,
    /// Leaf hash of entry 0, pinned.
    pub genesis: Sha256,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Found {
    /// Digest of what must stay.
    pub kept: Sha256,
    /// Entries that must stay.
    pub kept_entries: u64,
    /// Unix seconds by which the witnesses' quorum had seen the whole range; `None` without witnesses.
    pub published_s: Option<u64>,
}

/// A bundle as the server gives it.
enum Fetched {
    Whole(Vec<u8>),
    Pruned { leaves: Vec<u8>, kept: Vec<u8> },
}

impl Log<'_> {
    /// Works out what must stay of `range`, which begins at the minimum index. `progress` is told the
    /// entries read and the entries to read.
    pub(super) async fn survey(
        &self,
        range: Range<u64>,
        mut progress: impl FnMut(u64, u64),
    ) -> anyhow::Result<Found> {
        let retention: Retention = self.json(paths::RETENTION).await?;
        retention.check_form()?;
        let minimum = retention.minimum_index;
        ensure!(
            minimum == range.start,
            "the range begins at {}, the log's minimum index is {minimum}",
            range.start
        );
        let mut reading = Reading::new(self.origin, range.clone(), &retention);
        let fetches = stream::iter(0..range.end / WIDTH).map(|number| self.fetch(number, minimum));
        let mut fetches = fetches.buffered(AHEAD);
        while let Some(fetched) = fetches.next().await {
            reading.take(&fetched?)?;
            progress(reading.tree.size(), range.end);
        }
        ensure!(
            reading.genesis == Some(self.genesis),
            "entry 0 is not the genesis of this organisation"
        );
        for (earlier, left) in retention.pruned.iter().zip(reading.left.iter()) {
            self.check_left(earlier, left.clone().finish(), &reading.ledger)
                .await?;
        }
        let published_s = self.check_root(&reading.tree).await?;
        let kept = reading.remainder.so_far();
        Ok(Found {
            kept: digest(&kept),
            kept_entries: kept.len() as u64,
            published_s,
        })
    }

    async fn fetch(&self, number: u64, minimum: u64) -> anyhow::Result<Fetched> {
        if number.saturating_mul(WIDTH) >= minimum {
            let path = format!("/{}", BundleId::full(number));
            return Ok(Fetched::Whole(self.bytes(&path).await?));
        }
        let kept = paths::fill(paths::KEPT, "bundle", number);
        Ok(Fetched::Pruned {
            leaves: self.bytes(&format!("/{}", TileId::full(0, number))).await?,
            kept: self.bytes(&kept).await?,
        })
    }

    /// What is left of an earlier range must be what administrators said would stay: later entries are
    /// judged by it.
    async fn check_left(
        &self,
        earlier: &PrunedRange,
        left: Sha256,
        ledger: &Ledger,
    ) -> anyhow::Result<()> {
        let PrunedRange {
            entry: at,
            from,
            to,
        } = *earlier;
        let bytes = self.bytes(&paths::fill(paths::ENTRY, "index", at)).await?;
        let entry = Entry::parse(&bytes)?;
        entry.verify(&ledger.key_for(&entry, &[])?)?;
        ledger.admit(&entry)?;
        let Body::LogPrune(order) = &entry.payload().body else {
            bail!("the log says that entry {at} ordered a pruning, and it did not");
        };
        ensure!(
            (order.from, order.to) == (from, to) && order.kept == left,
            "what is left of {from} to {to} is not what entry {at} keeps: have the log audited"
        );
        Ok(())
    }

    /// The entries that were read must be the beginning of a tree that witnesses saw; gives when they did.
    async fn check_root(&self, read: &Frontier) -> anyhow::Result<Option<u64>> {
        let end = read.size();
        let after = end.saturating_sub(1);
        let first = format!("{}?after={after}&limit=1", paths::CHECKPOINTS);
        let CheckpointSizes { sizes } = self.json(&first).await?;
        let covering = sizes.first().copied().filter(|size| *size >= end);
        let size = covering.with_context(|| format!("no published checkpoint covers {end}"))?;
        let note = paths::fill(paths::CHECKPOINT_AT, "size", size);
        let note = String::from_utf8(self.bytes(&note).await?)?;
        let verified = self.policy.verify_checkpoint(&note)?;
        let head = &verified.checkpoint;
        ensure!(
            head.origin == self.origin && head.size == size,
            "the checkpoint of size {size} is one of `{}` and size {}",
            head.origin,
            head.size
        );
        let path = format!("{}?from={end}&to={size}", paths::CONSISTENCY);
        let ConsistencyAnswer { proof } = self.json(&path).await?;
        let proof = proof.iter().map(|hash| Hash::from_base64(hash));
        let proof: Vec<Hash> = proof.collect::<Result<_, _>>()?;
        verify_consistency(end, size, &read.root(), &head.root, &proof)
            .context("the entries that the server gave are not those that were witnessed")?;
        Ok(self.policy.first_quorum_time(&verified))
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        serde_json::from_slice(&self.bytes(path).await?).with_context(|| format!("`{path}`"))
    }

    /// Asks again where that may help: a reading of hours outlives a restart of the server.
    async fn bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let mut backoff = Backoff::default();
        let mut left = ATTEMPTS;
        loop {
            left = left.saturating_sub(1);
            match self.client.bytes(path).await {
                Err(error) if error.family() == Family::Retry && left > 0 => {
                    tokio::time::sleep(backoff.wait()).await;
                }
                answer => return answer,
            }
        }
    }
}

/// The log as far as it was read.
struct Reading<'a> {
    ledger: Ledger,
    tree: Frontier,
    remainder: Remainder,
    genesis: Option<Sha256>,
    retention: &'a Retention,
    /// Of each range that was pruned the digest of what is there.
    left: Vec<KeptDigest>,
}

impl<'a> Reading<'a> {
    fn new(origin: &str, range: Range<u64>, retention: &'a Retention) -> Self {
        let mut ledger = Ledger::new(origin);
        ledger.set_minimum_index(retention.minimum_index);
        Self {
            ledger,
            tree: Frontier::new(),
            remainder: Remainder::new(range),
            genesis: None,
            left: vec![KeptDigest::default(); retention.pruned.len()],
            retention,
        }
    }

    /// Takes the next bundle.
    fn take(&mut self, fetched: &Fetched) -> anyhow::Result<()> {
        match fetched {
            Fetched::Whole(bytes) => {
                for entry in bundle::decode(bytes, TILE_WIDTH)? {
                    self.entry(entry)?;
                }
            }
            Fetched::Pruned { leaves, kept } => {
                let kept = read_thinned(kept)?;
                let (leaves, rest) = leaves.as_chunks::<HASH_BYTES>();
                let full = leaves.len() == usize::from(TILE_WIDTH) && rest.is_empty();
                ensure!(full, "a tile of the pruned range is not full");
                for (leaf, position) in leaves.iter().zip(0..=u8::MAX) {
                    match kept.get(&position) {
                        Some(entry) => self.entry(entry)?,
                        None => {
                            self.tree.push(Hash(*leaf));
                            self.ledger.skip();
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let (index, leaf) = (self.tree.size(), leaf_hash(bytes));
        self.tree.push(leaf);
        let leaf = Sha256(leaf.0);
        self.genesis.get_or_insert(leaf);
        let after = |range: &PrunedRange| range.to <= index;
        let range = self.retention.pruned.partition_point(after);
        if let Some(left) = self.left.get_mut(range) {
            left.push(index, &leaf);
        }
        let entry = Entry::parse(bytes)
            .with_context(|| format!("entry {index} cannot be read by this program"))?;
        let admission = self.ledger.admit(&entry);
        let admission = admission.with_context(|| {
            format!("entry {index} should not be in the log: have the log audited")
        })?;
        self.ledger.apply(&entry, admission);
        self.remainder.note(index, leaf, Some(&entry), &self.ledger);
        Ok(())
    }
}

/// Whether an order for `days` days may be signed now, by the witnesses' clocks and this machine's.
///
/// # Errors
/// The text for the administrator.
pub(super) fn check_age(found: &Found, order: &LogPrune, now_s: u64) -> anyhow::Result<()> {
    let Some(published_s) = found.published_s else {
        tell!("cairn: warning: no witness says how old the entries are");
        return Ok(());
    };
    let days = now_s.saturating_sub(published_s) / LogPrune::DAY_S;
    ensure!(
        order.came_late_enough(published_s, now_s),
        "entries up to {} are to be older than {} days, and witnesses saw them {days} days ago",
        order.to,
        order.days
    );
    Ok(())
}
