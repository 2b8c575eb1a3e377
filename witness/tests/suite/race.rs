//! I11: concurrent requests never bring a witness back to a smaller tree.

use std::sync::Barrier;

use cairn_witness::{AddCheckpointError, Refusal, Store};
use tempfile::TempDir;

use crate::log::{Served, TestLog, witness};

/// Races tried; each is two disk commits at most.
const ROUNDS: u64 = 12;

#[test]
fn i11_two_concurrent_requests_have_one_winner() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/race");
    let witness = witness(
        &folder,
        [log.signer.verifier().clone()].into_iter().collect(),
    );
    witness
        .add_checkpoint(log.request(0, 1).as_bytes(), 1_000)
        .unwrap();
    let mut latest = 1;
    for round in 0..ROUNDS {
        let barrier = Barrier::new(2);
        let sizes = [latest + 1, latest + 4];
        let send = |size| {
            let body = log.request(latest, size);
            barrier.wait();
            witness.add_checkpoint(body.as_bytes(), 1_000 + round)
        };
        let outcomes = std::thread::scope(|scope| {
            let threads = sizes.map(|size| scope.spawn(move || send(size)));
            threads.map(|thread| thread.join().unwrap())
        });
        let winners: Vec<u64> = sizes
            .into_iter()
            .zip(&outcomes)
            .filter_map(|(size, outcome)| outcome.is_ok().then_some(size))
            .collect();
        let [winner] = winners.as_slice() else {
            panic!("{winners:?} won in round {round}")
        };
        let lost = outcomes
            .iter()
            .find_map(|outcome| outcome.as_ref().err())
            .unwrap();
        let conflict = Refusal::SizeConflict {
            old: latest,
            latest: *winner,
        };
        assert!(matches!(lost, AddCheckpointError::Refused(refusal) if *refusal == conflict));
        latest = *winner;
    }
    drop(witness);
    let store = Store::open(&folder.path().join("state.redb")).unwrap();
    assert_eq!(
        store.latest("log.example/race").unwrap().unwrap().head.size,
        latest
    );
}

#[tokio::test]
async fn i11_two_concurrent_posts_have_one_winner() {
    let folder = TempDir::new().unwrap();
    let log = TestLog::new("log.example/race");
    let logs = [log.signer.verifier().clone()].into_iter().collect();
    let served = Served::start(witness(&folder, logs)).await;
    assert_eq!(served.status(log.request(0, 1)).await, 200);
    let (small, large) = tokio::join!(served.add(log.request(1, 5)), served.add(log.request(1, 9)));
    let (winner, loser, size) = if small.status == 200 {
        (small, large, "5\n")
    } else {
        (large, small, "9\n")
    };
    assert_eq!(
        (winner.status, loser.status, loser.body.as_str()),
        (200, 409, size)
    );
    served.stop().await;
}
