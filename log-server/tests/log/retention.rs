//! C2SP tlog-tiles, "Pruning": old entries go, and everything that can still be asked is answered as before.

use crate::world::{Chain, PATIENCE, World, accept, entry_of, refuse};
use cairn_event::administrative::LogPrune;
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_server::clock::system_clock;
use cairn_server::disclosures::{DisclosureState, DisclosureStore};
use cairn_server::keys::Keys;
use cairn_server::recover::{LedgerFile, Parts, start};
use cairn_server::retention::{Plan, PruneError, Pruned, Pruner};
use cairn_server::store::{Fault, LogStore, Memory, Outcome, Stored, entries};
use cairn_server::{Log, Wait};
use cairn_tlog::{Receipt, TileId, TrustPolicy, leaf_hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const DAY_MS: u64 = 86_400_000;
const KEPT_DAYS: u64 = 365;

/// A log whose first entries are 400 days old, and whose newest are of today.
struct Old {
    world: World,
    engine: Memory,
    store: Arc<dyn LogStore>,
    log: Log,
    chain: Chain,
    /// Every frame by index; empty where the log made the entry itself.
    frames: Vec<String>,
    back_ms: Arc<AtomicU64>,
}

impl Old {
    fn parts(world: &World, engine: &Memory, genesis: bool, back_ms: &Arc<AtomicU64>) -> Parts {
        let mut parts = world.parts(engine, genesis);
        parts.config.retention.days = Some(KEPT_DAYS);
        let (now, back_ms) = (system_clock(), back_ms.clone());
        parts.clock = Arc::new(move || now() - back_ms.load(Ordering::SeqCst));
        parts
    }

    async fn new() -> Self {
        let (world, engine) = (World::new(), Memory::new());
        let back_ms = Arc::new(AtomicU64::new(400 * DAY_MS));
        let parts = Self::parts(&world, &engine, true, &back_ms);
        let store = parts.store.clone();
        let log = start(parts).await.unwrap();
        let (chain, first) = world.chain(3);
        let mut old = Self {
            frames: vec![world.genesis()],
            world,
            engine,
            store,
            log,
            chain,
            back_ms,
        };
        let roster = old.world.roster();
        old.add(vec![roster]).await;
        old.add(vec![first]).await;
        let (with, _) = old.chain.confidential(1, &[("email", "old secret")]);
        old.add(vec![with]).await;
        let more = old.chain.many(200);
        old.add(more).await;
        let gap = old.chain.skipping(3, true);
        old.add(vec![gap]).await;
        let (mut ended, start) = old.world.chain(4);
        old.add(vec![start]).await;
        let more = ended.many(90);
        old.add(more).await;
        let more = old.chain.many(250);
        old.add(more).await;
        old.back_ms.store(0, Ordering::SeqCst);
        let (with, _) = old.chain.confidential(2, &[("email", "new secret")]);
        old.add(vec![with]).await;
        let more = old.chain.many(40);
        old.add(more).await;
        old
    }

    async fn add(&mut self, frames: Vec<String>) {
        let indices = accept(&self.log, frames.clone()).await;
        assert_eq!(indices[0], self.frames.len() as u64);
        self.frames.extend(frames);
    }

    fn pruner<'a>(&'a self, disclosures: &'a DisclosureStore) -> Pruner<'a> {
        Pruner {
            store: self.store.as_ref(),
            disclosures,
            origin: self.log.origin(),
            least_days: Some(KEPT_DAYS),
            trust: None,
            now_ms: system_clock()(),
        }
    }

    fn plan(&self) -> Plan {
        self.pruner(self.log.disclosures())
            .plan(None, None)
            .unwrap()
    }

    fn run(&self) -> Result<Pruned, PruneError> {
        let ledger = self.log.ledger().clone();
        self.pruner(self.log.disclosures()).run(&ledger)
    }

    /// Has the administrators sign a plan.
    async fn order(&mut self, plan: &Plan) -> u64 {
        let order = self.world.statement(Body::LogPrune(order_of(plan)));
        self.add(vec![order]).await;
        self.frames.len() as u64 - 1
    }

    /// The log again, from what is on disk.
    async fn restart(&mut self) {
        self.engine = self.engine.reopen();
        let parts = Self::parts(&self.world, &self.engine, false, &self.back_ms);
        self.store = parts.store.clone();
        self.log = start(parts).await.unwrap();
    }

    /// What must hold of a log that was pruned below `minimum`.
    fn holds(&self, minimum: u64) {
        let published = self.log.published().borrow().clone();
        let policy = format!("log {}\nquorum none\n", self.world.public.log_key);
        let policy = TrustPolicy::parse(&policy).unwrap();
        let all: Vec<_> = entries(self.store.as_ref(), 0..self.frames.len() as u64).collect();
        assert_eq!(all.len(), self.frames.len());
        for ((index, frame), stored) in (0..).zip(&self.frames).zip(all) {
            let bytes = entry_of(frame).as_bytes();
            let leaf = leaf_hash(bytes);
            // I4 and I7: the hash is at its place, and the receipt holds.
            assert_eq!(stored.unwrap().1.leaf(), leaf, "{index}");
            assert_eq!(self.log.index_of_leaf(&leaf).unwrap(), Some(index));
            let receipt = self.log.receipt(index).unwrap().unwrap();
            let verified = Receipt::parse(&receipt).unwrap().verify(&leaf, &policy);
            assert_eq!(verified.unwrap().checkpoint.size, published.size);
            let kept = self.log.entry(index).unwrap();
            if index >= minimum || kept.is_some() {
                assert_eq!(kept.as_deref(), Some(bytes), "{index}");
            }
        }
        for number in 0..minimum / 256 {
            assert_eq!(self.store.bundle(number, 256).unwrap(), None);
            let tile = self.store.tile(TileId::full(0, number)).unwrap();
            assert!(tile.is_some(), "hashes are never pruned");
        }
        let report = self.world.check(&self.engine);
        assert_eq!(report.minimum_index, minimum);
    }
}

fn order_of(plan: &Plan) -> LogPrune {
    LogPrune {
        days: plan.days,
        from: plan.from,
        kept: plan.kept,
        reason: "a year is what we promise".into(),
        to: plan.to,
    }
}

fn kind(bytes: &[u8]) -> &'static str {
    Entry::parse(bytes).unwrap().payload().body.kind()
}

#[tokio::test(flavor = "multi_thread")]
async fn old_entries_go_and_everything_else_is_as_before() {
    let mut old = Old::new().await;
    let plan = old.plan();
    // 547 old entries: two whole bundles.
    assert_eq!((plan.from, plan.to, plan.days), (0, 512, 365));
    assert_eq!(old.run().unwrap_err().to_string(), {
        "no published `log.prune` entry begins at the minimum index 0"
    });
    let entry = old.order(&plan).await;
    old.holds(0);
    let done = old.run().unwrap();
    assert_eq!((done.entry, done.from, done.minimum_index), (entry, 0, 512));
    assert_eq!(done.kept_entries + done.pruned_entries, 512);
    old.holds(512);

    let kept = entries(old.store.as_ref(), 0..512).filter_map(|one| match one.unwrap() {
        (index, Stored::Entry(bytes)) => Some((index, kind(&bytes))),
        (_, Stored::Pruned(_)) => None,
    });
    // The start of each chain, its gap, and its last entry; the start of a chain vouches for itself.
    let expected = [
        (0, "genesis"),
        (1, "roster"),
        (2, "chain.start"),
        (204, "gap"),
        (205, "chain.start"),
        (295, "heartbeat"),
        (511, "heartbeat"),
    ];
    assert_eq!(kept.collect::<Vec<_>>(), expected);
    assert_eq!(done.kept_entries, 7);

    // What was confidential went with its entry, and what was not pruned is still there.
    assert!(old.store.disclosures(3).unwrap().is_empty());
    let young = old.frames.len() as u64 - 42;
    let held = old.log.disclosures().get(young).unwrap();
    assert_eq!(held[0].state, DisclosureState::Present);

    // Nothing more is old enough, and no order is left.
    assert!(matches!(old.run(), Err(PruneError::NotOrdered(512))));
    let more = old.pruner(old.log.disclosures()).plan(None, None);
    assert!(matches!(more, Err(PruneError::TooYoung { from: 512, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn i7_i8_pruned_entries_are_neither_admitted_twice_nor_contradicted_unseen() {
    let mut old = Old::new().await;
    let rival = {
        // Another entry for a place that is pruned by then.
        let (again, _) = old.world.chain(3);
        again.rival(7)
    };
    let plan = old.plan();
    old.order(&plan).await;
    old.run().unwrap();
    let size = old.log.size();
    // The same bytes again, with what was confidential in them.
    let (secret, frames) = (old.frames[3].clone(), old.frames.clone());
    assert_eq!(accept(&old.log, vec![secret]).await, [3]);
    assert_eq!(accept(&old.log, frames[300..310].to_vec()).await[0], 300);
    assert!(old.store.disclosures(3).unwrap().is_empty());
    assert_eq!(old.log.size(), size);
    // A second entry for the place of entry 3 is a fork, whose first entry is known by its hash.
    assert_eq!(refuse(&old.log, rival).await, "chain-fork");
    let fork = old.log.entry(size).unwrap().unwrap();
    let fork = Entry::parse(&fork).unwrap();
    let Body::Fork(fork) = &fork.payload().body else {
        panic!("no fork was written");
    };
    assert_eq!(
        fork.admitted,
        Sha256::of_leaf(entry_of(&old.frames[3]).as_bytes())
    );
    assert_eq!(fork.admitted_entry, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_log_starts_again_with_the_same_ledger() {
    let mut old = Old::new().await;
    let plan = old.plan();
    old.order(&plan).await;
    let before = old.log.ledger().clone();
    old.run().unwrap();
    for keep in [false, true] {
        if keep {
            let head = old.store.head().unwrap().unwrap();
            let observer = Keys::load(&old.world.data()).unwrap().observer;
            let file = LedgerFile::in_folder(&old.world.data());
            file.write(&old.log.ledger(), &head, observer.as_ref())
                .unwrap();
        }
        old.restart().await;
        old.holds(512);
        let after = old.log.ledger().clone();
        assert_eq!(after.minimum_index(), 512);
        assert_eq!(
            (after.size(), after.roster()),
            (before.size(), before.roster())
        );
        assert_eq!(after.prunes(), before.prunes());
        let chains = |ledger: &cairn_identity::Ledger| {
            let chains = ledger.chains();
            let chains = chains.map(|(kid, state)| (kid.clone(), state.clone()));
            chains.collect::<Vec<_>>()
        };
        assert_eq!(chains(&after), chains(&before), "kept: {keep}");
    }
    // Chains go on where they were, and only there.
    let next = old.chain.next();
    old.add(vec![next]).await;
    let skipped = old.chain.skipping(2, false);
    assert_eq!(refuse(&old.log, skipped).await, "missing-before");
    old.holds(512);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_old_enough_is_ordered_and_only_by_administrators() {
    let mut old = Old::new().await;
    let plan = old.plan();
    let order = |change: &dyn Fn(&mut LogPrune)| {
        let mut order = order_of(&plan);
        change(&mut order);
        old.world.statement(Body::LogPrune(order))
    };
    for (frame, code) in [
        (order(&|order| order.to = 511), "prune-range"),
        (order(&|order| order.to = 0), "prune-range"),
        (order(&|order| order.to = 1_024), "prune-range"),
        (
            order(&|order| (order.from, order.to) = (256, 512)),
            "prune-range",
        ),
        (order(&|order| order.days = 364), "retention-days"),
        (order(&|order| order.days = 401), "prune-too-young"),
        (
            order(&|order| order.days = (1 << 53) - 1),
            "prune-too-young",
        ),
    ] {
        assert_eq!(refuse(&old.log, frame).await, code);
    }
    // 591 entries: the third bundle is not old, and not whole.
    let more = old.chain.many(200);
    old.add(more).await;
    let mut young = order_of(&plan);
    young.to = 768;
    let young = old.world.statement(Body::LogPrune(young));
    assert_eq!(refuse(&old.log, young).await, "prune-too-young");

    // A digest of something else is on record, and changes nothing.
    let wrong = Plan {
        kept: Sha256([7; 32]),
        ..plan.clone()
    };
    old.order(&wrong).await;
    let refused = old.run().unwrap_err();
    assert!(matches!(refused, PruneError::Kept { found, .. } if found == plan.kept));
    old.holds(0);
    // The right one after it does.
    old.order(&plan).await;
    old.run().unwrap();
    old.holds(512);

    // A server without a period prunes nothing, whatever is signed.
    let (world, engine) = (World::new(), Memory::new());
    let (log, _) = world.enrolled(&engine).await;
    let order = world.statement(Body::LogPrune(LogPrune {
        to: 256,
        ..order_of(&plan)
    }));
    assert_eq!(
        refuse(&log, order).await,
        "prune-range",
        "the log is too short"
    );
    let mut parts = Old::parts(&old.world, &old.engine.reopen(), false, &old.back_ms);
    parts.config.retention.days = None;
    let log = start(parts).await.unwrap();
    let order = LogPrune {
        from: 512,
        to: 768,
        ..order_of(&plan)
    };
    let order = old.world.statement(Body::LogPrune(order));
    assert_eq!(refuse(&log, order).await, "no-retention");
}

#[tokio::test(flavor = "multi_thread")]
async fn i12_i13_a_pruning_that_is_cut_off_anywhere_is_finished_by_the_next_start() {
    let mut old = Old::new().await;
    let plan = old.plan();
    old.order(&plan).await;
    let (sound, mut cut) = (old.engine.reopen(), 0);
    let path = old.world.data().join("HEAD");
    let head = std::fs::read(&path).unwrap();
    let mut after_writes = 0;
    loop {
        let mut finished = true;
        for outcome in [Outcome::NotPersisted, Outcome::PersistedAnyway] {
            std::fs::write(&path, &head).unwrap();
            old.engine = sound.reopen();
            old.restart().await;
            let fault = Fault {
                after_writes,
                outcome,
            };
            old.engine.break_write(fault);
            let ended = old.run();
            finished &= ended.is_ok();
            let minimum = if ended.is_ok() {
                512
            } else {
                cut_off(&mut old).await
            };
            cut += u32::from(minimum == 512 && ended.is_err());
            old.holds(minimum);
            assert_eq!(old.store.pruning_owed().unwrap(), None);
            if minimum == 0 {
                old.run().unwrap();
                old.holds(512);
            }
            assert!(old.store.disclosures(3).unwrap().is_empty());
        }
        if finished {
            break;
        }
        after_writes += 1;
    }
    // The order itself, confidential members, and the two marks that something is owed.
    assert!(after_writes >= 4 && cut >= 4, "{after_writes} {cut}");

    // And between the last write and the disk.
    std::fs::write(&path, &head).unwrap();
    old.engine = sound.reopen();
    old.restart().await;
    old.engine.break_purge();
    assert!(old.run().is_err());
    assert_eq!(cut_off(&mut old).await, 512);
    old.holds(512);
}

/// Starts again after a pruning was cut off; what the minimum index is then.
async fn cut_off(old: &mut Old) -> u64 {
    old.restart().await;
    // It serves: a receipt for something new.
    let (_, start) = old.world.chain(200);
    let results = old.log.submit(vec![start], Wait::Published, PATIENCE).await;
    let index = results.unwrap()[0].index().unwrap();
    assert_eq!(index, old.frames.len() as u64);
    old.store.minimum_index().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_pruned_log_is_believed_only_as_it_was_signed() {
    let mut old = Old::new().await;
    let plan = old.plan();
    old.order(&plan).await;
    old.run().unwrap();
    let kept = old.store.kept(0).unwrap().unwrap();
    let thinner = {
        let all = cairn_identity::retention::read_thinned(&kept).unwrap();
        let but_one = all.into_iter().filter(|(position, _)| *position != 204);
        cairn_identity::retention::thinned(but_one).unwrap()
    };
    let key = 0_u64.to_be_bytes();
    let table = cairn_server::store::Table::Kept;
    // One entry less than the administrators said would stay.
    let engine = old.engine.reopen();
    assert!(engine.damage(table, &key, |value| *value = thinner));
    let error = old.world.try_check(&engine).unwrap_err();
    let said = format!("{:?}", error);
    assert!(said.contains("Retention(Kept"), "{said}");
    // One byte of one entry.
    let engine = old.engine.reopen();
    assert!(engine.damage(table, &key, |value| value[40] ^= 1));
    let said = format!("{:?}", old.world.try_check(&engine).unwrap_err());
    assert!(said.contains("another leaf hash"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_pruned_again_and_again() {
    let mut old = Old::new().await;
    let first = Plan {
        to: 256,
        ..old
            .pruner(old.log.disclosures())
            .plan(None, Some(256))
            .unwrap()
    };
    old.order(&first).await;
    old.run().unwrap();
    old.holds(256);
    let second = old.plan();
    assert_eq!((second.from, second.to), (256, 512));
    old.order(&second).await;
    old.run().unwrap();
    old.holds(512);
    let retention = old.store.retention().unwrap();
    assert_eq!(retention.pruned.len(), 2);
    old.restart().await;
    old.holds(512);
    // The first entry of the chain that stayed at the first border is not dropped at the second.
    assert!(old.log.entry(255).unwrap().is_some());
}
