//! The MCP allow list: which servers may be started or connected to.
//!
//! Owns the list, its matching and the managed servers' definitions. Finding the servers on a
//! device is the daemon's business.
//! Source: architecture section 4 (last line); endpoint findings on MCP control.

use crate::glob::Glob;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The MCP part of a bundle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpPolicy {
    /// What happens to a server that no entry names.
    pub default: McpDefault,
    /// Servers that may run.
    #[serde(default)]
    pub allow: Vec<McpEntry>,
    /// Servers that may not, whatever `allow` says.
    #[serde(default)]
    pub deny: Vec<McpEntry>,
    /// Managed servers by name, each defined as in `.mcp.json`; they may always run as defined.
    #[serde(default)]
    pub servers: BTreeMap<String, Value>,
}

impl Default for McpPolicy {
    fn default() -> Self {
        Self {
            default: McpDefault::Allow,
            allow: Vec::new(),
            deny: Vec::new(),
            servers: BTreeMap::new(),
        }
    }
}

/// What happens to a server that no entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum McpDefault {
    /// It may not run.
    Block,
    /// It may run.
    Allow,
}

/// One list entry; in JSON `{"name":…}`, `{"command":[…]}` or `{"url":…}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum McpEntry {
    /// The server's label. Trap: the developer chooses it, so it is no proof of what runs.
    Name {
        /// The exact label.
        name: String,
    },
    /// The whole argument vector of a local server.
    Command {
        /// Every element, exactly.
        command: Vec<String>,
    },
    /// The address of a remote server, `*` matching any characters.
    Url {
        /// The pattern.
        url: String,
    },
}

/// A server as found in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// Its label.
    pub name: String,
    /// The argument vector of a local server; empty for a remote one.
    #[serde(default)]
    pub command: Vec<String>,
    /// The address of a remote server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Whether a server may run, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpVerdict {
    /// Whether it may be started or connected to.
    pub allowed: bool,
    /// What decided.
    pub reason: McpReason,
}

/// What decided about a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum McpReason {
    /// A deny entry names it.
    #[error("deny entry {0} names it")]
    DenyEntry(usize),
    /// An allow entry names it.
    #[error("allow entry {0} names it")]
    AllowEntry(usize),
    /// It is a managed server, unchanged.
    #[error("it is a managed server")]
    Managed,
    /// No entry names it and the default decided.
    #[error("no entry names it")]
    Default,
}

impl McpServer {
    /// Reads a server's definition as in `.mcp.json`.
    ///
    /// What is neither a string command with string arguments nor a string address stays empty, and
    /// then only a name can match it.
    pub fn from_definition(name: &str, definition: &Value) -> Self {
        let mut command = Vec::new();
        if let Some(program) = definition.get("command").and_then(Value::as_str) {
            let arguments = definition.get("args").and_then(Value::as_array);
            command.push(program.to_owned());
            command.extend(
                arguments
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
        }
        let url = definition
            .get("url")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Self {
            name: name.to_owned(),
            command,
            url,
        }
    }
}

/// Whether `server` may run under `policy`.
///
/// A deny entry wins. Once an allow entry names a command, a local server must match a command;
/// likewise for remote servers and addresses: a label alone then proves nothing.
pub fn server_verdict(policy: &McpPolicy, server: &McpServer) -> McpVerdict {
    let position = |entries: &[McpEntry]| entries.iter().position(|entry| entry.matches(server));
    if let Some(entry) = position(&policy.deny) {
        return McpVerdict {
            allowed: false,
            reason: McpReason::DenyEntry(entry),
        };
    }
    if let Some(definition) = policy.servers.get(&server.name)
        && McpServer::from_definition(&server.name, definition) == *server
    {
        return McpVerdict {
            allowed: true,
            reason: McpReason::Managed,
        };
    }
    let names_count = if server.command.is_empty() && server.url.is_none() {
        policy
            .allow
            .iter()
            .all(|entry| matches!(entry, McpEntry::Name { .. }))
    } else if server.url.is_some() {
        !policy
            .allow
            .iter()
            .any(|entry| matches!(entry, McpEntry::Url { .. }))
    } else {
        !policy
            .allow
            .iter()
            .any(|entry| matches!(entry, McpEntry::Command { .. }))
    };
    let allowed = policy.allow.iter().position(|entry| {
        entry.matches(server) && (names_count || !matches!(entry, McpEntry::Name { .. }))
    });
    match allowed {
        Some(entry) => McpVerdict {
            allowed: true,
            reason: McpReason::AllowEntry(entry),
        },
        None => {
            let allowed = policy.default == McpDefault::Allow;
            McpVerdict {
                allowed,
                reason: McpReason::Default,
            }
        }
    }
}

impl McpEntry {
    fn matches(&self, server: &McpServer) -> bool {
        match self {
            Self::Name { name } => *name == server.name,
            Self::Command { command } => !command.is_empty() && *command == server.command,
            Self::Url { url } => server
                .url
                .as_deref()
                .is_some_and(|address| url_matches(url, address)),
        }
    }
}

/// Host without regard to case and trailing dot, path with; a pattern without path takes any path.
fn url_matches(pattern: &str, address: &str) -> bool {
    let (pattern_host, pattern_path) = split_url(pattern);
    let (host, path) = split_url(address);
    let host_matches = Glob::new(&pattern_host).matches_text(&host);
    let path_matches = match pattern_path {
        "" | "/" => true,
        pattern_path => {
            Glob::new(pattern_path).matches_text(if path.is_empty() { "/" } else { path })
        }
    };
    // `user@host` in the address would let the host pattern match the user part.
    host_matches && path_matches && !host.contains('@')
}

/// `scheme://host:port` in lower case without trailing dot, and the rest.
fn split_url(url: &str) -> (String, &str) {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .get(after_scheme..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |at| after_scheme + at);
    let (host, path) = url.split_at(end);
    (host.to_lowercase().trim_end_matches('.').to_owned(), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> McpPolicy {
        serde_json::from_str(text).unwrap()
    }

    fn local(name: &str, argv: &[&str]) -> McpServer {
        let command = argv.iter().map(|word| (*word).to_owned()).collect();
        McpServer {
            name: name.into(),
            command,
            url: None,
        }
    }

    fn remote(name: &str, url: &str) -> McpServer {
        McpServer {
            name: name.into(),
            command: vec![],
            url: Some(url.into()),
        }
    }

    #[test]
    fn default_block_and_names() {
        let policy = policy(r#"{"default":"block","allow":[{"name":"github"}]}"#);
        assert!(server_verdict(&policy, &local("github", &["gh-mcp"])).allowed);
        assert!(!server_verdict(&policy, &local("other", &["gh-mcp"])).allowed);
    }

    #[test]
    fn a_command_entry_makes_labels_worthless() {
        let policy = policy(
            r#"{"default":"block","allow":[{"name":"github"},{"command":["npx","-y","gh"]}]}"#,
        );
        assert!(server_verdict(&policy, &local("x", &["npx", "-y", "gh"])).allowed);
        assert!(!server_verdict(&policy, &local("github", &["evil"])).allowed);
        assert!(server_verdict(&policy, &remote("github", "https://a.corp/")).allowed);
    }

    #[test]
    fn urls_match_by_host_and_path() {
        let policy = policy(
            r#"{"default":"block","allow":[{"url":"https://*.corp/*"},{"url":"https://B.net"}],
                "deny":[{"url":"https://bad.corp/*"}]}"#,
        );
        let allowed = |url| server_verdict(&policy, &remote("r", url)).allowed;
        assert!(allowed("https://API.corp./mcp"));
        assert!(allowed("https://b.net/any/path"));
        assert!(!allowed("https://bad.corp/mcp"));
        assert!(!allowed("https://evil.com/x.corp/"));
        assert!(!allowed("https://user@evil.corp/x"));
    }

    #[test]
    fn a_managed_server_runs_only_as_defined() {
        let policy =
            policy(r#"{"default":"block","servers":{"db":{"command":"db-mcp","args":["--ro"]}}}"#);
        assert!(server_verdict(&policy, &local("db", &["db-mcp", "--ro"])).allowed);
        assert!(!server_verdict(&policy, &local("db", &["db-mcp", "--rw"])).allowed);
    }
}
