//! Which tools the model was offered, and which MCP servers had said theirs by then.
//!
//! It owns telling two things apart for which Claude Code has one answer, "No such tool available": a tool
//! that a rule removed, and one whose server had not started. A server that had listed its tools before
//! the model was asked, and a tool of it that the model was not offered: that tool was removed.
//!
//! Source: requests to the model and answers of servers, as both write them down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

/// What the model could call when it was asked for the calls of a sheet.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    tools: BTreeSet<String>,
    /// When it was asked, in seconds since 1970.
    asked: f64,
    /// When each server listed its tools.
    listed: BTreeMap<String, f64>,
}

impl Offer {
    /// Reads what the model's script and the servers wrote down; the answers to calls whose identifier
    /// begins with `calls` come after the request that is looked for.
    #[must_use]
    pub fn read(requests: &str, calls: &str, listings: &Path, servers: &[&str]) -> Self {
        let mut offer = Self::default();
        for line in requests.lines() {
            let Ok(request) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            if answers(&request["body"], calls) {
                break;
            }
            let tools = request["body"]["tools"].as_array();
            let names = tools.into_iter().flatten();
            let names: BTreeSet<String> = names
                .filter_map(|tool| tool["name"].as_str().map(str::to_owned))
                .collect();
            // Side requests carry no tools.
            if !names.is_empty() {
                offer.tools = names;
                offer.asked = request["t"].as_f64().unwrap_or_default();
            }
        }
        for server in servers {
            let written = fs::read_to_string(listings.join(server)).unwrap_or_default();
            let first = written.lines().next().and_then(|line| line.parse().ok());
            if let Some(first) = first {
                offer.listed.insert((*server).to_owned(), first);
            }
        }
        offer
    }

    /// Whether a tool was taken away: it is not among those offered, though its server had listed it.
    #[must_use]
    pub fn lacks(&self, tool: &str) -> bool {
        let server = tool
            .strip_prefix("mcp__")
            .and_then(|rest| rest.split_once("__"))
            .map(|(server, _)| server);
        let listed = server.and_then(|server| self.listed.get(server));
        listed.is_some_and(|when| *when < self.asked) && !self.tools.contains(tool)
    }
}

/// Whether a request tells the model about one of these calls.
fn answers(body: &Value, calls: &str) -> bool {
    let messages = body["messages"].as_array().into_iter().flatten();
    let mut blocks = messages
        .filter_map(|one| one["content"].as_array())
        .flatten();
    blocks.any(|block| {
        let call = block["tool_use_id"].as_str();
        call.is_some_and(|call| call.starts_with(calls))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_removed_tool_is_told_from_one_whose_server_has_not_started() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("early"), "10.5\n12.5\n").unwrap();
        fs::write(folder.path().join("late"), "30.5\n").unwrap();
        let request = |t: f64, tools: &[&str], told: &str| {
            let tools: Vec<_> = tools.iter().map(|name| json!({ "name": name })).collect();
            let result = json!([{ "type": "tool_result", "tool_use_id": told }]);
            json!({ "t": t, "body": { "tools": tools, "messages": [{ "content": result }] } })
        };
        let requests = [
            request(20.0, &["Bash", "mcp__early__kept"], "toolu_reading_1"),
            request(21.0, &[], "title"),
            request(40.0, &["Bash", "mcp__early__gone"], "toolu_call_1"),
        ];
        let requests = requests.map(|one| one.to_string()).join("\n");
        let servers = ["early", "late", "never"];
        let offer = Offer::read(&requests, "toolu_call_", folder.path(), &servers);
        assert!(offer.lacks("mcp__early__gone"));
        assert!(!offer.lacks("mcp__early__kept"));
        assert!(
            !offer.lacks("mcp__late__gone"),
            "listed after the model was asked"
        );
        assert!(!offer.lacks("mcp__never__gone") && !offer.lacks("Write"));
    }
}
