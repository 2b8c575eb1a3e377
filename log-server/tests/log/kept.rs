//! The kept ledger: a start that believes it knows what a start that reads everything knows, and one
//! that cannot believe it reads everything.

use crate::world::{PATIENCE, World, accept};
use cairn_event::SoftwareKey;
use cairn_server::Wait;
use cairn_server::clock::system_clock;
use cairn_server::keys::Keys;
use cairn_server::recover::{Found, LedgerFile, Signatures, examine};
use cairn_server::store::{Change, Engine as _, HeadFile, KeyedStore, Memory, Table};

/// What a start finds, with or without the kept ledger.
fn found(world: &World, engine: &Memory, with_kept: bool) -> Found {
    let store = KeyedStore::new(engine.reopen());
    let keys = Keys::load(&world.data()).unwrap();
    let signed = HeadFile::in_folder(&world.data()).read().unwrap();
    let file = LedgerFile::in_folder(&world.data());
    let kept = with_kept.then_some(&file);
    let now_ms = system_clock()();
    examine(&store, signed, &keys, now_ms, Signatures::Trust, kept).unwrap()
}

/// The size from which a start reads, after comparing what it knows with a start that reads all.
fn reads_from(world: &World, engine: &Memory) -> u64 {
    let (short, long) = (found(world, engine, true), found(world, engine, false));
    assert_eq!(long.replayed.read_from, 0);
    let known = |found: &Found| format!("{:?}", found.replayed.ledger);
    assert_eq!(known(&short), known(&long));
    assert_eq!(short.replayed.verified, long.replayed.verified);
    short.replayed.read_from
}

fn keep(world: &World, engine: &Memory) -> u64 {
    let found = found(world, engine, false);
    let keys = Keys::load(&world.data()).unwrap();
    let file = LedgerFile::in_folder(&world.data());
    let (ledger, head) = (&found.replayed.ledger, &found.head);
    file.write(ledger, head, keys.observer.as_ref()).unwrap();
    head.size()
}

#[tokio::test]
async fn a_start_reads_on_from_the_kept_ledger_and_knows_the_same() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    accept(&log, chain.many(300)).await;
    accept(&log, vec![chain.skipping(3, true)]).await;
    assert_eq!(reads_from(&world, &engine), 0, "nothing is kept yet");
    let size = keep(&world, &engine);
    assert_eq!(reads_from(&world, &engine), size);

    let (mut second, first) = world.chain_after(9, &chain);
    accept(&log, vec![first]).await;
    accept(&log, second.many(20)).await;
    accept(&log, chain.many(20)).await;
    assert_eq!(reads_from(&world, &engine), size);
    drop(log);

    let log = world.start(&engine).await.unwrap();
    accept(&log, chain.many(5)).await;
    accept(&log, second.many(5)).await;
    drop(log);
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_an_entry_changed_below_a_believed_ledger_stops_the_log() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    accept(&log, chain.many(300)).await;
    drop(log);
    let size = keep(&world, &engine);
    assert_eq!(reads_from(&world, &engine), size);
    let key = 0_u64.to_be_bytes();
    let mut bundle = engine.get(Table::Bundle, &key).unwrap().unwrap();
    let last = bundle.len() - 1;
    bundle[last] ^= 1;
    let change = Change::Put(Table::Bundle, key.to_vec(), bundle);
    engine.write(vec![change]).unwrap();
    // The start believes the ledger and does not read so far back; the services read everything.
    let log = world.start(&engine).await.unwrap();
    let _routes = cairn_server::services::start(&log).unwrap();
    let mut stopped = log.stopped();
    let stopped = tokio::time::timeout(PATIENCE, stopped.wait_for(Option::is_some)).await;
    let cause = stopped.unwrap().unwrap().clone().unwrap();
    assert!(cause.contains("are not those of the checkpoint"), "{cause}");
    log.submit(chain.many(1), Wait::Sequenced, PATIENCE)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn a_kept_ledger_in_doubt_is_passed_over() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    accept(&log, chain.many(40)).await;
    drop(log);
    let size = keep(&world, &engine);
    let path = world.data().join("LEDGER");
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(reads_from(&world, &engine), size);

    for at in (0..whole.len()).step_by(37) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        assert_eq!(reads_from(&world, &engine), 0, "byte {at} is flipped");
        std::fs::write(&path, &whole[..at]).unwrap();
        assert_eq!(reads_from(&world, &engine), 0, "cut at byte {at}");
    }

    let found = found(&world, &engine, false);
    let (ledger, head) = (&found.replayed.ledger, &found.head);
    let stranger = SoftwareKey::from_seed(&[77; 32]);
    let file = LedgerFile::in_folder(&world.data());
    file.write(ledger, head, &stranger).unwrap();
    assert_eq!(reads_from(&world, &engine), 0, "somebody else signed it");
}

#[tokio::test]
async fn a_kept_ledger_of_another_history_is_passed_over() {
    let (world, engine, other) = (World::new(), Memory::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    accept(&log, chain.many(40)).await;
    drop(log);
    // The same server and organisation; HEAD of the first history must not hinder the second.
    let signed = std::fs::read(world.data().join("HEAD")).unwrap();
    std::fs::remove_file(world.data().join("HEAD")).unwrap();
    let (log, chain) = world.enrolled(&other).await;
    accept(&log, vec![chain.rival(1)]).await;
    drop(log);
    keep(&world, &other);
    std::fs::write(world.data().join("HEAD"), signed).unwrap();
    assert_eq!(reads_from(&world, &engine), 0, "of another history");
}

#[tokio::test]
async fn a_kept_ledger_that_claims_other_chains_is_passed_over() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    accept(&log, chain.many(10)).await;
    let early = found(&world, &engine, false);
    accept(&log, chain.many(10)).await;
    drop(log);
    let late = found(&world, &engine, false);
    let keys = Keys::load(&world.data()).unwrap();
    let file = LedgerFile::in_folder(&world.data());
    // Rightly signed, and yet of two sizes at once: the server's own mistake would look like this.
    let (old, new) = (&early.replayed.ledger, &late.head);
    file.write(old, new, keys.observer.as_ref()).unwrap();
    assert_eq!(
        reads_from(&world, &engine),
        0,
        "a chain that has grown since"
    );
}
