//! The fault matrix: every write of a script fails, truly or only apparently, and the log is
//! reloaded from what is really there.
//!
//! The script crosses the boundary of the first full bundle, where most tiles change at once.

use crate::world::{PATIENCE, World, accept};
use cairn_server::store::{Fault, HeadFile, KeyedStore, LogStore, Memory, Outcome, Table};
use cairn_server::{Log, SubmitResult, Wait};

/// What a submitter was told: the frame and, where it was acknowledged, its index.
type Told = Vec<(String, Option<u64>)>;

#[tokio::test(flavor = "multi_thread")]
async fn i3_i12_i13_any_write_may_fail_and_nothing_acknowledged_is_lost() {
    // 250 entries and three rounds of three around 256; commits and publications alternate, so
    // failing the next twelve writes one after the other meets both kinds at every place.
    for nth in 0..12 {
        for outcome in [Outcome::NotPersisted, Outcome::PersistedAnyway] {
            one_fault(Fault {
                after_writes: nth,
                outcome,
            })
            .await;
        }
    }
}

async fn one_fault(fault: Fault) {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let mut told: Told = Vec::new();
    let first = chain.many(250);
    let indices = accept(&log, first.clone()).await;
    told.extend(first.into_iter().zip(indices.into_iter().map(Some)));
    engine.break_write(fault);
    for _ in 0..8 {
        let frames = chain.many(3);
        let acknowledged = try_submit(&log, &frames).await;
        told.extend(frames.into_iter().zip(acknowledged));
    }
    let mut stopped = log.stopped();
    let cause = tokio::time::timeout(PATIENCE, stopped.wait_for(Option::is_some)).await;
    assert!(
        cause.is_ok(),
        "{fault:?}: a failed write did not stop the log"
    );
    drop(log);

    let engine = engine.reopen();
    let again = world.start(&engine).await.unwrap();
    for batch in told.chunks(128) {
        let frames = batch.iter().map(|(frame, _)| frame.clone()).collect();
        for ((_, before), now) in batch.iter().zip(accept(&again, frames).await) {
            let moved = before.is_some_and(|before| before != now);
            assert!(!moved, "{fault:?}: an acknowledged entry moved");
        }
    }
    assert_eq!(
        again.size(),
        3 + told.len() as u64,
        "{fault:?}: an entry is there twice"
    );
    let report = world.check(&engine);
    assert_eq!(report.published_size, report.size);
}

async fn try_submit(log: &Log, frames: &[String]) -> Vec<Option<u64>> {
    let deadline = std::time::Duration::from_millis(200);
    match log.submit(frames.to_vec(), Wait::Published, deadline).await {
        Ok(results) => results.iter().map(SubmitResult::index).collect(),
        Err(_) => vec![None; frames.len()],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_nothing_is_signed_above_what_the_store_holds() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    for _ in 0..20 {
        accept(&log, chain.many(7)).await;
        let signed = HeadFile::in_folder(&world.data()).read().unwrap().unwrap();
        let durable = KeyedStore::new(engine.reopen()).head().unwrap().unwrap();
        assert!(signed.size <= durable.size());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i5_a_flipped_bit_in_a_stored_entry_is_never_signed() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let before = log.published().borrow().clone();
    // After a restart the old head is signed once more; with a long interval the next head waits,
    // and the disk changes one bit of it meanwhile.
    drop(log);
    let engine = engine.reopen();
    let mut parts = world.parts(&engine, false);
    parts.config.checkpoint.interval_ms = 60_000;
    let log = cairn_server::recover::start(parts).await.unwrap();
    let mut published = log.published();
    let republished = published.wait_for(|now| now.time_ms > before.time_ms).await;
    assert_eq!(republished.unwrap().size, before.size);
    let sequenced = log
        .submit(chain.many(1), Wait::Sequenced, PATIENCE)
        .await
        .unwrap();
    let index = sequenced.first().and_then(SubmitResult::index).unwrap();
    let flipped = engine.damage(Table::Edge, &index.to_be_bytes(), |bytes| {
        if let Some(byte) = bytes.last_mut() {
            *byte ^= 1;
        }
    });
    assert!(flipped);
    drop(log);
    let refused = world.start(&engine.reopen()).await;
    assert!(refused.is_err(), "a log with a flipped bit was started");
    assert!(world.try_check(&engine).is_err());
}

#[test]
fn i5_the_signer_reads_back_what_it_signs() {
    use cairn_server::publish::{Verified, VerifyError};
    use cairn_server::stage::{Edge, NewEntry, stage};
    use cairn_server::store::Head;
    let engine = Memory::new();
    let store = KeyedStore::new(engine.clone());
    let entries = |from: u32, count: u32| -> Vec<NewEntry> {
        let texts = (from..from + count).map(|number| format!("entry {number}").into_bytes());
        let entry = |bytes: Vec<u8>| NewEntry {
            leaf: cairn_tlog::leaf_hash(&bytes),
            bytes,
            place: None,
        };
        texts.map(entry).collect()
    };
    let empty = Head::empty(0);
    let (first, edge) = stage(&empty, &Edge::default(), entries(0, 300), 1).unwrap();
    store.commit(&first).unwrap();
    let verified = Verified::default().advance(&store, &first.head).unwrap();
    let (second, _) = stage(&first.head, &edge, entries(300, 10), 2).unwrap();
    store.commit(&second).unwrap();
    assert!(verified.advance(&store, &second.head).is_ok());
    let flip = |bytes: &mut Vec<u8>| bytes[0] ^= 1;
    assert!(engine.damage(Table::Edge, &305_u64.to_be_bytes(), flip));
    let refused = verified.advance(&store, &second.head);
    assert!(
        matches!(refused, Err(VerifyError::Root { size: 310, .. })),
        "{refused:?}"
    );
    assert!(engine.damage(Table::Edge, &305_u64.to_be_bytes(), flip));
    // A flipped bit in a tile breaks the consistency proof.
    let mut tile = vec![0_u8];
    tile.extend_from_slice(&1_u64.to_be_bytes());
    assert!(engine.damage(Table::Tile, &tile, |bytes| bytes[32 * 43] ^= 1));
    let refused = verified.advance(&store, &second.head);
    assert!(
        matches!(refused, Err(VerifyError::Consistency(_))),
        "{refused:?}"
    );
}
