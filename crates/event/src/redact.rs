//! Redaction: secrets in confidential members are replaced before anything is hashed.
//!
//! A closed, versioned rule set over the strings of a JSON value. What was replaced is counted in
//! the clear part of the entry, so that a reader sees that something was removed. In scope: tokens
//! with a recognisable shape, and values that follow a name which says that they are secret. Out of
//! scope: guessing by entropy.

mod rules;
#[cfg(test)]
mod tests;

use crate::vocabulary::Redaction;
use regex::{Captures, Regex};
use rules::{NAMED, RULES, is_reference};
use serde_json::Value;
use std::collections::BTreeMap;

/// Version of the rule set; recorded with the engine so that auditors know what was looked for.
pub const REDACTION_RULES: u32 = 2;

/// Most rounds over one text: what one rule leaves can be what an earlier one looks for, and then what
/// was redacted would not stay as it is. One more round is enough for every text known.
const ROUNDS_MAX: usize = 4;

/// How every replacement begins.
const REPLACED: &str = "[redacted:";

/// What a secret is replaced by, with the rule's name inside.
pub fn replacement(rule: &str) -> String {
    format!("{REPLACED}{rule}]")
}

/// Whether a text is one of our replacements and nothing else.
fn is_replacement(text: &str) -> bool {
    let inner = text.strip_prefix(REPLACED);
    let rule = inner.and_then(|rest| rest.strip_suffix(']'));
    rule.is_some_and(|rule| RULES.iter().any(|(name, _)| *name == rule))
}

/// The names of all rules, each once, as entries say them.
pub fn rule_names() -> Vec<&'static str> {
    let mut names: Vec<_> = RULES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The compiled rule set. Compile once; matching is linear in the text.
pub struct Redactor {
    rules: Vec<(&'static str, Regex)>,
}

impl Redactor {
    /// Compiles the rule set.
    ///
    /// Errors: a pattern that does not compile; covered by a test, so the caller treats it as fatal.
    pub fn new() -> Result<Self, regex::Error> {
        let compiled = RULES.iter().map(|(name, pattern)| {
            let pattern = pattern.replace(r"\b", r"(?-u:\b)");
            Ok((*name, Regex::new(&pattern)?))
        });
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
                // The whole value, whatever shapes are in it: a part that is left is a part of the secret.
                if member.is_some_and(|member| self.names_a_secret(member, text)) {
                    *counts.entry((pointer.to_owned(), NAMED)).or_default() += 1;
                    *text = replacement(NAMED);
                } else if let Some(redacted) = self.redact_text(pointer, text, counts) {
                    *text = redacted;
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
        if is_reference(text) || is_replacement(text) || text.chars().count() < 6 {
            return false;
        }
        // Only the name is judged here; what the text itself assigns is judged as any other text.
        let assignment = format!("{member}=xxxxxy");
        let named = self.rules.iter().find(|(name, _)| *name == NAMED);
        named.is_some_and(|(_, pattern)| pattern.is_match(&assignment))
    }

    fn redact_text(
        &self,
        pointer: &str,
        text: &str,
        counts: &mut BTreeMap<(String, &'static str), u64>,
    ) -> Option<String> {
        let mut current = None::<String>;
        for _ in 0..ROUNDS_MAX {
            let Some(next) = self.round(pointer, current.as_deref().unwrap_or(text), counts) else {
                break;
            };
            current = Some(next);
        }
        current
    }

    /// Every rule once; `None` where none replaces anything.
    fn round(
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
                let known = secret.as_str().starts_with(REPLACED);
                if known || secret.as_str().starts_with('$') {
                    return whole.to_owned();
                }
                if *name == NAMED && is_reference(secret.as_str()) {
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
