//! Redaction: secrets in confidential members are replaced before anything is hashed.
//!
//! A closed, versioned rule set over the strings of a JSON value. What was replaced is counted in
//! the clear part of the entry, so that a reader sees that something was removed. In scope: tokens
//! with a recognisable shape, and values that follow a name which says that they are secret. Out of
//! scope: guessing by entropy.

use crate::vocabulary::Redaction;
use regex::{Captures, Regex};
use serde_json::Value;
use std::collections::BTreeMap;

/// Version of the rule set; recorded with the engine so that auditors know what was looked for.
pub const REDACTION_RULES: u32 = 1;

/// What a secret is replaced by, with the rule's name inside.
pub fn replacement(rule: &str) -> String {
    format!("[redacted:{rule}]")
}

/// Rule name and pattern. The group `s`, where there is one, is the secret; else the whole match.
const RULES: &[(&str, &str)] = &[
    (
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)",
    ),
    ("aws-access-key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    (
        "github-token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b",
    ),
    ("gitlab-token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    ("openai-key", r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}"),
    ("slack-token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("npm-token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    (
        "jwt",
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    (
        "authorization",
        r"(?i)\bauthorization\s*[:=]\s*['\x22]?(?:bearer|basic|token)\s+(?P<s>[A-Za-z0-9._~+/=-]{8,})",
    ),
    (
        "url-password",
        r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@'\x22]+:(?P<s>[^\s/@'\x22]+)@",
    ),
    (
        "named-secret",
        r"(?i)\b[A-Za-z0-9_-]*(?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token|private[_-]?token)[A-Za-z0-9_-]*['\x22]?\s*[:=]\s*['\x22]?(?P<s>[^\s'\x22,;&|)}\]]{6,})",
    ),
];

/// The compiled rule set. Compile once; matching is linear in the text.
pub struct Redactor {
    rules: Vec<(&'static str, Regex)>,
}

impl Redactor {
    /// Compiles the rule set.
    ///
    /// Errors: a pattern that does not compile; covered by a test, so the caller treats it as fatal.
    pub fn new() -> Result<Self, regex::Error> {
        let compiled = RULES
            .iter()
            .map(|(name, pattern)| Ok((*name, Regex::new(pattern)?)));
        Ok(Self {
            rules: compiled.collect::<Result<_, regex::Error>>()?,
        })
    }

    /// Replaces secrets in every string of `value`, member names included only as context.
    ///
    /// Returns what was replaced, sorted; `field` is `name` and a JSON Pointer below it.
    pub fn redact(&self, name: &str, value: &mut Value) -> Vec<Redaction> {
        let mut counts = BTreeMap::new();
        self.walk(name, None, value, &mut counts);
        let made = counts.into_iter().map(|((field, rule), count)| Redaction {
            count,
            field,
            rule: String::from(rule),
        });
        let mut made: Vec<Redaction> = made.collect();
        made.sort();
        made
    }

    fn walk(
        &self,
        pointer: &str,
        member: Option<&str>,
        value: &mut Value,
        counts: &mut BTreeMap<(String, &'static str), u64>,
    ) {
        match value {
            Value::String(text) => {
                if let Some(redacted) = self.redact_text(pointer, text, counts) {
                    *text = redacted;
                } else if member.is_some_and(|member| self.names_a_secret(member, text)) {
                    *counts
                        .entry((pointer.to_owned(), "named-secret"))
                        .or_default() += 1;
                    *text = replacement("named-secret");
                }
            }
            Value::Array(items) => {
                for (position, item) in items.iter_mut().enumerate() {
                    self.walk(&format!("{pointer}/{position}"), None, item, counts);
                }
            }
            Value::Object(members) => {
                for (member, inner) in members.iter_mut() {
                    let step = member.replace('~', "~0").replace('/', "~1");
                    self.walk(&format!("{pointer}/{step}"), Some(member), inner, counts);
                }
            }
            _ => {}
        }
    }

    fn names_a_secret(&self, member: &str, text: &str) -> bool {
        if text.starts_with('$') || text.contains("[redacted:") {
            return false;
        }
        if text.chars().count() < 6 {
            return false;
        }
        // Only the name is judged here; what the text itself assigns was judged before.
        let assignment = format!("{member}=xxxxxx");
        let named = self.rules.iter().find(|(name, _)| *name == "named-secret");
        named.is_some_and(|(_, pattern)| pattern.is_match(&assignment))
    }

    fn redact_text(
        &self,
        pointer: &str,
        text: &str,
        counts: &mut BTreeMap<(String, &'static str), u64>,
    ) -> Option<String> {
        let mut current = None::<String>;
        for (name, pattern) in &self.rules {
            let subject = current.as_deref().unwrap_or(text);
            let mut replaced = 0u64;
            let next = pattern.replace_all(subject, |found: &Captures<'_>| {
                let whole = found.get(0).map(|whole| (whole.start(), whole.as_str()));
                let (start, whole) = whole.unwrap_or_default();
                let Some(secret) = found.name("s") else {
                    replaced += 1;
                    return replacement(name);
                };
                if secret.as_str().starts_with("[redacted:") || secret.as_str().starts_with('$') {
                    return whole.to_owned();
                }
                replaced += 1;
                let head = whole.get(..secret.start() - start).unwrap_or_default();
                let tail = whole.get(secret.end() - start..).unwrap_or_default();
                format!("{head}{}{tail}", replacement(name))
            });
            if replaced > 0 {
                *counts.entry((pointer.to_owned(), name)).or_default() += replaced;
                current = Some(next.into_owned());
            }
        }
        current
    }
}

#[cfg(test)]
mod tests {
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
        let mut value =
            json!({ "env": { "API_KEY": "zzzzzzzzzz" }, "list": ["AKIAABCDEFGHIJKLMNOP"] });
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
}
