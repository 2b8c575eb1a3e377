//! Many silent and many slow clients: the others are served all the same.

use crate::programs::{Running, configure, serve};
use crate::world::{PATIENCE, World};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Connections that say nothing, where the limit of open files allows as many.
const IDLE: u64 = 10_000;

/// Connections that say a byte now and then.
const SLOW: u64 = 1_000;

/// Descriptors that this process needs for other things, other tests included.
const OWN: u64 = 600;

/// Raises the soft limit of open files to the hard one; gives what may be opened here.
fn descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(1_048_576).min(65_536);
    let raised = Rlimit {
        current: Some(most),
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
    getrlimit(Resource::Nofile).current.unwrap_or(most)
}

async fn connect(server: &Running) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://"))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_and_a_thousand_slow_clients_do_not_stop_service() {
    let allowed = descriptors().saturating_sub(OWN);
    let (idle, slow) = (IDLE.min(allowed * 10 / 11), SLOW.min(allowed / 11));
    println!("{idle} idle and {slow} slow connections");
    let world = World::new();
    configure(&world.data(), "[connections]\nhead_s = 60\nidle_s = 120\n");
    let server = Running::start(&mut serve(&world));
    let mut chain = server.grow(&world, 3, 3).await;
    let mut held = Vec::new();
    for _ in 0..idle {
        held.push(connect(&server).await);
    }
    // Half of the slow ones are slow with a head, half with the body of a submission.
    let head = "POST /v1/entries?wait=sequenced HTTP/1.1\r\nhost: x\r\n";
    let body = "content-type: application/vnd.cairn.frames\r\ncontent-length: 100000\r\n\r\nx";
    let mut slowly = Vec::new();
    for number in 0..slow {
        let mut stream = connect(&server).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(body.as_bytes()).await.unwrap();
        }
        slowly.push(stream);
    }
    let open = metric(&server, "cairn_connections").await;
    assert!(open > idle + slow, "{open} connections are open");
    for _ in 0..5 {
        for stream in &mut slowly {
            // One that the server has ended is not slow any more.
            let _ = stream.write_all(b"x").await;
        }
        let begun = Instant::now();
        server.more(&mut chain, 256).await;
        assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    }
    drop((held, slowly));
}

async fn metric(server: &Running, name: &str) -> u64 {
    let url = format!("{}/metrics", server.url);
    let until = Instant::now() + PATIENCE;
    // Where all places are taken, this asker is surplus as well.
    let answer = loop {
        match reqwest::get(&url).await {
            Ok(answer) => break answer,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
    };
    let text = answer.text().await.unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

/// Whether the server ends a connection by itself, and when.
async fn ended(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    let mut answer = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    // A reset is an end as well.
    let _ = end.unwrap();
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_slow_and_surplus_connections_are_ended() {
    let world = World::new();
    let limits = "[connections]\nat_once = 16\nhead_s = 1\nidle_s = 2\n";
    configure(&world.data(), limits);
    let server = Running::start(&mut serve(&world));
    let mut silent = connect(&server).await;
    let mut slow = connect(&server).await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nx").await.unwrap();
    let mut served = connect(&server).await;
    served
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let limit = Duration::from_secs(10);
    assert!(ended(&mut silent).await < limit);
    assert!(ended(&mut slow).await < limit);
    assert!(ended(&mut served).await < limit);
    let mut crowd = Vec::new();
    for _ in 0..16 {
        crowd.push(connect(&server).await);
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let mut surplus = connect(&server).await;
        if ended(&mut surplus).await < Duration::from_millis(500) {
            break;
        }
        assert!(Instant::now() < until, "a surplus connection was served");
        crowd.push(connect(&server).await);
    }
    drop(crowd);
    assert!(metric(&server, "cairn_connections_refused_total").await >= 1);
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_waits_for_its_next_request_is_kept_and_half_a_request_is_not() {
    let world = World::new();
    configure(&world.data(), "[connections]\nhead_s = 1\nidle_s = 6\n");
    let server = Running::start(&mut serve(&world));
    let request = b"GET /v1/leaves/0 HTTP/1.1\r\nhost: x\r\n\r\n";
    let (mut kept, mut half) = (connect(&server).await, connect(&server).await);
    for stream in [&mut kept, &mut half] {
        stream.write_all(request).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 400");
    }
    half.write_all(b"GET /heal").await.unwrap();
    let (kept, half) = tokio::join!(ended(&mut kept), ended(&mut half));
    assert!(half < Duration::from_secs(4), "{half:?}");
    assert!(kept > Duration::from_secs(5), "{kept:?}");
}
