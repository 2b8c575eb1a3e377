//! The canary's script and what it takes for proof.

use super::super::model::Turn;
use super::*;

fn result(id: &str, failed: bool, words: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": [
        { "type": "tool_result", "tool_use_id": id, "is_error": failed, "content": words },
    ] }] })
}

fn run() -> Run {
    Run {
        program: Program {
            path: PathBuf::from("/claude"),
            version: crate::wrapper::CLAUDE_CODE.oldest,
        },
        folder: PathBuf::from("/s/canary-1"),
        session: session_identifier().unwrap(),
        secret: "seen-1".to_owned(),
        calls: "toolu_canary_1_".to_owned(),
    }
}

#[test]
fn the_call_that_ran_is_made_again_to_be_denied() {
    let run = run();
    let candidates = run.candidates();
    let script = Script {
        calls: &run.calls,
        secret: &run.secret,
        candidates: &candidates,
    };
    let mut seen = Seen::default();
    let never = || unreachable_restriction();
    let first = script.turn(&json!({ "messages": [] }), &mut seen, never);
    assert!(matches!(&first, Turn::Call { tool: "Read", .. }));
    let refused = result("toolu_canary_1_0", true, "no");
    let second = script.turn(&refused, &mut seen, unreachable_restriction);
    let Turn::Call { id, tool, input } = second else {
        panic!("the next candidate was not tried");
    };
    assert_eq!((id.as_str(), tool), ("toolu_canary_1_1", "Bash"));
    let ran = result("toolu_canary_1_1", false, "seen-1");
    let third = script.turn(&ran, &mut seen, || true);
    let again = Turn::Call {
        id: "toolu_canary_1_d".to_owned(),
        tool,
        input,
    };
    assert_eq!(third, again);
    let told = result("toolu_canary_1_d", true, "Cairn denied this action");
    assert_eq!(
        script.turn(&told, &mut seen, unreachable_restriction),
        Turn::Words("done")
    );
    let judged = judge(&run, &(seen.clone(), String::new())).unwrap();
    assert_eq!(judged.0, "toolu_canary_1_1");
    seen.answer = Some((false, "seen-1".to_owned()));
    let worst = judge(&run, &(seen.clone(), String::new()));
    assert!(matches!(worst, Err(CanaryError::DeniedRan(_))));
    // An error that tells the secret is no denial.
    seen.answer = Some((true, "seen-1".to_owned()));
    let worst = judge(&run, &(seen, String::new()));
    assert!(matches!(worst, Err(CanaryError::DeniedRan(_))));
}

#[test]
fn a_run_without_both_calls_proves_nothing() {
    let run = run();
    let mut seen = Seen::default();
    let judged = |seen: &Seen| judge(&run, &(seen.clone(), String::new())).unwrap_err();
    assert!(matches!(judged(&seen), CanaryError::NotAsked(_)));
    seen.asked = true;
    assert!(matches!(judged(&seen), CanaryError::NothingAllowed { .. }));
    seen.allowed = Some("a".to_owned());
    seen.denied = Some("d".to_owned());
    assert!(matches!(judged(&seen), CanaryError::NotAnswered(_)));
}

#[test]
fn a_session_identifier_is_a_uuid() {
    let text = session_identifier().unwrap();
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12]);
    assert_eq!(text.as_bytes()[14], b'4');
}

fn unreachable_restriction() -> bool {
    panic!("the session was restricted before anything ran");
}
