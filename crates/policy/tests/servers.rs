//! What a list of commands proves about a server's definition.
//!
//! Source: Claude Code findings 0.4 and 1.7.

use cairn_policy::{McpPolicy, McpReason, McpServer, Subject, server_verdict};

#[test]
fn a_variable_that_decides_what_runs_makes_an_allowed_command_another() {
    let nobody = Subject::default();
    let policy: McpPolicy = serde_json::from_str(
        r#"{"default":"block","allow":[{"command":["npx","-y","gh"]}],
            "servers":{"own":{"command":"own-mcp","env":{"PATH":"/opt"}}}}"#,
    )
    .unwrap();
    let verdict = |name: &str, definition: serde_json::Value| {
        server_verdict(
            &policy,
            &nobody,
            &McpServer::from_definition(name, &definition),
        )
    };
    let of = |variable: &str| {
        let definition = serde_json::json!({
            "command": "npx", "args": ["-y", "gh"], "env": { variable: "x" }
        });
        verdict("gh", definition).reason
    };
    for variable in [
        "PATH",
        "LD_PRELOAD",
        "NODE_OPTIONS",
        "npm_config_registry",
        "HOME",
        "docker_host",
        "Git-Exec-Path",
        "JAVA_HOME",
        "CARGO_TERM_COLOR",
    ] {
        assert_eq!(of(variable), McpReason::Steered, "{variable}");
    }
    for variable in [
        "GITHUB_TOKEN",
        "LOG_LEVEL",
        "PATHS",
        "OLD_PATH",
        "PYTHONUNBUFFERED",
        "START_COMMAND",
        "KUBECONFIG",
        "GOOGLE_API_KEY",
    ] {
        assert_eq!(of(variable), McpReason::AllowEntry(0), "{variable}");
    }
    let own = serde_json::json!({"command": "own-mcp", "env": {"PATH": "/opt"}});
    assert_eq!(verdict("own", own).reason, McpReason::Managed);
    let plain = serde_json::json!({"command": "own-mcp"});
    assert_eq!(verdict("own", plain).reason, McpReason::Default);
    // Where no entry names a command nothing is proven by one.
    let open = McpPolicy::default();
    let steered = serde_json::json!({"command": "x", "env": {"PATH": "/x"}});
    assert!(server_verdict(&open, &nobody, &McpServer::from_definition("x", &steered)).allowed);
}
