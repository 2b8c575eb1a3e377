//! What a witness may answer: nothing it says takes it out of the quorum for good.

use crate::witness::{Witness, answer};
use crate::world::{PATIENCE, World, accept};
use cairn_server::recover::{StartError, Surroundings, start_in};
use cairn_server::store::Memory;
use cairn_server::witnesses::Answer;
use cairn_server::{Level, Log, SubmitResult, Wait};
use std::sync::Arc;

async fn start(world: &World, engine: &Memory, witness: &Witness) -> Result<Log, StartError> {
    let empty = engine.writes() == 0;
    let mut parts = world.parts(engine, empty);
    parts.trust_text = Some(witness.policy(&world.public.log_key));
    let surroundings = Surroundings {
        link: Arc::new(witness.clone()),
        ..Surroundings::of_a_server(&parts.config)?
    };
    start_in(parts, surroundings).await
}

/// Submits one entry and waits for its witnessed receipt.
async fn witnessed(log: &Log, frame: String) -> bool {
    let results = log.submit(vec![frame], Wait::Witnessed, PATIENCE).await;
    matches!(
        results.unwrap().as_slice(),
        [SubmitResult::Accepted {
            level: Level::Witnessed,
            receipt: Some(_),
            ..
        }]
    )
}

/// Wrong answers of every kind that implementations of witnesses give, or a broken one might.
fn wrong_answers() -> Vec<(&'static str, Vec<Answer>)> {
    let size = |text: &str| answer(409, true, text);
    vec![
        ("a size above the tree", vec![size("1000000\n")]),
        ("the largest size", vec![size("9223372036854775807\n")]),
        ("no number", vec![size("many\n")]),
        ("a number without its line feed", vec![size("3")]),
        ("an empty size", vec![size("")]),
        ("the size of nothing", vec![size("0\n")]),
        ("two other sizes", vec![size("1\n"), size("2\n")]),
        (
            "another root, as omniwitness says it",
            vec![answer(409, false, "")],
        ),
        ("another root", vec![answer(422, false, "no\n")]),
        ("not its log", vec![answer(403, false, "")]),
        ("not its origin", vec![answer(404, false, "")]),
        ("too many requests", vec![answer(429, false, "")]),
        ("broken", vec![answer(500, false, "")]),
        ("success with garbage", vec![answer(200, false, "ok\n")]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wrong_answer_sidelines_a_witness() {
    let (world, engine, witness) = (World::new(), Memory::new(), Witness::new(5));
    let log = start(&world, &engine, &witness).await.unwrap();
    let (mut chain, first) = world.chain(3);
    accept(&log, vec![world.roster()]).await;
    assert!(witnessed(&log, first).await);
    for (what, answers) in wrong_answers() {
        let (asked, failures) = (witness.asked(), log.metrics().witness_failures.get());
        witness.say(&answers);
        assert!(witnessed(&log, chain.next()).await, "{what}");
        assert!(witness.asked() > asked + 1, "{what}: was not asked again");
        let failed = log.metrics().witness_failures.get() > failures;
        assert!(failed, "{what}: not counted");
    }
    let metrics = log.metrics();
    assert_eq!(metrics.witness_ahead.get(), 2, "larger than the tree");
    assert_eq!(metrics.witness_alarms.get(), 4, "and two of another root");
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_repeats_itself_takes_one_line_of_the_note() {
    let (world, engine, witness) = (World::new(), Memory::new(), Witness::new(5));
    // More lines than a note may hold, in an answer that is within its length.
    witness.repeat(150);
    let log = start(&world, &engine, &witness).await.unwrap();
    accept(&log, vec![world.roster()]).await;
    let (_, first) = world.chain(3);
    assert!(witnessed(&log, first).await);
    let note = log.published().borrow().note.clone();
    let lines = note.lines().filter(|line| line.starts_with('\u{2014}'));
    assert_eq!(lines.count(), 2, "{note}");
    world.check(&engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_goes_on_answering_nonsense_is_asked_ever_less() {
    let (world, engine, witness) = (World::new(), Memory::new(), Witness::new(5));
    let log = start(&world, &engine, &witness).await.unwrap();
    let nonsense = vec![answer(409, true, "1000000\n"); 1_000];
    witness.say(&nonsense);
    let before = witness.asked();
    let waited = std::time::Duration::from_secs(4);
    let results = log.submit(vec![world.roster()], Wait::Witnessed, waited);
    let results = results.await.unwrap();
    assert!(matches!(
        results.as_slice(),
        [SubmitResult::Accepted {
            level: Level::Sequenced,
            ..
        }]
    ));
    // Rests of 0.5, 1, 2 and 4 s: at 0, 0.5, 1.5 and 3.5 s. Eight rounds of half a second pass.
    let asked = witness.asked() - before;
    assert!((2..=4).contains(&asked), "asked {asked} times in 4 s");
    assert_eq!(log.stopped().borrow().as_deref(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_ahead_of_the_last_publication_is_followed_after_a_restart() {
    let (world, engine, witness) = (World::new(), Memory::new(), Witness::new(5));
    let log = start(&world, &engine, &witness).await.unwrap();
    accept(&log, vec![world.roster()]).await;
    let before = engine.reopen();
    let (_, first) = world.chain(3);
    assert!(witnessed(&log, first).await);
    drop(log);
    // The store lost the last entry, which the witness has cosigned: this must not be served.
    std::fs::remove_file(world.data().join("HEAD")).unwrap();
    let refused = start(&world, &before, &witness).await;
    assert!(matches!(
        refused,
        Err(StartError::WitnessAhead {
            held: 3,
            size: 2,
            ..
        })
    ));
    // The whole store is.
    let log = start(&world, &engine.reopen(), &witness).await.unwrap();
    let (_, next) = world.chain(4);
    assert!(witnessed(&log, next).await);
}
