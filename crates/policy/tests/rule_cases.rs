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

use cairn_event::{Effect, Posture};
use cairn_policy::{
    Bundle, Request, ResolvedPath, SettingsSource, Subject, compile, decide_as_claude,
    import_settings, paths_to_resolve,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The links of the directory the rows were observed in, as (path, target).
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
fn stricter() -> BTreeMap<usize, &'static str> {
    include_str!("../testdata/stricter.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (number, reason) = line.split_once(' ').expect("number and reason");
            (number.parse().unwrap(), reason.trim())
        })
        .collect()
}

fn source(row: &Value) -> SettingsSource {
    let cwd = row["cwd"].as_str().unwrap().to_owned();
    let home = row["home"].as_str().unwrap();
    match row["settings_source"].as_str().unwrap() {
        "flag-inline" => SettingsSource::FlagInline,
        "flag-file" => SettingsSource::FlagFile { dir: cwd },
        "user" => SettingsSource::User {
            config_dir: format!("{home}/.claude"),
        },
        "project" => SettingsSource::Project {
            root: cwd,
            trusted: false,
        },
        "local" => SettingsSource::Local { cwd },
        other => panic!("unknown source {other}"),
    }
}

fn resolve(path: &str) -> ResolvedPath {
    let target = LINKS.iter().find_map(|(link, target)| {
        let rest = path.strip_prefix(link)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{target}{rest}"))
    });
    ResolvedPath {
        given: path.to_owned(),
        lexical: path.to_owned(),
        target,
    }
}

fn decide_row(row: &Value) -> Effect {
    let settings = serde_json::json!({ "permissions": row["permissions"] });
    let imported = import_settings(settings.to_string().as_bytes(), &source(row)).unwrap();
    let mut bundle = Bundle::empty("test.example/log", "security@example.com");
    bundle.rules = imported.rules;
    bundle.mcp = imported.mcp;
    let compiled = compile(&bundle).unwrap();
    let (tool, cwd, home) = (
        row["tool"].as_str().unwrap(),
        row["cwd"].as_str().unwrap(),
        row["home"].as_str().unwrap(),
    );
    let resolved = paths_to_resolve(tool, &row["input"], cwd, home)
        .iter()
        .map(|path| resolve(path))
        .collect();
    let request = Request {
        tool: tool.to_owned(),
        input: row["input"].clone(),
        cwd: cwd.to_owned(),
        home: home.to_owned(),
        resolved,
        interactive: true,
        permission_mode: None,
        mcp: None,
    };
    decide_as_claude(
        &request,
        &compiled,
        &Subject::default(),
        &Posture::default(),
        0,
    )
    .effect
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
