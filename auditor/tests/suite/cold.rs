//! Audits with room for few chains in memory: the report is that of an audit with room for all of them, whatever
//! happens in a chain after it was put away.

use super::resume::{Asked, Memory};
use super::resumed::{Verdict, verdict};
use super::world::{self, DeviceRun, ORIGIN, World};
use super::{assert_named, written};
use cairn_audit::judge::{Judge, Reading};
use cairn_audit::log::cold::{ColdError, Room};
use cairn_audit::log::resume::Ended;
use cairn_audit::log::{Options, audit_on};
use cairn_audit::source::folder::Folder;
use cairn_event::body::{Body, ChainHead, Gap, PreviousChain};
use cairn_event::{EntrySigner as _, Kid, SoftwareKey};
use cairn_identity::KeptChain;
use std::collections::BTreeMap;
use std::convert::Infallible;

/// Judges every entry of the world with room for so many chains between two entries.
pub fn verdicts(world: &World, room: usize) -> Vec<Verdict> {
    let mut judge = Judge::new(ORIGIN);
    let mut away: BTreeMap<Kid, KeptChain> = BTreeMap::new();
    let judge_one = |item: &world::Item| {
        let reading = Reading::of(&item.bytes);
        let find = |chain: &Kid| Ok::<_, Infallible>(away.get(chain).cloned());
        judge
            .ledger_mut()
            .recall_for(reading.entry(), find)
            .unwrap();
        let verdict = verdict(&mut judge, &item.bytes);
        for kept in judge.ledger_mut().take_cold(room) {
            away.insert(kept.chain.clone(), kept);
        }
        assert!(judge.ledger().held_chains() <= room);
        verdict
    };
    world.items.iter().map(judge_one).collect()
}

/// More entries than a bundle has, all of one chain: whatever else there is has not been used for longer.
fn meanwhile(world: &mut World, other: &mut DeviceRun) {
    for _ in 0..260 {
        world.heartbeat(other);
    }
    world.publish();
}

/// The device goes back to an earlier chain of its own, at a place.
fn back_to(run: &mut DeviceRun, chain: &SoftwareKey, place: (u64, Option<cairn_event::Sha256>)) {
    run.chain = SoftwareKey::from_seed(&chain.seed());
    (run.next_seq, run.last) = place;
}

fn gap(world: &mut World, run: &mut DeviceRun, lost: u64) {
    let (from, to) = (run.next_seq, run.next_seq + lost - 1);
    run.next_seq += lost;
    let gap = Gap {
        chain: run.chain.public_key().kid(),
        count: Some(lost),
        from,
        reason: "spool-full".into(),
        to,
    };
    world.chained(run, Body::Gap(gap), None, vec![]);
}

/// A log in which nothing is wrong, and chains are gone on with long after they were used last: entries, a gap, a head,
/// an end, a start that names its predecessor and one that does not.
fn patient() -> (World, DeviceRun, DeviceRun) {
    let mut world = world::busy(12);
    let (mut three, mut four) = (device(&mut world, 3), device(&mut world, 4));
    world.session(&mut three, "session-8");
    world.publish();
    meanwhile(&mut world, &mut four);
    world.bash(&mut three, "session-8", "git status");
    meanwhile(&mut world, &mut four);
    gap(&mut world, &mut three, 3);
    meanwhile(&mut world, &mut four);
    world.chained(&mut three, Body::ChainHead(ChainHead {}), None, vec![]);
    meanwhile(&mut world, &mut four);
    world.start_chain(&mut three, 220);
    meanwhile(&mut world, &mut four);
    back_to(&mut three, &SoftwareKey::from_seed(&[221; 32]), (0, None));
    world.start_with(&mut three, None);
    world.publish();
    (world, three, four)
}

fn device(world: &mut World, n: u8) -> DeviceRun {
    use cairn_event::PersonRole;
    use cairn_event::administrative::RosterChange;
    world.roster(vec![RosterChange::AddPerson {
        person: world::person_id(n),
        roles: vec![PersonRole::Developer],
        teams: vec![],
    }]);
    world.device(n)
}

/// The same, and then what must be refused of chains that were put away: a fork, an entry for a place that was given
/// up, one of an ended chain, its second start, a link to another history, and a chain that never was.
fn hostile() -> World {
    let (mut world, mut three, mut four) = patient();
    let first = SoftwareKey::from_seed(&[153; 32]);
    let stray = Some(cairn_event::Sha256([7; 32]));
    meanwhile(&mut world, &mut four);
    for place in [(2, stray), (5, stray), (90, stray), (0, None)] {
        back_to(&mut three, &first, place);
        world.heartbeat(&mut three);
    }
    back_to(&mut three, &SoftwareKey::from_seed(&[221; 32]), (1, stray));
    world.heartbeat(&mut three);
    back_to(&mut three, &SoftwareKey::from_seed(&[99; 32]), (1, stray));
    world.heartbeat(&mut three);
    meanwhile(&mut world, &mut four);
    back_to(&mut three, &first, (0, None));
    world.start_with(&mut three, None);
    meanwhile(&mut world, &mut four);
    let previous = PreviousChain {
        chain: first.public_key().kid(),
        head: cairn_event::Sha256([9; 32]),
        seq: 1,
    };
    back_to(&mut three, &SoftwareKey::from_seed(&[222; 32]), (0, None));
    world.start_with(&mut three, Some(previous));
    world.publish();
    world
}

#[test]
fn an_audit_with_room_for_few_chains_reports_as_one_with_room_for_all() {
    let (good, ..) = patient();
    let bad = hostile();
    for (world, is_good) in [(&good, true), (&bad, false)] {
        let (mut asked, dir) = (Asked::of(world), written(world));
        let whole = asked.whole(dir.path());
        assert_eq!(whole.is_good(), is_good, "{whole}");
        let dropped = "chains that do not name their device's previous chain";
        assert!(whole.counts.contains_key(dropped), "{whole}");
        for room in [1, 2, 3] {
            asked.chains = room;
            assert_eq!(asked.whole(dir.path()), whole, "room for {room}");
        }
        assert_eq!(verdicts(world, 0), verdicts(world, 1_000));
    }
    let whole = Asked::of(&bad).whole(written(&bad).path());
    for reason in [
        "already has another entry at seq 2",
        "already has another entry at seq 0",
        "declared seq",
        "has ended",
        "names prev",
        "has no start in this log",
    ] {
        assert_named(&whole, "signatures", reason);
    }
}

#[test]
fn an_audit_with_room_for_few_chains_goes_on_from_the_same_states() {
    let (world, ..) = patient();
    let (mut asked, dir) = (Asked::of(&world), written(&world));
    let (whole, finished) = (asked.whole(dir.path()), asked.finished(dir.path()));
    asked.chains = 1;
    assert_eq!(asked.finished(dir.path()), finished);
    for end_at in (0..world.size()).step_by(512) {
        let Some(state) = asked.ended(dir.path(), None, end_at) else {
            continue;
        };
        let keeper = Memory::default();
        let resumed = asked.on(dir.path(), Some(&state), &keeper).unwrap();
        assert_eq!(resumed, whole, "ended at {end_at}");
        assert_eq!(keeper.last().unwrap(), finished);
    }
}

#[test]
fn chains_that_nothing_has_room_for_end_an_audit_without_a_verdict() {
    let (world, ..) = patient();
    let (asked, dir) = (Asked::of(&world), written(&world));
    let nowhere = dir.path().join("not there");
    let options = Options {
        chains: Room {
            most: 1,
            folder: Some(&nowhere),
        },
        ..asked.options()
    };
    let source = Folder::open(dir.path()).unwrap();
    let ended = audit_on(&source, None, &options, None).unwrap_err();
    let told = ended.to_string();
    assert!(
        matches!(ended, Ended::Chains(ColdError::Create { .. })),
        "{told}"
    );
    assert!(told.contains("not there"), "{told}");
}

#[test]
fn a_judge_who_was_not_given_a_chain_back_does_not_call_it_unknown() {
    let (world, ..) = patient();
    let mut judge = Judge::new(ORIGIN);
    let (last, before) = world.items.split_last().unwrap();
    for item in before {
        judge.next(&Reading::of(&item.bytes)).unwrap();
    }
    assert!(!judge.ledger_mut().take_cold(0).is_empty());
    let refused = judge.next(&Reading::of(&last.bytes)).unwrap_err();
    assert!(refused.chain_away().is_some(), "{refused}");
    assert!(refused.to_string().contains("a fault of this program"));
}
