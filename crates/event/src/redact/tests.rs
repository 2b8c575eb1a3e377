//! The rules one by one; the corpus lies in `tests/redaction.rs`.

use super::*;
use serde_json::json;

fn redacted(command: &str) -> (String, Vec<String>) {
    let mut value = json!({ "command": command });
    let made = Redactor::new().unwrap().redact("request", &mut value);
    let text = value["command"].as_str().unwrap().to_owned();
    (text, made.into_iter().map(|one| one.rule).collect())
}

#[test]
fn secrets_with_a_shape_are_replaced() {
    for (command, rule, secret) in [
        (
            "aws configure set k AKIAABCDEFGHIJKLMNOP",
            "aws-access-key",
            "AKIAABCDEFGHIJKLMNOP",
        ),
        (
            "export T=ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "github-token",
            "ghp_0123",
        ),
        (
            "curl -H 'Authorization: Bearer abcdefgh12345678' x",
            "authorization",
            "abcdefgh1",
        ),
        (
            "git clone https://ann:hunter22@host/x",
            "url-password",
            "hunter22",
        ),
        ("PGPASSWORD=hunter22 psql", "named-secret", "hunter22"),
        ("mysql --password=hunter22", "named-secret", "hunter22"),
        (
            concat!("echo sk-", "ant-api03-abcdefghijklmnop"),
            "anthropic-key",
            "abcdefghijklmnop",
        ),
    ] {
        let (text, rules) = redacted(command);
        assert!(!text.contains(secret), "{text}");
        assert!(rules.iter().any(|one| one == rule), "{command}: {rules:?}");
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    for command in [
        "git status",
        "grep -r password src/",
        "echo $API_KEY",
        "export API_KEY=$OTHER",
        "sha256sum e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "https://example.com:8443/path",
    ] {
        assert_eq!(redacted(command), (command.to_owned(), vec![]));
    }
}

#[test]
fn member_names_count_as_context() {
    let mut value = json!({ "env": { "API_KEY": "zzzzzzzzzz" }, "list": ["AKIAABCDEFGHIJKLMNOP"] });
    let made = Redactor::new().unwrap().redact("definition", &mut value);
    assert_eq!(value["env"]["API_KEY"], "[redacted:named-secret]");
    assert_eq!(made.len(), 2);
    assert_eq!(made[0].field, "definition/env/API_KEY");
    assert_eq!(made[1].field, "definition/list/0");
}

#[test]
fn redaction_is_idempotent() {
    let (once, _) = redacted("PGPASSWORD=hunter22 psql");
    assert_eq!(redacted(&once), (once.clone(), vec![]));
}
