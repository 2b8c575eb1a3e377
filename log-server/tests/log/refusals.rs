//! What keeps a log down at its start, and what is turned away while it runs.

use crate::world::{DEVICE, PATIENCE, World, accept, refuse};
use cairn_event::administrative::Right;
use cairn_server::chain_starts::{CHAIN_STARTS_AT_ONCE, CHAIN_STARTS_PER_HOUR};
use cairn_server::problem::Problem;
use cairn_server::recover::{StartError, StateError, start};
use cairn_server::store::{HeadFile, Memory, SignedHead};
use cairn_server::{SubmitError, Wait};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_needs_genesis_and_later_ones_refuse_another() {
    let (world, engine) = (World::new(), Memory::new());
    let missing = start(world.parts(&engine, false)).await;
    assert!(matches!(missing, Err(StartError::GenesisMissing)));
    drop(world.start(&engine).await.unwrap());
    let engine = engine.reopen();
    drop(start(world.parts(&engine, true)).await.unwrap());
    let mut parts = world.parts(&engine.reopen(), true);
    parts.genesis = Some(world.genesis_of("Somebody else"));
    assert!(matches!(start(parts).await, Err(StartError::GenesisOther)));
}

#[tokio::test(flavor = "multi_thread")]
async fn genesis_of_another_server_is_refused() {
    let (world, other, engine) = (World::new(), World::new(), Memory::new());
    let mut parts = world.parts(&engine, true);
    parts.genesis = Some(other.genesis());
    let refused = start(parts).await;
    assert!(matches!(
        refused,
        Err(StartError::State(StateError::GenesisLogKey { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_went_back_in_time_is_not_served() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let backup = engine.reopen();
    accept(&log, chain.many(5)).await;
    drop(log);
    let refused = world.start(&backup).await;
    let state = refused.err().map(|error| error.to_string());
    assert_eq!(state.as_deref(), Some("the stored log is in doubt"));
    let refused = world.start(&backup).await;
    assert!(matches!(
        refused,
        Err(StartError::State(StateError::SignedAhead {
            signed: 8,
            size: 3
        }))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_beside_a_head_file_is_not_served() {
    let (world, engine) = (World::new(), Memory::new());
    drop(world.enrolled(&engine).await);
    let refused = start(world.parts(&Memory::new(), true)).await;
    assert!(matches!(
        refused,
        Err(StartError::State(StateError::SignedAhead { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_at_a_signed_size_is_not_served() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, _) = world.enrolled(&engine).await;
    drop(log);
    let file = HeadFile::in_folder(&world.data());
    let signed = file.read().unwrap().unwrap();
    file.write(&SignedHead {
        root: cairn_tlog::Hash([9; 32]),
        ..signed
    })
    .unwrap();
    let refused = world.start(&engine.reopen()).await;
    assert!(matches!(
        refused,
        Err(StartError::State(
            StateError::Replay(_) | StateError::TwoRoots { .. }
        ))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_behind_the_head_is_refused() {
    let (world, engine) = (World::new(), Memory::new());
    drop(world.enrolled(&engine).await);
    let mut parts = world.parts(&engine.reopen(), false);
    parts.clock = Arc::new(|| 1_000);
    let refused = start(parts).await;
    assert!(matches!(
        refused,
        Err(StartError::State(StateError::ClockBehind { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_log_is_refused() {
    let (world, other, engine) = (World::new(), World::new(), Memory::new());
    drop(world.enrolled(&engine).await);
    let mut parts = world.parts(&engine.reopen(), false);
    parts.keys = cairn_server::keys::Keys::load(&other.data()).unwrap();
    let refused = start(parts).await;
    assert!(matches!(
        refused,
        Err(StartError::State(StateError::OtherKey(_)))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_policy_must_name_this_log() {
    let (world, other) = (World::new(), World::new());
    let mut parts = world.parts(&Memory::new(), true);
    parts.trust_text = Some(format!("log {}\nquorum none\n", other.public.log_key));
    assert!(matches!(
        start(parts).await,
        Err(StartError::TrustWithoutLog(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_published_and_entries_are_durable_all_the_same() {
    let (world, engine) = (World::new(), Memory::new());
    let seed = [5; 32];
    let witness = cairn_tlog::SignerKey::from_seed(
        "witness.example.com",
        cairn_tlog::KeyAlgorithm::Ed25519Cosignature,
        &seed,
    );
    let witness = witness.unwrap();
    let mut parts = world.parts(&engine, true);
    parts.trust_text = Some(format!(
        "log {}\nwitness w1 {} http://127.0.0.1:1/\nquorum w1\n",
        world.public.log_key,
        witness.verifier()
    ));
    let log = start(parts).await.unwrap();
    let short = std::time::Duration::from_millis(100);
    let results = log
        .submit(vec![world.roster()], Wait::Witnessed, short)
        .await
        .unwrap();
    assert_eq!(
        results.first().and_then(cairn_server::SubmitResult::index),
        Some(1)
    );
    assert_eq!(log.published().borrow().note, "");
    assert_eq!(log.receipt(1).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_and_a_nearly_full_disk_turn_submissions_away() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    drop(log);
    let engine = engine.reopen();
    let mut parts = world.parts(&engine, false);
    parts.config.pool.entries = 2;
    let log = start(parts).await.unwrap();
    let frames = chain.many(3);
    let refused = log.submit(frames.clone(), Wait::Sequenced, PATIENCE).await;
    assert!(matches!(refused, Err(SubmitError::PoolFull { .. })));
    // What was turned away took no room.
    accept(&log, frames.into_iter().take(2).collect()).await;
    drop(log);
    let mut parts = world.parts(&engine.reopen(), false);
    parts.config.disk.reserve_bytes = u64::MAX;
    let log = start(parts).await.unwrap();
    let refused = log
        .submit(vec![chain.next()], Wait::Sequenced, PATIENCE)
        .await;
    assert!(matches!(refused, Err(SubmitError::DiskReserve { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_starts_so_many_chains_and_its_others_go_on() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    // One was started already.
    let starts = (1..CHAIN_STARTS_AT_ONCE).map(|number| world.chain_numbered(number).1);
    let starts: Vec<String> = starts.collect();
    accept(&log, starts.clone()).await;
    let more = world.chain_numbered(CHAIN_STARTS_AT_ONCE).1;
    let refused = log.submit(vec![more], Wait::Sequenced, PATIENCE).await;
    let Err(SubmitError::ChainStarts(refused)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refused.device, DEVICE);
    let pause = 1..=3_600 / CHAIN_STARTS_PER_HOUR + 1;
    assert!(pause.contains(&refused.retry_after_s), "{refused}");
    let problem = Problem::from(SubmitError::ChainStarts(refused));
    assert_eq!((problem.code(), problem.body.status), ("chain-starts", 429));
    // What the log has may be sent again by anybody, and a chain that runs goes on.
    accept(&log, starts).await;
    accept(&log, vec![chain.next()]).await;
    // The budget is at the door: a start judges what is on record without it.
    drop(log);
    let log = world.start(&engine.reopen()).await.unwrap();
    assert_eq!(log.ledger().chains().count() as u64, CHAIN_STARTS_AT_ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_without_authority_are_refused() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    assert_eq!(refuse(&log, world.genesis_of("Again")).await, "genesis");
    let good = chain.next();
    let (head, tail) = good.split_at(good.len() - 3);
    let forged = format!("{head}{}", if tail == "AA~" { "QQ~" } else { "AA~" });
    let code = refuse(&log, forged).await;
    assert!(
        ["bad-signature", "malformed-entry"].contains(&code.as_str()),
        "{code}"
    );
    let (_, unknown) = (chain.next(), World::new().chain(9).0.next());
    assert_eq!(refuse(&log, unknown).await, "unknown-chain");
    accept(&log, vec![good]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_roots_for_one_size_are_not_served_whichever_is_right() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, _) = world.enrolled(&engine).await;
    let published = log.published().borrow().clone();
    drop(log);
    let file = HeadFile::in_folder(&world.data());
    let signed = file.read().unwrap().unwrap();
    assert_eq!(signed.size, published.size);
    let other = cairn_tlog::Hash([9; 32]);
    file.write(&SignedHead {
        root: other,
        ..signed
    })
    .unwrap();
    // The recorded roots contradict each other before any entry is read.
    let refused = world.start(&engine.reopen()).await;
    assert!(matches!(
        refused,
        Err(StartError::State(StateError::TwoRoots { size, one, other: found }))
            if size == published.size && one == published.root && found == other
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genesis_that_would_not_be_admitted_is_refused_before_anything_is_signed() {
    let rights: [&[Right]; 3] = [
        &[],
        &[Right::AdmitDevice, Right::AdmitDevice],
        &[Right::Policy, Right::AdmitDevice],
    ];
    for may in rights {
        let (world, engine) = (World::new(), Memory::new());
        let mut parts = world.parts(&engine, true);
        parts.genesis = Some(world.genesis_with("Example", may, None));
        let refused = start(parts).await.err();
        assert!(
            matches!(refused, Some(StartError::GenesisInvalid(_))),
            "{may:?}: {refused:?}"
        );
        assert_eq!(engine.writes(), 0, "{may:?}");
        assert_eq!(HeadFile::in_folder(&world.data()).read().unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_genesis_names_other_keys_than_the_folder_has_is_not_served() {
    let (world, other) = (World::new(), World::new());
    // At the first start, and with keys exchanged afterwards.
    let engine = Memory::new();
    let mut parts = world.parts(&engine, true);
    let observer = Some(other.public.observer.clone());
    parts.genesis = Some(world.genesis_with("Example", &[Right::AdmitDevice], observer));
    assert!(matches!(
        start(parts).await,
        Err(StartError::State(StateError::GenesisObserver))
    ));
    drop(world.enrolled(&engine).await);
    let seed = |world: &World| world.data().join("keys/observer.seed");
    std::fs::copy(seed(&other), seed(&world)).unwrap();
    std::fs::remove_file(world.data().join("keys/FINGERPRINTS")).unwrap();
    assert!(matches!(
        world.start(&engine.reopen()).await,
        Err(StartError::State(StateError::GenesisObserver))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_far_ahead_of_the_head_is_refused_until_somebody_confirms_it() {
    use cairn_server::recover::silence::{CONFIRMATION, MAX_SILENCE_MS, SilenceError};
    let (world, engine) = (World::new(), Memory::new());
    drop(world.enrolled(&engine).await);
    let recorded_ms = HeadFile::in_folder(&world.data())
        .read()
        .unwrap()
        .unwrap()
        .time_ms;
    let at = async |now_ms: u64| {
        let mut parts = world.parts(&engine.reopen(), false);
        parts.clock = Arc::new(move || now_ms);
        start(parts).await
    };
    let ahead = recorded_ms + MAX_SILENCE_MS + 3_600_000;
    let unconfirmed = |started: Result<cairn_server::Log, StartError>| {
        matches!(
            started,
            Err(StartError::Clock(SilenceError::Unconfirmed { .. }))
        )
    };
    assert!(unconfirmed(at(ahead).await));
    let confirm = |text: &str| std::fs::write(world.data().join(CONFIRMATION), text).unwrap();
    confirm("soon\n");
    assert!(matches!(
        at(ahead).await,
        Err(StartError::Clock(SilenceError::Form))
    ));
    // Somebody confirmed another time than the clock now has.
    confirm(&format!("{}\n", recorded_ms / 1_000));
    assert!(unconfirmed(at(ahead).await));
    let signed = HeadFile::in_folder(&world.data()).read().unwrap().unwrap();
    assert_eq!(signed.time_ms, recorded_ms, "nothing was signed meanwhile");
    confirm(&format!("{}\n", ahead / 1_000));
    drop(at(ahead).await.unwrap());
}
