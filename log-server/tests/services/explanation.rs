//! A recorded decision is explained to those who may read it: what decided, what lost, what would
//! change it.

use super::distribution::put_bundle;
use super::person::Device;
use super::world::{ORIGIN, World, expect, problem};
use cairn_event::PersonRole::Auditor;
use cairn_event::body::{Body, McpSeen, SessionRefused, ToolDecision};
use cairn_event::{ActionClass, Effect, Entry, Posture, PostureValue, Sha256};
use cairn_policy::{Bundle, Scenario, compile, decide};
use cairn_server::store::Stored;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Records what the engine decides on a denied command; gives its index and that of the policy entry.
async fn denied(world: &World, ann: &mut Device, change: fn(&mut ToolDecision)) -> (u64, u64) {
    let mut bundle = Bundle::empty(ORIGIN, "security@example.com");
    bundle.version = 1;
    bundle.rules = serde_json::from_value(json!([
        {"id": "all", "effect": "deny", "pattern": "Bash(kubectl *)", "scope": {"global": true},
         "dialect": "cairn", "note": "clusters are for infra"},
        {"id": "infra", "effect": "allow", "pattern": "Bash(kubectl *)",
         "scope": {"team": "infra"}, "dialect": "cairn"},
        {"id": "ask", "effect": "ask", "pattern": "Bash(kubectl delete *)",
         "scope": {"global": true}, "dialect": "cairn"},
    ]))
    .unwrap();
    let policy = put_bundle(world, 1, &bundle.canonical_bytes().unwrap()).await;
    let mut scenario = Scenario::of_command("kubectl delete ns prod");
    scenario.person = Some(ann.person.clone());
    scenario.roles = vec!["developer".into()];
    let request = scenario.request().unwrap();
    let compiled = compile(&bundle).unwrap();
    let posture = cairn_event::Posture::default();
    let made = decide(&request, &compiled, &scenario.subject(), &posture, 0);
    let mut decision = ToolDecision {
        class: ActionClass::Exec,
        effect: made.effect,
        latency_us: 10,
        lost: made.losing,
        mcp: None,
        mode: made.mode,
        rule: made.rule,
        semantics: made.semantics,
        subagent: None,
        tool: "Bash".into(),
        use_id: "use-1".into(),
        why: "rule".into(),
    };
    change(&mut decision);
    let basis = (policy, ann.admitted_at);
    let request = serde_json::to_value(&request).unwrap();
    (ann.judged(world, basis, decision, request).await, policy)
}

fn path(index: u64) -> String {
    format!("/v1/events/{index}/explanation")
}

#[tokio::test]
async fn a_recorded_decision_is_judged_again_with_what_would_change_it() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let (index, policy) = denied(&world, &mut ann, |_| ()).await;
    let token = ann.token(&world).await;
    let said = world.json(&path(index), &token).await;
    assert_eq!(
        (
            &said["index"],
            &said["policy"],
            &said["roster"],
            &said["effect"]
        ),
        (
            &json!(index),
            &json!(policy),
            &json!(ann.admitted_at),
            &json!("deny")
        )
    );
    assert_eq!(
        said["rule"],
        json!({"id": "all", "effect": "deny", "rank": "global", "pattern": "Bash(kubectl *)",
               "scope": {"global": true}, "note": "clusters are for infra"})
    );
    assert_eq!(said["lost"][0]["id"], "ask");
    assert_eq!(said["contact"], "security@example.com");
    let again = &said["again"];
    assert_eq!(
        (&again["state"], again.get("difference")),
        (&json!("judged"), None)
    );
    assert_eq!(again["parts"][0]["command"], "kubectl delete ns prod");
    assert_eq!(
        again["changes"],
        json!([
            {"otherwise": {"kind": "without", "id": "all"}, "effect": "ask", "rule": "ask"},
            {"otherwise": {"kind": "in-team", "team": "infra"}, "effect": "allow", "rule": "infra"},
        ])
    );
    assert_eq!(again["complete"], true);
}

#[tokio::test]
async fn what_cannot_be_judged_again_says_why_and_still_names_its_rules() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let older = |decision: &mut ToolDecision| decision.semantics += 1;
    let (index, _) = denied(&world, &mut ann, older).await;
    let token = ann.token(&world).await;
    let impossible = |said: &Value, reason: &str| {
        assert_eq!(
            said["again"],
            json!({"state": "impossible", "reason": reason})
        );
        assert_eq!(said["rule"]["pattern"], "Bash(kubectl *)");
    };
    let said = world.json(&path(index), &token).await;
    impossible(&said, "other engine semantics");
    // A start of a chain is no decision.
    let answer = world.get(&path(index - 1), &token).send().await.unwrap();
    let code = problem(answer, StatusCode::BAD_REQUEST).await;
    assert_eq!(code, "no-decision");
}

/// A policy with a gate and an MCP list; gives the index of its entry.
async fn launch_policy(world: &World) -> u64 {
    let mut bundle = Bundle::empty(ORIGIN, "security@example.com");
    bundle.version = 1;
    // What would be decided about calls has no say in it.
    bundle.default = Effect::Deny;
    bundle.gates = serde_json::from_value(json!([
        {"id": "disk", "when": {"not": {"posture": "disk_encryption", "is": "on"}}, "message": "encrypt it"},
    ]))
    .unwrap();
    bundle.mcp = serde_json::from_value(json!({
        "default": "block", "allow": [], "deny": [],
        "servers": {"files": {"command": "files-mcp"}}, "scopes": {"files": [{"team": "infra"}]},
    }))
    .unwrap();
    put_bundle(world, 1, &bundle.canonical_bytes().unwrap()).await
}

#[tokio::test]
async fn a_refused_session_is_explained_with_what_would_open_the_gate() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let basis = (launch_policy(&world).await, ann.admitted_at);
    let refused = Body::SessionRefused(SessionRefused {
        gate: "disk".into(),
    });
    let off = PostureValue {
        age_ms: 0,
        evidence: 2,
        source: "sysfs".into(),
        value: "off".into(),
    };
    let posture = Posture([("disk_encryption".to_owned(), off)].into());
    let index = ann.decided(&world, basis, Some(posture), refused, &[]);
    let index = index.await;
    let token = ann.token(&world).await;
    let said = world.json(&path(index), &token).await;
    assert_eq!(
        (&said["tool"], &said["why"]),
        (&json!("session"), &json!("gate"))
    );
    assert_eq!(
        said["rule"],
        json!({"id": "disk", "effect": "deny", "rank": "posture-deny", "scope": {"global": true}, "note": "encrypt it"})
    );
    assert_eq!(said["again"].get("difference"), None);
    assert_eq!(
        said["again"]["changes"],
        json!([
            {"otherwise": {"kind": "without", "id": "disk"}, "effect": "allow"},
            {"otherwise": {"kind": "with-posture", "field": "disk_encryption", "value": "on"}, "effect": "allow"},
        ])
    );
}

#[tokio::test]
async fn a_blocked_server_is_explained_with_the_team_that_may_start_it() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let basis = (launch_policy(&world).await, ann.admitted_at);
    let seen = Body::McpSeen(McpSeen {
        effect: Effect::Deny,
        fingerprint: Sha256::of(b"files"),
        mode: None,
        name: "files".into(),
        rule: None,
        source: "project".into(),
        transport: "stdio".into(),
    });
    let definition = [("definition", json!({"command": "files-mcp"}))];
    let index = ann.decided(&world, basis, None, seen, &definition).await;
    let token = ann.token(&world).await;
    let said = world.json(&path(index), &token).await;
    assert_eq!(
        (&said["tool"], said.get("rule")),
        (&json!("mcp server files"), None)
    );
    let again = &said["again"];
    assert_eq!(again.get("difference"), None, "{said}");
    let sentence = again["sentence"].as_str().unwrap();
    assert!(sentence.contains("no entry names it"), "{sentence}");
    assert_eq!(
        again["changes"],
        json!([
            {"otherwise": {"kind": "in-team", "team": "infra"}, "effect": "allow"},
            {"otherwise": {"kind": "server-allowed", "server": "files"}, "effect": "allow"},
        ])
    );
}

#[tokio::test]
async fn an_erased_input_is_named_as_the_obstacle() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let (index, _) = denied(&world, &mut ann, |_| ()).await;
    let admin = world.admin_token().await;
    let erasure = world.call("POST", &format!("/v1/events/{index}/erasure"));
    let erasure = erasure
        .bearer_auth(&admin)
        .json(&json!({"reason": "asked for"}));
    expect(erasure.send().await.unwrap(), StatusCode::OK).await;
    let said = world.json(&path(index), &ann.token(&world).await).await;
    let erased = json!({"state": "impossible", "reason": "input erased"});
    assert_eq!(said["again"], erased);
}

#[tokio::test]
async fn others_are_recorded_before_they_read_it_and_developers_see_their_own() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let (index, _) = denied(&world, &mut ann, |_| ()).await;
    let bob = Device::enrol(&world, "bob@example.com").await;
    let foreign = world.get(&path(index), &bob.token(&world).await);
    let answer = foreign.send().await.unwrap();
    assert_eq!(problem(answer, StatusCode::NOT_FOUND).await, "not-found");
    let auditor = world.person(2, &[Auditor], "aud@example.org").await;
    let before = world.log.size();
    let said = world
        .json(&path(index), &world.forge(&auditor, &[Auditor], None))
        .await;
    assert_eq!(said["again"]["state"], "judged");
    let written = world.log.entries(before..world.log.size());
    let readings = written.filter_map(|one| {
        let Stored::Entry(bytes) = one.unwrap().1 else {
            return None;
        };
        match &Entry::parse(&bytes).unwrap().payload().body {
            Body::AdminAction(action) => Some((action.person.clone(), action.object.clone())),
            _ => None,
        }
    });
    let readings: Vec<(String, String)> = readings.collect();
    assert_eq!(readings, [(auditor, format!("index:{index}"))]);
}
