//! An old policy: the device says how old, becomes stricter step by step, and at last decides nothing.
//! What was decided at an age is replayed at that age. Source: endpoint findings 6.3.

use super::device::{Daemon, Device, bundle, last_of, verdict};
use cairn_agent::clock::{KeptUptime, Uptime};
use cairn_event::Effect;
use cairn_event::body::Body;
use cairn_policy::{Bundle, Subject, compile, decide};
use serde_json::{Value, json};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// `kubectl` is for the device's team, `helm` for now, `ls` for everybody.
fn rules(staleness: Option<Value>) -> Value {
    let mut bundle = bundle(json!({ "rules": [
        {"id":"no-kubectl","effect":"deny","pattern":"Bash(kubectl *)","scope":{"global":true},
         "dialect":"cairn"},
        {"id":"kubectl-infra","effect":"allow","pattern":"Bash(kubectl *)","scope":{"team":"infra"},
         "dialect":"cairn"},
        {"id":"helm-for-now","effect":"allow","pattern":"Bash(helm *)","scope":{"global":true},
         "dialect":"cairn","approver":"ann","expires_ms":4_000_000_000_000_u64},
        {"id":"ls","effect":"allow","pattern":"Bash(ls *)","scope":{"global":true},
         "dialect":"cairn"},
    ] }));
    if let Some(staleness) = staleness {
        bundle["staleness"] = staleness;
    }
    bundle
}

/// A running device whose policy was last confirmed this long ago.
fn at_age(rules: &Value, age_ms: u64) -> (Device, Daemon) {
    let device = Device::new(rules);
    let path = device.state.policy().join("policy.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    stored["checked_ms"] = json!(cairn_agent::clock::now_ms() - age_ms);
    std::fs::write(&path, stored.to_string()).unwrap();
    let daemon = device.start();
    (device, daemon)
}

fn verdicts(device: &Device) -> [String; 3] {
    let ask = |(number, command): (usize, &str)| {
        let answer = device.bash(command, &format!("toolu_{number}"));
        verdict(&answer).to_owned()
    };
    [(1, "kubectl get pods"), (2, "helm list"), (3, "ls -la")].map(ask)
}

fn status(device: &Device) -> Value {
    let shown = device.cairn(&["status", "--json"]);
    serde_json::from_slice(&shown.stdout).unwrap()
}

#[test]
fn a_fresh_policy_says_nothing_of_its_age() {
    let (device, _daemon) = at_age(&rules(None), MINUTE_MS);
    assert_eq!(verdicts(&device), ["allow", "allow", "allow"]);
    let frames = device.spooled();
    let payload = last_of(&frames, "tool.decision").entry().payload();
    assert_eq!(payload.context.policy_age_ms, None);
    assert_eq!(payload.ext, None);
    assert_eq!(status(&device)["daemon"]["policy_freshness"], "fresh");
}

#[test]
fn an_old_policy_decides_as_written_and_says_its_age() {
    let (device, _daemon) = at_age(&rules(None), 13 * MINUTE_MS);
    assert_eq!(verdicts(&device), ["allow", "allow", "allow"]);
    let frames = device.spooled();
    let frame = last_of(&frames, "tool.decision");
    let age = frame.entry().payload().context.policy_age_ms.unwrap();
    assert!((13 * MINUTE_MS..15 * MINUTE_MS).contains(&age), "{age}");
    let daemon = &status(&device)["daemon"];
    assert_eq!(daemon["policy_freshness"], "old");
    let shown = device.cairn(&["status"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("the policy was last checked 13 minutes ago"),
        "{shown}"
    );
    let report = device.cairn(&["doctor"]);
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.contains("policy age"), "{report}");
}

#[test]
fn after_a_day_what_is_for_some_or_for_a_time_lapses_and_replays_so() {
    let rules = rules(None);
    let (device, _daemon) = at_age(&rules, 25 * HOUR_MS);
    let answer = device.bash("kubectl get pods", "toolu_0");
    assert_eq!(verdict(&answer), "deny");
    let reason = &answer["hookSpecificOutput"]["permissionDecisionReason"];
    let reason = reason.as_str().unwrap();
    assert!(
        reason.contains("no-kubectl") && reason.contains("have lapsed"),
        "{reason}"
    );
    assert_eq!(verdicts(&device), ["deny", "none", "allow"]);
    assert_eq!(status(&device)["daemon"]["policy_freshness"], "restricted");

    let bundle = Bundle::parse(&cairn_event::json::to_canonical(&rules)).unwrap();
    let compiled = compile(&bundle).unwrap();
    let subject = Subject {
        person: super::device::PERSON.into(),
        teams: vec!["infra".into()],
        roles: vec!["developer".into()],
    };
    let mut replayed = 0;
    for frame in &device.spooled() {
        let payload = frame.entry().payload();
        let Body::ToolDecision(recorded) = &payload.body else {
            continue;
        };
        let request = frame.disclosed("request").unwrap().clone();
        let request = serde_json::from_value(request).unwrap();
        let posture = payload.context.posture.clone().unwrap();
        let again = |age: u64| {
            let bundle = compiled.at_age(age);
            decide(&request, bundle, &subject, &posture, payload.time_ms).effect
        };
        let age = payload.context.policy_age_ms.unwrap();
        assert_eq!(again(age), recorded.effect, "{}", recorded.use_id);
        if recorded.use_id == "toolu_0" {
            assert_eq!(again(0), Effect::Allow, "fresh it would have been allowed");
        }
        replayed += 1;
    }
    assert_eq!(replayed, 4);
}

#[test]
fn after_three_days_nothing_is_allowed() {
    let (device, _daemon) = at_age(&rules(None), 73 * HOUR_MS);
    assert_eq!(verdicts(&device), ["deny", "deny", "deny"]);
    let frames = device.spooled();
    let frame = last_of(&frames, "tool.decision");
    let Body::ToolDecision(decision) = &frame.entry().payload().body else {
        panic!("not a decision")
    };
    assert_eq!(decision.why, "stale-policy");
    assert!(frame.entry().payload().context.policy_age_ms.unwrap() >= 73 * HOUR_MS);
    assert_eq!(status(&device)["daemon"]["policy_freshness"], "refused");
}

#[test]
fn the_organisation_sets_the_steps() {
    let steps = json!({ "warn_ms": HOUR_MS, "restrict_ms": 2 * HOUR_MS, "refuse_ms": 3 * HOUR_MS });
    let rules = rules(Some(steps));
    for (age, expected) in [
        (30 * MINUTE_MS, "fresh"),
        (90 * MINUTE_MS, "old"),
        (150 * MINUTE_MS, "restricted"),
        (200 * MINUTE_MS, "refused"),
    ] {
        let (device, _daemon) = at_age(&rules, age);
        assert_eq!(status(&device)["daemon"]["policy_freshness"], expected);
        let allowed = verdict(&device.bash("ls -la", "toolu_9")) == "allow";
        assert_eq!(allowed, expected != "refused");
    }
}

#[test]
fn a_clock_set_back_gives_no_more_time() {
    let rules = rules(None);
    let device = Device::new(&rules);
    let path = device.state.policy().join("policy.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    stored["checked_ms"] = json!(cairn_agent::clock::now_ms() + HOUR_MS);
    std::fs::write(&path, stored.to_string()).unwrap();
    let _daemon = device.start();
    assert_eq!(verdicts(&device), ["deny", "none", "allow"]);
    assert_eq!(status(&device)["daemon"]["policy_freshness"], "restricted");
}

/// The clock was set back while the machine slept, or before the daemon was started again: the policy is as
/// old as the machine has been up since it was confirmed.
#[test]
fn neither_sleep_nor_a_new_daemon_makes_a_policy_young() {
    let Some(long_ago) = Uptime::now().0.checked_sub(13 * 60) else {
        // A machine that has not been up for so long cannot say so.
        return;
    };
    let device = Device::new(&rules(None));
    let path = device.state.policy().join("policy.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    stored["checked_ms"] = json!(cairn_agent::clock::now_ms());
    stored["confirmed"] = json!(KeptUptime::of(Uptime(long_ago)));
    std::fs::write(&path, stored.to_string()).unwrap();
    let _daemon = device.start();
    assert_eq!(verdicts(&device), ["allow", "allow", "allow"]);
    assert_eq!(status(&device)["daemon"]["policy_freshness"], "old");
    let frames = device.spooled();
    let age = last_of(&frames, "tool.decision")
        .entry()
        .payload()
        .context
        .policy_age_ms;
    assert!(age.unwrap() >= 13 * MINUTE_MS);
}
