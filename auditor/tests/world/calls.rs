//! Tool calls of the world: decided by the real engine, recorded as an agent records them.

use super::*;
use cairn_event::disclosure::bounded_value;
use cairn_policy::{McpCall, McpServer as PolicyMcpServer, ResolvedPath};
use serde_json::Value;

/// A request for `tool` in the usual folder.
pub fn request(tool: &str, input: Value) -> Request {
    Request {
        tool: tool.into(),
        input,
        cwd: "/home/ann/project".into(),
        home: "/home/ann".into(),
        resolved: vec![],
        rule_links: vec![],
        interactive: true,
        permission_mode: None,
        mcp: None,
    }
}

/// A request to edit a file that no link leads away from.
pub fn edit(path: &str, old: Value) -> Request {
    Request {
        resolved: vec![ResolvedPath {
            given: path.into(),
            lexical: path.into(),
            target: None,
        }],
        ..request(
            "Edit",
            json!({ "file_path": path, "old_string": old, "new_string": "" }),
        )
    }
}

/// A request to a tool of an MCP server.
pub fn mcp(server: &str, tool: &str) -> Request {
    Request {
        mcp: Some(McpCall {
            server: server.into(),
            tool: tool.into(),
            source: "project".into(),
            definition: Some(PolicyMcpServer {
                name: server.into(),
                command: vec![format!("{server}-server")],
                url: None,
                steered: false,
            }),
        }),
        ..request(&format!("mcp__{server}__{tool}"), json!({ "number": 7 }))
    }
}

impl World {
    /// One Bash call: decided by the engine, recorded, and run when it was not denied.
    pub fn bash(&mut self, run: &mut DeviceRun, session: &str, command: &str) -> u64 {
        let request = request("Bash", json!({ "command": command, "timeout": 1.5 }));
        self.call(run, session, &request, |_| {})
    }

    /// One call: decided by the engine, recorded with something changed, and run when it was allowed.
    pub fn call(
        &mut self,
        run: &mut DeviceRun,
        session: &str,
        request: &Request,
        edit: impl FnOnce(&mut Payload),
    ) -> u64 {
        self.calls += 1;
        let use_id = format!("toolu_{:06}", self.calls);
        let context = self.context(run, Some(session));
        let subject = Subject {
            person: run.person.clone(),
            teams: context.teams.clone(),
            roles: vec!["developer".into()],
        };
        let compiled = compile(self.bundle.as_ref().unwrap()).unwrap();
        let posture = context.posture.unwrap();
        let decision = decide(request, &compiled, &subject, &posture, self.now_ms + 1_000);
        let body = Body::ToolDecision(ToolDecision {
            class: ActionClass::Exec,
            effect: decision.effect,
            latency_us: 420,
            lost: decision.losing.clone(),
            mcp: None,
            mode: decision.mode,
            rule: decision.rule.clone(),
            semantics: decision.semantics,
            subagent: None,
            tool: request.tool.clone(),
            use_id: use_id.clone(),
            why: if decision.rule.is_some() {
                "rule"
            } else {
                "default"
            }
            .into(),
        });
        let frozen = bounded_value(serde_json::to_value(request).unwrap());
        let disclosures = vec![
            self.disclosure(names::REQUEST, frozen),
            self.disclosure(names::EMAIL, json!("ann@example.com")),
            self.disclosure(names::OS_USER, json!({ "name": "ann", "uid": 1000 })),
            self.disclosure(names::HOST, json!({ "name": "laptop-1" })),
        ];
        let index = self.edited(run, body, Some(session), disclosures, edit);
        if decision.effect == Effect::Allow {
            let body = Body::ToolOutcome(ToolOutcome {
                duration_ms: Some(12),
                state: OutcomeState::Ran,
                tool: request.tool.clone(),
                use_id,
            });
            self.chained(run, body, Some(session), vec![]);
        }
        index
    }
}
