//! Audits of whole logs: an untouched world is good, and every kind of damage is named.

use super::world::{self, World};
use super::{assert_named, run, written};
use cairn_audit::log::cold::Room;
use cairn_audit::log::{Options, audit};
use cairn_audit::receipt;
use cairn_audit::source::folder::Folder;
use cairn_event::Sha256;
use cairn_tlog::{Receipt, TrustPolicy, inclusion_proof};
use std::path::Path;

#[test]
fn an_untouched_log_is_good_and_its_decisions_reproduce() {
    let world = world::busy(400);
    assert!(
        world.size() > 512,
        "the world must fill tiles: {}",
        world.size()
    );
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert!(report.is_good(), "{report}");
    assert_eq!(report.counts["decisions reproduced"], 401);
    assert_eq!(report.counts["entries"], world.size());
}

#[test]
fn withheld_and_erased_inputs_are_told_apart_and_are_no_failure() {
    let mut world = world::busy(10);
    let decision = (0..world.size())
        .find(|index| world.items[*index as usize].disclosures.len() == 4)
        .unwrap();
    world.items[decision as usize].disclosures.remove(0);
    world.publish();
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert!(report.is_good(), "{report}");
    assert_eq!(report.counts["decisions not replayable: input withheld"], 1);
}

#[test]
fn a_flipped_bit_in_an_entry_is_found_in_tiles_and_root() {
    let mut world = world::busy(20);
    let item = &mut world.items[12];
    let last = item.bytes.len() - 1;
    item.bytes[last] ^= 1;
    let dir = written(&world);
    let honest = written(&world::busy(20));
    copy_tiles(honest.path(), dir.path());
    let report = run(&world, dir.path());
    assert_named(&report, "tiles", "not the one its entries give");
    assert_named(&report, "root", "entries give");
    assert_named(&report, "checkpoint-consistency", "entries give");
}

fn copy_tiles(from: &Path, to: &Path) {
    for level in std::fs::read_dir(from.join("tile")).unwrap().flatten() {
        if level.file_name() != "entries" {
            copy(&level.path(), &to.join("tile").join(level.file_name()));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for item in std::fs::read_dir(from).unwrap().flatten() {
            copy(&item.path(), &to.join(item.file_name()));
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
}

#[test]
fn a_log_without_its_quorum_is_refused() {
    let mut world = world::busy(5);
    let (size, note) = world.checkpoints.last_key_value().unwrap();
    let (size, mut lines) = (*size, note.lines().collect::<Vec<_>>());
    lines.pop();
    let thinner = lines.join("\n") + "\n";
    world.checkpoints.insert(size, thinner);
    let dir = written(&world);
    assert_named(&run(&world, dir.path()), "checkpoint", "quorum");
}

#[test]
fn another_genesis_is_refused() {
    let world = world::busy(5);
    let dir = written(&world);
    let mut other = World::bare();
    other.items = vec![world.items[1].clone()];
    let policy = TrustPolicy::parse(&world.trust_policy()).unwrap();
    let source = Folder::open(dir.path()).unwrap();
    let genesis = other.genesis_hash();
    let options = Options {
        policy: &policy,
        genesis,
        disclosures: false,
        max_age: None,
        since: None,
        chains: Room::default(),
        progress: &|_, _| {},
    };
    assert_named(&audit(&source, &options), "genesis", "pinned is");
}

#[test]
fn an_entry_by_a_revoked_device_is_flagged_and_a_stranger_is_refused() {
    use cairn_event::administrative::RosterChange;
    let mut world = World::new();
    let mut run_one = world.device(1);
    world.session(&mut run_one, "session-1");
    let device = run_one.id.clone();
    world.roster(vec![RosterChange::RevokeDevice {
        device,
        reason: "lost".into(),
    }]);
    world.heartbeat(&mut run_one);
    world.publish();
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert!(report.is_good(), "{report}");
    assert_eq!(report.counts["entries of revoked devices (flagged)"], 1);

    run_one.chain = cairn_event::SoftwareKey::from_seed(&[77; 32]);
    world.heartbeat(&mut run_one);
    let index = world.size() - 1;
    world.publish();
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert_named(&report, "signatures", &format!("index {index}"));
}

#[test]
fn an_entry_of_an_unknown_version_is_checked_for_integrity_only_and_counted() {
    let mut world = world::busy(3);
    world.foreign();
    world.publish();
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert!(report.is_good(), "{report}");
    assert_eq!(
        report.counts["entries of unknown version (integrity only)"],
        1
    );
}

#[test]
fn a_missing_chain_record_is_refused() {
    let mut world = World::new();
    let mut one = world.device(1);
    world.session(&mut one, "session-1");
    world.heartbeat(&mut one);
    world.items.pop();
    world.heartbeat(&mut one);
    world.publish();
    let dir = written(&world);
    assert_named(
        &run(&world, dir.path()),
        "signatures",
        "continues at seq 3, got 4",
    );
}

#[test]
fn a_missing_or_altered_policy_blob_is_named() {
    let world = world::busy(3);
    let dir = written(&world);
    let digest = *world.blobs.keys().next().unwrap();
    let blob = dir.path().join(format!("blobs/{digest}"));
    std::fs::write(&blob, b"{}").unwrap();
    assert_named(&run(&world, dir.path()), "policy-blobs", "another SHA-256");
    std::fs::remove_file(&blob).unwrap();
    assert_named(&run(&world, dir.path()), "blobs-readable", "does not exist");
}

#[test]
fn a_decision_the_engine_would_not_make_is_a_mismatch() {
    let mut world = World::new();
    let mut two = world.device(2);
    world.session(&mut two, "session-2");
    let honest = world.bundle.clone().unwrap();
    world.bundle.as_mut().unwrap().rules.remove(0);
    world.bash(&mut two, "session-2", "kubectl delete pod x");
    world.bundle = Some(honest);
    world.publish();
    let dir = written(&world);
    assert_named(
        &run(&world, dir.path()),
        "decision-replay",
        "recorded Ask, replay gives Deny",
    );
}

#[test]
fn a_receipt_is_checked_and_a_foreign_one_refused() {
    let world = world::busy(5);
    let size = *world.checkpoints.last_key_value().unwrap().0;
    let tree = world.tree();
    let receipt_of = |index: u64| Receipt {
        extra: None,
        index,
        proof: inclusion_proof(&tree, index, size).unwrap(),
        checkpoint: world.checkpoints[&size].clone(),
    };
    let policy = TrustPolicy::parse(&world.trust_policy()).unwrap();
    let entry = &world.items[7].bytes;
    let good = receipt::check(entry, &receipt_of(7).to_string(), &policy);
    assert!(good.is_good(), "{good}");
    assert_eq!(good.facts["leaf"], Sha256::of_leaf(entry).to_string());
    let bad = receipt::check(entry, &receipt_of(8).to_string(), &policy);
    assert_named(&bad, "receipt", "does not prove the entry");
}
