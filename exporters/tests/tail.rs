//! Streams: every record at least once, in order, from a cursor that survives.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../../auditor/tests/world/mod.rs"]
mod world;

use cairn_audit::source::folder::Folder;
use cairn_export::cursor::Cursor;
use cairn_export::sink::{self, Delivery, Sink, SinkAddress, SinkError};
use cairn_export::tail::{Tail, TailError};
use cairn_tlog::TrustPolicy;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use world::{ORIGIN, World};

fn setup(world: &World, dir: &Path) -> (Folder, TrustPolicy) {
    world.write(dir);
    let policy = TrustPolicy::parse(&world.trust_policy()).unwrap();
    (Folder::open(dir).unwrap(), policy)
}

fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn indices(records: &[Value]) -> Vec<u64> {
    records
        .iter()
        .filter_map(|one| one["metadata"]["sequence"].as_u64())
        .collect()
}

/// Takes `left` records and then fails, as a receiver that dies does.
struct Failing<'a> {
    inner: &'a mut dyn Sink,
    left: u64,
}

impl Sink for Failing<'_> {
    fn send(&mut self, delivery: &Delivery) -> Result<(), SinkError> {
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| std::io::Error::other("gone"))?;
        self.inner.send(delivery)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.inner.flush()
    }
}

#[test]
fn every_record_is_delivered_once_and_counted() {
    let world = world::busy(60);
    let dir = tempfile::tempdir().unwrap();
    let (source, policy) = setup(&world, &dir.path().join("log"));
    let (out, place) = (dir.path().join("out.jsonl"), dir.path().join("cursor"));
    let mut sink = sink::open(&SinkAddress::File(out.clone())).unwrap();
    let cursor = Cursor::open(&place, ORIGIN).unwrap();
    let mut tail = Tail::new(&source, &policy, cursor, 100);
    let size = *world.checkpoints.last_key_value().unwrap().0;
    assert_eq!(tail.step(sink.as_mut()).unwrap(), size);
    assert_eq!(tail.step(sink.as_mut()).unwrap(), 0);
    let all = records(&out);
    assert_eq!(indices(&all), (0..size).collect::<Vec<_>>());
    let last = all.last().unwrap();
    assert_eq!(last["unmapped"]["cairn"]["count"], size);
}

#[test]
fn a_sink_that_dies_gets_everything_in_the_end() {
    let world = world::busy(900);
    let dir = tempfile::tempdir().unwrap();
    let (source, policy) = setup(&world, &dir.path().join("log"));
    let (out, place) = (dir.path().join("out.jsonl"), dir.path().join("cursor"));
    let size = *world.checkpoints.last_key_value().unwrap().0;
    let mut deaths = 0;
    for left in [3, 700, 1_023, 1_024, 1_025, 5_000] {
        let mut inner = sink::open(&SinkAddress::File(out.clone())).unwrap();
        let mut sink = Failing {
            inner: inner.as_mut(),
            left,
        };
        let cursor = Cursor::open(&place, ORIGIN).unwrap();
        let before = cursor.next();
        match Tail::new(&source, &policy, cursor, 100).step(&mut sink) {
            Err(TailError::Sink(_)) => deaths += 1,
            other => assert_eq!(other.unwrap(), size - before),
        }
        inner.flush().unwrap();
    }
    assert!(deaths >= 2, "the sink must have died, {deaths}");
    let received: BTreeSet<u64> = indices(&records(&out)).into_iter().collect();
    assert_eq!(received, (0..size).collect());
    assert_eq!(Cursor::open(&place, ORIGIN).unwrap().next(), size);
}

#[test]
fn a_torn_line_does_not_spoil_the_next_record() {
    let world = world::busy(3);
    let dir = tempfile::tempdir().unwrap();
    let (source, policy) = setup(&world, &dir.path().join("log"));
    let out = dir.path().join("out.jsonl");
    std::fs::write(&out, b"{\"cut\":").unwrap();
    let mut sink = sink::open(&SinkAddress::File(out.clone())).unwrap();
    let cursor = Cursor::open(&dir.path().join("cursor"), ORIGIN).unwrap();
    let delivered = Tail::new(&source, &policy, cursor, 10)
        .step(sink.as_mut())
        .unwrap();
    let text = std::fs::read_to_string(&out).unwrap();
    let whole = text
        .lines()
        .skip(1)
        .filter(|line| serde_json::from_str::<Value>(line).is_ok());
    assert!(whole.count() as u64 >= delivered);
}

#[test]
fn syslog_frames_are_counted_in_octets() {
    let world = world::busy(5);
    let dir = tempfile::tempdir().unwrap();
    let (source, policy) = setup(&world, &dir.path().join("log"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = SinkAddress::Syslog(listener.local_addr().unwrap().to_string());
    let receiver = std::thread::spawn(move || {
        let mut reader = BufReader::new(listener.accept().unwrap().0);
        let mut received = Vec::new();
        loop {
            let mut count = Vec::new();
            if reader.read_until(b' ', &mut count).unwrap() == 0 {
                return received;
            }
            let count = String::from_utf8(count).unwrap().trim().parse().unwrap();
            let mut message = vec![0; count];
            reader.read_exact(&mut message).unwrap();
            received.push(String::from_utf8(message).unwrap());
        }
    });
    let mut sink = sink::open(&address).unwrap();
    let cursor = Cursor::open(&dir.path().join("cursor"), ORIGIN).unwrap();
    let sent = Tail::new(&source, &policy, cursor, 10)
        .step(sink.as_mut())
        .unwrap();
    drop(sink);
    let received = receiver.join().unwrap();
    let records = received
        .iter()
        .filter(|message| message.contains(" record "))
        .count();
    assert_eq!(records as u64, sent);
    for message in received {
        let (_, json) = message.split_once('\u{feff}').unwrap();
        serde_json::from_str::<Value>(json).unwrap();
    }
}

#[test]
fn records_have_what_ocsf_requires() {
    let world = world::busy(30);
    let dir = tempfile::tempdir().unwrap();
    let (source, policy) = setup(&world, &dir.path().join("log"));
    let out = dir.path().join("out.jsonl");
    let mut sink = sink::open(&SinkAddress::File(out.clone())).unwrap();
    let cursor = Cursor::open(&dir.path().join("cursor"), ORIGIN).unwrap();
    Tail::new(&source, &policy, cursor, 10)
        .step(sink.as_mut())
        .unwrap();
    let mut classes = BTreeSet::new();
    for record in records(&out) {
        let number = |name: &str| {
            record[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{name}: {record}"))
        };
        let class = number("class_uid");
        classes.insert(class);
        assert_eq!(number("type_uid"), class * 100 + number("activity_id"));
        assert_eq!(number("category_uid"), class / 1_000);
        assert!((1..=6).contains(&number("severity_id")));
        assert!(number("time") >= world::BEGIN_MS);
        assert_eq!(record["metadata"]["version"], "1.8.0");
        assert!(record["metadata"]["product"]["name"].is_string());
        let uid = record["metadata"]["uid"].as_str().unwrap();
        assert!(uid.starts_with(ORIGIN), "{uid}");
        match class {
            1007 => assert!(record["process"]["uid"].is_string() && record["device"].is_object()),
            3002 => assert!(record["user"]["uid"].is_string() && record["service"].is_object()),
            3004 => assert!(record["entity"]["name"].is_string()),
            6002 => assert!(record["app"]["name"].is_string()),
            0 => {}
            other => panic!("unexpected class {other}"),
        }
    }
    assert_eq!(classes, BTreeSet::from([0, 1007, 3002, 3004, 6002]));
}
