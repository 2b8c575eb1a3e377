//! The calls that are decided: what an agent does all day. Those that are made to hurt are in [`super::hostile`].

use cairn_policy::{Request, ResolvedPath, paths_to_resolve};
use serde_json::{Value, json};

/// What an agent does all day.
pub fn ordinary() -> Vec<Request> {
    let lines = [
        "git status",
        "ls -la src",
        "kubectl get pods -n web",
        "npm run build && npm test",
        "cargo test --workspace 2>&1 | tail -20",
        "grep -rn 'fn main' crates",
        "cat README.md",
        "git diff HEAD~1 -- src/lib.rs",
        "cd web && npm install && npm run lint",
        "python3 -m pytest -q tests/test_api.py",
        "git push service-17 origin main",
        "docker build -t app .",
    ];
    let calls = [
        ("Read", json!({ "file_path": "/home/ann/app/src/lib.rs" })),
        ("Read", json!({ "file_path": "/home/ann/app/.env" })),
        (
            "Edit",
            json!({ "file_path": "/home/ann/app/src/main.rs", "old_string": "a", "new_string": "b" }),
        ),
        (
            "Write",
            json!({ "file_path": "/home/ann/app/docs/new.md", "content": "text" }),
        ),
        (
            "WebFetch",
            json!({ "url": "https://doc.rust-lang.org/std/", "prompt": "what" }),
        ),
        ("mcp__server_7__tool_87", json!({ "query": "open issues" })),
        (
            "Agent",
            json!({ "description": "look", "prompt": "find", "subagent_type": "Explore" }),
        ),
        ("Skill", json!({ "skill": "release" })),
    ];
    let lines = lines.map(|line| ("Bash", json!({ "command": line })));
    let all = lines.into_iter().chain(calls);
    all.map(|(tool, input)| request(tool, input)).collect()
}

/// Pushes that differ from 10,000 rules in their last word only.
pub fn alike() -> Vec<Request> {
    let line =
        |number: usize| json!({ "command": format!("git push origin release-{number} --tags") });
    let numbers = [1, 77, 500, 4_321, 9_990, 123_456];
    numbers.map(|number| request("Bash", line(number))).to_vec()
}

/// A call from a developer's project, with every path of it resolved.
pub fn request(tool: &str, input: Value) -> Request {
    let (cwd, home) = ("/home/ann/app", "/home/ann");
    let resolved = paths_to_resolve(tool, &input, cwd, home);
    let resolved = resolved.into_iter().map(|path| ResolvedPath {
        given: path.clone(),
        lexical: path,
        target: None,
    });
    Request {
        tool: tool.to_owned(),
        resolved: resolved.collect(),
        rule_links: Vec::new(),
        input,
        cwd: cwd.to_owned(),
        home: home.to_owned(),
        interactive: true,
        permission_mode: None,
        mcp: None,
    }
}
