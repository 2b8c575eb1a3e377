//! The verdicts of each version of the engine's semantics, pinned by a digest.
//!
//! A decision that was recorded is replayed by the engine that its number names; two engines with one
//! number that decide one call differently would make an audit find a mismatch where there is none. So
//! no verdict changes without a new number. What is decided here: every row of the rule cases, every way
//! round, lines made to be expensive, and a grid of scopes, posture, gates and modes.
//! Source: architecture section 5 (replay).

#![expect(clippy::unwrap_used, reason = "a malformed row must stop the test")]

mod fixtures;

use cairn_event::{Effect, Sha256};
use cairn_policy::{Bundle, Case, Decision, ENGINE_SEMANTICS, Request, Scenario, Subject, decide};
use fixtures::{alice, bash, bundle, compiled, hostile, posture, rule};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Each version that pins its verdicts, with their digest. Add a line, and leave those that stand.
const PINNED: &[(u32, &str)] = &[
    (
        2,
        "028c50bb5e9df1f2b84a31b7cd03ea078a9fb4f836ffd01860366b8ab32fa27e",
    ),
    (
        3,
        "1eb85e3abeeedf5b75df9f278bbd95a5eb6ad95b1196dbc36e634d10fa96078f",
    ),
    (
        4,
        "06f7949bdbe509aba8192b2a8fd82e14c9af62f7a38498a0265591d30d253a84",
    ),
];

/// Longest hostile line decided here: longer ones take minutes without optimisation.
const HOSTILE_BYTES_MAX: usize = 130;

/// What is replayed of a decision.
fn line(of: &str, decision: &Decision) -> String {
    let names = |rule: &cairn_event::RuleRef| format!("{}/{:?}", rule.id, rule.rank);
    let mut losing: Vec<String> = decision.losing.iter().map(names).collect();
    losing.sort();
    format!(
        "{of}: {:?} {} {losing:?} {:?} {:?}\n",
        decision.effect,
        decision.rule.as_ref().map(names).unwrap_or_default(),
        decision.mode,
        decision.would
    )
}

fn rows(text: &str) -> impl Iterator<Item = Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn rule_cases(into: &mut String) {
    for (number, row) in rows(include_str!("../testdata/rule_cases.jsonl")).enumerate() {
        let case = Case::parse(row.to_string().as_bytes()).unwrap();
        let verdict = case.verdict().unwrap();
        let rule = verdict.rule.unwrap_or_default();
        writeln!(into, "case {number}: {:?} {rule}", verdict.effective).unwrap();
    }
}

fn ways_round(into: &mut String) {
    for (number, row) in rows(include_str!("../testdata/ways_round.jsonl")).enumerate() {
        let both = compiled(&bundle(vec![
            rule("everything", Effect::Allow, "Bash"),
            rule("denied", Effect::Deny, row["deny"].as_str().unwrap()),
        ]));
        let request = bash(row["line"].as_str().unwrap());
        let decision = decide(&request, &both, &alice(&[]), &posture("on"), 0);
        into.push_str(&line(&format!("way {number}"), &decision));
    }
}

fn expensive(into: &mut String) {
    let all = compiled(&bundle(vec![
        rule("everything", Effect::Allow, "Bash"),
        rule("rm", Effect::Deny, "Bash(rm *)"),
        rule("push", Effect::Ask, "Bash(git push *)"),
        rule("env", Effect::Deny, "Read(//**/.env)"),
        rule("anywhere", Effect::Deny, "Bash(*secret*)"),
    ]));
    let lines = hostile::lines();
    for (name, text) in lines
        .iter()
        .filter(|(_, text)| text.len() <= HOSTILE_BYTES_MAX)
    {
        let decision = decide(&bash(text), &all, &alice(&[]), &posture("on"), 0);
        into.push_str(&line(name, &decision));
    }
}

/// Rules of every scope and kind, and gates that the posture opens and closes.
fn grid_bundle() -> Bundle {
    let off = json!({"posture": "disk_encryption", "is": "off"});
    let mut whole = json!(bundle(Vec::new()));
    whole["rules"] = json!([
        {"id": "all", "effect": "deny", "pattern": "Bash(kubectl *)", "scope": {"global": true}},
        {"id": "team", "effect": "allow", "pattern": "Bash(kubectl *)", "scope": {"team": "infra"}},
        {"id": "team-ask", "effect": "ask", "pattern": "Bash(kubectl get *)", "scope": {"team": "web"}},
        {"id": "role", "effect": "ask", "pattern": "Bash(git push *)", "scope": {"role": "developer"}},
        {"id": "person", "effect": "allow", "pattern": "Bash(git push *)", "scope": {"person": "p_alice"},
         "expires_ms": 1_000},
        {"id": "posture", "effect": "deny", "pattern": "Bash(git push *)", "scope": {"global": true},
         "when": off},
        {"id": "when", "effect": "allow", "pattern": "Bash(deploy *)", "scope": {"global": true},
         "when": {"not": off}},
        {"id": "must", "effect": "deny", "pattern": "Bash(curl * | wget *)", "scope": {"global": true},
         "mandatory": true},
        {"id": "narrow", "effect": "allow", "pattern": "Bash(curl *)", "scope": {"person": "p_alice"}},
        {"id": "soon", "effect": "deny", "pattern": "Bash(make *)", "scope": {"global": true},
         "mode": "monitor"},
        {"id": "files", "effect": "deny", "pattern": "Read(//**/.env)", "scope": {"global": true}},
        {"id": "read", "effect": "allow", "pattern": "Read", "scope": {"team": "infra"}},
        {"id": "web", "effect": "allow", "pattern": "WebFetch(domain:*.example.com)",
         "scope": {"global": true}},
        {"id": "tools", "effect": "ask", "pattern": "mcp__github__*", "scope": {"global": true}},
    ]);
    for rule in whole["rules"].as_array_mut().unwrap() {
        rule["dialect"] = json!("cairn");
    }
    whole["mcp"] = json!({"default": "block", "allow": [{"name": "github"}]});
    serde_json::from_value(whole).unwrap()
}

fn calls() -> Vec<(String, Request)> {
    let commands = [
        "kubectl get pods",
        "kubectl get pods && rm -r build",
        "git push origin",
        "deploy now",
        "curl https://example.com",
        "echo $(curl x) > out",
        "make all",
        "$X",
        "unterminated \"",
        "",
    ];
    let tools = [
        ("Read", json!({"file_path": "/w/proj/.env"})),
        ("Read", json!({"file_path": "/w/proj/a.rs"})),
        ("Write", json!({"file_path": "/w/proj/a.rs"})),
        ("WebFetch", json!({"url": "https://docs.example.com/x"})),
        ("mcp__github__get_issue", json!({})),
        ("Task", json!({"subagent_type": "Explore"})),
    ];
    let commands = commands.map(|command| (command.to_owned(), bash(command)));
    let tools = tools.map(|(tool, input)| {
        let mut scenario = Scenario::of_command("");
        (scenario.command, scenario.tool) = (None, Some(tool.to_owned()));
        let name = format!("{tool} {input}");
        scenario.input = Some(input);
        (name, scenario.request().unwrap())
    });
    commands.into_iter().chain(tools).collect()
}

fn grid(into: &mut String) {
    let gates = [
        ("no gate", json!([])),
        (
            "gate",
            json!([{"id": "gate", "when": {"posture": "disk_encryption", "is": "off"},
            "message": "m"}]),
        ),
        (
            "restricts",
            json!([{"id": "gate", "when": {"posture": "disk_encryption", "is": "off"},
            "message": "m", "running": "restrict"}]),
        ),
    ];
    for (gate, gates) in gates {
        for default in [Effect::NoOpinion, Effect::Deny, Effect::Allow] {
            let mut bundle = grid_bundle();
            bundle.gates = serde_json::from_value(gates.clone()).unwrap();
            bundle.default = default;
            let bundle = compiled(&bundle);
            for (name, mut request) in calls() {
                for (teams, disk, now_ms, interactive) in [
                    (&[][..], "on", 0, true),
                    (&["infra"], "on", 0, true),
                    (&["infra", "web"], "off", 0, true),
                    (&["web"], "unknown", 0, false),
                    (&[], "on", 2_000, false),
                ] {
                    request.interactive = interactive;
                    let subject: Subject = alice(teams);
                    let decision = decide(&request, &bundle, &subject, &posture(disk), now_ms);
                    let of = format!("{gate} {default:?} {name} {teams:?} {disk} {now_ms}");
                    into.push_str(&line(&of, &decision));
                }
            }
        }
    }
}

#[test]
fn no_verdict_changes_without_a_new_number() {
    let mut verdicts = String::new();
    rule_cases(&mut verdicts);
    ways_round(&mut verdicts);
    expensive(&mut verdicts);
    grid(&mut verdicts);
    assert!(
        verdicts.lines().count() > 3_000,
        "{}",
        verdicts.lines().count()
    );
    let digest = Sha256::of(verdicts.as_bytes()).to_string();
    let (newest, pinned) = PINNED.last().unwrap();
    assert!(PINNED.is_sorted_by(|one, next| one.0 < next.0));
    assert_eq!(
        ENGINE_SEMANTICS, *newest,
        "`ENGINE_SEMANTICS` and the newest pinned version go together: add ({ENGINE_SEMANTICS}, \"{digest}\")"
    );
    assert_eq!(
        digest,
        *pinned,
        "a verdict changed: raise `ENGINE_SEMANTICS` above {ENGINE_SEMANTICS} and add ({}, \"{digest}\") to `PINNED`; \
         where only new rows were added and the old ones decide as before, replace the digest",
        ENGINE_SEMANTICS + 1
    );
}
