//! Orders to prune that are in the log and were not carried out: which of them is, the server chooses.

use crate::oracle::{Stored, judge_source};
use crate::world::{Chain, World, accept};
use cairn_event::Sha256;
use cairn_event::administrative::LogPrune;
use cairn_event::body::Body;
use cairn_server::Log;
use cairn_server::clock::system_clock;
use cairn_server::recover::start;
use cairn_server::retention::{Request, of_running};
use cairn_server::store::{KeyedStore, Memory};
use cairn_tlog::TrustPolicy;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const DAY_MS: u64 = 86_400_000;

/// A log with two bundles of entries of 400 days ago, and some of today.
async fn old_log() -> (World, Memory, Log, Chain) {
    let (world, engine) = (World::new(), Memory::new());
    let mut parts = world.parts(&engine, true);
    parts.config.retention.days = Some(365);
    let back_ms = Arc::new(AtomicU64::new(400 * DAY_MS));
    let (now, back) = (system_clock(), back_ms.clone());
    parts.clock = Arc::new(move || now() - back.load(Ordering::SeqCst));
    let log = start(parts).await.unwrap();
    let (mut chain, first) = world.chain(3);
    accept(&log, vec![world.roster()]).await;
    accept(&log, vec![first]).await;
    for part in chain.many(540).chunks(180) {
        accept(&log, part.to_vec()).await;
    }
    back_ms.store(0, Ordering::SeqCst);
    let more = chain.many(5);
    accept(&log, more).await;
    (world, engine, log, chain)
}

fn plan(log: &Log, to: u64) -> LogPrune {
    let request = Request::Plan {
        days: None,
        to: Some(to),
    };
    let plan: Value = of_running(log, request).unwrap();
    LogPrune {
        days: 365,
        from: plan["from"].as_u64().unwrap(),
        kept: Sha256::from_hex(plan["kept"].as_str().unwrap()).unwrap(),
        reason: "as promised".into(),
        to,
    }
}

async fn sign(world: &World, log: &Log, order: &LogPrune) -> u64 {
    let order = world.statement(Body::LogPrune(order.clone()));
    accept(log, vec![order]).await[0]
}

async fn audit(world: &World, engine: &Memory) -> Result<(), String> {
    let policy = format!("log {}\nquorum none\n", world.public.log_key);
    let policy = TrustPolicy::parse(&policy).unwrap();
    let (store, genesis) = (KeyedStore::new(engine.clone()), world.genesis());
    let judged =
        tokio::task::spawn_blocking(move || judge_source(&Stored(&store), &policy, &genesis));
    judged.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_order_that_could_be_carried_out_is_held_against_the_entries() {
    let (world, engine, log, mut chain) = old_log().await;
    let (half, whole) = (plan(&log, 256), plan(&log, 512));
    // Several that are right, of one beginning and different ends.
    for order in [&half, &whole] {
        sign(&world, &log, order).await;
        assert_eq!(audit(&world, &engine).await, Ok(()));
    }
    // One that leaves something out, and right ones after it: the server may take the wrong one.
    let wrong = LogPrune {
        kept: Sha256([7; 32]),
        ..half.clone()
    };
    let at = sign(&world, &log, &wrong).await;
    let again = LogPrune {
        reason: "the right one".into(),
        ..half.clone()
    };
    sign(&world, &log, &again).await;
    let found = audit(&world, &engine).await.unwrap_err();
    assert!(found.contains("BAD  retention"), "{found}");
    let named = format!("index {at}");
    assert!(
        found.contains(&named) && found.contains(&half.kept.to_string()),
        "{found}"
    );
    // Once a right one was carried out, nothing can come of it any more.
    of_running(&log, Request::Run).unwrap();
    assert_eq!(log.minimum_index().unwrap(), 256);
    assert_eq!(audit(&world, &engine).await, Ok(()));
    // Also for the next range.
    let rest = plan(&log, 512);
    assert_ne!(rest.kept, whole.kept);
    let wrong = LogPrune {
        kept: whole.kept,
        ..rest.clone()
    };
    sign(&world, &log, &wrong).await;
    let found = audit(&world, &engine).await.unwrap_err();
    assert!(found.contains(&rest.kept.to_string()), "{found}");
    sign(&world, &log, &rest).await;
    of_running(&log, Request::Run).unwrap();
    assert_eq!(audit(&world, &engine).await, Ok(()));
    let more = chain.many(3);
    accept(&log, more).await;
    assert_eq!(audit(&world, &engine).await, Ok(()));
}
