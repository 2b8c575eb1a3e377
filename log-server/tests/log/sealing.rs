//! Confidential parts that cannot be sealed, or not kept: nothing of them is acknowledged.

use crate::world::{PATIENCE, World, accept, refuse};
use cairn_server::disclosures::DisclosureState;
use cairn_server::store::{Engine as _, Fault, Memory, Outcome, Table};
use cairn_server::{Log, Wait};

fn states(log: &Log, index: u64) -> Vec<DisclosureState> {
    let held = log.disclosures().get(index).unwrap();
    held.iter().map(|one| one.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sealed_is_refused_and_taken_once_it_can() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let (first, _) = chain.confidential(1, &[("email", "ann@example.com")]);
    accept(&log, vec![first]).await;
    let flip = |engine: &Memory| {
        let keys = engine.scan(Table::PersonKey, b"", &[0xff], 10).unwrap();
        assert_eq!(keys.len(), 1);
        engine.damage(Table::PersonKey, &keys[0].0, |value| {
            if let Some(byte) = value.last_mut() {
                *byte ^= 1;
            }
        })
    };
    // The person's key does not open: nothing can be sealed for this person.
    assert!(flip(&engine));
    let size = log.size();
    let (second, _) = chain.confidential(5, &[("email", "ann@example.com"), ("host", "ws-1")]);
    let writes = engine.writes();
    assert_eq!(refuse(&log, second.clone()).await, "not-sealed");
    assert_eq!(
        (log.size(), engine.writes()),
        (size, writes),
        "written all the same"
    );
    assert_eq!(
        log.stopped().borrow().as_deref(),
        None,
        "one frame stopped the log"
    );
    // Others go on, and the same bytes are taken when the key is mended.
    let (_, other) = world.chain(4);
    accept(&log, vec![other]).await;
    assert!(flip(&engine));
    let index = accept(&log, vec![second]).await[0];
    assert_eq!(states(&log, index), [DisclosureState::Present; 2]);
    accept(&log, chain.many(1)).await;
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_stops_the_log_and_is_taken_after_a_restart() {
    for outcome in [Outcome::NotPersisted, Outcome::PersistedAnyway] {
        let (world, engine) = (World::new(), Memory::new());
        let (log, mut chain) = world.enrolled(&engine).await;
        engine.break_write(Fault {
            after_writes: 0,
            outcome,
        });
        let (frame, _) = chain.confidential(1, &[("email", "ann@example.com"), ("host", "ws-1")]);
        let told = log
            .submit(vec![frame.clone()], Wait::Sequenced, PATIENCE)
            .await;
        assert!(told.is_err(), "{outcome:?}: acknowledged {told:?}");
        let mut stopped = log.stopped();
        let cause = stopped.wait_for(Option::is_some).await.unwrap().clone();
        assert!(
            cause.is_some_and(|cause| cause.contains("injected")),
            "{outcome:?}"
        );
        let later = log.submit(chain.many(1), Wait::Sequenced, PATIENCE).await;
        assert!(later.is_err(), "{outcome:?}: a stopped log took an entry");
        drop(log);
        let engine = engine.reopen();
        let again = world.start(&engine).await.unwrap();
        let index = accept(&again, vec![frame]).await[0];
        assert_eq!(
            states(&again, index),
            [DisclosureState::Present; 2],
            "{outcome:?}"
        );
        assert_eq!(world.check(&engine).present, 2, "{outcome:?}");
    }
}
