//! The end of a log, and the successor that begins at it.

use crate::world::{ORIGIN, PATIENCE, World, accept, entry_of, refuse};
use cairn_event::administrative::{Administrators, Genesis, LogClose, Predecessor};
use cairn_event::body::Body;
use cairn_event::{Context, EntrySigner as _, Payload, Sha256, SoftwareKey, frame, freeze};
use cairn_identity::succession::{Closing, SuccessionError};
use cairn_server::config::Config;
use cairn_server::keys::{Keys, ServerKeys};
use cairn_server::recover::predecessor::PredecessorError;
use cairn_server::recover::{LedgerFile, Parts, StartError, start};
use cairn_server::store::{HeadFile, KeyedStore, LogStore, Memory};
use cairn_server::{Log, Wait, check};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

const NEXT: &str = "log.example.com/next";

fn close(successor: Option<&str>) -> Body {
    Body::LogClose(LogClose {
        reason: "a new log key".into(),
        successor: successor.map(str::to_owned),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_after_a_close_not_even_what_the_observer_would_say() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    // In an open log a second entry for this place would be put on record as a fork.
    let rival = chain.rival(1);
    let before = chain.next();
    accept(&log, vec![before.clone()]).await;
    let closed = world.statement(close(None));
    // One round may hold both: what stands after the close is refused.
    let late = chain.next();
    let results = log
        .submit(
            vec![closed.clone(), late.clone()],
            Wait::Published,
            PATIENCE,
        )
        .await
        .unwrap();
    assert_eq!(results[0].index(), Some(4));
    assert_eq!(results[1].index(), None);
    assert_eq!(refuse(&log, late).await, "log-closed");
    assert_eq!(refuse(&log, rival).await, "log-closed");
    assert_eq!(
        refuse(&log, world.statement(close(Some("x")))).await,
        "log-closed"
    );
    // A chain that nobody knows will never be known.
    let (mut second, start) = world.chain(9);
    assert_eq!(refuse(&log, start).await, "log-closed");
    assert_eq!(refuse(&log, second.next()).await, "log-closed");
    assert_eq!(log.size(), 5, "no fork was written");
    // What the log holds is success as ever, and has its receipt.
    assert_eq!(accept(&log, vec![before, closed]).await, [3, 4]);
    let note = log.published().borrow().note.clone();
    assert!(note.starts_with(&format!("{ORIGIN}\n5\n")), "{note}");
    assert_eq!(world.check(&engine).closed_at, Some(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_log_stays_closed_over_restarts_and_in_the_kept_ledger() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, mut chain) = world.enrolled(&engine).await;
    accept(&log, vec![world.statement(close(None))]).await;
    let (root, size) = (log.published().borrow().root, log.size());
    let ledger = log.ledger().clone();
    drop(log);
    for keep in [false, true] {
        if keep {
            let store = KeyedStore::new(engine.reopen());
            let head = store.head().unwrap().unwrap();
            let observer = Keys::load(&world.data()).unwrap().observer;
            let file = LedgerFile::in_folder(&world.data());
            file.write(&ledger, &head, observer.as_ref()).unwrap();
        }
        let log = world.start(&engine.reopen()).await.unwrap();
        assert_eq!(log.ledger().closed_at(), Some(3), "kept: {keep}");
        let code = refuse(&log, chain.next()).await;
        assert_eq!(code, "log-closed", "kept: {keep}");
        assert_eq!((log.published().borrow().root, log.size()), (root, size));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_names_another_log_as_its_successor_or_none() {
    let (world, engine) = (World::new(), Memory::new());
    let (log, _) = world.enrolled(&engine).await;
    let itself = world.statement(close(Some(&world.public.log_key)));
    assert_eq!(refuse(&log, itself).await, "close-successor");
    let nonsense = world.statement(close(Some("somewhere")));
    assert_eq!(refuse(&log, nonsense).await, "close-successor");
    assert_eq!(log.ledger().closed_at(), None);
}

/// A data folder for the successor of a world's log; its administrators are the world's.
struct Successor {
    dir: TempDir,
    public: ServerKeys,
}

impl Successor {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let public = cairn_server::init::init(&dir.path().join("data"), NEXT, listen, "").unwrap();
        Self { dir, public }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The genesis signed by the key with this seed.
    fn genesis(&self, named: Option<&Predecessor>, seed: u8) -> String {
        let admin = SoftwareKey::from_seed(&[seed; 32]);
        let body = Body::Genesis(Genesis {
            administrators: Administrators {
                keys: vec![admin.public_key()],
                threshold: 1,
            },
            delegations: vec![],
            log_key: self.public.log_key.clone(),
            observer: self.public.observer.clone(),
            organisation: "Example".into(),
        });
        let payload = Payload {
            log: NEXT.into(),
            time_ms: 1_790_000_000_000,
            link: None,
            context: Context::default(),
            body,
            approvals: vec![],
            sd: vec![],
            ext: named.map(|named| serde_json::json!({ "succeeds": named })),
        };
        frame::present(&freeze(&payload, &admin).unwrap().entry, [])
    }

    async fn start(&self, engine: &Memory, genesis: Option<String>) -> Result<Log, StartError> {
        let mut config = Config::load(&self.data()).unwrap();
        config.checkpoint.interval_ms = 1;
        config.disk.reserve_bytes = 0;
        start(Parts {
            dir: self.data(),
            config,
            keys: Keys::load(&self.data()).unwrap(),
            trust_text: None,
            store: Arc::new(KeyedStore::new(engine.clone())),
            clock: cairn_server::clock::system_clock(),
            genesis,
        })
        .await
    }

    async fn refusal(&self, genesis: String) -> PredecessorError {
        let engine = Memory::new();
        match self.start(&engine, Some(genesis)).await {
            Err(StartError::Predecessor(error)) => {
                assert_eq!(engine.writes(), 0, "something was written");
                error
            }
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it was started"),
        }
    }
}

/// Closes a world's log; gives the evidence and what a successor names.
async fn ended(world: &World, engine: &Memory) -> (String, Predecessor) {
    let (log, mut chain) = world.enrolled(engine).await;
    accept(&log, chain.many(20)).await;
    let close = world.statement(close(None));
    let index = accept(&log, vec![close.clone()]).await[0];
    let closing = Closing {
        entry: entry_of(&close).to_owned(),
        genesis: String::from_utf8(log.entry(0).unwrap().unwrap()).unwrap(),
        receipt: log.receipt(index).unwrap().unwrap(),
    };
    let evidence = serde_json::to_string(&closing).unwrap();
    let published = log.published().borrow().clone();
    let closed = closing.judge().unwrap();
    let (digest, root) = (Sha256::of(evidence.as_bytes()), Sha256(published.root.0));
    let named = closed.predecessor(digest, index, published.size, root);
    (evidence, named.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_begins_at_the_final_checkpoint_and_keeps_the_evidence() {
    let (world, next) = (World::new(), Successor::new());
    let (evidence, named) = ended(&world, &Memory::new()).await;
    let engine = Memory::new();
    let file = format!("{}\n{evidence}\n", next.genesis(Some(&named), 1));
    let log = next.start(&engine, Some(file.clone())).await.unwrap();
    assert_eq!(log.size(), 1);
    let stored = log.blob(&named.closing.0).unwrap();
    assert_eq!(stored.as_deref(), Some(evidence.as_bytes()));
    drop(log);
    // Later starts need no evidence, take the same again, and a check looks at it.
    drop(next.start(&engine.reopen(), None).await.unwrap());
    drop(next.start(&engine.reopen(), Some(file)).await.unwrap());
    let store: Arc<dyn LogStore> = Arc::new(KeyedStore::new(engine.reopen()));
    let (keys, clock) = (
        Keys::load(&next.data()).unwrap(),
        cairn_server::clock::system_clock(),
    );
    let signed = HeadFile::in_folder(&next.data()).read().unwrap();
    assert_eq!(
        check::check(&store, signed, &keys, clock()).unwrap().size,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_is_not_shown_to_be_one_is_not_started() {
    let (world, next) = (World::new(), Successor::new());
    let (evidence, named) = ended(&world, &Memory::new()).await;
    let with = |genesis: String, evidence: &str| format!("{genesis}\n{evidence}\n");
    let alone = next.refusal(next.genesis(Some(&named), 1)).await;
    assert!(
        matches!(alone, PredecessorError::NoEvidence(_)),
        "{alone:?}"
    );
    let unnamed = next.refusal(with(next.genesis(None, 1), &evidence)).await;
    assert!(matches!(unnamed, PredecessorError::NotNamed), "{unnamed:?}");
    let early = Predecessor {
        size: named.size - 1,
        ..named.clone()
    };
    let early = next
        .refusal(with(next.genesis(Some(&early), 1), &evidence))
        .await;
    let expected = (named.size - 1, named.size - 1);
    assert!(
        matches!(early, PredecessorError::Succession(SuccessionError::NotFinal { size, index })
            if (size, index) == expected),
        "{early:?}"
    );
    let other = Predecessor {
        root: Sha256([9; 32]),
        ..named.clone()
    };
    let other = next
        .refusal(with(next.genesis(Some(&other), 1), &evidence))
        .await;
    assert!(
        matches!(
            other,
            PredecessorError::Succession(SuccessionError::Differs("root"))
        ),
        "{other:?}"
    );
    // Somebody else's genesis, with the right evidence.
    let usurped = next
        .refusal(with(next.genesis(Some(&named), 7), &evidence))
        .await;
    assert!(
        matches!(
            usurped,
            PredecessorError::Succession(SuccessionError::Refused(_))
        ),
        "{usurped:?}"
    );
    // A receipt that was altered: the signature of the log key does not hold.
    let forged = evidence.replace(&format!("\\n{}\\n", named.size), "\\n999\\n");
    assert_ne!(forged, evidence);
    let renamed = Predecessor {
        closing: Sha256::of(forged.as_bytes()),
        ..named
    };
    let forged = next
        .refusal(with(next.genesis(Some(&renamed), 1), &forged))
        .await;
    assert!(matches!(forged, PredecessorError::Receipt(_)), "{forged:?}");
}
