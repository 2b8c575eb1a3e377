//! One test for each invariant that the log holds by itself.

use crate::world::{PATIENCE, World, accept, entry_of, refuse};
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_server::store::{KeyedStore, LogStore, PublishedCheckpoint, StoreError};
use cairn_server::{SubmitResult, Wait};
use cairn_tlog::tile::tiles_for_size;
use cairn_tlog::{Checkpoint, Hash, Receipt, TrustPolicy, VerifierKey};
use std::collections::{BTreeMap, BTreeSet};

#[tokio::test(flavor = "multi_thread")]
async fn i1_every_checkpoint_is_consistent_with_every_earlier_one() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    for count in [1, 100, 153, 2, 300] {
        accept(&log, chain.many(count)).await;
    }
    let store = KeyedStore::new(engine.clone());
    let sizes = store.checkpoint_sizes(0, 1_000).unwrap();
    assert_eq!(sizes.first(), Some(&0), "the empty log is published first");
    assert!(sizes.len() >= 6, "{sizes:?}");
    // The oracle compares the root at every kept size with the entries.
    let report = world.check(&engine);
    assert_eq!(report.checkpoints, sizes.len() as u64);
    assert_eq!(report.size, 3 + 556);
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_i6_a_second_root_or_a_smaller_size_is_never_published() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let (log, _) = world.enrolled(&engine).await;
    let newest = log.published().borrow().clone();
    let store = KeyedStore::new(engine.clone());
    let other = PublishedCheckpoint {
        root: Hash([7; 32]),
        ..newest.clone()
    };
    let smaller = PublishedCheckpoint {
        size: newest.size - 1,
        ..newest.clone()
    };
    let earlier = PublishedCheckpoint {
        time_ms: newest.time_ms - 1,
        ..newest.clone()
    };
    for wrong in [other, smaller, earlier] {
        let refused = store.publish(&wrong);
        assert!(
            matches!(refused, Err(StoreError::CheckpointBack { .. })),
            "{refused:?}"
        );
    }
    assert!(log.published().borrow().size <= log.size());
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_receipts_prove_the_bytes_at_their_index_for_ever() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let policy = format!("log {}\nquorum none\n", world.public.log_key);
    let policy = TrustPolicy::parse(&policy).unwrap();
    let frames = chain.many(256);
    let results = log
        .submit(frames.clone(), Wait::Published, PATIENCE)
        .await
        .unwrap();
    accept(&log, chain.many(256)).await;
    for (frame, result) in frames.iter().zip(&results) {
        let SubmitResult::Accepted {
            index,
            leaf,
            receipt: Some(receipt),
            ..
        } = result
        else {
            panic!("no receipt: {result:?}");
        };
        let bytes = log.entry(*index).unwrap().unwrap();
        assert_eq!(bytes, entry_of(frame).as_bytes());
        assert_eq!(leaf.0, Sha256::of_leaf(&bytes).0);
        let receipt = Receipt::parse(receipt).unwrap();
        assert_eq!(receipt.index, *index);
        receipt.verify(leaf, &policy).unwrap();
        let later = Receipt::parse(&log.receipt(*index).unwrap().unwrap()).unwrap();
        later.verify(leaf, &policy).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i7_the_same_bytes_have_one_index_concurrently_and_after_a_restart() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let frames = chain.many(20);
    let submitters = (0..8).map(|_| {
        let (log, frames) = (log.clone(), frames.clone());
        tokio::spawn(async move { accept(&log, frames).await })
    });
    let answers = futures_util::future::join_all(submitters).await;
    let answers: BTreeSet<Vec<u64>> = answers.into_iter().map(|one| one.unwrap()).collect();
    assert_eq!(answers.len(), 1, "one index for each entry: {answers:?}");
    assert_eq!(log.size(), 3 + 20);
    drop(log);
    let again = world.start(&engine.reopen()).await.unwrap();
    assert_eq!(answers.first(), Some(&accept(&again, frames).await));
    assert_eq!(again.size(), 3 + 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn i8_a_second_entry_at_one_place_is_refused_and_logged_once() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let (rival, second) = (chain.rival(1), chain.rival(2));
    let admitted = chain.next();
    accept(&log, vec![admitted.clone()]).await;
    assert_eq!(refuse(&log, rival.clone()).await, "chain-fork");
    assert_eq!(refuse(&log, second).await, "chain-fork");
    assert_eq!(log.size(), 5, "genesis, roster, start, entry, one fork");
    let entry = Entry::parse(&log.entry(4).unwrap().unwrap()).unwrap();
    entry.verify(&world.public.observer).unwrap();
    let Body::Fork(fork) = &entry.payload().body else {
        panic!("not a fork")
    };
    assert_eq!(fork.admitted_entry.as_deref(), Some(entry_of(&admitted)));
    assert_eq!(fork.refused_entry.as_deref(), Some(entry_of(&rival)));
    assert_eq!((&fork.chain, fork.seq), (&chain.kid(), 1));
    // After a restart the place is still known to be contested.
    drop(log);
    let engine = engine.reopen();
    let again = world.start(&engine).await.unwrap();
    assert_eq!(refuse(&again, rival).await, "chain-fork");
    assert_eq!(again.size(), 5);
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_a_chain_has_no_hole_without_a_gap_entry() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let silent = chain.skipping(3, false);
    assert_eq!(refuse(&log, silent).await, "missing-before");
    let declared = chain.skipping(3, true);
    accept(&log, vec![declared]).await;
    accept(&log, chain.many(2)).await;
    assert_eq!(
        log.ledger().chain(&chain.kid()).unwrap().next_seq,
        chain.seq
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_a_lost_tail_shown_by_the_next_chain_is_stated_by_the_observer() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    accept(&log, chain.many(2)).await;
    let lost = chain.many(4);
    let (_, start) = world.chain_after(4, &chain);
    let index = accept(&log, vec![start]).await[0];
    let entry = Entry::parse(&log.entry(index + 1).unwrap().unwrap()).unwrap();
    entry.verify(&world.public.observer).unwrap();
    let Body::ObservedGap(gap) = &entry.payload().body else {
        panic!("not a gap")
    };
    assert_eq!((&gap.chain, gap.from, gap.to), (&chain.kid(), 3, 6));
    // What was missing is still taken when it turns up.
    accept(&log, lost).await;
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_a_tile_path_never_has_two_contents() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let store = KeyedStore::new(engine.clone());
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for count in [1, 252, 1, 256, 200, 60] {
        accept(&log, chain.many(count)).await;
        for id in tiles_for_size(log.size()) {
            for width in [id.width, id.width / 2]
                .into_iter()
                .filter(|&width| width > 0)
            {
                let id = cairn_tlog::TileId { width, ..id };
                let bytes = store.tile(id).unwrap().unwrap();
                let first = seen.entry(id.to_string()).or_insert_with(|| bytes.clone());
                assert_eq!(*first, bytes, "{id}");
            }
        }
        for bundle in cairn_tlog::tile::bundles_for_size(log.size()) {
            let bytes = store.bundle(bundle.index, bundle.width).unwrap().unwrap();
            let first = seen
                .entry(bundle.to_string())
                .or_insert_with(|| bytes.clone());
            assert_eq!(*first, bytes, "{bundle}");
        }
    }
    // Every partial resource seen on the way is still served with the same bytes.
    for (path, bytes) in &seen {
        let now = match path.parse::<cairn_tlog::BundleId>() {
            Ok(id) => store.bundle(id.index, id.width),
            Err(_) => store.tile(path.parse().unwrap()),
        };
        assert_eq!(now.unwrap().as_ref(), Some(bytes), "{path}");
    }
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_empty_log_is_published_before_genesis() {
    let (world, engine) = (World::new(), cairn_server::store::Memory::new());
    let log = world.start(&engine).await.unwrap();
    let key = VerifierKey::parse(&world.public.log_key).unwrap();
    let first = KeyedStore::new(engine).checkpoint(0).unwrap().unwrap();
    let (checkpoint, _) = Checkpoint::open(&first.note, &key).unwrap();
    assert_eq!(checkpoint, Checkpoint::empty(log.origin()));
}
