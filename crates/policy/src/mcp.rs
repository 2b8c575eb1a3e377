//! The MCP allow list: which servers may be started or connected to.
//!
//! Owns the list, its matching and the managed servers' definitions. Finding the servers on a
//! device is the daemon's business.
//! Source: architecture section 4 (last line); endpoint findings on MCP control.

use crate::bundle::Scope;
use crate::glob::Glob;
use crate::steering::{Family, steering_in_any_letters};
use crate::subject::Subject;
use crate::work::Work;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use url::{Position, Url};

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
    /// Whom a managed server is for, by its name; one that is not named here is for everybody.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, Vec<Scope>>,
}

impl Default for McpPolicy {
    fn default() -> Self {
        Self {
            default: McpDefault::Allow,
            allow: Vec::new(),
            deny: Vec::new(),
            servers: BTreeMap::new(),
            scopes: BTreeMap::new(),
        }
    }
}

impl McpPolicy {
    /// The managed servers that this person's agents are given.
    pub fn servers_of<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let servers = self.servers.iter();
        servers.filter(move |(name, _)| self.is_for(name, subject))
    }

    /// The managed servers that every agent is given, whoever uses it.
    pub fn for_everybody(&self) -> BTreeMap<String, Value> {
        let mut servers = self.servers.clone();
        servers.retain(|name, _| !self.scopes.contains_key(name));
        servers
    }

    /// The policy as it is for one person: without the managed servers of others, and without scopes.
    pub fn of(&self, subject: &Subject) -> Self {
        let given = self.servers_of(subject);
        let servers = given.map(|(name, one)| (name.clone(), one.clone()));
        Self {
            servers: servers.collect(),
            scopes: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// Adds another list to this one, as settings of several places are read together: what one of them
    /// blocks by default is blocked, what one of them names is named.
    pub fn unite(&mut self, other: Self) {
        if other.default == McpDefault::Block {
            self.default = McpDefault::Block;
        }
        self.allow.extend(other.allow);
        self.deny.extend(other.deny);
        self.servers.extend(other.servers);
        self.scopes.extend(other.scopes);
    }

    fn is_for(&self, name: &str, subject: &Subject) -> bool {
        let scopes = self.scopes.get(name);
        scopes.is_none_or(|scopes| scopes.iter().any(|scope| scope.covers(subject)))
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
    /// Whether a variable of its definition decides which program its command is, or what is loaded into it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub steered: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
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
    /// It has an address and starts a program as well, so no entry says which of them would run.
    #[error("its definition has both a program and an address")]
    TwoTransports,
    /// Entries name commands, and what this one runs is not shown by its text.
    #[error("a variable of its definition decides which program runs")]
    Steered,
    /// Entries name addresses, and where this one leads is not shown by its text.
    #[error("its address may lead somewhere else than it says")]
    DoubtfulAddress,
}

impl McpServer {
    /// Reads a server's definition as in `.mcp.json`.
    ///
    /// What is neither a string command with string arguments nor a string address stays empty, and
    /// then only a name can match it. A program that a remote server's headers come from counts as one
    /// that it starts.
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
        if let Some(helper) = definition.get("headersHelper").and_then(Value::as_str) {
            command.push(helper.to_owned());
        }
        let url = definition
            .get("url")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let variables = definition.get("env").and_then(Value::as_object);
        let mut variables = variables.into_iter().flat_map(|members| members.keys());
        Self {
            name: name.to_owned(),
            steered: !command.is_empty() && variables.any(|name| steers(name)),
            command,
            url,
        }
    }
}

/// Whether a variable of this name may make a definition's command another program; some programs read theirs in
/// small letters too.
///
/// A list of commands says what runs only where the definition does not say otherwise by the way. Two parts of the
/// list of variables are left out: names that only end like such ones, and clusters and clouds, because whose account a
/// server works with is an option of the server itself. Harmless members of a family are not: no definition needs
/// them.
fn steers(name: &str) -> bool {
    steering_in_any_letters(name)
        .is_some_and(|one| !matches!(one.family, Family::Guessed | Family::Cloud))
}

/// Whether `server` may run under `policy` for this person.
///
/// A deny entry wins. Once an allow entry names a command, a local server must match a command;
/// likewise for remote servers and addresses: a label alone then proves nothing. A definition with a
/// program and an address, or whose text does not show what runs or where its address leads, matches nothing.
pub fn server_verdict(policy: &McpPolicy, subject: &Subject, server: &McpServer) -> McpVerdict {
    let position = |entries: &[McpEntry]| entries.iter().position(|entry| entry.matches(server));
    if let Some(entry) = position(&policy.deny) {
        return McpVerdict {
            allowed: false,
            reason: McpReason::DenyEntry(entry),
        };
    }
    if let Some(definition) = policy.servers.get(&server.name)
        && McpServer::from_definition(&server.name, definition) == *server
        && policy.is_for(&server.name, subject)
    {
        return McpVerdict {
            allowed: true,
            reason: McpReason::Managed,
        };
    }
    if let Some(reason) = doubt(policy, server) {
        return McpVerdict {
            allowed: false,
            reason,
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

/// Why no entry can be trusted to mean this server.
fn doubt(policy: &McpPolicy, server: &McpServer) -> Option<McpReason> {
    let mut entries = policy.allow.iter().chain(&policy.deny);
    let by_address = entries.any(|entry| matches!(entry, McpEntry::Url { .. }));
    let mut entries = policy.allow.iter().chain(&policy.deny);
    let by_command = entries.any(|entry| matches!(entry, McpEntry::Command { .. }));
    match &server.url {
        Some(_) if !server.command.is_empty() => Some(McpReason::TwoTransports),
        Some(url) if by_address && plain_address(url).is_none() => Some(McpReason::DoubtfulAddress),
        None if server.steered && by_command => Some(McpReason::Steered),
        _ => None,
    }
}

/// An address as the agent connects to it; `None` where that cannot be told from the text: a variable,
/// a character that readers of addresses treat differently, a name before the host, or no host.
fn plain_address(text: &str) -> Option<Url> {
    if text.contains(['\\', '@']) || text.contains("${") || text.contains(char::is_control) {
        return None;
    }
    Url::parse(text).ok().filter(Url::has_host)
}

/// Host without regard to case and trailing dot, path with; a pattern without path takes any path.
fn url_matches(pattern: &str, address: &str) -> bool {
    let Some(address) = plain_address(address) else {
        return false;
    };
    let (pattern_host, pattern_path) = split_url(pattern);
    let host_matches = Glob::new(&pattern_host).matches_text(&origin(&address), &Work::unbounded());
    let path_matches = match pattern_path {
        "" | "/" => true,
        pattern_path => Glob::new(pattern_path)
            .matches_text(&address[Position::BeforePath..], &Work::unbounded()),
    };
    host_matches && path_matches
}

/// `scheme://host:port` as a reader of addresses spells it, without trailing dot and usual port.
fn origin(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    let port = address.port().map(|port| format!(":{port}"));
    let (scheme, host) = (address.scheme(), host.trim_end_matches('.'));
    format!("{scheme}://{host}{}", port.unwrap_or_default()).to_lowercase()
}

/// `scheme://host:port` of a pattern in lower case without trailing dot, and the rest.
fn split_url(pattern: &str) -> (String, &str) {
    let after_scheme = pattern.find("://").map_or(0, |at| at + 3);
    let end = pattern
        .get(after_scheme..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(pattern.len(), |at| after_scheme + at);
    let (host, path) = pattern.split_at(end);
    // Without a wildcard it is spelled as the addresses are that it is compared with.
    let spelled = Some(host)
        .filter(|host| !host.contains('*'))
        .and_then(plain_address);
    let host = spelled.map_or_else(
        || host.to_lowercase().trim_end_matches('.').to_owned(),
        |address| origin(&address),
    );
    (host, path)
}

#[cfg(test)]
mod tests;
