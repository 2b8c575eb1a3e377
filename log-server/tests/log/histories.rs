//! A chain key that signs two histories is put on record; one that lost entries and said so is not.

use crate::world::{World, accept, entry_of, refuse};
use cairn_event::administrative::Fork;
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_server::Log;
use cairn_server::store::Memory;

fn fork_at(log: &Log, index: u64) -> Fork {
    let entry = Entry::parse(&log.entry(index).unwrap().unwrap()).unwrap();
    match &entry.payload().body {
        Body::Fork(fork) => fork.clone(),
        other => panic!("not a fork: {}", other.kind()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i8_an_entry_after_another_history_is_refused_and_logged_once() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let last = chain.next();
    accept(&log, vec![last.clone()]).await;
    let broken = chain.after_another();
    for _ in 0..2 {
        assert_eq!(refuse(&log, broken.clone()).await, "broken-link");
    }
    assert_eq!(log.size(), 5, "genesis, roster, start, entry, one fork");
    let fork = fork_at(&log, 4);
    assert_eq!((&fork.chain, fork.seq), (&chain.kid(), 2));
    assert_eq!(fork.admitted_entry.as_deref(), Some(entry_of(&last)));
    assert_eq!(fork.refused_entry.as_deref(), Some(entry_of(&broken)));
    // The two entries prove it by themselves: the second does not follow the first.
    let refused = Entry::parse(entry_of(&broken).as_bytes()).unwrap();
    let link = refused.payload().link.as_ref().unwrap();
    assert_ne!(link.prev, Some(fork.admitted));
    // The chain goes on from the history that the log has.
    accept(&log, chain.many(2)).await;
    drop(log);
    let engine = engine.reopen();
    let again = world.start(&engine).await.unwrap();
    assert_eq!(refuse(&again, broken).await, "chain-fork");
    assert_eq!(again.size(), 7, "the place is known to be contested");
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn i8_evidence_that_fits_no_entry_is_kept_whole() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    // The refused one alone fits (30,000 bytes), then neither does (60,000).
    for (bytes, embedded) in [(30_000, true), (60_000, false)] {
        let (rival, admitted) = (chain.rival_of(bytes), chain.rival_of(29_000));
        let keeping = chain.adopt(&admitted);
        accept(&log, vec![keeping]).await;
        assert_eq!(refuse(&log, rival.clone()).await, "chain-fork");
        let fork = fork_at(&log, log.size() - 1);
        let refused = entry_of(&rival);
        assert_eq!(fork.admitted_entry, None);
        assert_eq!(fork.refused, Sha256::of_leaf(refused.as_bytes()));
        assert_eq!(fork.refused_entry.as_deref(), embedded.then_some(refused));
        let blob = log.blob(&fork.refused.0).unwrap();
        let kept = (!embedded).then(|| [b"\0", refused.as_bytes()].concat());
        assert_eq!(blob, kept);
    }
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_its_chain_gave_up_is_refused_as_that_and_as_no_fork() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let late = chain.rival(1);
    let gap = chain.skipping(3, true);
    accept(&log, vec![gap]).await;
    let size = log.size();
    assert_eq!(refuse(&log, late.clone()).await, "chain-gap-declared");
    accept(&log, chain.many(1)).await;
    assert_eq!(log.size(), size + 1, "a late entry proves no fork");
    drop(log);
    let engine = engine.reopen();
    let again = world.start(&engine).await.unwrap();
    assert_eq!(refuse(&again, late).await, "chain-gap-declared");
    world.check(&engine);
}
