//! What would change a decision: each kind of thing that is tried, and the bound on trying them.

use crate::{Bundle, Scenario, compile};
use serde_json::{Value, json};

fn found(members: Value, scenario: &Scenario) -> (Vec<String>, bool) {
    let mut bundle = serde_json::to_value(Bundle::empty("log.example", "security")).unwrap();
    for (name, value) in members.as_object().unwrap() {
        bundle[name] = value.clone();
    }
    let bundle: Bundle = serde_json::from_value(bundle).unwrap();
    let compiled = compile(&bundle).unwrap();
    let found = scenario.changes(&compiled, 0).unwrap();
    let words = found.changes.iter().map(ToString::to_string).collect();
    (words, found.complete)
}

fn rule(id: &str, effect: &str, pattern: &str, more: Value) -> Value {
    let mut rule = json!({"id": id, "effect": effect, "pattern": pattern,
        "scope": {"global": true}, "dialect": "cairn"});
    for (name, value) in more.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rule
}

fn kubectl_rules() -> Value {
    let off = json!({"not": {"posture": "disk_encryption", "is": "on"}});
    json!({ "rules": [
        rule("all", "deny", "Bash(kubectl *)", json!({})),
        rule("infra", "allow", "Bash(kubectl *)", json!({"scope": {"team": "infra"}})),
        rule("disk", "deny", "Bash(kubectl *)", json!({ "when": off })),
        rule("elsewhere", "allow", "Bash(ls *)", json!({"scope": {"team": "web"}})),
    ] })
}

#[test]
fn teams_rules_and_posture_that_would_change_a_decision_are_named() {
    let mut scenario = Scenario::of_command("kubectl get pods");
    scenario
        .posture
        .insert("disk_encryption".into(), "on".into());
    let (changes, complete) = found(kubectl_rules(), &scenario);
    let expected = [
        "without `all`: then no-opinion by the organisation's default",
        "in team `infra`: then allow by `infra`",
    ];
    assert_eq!(
        (changes, complete),
        (expected.map(str::to_owned).into(), true)
    );
    scenario.teams.push("infra".into());
    scenario.posture.clear();
    let (changes, _) = found(kubectl_rules(), &scenario);
    let with_disk = "with disk_encryption on: then allow by `infra`".to_owned();
    assert!(changes.contains(&with_disk), "{changes:?}");
    let without = "without `disk`: then allow by `infra`".to_owned();
    assert!(changes.contains(&without), "{changes:?}");
    assert_eq!(changes.len(), 2, "{changes:?}");
}

#[test]
fn a_gate_that_decided_is_among_what_would_change_it() {
    let gates = json!({ "gates": [{"id": "vpn", "message": "connect first",
        "when": {"posture": "vpn", "is": "off"}}],
        "rules": [rule("ls", "allow", "Bash(ls *)", json!({}))] });
    let (changes, _) = found(gates, &Scenario::of_command("ls -l"));
    assert_eq!(
        changes,
        [
            "without `vpn`: then allow by `ls`",
            "with vpn known to be other than off: then allow by `ls`"
        ]
    );
}

#[test]
fn somebody_to_ask_monitored_rules_and_mcp_servers_count() {
    let rules = json!({ "rules": [rule("ask", "ask", "Bash(git push *)", json!({}))] });
    let mut scenario = Scenario::of_command("git push origin");
    scenario.interactive = false;
    let (changes, _) = found(rules, &scenario);
    assert!(
        changes.contains(&"with somebody there to ask: then ask by `ask`".to_owned()),
        "{changes:?}"
    );
    let rules = json!({ "rules": [
        rule("soon", "deny", "Bash(curl *)", json!({"mode": "monitor"}))] });
    let (changes, _) = found(rules, &Scenario::of_command("curl example.com"));
    assert_eq!(
        changes,
        ["if the rules in monitor mode were enforced: then deny by the organisation's default"]
    );
}

#[test]
fn thousands_of_people_with_a_rule_of_their_own_are_tried_within_the_bound() {
    let person = |n: usize| json!({"scope": {"person": format!("p_{n:032x}")}});
    let mut rules: Vec<Value> = (0..9_000)
        .map(|n| rule(&format!("r{n}"), "allow", "Bash(make *)", person(n)))
        .collect();
    rules.push(rule("all", "deny", "Bash(make *)", json!({})));
    let (changes, complete) = found(json!({ "rules": rules }), &Scenario::of_command("make all"));
    assert!(changes.len() > 1_000, "{}", changes.len());
    // Whether all of them fitted is for the reader to see, and is said.
    assert_eq!(complete, changes.len() == 9_001, "{}", changes.len());
}
