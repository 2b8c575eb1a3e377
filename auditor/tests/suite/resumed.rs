//! A reader of a part of a log judges like the reader of the whole: the same entries are refused, for
//! the same reason, and what cannot be known is not said.

use super::world::{DeviceRun, World, device_id, person_id};
use cairn_audit::judge::{Judge, Reading};
use cairn_event::administrative::RosterChange;
use cairn_event::body::{Body, ChainHead, Gap, Heartbeat};
use cairn_event::{EntrySigner as _, Isolation, KeyProtection, Payload, SoftwareKey};
use cairn_identity::Flag;

/// A change to a payload.
type Edit = fn(&mut Payload);

/// What judging an entry gave: flags, or the reason.
pub type Verdict = Result<Vec<Flag>, String>;

fn beat() -> Body {
    Body::Heartbeat(Heartbeat {
        sessions: 1,
        spool_bytes: 0,
        spool_records: 0,
    })
}

/// A device with a session and three heartbeats; the part begins before the last of them.
fn story() -> (World, DeviceRun, u64) {
    let mut world = World::new();
    let mut one = world.device(1);
    world.session(&mut one, "session-1");
    world.heartbeat(&mut one);
    world.heartbeat(&mut one);
    let start = world.heartbeat(&mut one);
    (world, one, start)
}

/// Judges every entry of the world. A judge who has room for few chains says the same.
fn whole(world: &World) -> Vec<Verdict> {
    let mut judge = Judge::new(super::world::ORIGIN);
    let items = world.items.iter();
    let whole: Vec<Verdict> = items.map(|item| verdict(&mut judge, &item.bytes)).collect();
    for room in 0..3 {
        assert_eq!(super::cold::verdicts(world, room), whole, "room for {room}");
    }
    whole
}

pub fn verdict(judge: &mut Judge, bytes: &[u8]) -> Verdict {
    let judged = judge.next(&Reading::of(bytes));
    judged
        .map(|judgement| judgement.flags)
        .map_err(|fault| fault.to_string())
}

/// Judges the entries from `start` on, after those before it that a pack brings along.
fn part(world: &World, start: u64) -> Vec<Verdict> {
    let mut judge = Judge::new(super::world::ORIGIN);
    for (item, index) in world.items.iter().zip(0..start) {
        let reading = Reading::of(&item.bytes);
        let body = &reading.entry().unwrap().payload().body;
        let needed = matches!(
            body,
            Body::Genesis(_) | Body::Roster(_) | Body::Policy(_) | Body::ChainStart(_)
        );
        if needed {
            judge.context(index, &reading).unwrap();
        }
    }
    judge.skip_to(start).unwrap();
    let items = world.items.iter().skip(start as usize);
    items.map(|item| verdict(&mut judge, &item.bytes)).collect()
}

/// The part's verdicts are the whole's, and the last one is a refusal that says `reason`.
fn assert_same_refusal(world: &World, start: u64, reason: &str) {
    let (whole, part) = (whole(world), part(world, start));
    assert_eq!(part[..], whole[start as usize..]);
    let refused = part.last().unwrap().as_ref().unwrap_err();
    assert!(refused.contains(reason), "{refused}");
}

#[test]
fn an_untouched_history_is_judged_alike_wherever_one_begins() {
    let world = super::world::busy(40);
    let whole = whole(&world);
    assert!(whole.iter().all(Result::is_ok));
    for start in 0..world.size() {
        assert_eq!(part(&world, start)[..], whole[start as usize..], "{start}");
    }
}

#[test]
fn false_claims_are_refused_for_the_same_reason() {
    let edits: [(Edit, &str); 6] = [
        (|it| it.context.teams = vec!["security".into()], "`teams`"),
        (|it| it.context.person = Some(person_id(2)), "`person`"),
        (
            |it| it.context.isolation = Some(Isolation::SelfAsserted),
            "`isolation`",
        ),
        (
            |it| it.context.protection = Some(KeyProtection::TpmAttested),
            "`protection`",
        ),
        (|it| it.context.roster = Some(2), "roster entry 2"),
        (|it| it.context.policy = Some(1), "policy entry 1"),
    ];
    for (edit, reason) in edits {
        // As the first entry of the chain in the part, and as a later one.
        for later in 0..2 {
            let (mut world, mut one, start) = story();
            let start = start + u64::from(later == 0);
            world.edited(&mut one, beat(), None, vec![], edit);
            assert_same_refusal(&world, start, reason);
        }
    }
}

#[test]
fn a_second_entry_for_a_place_is_a_fork_before_it_is_anything_else() {
    let (mut world, mut one, start) = story();
    world.edited(&mut one, beat(), None, vec![], |rival| {
        rival.link.as_mut().unwrap().seq -= 1;
        rival.context.teams = vec!["security".into()];
    });
    assert_same_refusal(&world, start, "already has another entry at seq");
}

#[test]
fn a_broken_link_and_a_hole_are_refused_after_the_first_entry() {
    let (mut world, mut one, start) = story();
    one.last = Some(cairn_event::Sha256([7; 32]));
    world.heartbeat(&mut one);
    assert_same_refusal(&world, start, "names prev");
    let (mut world, mut one, start) = story();
    one.next_seq += 2;
    world.heartbeat(&mut one);
    assert_same_refusal(&world, start, "continues at seq");
}

#[test]
fn an_entry_under_an_unknown_chain_or_a_strangers_key_is_refused() {
    let (mut world, mut one, start) = story();
    one.chain = SoftwareKey::from_seed(&[77; 32]);
    world.heartbeat(&mut one);
    assert_same_refusal(&world, start, "has no start");
    let (mut world, mut one, start) = story();
    world.edited(&mut one, beat(), None, vec![], |entry| {
        entry.link.as_mut().unwrap().device = device_id(9);
    });
    assert_same_refusal(&world, start, "is not enrolled");
}

#[test]
fn a_rewritten_or_dropped_history_is_flagged_alike() {
    let rewritten = |run: &mut DeviceRun, world: &mut World| {
        world.start_chain(run, 201);
        let mut again = run.previous.clone().unwrap();
        again.seq -= 1;
        again
    };
    for (drop, flag) in [
        (false, Flag::HistoryRewritten),
        (true, Flag::HistoryDropped),
    ] {
        let (mut world, mut one, start) = story();
        let named = rewritten(&mut one, &mut world);
        // The honest start is taken back and another one put in its place.
        world.items.pop();
        (one.next_seq, one.last) = (0, None);
        let previous = (!drop).then_some(named);
        world.start_with(&mut one, previous);
        let (whole, part) = (whole(&world), part(&world, start));
        assert_eq!(part[..], whole[start as usize..]);
        assert_eq!(part.last().unwrap(), &Ok(vec![flag]));
    }
}

#[test]
fn a_gap_is_stated_alike_even_as_the_first_entry_seen() {
    let (mut world, mut one, start) = story();
    let chain = one.chain.public_key().kid();
    let (from, to) = (one.next_seq, one.next_seq + 3);
    one.next_seq += 4;
    let gap = Body::Gap(Gap {
        chain: chain.clone(),
        count: None,
        from,
        reason: "spool-full".into(),
        to,
    });
    let index = world.chained(&mut one, gap, None, vec![]);
    for start in [start, index] {
        let (whole, part) = (whole(&world), part(&world, start));
        assert_eq!(part[..], whole[start as usize..]);
        let chain = chain.clone();
        assert_eq!(
            part.last().unwrap(),
            &Ok(vec![Flag::Missing { chain, from, to }])
        );
    }
}

#[test]
fn a_revoked_device_is_flagged_and_anchors_nothing_alike() {
    let (mut world, mut one, start) = story();
    world.chained(&mut one, Body::ChainHead(ChainHead {}), None, vec![]);
    let anchored = one.next_seq - 1;
    let device = one.id.clone();
    world.roster(vec![RosterChange::RevokeDevice {
        device,
        reason: "lost".into(),
    }]);
    world.chained(&mut one, Body::ChainHead(ChainHead {}), None, vec![]);
    let (whole, part) = (whole(&world), part(&world, start));
    assert_eq!(part[..], whole[start as usize..]);
    assert_eq!(part.last().unwrap(), &Ok(vec![Flag::DeviceRevoked]));
    let mut judge = Judge::new(super::world::ORIGIN);
    for item in &world.items {
        verdict(&mut judge, &item.bytes).unwrap();
    }
    let chain = judge.ledger().chain(&one.chain.public_key().kid()).unwrap();
    assert_eq!(chain.anchored_seq, anchored);
}
