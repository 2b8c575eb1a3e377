//! Old, empty and rewritten states of a log: each has good signatures, none passes for the log of today.

use super::world::{self, World};
use super::{assert_named, written};
use cairn_audit::Report;
use cairn_audit::log::cold::Room;
use cairn_audit::log::freshness::{AgeLimit, DEFAULT_MAX_AGE_S};
use cairn_audit::log::{Options, audit};
use cairn_audit::source::folder::Folder;
use cairn_tlog::cosignature::cosign;
use cairn_tlog::{Note, TrustPolicy};
use std::path::Path;
use std::process::{Command, Output};

/// Audits the mirror in `dir` as of `now_s`, against an earlier checkpoint.
fn run_at(world: &World, dir: &Path, now_s: Option<u64>, since: Option<&str>) -> Report {
    let policy = TrustPolicy::parse(&world.trust_policy()).unwrap();
    let most_s = DEFAULT_MAX_AGE_S;
    audit(
        &Folder::open(dir).unwrap(),
        &Options {
            policy: &policy,
            genesis: world::busy(3).genesis_hash(),
            disclosures: true,
            max_age: now_s.map(|now_s| AgeLimit { now_s, most_s }),
            since,
            chains: Room::default(),
            progress: &|_, _| {},
        },
    )
}

fn newest(world: &World) -> &str {
    world.checkpoints.last_key_value().unwrap().1
}

#[test]
fn a_log_shown_without_entries_is_not_verified() {
    let mut empty = World::bare();
    empty.publish();
    let dir = written(&empty);
    let report = run_at(&empty, dir.path(), None, None);
    assert_eq!(report.facts["tree size"], "0");
    assert_named(&report, "genesis", "compared with nothing");
}

#[test]
fn an_old_state_is_not_the_log_of_today_and_the_time_is_told() {
    let world = world::busy(3);
    let dir = written(&world);
    let now_s = world.now_ms / 1_000;
    let report = run_at(&world, dir.path(), Some(now_s), None);
    assert!(report.is_good(), "{report}");
    let told = &report.facts["checkpoint cosigned last"];
    assert!(
        told.starts_with("2026-07-01T") && told.ends_with('Z'),
        "{told}"
    );
    assert!(report.to_string().contains(told.as_str()));
    assert_eq!(
        report.to_json()["facts"]["checkpoint cosigned last"],
        **told
    );
    let late = run_at(
        &world,
        dir.path(),
        Some(now_s + DEFAULT_MAX_AGE_S + 60),
        None,
    );
    assert_named(&late, "freshness", "the limit is 86400 s");
    assert_named(&late, "freshness", told);
    let early = run_at(&world, dir.path(), Some(now_s - 7_200), None);
    assert_named(&early, "freshness", "ahead of this machine's clock");
    let archive = run_at(&world, dir.path(), None, None);
    assert!(archive.is_good(), "{archive}");
    assert_eq!(archive.facts["age of the checkpoint"], "not judged");
}

/// The quorum is two of three: one that lies about the time cannot make an old state new.
#[test]
fn one_witness_does_not_make_an_old_state_new() {
    let mut world = world::busy(3);
    let (size, note) = world.checkpoints.pop_last().unwrap();
    let now_s = world.now_ms / 1_000 + 30 * DEFAULT_MAX_AGE_S;
    let mut note = Note::parse(&note).unwrap();
    note.signatures.pop().unwrap();
    let fresh = cosign(&note.text, &world.witnesses[1], now_s).unwrap();
    note.signatures.push(fresh);
    world.checkpoints.insert(size, note.to_string());
    let dir = written(&world);
    let report = run_at(&world, dir.path(), Some(now_s), None);
    assert_named(&report, "freshness", "the limit is 86400 s");
}

#[test]
fn nobody_vouches_for_the_age_of_an_unwitnessed_log() {
    let world = world::busy(3);
    let dir = written(&world);
    let text = world.trust_policy();
    let log = text.lines().find(|line| line.starts_with("log ")).unwrap();
    let policy = TrustPolicy::parse(&format!("{log}\nquorum none\n")).unwrap();
    let limit = AgeLimit {
        now_s: world.now_ms / 1_000,
        most_s: DEFAULT_MAX_AGE_S,
    };
    let options = Options {
        policy: &policy,
        genesis: world.genesis_hash(),
        disclosures: true,
        max_age: Some(limit),
        since: None,
        chains: Room::default(),
        progress: &|_, _| {},
    };
    let report = audit(&Folder::open(dir.path()).unwrap(), &options);
    assert_named(&report, "freshness", "nobody says how old it is");
}

#[test]
fn since_an_earlier_audit_a_log_has_only_grown() {
    let (mut world, mut one) = world::quiet();
    let earlier = newest(&world).to_owned();
    let then = written(&world);
    world.heartbeat(&mut one);
    world.publish();
    let now = written(&world);
    let of = |dir: &Path, since: &str| run_at(&world, dir, None, Some(since));
    let grown = of(now.path(), &earlier);
    assert!(grown.is_good(), "{grown}");
    assert_eq!(grown.check("since").unwrap().examined, 2);
    assert_eq!(grown.checkpoint.as_deref(), Some(newest(&world)));
    assert!(of(then.path(), &earlier).is_good(), "unchanged is fine");
    assert_named(&of(then.path(), newest(&world)), "since", "it went back");
    // The same keys signed another history: every other check finds it good.
    let (mut other, mut one) = world::quiet();
    other.session(&mut one, "another-session");
    other.heartbeat(&mut one);
    other.publish();
    let rewritten = written(&other);
    let report = of(rewritten.path(), newest(&world));
    assert_named(&report, "since", "the history was rewritten");
    let elsewhere = report.checks.iter().filter(|check| check.name != "since");
    assert_eq!(
        elsewhere.map(|check| check.failed).sum::<u64>(),
        0,
        "{report}"
    );
    let unsigned = earlier.replace('\u{2014}', "-");
    assert_named(&of(now.path(), &unsigned), "since", "");
}

fn program(world: &World, dir: &Path, arguments: &[&str]) -> Output {
    let policy = dir.join("../trust.policy");
    std::fs::write(&policy, world.trust_policy()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_cairn-audit"))
        .args(["log", "--genesis-hash", &world.genesis_hash().to_hex()])
        .arg("--trust-policy")
        .arg(&policy)
        .arg("--dir")
        .arg(dir)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_program_judges_the_age_and_keeps_what_it_verified() {
    let world = world::busy(3);
    let folder = tempfile::tempdir().unwrap();
    let mirror = folder.path().join("mirror");
    world.write(&mirror);
    let kept = folder.path().join("kept");
    let kept = kept.to_str().unwrap();
    let run = |arguments: &[&str]| program(&world, &mirror, arguments);
    // The world is of July 2026: older than a day on any machine that runs this.
    let old = run(&["--keep", kept]);
    let told = String::from_utf8(old.stdout).unwrap();
    assert_eq!(old.status.code(), Some(1), "{told}");
    assert!(
        told.contains("BAD  freshness") && told.contains("2026-07-01T"),
        "{told}"
    );
    assert!(
        !Path::new(kept).exists(),
        "what is not verified is not kept"
    );
    let archive = run(&["--max-age", "none", "--keep", kept]);
    assert!(
        archive.status.success(),
        "{}",
        String::from_utf8_lossy(&archive.stdout)
    );
    assert_eq!(std::fs::read_to_string(kept).unwrap(), newest(&world));
    let blind = run(&["--max-age", "none", "--keep", kept]);
    assert_eq!(blind.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&blind.stderr).contains("is there already"));
    let next = run(&["--max-age", "none", "--since", kept, "--keep", kept]);
    assert!(
        next.status.success(),
        "{}",
        String::from_utf8_lossy(&next.stdout)
    );
    assert_eq!(run(&["--max-age", "0h"]).status.code(), Some(2));
    assert!(run(&["--max-age", "900000h"]).status.success());
}
