//! Policy documents: a bundle in YAML or JSON as people write it, with its tests beside it.
//!
//! Owns what may be left out and the short forms. What a bundle means is `cairn_policy`'s business.
//! Source: `docs/operating/policy.md`.

use super::super::admin::read;
use crate::clock::now_ms;
use anyhow::{Context as _, bail};
use cairn_event::json::to_canonical;
use cairn_policy::{Bundle, Scenario};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Origin of a bundle that was not applied yet; `apply` puts the log's there.
pub(super) const NO_ORIGIN: &str = "";

/// Origin under which a document is only looked at.
pub(super) const LOOKED_AT: &str = "log.invalid";

/// A bundle and the tests that lie beside it.
pub(in crate::cli) struct Document {
    pub(in crate::cli) bundle: Bundle,
    pub(in crate::cli) tests: Vec<Scenario>,
}

impl Document {
    /// Reads a document that is only looked at.
    pub(in crate::cli) fn open(path: &Path) -> anyhow::Result<Self> {
        Self::for_log(path, LOOKED_AT, 1)
    }

    /// Reads a document and fills in what may be left out.
    pub(super) fn for_log(path: &Path, origin: &str, version: u64) -> anyhow::Result<Self> {
        let Value::Object(mut members) = value(path)? else {
            bail!(
                "`{}` is not a mapping of a bundle's members",
                path.display()
            );
        };
        let tests = match members.remove("tests") {
            Some(tests) => serde_json::from_value(tests)
                .with_context(|| format!("`tests` of `{}`", path.display()))?,
            None => Vec::new(),
        };
        let empty = serde_json::to_value(Bundle::empty(origin, "your security team"))?;
        for (name, default) in empty.as_object().into_iter().flatten() {
            members
                .entry(name.clone())
                .or_insert_with(|| default.clone());
        }
        let filled = [
            ("version", json!(0), json!(version)),
            ("created_ms", json!(0), json!(now_ms())),
            ("origin", json!(NO_ORIGIN), json!(origin)),
        ];
        for (name, absent, present) in filled {
            if members.get(name) == Some(&absent) {
                members.insert(name.to_owned(), present);
            }
        }
        let rules = members.get_mut("rules").and_then(Value::as_array_mut);
        for (position, rule) in rules.into_iter().flatten().enumerate() {
            if let Some(rule) = rule.as_object_mut() {
                complete(rule, position)?;
            }
        }
        let bytes = to_canonical(&Value::Object(members));
        let bundle = Bundle::parse(&bytes).with_context(|| format!("`{}`", path.display()))?;
        Ok(Self { bundle, tests })
    }
}

/// Tests in a file of their own: a list, or a mapping with `tests`.
pub(super) fn tests(path: &Path) -> anyhow::Result<Vec<Scenario>> {
    let tests = match value(path)? {
        Value::Object(mut members) => members.remove("tests").unwrap_or(Value::Null),
        list => list,
    };
    serde_json::from_value(tests)
        .with_context(|| format!("`{}` is not a list of tests", path.display()))
}

fn value(path: &Path) -> anyhow::Result<Value> {
    let text = String::from_utf8(read(path)?)?;
    serde_saphyr::from_str(&text)
        .with_context(|| format!("`{}` is neither YAML nor JSON", path.display()))
}

/// A rule may leave out its id, its scope (everybody) and its dialect (Cairn's), and say `expires` with
/// a day or a moment in place of `expires_ms`.
fn complete(rule: &mut Map<String, Value>, position: usize) -> anyhow::Result<()> {
    rule.entry("id")
        .or_insert_with(|| json!(format!("rule-{}", position + 1)));
    rule.entry("scope")
        .or_insert_with(|| json!({ "global": true }));
    rule.entry("dialect").or_insert_with(|| json!("cairn"));
    if let Some(end) = rule.remove("expires") {
        let text = end
            .as_str()
            .context("`expires` is a day such as 2027-01-31, or a moment")?;
        if rule.contains_key("expires_ms") {
            bail!("a rule has either `expires` or `expires_ms`");
        }
        rule.insert("expires_ms".to_owned(), json!(end_of(text)?));
    }
    Ok(())
}

/// The end of a day in UTC, or a moment with its offset, in milliseconds since 1970.
fn end_of(text: &str) -> anyhow::Result<u64> {
    let moment = match text.parse::<jiff::civil::Date>() {
        Ok(day) if text.len() == "2027-01-31".len() => day
            .tomorrow()?
            .to_zoned(jiff::tz::TimeZone::UTC)?
            .timestamp(),
        _ => text
            .parse::<jiff::Timestamp>()
            .with_context(|| format!("`{text}` is neither a day nor a moment"))?,
    };
    u64::try_from(moment.as_millisecond()).with_context(|| format!("`{text}` is before 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> anyhow::Result<Document> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.yaml");
        std::fs::write(&path, text).unwrap();
        Document::open(&path)
    }

    #[test]
    fn what_may_be_left_out_is_filled_in() {
        let read = document(
            "default: ask\nrules:\n- {effect: deny, pattern: 'Bash(rm *)'}\n\
             - {id: x, effect: allow, pattern: 'Bash(kubectl *)', scope: {team: infra},\n   \
             expires: 2027-01-31, approver: ann@example.com}\n\
             tests:\n- {command: rm x, expect: deny, by: rule-1}\n",
        )
        .unwrap();
        assert_eq!((read.bundle.rules.len(), read.tests.len()), (2, 1));
        assert_eq!(read.bundle.rules[0].id, "rule-1");
        // 2027-02-01T00:00:00Z: the day itself still counts.
        assert_eq!(read.bundle.rules[1].expires_ms, Some(1_801_440_000_000));
        assert_eq!(end_of("2027-02-01T00:00:00Z").unwrap(), 1_801_440_000_000);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "- a list",
            "rules: [{effect: deny, patern: Bash}]",
            "rules: [{effect: deny, pattern: Bash, expires: soon}]",
            "rules: [{effect: deny, pattern: Bash, expires: 2027-01-31, expires_ms: 5}]",
            "tests: [{comand: rm x}]",
            "rulez: []",
        ] {
            assert!(document(text).is_err(), "{text}");
        }
    }
}
