//! The index against every rule and every call that is kept as test data, and some more of each.

use super::*;
use crate::bundle::{Bundle, Dialect, Rule};
use crate::compile::{CompiledBundle, compile};
use crate::glob::Match;
use crate::matching;
use crate::parts;
use crate::request::{ResolvedPath, RuleLink, paths_to_resolve};
use std::collections::BTreeSet;

fn all(mut slates: Slates<'_>) -> Vec<Slate> {
    let last = (0..)
        .take_while(|position| slates.of(*position).is_some())
        .count();
    slates.made().iter().take(last).cloned().collect()
}

const CASES: &str = include_str!("../../testdata/rule_cases.jsonl");
const WAYS_ROUND: &str = include_str!("../../testdata/ways_round.jsonl");

/// Patterns and calls of kinds that the data has few of.
const PATTERNS: &[&str] = &[
    "*",
    "m*",
    "mcp__git__*",
    "mcp__git",
    "mcp__*",
    "mcp__git__get",
    "WebFetch(domain:*.example.com)",
    "WebFetch(domain:example.com)",
    "WebFetch(domain:a.*.com)",
    "WebFetch(domain:*)",
    "WebSearch",
    "Agent(Explore)",
    "Task(Explore)",
    "Agent(model:opus)",
    "Skill(deploy)",
    "Skill(deploy *)",
    "Skill(dep)",
    "Bash(run_in_background:true)",
    "Bash(ls | rm *)",
    "Bash(a  b)",
    "Bash(*)",
    "Read(**)",
    "Edit(//**)",
    "Read(~)",
    "Edit([sd]*/**)",
    "Read(\\*.env)",
    "Edit(SRC/**)",
    "Monitor",
];
const CALLS: &[(&str, &str)] = &[
    ("WebFetch", r#"{"url":"https://www.example.com/x"}"#),
    ("WebFetch", r#"{"url":"https://EXAMPLE.com./x"}"#),
    ("WebFetch", r#"{"url":"https://a.b.com/x"}"#),
    ("WebFetch", r#"{"url":"not an address"}"#),
    ("Agent", r#"{"subagent_type":"Explore","model":"opus"}"#),
    ("Task", r#"{"subagent_type":"Explore"}"#),
    ("Skill", r#"{"skill":"/deploy now"}"#),
    ("mcp__git__get", "{}"),
    ("Monitor", r#"{"command":"rm x"}"#),
    ("Monitor", "{}"),
    ("Bash", r#"{"command":"a  b"}"#),
    ("Bash", r#"{"command":"eval \"$X\""}"#),
    ("Bash", r#"{"command":"echo 'open"}"#),
    ("Bash", r#"{"command":"cat $X > Src/a"}"#),
    ("Write", r#"{"file_path":"/w/proj/SRC/a"}"#),
    ("Grep", "{}"),
];

fn rule(id: String, effect: Effect, pattern: &str) -> Rule {
    Rule {
        id,
        effect,
        pattern: pattern.to_owned(),
        scope: Scope::Global,
        when: None,
        mandatory: false,
        dialect: Dialect::Cairn,
        mode: None,
        expires_ms: None,
        anchor: Some("/w/proj".to_owned()),
        approver: None,
        note: None,
    }
}

fn bundle(rules: Vec<Rule>) -> CompiledBundle {
    let mut bundle = Bundle::empty("test.example/log", "security@example.com");
    bundle.rules = rules;
    compile(&bundle).unwrap()
}

/// Every pattern as a deny and as an allow, where it can be one.
fn every_rule() -> CompiledBundle {
    let mut patterns: BTreeSet<String> = PATTERNS.iter().map(|one| (*one).to_owned()).collect();
    for row in CASES.lines().chain(WAYS_ROUND.lines()) {
        let row: Value = serde_json::from_str(row).unwrap();
        for list in ["allow", "ask", "deny"] {
            let of_list = row["permissions"][list].as_array();
            let words = of_list.into_iter().flatten().filter_map(Value::as_str);
            patterns.extend(words.chain(row[list].as_str()).map(str::to_owned));
        }
    }
    let rules = patterns.iter().enumerate().flat_map(|(number, pattern)| {
        [Effect::Deny, Effect::Allow]
            .map(|effect| rule(format!("{number}-{effect:?}"), effect, pattern))
    });
    bundle(rules.filter(compile_alone).collect())
}

fn compile_alone(rule: &Rule) -> bool {
    let mut alone = Bundle::empty("test.example/log", "security@example.com");
    alone.rules = vec![rule.clone()];
    compile(&alone).is_ok()
}

fn every_call() -> Vec<Request> {
    let mut calls = BTreeSet::new();
    for row in CASES.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        calls.insert((
            row["tool"].as_str().unwrap().to_owned(),
            row["input"].to_string(),
        ));
    }
    for row in WAYS_ROUND.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let input = serde_json::json!({ "command": row["line"] });
        calls.insert(("Bash".to_owned(), input.to_string()));
    }
    calls.extend(
        CALLS
            .iter()
            .map(|(tool, input)| ((*tool).to_owned(), (*input).to_owned())),
    );
    calls
        .into_iter()
        .map(|(tool, input)| request(&tool, &input))
        .collect()
}

/// Every second path is a link to a file that some rule of the data is about.
fn request(tool: &str, input: &str) -> Request {
    let input: Value = serde_json::from_str(input).unwrap();
    let paths = paths_to_resolve(tool, &input, "/w/proj", "/home/u");
    let resolved = paths
        .into_iter()
        .enumerate()
        .map(|(number, path)| ResolvedPath {
            given: path.clone(),
            lexical: path,
            target: (number % 2 == 1).then(|| "/home/u/.ssh/id_rsa".to_owned()),
        });
    Request {
        tool: tool.to_owned(),
        resolved: resolved.collect(),
        rule_links: rule_links(),
        input,
        cwd: "/w/proj".to_owned(),
        home: "/home/u".to_owned(),
        interactive: true,
        permission_mode: None,
        mcp: None,
    }
}

/// Links that the paths of some rules of the data lead through.
fn rule_links() -> Vec<RuleLink> {
    let links = [("/w/proj/src", "/home/u/.ssh"), ("/etc", "/w/proj")];
    let link = |(path, target): (&str, &str)| RuleLink {
        path: path.to_owned(),
        target: target.to_owned(),
    };
    links.map(link).to_vec()
}

#[test]
fn no_rule_that_matches_is_left_out() {
    let bundle = every_rule();
    let (mut matched, mut looked_at, mut looked_past) = (0usize, 0usize, 0usize);
    let calls = every_call();
    for request in &calls {
        let parts = parts::of(request);
        let slates = all(bundle.index.slates(&Subject::default(), &parts, request));
        let mut again = bundle.index.slates(&Subject::default(), &parts, request);
        let mut members = |crowd| again.members(crowd);
        assert_eq!(slates.len(), parts.parts.len());
        let sizes = slates
            .iter()
            .map(|slate| slate.rules.len() + slate.crowds.len());
        looked_at += sizes.sum::<usize>();
        looked_past += slates.len() * bundle.rules.len();
        for (part, slate) in parts.parts.iter().zip(slates) {
            for (position, rule) in bundle.rules.iter().enumerate() {
                let (pattern, input) = (&rule.rule.pattern, &request.input);
                let expected = matching::matches(rule, part, &parts, request);
                let mut crowds = slate.crowds.iter();
                let is_in_a_crowd = crowds.any(|crowd| members(*crowd).contains(&position));
                assert!(
                    !is_in_a_crowd || expected >= Match::Possible,
                    "{pattern} {input}"
                );
                if expected == Match::No {
                    continue;
                }
                matched += 1;
                let found = slate.rules.contains(&position)
                    || (is_in_a_crowd && expected == Match::Possible);
                assert!(found, "{pattern} {} {input}", request.tool);
            }
        }
    }
    // It must find something, and leave most out: without either the index would be for nothing.
    assert!(
        matched > calls.len(),
        "{matched} matches of {} calls",
        calls.len()
    );
    assert!(looked_at * 4 < looked_past, "{looked_at} rules looked at");
}

#[test]
fn only_the_subjects_own_shelves_are_looked_at() {
    let scopes = [
        Scope::Global,
        Scope::Team("red".into()),
        Scope::Team("blue".into()),
        Scope::Role("developer".into()),
        Scope::Person("p_ann".into()),
        Scope::Person("p_ben".into()),
    ];
    let scoped = scopes.into_iter().enumerate().map(|(number, scope)| Rule {
        scope,
        ..rule(number.to_string(), Effect::Deny, "Bash(rm *)")
    });
    let bundle = bundle(scoped.collect());
    let request = request("Bash", r#"{"command":"rm x"}"#);
    let parts = parts::of(&request);
    let found = |person: &str, teams: &[&str], roles: &[&str]| {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let subject = Subject {
            person: person.to_owned(),
            teams: owned(teams),
            roles: owned(roles),
        };
        let slates = all(bundle.index.slates(&subject, &parts, &request));
        slates.into_iter().next().unwrap().rules
    };
    assert_eq!(found("p_ann", &["red"], &["developer"]), [0, 1, 3, 4]);
    assert_eq!(found("p_cid", &["red", "blue"], &[]), [0, 1, 2]);
    assert_eq!(found("p_ben", &["green"], &[]), [0, 5]);
}
