//! The demo's policy: an ordinary settings file as it is, and five rules that it could not say.

use serde_json::{Value, json};

/// What the team had before: an ordinary Claude Code settings file.
#[must_use]
pub fn settings() -> Value {
    json!({
        "permissions": {
            "allow": ["Bash(git status)", "Bash(npm run test *)"],
            "ask": ["Bash(git push *)"],
            "deny": [
                "Bash(aws *)",
                "Edit(**/.github/workflows/**)",
                "Read(~/.ssh/**)"
            ]
        }
    })
}

/// Adds the organisation's own rules to an imported bundle.
#[must_use]
pub fn with_own_rules(mut bundle: Value) -> Value {
    let own = [
        json!({ "id": "kubectl-global", "effect": "deny", "pattern": "Bash(kubectl *)",
                "scope": { "global": true }, "dialect": "cairn" }),
        json!({ "id": "kubectl-infrastructure", "effect": "allow", "pattern": "Bash(kubectl *)",
                "scope": { "team": "infrastructure" }, "dialect": "cairn" }),
        json!({ "id": "download-allowed", "effect": "allow", "pattern": "Bash(curl *)",
                "scope": { "global": true }, "dialect": "cairn" }),
        json!({ "id": "download-needs-encryption", "effect": "deny", "pattern": "Bash(curl *)",
                "scope": { "global": true }, "dialect": "cairn",
                "when": { "not": { "posture": "disk_encryption", "is": "on" } } }),
    ];
    if let Some(rules) = bundle["rules"].as_array_mut() {
        rules.extend(own);
    }
    bundle["mcp"] = json!({
        "default": "block", "allow": [{ "command": ["approved-mcp", "--stdio"] }], "deny": [],
        "servers": {}
    });
    bundle["contact"] = json!("security@acme.example");
    bundle
}
