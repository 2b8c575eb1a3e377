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

/// All rows of a table.
fn rows(engine: &Memory, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    use cairn_server::store::Engine as _;
    engine.scan(table, b"", &[0xff; 8], 1_000).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_copy_of_what_was_erased_opens_with_no_key_that_is_left() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let (one, _) = chain.confidential(1, &[("email", "ann@example.com"), ("host", "ws-1")]);
    let (two, _) = chain.confidential(9, &[("email", "ann@example.com")]);
    let indices = accept(&log, vec![one, two]).await;
    let before = rows(&engine, Table::Disclosure);
    let erased = log.disclosures().get(indices[0]).unwrap()[0].digest.clone();
    let kept = log.disclosures().get(indices[1]).unwrap();
    log.disclosures().erase(indices[0], &[erased]).unwrap();
    // What the person disclosed besides is still there, word for word.
    assert_eq!(log.disclosures().get(indices[1]).unwrap(), kept);
    let rest = log.disclosures().get(indices[0]).unwrap();
    assert_eq!(
        [rest[0].state, rest[1].state],
        [DisclosureState::Erased, DisclosureState::Present]
    );
    // Nothing of the old ciphertexts is on disk, and one that a backup brings back stays closed.
    for (key, old) in &before {
        assert!(!engine.remains(Table::Disclosure, old));
        engine.damage(Table::Disclosure, key, |value| {
            assert_ne!(value, old, "sealed under the old key still");
            value.clone_from(old);
        });
    }
    for index in indices {
        let opened = log.disclosures().get(index);
        assert!(
            matches!(opened, Err(DisclosureStoreError::Seal { .. })),
            "{opened:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_a_crash_cut_off_is_finished_before_the_log_is_served() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let (one, _) = chain.confidential(1, &[("email", "ann@example.com")]);
    let (two, _) = chain.confidential(9, &[("host", "ws-1")]);
    let indices = accept(&log, vec![one.clone(), two]).await;
    let (records, keys) = (
        rows(&engine, Table::Disclosure),
        rows(&engine, Table::PersonKey),
    );
    engine.break_purge();
    assert!(log.disclosures().erase(indices[0], &[]).is_err());
    let on_disk = |engine: &Memory| {
        let records = records
            .iter()
            .map(|row| engine.remains(Table::Disclosure, &row.1));
        let keys = keys
            .iter()
            .map(|row| engine.remains(Table::PersonKey, &row.1));
        records.chain(keys).collect::<Vec<_>>()
    };
    assert_eq!(
        on_disk(&engine),
        [true; 3],
        "the crash came after the purge"
    );
    drop(log);
    let engine = engine.reopen();
    let again = world.start(&engine).await.unwrap();
    assert_eq!(on_disk(&engine), [false; 3]);
    accept(&again, vec![one]).await;
    let state = |index| again.disclosures().get(index).unwrap()[0].state;
    assert_eq!(state(indices[0]), DisclosureState::Erased);
    assert_eq!(state(indices[1]), DisclosureState::Present);
    assert_eq!(
        rows(&engine, Table::Meta).len(),
        2,
        "nothing is owed any more"
    );
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn survivors_are_found_where_the_list_of_them_is_lost() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let frames: Vec<String> = (1..=5)
        .map(|salt| {
            chain
                .confidential(salt * 10, &[("email", "ann@example.com")])
                .0
        })
        .collect();
    let mut indices = Vec::new();
    for frame in frames {
        indices.extend(accept(&log, vec![frame]).await);
    }
    for (key, _) in rows(&engine, Table::Sealed) {
        assert!(engine.damage(Table::Sealed, &key, Vec::clear));
    }
    log.disclosures().erase(indices[2], &[]).unwrap();
    let report = world.check(&engine);
    assert_eq!((report.present, report.withheld, report.erased), (4, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_meet_no_closed_record_while_others_are_erased() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let frames = (0..40)
        .map(|salt| chain.confidential(salt, &[("email", "ann@example.com")]).0)
        .collect();
    let indices = accept(&log, frames).await;
    let last = *indices.last().unwrap();
    let reader = {
        let log = log.clone();
        tokio::task::spawn_blocking(move || {
            (0..2_000).all(|_| log.disclosures().get(last).unwrap()[0].encoded.is_some())
        })
    };
    let eraser = tokio::task::spawn_blocking(move || {
        for index in &indices[..indices.len() - 1] {
            log.disclosures().erase(*index, &[]).unwrap();
        }
    });
    assert!(reader.await.unwrap());
    eraser.await.unwrap();
    world.check(&engine);
}
