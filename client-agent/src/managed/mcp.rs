//! A bundle's MCP list in the words of Claude Code's managed settings.
//!
//! Owns the translation. What cannot be said exactly is said more strictly: with a managed local server
//! in the list, other local servers must match a command and no longer a name.
//!
//! Source: Claude Code findings 1.7; `managedMcpServers` as observed with 2.1.330 (https addresses only).

use crate::daemon::McpJudged;
use cairn_policy::{McpDefault, McpEntry, McpPolicy, McpServer};
use serde_json::{Map, Value, json};

/// The lists of one session.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Servers {
    /// `allowedMcpServers`; absent where every server may run.
    pub allowed: Option<Vec<Value>>,
    /// `deniedMcpServers`.
    pub denied: Vec<Value>,
    /// `managedMcpServers`: those that settings can deliver, at https addresses.
    pub managed: Map<String, Value>,
}

impl Servers {
    /// Denies servers under their names: no other one of that name runs beside a file of managed servers.
    pub fn deny_by_name<'a>(&mut self, judged: impl Iterator<Item = &'a McpJudged>) {
        let names = judged.map(|one| json!({ "serverName": one.name }));
        self.denied.extend(names);
    }
}

/// Translates the list, with servers that must not run although no entry names them.
pub(super) fn servers(policy: &McpPolicy, withheld: &[McpServer]) -> Servers {
    let mut denied: Vec<Value> = policy.deny.iter().map(entry).collect();
    denied.extend(withheld.iter().map(exactly));
    let allowed = (policy.default == McpDefault::Block).then(|| {
        let managed = policy.servers.iter();
        let managed = managed.map(|(name, one)| exactly(&McpServer::from_definition(name, one)));
        policy.allow.iter().map(entry).chain(managed).collect()
    });
    let secure = |one: &Value| {
        let url = one.get("url").and_then(Value::as_str);
        url.is_some_and(|url| url.starts_with("https://"))
    };
    let managed = policy.servers.iter().filter(|(_, one)| secure(one));
    Servers {
        allowed,
        denied,
        managed: managed
            .map(|(name, one)| (name.clone(), one.clone()))
            .collect(),
    }
}

/// The managed servers as `managed-mcp.json`, which everybody on the machine reads and is given, and the
/// names of those left out: their definition holds values of variables or headers, or they are for some only.
pub(super) fn file(policy: &McpPolicy) -> (Value, Vec<String>) {
    let holds = |one: &Value| {
        ["env", "headers"].iter().any(|member| {
            let values = one.get(*member).and_then(Value::as_object);
            values.is_some_and(|values| !values.is_empty())
        })
    };
    let left_out =
        |(name, one): &(&String, &Value)| policy.scopes.contains_key(*name) || holds(one);
    let (left_out, plain): (Vec<_>, Vec<_>) = policy.servers.iter().partition(left_out);
    let plain: Map<String, Value> = plain
        .into_iter()
        .map(|(name, one)| (name.clone(), one.clone()))
        .collect();
    let left_out = left_out.into_iter().map(|(name, _)| name.clone()).collect();
    (json!({ "mcpServers": plain }), left_out)
}

fn entry(entry: &McpEntry) -> Value {
    match entry {
        McpEntry::Name { name } => json!({ "serverName": name }),
        McpEntry::Command { command } => json!({ "serverCommand": command }),
        McpEntry::Url { url } => json!({ "serverUrl": url }),
    }
}

fn exactly(server: &McpServer) -> Value {
    match (&server.url, server.command.is_empty()) {
        (Some(url), _) => json!({ "serverUrl": url }),
        (None, false) => json!({ "serverCommand": server.command }),
        (None, true) => json!({ "serverName": server.name }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(value: Value) -> McpPolicy {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_blocking_list_names_what_may_run() {
        let policy = policy(json!({
            "default": "block",
            "allow": [{ "command": ["good", "--ro"] }, { "url": "https://*.example.com/" }],
            "deny": [{ "name": "bad" }],
            "servers": {
                "corp": { "type": "http", "url": "https://mcp.example.com/", "headers": { "k": "v" } },
                "local": { "command": "tool", "args": ["x"] },
                "plain": { "type": "http", "url": "http://mcp.example.com/" },
            },
        }));
        let mut scoped = policy.clone();
        let team = cairn_policy::Scope::Team("data".into());
        scoped.scopes.insert("local".into(), vec![team]);
        let (file_of_all, left) = file(&scoped);
        assert_eq!(left, ["corp", "local"]);
        assert_eq!(file_of_all["mcpServers"].as_object().unwrap().len(), 1);
        let made = servers(&policy, &[]);
        assert_eq!(
            made.allowed.unwrap(),
            [
                json!({ "serverCommand": ["good", "--ro"] }),
                json!({ "serverUrl": "https://*.example.com/" }),
                json!({ "serverUrl": "https://mcp.example.com/" }),
                json!({ "serverCommand": ["tool", "x"] }),
                json!({ "serverUrl": "http://mcp.example.com/" }),
            ]
        );
        assert_eq!(made.denied, [json!({ "serverName": "bad" })]);
        assert_eq!(made.managed.keys().collect::<Vec<_>>(), ["corp"]);
        let (file, left_out) = file(&policy);
        assert_eq!(left_out, ["corp"]);
        assert!(file["mcpServers"].get("local").is_some() && !file.to_string().contains("\"v\""));
    }

    #[test]
    fn an_open_list_withholds_what_nobody_approved() {
        let one = McpServer::from_definition("p", &json!({ "command": "run" }));
        let made = servers(&McpPolicy::default(), &[one]);
        assert_eq!(made.allowed, None);
        assert_eq!(made.denied, [json!({ "serverCommand": ["run"] })]);
    }
}
