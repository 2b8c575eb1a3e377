//! Secrets in the MCP servers of a policy: a bundle is a blob of the log, which every device and every
//! auditor reads.
//!
//! Owns the refusal. What looks like a secret is the redactor's question, and here the name of
//! a variable or header is asked as well; a reference such as `${TOKEN}` is
//! none: the agent takes its value from the developer's own environment.

use anyhow::bail;
use cairn_event::redact::Redactor;
use cairn_policy::Bundle;
use serde_json::Value;

/// Words that a variable or a header of a credential has in its name, or that its name ends in.
const CREDENTIALS: [&str; 12] = [
    "apikey",
    "auth",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "key",
    "passwd",
    "password",
    "pat",
    "secret",
    "token",
];

/// What stands before a credential in a header.
const SCHEMES: [&str; 3] = ["Bearer ", "Basic ", "token "];

/// Where the definitions of managed servers hold secrets, each as a JSON Pointer below `mcp/servers`.
pub(super) fn found(bundle: &Bundle) -> anyhow::Result<Vec<String>> {
    let redactor = Redactor::new()?;
    let mut found = Vec::new();
    for (name, definition) in &bundle.mcp.servers {
        let mut definition = definition.clone();
        found.extend(credentials(name, &definition));
        let made = redactor.redact(name, &mut definition);
        found.extend(made.into_iter().map(|redaction| redaction.field));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Where variables and headers that are credentials by their name hold text of their own.
fn credentials(server: &str, definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for member in ["env", "headers"] {
        let values = definition.get(member).and_then(Value::as_object);
        let literal = values.into_iter().flatten().filter(|(name, value)| {
            let text = value.as_str().unwrap_or_default();
            is_credential(name) && !text.is_empty() && !is_reference(text)
        });
        found.extend(literal.map(|(name, _)| format!("{server}/{member}/{name}")));
    }
    found
}

/// Whether it is one variable of the developer's and at most the name of a scheme. A default, as in `${NAME:-text}`,
/// is text of its own.
fn is_reference(text: &str) -> bool {
    let rest = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme));
    let name = rest.unwrap_or(text).strip_prefix("${");
    let name = name.and_then(|name| name.strip_suffix('}'));
    name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

fn is_credential(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| {
        let longer = |known: &&str| known.len() > 4 && word.ends_with(*known);
        CREDENTIALS.contains(&word) || CREDENTIALS.iter().any(longer)
    })
}

/// Refuses a bundle with secrets in it, naming the places and never the values.
pub(super) fn refuse(bundle: &Bundle) -> anyhow::Result<()> {
    let found = found(bundle)?;
    if found.is_empty() {
        return Ok(());
    }
    bail!(
        "the policy is in the log for everybody to read, and holds secrets in `mcp.servers` at {}; \
         write `${{NAME}}` in their place, a variable of the developer's environment",
        found.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_found_where_they_stand_and_references_are_none() {
        let mut bundle = Bundle::empty("log.example", "security");
        bundle.mcp.servers = serde_json::from_value(json!({
            "plain": { "command": "tool", "args": ["--ro"], "env": { "LOG_LEVEL": "info", "KEYBOARD": "de" } },
            "reference": { "type": "http", "url": "https://mcp.example.com/",
                           "headers": { "Authorization": "Bearer ${TOKEN}" },
                           "env": { "API_KEY": "${KEY}" } },
            "header": { "type": "http", "url": "https://mcp.example.com/",
                        "headers": { "Authorization": "opaque" } },
            "variable": { "command": "tool", "env": { "WIKI_TOKEN": "0f5c9a7b31d24e68", "authToken": "1" } },
            "default": { "command": "tool", "env": { "API_KEY": "${API_KEY:-hunter2}" } },
            "argument": { "command": "tool", "args": ["--password=0f5c9a7b31d24e68"] },
        }))
        .unwrap();
        let places = [
            "argument/args/0",
            "default/env/API_KEY",
            "header/headers/Authorization",
            "variable/env/WIKI_TOKEN",
            "variable/env/authToken",
        ];
        assert_eq!(found(&bundle).unwrap(), places);
        let said = refuse(&bundle).unwrap_err().to_string();
        assert!(
            said.contains(places[3]) && !said.contains("0f5c9a7b"),
            "{said}"
        );
        for name in ["argument", "default", "header", "variable"] {
            bundle.mcp.servers.remove(name);
        }
        assert!(refuse(&bundle).is_ok());
    }
}
