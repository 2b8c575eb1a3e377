//! `cairn mcp list`.

use super::{moment, print_json, subject};
use crate::daemon::fingerprint;
use crate::enrolment::Identity;
use crate::managed::Place;
use crate::policy::Stored;
use crate::servers::Servers;
use crate::state::StateDir;
use crate::wrapper::{agent_config, agent_state_file, inventory};
use cairn_event::DecisionMode;
use cairn_event::encoding::from_base64url;
use cairn_policy::{Bundle, McpReason, McpServer, server_verdict};
use serde_json::json;
use std::process::ExitCode;

/// Since when a server with this definition is known here.
fn since(first_seen_ms: Option<u64>) -> String {
    first_seen_ms.and_then(moment).map_or_else(
        || "never seen at a start of `cairn claude`".to_owned(),
        |moment| format!("first seen {moment}"),
    )
}

pub(super) fn list(state: &StateDir, as_json: bool) -> anyhow::Result<ExitCode> {
    let cwd = std::env::current_dir()?;
    let found = inventory(&cwd, &agent_state_file(), &agent_config(), &[])?
        .with_managed_file(&Place::machine().managed_servers());
    let stored = Stored::open(state)?.policy()?.policy;
    let bundle = stored
        .and_then(|stored| from_base64url(&stored.bundle))
        .and_then(|bytes| Bundle::parse(&bytes).ok());
    let Some(bundle) = bundle else {
        // Where that is so, the reason is another one, and says what to do.
        Identity::load(state)?;
        anyhow::bail!("this device has no verified policy yet, so no server would be started");
    };
    let subject = subject::of_device(state)?;
    let monitors = bundle.mode == DecisionMode::Monitor;
    let mut rows = Vec::new();
    let known = Servers::load(state);
    for one in found.servers.iter().chain(&found.elsewhere) {
        let print = fingerprint(&one.definition);
        let first_seen = known.first_seen(&one.name, &one.source, &print);
        let server = McpServer::from_definition(&one.name, &one.definition);
        let verdict = server_verdict(&bundle.mcp, &subject, &server);
        let waits = one
            .held_back(verdict.reason == McpReason::Default)
            .filter(|_| verdict.allowed);
        let reason = waits.map_or_else(|| verdict.reason.to_string(), str::to_owned);
        rows.push(json!({
            "name": one.name, "source": one.source, "allowed": verdict.allowed,
            "reason": reason, "fingerprint": print, "first_seen_ms": first_seen,
            "enforced": !monitors, "starts": (verdict.allowed || monitors) && waits.is_none(),
        }));
        if !as_json {
            let word = match (verdict.allowed, monitors) {
                // The list has no objection, and nobody's word starts it.
                (true, _) if waits.is_some() => "waits",
                (true, _) => "allowed",
                // It would be blocked, and runs.
                (false, true) => "monitor",
                (false, false) => "blocked",
            };
            say!("{word:<8} {:<24} {:<10} {reason}", one.name, one.source);
            say!("         {print}, {}", since(first_seen));
        }
    }
    for (name, _) in bundle.mcp.servers_of(&subject) {
        rows.push(json!({
            "name": name, "source": "managed", "allowed": true, "reason": "it is a managed server",
            "enforced": !monitors, "starts": true,
        }));
        if !as_json {
            say!(
                "{:<8} {name:<24} {:<10} deployed by policy",
                "allowed",
                "managed"
            );
        }
    }
    if as_json {
        print_json(&rows)?;
    } else if rows.is_empty() {
        say!("no MCP server is configured on this device");
    }
    for unread in &found.unread {
        tell!("cairn: {unread}");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sighting_is_a_date() {
        assert_eq!(
            since(Some(1_700_000_000_123)),
            "first seen 2023-11-14T22:13:20Z"
        );
        assert_eq!(since(None), "never seen at a start of `cairn claude`");
        assert_eq!(since(Some(u64::MAX)), since(None));
    }
}
