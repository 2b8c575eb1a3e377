//! Tests of what the index keeps: nothing that one device sends makes it grow for ever.

use super::*;
use cairn_event::body::{Body, McpSeen, SessionEnd};
use cairn_event::{Context, Entry, EntrySigner, Link, Payload, SoftwareKey, freeze};

const ORIGIN: &str = "log.example.com/index";

/// An entry of a device that the ledger does not know; the index shows it all the same.
fn entry(session: &str, body: Body) -> Entry {
    let key = SoftwareKey::from_seed(&[3; 32]);
    let payload = Payload {
        log: ORIGIN.into(),
        time_ms: 1_795_000_000_000,
        link: Some(Link {
            device: format!("d_{:032x}", 1),
            chain: key.public_key().kid(),
            seq: 1,
            prev: Some(Sha256::of(b"before")),
        }),
        context: Context {
            session: Some(session.to_owned()),
            ..Context::default()
        },
        body,
        approvals: Vec::new(),
        sd: Vec::new(),
        ext: None,
    };
    let frozen = freeze(&payload, &key).unwrap();
    Entry::parse(frozen.entry.as_bytes()).unwrap()
}

fn ended(session: &str) -> Entry {
    let reason = "exit".into();
    entry(session, Body::SessionEnd(SessionEnd { reason }))
}

fn seen(name: &str, source: &str) -> Entry {
    let body = Body::McpSeen(McpSeen {
        effect: Effect::Allow,
        fingerprint: Sha256::of(b"definition"),
        mode: None,
        name: name.to_owned(),
        rule: None,
        source: source.to_owned(),
        transport: "stdio".into(),
    });
    entry("session", body)
}

#[test]
fn a_session_goes_with_the_last_of_its_rows() {
    let mut index = Index::new(ORIGIN);
    let (old, busy) = (ended("old"), ended("busy"));
    index.project(0, &old);
    let rows = MAX_ROWS as u64;
    for at in 1..rows {
        index.project(at, &busy);
    }
    assert_eq!(index.sessions().len(), 2);
    index.project(rows, &busy);
    index.project(rows + 1, &busy);
    assert_eq!(index.rows().len(), MAX_ROWS);
    let [(key, left)] = index.sessions().iter().collect::<Vec<_>>()[..] else {
        panic!("one session is left");
    };
    assert_eq!((key.0.as_str(), left.is_whole), ("busy", false));
    assert_eq!(left.entries.len(), MAX_ROWS, "no more than there are rows");
    assert_eq!(left.entries.front(), Some(&2));
}

#[test]
fn mcp_servers_are_bounded_and_the_longest_unseen_goes() {
    let mut index = Index::new(ORIGIN);
    for at in 0..MAX_MCP as u64 {
        index.project(at, &seen(&format!("server-{at}"), "user"));
    }
    let at = MAX_MCP as u64;
    index.project(at, &seen("server-0", "project"));
    index.project(at + 1, &seen("one-more", "user"));
    assert_eq!(index.mcp().len(), MAX_MCP);
    let names: Vec<&str> = index.mcp().keys().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"server-0") && names.contains(&"one-more"));
    assert!(
        !names.contains(&"server-1"),
        "nobody has seen it for longest"
    );
}

#[test]
fn what_a_device_says_of_a_server_is_kept_short() {
    let mut index = Index::new(ORIGIN);
    let long = "ä".repeat(MAX_SHOWN_BYTES);
    for at in 0..100 {
        index.project(at, &seen(&long, &format!("{at}{long}")));
    }
    let ((name, _), facts) = index.mcp().first_key_value().unwrap();
    assert_eq!(name.len(), MAX_SHOWN_BYTES);
    let sources: Vec<&String> = facts.seen.values().flatten().collect();
    assert!(sources.len() <= 16, "{}", sources.len());
    assert!(sources.iter().all(|source| source.len() <= MAX_SHOWN_BYTES));
    let row = index.rows().get(&0).unwrap();
    assert_eq!(row.tool.as_ref().unwrap().len(), MAX_SHOWN_BYTES);
}
