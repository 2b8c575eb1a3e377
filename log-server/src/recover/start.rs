//! Wiring a running log out of a judged store.

use super::kept::LedgerFile;
use super::predecessor::{self, PredecessorError};
use super::replay::Signatures;
use super::silence::{self, SilenceError};
use super::state::{Found, StateError, check_log_key, check_observer, examine};
use crate::admit::Verifiers;
use crate::clock::Clock;
use crate::config::Config;
use crate::disclosures::DisclosureStore;
use crate::keys::Keys;
use crate::log::{Inner, Log};
use crate::metrics::Metrics;
use crate::outcome::{SubmitError, SubmitResult, Wait};
use crate::pool::{Pool, PoolLimits, Waiting};
use crate::publish::{PublishError, Publisher};
use crate::receipts::FoldedTiles;
use crate::recent::Recent;
use crate::sequence::{RoundLimits, Sequencer};
use crate::store::{Head, HeadFile, LogStore, PublishedCheckpoint};
use crate::witnesses::{CosignFailure, HttpLink, WitnessLink, Witnesses};
use cairn_event::Frame;
use cairn_event::body::Body;
use cairn_event::frame::FrameError;
use cairn_identity::{Ledger, Refusal};
use cairn_tlog::{Checkpoint, SignatureError, TrustPolicy, TrustPolicyError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock, mpsc};
use std::time::Duration;
use tokio::sync::watch;

/// How long the first start waits for the genesis entry to be sequenced.
const GENESIS_DEADLINE: Duration = Duration::from_secs(10);

/// What a log is started from.
pub struct Parts {
    /// The data folder; `HEAD` lies in it.
    pub dir: PathBuf,
    /// Validated configuration.
    pub config: Config,
    /// The server's keys.
    pub keys: Keys,
    /// Text of the trust policy, if one is configured.
    pub trust_text: Option<String>,
    /// The opened store.
    pub store: Arc<dyn LogStore>,
    /// The clock.
    pub clock: Clock,
    /// The genesis frame, and of a successor a second line with the evidence that its predecessor was
    /// closed; needed exactly at the first start.
    pub genesis: Option<String>,
}

/// Why a log was not started. All are fatal for this start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The stored log contradicts itself, its key or the clock.
    #[error("the stored log is in doubt")]
    State(#[from] StateError),
    /// The clock is far ahead of everything recorded and nobody confirmed it.
    #[error("the clock is in doubt")]
    Clock(#[from] SilenceError),
    /// The trust policy cannot be read.
    #[error("the trust policy is refused")]
    TrustPolicy(#[from] TrustPolicyError),
    /// The trust policy does not name this log's key.
    #[error("the trust policy does not name log key `{0}`")]
    TrustWithoutLog(String),
    /// The HTTP client for witnesses could not be set up.
    #[error("the client of the witnesses could not be made")]
    Client(#[source] reqwest::Error),
    /// A witness holds more than this log: the log went back in time.
    #[error("witness `{witness}` holds size {held}, the store holds {size}")]
    WitnessAhead {
        /// The witness.
        witness: String,
        /// Size it holds.
        held: u64,
        /// Stored size.
        size: u64,
    },
    /// A witness saw another tree.
    #[error("witness `{witness}` contradicts this log")]
    WitnessContradicts {
        /// The witness.
        witness: String,
        /// What it said.
        #[source]
        cause: CosignFailure,
    },
    /// The first start needs the genesis entry.
    #[error(
        "the log is empty and no genesis entry was given; make one with `cairn org create` and give it with `--genesis`"
    )]
    GenesisMissing,
    /// The genesis given is not the one in the log.
    #[error("the log has another genesis entry")]
    GenesisOther,
    /// The genesis file is no frame.
    #[error("the genesis entry is refused")]
    GenesisFrame(#[from] FrameError),
    /// The genesis file holds another type of entry.
    #[error("the entry given is of type `{0}`, not genesis")]
    NotGenesis(&'static str),
    /// Genesis would not be admitted: its threshold, keys, rights or signatures do not hold.
    #[error("the genesis entry does not hold")]
    GenesisInvalid(#[source] Box<Refusal>),
    /// The log is the successor of another one, and that is not shown.
    #[error("the succession does not hold")]
    Predecessor(#[from] PredecessorError),
    /// The evidence of the predecessor's close was not stored.
    #[error("the evidence of the close was not stored")]
    Evidence(#[from] crate::blobs::PutBlobError),
    /// The genesis entry was not admitted.
    #[error("the genesis entry was not admitted: {0}")]
    GenesisRefused(String),
    /// The genesis entry was not taken.
    #[error("the genesis entry was not taken")]
    Submit(#[from] SubmitError),
    /// The log key refused to sign.
    #[error("the log key did not sign")]
    Sign(#[from] SignatureError),
    /// The first checkpoint was not published.
    #[error("the first checkpoint was not published")]
    Publish(#[from] PublishError),
    /// The sequencer's thread could not be made.
    #[error("the sequencer's thread was not started")]
    Thread(#[source] std::io::Error),
    /// A pruning that was cut off was not finished.
    #[error("a pruning that was cut off was not finished")]
    Prune(#[from] crate::retention::PruneError),
    /// A step ended in a panic or was cancelled.
    #[error("a step of the start did not end")]
    Join(#[from] tokio::task::JoinError),
}

/// What a log stands in that is not its own: the network to its witnesses, and who gives its
/// sequencer its turns.
pub struct Surroundings {
    /// Carries requests to witnesses.
    pub link: Arc<dyn WitnessLink>,
    /// Takes the sequencer and runs it; a thread for a server, a task of virtual time in a simulation.
    pub sequencer: RunSequencer,
}

/// Starts to run a sequencer on what waits for it, and returns at once.
pub type RunSequencer =
    Box<dyn FnOnce(Sequencer, mpsc::Receiver<Waiting>) -> std::io::Result<()> + Send>;

impl Surroundings {
    /// HTTP, and a thread of its own for the sequencer.
    ///
    /// # Errors
    /// [`StartError::Client`].
    pub fn of_a_server(config: &Config) -> Result<Self, StartError> {
        let timeout = Duration::from_millis(config.checkpoint.witness_timeout_ms);
        let link = HttpLink::new(timeout).map_err(StartError::Client)?;
        Ok(Self {
            link: Arc::new(link),
            sequencer: Box::new(|sequencer, waiting| {
                let thread = std::thread::Builder::new().name("sequencer".to_owned());
                thread.spawn(move || sequencer.run(&waiting)).map(drop)
            }),
        })
    }
}

/// Judges the store, then starts sequencer and publisher.
///
/// On the first start the checkpoint of the empty log is published before genesis is sequenced.
///
/// # Errors
/// [`StartError`]; nothing was signed that was not signed before.
pub async fn start(parts: Parts) -> Result<Log, StartError> {
    let surroundings = Surroundings::of_a_server(&parts.config)?;
    start_in(parts, surroundings).await
}

/// As [`start`], in surroundings of the caller's.
///
/// # Errors
/// [`StartError`]; nothing was signed that was not signed before.
pub async fn start_in(parts: Parts, surroundings: Surroundings) -> Result<Log, StartError> {
    let trust = parse_trust(&parts)?;
    let file = parts.genesis.as_deref().map(predecessor::split);
    let evidence = file.and_then(|(_, evidence)| evidence.map(ToOwned::to_owned));
    let genesis = file.map(|(line, evidence)| {
        let frame = parse_genesis(line, &parts.keys)?;
        predecessor::check(frame.entry(), evidence.map(str::as_bytes))?;
        Ok::<_, StartError>(frame)
    });
    let genesis = genesis.transpose()?;
    let (parts, found) = crate::blocking::run(move || {
        let head_file = HeadFile::in_folder(&parts.dir)
            .read()
            .map_err(StateError::HeadFile)?;
        let now_ms = (parts.clock)();
        let store = parts.store.as_ref();
        let kept = LedgerFile::in_folder(&parts.dir);
        let found = examine(
            store,
            head_file,
            &parts.keys,
            now_ms,
            Signatures::Trust,
            Some(&kept),
        )?;
        silence::check(&parts.dir, found.recorded_ms, now_ms)?;
        let disclosures = DisclosureStore::new(parts.store.clone(), parts.keys.sealing.clone());
        crate::retention::finish(store, &disclosures)?;
        store.finish_erasure().map_err(StateError::Store)?;
        Ok::<_, StartError>((parts, found))
    })
    .await??;
    check_genesis(genesis.as_ref(), &found)?;
    let signed_size = found
        .published
        .as_ref()
        .map_or(0, |published| published.size);
    let Surroundings { link, sequencer } = surroundings;
    let witnesses = Witnesses::new(trust.as_deref(), signed_size, link);
    ask_witnesses(&witnesses, &parts, &found).await?;
    let is_first = found.head.size() == 0;
    let (log, mut publisher) = wire(parts, found, trust, witnesses, sequencer)?;
    if is_first {
        publisher.publish().await?;
    }
    tokio::spawn(publisher.run());
    if let Some(genesis) = genesis.filter(|_| is_first) {
        if let Some(evidence) = evidence {
            let log = log.clone();
            crate::blocking::run(move || log.put_blob(evidence.as_bytes())).await??;
        }
        submit_genesis(&log, &genesis).await?;
    }
    Ok(log)
}

fn parse_trust(parts: &Parts) -> Result<Option<Arc<TrustPolicy>>, StartError> {
    let Some(text) = &parts.trust_text else {
        return Ok(None);
    };
    let trust = TrustPolicy::parse(text)?;
    let ours = parts.keys.log.verifier();
    if trust.logs().iter().any(|log| log.key == *ours) {
        return Ok(Some(Arc::new(trust)));
    }
    Err(StartError::TrustWithoutLog(ours.to_string()))
}

fn parse_genesis(line: &str, keys: &Keys) -> Result<Frame, StartError> {
    let frame = Frame::parse(line)?;
    let body = &frame.entry().payload().body;
    let Body::Genesis(genesis) = body else {
        return Err(StartError::NotGenesis(body.kind()));
    };
    check_log_key(&genesis.log_key, keys)?;
    check_observer(&genesis.observer, keys)?;
    // Judged before anything is signed or written, by the rules of admission.
    let ledger = Ledger::new(&keys.origin);
    let entry = frame.entry();
    let key = ledger.key_for(entry, &[]).map_err(invalid)?;
    let signed = entry.verify(&key).map_err(Refusal::Entry);
    signed.map_err(invalid)?;
    ledger.admit(entry).map_err(invalid)?;
    Ok(frame)
}

fn invalid(refusal: Refusal) -> StartError {
    StartError::GenesisInvalid(Box::new(refusal))
}

fn check_genesis(given: Option<&Frame>, found: &Found) -> Result<(), StartError> {
    match (found.replayed.ledger.genesis_leaf(), given) {
        (None, None) => Err(StartError::GenesisMissing),
        (Some(leaf), Some(given)) if given.entry().leaf() != leaf => Err(StartError::GenesisOther),
        _ => Ok(()),
    }
}

/// Shows every witness the newest published checkpoint. One that holds more than the store is
/// proof that the store went back in time. One that does not answer proves nothing.
async fn ask_witnesses(
    witnesses: &Witnesses,
    parts: &Parts,
    found: &Found,
) -> Result<(), StartError> {
    let size = found.head.size();
    let mut checkpoint = Checkpoint::empty(&parts.keys.origin);
    if let Some(published) = &found.published {
        (checkpoint.size, checkpoint.root) = (published.size, published.root);
    }
    let note = checkpoint.sign(&parts.keys.log)?;
    let store = &parts.store;
    let calls = witnesses.all().iter().map(|witness| {
        let (checkpoint, note) = (&checkpoint, &note);
        async move {
            (
                witness,
                witnesses.cosign(witness, store, checkpoint, note).await,
            )
        }
    });
    for (witness, answer) in futures_util::future::join_all(calls).await {
        let witness = witness.name.clone();
        match answer {
            Err(CosignFailure::Ahead { size: held, .. }) if held > size => {
                return Err(StartError::WitnessAhead {
                    witness,
                    held,
                    size,
                });
            }
            Err(cause @ CosignFailure::Contradiction { .. }) => {
                return Err(StartError::WitnessContradicts { witness, cause });
            }
            Err(error) => tracing::warn!(%witness, %error, "witness not asked"),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The ends through which sequencer, publisher and handle speak.
struct Channels {
    size: watch::Sender<u64>,
    heads: watch::Sender<Head>,
    published: watch::Sender<PublishedCheckpoint>,
    stopped: watch::Sender<Option<String>>,
}

/// What all three share.
struct Shared {
    disclosures: Arc<DisclosureStore>,
    ledger: Arc<RwLock<Ledger>>,
    recent: Arc<Recent>,
    metrics: Arc<Metrics>,
    channels: Channels,
}

fn wire(
    parts: Parts,
    found: Found,
    trust: Option<Arc<TrustPolicy>>,
    witnesses: Witnesses,
    run: RunSequencer,
) -> Result<(Log, Publisher), StartError> {
    let store = parts.store.clone();
    let shown = found.published.clone();
    let channels = Channels {
        size: watch::Sender::new(found.head.size()),
        heads: watch::Sender::new(found.head.clone()),
        published: watch::Sender::new(shown.unwrap_or_else(PublishedCheckpoint::none)),
        stopped: watch::Sender::new(None),
    };
    let shared = Shared {
        disclosures: Arc::new(DisclosureStore::new(store, parts.keys.sealing.clone())),
        ledger: Arc::new(RwLock::new(found.replayed.ledger.clone())),
        recent: Arc::default(),
        metrics: Arc::default(),
        channels,
    };
    let publisher = publisher(&parts, &found, &shared, trust.clone(), witnesses);
    let pool = start_sequencer(&parts, found, &shared, run)?;
    let channels = &shared.channels;
    let quotas = crate::quota::Quotas::new(parts.config.quota.clone());
    let inner = Inner {
        size: channels.size.subscribe(),
        published: channels.published.subscribe(),
        stopped: channels.stopped.clone(),
        dir: parts.dir,
        config: parts.config,
        keys: parts.keys,
        store: parts.store,
        pool,
        verifiers: Verifiers::new(),
        tiles: FoldedTiles::default(),
        ledger: shared.ledger,
        disclosures: shared.disclosures,
        trust,
        trust_text: parts.trust_text,
        recent: shared.recent,
        metrics: shared.metrics,
        quotas,
        chain_starts: crate::chain_starts::ChainStarts::default(),
        lag: crate::reads::Lag::default(),
        watched: std::sync::OnceLock::new(),
        index_lag: crate::reads::Lag::default(),
        clock: parts.clock,
    };
    Ok((Log(Arc::new(inner)), publisher))
}

/// Starts the sequencer; gives the submitters' end of its pool.
fn start_sequencer(
    parts: &Parts,
    found: Found,
    shared: &Shared,
    run: RunSequencer,
) -> Result<Pool, StartError> {
    let Config {
        pool,
        round,
        disk,
        retention,
        ..
    } = &parts.config;
    let limits = PoolLimits {
        entries: pool.entries,
        bytes: pool.bytes,
    };
    let (pool, waiting) = Pool::new(limits, disk_reserve(&parts.dir, disk.reserve_bytes));
    let sequencer = Sequencer {
        store: parts.store.clone(),
        disclosures: shared.disclosures.clone(),
        kept: LedgerFile::in_folder(&parts.dir),
        kept_size: found.replayed.read_from,
        working: found.replayed.ledger,
        shared: shared.ledger.clone(),
        head: found.head,
        edge: found.edge,
        origin: parts.keys.origin.clone(),
        observer: parts.keys.observer.clone(),
        retention_days: retention.days,
        limits: RoundLimits {
            entries: round.entries,
            bytes: round.bytes,
            wait: Duration::from_millis(round.wait_ms),
        },
        size: shared.channels.size.clone(),
        heads: shared.channels.heads.clone(),
        stopped: shared.channels.stopped.clone(),
        recent: shared.recent.clone(),
        metrics: shared.metrics.clone(),
        clock: parts.clock.clone(),
    };
    run(sequencer, waiting).map_err(StartError::Thread)?;
    Ok(pool)
}

fn publisher(
    parts: &Parts,
    found: &Found,
    shared: &Shared,
    trust: Option<Arc<TrustPolicy>>,
    witnesses: Witnesses,
) -> Publisher {
    Publisher {
        store: parts.store.clone(),
        verified: found.replayed.verified.clone(),
        head_file: HeadFile::in_folder(&parts.dir),
        last_signed_ms: found.recorded_ms,
        key: parts.keys.log.clone(),
        trust,
        witnesses,
        interval: Duration::from_millis(parts.config.checkpoint.interval_ms),
        republish: Duration::from_secs(parts.config.checkpoint.republish_s),
        heads: shared.channels.heads.subscribe(),
        published: shared.channels.published.clone(),
        stopped: shared.channels.stopped.clone(),
        metrics: shared.metrics.clone(),
        clock: parts.clock.clone(),
    }
}

type Reserve = Arc<dyn Fn() -> Result<(), SubmitError> + Send + Sync>;

/// Refuses new entries while the disk is nearly full, so that reads and publication go on.
fn disk_reserve(dir: &Path, reserve_bytes: u64) -> Reserve {
    let dir = dir.to_owned();
    Arc::new(move || match rustix::fs::statvfs(&dir) {
        Ok(disk) => {
            let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
            if free_bytes < reserve_bytes {
                return Err(SubmitError::DiskReserve { free_bytes });
            }
            Ok(())
        }
        // Not knowing is no reason to refuse evidence: the write itself is checked.
        Err(_) => Ok(()),
    })
}

async fn submit_genesis(log: &Log, genesis: &Frame) -> Result<(), StartError> {
    let disclosed = genesis
        .disclosures()
        .iter()
        .map(cairn_event::Disclosure::encoded);
    let line = cairn_event::frame::present(genesis.entry().text(), disclosed);
    let results = log
        .submit(vec![line], Wait::Sequenced, GENESIS_DEADLINE)
        .await?;
    match results.into_iter().next() {
        Some(SubmitResult::Refused(problem)) => {
            Err(StartError::GenesisRefused(problem.body.to_string()))
        }
        _ => Ok(()),
    }
}
