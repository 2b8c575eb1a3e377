//! Beacons: a device that saw another tree than the log's is a finding, wherever its entry is read.

use super::world::{self, World};
use super::{assert_named, run, written};
use cairn_event::body::{Body, Heartbeat};
use cairn_event::payload::Beacon;
use cairn_event::{Payload, Sha256};

/// A quiet world with one more heartbeat whose beacon was changed; gives its index.
fn with_beacon(change: impl FnOnce(&World, &mut Option<Beacon>)) -> (World, u64) {
    let (mut world, mut one) = world::quiet();
    let beat = Body::Heartbeat(Heartbeat {
        sessions: 1,
        spool_bytes: 0,
        spool_records: 0,
    });
    let mut beacon = world.context(&one, None).beacon;
    change(&world, &mut beacon);
    let edit = |payload: &mut Payload| payload.context.beacon = beacon;
    let index = world.edited(&mut one, beat, None, vec![], edit);
    world.publish();
    (world, index)
}

#[test]
fn every_beacon_of_an_honest_log_is_compared() {
    let world = world::busy(30);
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert!(report.is_good(), "{report}");
    let chained = world.items.iter().filter(|item| {
        let entry = cairn_event::Entry::parse(&item.bytes).unwrap();
        entry.payload().context.beacon.is_some()
    });
    assert_eq!(
        report.check("beacons").unwrap().examined,
        chained.count() as u64
    );
}

#[test]
fn a_device_that_acts_under_an_older_policy_than_it_could_know_is_counted() {
    const COUNTED: &str = "entries under an older policy than their own checkpoint has";
    let (mut world, mut one) = world::quiet();
    let context = world.context(&one, None);
    let (policy, seen) = (context.policy.unwrap(), context.beacon.unwrap().size);
    assert!(policy < seen && policy > 0);
    let beat = || {
        Body::Heartbeat(Heartbeat {
            sessions: 1,
            spool_bytes: 0,
            spool_records: 0,
        })
    };
    let current = |payload: &mut Payload| payload.context.policy = Some(policy);
    world.edited(&mut one, beat(), None, vec![], current);
    let behind = |payload: &mut Payload| payload.context.policy = Some(policy - 1);
    world.edited(&mut one, beat(), None, vec![], behind);
    world.publish();
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert_eq!(report.counts.get(COUNTED), Some(&1), "{report}");
}

#[test]
fn another_root_at_a_published_size_is_evidence_of_a_split_view() {
    let (world, index) = with_beacon(|_, beacon| {
        beacon.as_mut().unwrap().root = Sha256([9; 32]);
    });
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert_named(&report, "beacons", "another view of the log");
    assert_named(&report, "beacons", &format!("index {index}"));
    assert_eq!(report.check("beacons").unwrap().failed, 1);
    let others = report.checks.iter().filter(|check| check.name != "beacons");
    assert!(others.clone().all(|check| check.failed == 0), "{report}");
}

#[test]
fn a_size_at_which_nothing_was_published_is_proven_or_refuted() {
    let unpublished = |world: &World| {
        let free = (2..world.size()).find(|size| !world.checkpoints.contains_key(size));
        free.unwrap()
    };
    let (world, _) = with_beacon(|world, beacon| {
        let size = unpublished(world);
        let root = Sha256(world.tree().root(size).unwrap().0);
        *beacon = Some(Beacon { root, size });
    });
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert!(report.is_good(), "{report}");
    let (world, _) = with_beacon(|world, beacon| {
        let size = unpublished(world);
        let root = Sha256(world.tree().root(size + 1).unwrap().0);
        *beacon = Some(Beacon { root, size });
    });
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert_named(
        &report,
        "beacons",
        "no earlier state of this log has that root",
    );
}

#[test]
fn a_tree_that_would_hold_the_entry_itself_is_another_tree() {
    let (world, _) = with_beacon(|world, beacon| {
        beacon.as_mut().unwrap().size = world.size() + 1;
    });
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert_named(&report, "beacons", "fewer entries stand before it");
}

#[test]
fn the_empty_tree_has_one_root() {
    let empty = |root| Some(Beacon { root, size: 0 });
    let (world, _) = with_beacon(|_, beacon| *beacon = empty(Sha256(cairn_tlog::EMPTY_ROOT.0)));
    let dir = written(&world);
    assert!(run(&world, dir.path()).is_good());
    let (world, _) = with_beacon(|_, beacon| *beacon = empty(Sha256([1; 32])));
    let dir = written(&world);
    assert_named(&run(&world, dir.path()), "beacons", "size 0");
}
