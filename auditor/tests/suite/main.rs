//! Tests of the auditor over a synthetic log: what it finds, what it says, and what it cannot know.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod age;
mod beacons;
mod cold;
mod invariants;
mod log;
mod program;
mod published;
mod resume;
mod resumed;
mod state;

#[path = "../world/mod.rs"]
mod world;

use cairn_audit::Report;
use cairn_audit::log::cold::Room;
use cairn_audit::log::{Options, audit};
use cairn_audit::source::folder::Folder;
use cairn_tlog::TrustPolicy;
use std::path::Path;
use world::World;

/// Audits the log in a folder, disclosures included.
fn run(world: &World, dir: &Path) -> Report {
    let policy = TrustPolicy::parse(&world.trust_policy()).unwrap();
    let source = Folder::open(dir).unwrap();
    let genesis = world.genesis_hash();
    audit(
        &source,
        &Options {
            policy: &policy,
            genesis,
            disclosures: true,
            max_age: None,
            since: None,
            chains: Room::default(),
            progress: &|_, _| {},
        },
    )
}

/// A mirror of the world's log.
fn written(world: &World) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    world.write(dir.path());
    dir
}

/// The check failed, for this reason.
fn assert_named(report: &Report, check: &str, reason: &str) {
    let found = report
        .check(check)
        .unwrap_or_else(|| panic!("no check {check}\n{report}"));
    let named = found
        .failures
        .iter()
        .any(|failure| failure.to_string().contains(reason));
    assert!(named, "{check} does not say `{reason}`\n{report}");
    assert!(!report.is_good());
}
