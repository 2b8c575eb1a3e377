//! Writes a small log, its evidence pack and its OCSF records into a folder, for readers in other
//! languages.
//!
//! `sample_pack FOLDER [CALLS]` makes `FOLDER/{log,pack,trust-policy.txt,genesis.txt,records.jsonl}`.
#![allow(
    clippy::unwrap_used,
    reason = "a sample that cannot be made is a failed test"
)]

#[path = "../../auditor/tests/world/mod.rs"]
mod world;

use cairn_audit::source::folder::Folder;
use cairn_export::catalogue::Framework;
use cairn_export::cursor::Cursor;
use cairn_export::pack::{Options, export};
use cairn_export::period::Bound;
use cairn_export::sink::{self, SinkAddress};
use cairn_export::tail::Tail;
use cairn_tlog::TrustPolicy;
use std::fs;
use std::path::PathBuf;

fn main() {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap());
    let calls = args.next().map_or(400, |calls| calls.parse().unwrap());
    let world = world::busy(calls);
    fs::create_dir_all(&folder).unwrap();
    world.write(&folder.join("log"));
    fs::write(folder.join("trust-policy.txt"), world.trust_policy()).unwrap();
    fs::write(folder.join("genesis.txt"), world.genesis_hash().to_hex()).unwrap();
    let policy = TrustPolicy::parse(&world.trust_policy()).unwrap();
    let source = Folder::open(&folder.join("log")).unwrap();
    let summary = export(
        &source,
        &Options {
            policy: &policy,
            genesis: world.genesis_hash(),
            from: Bound::Index(0),
            to: Bound::Index(*world.checkpoints.last_key_value().unwrap().0),
            proven_by_newest: false,
            framework: Framework::All,
            params: vec![],
            purpose: "a test",
            out: folder.join("pack"),
            progress: &|_, _| {},
        },
    )
    .unwrap();
    let cursor = Cursor::open(&folder.join("cursor"), world::ORIGIN).unwrap();
    let mut sink = sink::open(&SinkAddress::File(folder.join("records.jsonl"))).unwrap();
    Tail::new(&source, &policy, cursor, 1_000)
        .step(sink.as_mut())
        .unwrap();
    println!("{}", summary.pack_root);
}
