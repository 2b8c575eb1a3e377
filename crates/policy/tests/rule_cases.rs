//! Every verdict observed from Claude Code 2.1.330, compared with this engine.
//!
//! A row may be decided alike, or more strictly where `testdata/stricter.txt` says why. A row that is
//! wider than observed is a failure, and so is a listed row that no longer differs.
//! Source: `testdata/rule_cases.jsonl`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a malformed row must stop the test where it is read"
)]

use cairn_event::Effect;
use cairn_policy::Case;
use serde_json::Value;
use std::collections::BTreeMap;

/// The links of the directory that most rows were observed in, as (path, target); the others have theirs.
///
/// The program's home was `/w/home` and was written down as `/home/u` afterwards.
const LINKS: &[(&str, &str)] = &[
    ("/w/proj/link.ts", "/w/proj/src/app.ts"),
    ("/w/proj/key", "/home/u/.ssh/id_rsa"),
    ("/w/proj/sshdir", "/home/u/.ssh"),
    ("/w/proj/outlink", "/w/outside.txt"),
    ("/w/home", "/home/u"),
];

fn rows() -> Vec<Value> {
    include_str!("../testdata/rule_cases.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Row number -> why this engine is stricter there.
fn stricter() -> BTreeMap<usize, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/stricter.txt");
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (number, reason) = line.split_once(' ').expect("number and reason");
            (number.parse().unwrap(), reason.trim().to_owned())
        })
        .collect()
}

fn decide_row(row: &Value) -> Effect {
    let mut row = row.clone();
    if row.get("links").is_none() {
        row["links"] = LINKS.iter().copied().collect();
    }
    let case = Case::parse(row.to_string().as_bytes()).unwrap();
    case.verdict().unwrap().effective
}

fn strictness(effect: Effect) -> u8 {
    match effect {
        Effect::Allow => 0,
        Effect::Ask | Effect::NoOpinion => 1,
        Effect::Deny => 2,
    }
}

fn observed(row: &Value) -> Effect {
    match row["effective"].as_str().unwrap() {
        "allow" => Effect::Allow,
        "ask" => Effect::Ask,
        // A removed tool is a denied one that the model is not even shown.
        "deny" | "removed" => Effect::Deny,
        other => panic!("unknown effect {other}"),
    }
}

#[test]
fn observed_verdicts_hold_or_are_listed_as_stricter() {
    let listed = stricter();
    let mut failures = Vec::new();
    let rows = rows();
    for (number, row) in rows.iter().enumerate() {
        let (ours, theirs) = (decide_row(row), observed(row));
        let about = format!(
            "{number} {} | {} {} => {theirs:?}, here {ours:?}",
            row["permissions"], row["tool"], row["input"]
        );
        match (
            strictness(ours).cmp(&strictness(theirs)),
            listed.get(&number),
        ) {
            (std::cmp::Ordering::Less, _) => failures.push(format!("WIDER {about}")),
            (std::cmp::Ordering::Greater, None) => failures.push(format!("STRICTER {about}")),
            (std::cmp::Ordering::Equal, Some(reason)) => {
                failures.push(format!("LISTED BUT EQUAL {about} ({reason})"));
            }
            _ => {}
        }
    }
    assert!(
        failures.is_empty(),
        "{} rows:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(rows.len() > 700, "the observed rows are all there");
    assert!(
        listed.len() * 6 < rows.len(),
        "most rows are decided exactly as observed"
    );
}
