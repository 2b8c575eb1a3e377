//! A server that asks for time is given it, whatever stands in its answer's body.

use cairn_agent::policy::SyncError;
use cairn_api::{Client, ClientError, Family};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// What a client makes of one answer to `GET /v1/policy`.
fn asked(answer: &'static str) -> ClientError {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = BufReader::new(stream.try_clone().unwrap()).lines();
        let first = head
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty());
        let first: Vec<String> = first.collect();
        stream.write_all(answer.as_bytes()).unwrap();
        first
    });
    let client = Client::new(&url).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = runtime.block_on(client.policy(Some(7))).unwrap_err();
    assert!(served.join().unwrap()[0].contains("/v1/policy?have=7"));
    refused
}

#[test]
fn what_the_server_asks_for_is_known() {
    let crowded = asked(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: 107\r\n\
         content-type: application/problem+json\r\nconnection: close\r\n\r\n\
         {\"type\":\"urn:cairn:problem:answers-full\",\"title\":\"answers full\",\"status\":503,\
         \"family\":\"retry\",\"detail\":\"x\"}",
    );
    assert_eq!(crowded.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(crowded.family(), Family::Retry);
    let failed = SyncError::Client(crowded);
    assert_eq!(failed.retry_after(), Some(Duration::from_secs(7)));
    // A proxy's own page counts as well; what is no number of seconds is not waited for.
    let proxy = asked(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 4\r\n\
         connection: close\r\n\r\nslow",
    );
    assert_eq!(proxy.retry_after(), Some(Duration::from_secs(3)));
    assert_eq!(proxy.family(), Family::Retry);
    let dated = asked(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: Mon, 23 Nov 2026 05:00:00 GMT\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n",
    );
    assert_eq!(dated.retry_after(), None);
}

/// The next connection, after the head of its request.
fn asked_by(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    let head = BufReader::new(stream.try_clone().unwrap()).lines();
    let lines = head.map_while(Result::ok);
    assert!(lines.take_while(|line| !line.is_empty()).count() > 0);
    stream
}

/// Whoever stands between swallows what is sent, and says nothing: not even that the connection is gone.
#[test]
fn what_is_severed_fails_at_once_and_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::new(&url).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (calling, stream) = runtime.block_on(async {
        let (caller, listening) = (client.with_token("x"), client.clone());
        let calling = tokio::spawn(async move { caller.policy(None).await });
        let stream = tokio::spawn(async move { listening.stream("/v1/policy/stream").await.err() });
        (calling, stream)
    });
    // Both are on the wire and have no answer.
    let swallowed = [listener.accept().unwrap(), listener.accept().unwrap()];
    client.sever();
    let ended = runtime.block_on(calling).unwrap().unwrap_err();
    assert_eq!(ended.family(), Family::Retry, "{ended}");
    let ended = runtime.block_on(stream).unwrap().unwrap();
    assert_eq!(ended.family(), Family::Retry, "{ended}");
    let again = runtime.spawn(async move { client.policy(None).await });
    let mut fresh = asked_by(&listener);
    let none = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    fresh.write_all(none).unwrap();
    assert!(runtime.block_on(again).unwrap().unwrap().is_none());
    drop(swallowed);
}

#[test]
fn a_stream_ends_when_it_is_severed() {
    use futures_util::StreamExt;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::new(&url).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let opening = client.clone();
    let opened = runtime.spawn(async move { opening.stream("/v1/policy/stream").await });
    let mut stream = asked_by(&listener);
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: here\n\n";
    stream.write_all(head).unwrap();
    let mut items = Box::pin(runtime.block_on(opened).unwrap().unwrap());
    let first = runtime.block_on(items.next()).unwrap().unwrap();
    assert_eq!(first, cairn_api::event_stream::StreamItem::Alive);
    client.sever();
    assert!(runtime.block_on(items.next()).is_none());
}
