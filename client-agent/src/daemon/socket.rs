//! The daemon's socket: who may connect, how many at once, and one exchange a connection.
//!
//! Owns the socket file. Only processes of the daemon's own user are answered; the kernel says who
//! connects, not the peer.
//!
//! Source: unix(7), SO_PEERCRED.

use super::control::Control;
use super::wire::{self, WireError};
use crate::hook::{Answer, Ask, agent};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most connections at once: 256 hooks; more wait in the listen queue, and the shim gives up first.
const CONNECTIONS_MAX: usize = 256;

/// How long one exchange may take: 30 s, so that a stuck peer does not hold its place for ever.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the socket is looked after: a replaced one shows within a second.
const PLACE_INTERVAL: Duration = Duration::from_secs(1);

/// Permission bits of the socket.
const SOCKET_MODE: u32 = 0o600;

/// Why the socket is not there.
#[derive(Debug, thiserror::Error)]
#[error("the socket `{}` cannot be made: {source}", path.display())]
pub struct ListenError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Makes the socket in a folder whose lock the caller holds, so that an old file is a leftover.
///
/// Errors: [`ListenError`]; the daemon does not start.
pub fn listen(path: &Path) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError {
        path: path.to_owned(),
        source,
    };
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // The folder is 0700 already; this holds even if somebody opens the folder.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    Ok(listener)
}

/// Answers connections for ever, on the socket at `path`.
///
/// When another file takes that place, the daemon takes it back and declares a gap: what was asked
/// meanwhile was answered by somebody else, or by nobody.
pub async fn serve(mut listener: UnixListener, path: PathBuf, control: Arc<Control>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut ticks = tokio::time::interval(PLACE_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut own = file_number(&path);
    loop {
        tokio::select! {
            accepted = accept(&listener, &places) => {
                let Some((place, stream)) = accepted else { return };
                spawn(stream, place, &control);
            }
            _ = ticks.tick() => {
                if own.is_some() && file_number(&path) == own {
                    continue;
                }
                match listen(&path) {
                    Ok(again) => {
                        tracing::warn!("the socket was gone or replaced; it is back");
                        control.gatekeeper.recorder.missing("socket-replaced");
                        listener = again;
                        own = file_number(&path);
                    }
                    Err(error) => tracing::error!(%error, "the socket is gone"),
                }
            }
        }
    }
}

/// The next connection with its place; `None` when there will be none.
async fn accept(
    listener: &UnixListener,
    places: &Arc<Semaphore>,
) -> Option<(OwnedSemaphorePermit, UnixStream)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((place, stream)),
            Err(error) => {
                // Out of descriptors: without a pause this would spin until one is free.
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn spawn(stream: UnixStream, place: OwnedSemaphorePermit, control: &Arc<Control>) {
    let control = Arc::clone(control);
    tokio::spawn(async move {
        let done = tokio::time::timeout(EXCHANGE_TIMEOUT, exchange(stream, &control));
        match done.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a connection was dropped"),
            Err(_) => tracing::warn!("a connection took too long"),
        }
        drop(place);
    });
}

/// Which file has this name, links not followed.
fn file_number(path: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::symlink_metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}

async fn exchange(mut stream: UnixStream, control: &Arc<Control>) -> Result<(), WireError> {
    let peer = stream.peer_cred()?;
    if peer.uid() != rustix::process::getuid().as_raw() {
        tracing::warn!(uid = peer.uid(), "another user's connection was refused");
        return Ok(());
    }
    let (header, body) = wire::read_request(&mut stream).await?;
    let pid = peer
        .pid()
        .and_then(|pid| u32::try_from(pid).ok())
        .unwrap_or(0);
    let answer: Answer = if header.event.starts_with("cairn.") {
        control.command(&header.event, pid, &body).await
    } else {
        let Some(agent) = agent(header.agent.as_deref()) else {
            return Err(WireError::Agent(header.agent.unwrap_or_default()));
        };
        let ask = Ask {
            agent,
            event: header.event,
            pid,
            env: header.env,
            input: body,
        };
        control.gatekeeper.answer(ask).await
    };
    Ok(wire::write_answer(&mut stream, &answer).await?)
}
