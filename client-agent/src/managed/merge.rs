//! Managed settings of others, and how Claude Code puts several files together.
//!
//! Owns reading them and the merging rule: files in the order of their names, scalars of the last one,
//! lists united, objects merged. The policy helper's answer replaces every file, so what others manage
//! must be in it; and a later file may say otherwise than ours, which must show.
//!
//! Source: Claude Code findings 1.5 and 1.6.

use super::place::{AGENT, Place, SETTINGS};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Largest settings file; the agent's schema fits many times.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Members that must not be in a helper's answer, or that lead to it.
const NOT_REPEATED: [&str; 1] = ["policyHelper"];

/// Every managed settings file at `place`, in the order in which they count.
pub(super) fn files(place: &Place) -> Vec<PathBuf> {
    let folder = place.inside(AGENT);
    let mut files = vec![folder.join("managed-settings.json")];
    let listing = std::fs::read_dir(folder.join("managed-settings.d"));
    let mut added: Vec<PathBuf> = listing
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    added.sort();
    files.extend(added);
    files.retain(|path| path.is_file());
    files
}

/// All of them together, with `own` where Cairn's file is.
pub(super) fn merged(place: &Place, own: &Value) -> Value {
    let ours = place.inside(SETTINGS);
    let mut all = Value::Object(Map::new());
    let mut seen = false;
    for file in files(place) {
        if file == ours {
            seen = true;
            merge(&mut all, own.clone());
        } else if let Some(value) = read(&file) {
            merge(&mut all, value);
        }
    }
    if !seen {
        merge(&mut all, own.clone());
    }
    all
}

/// The same for a helper's answer.
pub(super) fn answer(place: &Place, own: &Value) -> Value {
    let mut all = merged(place, own);
    if let Some(members) = all.as_object_mut() {
        members.retain(|name, _| !NOT_REPEATED.contains(&name.as_str()));
    }
    all
}

/// The variables that managed settings of others set: nobody but root says what they are.
pub(super) fn variables_of_others(place: &Place) -> BTreeSet<String> {
    let ours = place.inside(SETTINGS);
    let mut names = BTreeSet::new();
    for file in files(place).into_iter().filter(|file| *file != ours) {
        let settings = read(&file);
        let variables = settings.as_ref().and_then(|settings| settings.get("env"));
        let variables = variables.and_then(Value::as_object).into_iter().flatten();
        names.extend(variables.map(|(name, _)| name.clone()));
    }
    names
}

/// A file that is not JSON says nothing, to the agent as well.
fn read(file: &std::path::Path) -> Option<Value> {
    let bytes = cairn_durable::read_limited(file, FILE_BYTES_MAX).ok()?;
    let value: Value = serde_json::from_slice(&bytes).ok()?;
    value.is_object().then_some(value)
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => {
                        into.insert(name, value);
                    }
                }
            }
        }
        (Value::Array(into), Value::Array(from)) => {
            for value in from {
                if !into.contains(&value) {
                    into.push(value);
                }
            }
        }
        (into, from) => *into = from,
    }
}

/// Paths of members of `ours` that `all` does not have, or has otherwise.
pub(super) fn missing(ours: &Value, all: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(ours, all, "", &mut found);
    found
}

fn compare(ours: &Value, all: &Value, path: &str, found: &mut Vec<String>) {
    match (ours, all) {
        (Value::Object(ours), Value::Object(all)) => {
            for (name, value) in ours {
                let path = format!("{path}/{name}");
                compare(value, all.get(name).unwrap_or(&Value::Null), &path, found);
            }
        }
        (Value::Array(ours), Value::Array(all)) if ours.iter().all(|one| all.contains(one)) => {}
        (ours, all) if ours == all => {}
        _ => found.push(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_count_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::at(dir.path());
        let write = |path: &str, value: Value| {
            let path = place.inside(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, value.to_string()).unwrap();
        };
        write(
            "/etc/claude-code/managed-settings.json",
            json!({ "model": "a", "env": { "A": "1", "B": "1" }, "permissions": { "deny": ["x"] } }),
        );
        write(SETTINGS, json!({}));
        write(
            "/etc/claude-code/managed-settings.d/60-other.json",
            json!({ "env": { "A": "3" }, "disableAllHooks": true, "policyHelper": {} }),
        );
        let own = json!({
            "env": { "A": "2" }, "permissions": { "deny": ["y"] }, "disableAllHooks": false,
        });
        let all = answer(&place, &own);
        assert_eq!(
            all,
            json!({
                "model": "a", "env": { "A": "3", "B": "1" }, "disableAllHooks": true,
                "permissions": { "deny": ["x", "y"] },
            })
        );
        assert_eq!(missing(&own, &all), ["/disableAllHooks", "/env/A"]);
        let named = variables_of_others(&place);
        assert_eq!(named.into_iter().collect::<Vec<_>>(), ["A", "B"]);
    }
}
