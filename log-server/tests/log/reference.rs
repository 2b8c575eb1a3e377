//! What an entry refers to must be here first, and must be what the entry says.

use crate::world::{World, accept, refuse};
use cairn_event::administrative::{Erasure, PolicyStatement};
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_server::store::{KeyedStore, LogStore as _, Memory, PublishedCheckpoint};
use cairn_tlog::Hash;

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_is_about_digests_of_the_entry_it_names() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let (one, _) = chain.confidential(1, &[("email", "a"), ("host", "h")]);
    let (two, _) = chain.confidential(5, &[("email", "b")]);
    let indices = accept(&log, vec![one, two]).await;
    let of = |index: u64| {
        let bytes = log.entry(index).unwrap().unwrap();
        let digests = Entry::parse(&bytes).unwrap().payload().sd.clone();
        (Sha256::of_leaf(&bytes), digests)
    };
    let ((leaf, digests), (other_leaf, foreign)) = (of(indices[0]), of(indices[1]));
    let order = |index: u64, leaf: Sha256, digests: &[String]| {
        world.statement(Body::Erasure(Erasure {
            digests: digests.to_vec(),
            index,
            leaf,
            ordered_by: "administrator".into(),
            reason: "request of the person".into(),
        }))
    };
    for wrong in [
        order(indices[0], other_leaf, &digests),
        order(indices[0], leaf, &foreign),
        order(log.size(), leaf, &digests),
        order(1_000_000, leaf, &digests),
    ] {
        assert_eq!(refuse(&log, wrong).await, "erasure-target");
    }
    accept(&log, vec![order(indices[0], leaf, &digests[..1])]).await;
    // The entry and the order to erase it may come in one round.
    let (three, _) = chain.confidential(9, &[("email", "c")]);
    let entry = three.split('~').next().unwrap();
    let digests = Entry::parse(entry.as_bytes()).unwrap().payload().sd.clone();
    let same_round = order(log.size(), Sha256::of_leaf(entry.as_bytes()), &digests);
    accept(&log, vec![three, same_round]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_cannot_have_seen_a_checkpoint_that_this_log_never_published() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    let mut published = log.published();
    let seen = published.wait_for(|checkpoint| checkpoint.size > 1).await;
    let seen = seen.unwrap().clone();
    let root = Sha256(seen.root.0);
    for (size, root) in [
        (seen.size, Sha256([9; 32])),
        (seen.size + 1_000, root),
        (u64::MAX >> 12, root),
    ] {
        let invented = chain.having_seen(size, root);
        assert_eq!(refuse(&log, invented).await, "unknown-beacon");
    }
    let honest = chain.having_seen(seen.size, root);
    let honest = chain.adopt(&honest);
    accept(&log, vec![honest]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_entry_waits_for_its_bundle() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, _) = world.enrolled(&engine).await;
    let bundle = b"{}";
    let policy = |bytes: u64| {
        world.statement(Body::Policy(PolicyStatement {
            bundle: Sha256::of(bundle),
            bytes,
            revision: 1,
            version: 1,
        }))
    };
    let frame = policy(2);
    assert_eq!(refuse(&log, frame.clone()).await, "missing-blob");
    log.put_blob(bundle).unwrap();
    assert_eq!(refuse(&log, policy(3)).await, "missing-blob");
    accept(&log, vec![frame]).await;
}

#[test]
fn the_first_note_of_a_size_stays_and_gathers_later_witnesses() {
    let store = KeyedStore::new(Memory::new());
    let line = |name: &str, byte: u8| {
        let blob = to_base64(&[byte; 76]);
        format!("\u{2014} {name} {blob}\n")
    };
    let publish = |lines: &[String], time_ms: u64, witnessed: bool| {
        let note = format!("log\n4\nroot\n\n{}", lines.concat());
        let checkpoint = PublishedCheckpoint {
            size: 4,
            root: Hash([1; 32]),
            note,
            time_ms,
            witnessed,
        };
        store.publish(&checkpoint).unwrap();
    };
    let kept = || store.checkpoint(4).unwrap().unwrap();
    let (log, one, two) = (line("log", 0), line("w1", 1), line("w2", 2));
    publish(std::slice::from_ref(&log), 1, false);
    publish(&[log.clone(), one.clone()], 2, true);
    // The same witness later, with another time: its first statement is the stronger one.
    let mut later = vec![1_u8; 76];
    later[8] = 9;
    let one_later = format!("\u{2014} w1 {}\n", to_base64(&later));
    publish(&[log.clone(), one_later, two.clone()], 3, true);
    publish(std::slice::from_ref(&log), 4, false);
    let all = format!("log\n4\nroot\n\n{log}{one}{two}");
    assert_eq!(
        (kept().note, kept().time_ms, kept().witnessed),
        (all, 1, true)
    );
    assert_eq!(store.published().unwrap().unwrap().time_ms, 4);
}

fn to_base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
