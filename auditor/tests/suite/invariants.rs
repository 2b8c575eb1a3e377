//! I14: every recorded decision replays, or says why it cannot.
//!
//! The log has one decision for each answer a replay can give: decided by imported rules, by the MCP
//! lists, under a posture condition, for one team and against another; with inputs that were withheld,
//! erased, redacted, cut to a digest or written as text; without the engine, by another engine, under a
//! policy or a person that is not there.

use super::world::{self, DeviceRun, World, calls};
use super::{assert_named, run, written};
use cairn_event::body::{Body, ToolDecision};
use cairn_event::disclosure::names;
use cairn_event::{DecisionMode, Effect, Payload, Redaction};
use cairn_policy::{Bundle, Request, SettingsSource, import_settings};
use serde_json::json;

/// A change to a payload.
type Edit = fn(&mut Payload);

/// Imported rules, rules with posture conditions, MCP lists, and the default world's rules.
fn bundle() -> Bundle {
    let settings = json!({ "permissions": {
        "deny": ["Bash(curl:*)", "Read(/home/ann/project/secrets/**)"],
        "ask": ["Bash(git push:*)"],
        "allow": ["Bash(npm test:*)", "Edit(/home/ann/project/src/**)"] } });
    let source = SettingsSource::User {
        config_dir: "/home/ann/.claude".into(),
    };
    let imported = import_settings(settings.to_string().as_bytes(), &source).unwrap();
    let mut bundle = world::default_bundle(2);
    bundle.rules.extend(imported.rules);
    let conditional: Vec<cairn_policy::Rule> = serde_json::from_value(json!([
        { "id": "ship-encrypted", "effect": "allow", "pattern": "Bash(make ship)",
          "scope": { "global": true }, "dialect": "cairn",
          "when": { "posture": "disk_encryption", "is": "on" } },
        { "id": "no-release", "effect": "deny", "pattern": "Bash(make release)",
          "scope": { "global": true }, "dialect": "cairn",
          "when": { "not": { "posture": "secure_boot", "is": "on" } } },
        { "id": "edit-src", "effect": "allow", "pattern": "Edit(//home/ann/project/src/**)",
          "scope": { "global": true }, "dialect": "cairn" },
    ]))
    .unwrap();
    bundle.rules.extend(conditional);
    bundle.mcp = serde_json::from_value(json!({
        "default": "block", "allow": [{ "command": ["github-server"] }], "deny": [], "servers": {} }))
    .unwrap();
    bundle
}

fn decision(payload: &mut Payload) -> &mut ToolDecision {
    match &mut payload.body {
        Body::ToolDecision(decision) => decision,
        _ => panic!("not a decision"),
    }
}

/// What is decided and how it must replay; `None` stands for reproduced.
type Told = (u64, Option<&'static str>);

/// Decisions that the engine makes again.
fn reproducible(world: &mut World, one: &mut DeviceRun, two: &mut DeviceRun) -> Vec<Told> {
    let bash = |command: &str| calls::request("Bash", json!({ "command": command }));
    let requests: Vec<Request> = vec![
        bash("curl https://example.com"),
        bash("npm test -- --watch"),
        bash("git push origin main && npm test"),
        bash("make ship"),
        bash("make release"),
        bash("kubectl get pods"),
        bash("echo 'unbalanced"),
        calls::mcp("github", "get_issue"),
        calls::mcp("elsewhere", "get_issue"),
        calls::edit("/home/ann/project/src/main.rs", json!("old")),
        calls::request(
            "Read",
            json!({ "file_path": "/home/ann/project/secrets/key" }),
        ),
    ];
    let mut told = Vec::new();
    for request in &requests {
        told.push((world.call(one, "session-1", request, |_| {}), None));
        told.push((world.call(two, "session-2", request, |_| {}), None));
    }
    told
}

/// Decisions that cannot be made again, each for another reason.
fn not_replayable(world: &mut World, one: &mut DeviceRun) -> Vec<Told> {
    let status = calls::request("Bash", json!({ "command": "git status" }));
    let file = "/home/ann/project/src/main.rs";
    let long = calls::edit(file, json!("x".repeat(20_000)));
    let reserved = calls::edit(file, json!({ "_sd": ["a"] }));
    let redaction = Redaction {
        count: 1,
        field: "request/input/command".into(),
        rule: "token".into(),
    };
    let mut call = |request: &Request, edit: &dyn Fn(&mut Payload)| {
        world.call(one, "session-1", request, edit)
    };
    vec![
        (call(&long, &|_| {}), Some("input by digest")),
        (call(&reserved, &|_| {}), Some("input as text")),
        (
            call(&status, &|it| {
                it.context.redactions = vec![redaction.clone()]
            }),
            Some("input redacted"),
        ),
        (
            call(&status, &|it| decision(it).semantics += 1),
            Some("other engine semantics"),
        ),
        (
            call(&status, &|it| decision(it).why = "error".into()),
            Some("decided without the engine"),
        ),
        (
            call(&status, &|it| decision(it).why = "stale-policy".into()),
            Some("decided without the engine"),
        ),
        (
            call(&status, &|it| it.context.policy = None),
            Some("policy not at hand"),
        ),
        (
            call(&status, &|it| it.context.roster = None),
            Some("person not at hand"),
        ),
    ]
}

/// The whole log, and what must be said of each decision in it.
fn log() -> (World, Vec<Told>) {
    let mut world = World::new();
    world.policy(bundle());
    world.publish();
    let (mut one, mut two) = (world.device(1), world.device(2));
    world.session(&mut one, "session-1");
    world.session(&mut two, "session-2");
    let mut told = reproducible(&mut world, &mut one, &mut two);
    world.publish();
    told.extend(not_replayable(&mut world, &mut one));
    let withheld = world.bash(&mut one, "session-1", "git status");
    let disclosures = &mut world.items[withheld as usize].disclosures;
    disclosures.retain(|one| one.name() != names::REQUEST);
    told.push((withheld, Some("input withheld")));
    let erased = world.bash(&mut one, "session-1", "git status");
    told.push((erased, Some("input erased")));
    // Decisions under an earlier policy stay replayable after a later one.
    world.policy(world::default_bundle(3));
    told.push((world.bash(&mut two, "session-2", "curl x"), None));
    world.erase(erased, names::REQUEST);
    world.publish();
    (world, told)
}

#[test]
fn i14_every_recorded_decision_replays_or_says_why_it_cannot() {
    let (world, told) = log();
    let dir = written(&world);
    let report = run(&world, dir.path());
    assert!(report.is_good(), "{report}");
    let reproduced = told.iter().filter(|(_, reason)| reason.is_none()).count();
    assert_eq!(report.counts["decisions reproduced"], reproduced as u64);
    let mut said = reproduced as u64;
    for reason in told.iter().filter_map(|(_, reason)| *reason) {
        let alike = told.iter().filter(|(_, other)| *other == Some(reason));
        // An erasure is known once its entry has been read; the whole log tells the two apart.
        let count = report
            .counts
            .get(&format!("decisions not replayable: {reason}"));
        assert_eq!(count, Some(&(alike.count() as u64)), "{reason}\n{report}");
    }
    for (name, count) in &report.counts {
        if name.starts_with("decisions not replayable: ") {
            said += count;
        }
    }
    assert_eq!(said, told.len() as u64, "every decision is spoken of once");
    assert_eq!(
        report.check("decision-replay").unwrap().examined,
        reproduced as u64
    );
}

#[test]
fn i14_a_decision_that_was_changed_is_a_mismatch_with_its_index() {
    let edits: [(Edit, &str); 5] = [
        (
            |it| decision(it).effect = Effect::Allow,
            "replay gives Deny",
        ),
        (|it| decision(it).rule = None, "replay gives `no-kubectl`"),
        (
            |it| decision(it).mode = DecisionMode::Monitor,
            "recorded mode Monitor",
        ),
        (
            |it| decision(it).lost = vec![decision(it).rule.clone().unwrap()],
            "the losing rules differ",
        ),
        // The posture under which it was decided decides it otherwise.
        (
            |it| it.context.posture = None,
            "recorded Allow, replay gives Ask",
        ),
    ];
    for (at, (edit, reason)) in edits.into_iter().enumerate() {
        let mut world = World::new();
        world.policy(bundle());
        let mut two = world.device(2);
        world.session(&mut two, "session-2");
        let command = if at == 4 {
            "make ship"
        } else {
            "kubectl get pods"
        };
        let request = calls::request("Bash", json!({ "command": command }));
        let index = world.call(&mut two, "session-2", &request, edit);
        world.publish();
        let dir = written(&world);
        let report = run(&world, dir.path());
        assert_named(&report, "decision-replay", reason);
        assert_named(&report, "decision-replay", &format!("index {index}"));
        assert_eq!(
            report.check("decision-replay").unwrap().failed,
            1,
            "{report}"
        );
    }
}

/// A policy that was a day old on its device decided without what is for some only, and is replayed so.
#[test]
fn i14_a_decision_is_replayed_at_the_age_of_its_policy() {
    const DAY_MS: u64 = 24 * 3_600_000;
    let as_restricted: Edit = |it| {
        it.context.policy_age_ms = Some(DAY_MS + 1);
        let decision = decision(it);
        decision.effect = Effect::Deny;
        decision.rule = decision.lost.pop();
    };
    let cases: [(Edit, Option<&str>); 4] = [
        (|it| it.context.policy_age_ms = Some(DAY_MS), None),
        (as_restricted, None),
        (
            |it| it.context.policy_age_ms = Some(DAY_MS + 1),
            Some("recorded Allow, replay gives Deny"),
        ),
        // Who leaves the age out is held to the whole policy.
        (
            |it| {
                let decision = decision(it);
                decision.effect = Effect::Deny;
                decision.rule = decision.lost.pop();
            },
            Some("recorded Deny, replay gives Allow"),
        ),
    ];
    for (edit, mismatch) in cases {
        let mut world = World::new();
        let mut one = world.device(1);
        world.session(&mut one, "session-1");
        let request = calls::request("Bash", json!({ "command": "kubectl get pods" }));
        world.call(&mut one, "session-1", &request, edit);
        world.publish();
        let dir = written(&world);
        let report = run(&world, dir.path());
        match mismatch {
            None => assert!(report.is_good(), "{report}"),
            Some(reason) => assert_named(&report, "decision-replay", reason),
        }
    }
}
