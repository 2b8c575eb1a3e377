//! Builders for requests, subjects and bundles that several tests share.

#![allow(clippy::unwrap_used, reason = "a bundle of a test must compile")]
#![allow(dead_code, reason = "every test file uses only some of the builders")]

use cairn_event::{Effect, Posture, PostureValue};
use cairn_policy::{
    Bundle, CompiledBundle, Dialect, Request, Rule, Scope, Subject, compile, decide,
};
use std::collections::BTreeMap;

pub fn bash(command: &str) -> Request {
    Request {
        tool: "Bash".into(),
        input: serde_json::json!({ "command": command }),
        cwd: "/w/proj".into(),
        home: "/home/u".into(),
        resolved: Vec::new(),
        interactive: true,
        permission_mode: None,
        mcp: None,
    }
}

pub fn rule(id: &str, effect: Effect, pattern: &str) -> Rule {
    Rule {
        id: id.into(),
        effect,
        pattern: pattern.into(),
        scope: Scope::Global,
        when: None,
        mandatory: false,
        dialect: Dialect::Cairn,
        mode: None,
        expires_ms: None,
        anchor: None,
        note: None,
    }
}

pub fn bundle(rules: Vec<Rule>) -> Bundle {
    let mut bundle = Bundle::empty("test.example/log", "security@example.com");
    bundle.version = 1;
    bundle.rules = rules;
    bundle
}

pub fn compiled(bundle: &Bundle) -> CompiledBundle {
    compile(bundle).unwrap()
}

pub fn alice(teams: &[&str]) -> Subject {
    Subject {
        person: "p_alice".into(),
        teams: teams.iter().map(|team| (*team).to_owned()).collect(),
        roles: vec!["developer".into()],
    }
}

pub fn posture(disk: &str) -> Posture {
    let value = PostureValue {
        value: disk.into(),
        evidence: 3,
        age_ms: 0,
        source: "test".into(),
    };
    Posture(BTreeMap::from([("disk_encryption".to_owned(), value)]))
}

pub fn verdict(bundle: &Bundle, subject: &Subject, command: &str) -> Effect {
    decide(
        &bash(command),
        &compiled(bundle),
        subject,
        &posture("on"),
        0,
    )
    .effect
}
