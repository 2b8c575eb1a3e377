//! I6, the last third: times never go back, and none is signed that the log would have to wait for.

use crate::world::{PATIENCE, World, accept};
use cairn_server::clock::{Clock, watched};
use cairn_server::recover::start;
use cairn_server::store::{HeadFile, Memory};
use cairn_server::{SubmitResult, Wait};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const TEN_YEARS_MS: u64 = 315_576_000_000;

/// A wall clock that somebody can set, over a steady one.
struct Hands {
    began_ms: u64,
    steady: Arc<AtomicU64>,
    ahead: Arc<AtomicU64>,
}

impl Hands {
    fn new() -> (Self, Clock) {
        let began_ms = cairn_server::clock::system_clock()();
        let (steady, ahead) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let ticks = steady.clone();
        // Each reading takes a millisecond, so that time goes on.
        let ticking: Clock = Arc::new(move || ticks.fetch_add(1, Ordering::SeqCst));
        let (passed, jump) = (steady.clone(), ahead.clone());
        let wall: Clock = Arc::new(move || {
            began_ms + passed.load(Ordering::SeqCst) + jump.load(Ordering::SeqCst)
        });
        let hands = Self {
            began_ms,
            steady,
            ahead,
        };
        (hands, watched(wall, ticking))
    }

    fn leap(&self, ahead_ms: u64) {
        self.ahead.store(ahead_ms, Ordering::SeqCst);
    }

    fn now_ms(&self) -> u64 {
        self.began_ms + self.steady.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i6_a_leap_of_ten_years_and_back_neither_stops_the_log_nor_marks_it() {
    let (world, engine) = (World::new(), Memory::new());
    let (hands, clock) = Hands::new();
    let mut parts = world.parts(&engine, true);
    parts.clock = clock;
    let log = start(parts).await.unwrap();
    let (mut chain, first) = world.chain(3);
    accept(&log, vec![world.roster()]).await;
    accept(&log, vec![first]).await;
    for ahead_ms in [TEN_YEARS_MS, 0, TEN_YEARS_MS, 0] {
        hands.leap(ahead_ms);
        // Published, and not only sequenced: the publisher compares times.
        let results = log.submit(chain.many(3), Wait::Published, PATIENCE).await;
        for result in results.unwrap() {
            let SubmitResult::Accepted { receipt, .. } = result else {
                panic!("refused: {result:?}");
            };
            assert!(receipt.is_some(), "{ahead_ms} ms ahead: not published");
        }
        let shown_ms = log.published().borrow().time_ms;
        assert!(
            shown_ms <= hands.now_ms() + 1_000,
            "{ahead_ms} ms ahead: signed {shown_ms}"
        );
    }
    let signed = HeadFile::in_folder(&world.data()).read().unwrap().unwrap();
    assert!(signed.time_ms <= hands.now_ms() + 1_000);
    drop(log);
    drop(world.start(&engine.reopen()).await.unwrap());
}
