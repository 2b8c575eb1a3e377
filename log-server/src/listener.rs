//! The listener: how many connections there are, how slow they may be, and how they end.
//!
//! Owns accepting, TLS handshakes, time limits and the graceful end. Speaks HTTP/1.1 and HTTP/2 (by
//! ALPN under TLS, by prior knowledge without). Does not own what is served.
//!
//! Ten thousand silent connections cost memory and nothing else; a slow one is ended by whichever
//! limit it meets first: handshake and head in `head_s`, nothing moving in either direction for
//! `idle_s` while no handler works for it. When three quarters of the places are taken, an idle
//! connection keeps its place for [`IDLE_WHEN_CROWDED`] only; when all are, a new one is closed.

mod connection;
mod traffic;

pub use connection::Peer;

use crate::config::ConnectionsConfig;
use crate::metrics::Metrics;
use crate::tls::Tls;
use axum::Router;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How long an idle connection keeps its place when most are taken: a client that keeps one for its
/// next request sends that within seconds, or makes a new one.
const IDLE_WHEN_CROWDED: Duration = Duration::from_secs(5);

/// Descriptors that are not connections: RocksDB's, the log's, witnesses' and mail's.
const OTHER_DESCRIPTORS: u64 = 512;

/// Pause after an accept that failed for want of descriptors, so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Time limits of one connection.
#[derive(Debug, Clone, Copy)]
struct Limits {
    at_once: u64,
    head: Duration,
    idle: Duration,
}

/// What all connections share.
struct Shared {
    limits: Limits,
    open: AtomicU64,
    metrics: Arc<Metrics>,
    router: Router,
    ending: watch::Receiver<bool>,
}

/// One taken place; given back on drop.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let open = shared.open.fetch_add(1, Ordering::Relaxed) + 1;
        let place = Self(shared.clone());
        shared.metrics.connections.set(open);
        // Dropping the place gives it back.
        (open <= shared.limits.at_once).then_some(place)
    }

    /// How long an idle connection may stay at this moment.
    fn idle(&self) -> Duration {
        let limits = &self.0.limits;
        let crowded = self.0.open.load(Ordering::Relaxed) > limits.at_once / 4 * 3;
        if crowded {
            limits.idle.min(IDLE_WHEN_CROWDED)
        } else {
            limits.idle
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let before = self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.connections.set(before.saturating_sub(1));
    }
}

/// Accepts connections until `ending` turns true, and then lets open requests go on; ends when the
/// last connection has.
///
/// # Errors
/// The listener's own address could not be used any more.
pub async fn serve(
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    router: Router,
    config: &ConnectionsConfig,
    metrics: Arc<Metrics>,
    ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let shared = Arc::new(Shared {
        limits: Limits {
            at_once: places(config.at_once),
            head: Duration::from_secs(config.head_s),
            idle: Duration::from_secs(config.idle_s),
        },
        open: AtomicU64::new(0),
        metrics,
        router,
        ending: ending.clone(),
    });
    let mut connections = tokio::task::JoinSet::new();
    let mut asked = ending;
    loop {
        let accepted = tokio::select! {
            accepted = tcp.accept() => accepted,
            () = async { let _ = asked.wait_for(|end| *end).await; } => break,
            // Finished ones are taken out as they finish.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => match Place::take(&shared) {
                Some(place) => {
                    // Small answers must not wait for more.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(connection::serve(stream, peer, tls.clone(), place));
                }
                None => shared.metrics.connections_refused.add(1),
            },
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(tcp);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Errors that are over with the connection they came from.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// As many places as configured, or as descriptors allow. The soft limit is raised to the hard one.
fn places(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.or(limit.current).unwrap_or(u64::MAX);
    let needed = wanted.saturating_add(OTHER_DESCRIPTORS).min(most);
    let mut allowed = limit.current.unwrap_or(u64::MAX);
    if allowed < needed {
        let raised = Rlimit {
            current: Some(needed),
            maximum: limit.maximum,
        };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            allowed = needed;
        }
    }
    let possible = allowed.saturating_sub(OTHER_DESCRIPTORS).max(1);
    if possible < wanted {
        tracing::warn!(
            wanted,
            possible,
            "fewer connections than configured: raise the limit of open files"
        );
    }
    wanted.min(possible)
}
