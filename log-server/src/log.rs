//! The handle through which everything else speaks to the log.
//!
//! Owns [`Log`]: cheap to clone, safe to share. Does not own the sequencer (`sequence`) or the
//! publisher (`publish`); it hands work to the first and watches the second.

use crate::admit::{self, Verifiers};
use crate::clock::Clock;
use crate::config::Config;
use crate::disclosures::DisclosureStore;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::outcome::{Level, SubmitError, SubmitResult, Wait};
use crate::pool::{Pool, Verdict};
use crate::problem::Problem;
use crate::receipts::{FoldedTiles, ReceiptError, ReceiptMaker};
use crate::store::{Entries, LogStore, PublishedCheckpoint, StoreError, entries};
use cairn_event::{EntrySigner, Frame};
use cairn_identity::Ledger;
use cairn_tlog::{Hash, TrustPolicy};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Receipts that are made without leaving the async thread: a few point reads at most.
const RECEIPTS_IN_PLACE: usize = 4;

/// A view of the ledger as of the sequenced head. Do not hold it across an await.
pub type LedgerView<'a> = RwLockReadGuard<'a, Ledger>;

/// The parts of a running log; made by `crate::recover`.
pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) store: Arc<dyn LogStore>,
    pub(crate) pool: Pool,
    pub(crate) verifiers: Verifiers,
    pub(crate) tiles: FoldedTiles,
    pub(crate) ledger: Arc<RwLock<Ledger>>,
    pub(crate) size: watch::Receiver<u64>,
    pub(crate) published: watch::Receiver<PublishedCheckpoint>,
    pub(crate) stopped: watch::Sender<Option<String>>,
    pub(crate) disclosures: Arc<DisclosureStore>,
    pub(crate) trust: Option<Arc<TrustPolicy>>,
    pub(crate) trust_text: Option<String>,
    pub(crate) recent: Arc<crate::recent::Recent>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) quotas: crate::quota::Quotas,
    pub(crate) chain_starts: crate::chain_starts::ChainStarts,
    pub(crate) lag: crate::reads::Lag,
    /// The index of the services, where there are services, and since when it lags.
    pub(crate) watched: std::sync::OnceLock<crate::services::standing::Watched>,
    pub(crate) index_lag: crate::reads::Lag,
    pub(crate) clock: Clock,
}

/// A running log.
#[derive(Clone)]
pub struct Log(pub(crate) Arc<Inner>);

impl Log {
    /// Submits frames (`entry~disclosure~…~`, no line feed) and waits until each entry has come as
    /// far as `wait` asks or `deadline` has passed. One result for each frame, in order.
    ///
    /// The entries are durable whatever the deadline: a result below `wait` is not a failure.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing was taken (`PoolFull`, `DiskReserve`), or the log has stopped.
    pub async fn submit(
        &self,
        frames: Vec<String>,
        wait: Wait,
        deadline: Duration,
    ) -> Result<Vec<SubmitResult>, SubmitError> {
        if self.0.stopped.borrow().is_some() {
            return Err(SubmitError::Stopped);
        }
        let until = Instant::now() + deadline;
        let ticket = self.0.pool.reserve(&frames)?;
        let ledger = self.0.ledger.clone();
        let admitted = admit::admit(frames, ledger, &self.0.verifiers).await?;
        let (accepted, refused) = split(admitted);
        self.0
            .metrics
            .refused(refused.iter().flatten().map(Problem::code));
        let (quotas, now_ms) = (&self.0.quotas, self.now_ms());
        let starts = &self.0.chain_starts;
        starts.charge(&accepted, &self.0.ledger, now_ms)?;
        quotas.charge(&accepted, &self.0.ledger, now_ms)?;
        let verdicts = self.0.pool.sequence(accepted, ticket).await?;
        let results = merge(verdicts, refused);
        Ok(self.wait_and_receipt(results, wait, until).await)
    }

    /// The newest published checkpoint and every one after it.
    #[must_use]
    pub fn published(&self) -> watch::Receiver<PublishedCheckpoint> {
        self.0.published.clone()
    }

    /// The sequenced size and every one after it.
    #[must_use]
    pub fn sequenced(&self) -> watch::Receiver<u64> {
        self.0.size.clone()
    }

    /// Why the log stopped, once it has; `None` while it runs.
    #[must_use]
    pub fn stopped(&self) -> watch::Receiver<Option<String>> {
        self.0.stopped.subscribe()
    }

    /// Stops the log for good: nothing more is admitted, and its program ends with `cause`.
    pub(crate) fn stop(&self, cause: String) {
        tracing::error!(%cause, "the log stops");
        self.0.stopped.send_replace(Some(cause));
    }

    /// Entries below it were pruned, but those that later ones are judged by.
    ///
    /// # Errors
    /// The store's.
    pub fn minimum_index(&self) -> Result<u64, StoreError> {
        self.0.store.minimum_index()
    }

    /// The exact bytes of an entry; `None` past the sequenced end, and where it was pruned.
    ///
    /// # Errors
    /// The store's.
    pub fn entry(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.store.entry(index)
    }

    /// Entries of a range in order, clipped to the sequenced end. It reads the store a bundle at a
    /// time: not for async threads when the range is long.
    pub fn entries(&self, range: Range<u64>) -> Entries<'_> {
        let end = range.end.min(self.size());
        entries(self.store(), range.start..end)
    }

    /// Where an entry is, by leaf hash.
    ///
    /// # Errors
    /// The store's.
    pub fn index_of_leaf(&self, leaf: &Hash) -> Result<Option<u64>, StoreError> {
        self.0.store.index_of_leaf(leaf)
    }

    /// The tlog-proof of an entry against the newest published checkpoint; `None` while it is not
    /// covered by one.
    ///
    /// # Errors
    /// The store's, or a tree that does not hold together.
    pub fn receipt(&self, index: u64) -> Result<Option<String>, ReceiptError> {
        let checkpoint = self.0.published.borrow().clone();
        ReceiptMaker::new(self.store(), &self.0.tiles, &checkpoint).receipt(index)
    }

    /// The earliest published checkpoint that covers `index`: the upper bound of its time.
    ///
    /// # Errors
    /// The store's.
    pub fn checkpoint_covering(
        &self,
        index: u64,
    ) -> Result<Option<PublishedCheckpoint>, StoreError> {
        let sizes = self.0.store.checkpoint_sizes(index.saturating_add(1), 1)?;
        match sizes.first() {
            Some(&size) => self.0.store.checkpoint(size),
            None => Ok(None),
        }
    }

    /// Number of sequenced (durable) entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        *self.0.size.borrow()
    }

    /// The ledger as of the sequenced head.
    pub fn ledger(&self) -> LedgerView<'_> {
        self.0.ledger.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a blob durable and returns its SHA-256.
    ///
    /// # Errors
    /// [`crate::blobs::PutBlobError`].
    pub fn put_blob(&self, bytes: &[u8]) -> Result<[u8; 32], crate::blobs::PutBlobError> {
        crate::blobs::put(self.0.store.as_ref(), bytes)
    }

    /// A blob by its SHA-256.
    ///
    /// # Errors
    /// The store's.
    pub fn blob(&self, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.store.blob(digest)
    }

    /// The confidential parts of entries.
    #[must_use]
    pub fn disclosures(&self) -> &DisclosureStore {
        &self.0.disclosures
    }

    /// Signs what the observer states: forks and gaps.
    #[must_use]
    pub fn observer_signer(&self) -> Arc<dyn EntrySigner> {
        self.0.keys.observer.clone()
    }

    /// Signs what genesis delegated to the online authority key.
    #[must_use]
    pub fn authority_signer(&self) -> Arc<dyn EntrySigner> {
        self.0.keys.authority.clone()
    }

    /// The keys of this server, for services that sign tokens.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// The configuration the server runs with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        &self.0.dir
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.keys.origin
    }

    /// The witness rule this log publishes under; `None` when none is configured.
    #[must_use]
    pub fn trust_policy(&self) -> Option<&TrustPolicy> {
        self.0.trust.as_deref()
    }

    /// The text of the witness rule as configured.
    #[must_use]
    pub fn trust_policy_text(&self) -> Option<&str> {
        self.0.trust_text.as_deref()
    }

    /// Counters for `/metrics`.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Milliseconds since 1970 by the server's clock.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        (self.0.clock)()
    }

    pub(crate) fn store(&self) -> &dyn LogStore {
        self.0.store.as_ref()
    }

    async fn wait_and_receipt(
        &self,
        mut results: Vec<SubmitResult>,
        wait: Wait,
        until: Instant,
    ) -> Vec<SubmitResult> {
        let indices = || results.iter().filter_map(SubmitResult::index);
        let (Some(first), Some(last)) = (indices().min(), indices().max()) else {
            return results;
        };
        if wait > Wait::Sequenced {
            let mut published = self.published();
            let covered = published.wait_for(|checkpoint| checkpoint.size > last);
            // A deadline is an answer like any other: each result says how far it has come.
            let _ = tokio::time::timeout_at(until, covered).await;
        }
        if self.0.published.borrow().size <= first {
            return results;
        }
        if results.len() <= RECEIPTS_IN_PLACE {
            self.attach_receipts(&mut results);
            return results;
        }
        let log = self.clone();
        let fallback = results.clone();
        let proven = crate::blocking::run(move || {
            log.attach_receipts(&mut results);
            results
        });
        proven.await.unwrap_or(fallback)
    }

    fn attach_receipts(&self, results: &mut [SubmitResult]) {
        let checkpoint = self.0.published.borrow().clone();
        let maker = ReceiptMaker::new(self.store(), &self.0.tiles, &checkpoint);
        let reached = if checkpoint.witnessed {
            Level::Witnessed
        } else {
            Level::Published
        };
        for result in results {
            if let SubmitResult::Accepted {
                index,
                level,
                receipt,
                ..
            } = result
            {
                match maker.receipt(*index) {
                    Ok(Some(text)) => (*level, *receipt) = (reached, Some(text)),
                    Ok(None) => {}
                    // The entry is durable all the same; the receipt can be fetched later.
                    Err(error) => tracing::error!(index = *index, %error, "no receipt"),
                }
            }
        }
    }
}

type Split = (Vec<Frame>, Vec<Option<Problem>>);

/// Parts what goes to the sequencer from what is refused, keeping the positions.
fn split(admitted: Vec<Result<Frame, Problem>>) -> Split {
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for one in admitted {
        match one {
            Ok(frame) => {
                accepted.push(frame);
                refused.push(None);
            }
            Err(problem) => refused.push(Some(problem)),
        }
    }
    (accepted, refused)
}

fn merge(verdicts: Vec<Verdict>, refused: Vec<Option<Problem>>) -> Vec<SubmitResult> {
    let mut verdicts = verdicts.into_iter();
    let merged = refused.into_iter().map(|slot| match slot {
        Some(problem) => SubmitResult::Refused(problem),
        None => match verdicts.next() {
            Some(Verdict::Sequenced {
                index,
                leaf,
                duplicate,
            }) => SubmitResult::Accepted {
                index,
                leaf,
                duplicate,
                level: Level::Sequenced,
                receipt: None,
            },
            Some(Verdict::Refused(problem)) => SubmitResult::Refused(problem),
            None => SubmitResult::Refused(Problem::internal("the sequencer gave no verdict")),
        },
    });
    merged.collect()
}
