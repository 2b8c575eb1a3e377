//! Confidential parts: sealed, given back, destroyed, and never brought back.

use crate::world::{PERSON, World, accept, refuse};
use cairn_server::disclosures::{DisclosureState, DisclosureStoreError};
use cairn_server::store::{Memory, Table};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_in_is_given_back_and_sealed_on_disk() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let (frame, _) = chain.confidential(1, &[("email", "ann@example.com"), ("host", "ws-1")]);
    let index = accept(&log, vec![frame.clone()]).await[0];
    let held = log.disclosures().get(index).unwrap();
    assert_eq!(held.len(), 2);
    for one in &held {
        assert_eq!(one.state, DisclosureState::Present);
        assert!(frame.contains(one.encoded.as_deref().unwrap()));
    }
    let report = world.check(&engine);
    assert_eq!((report.present, report.withheld, report.erased), (2, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_entry_comes_whole_and_what_was_erased_never_again() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let (full, bare) = chain.confidential(1, &[("email", "ann@example.com"), ("host", "ws-1")]);
    let (one_left_out, _) = full.trim_end_matches('~').rsplit_once('~').unwrap();
    for part in [bare.clone(), format!("{one_left_out}~")] {
        assert_eq!(refuse(&log, part).await, "incomplete-frame");
    }
    let index = accept(&log, vec![full.clone()]).await[0];
    let states = |log: &cairn_server::Log| -> Vec<DisclosureState> {
        log.disclosures()
            .get(index)
            .unwrap()
            .iter()
            .map(|one| one.state)
            .collect()
    };
    assert_eq!(accept(&log, vec![bare]).await, [index], "known bytes");
    assert_eq!(states(&log), [DisclosureState::Present; 2]);
    let one = log.disclosures().get(index).unwrap()[0].digest.clone();
    assert_eq!(
        log.disclosures()
            .erase(index, std::slice::from_ref(&one))
            .unwrap(),
        [one]
    );
    assert_eq!(
        states(&log),
        [DisclosureState::Erased, DisclosureState::Present]
    );
    log.disclosures().erase(index, &[]).unwrap();
    accept(&log, vec![full.clone()]).await;
    assert_eq!(states(&log), [DisclosureState::Erased; 2]);
    drop(log);
    let engine = engine.reopen();
    let again = world.start(&engine).await.unwrap();
    accept(&again, vec![full]).await;
    assert_eq!(states(&again), [DisclosureState::Erased; 2]);
    let report = world.check(&engine);
    assert_eq!((report.present, report.withheld, report.erased), (0, 0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_goes_with_the_last_disclosure_under_it() {
    use cairn_server::store::Engine as _;
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let frames = [
        chain.confidential(1, &[("email", "a")]),
        chain.confidential(9, &[("host", "b")]),
    ];
    let frames = frames.into_iter().map(|(full, _)| full).collect();
    let indices = accept(&log, frames).await;
    let keys = || {
        engine
            .scan(Table::PersonKey, b"", &[0xff], 10)
            .unwrap()
            .len()
    };
    assert_eq!(keys(), 1, "one person, one month");
    let rows = engine.scan(Table::PersonKey, b"", &[0xff], 10).unwrap();
    assert!(
        rows[0].0.starts_with(PERSON.as_bytes()),
        "the owner of the device, although the entry names nobody"
    );
    log.disclosures().erase(indices[0], &[]).unwrap();
    assert_eq!(keys(), 1);
    log.disclosures().erase(indices[1], &[]).unwrap();
    assert_eq!(keys(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_of_another_entry_is_refused_and_a_swapped_record_does_not_open() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let frames = [
        chain.confidential(1, &[("email", "a")]),
        chain.confidential(9, &[("email", "b")]),
    ];
    let indices = accept(&log, frames.iter().map(|(full, _)| full.clone()).collect()).await;
    let other = log.disclosures().get(indices[1]).unwrap()[0].digest.clone();
    let refused = log.disclosures().erase(indices[0], &[other]);
    assert!(matches!(
        refused,
        Err(DisclosureStoreError::NotCommitted { .. })
    ));
    let refused = log.disclosures().get(10_000);
    assert!(matches!(refused, Err(DisclosureStoreError::NoEntry { .. })));
    swap_records(&engine);
    let damaged = log.disclosures().get(indices[0]);
    assert!(
        matches!(damaged, Err(DisclosureStoreError::Seal { .. })),
        "{damaged:?}"
    );
}

fn swap_records(engine: &Memory) {
    use cairn_server::store::Engine as _;
    let rows = engine.scan(Table::Disclosure, b"", &[0xff], 10).unwrap();
    let [(first, one), (second, two)] = rows.as_slice() else {
        panic!("not two records")
    };
    assert!(engine.damage(Table::Disclosure, first, |value| value.clone_from(two)));
    assert!(engine.damage(Table::Disclosure, second, |value| value.clone_from(one)));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_not_of_the_table_are_refused_and_the_log_goes_on() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let victim = "p_000000000000000000000000000000ff";
    for name in [
        "x".repeat(70_000),
        format!("z:{victim}"),
        format!("email:{victim}"),
    ] {
        let code = refuse(&log, chain.committing_to(&name)).await;
        assert_eq!(code, "malformed-frame", "{name:.20}");
    }
    let (full, _) = chain.confidential(1, &[("email", "ann@example.com")]);
    accept(&log, vec![full]).await;
}
