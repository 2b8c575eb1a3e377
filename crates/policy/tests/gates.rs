//! Session gates: what is denied while one is closed, and what it does to sessions that run.
//!
//! Source: architecture section 4.

#![allow(clippy::unwrap_used, reason = "a gate of a test must be readable")]

mod fixtures;

use cairn_event::{DecisionMode, Effect};
use cairn_policy::{
    Bundle, CompileCause, Condition, Gate, Request, RunningSessions, Scenario, Scope, compile,
    decide,
};
use fixtures::{alice, bash, bundle, compiled, posture, rule};
use serde_json::json;

#[test]
fn a_closed_gate_denies_everything_and_says_why() {
    let mut bundle = bundle(vec![rule("a", Effect::Allow, "Bash")]);
    let on = Condition::Posture {
        posture: "disk_encryption".into(),
        is: "on".into(),
    };
    bundle.gates.push(Gate {
        id: "disk".into(),
        when: Condition::Not { not: Box::new(on) },
        message: "the disk is not encrypted".into(),
        running: RunningSessions::Hold,
        scope: Scope::Global,
        mode: None,
    });
    let bundle = compiled(&bundle);
    let at = |value| decide(&bash("ls"), &bundle, &alice(&[]), &posture(value), 0);
    assert_eq!(at("on").effect, Effect::Allow);
    for value in ["off", "unknown"] {
        assert_eq!(at(value).effect, Effect::Deny);
        assert!(at(value).sentence.contains("the disk is not encrypted"));
    }
}

#[test]
fn a_gate_that_restricts_leaves_reading_to_the_rules() {
    let mut rules = vec![rule("a", Effect::Allow, "Bash")];
    rules.push(rule("env", Effect::Deny, "Read(//**/.env)"));
    let mut bundle = bundle(rules);
    let gate = |id: &str, running| {
        let off = json!({"posture": "disk_encryption", "is": "off"});
        json!({"id": id, "when": off, "message": "no disk", "running": running})
    };
    bundle.gates = serde_json::from_value(json!([gate("soft", "restrict")])).unwrap();
    let read = |path: &str| {
        let mut scenario = Scenario::of_command("");
        (scenario.command, scenario.tool) = (None, Some("Read".into()));
        scenario.input = Some(json!({ "file_path": path }));
        scenario.request().unwrap()
    };
    let decided = |request: &Request, bundle: &Bundle| {
        decide(request, &compiled(bundle), &alice(&[]), &posture("off"), 0)
    };
    let shell = decided(&bash("ls"), &bundle);
    assert_eq!(
        (shell.effect, shell.gate.unwrap().id),
        (Effect::Deny, "soft".into())
    );
    assert!(
        shell.sentence.contains("may only read files"),
        "{}",
        shell.sentence
    );
    let readable = decided(&read("/home/developer/a.txt"), &bundle);
    assert_eq!((readable.effect, readable.gate), (Effect::NoOpinion, None));
    assert_eq!(
        decided(&read("/home/developer/.env"), &bundle).effect,
        Effect::Deny
    );
    // Beside a gate that holds, the stricter one decides, wherever it stands.
    for order in [["soft", "hard"], ["hard", "soft"]] {
        let gates = order.map(|id| gate(id, if id == "soft" { "restrict" } else { "end" }));
        bundle.gates = serde_json::from_value(json!(gates)).unwrap();
        let held = decided(&read("/home/developer/a.txt"), &bundle);
        assert_eq!(
            (held.effect, held.gate.unwrap().id),
            (Effect::Deny, "hard".into())
        );
    }
}

#[test]
fn what_a_gate_does_to_running_sessions_is_written_only_where_it_is_not_the_default() {
    let gate = |running: &str| {
        format!(r#"{{"id":"g","message":"m"{running},"when":{{"posture":"os","is":"x"}}}}"#)
    };
    let round = |text: &str| {
        let gate: Gate = serde_json::from_str(text).unwrap();
        (
            gate.running,
            serde_json::to_value(&gate).unwrap().get("running").cloned(),
        )
    };
    assert_eq!(round(&gate("")), (RunningSessions::Hold, None));
    assert_eq!(
        round(&gate(r#","running":"hold""#)),
        (RunningSessions::Hold, None)
    );
    let end = Some(json!("end"));
    assert_eq!(
        round(&gate(r#","running":"end""#)),
        (RunningSessions::End, end)
    );
    assert!(serde_json::from_str::<Gate>(&gate(r#","running":"kill""#)).is_err());
}

/// A gate that is closed on every device.
fn halt(id: &str, more: &[(&str, serde_json::Value)]) -> Gate {
    let mut gate = json!({"id": id, "when": {"all": []}, "message": "an incident"});
    for (name, value) in more {
        gate[*name] = value.clone();
    }
    serde_json::from_value(gate).unwrap()
}

#[test]
fn a_gate_closes_for_those_whom_it_is_for() {
    let mut bundle = bundle(vec![rule("a", Effect::Allow, "Bash")]);
    bundle.gates = vec![
        halt("web", &[("scope", json!({"team": "web"}))]),
        halt(
            "other",
            &[
                ("scope", json!({"person": "p_other"})),
                ("running", json!("end")),
            ],
        ),
    ];
    assert!(bundle.gates[0].is_halt());
    let bundle = compiled(&bundle);
    let of = |teams: &[&str]| decide(&bash("ls"), &bundle, &alice(teams), &posture("on"), 0);
    assert_eq!(of(&[]).effect, Effect::Allow);
    let halted = of(&["infra", "web"]);
    assert_eq!(
        (halted.effect, halted.gate.unwrap().id),
        (Effect::Deny, "web".to_owned())
    );
}

#[test]
fn a_gate_that_is_enforced_closes_although_the_policy_only_monitors() {
    let mut bundle = bundle(vec![rule("a", Effect::Deny, "Bash(rm *)")]);
    bundle.mode = DecisionMode::Monitor;
    // The monitored one is stricter, and does not hide the one that is enforced.
    bundle.gates = vec![halt("idle", &[("running", json!("end"))])];
    let decided = |bundle: &Bundle| {
        let decision = decide(
            &bash("ls"),
            &compiled(bundle),
            &alice(&[]),
            &posture("on"),
            0,
        );
        (decision.applied(), decision.mode, decision.gate.unwrap().id)
    };
    let monitored = (Effect::NoOpinion, DecisionMode::Monitor, "idle".to_owned());
    assert_eq!(decided(&bundle), monitored);
    bundle
        .gates
        .push(halt("now", &[("mode", json!("enforce"))]));
    let enforced = (Effect::Deny, DecisionMode::Enforce, "now".to_owned());
    assert_eq!(decided(&bundle), enforced);
    bundle.gates[1].mode = Some(DecisionMode::Monitor);
    let refused = compile(&bundle).unwrap_err();
    assert_eq!(refused[0].cause, CompileCause::MonitoredGate);
}
