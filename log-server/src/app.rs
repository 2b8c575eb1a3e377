//! Opening a data folder and serving it.
//!
//! Owns the lock on the folder, the order of opening, the listener and the end. Does not own what
//! the services' routes do: they come in as a router and are merged.

use crate::clock::system_clock;
use crate::config::{Config, ConfigError};
use crate::keys::{Keys, KeysError};
use crate::log::Log;
use crate::recover::{Parts, StartError, start};
use crate::snapshot::{self, SocketError};
use crate::store::{KeyedStore, Rocks, RocksOpenError};
use crate::tls::Tls;
use crate::{gateway, listener, reads, submit};
use axum::Router;
use cairn_durable::FolderLock;
use cairn_durable::file::{CreateDirError, ReadFileError, sweep_temporaries};
use cairn_durable::lock::LockError;
use cairn_durable::read_limited;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Folder of the store inside the data folder.
pub const STORE_FOLDER: &str = "store";

/// Largest trust policy or genesis file in bytes; both are a few KiB.
const MAX_TEXT_BYTES: u64 = 1_048_576;

/// How long open requests may go on after the end was asked for. Streams never end by themselves.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// How long the store may take to close: a round of the largest size on a slow disk. After that the
/// process ends all the same; it is safe against being killed.
const LAST_ROUND: Duration = Duration::from_secs(10);

/// Why a folder is not served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process serves it, or it does not exist.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Left-over temporary files cannot be listed.
    #[error("the data folder cannot be swept")]
    Sweep(#[source] CreateDirError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The trust policy or genesis file.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The socket that backups ask.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The store.
    #[error(transparent)]
    Store(#[from] RocksOpenError),
    /// The log.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Why a small text file was not read.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// It cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ReadFileError,
    },
    /// It is not UTF-8.
    #[error("`{}` is not UTF-8", .0.display())]
    NotText(PathBuf),
}

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener failed.
    #[error("the listener failed")]
    Io(#[from] io::Error),
    /// The log stopped after a fatal error; the next start reads what is there.
    #[error("the log stopped: {0}")]
    Stopped(String),
}

/// A log and the lock that makes it ours.
pub struct Opened {
    /// The running log.
    pub log: Log,
    /// Released when dropped.
    pub lock: FolderLock,
    /// Gone when the last round has ended and the store is closed.
    pub store: Weak<()>,
}

/// Waits until the store is closed, which the thread of the sequencer does after its last round.
///
/// A process that ends before takes the ground from under RocksDB's own threads. Nothing is lost by
/// that, but it looks like a crash. Call it outside the runtime, when that is gone.
pub fn wait_until_closed(store: &Weak<()>) {
    let begun = Instant::now();
    while store.strong_count() > 0 && begun.elapsed() < LAST_ROUND {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Locks a data folder, judges what is in it, and starts its log.
///
/// # Errors
/// [`OpenError`]; nothing was signed that was not signed before.
pub async fn open(dir: &Path, config: Config, genesis: Option<&Path>) -> Result<Opened, OpenError> {
    let lock = FolderLock::acquire(dir)?;
    sweep_temporaries(dir).map_err(OpenError::Sweep)?;
    let keys = Keys::load_to_serve(dir)?;
    let trust_text = config
        .trust_policy
        .as_ref()
        .map(|name| read_text(&dir.join(name)));
    let genesis = genesis.map(read_text).transpose()?;
    let rocks = Arc::new(Rocks::open(&dir.join(STORE_FOLDER))?);
    let store = KeyedStore::new(rocks.clone());
    let parts = Parts {
        dir: dir.to_owned(),
        config,
        keys,
        trust_text: trust_text.transpose()?,
        store: Arc::new(store),
        clock: system_clock(),
        genesis,
    };
    let log = start(parts).await?;
    let socket = snapshot::bind(dir)?;
    let (store, open) = (Arc::downgrade(&rocks), rocks.open_mark());
    drop(rocks);
    let answering = snapshot::answer(socket, dir.to_owned(), store, &log);
    tokio::spawn(answering);
    Ok(Opened {
        log,
        lock,
        store: open,
    })
}

/// The whole HTTP surface: the log's own routes and those of the services, each request counted,
/// traced, and its answer compressed where that pays.
pub fn router(log: Log, services: Router) -> Router {
    let routes = Router::new()
        .merge(submit::routes(log.clone()))
        .merge(reads::routes(log.clone()))
        .merge(services);
    gateway::around(routes, &log)
}

/// Serves until `end` resolves or the log stops. HTTP/1.1 and HTTP/2, with TLS or without.
///
/// # Errors
/// [`ServeError::Stopped`]: end the process with a failure, so that a supervisor restarts it.
pub async fn serve(
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    router: Router,
    log: &Log,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let mut stopped = log.stopped();
    let (finish, finished) = tokio::sync::watch::channel(false);
    let mut asked = finished.clone();
    let ended = tokio::spawn(async move {
        // When the sender is gone the log is gone, which is an end as well.
        let broken = stopped.wait_for(Option::is_some);
        let cause = tokio::select! {
            () = end => None,
            cause = broken => cause.ok().and_then(|cause| cause.clone()),
        };
        finish.send_replace(true);
        cause
    });
    let limits = &log.config().connections;
    let metrics = log.0.metrics.clone();
    let serving = listener::serve(tcp, tls, router, limits, metrics, finished);
    tokio::select! {
        served = serving => served?,
        () = async {
            let _ = asked.wait_for(|done| *done).await;
            tokio::time::sleep(LAST_REQUESTS).await;
        } => {}
    }
    match ended.await {
        Ok(Some(cause)) => Err(ServeError::Stopped(cause)),
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Reads a small text file that an operator names.
///
/// # Errors
/// [`TextError`].
pub(crate) fn read_text(path: &Path) -> Result<String, TextError> {
    let bytes = read_limited(path, MAX_TEXT_BYTES).map_err(|source| TextError::Read {
        path: path.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|_| TextError::NotText(path.to_owned()))
}
