//! A server that asks for time is given it, whatever stands in its answer's body.

use cairn_agent::policy::SyncError;
use cairn_api::{Client, ClientError, Family};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
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
