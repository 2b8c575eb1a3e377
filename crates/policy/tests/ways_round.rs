//! Ways round a deny rule: each has a decided verdict, and an allow of everything does not help it.
//!
//! A row may be allowed only with the reason why nothing could be shown: a program of one's own that is
//! not looked into, or a name that is not the denied one.
//! Source: Claude Code findings 2.3 and 2.4; `testdata/ways_round.jsonl`.

#![allow(clippy::unwrap_used, reason = "a malformed row must stop the test")]

mod fixtures;

use cairn_event::Effect;
use fixtures::{alice, bundle, rule, verdict};
use serde_json::Value;

#[test]
fn every_way_round_has_its_decided_verdict() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/ways_round.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let mut failures = Vec::new();
    let (mut stopped, mut explained) = (0, 0);
    for row in text.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let (deny, line) = (row["deny"].as_str().unwrap(), row["line"].as_str().unwrap());
        let both = bundle(vec![
            rule("everything", Effect::Allow, "Bash"),
            rule("denied", Effect::Deny, deny),
        ]);
        let found = verdict(&both, &alice(&[]), line);
        let decided: Option<Effect> = serde_json::from_value(row["verdict"].clone()).ok();
        if decided != Some(found) {
            failures.push(format!("{found:?} {row}"));
        }
        match (found, row["why"].as_str()) {
            (Effect::Deny | Effect::Ask, _) => stopped += 1,
            (_, Some(_)) => explained += 1,
            (_, None) => failures.push(format!("allowed without a reason: {row}")),
        }
    }
    assert!(
        failures.is_empty(),
        "{} rows:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(stopped >= 400 && explained <= 60, "{stopped} {explained}");
}

#[test]
fn ordinary_work_beside_a_deny_rule_is_not_asked_about() {
    let both = bundle(vec![
        rule("everything", Effect::Allow, "Bash"),
        rule("denied", Effect::Deny, "Bash(rm *)"),
    ]);
    for line in [
        "git status",
        "git commit -m 'a && b'",
        "git push -u origin main",
        "cargo test --workspace",
        "sed -n '1,20p' f",
        "sed -i 's/exec/e/g' f",
        "tar -czf a.tgz src",
        "tar xf a.tar -C d",
        "rsync -av a/ b/",
        "rsync -e 'ssh -p 22' a h:b",
        "sort -k2 f | uniq -c",
        "make -j4 all",
        "make CC=clang",
        "CC=gcc ./configure",
        "EDITOR=vim git commit",
        "PAGER=cat git log",
        "python3 -m pytest -q",
        "python3 -m venv v",
        "node server.js",
        "psql -c 'select 1'",
        "vim notes.txt",
        "less README.md",
        "cp a.txt b.txt",
        "ln -s a b",
        "mv src/a src/b",
        "export NODE_ENV=test",
        "BUILD=$(date) make",
        "crontab -l",
        "docker ps",
        "kubectl get pods",
        "find . -name '*.rs'",
        "git config user.name",
        "git log --format=%h",
        "curl https://x/y",
        "read -r line",
        "printf '%s' x",
        "test -f a[1]",
        "xargs -n1 echo",
        "go test ./...",
        "apt-get install -y jq",
        "cargo build --config net.offline=true",
        "aws s3 ls",
    ] {
        assert_eq!(verdict(&both, &alice(&[]), line), Effect::Allow, "{line}");
    }
}

#[test]
fn a_variable_whose_value_holds_is_read_as_its_value() {
    let both = bundle(vec![
        rule("everything", Effect::Allow, "Bash"),
        rule("denied", Effect::Deny, "Bash(cat *secret*)"),
    ]);
    for line in [
        "F=notes.txt; cat $F",
        "F=notes.txt\ncat $F",
        "cd src && F=notes.txt && cat $F",
        "set -euo pipefail; export F=notes.txt; cat \"$F\"",
        "readonly F=notes.txt; for i in 1 2; do cat $F; done",
        "F=notes.txt; if true; then cat $F | wc -l; fi",
    ] {
        assert_eq!(verdict(&both, &alice(&[]), line), Effect::Allow, "{line}");
    }
}
