//! Policy as people keep it: YAML with its tests beside it, imported, checked, exported and asked about by the
//! program itself.

use super::device::Device;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Output;

const POLICY: &str = r#"
contact: security@example.com
rules:
- {id: kubectl, effect: deny, pattern: 'Bash(kubectl *)'}
- {id: kubectl-infra, effect: allow, pattern: 'Bash(kubectl *)', scope: {team: infrastructure}}
- {id: never, effect: ask, pattern: 'Bash(kubectl get *)'}
- {id: incident, effect: allow, pattern: 'Bash(kubectl *)', scope: {person: p_1}, expires: 2027-01-31, approver: ann}
tests:
- {name: nobody, command: kubectl get pods, expect: deny, by: kubectl}
- {name: infrastructure, command: kubectl get pods, teams: [infrastructure], expect: allow}
- {name: by then it has ended, command: kubectl x, person: p_1, at_ms: 1801440000000, expect: deny}
"#;

/// A folder with files, and the program run in it.
struct Desk(Device);

impl Desk {
    fn new() -> Self {
        let empty = super::device::bundle(json!({}));
        Self(Device::new(&empty))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, words: &[&str]) -> Output {
        let program = env!("CARGO_BIN_EXE_cairn").as_ref();
        let mut command = self.0.command(program);
        let output = command.arg("policy").args(words).current_dir(&self.0.dir);
        output.output().unwrap()
    }

    /// What it prints, with whether it succeeded.
    fn said(&self, words: &[&str]) -> (bool, String) {
        let output = self.run(words);
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"))
    }
}

#[test]
fn a_yaml_policy_is_tested_by_the_tests_in_it() {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    let (good, said) = desk.said(&["test", "policy.yaml"]);
    assert!(good && said.contains("3 passed, 0 failed"), "{said}");
    desk.write(
        "policy.yaml",
        &POLICY.replace("{team: infrastructure}}\n", "{team: web}}\n"),
    );
    let (good, said) = desk.said(&["test", "policy.yaml"]);
    assert!(!good && said.contains("FAILED infrastructure"), "{said}");
    assert!(said.contains("2 passed, 1 failed"), "{said}");
}

#[test]
fn lint_names_what_never_decides_and_refuses_what_does_not_compile_or_is_secret() {
    let desk = Desk::new();
    desk.write("policy.yaml", POLICY);
    let (good, said) = desk.said(&["lint", "policy.yaml"]);
    assert!(good && said.contains("rule `never`"), "{said}");
    assert!(said.contains("rule `kubectl` covers every call"), "{said}");
    desk.write("policy.yaml", &POLICY.replace(" expires: 2027-01-31,", ""));
    let (good, said) = desk.said(&["lint", "policy.yaml"]);
    assert!(
        !good && said.contains("an approved exception needs an end"),
        "{said}"
    );
    let server = "mcp: {default: block, servers: {db: {command: db, env: {DB_TOKEN: abc}}}}\n";
    desk.write("policy.yaml", &format!("{POLICY}{server}"));
    let (good, said) = desk.said(&["lint", "policy.yaml"]);
    assert!(
        !good && said.contains("db/env/DB_TOKEN") && !said.contains("abc"),
        "{said}"
    );
    let reference = server.replace("abc", "'${DB_TOKEN}'");
    desk.write("policy.yaml", &format!("{POLICY}{reference}"));
    assert!(desk.said(&["lint", "policy.yaml"]).0);
}

#[test]
fn settings_of_several_places_become_one_bundle_and_settings_again() {
    let desk = Desk::new();
    desk.write(
        "home/.claude/settings.json",
        r#"{"permissions": {"allow": ["Bash(npm *)"], "deny": ["bash(rm *)"]}}"#,
    );
    desk.write(
        "app/.claude/settings.json",
        r#"{"permissions": {"deny": ["Bash(npm publish *)", "Read(/secrets/**)"]}}"#,
    );
    desk.write(
        "managed.json",
        r#"{"allowedMcpServers": [{"serverCommand": ["good"]}], "permissions": {"ask": ["Bash(git push *)"]}}"#,
    );
    let files = [
        "home/.claude/settings.json",
        "app/.claude/settings.json",
        "managed.json",
    ];
    let (_, said) = desk.said(&[&["import"][..], &files].concat());
    assert!(
        said.contains("bash(rm *)") && said.contains("never matches"),
        "{said}"
    );
    let bundle = desk.json(&[&["import"][..], &files].concat());
    assert_eq!(
        bundle["mcp"]["default"], "block",
        "what one file blocks is blocked"
    );
    let rules = bundle["rules"].as_array().unwrap();
    let secrets = rules
        .iter()
        .find(|rule| rule["pattern"] == "Read(/secrets/**)");
    let app = desk.0.dir.join("app");
    assert_eq!(secrets.unwrap()["anchor"], app.to_str().unwrap());
    desk.write("bundle.json", &bundle.to_string());
    let settings = desk.json(&["export", "bundle.json"]);
    assert_eq!(settings["permissions"]["allow"], json!(["Bash(npm *)"]));
    assert_eq!(settings["permissions"]["ask"], json!(["Bash(git push *)"]));
    assert_eq!(
        settings["allowedMcpServers"],
        json!([{ "serverCommand": ["good"] }])
    );
    let (good, said) = desk.said(&["diff", "bundle.json", "bundle.json"]);
    assert!(good && !said.contains("->"), "{said}");
}

#[test]
fn rows_of_anybody_are_answered_a_line_each() {
    let desk = Desk::new();
    let rows = [
        json!({"permissions": {"allow": ["Bash"], "deny": ["Bash(rm *)"]}, "tool": "Bash",
               "input": {"command": "rm x"}}),
        json!({"permissions": {"allow": ["Bash(npm *)"]}, "tool": "Bash", "input": {"command": "npm x"}}),
        json!({"permissions": {}, "tool": "Bash", "input": {"command": "npm x"}}),
    ];
    let text: Vec<String> = rows.iter().map(Value::to_string).collect();
    desk.write("rows.jsonl", &format!("{}\n", text.join("\n")));
    let output = desk.run(&["verdict", "--cases", "rows.jsonl"]);
    assert!(output.status.success());
    let expected = [
        r#"{"effective":"deny","rule":"Bash(rm *)"}"#,
        r#"{"effective":"allow","rule":"Bash(npm *)"}"#,
        r#"{"effective":"ask","rule":null}"#,
    ];
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    desk.write("rows.jsonl", &format!("{}\nno row\n", text[0]));
    let output = desk.run(&["verdict", "--cases", "rows.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.lines().nth(1).unwrap().contains("line 2"), "{said}");
}
