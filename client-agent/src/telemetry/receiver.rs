//! The receiver: loopback only, a token for each session, bounded in every direction.
//!
//! Owns the port and the tokens. Other users of the machine can reach the port; without a token they
//! are told nothing, and no body of theirs is read; a connection that has shown no token after a moment is
//! closed, so that the next in the queue gets its place. Who opens new ones all the time can still delay
//! what is joined; the hooks, which come another way, decide and record as before.

use super::event::{BATCH_BYTES_MAX, Told, told};
use crate::random;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use axum::serve::{IncomingStream, Listener};
use cairn_event::Sha256;
use cairn_event::encoding::to_base64url;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;

/// Path that OTLP over HTTP fixes for logs.
const PATH: &str = "/v1/logs";

/// Connections open at once: one for each agent that anybody runs, and room.
const CONNECTIONS_MAX: usize = 64;

/// Tokens that are good at once: as many launches as are remembered elsewhere.
const TOKENS_MAX: usize = 1_024;

/// Statements that wait to be joined; a sender waits where there are more.
const WAITING_MAX: usize = 4_096;

/// How long a batch may take to arrive: over loopback it is there at once.
const BATCH_DEADLINE: Duration = Duration::from_secs(10);

/// How long a connection may hold its place before it has shown a good token: an agent sends as soon as it
/// has connected.
const STRANGER_DEADLINE: Duration = Duration::from_secs(2);

/// Where an agent sends its events, and what it shows there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sink {
    /// The address, path included.
    pub endpoint: String,
    /// The bearer token.
    pub token: String,
}

/// An open port and the tokens that are good there.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    tokens: Mutex<VecDeque<Sha256>>,
    told: mpsc::Sender<Told>,
}

impl Receiver {
    /// Opens a free port of the loopback interface and serves it in the background, which ends with the
    /// runtime; statements arrive at what is returned beside it.
    ///
    /// Errors: no port can be had; the daemon runs without.
    pub async fn open() -> std::io::Result<(Arc<Self>, mpsc::Receiver<Told>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (sender, statements) = mpsc::channel(WAITING_MAX);
        let receiver = Arc::new(Self {
            address: listener.local_addr()?,
            tokens: Mutex::default(),
            told: sender,
        });
        let service = Router::new()
            .route(PATH, post(take))
            .with_state(Arc::clone(&receiver));
        let limited = Limited {
            listener,
            free: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        };
        tokio::spawn(async move {
            let service = service.into_make_service_with_connect_info::<Known>();
            if let Err(error) = axum::serve(limited, service).await {
                tracing::error!(%error, "agents' events are no longer received");
            }
        });
        Ok((receiver, statements))
    }

    /// A sink for one session; `None` without randomness.
    pub fn issue(&self) -> Option<Sink> {
        let token = to_base64url(&random::bytes::<32>().ok()?);
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.push_back(Sha256::of(token.as_bytes()));
        while tokens.len() > TOKENS_MAX {
            tokens.pop_front();
        }
        Some(Sink {
            endpoint: format!("http://{}{PATH}", self.address),
            token,
        })
    }

    /// Whether the request shows a good token; digests are compared, so that time tells nothing.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION);
        let shown = shown.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        shown.is_some_and(|token| tokens.contains(&Sha256::of(token.as_bytes())))
    }
}

/// Takes a batch; the answer to a good one is an empty `ExportLogsServiceResponse`.
async fn take(
    State(receiver): State<Arc<Receiver>>,
    ConnectInfo(known): ConnectInfo<Known>,
    request: Request,
) -> (StatusCode, &'static str) {
    const NOTHING: &str = "{}";
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    if !receiver.admits(headers) {
        return (StatusCode::UNAUTHORIZED, NOTHING);
    }
    known.0.store(true, Ordering::Relaxed);
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
    if !is_json || headers.contains_key(header::CONTENT_ENCODING) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, NOTHING);
    }
    let arriving = tokio::time::timeout(BATCH_DEADLINE, to_bytes(body, BATCH_BYTES_MAX));
    let batch = match arriving.await {
        Ok(Ok(batch)) => batch,
        Ok(Err(_)) => return (StatusCode::PAYLOAD_TOO_LARGE, NOTHING),
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, NOTHING),
    };
    let statements = match told(&batch) {
        Ok(statements) => statements,
        Err(error) => {
            tracing::warn!(%error, "an agent's events were refused");
            return (StatusCode::BAD_REQUEST, NOTHING);
        }
    };
    for statement in statements {
        // The other end is gone only when the daemon ends.
        if receiver.told.send(statement).await.is_err() {
            return (StatusCode::SERVICE_UNAVAILABLE, NOTHING);
        }
    }
    (StatusCode::OK, NOTHING)
}

/// A listener that accepts only as many connections as there are places.
struct Limited {
    listener: TcpListener,
    free: Arc<Semaphore>,
}

impl Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let place = Arc::clone(&self.free).acquire_owned().await.ok();
        // The trait's own implementation waits out errors such as a lack of file descriptors.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (
            Connection {
                stream,
                known: Known::default(),
                stranger_until: Box::pin(tokio::time::sleep(STRANGER_DEADLINE)),
                _place: place,
            },
            address,
        )
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Whether a connection has shown a good token.
#[derive(Clone, Default)]
struct Known(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, Limited>> for Known {
    fn connect_info(stream: IncomingStream<'_, Limited>) -> Self {
        stream.io().known.clone()
    }
}

/// A connection and its place.
struct Connection {
    stream: TcpStream,
    known: Known,
    stranger_until: Pin<Box<Sleep>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Whether it has been a stranger for too long; otherwise the task is woken when it is.
    fn has_overstayed(&mut self, context: &mut Context<'_>) -> bool {
        !self.known.0.load(Ordering::Relaxed)
            && self.stranger_until.as_mut().poll(context).is_ready()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.has_overstayed(context) {
            return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: &str = include_str!("../../testdata/otlp_logs.jsonl");

    async fn send(sink: &Sink, token: &str, kind: &str, body: Vec<u8>) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(&sink.endpoint).bearer_auth(token);
        let request = request.header("content-type", kind).body(body);
        request.send().await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn only_a_good_batch_with_a_good_token_is_taken() {
        const JSON: &str = "application/json";
        let (receiver, mut statements) = Receiver::open().await.unwrap();
        let (sink, other) = (receiver.issue().unwrap(), receiver.issue().unwrap());
        assert_ne!(sink.token, other.token);
        let good = BATCH.lines().next().unwrap().as_bytes().to_vec();
        assert_eq!(send(&sink, "wrong", JSON, good.clone()).await, 401);
        assert_eq!(
            send(&sink, &sink.token, "application/x-protobuf", good.clone()).await,
            415
        );
        assert_eq!(send(&sink, &sink.token, JSON, b"{}".to_vec()).await, 400);
        let long = vec![b' '; BATCH_BYTES_MAX + 1];
        assert_eq!(send(&sink, &sink.token, JSON, long).await, 413);
        assert!(statements.try_recv().is_err(), "something refused was used");
        assert_eq!(send(&sink, &sink.token, JSON, good).await, 200);
        assert_eq!(statements.try_recv().unwrap().use_id, "toolu_aaa1");
    }

    #[tokio::test]
    async fn without_a_token_the_answer_comes_before_any_body() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (receiver, _statements) = Receiver::open().await.unwrap();
        let mut stream = TcpStream::connect(receiver.address).await.unwrap();
        let head = "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
    }

    #[tokio::test]
    async fn strangers_on_every_connection_do_not_keep_the_agent_out() {
        let (receiver, mut statements) = Receiver::open().await.unwrap();
        let mut strangers = Vec::new();
        for _ in 0..2 * CONNECTIONS_MAX {
            strangers.push(TcpStream::connect(receiver.address).await.unwrap());
        }
        let sink = receiver.issue().unwrap();
        let good = BATCH.lines().next().unwrap().as_bytes().to_vec();
        let status = send(&sink, &sink.token, "application/json", good).await;
        assert_eq!(status, 200);
        assert_eq!(statements.try_recv().unwrap().use_id, "toolu_aaa1");
        drop(strangers);
    }

    #[tokio::test]
    async fn old_tokens_make_room_for_new_ones() {
        let (receiver, _statements) = Receiver::open().await.unwrap();
        let shown = |sink: &Sink| {
            let value = format!("Bearer {}", sink.token).parse().unwrap();
            HeaderMap::from_iter([(header::AUTHORIZATION, value)])
        };
        let first = receiver.issue().unwrap();
        assert!(receiver.admits(&shown(&first)));
        let mut last = first.clone();
        for _ in 0..TOKENS_MAX {
            last = receiver.issue().unwrap();
        }
        assert!(!receiver.admits(&shown(&first)) && receiver.admits(&shown(&last)));
    }
}
