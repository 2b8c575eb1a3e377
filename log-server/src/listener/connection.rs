//! One connection from its first byte to its last.

use super::Place;
use super::traffic::{Traffic, Watched};
use crate::answers::{Kept, time_to_read};
use crate::tls::Tls;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

/// How long a connection that was told to end may take to do so.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Streams of one HTTP/2 connection that may be open: an agent has two or three, a browser as many as
/// the console has files. Each may hold an answer that nobody reads.
const STREAMS_AT_ONCE: u32 = 32;

/// What is known of the other side of a request's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it came by TLS.
    pub encrypted: bool,
    /// Whether it showed a client certificate of a trusted authority.
    pub certified: bool,
}

pub(super) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    place: Place,
) {
    let mut peer = Peer {
        address,
        encrypted: tls.is_some(),
        certified: false,
    };
    let Some(tls) = tls else {
        return speak(stream, peer, place).await;
    };
    let head = place.0.limits.head;
    match tokio::time::timeout(head, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => {
            peer.certified = stream.get_ref().1.peer_certificates().is_some();
            speak(stream, peer, place).await;
        }
        Ok(Err(error)) => {
            place.0.metrics.handshakes_failed.add(1);
            tracing::debug!(%error, %address, "no TLS handshake");
        }
        Err(_) => place.0.metrics.handshakes_failed.add(1),
    }
}

async fn speak<I>(stream: I, peer: Peer, place: Place)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let traffic = Traffic::new();
    let router = place.0.router.clone();
    let working = traffic.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(peer.address));
        extensions.insert(peer);
        let (router, guard, owing) = (router.clone(), working.work(), working.clone());
        async move {
            let Ok(answer) = router.oneshot(request.map(Body::new)).await;
            let owing = time_to_read(&answer).map(|time| owing.owe(time));
            drop(guard);
            Ok::<_, Infallible>(match owing {
                Some(owing) => answer.map(|body| Kept::body(body, owing)),
                None => answer,
            })
        }
    });
    let head = place.0.limits.head;
    let mut builder = Builder::new(TokioExecutor::new());
    // Hyper's own limit runs from the end of the answer before, and so ends idle connections.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_AT_ONCE);
    let watched = TokioIo::new(Watched::new(stream, traffic.clone()));
    let mut connection = pin!(builder.serve_connection(watched, service));
    let mut ending = place.0.ending.clone();
    let asked_to_end = async {
        // A sender that is gone is an end as well.
        let _ = ending.wait_for(|end| *end).await;
    };
    tokio::select! {
        // Broken by the peer or served to its end: there is nobody to tell.
        _ = connection.as_mut() => return,
        () = traffic.idle(|| place.idle()) => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(LAST_WORDS, connection).await;
            return;
        }
        // Its answers are dropped with it.
        () = traffic.overdue() => return,
        () = traffic.head_overdue(head) => return,
        () = asked_to_end => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => {}
        () = traffic.overdue() => {}
    }
}
