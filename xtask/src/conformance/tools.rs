//! Fresh rules and calls of tools other than the shell.
//!
//! It owns what is generated for edits, notebooks, fetches, MCP tools, subagents, skills, and rules on
//! single parameters. Tools that the pinned version does not offer (Glob, Grep, MultiEdit) cannot be
//! asked about.
//!
//! Source: the tool inputs and rules of Claude Code 2.1.330, as observed.

use serde_json::{Value, json};

use super::random::Random;

/// MCP servers that a run has, each with every one of [`MCP_TOOLS`].
pub const SERVERS: &[&str] = &["srv", "other-srv", "srv_2"];

/// Tools of each server.
pub const MCP_TOOLS: &[&str] = &["echo", "get_issue", "get_all", "delete"];

/// Skills that a run's project has.
pub const SKILLS: &[&str] = &["deploy", "deploy-all", "review"];

/// Subagents that a run's project has beside the built-in ones.
pub const AGENTS: &[&str] = &["helper", "helper-two"];

/// The prompt of every subagent; the model's script ends its turn at once.
pub const SUBAGENT_PROMPT: &str = "Only say done.";

/// A notebook with one cell.
pub const NOTEBOOK: &str = r#"{"cells":[{"cell_type":"code","execution_count":null,"id":"a","metadata":{},"outputs":[],"source":["1"]}],"metadata":{},"nbformat":4,"nbformat_minor":5}"#;

/// Notebooks that exist.
pub const NOTEBOOKS: &[&str] = &["n.ipynb", "src/n.ipynb", "secrets/n.ipynb"];

/// Files that exist and are edited.
const EDITED: &[&str] = &[
    ".env",
    "src/a.ts",
    "secrets/k",
    "src/secrets/k",
    "README.md",
    "docs/n.md",
    "src/x.pem",
    "key",
    "lib/a.ts",
    "near.ts",
    "~/notes.md",
    ".github/workflows/d.yml",
];

/// Hosts that are fetched; none is ever reached.
const HOSTS: &[&str] = &[
    "example.com",
    "docs.example.com",
    "a.docs.example.com",
    "example.org",
    "notexample.com",
    "EXAMPLE.com",
    "example.com:8443",
    "example.com.",
    "user@example.com",
    "127.0.0.1",
    "[::1]",
];

const DOMAINS: &[&str] = &[
    "example.com",
    "*.example.com",
    "docs.example.com",
    "*",
    "example.*",
    "*.com",
    "Example.com",
    "127.0.0.1",
    "*example.com",
    "example.com:8443",
    "*.docs.example.com",
    "example.com.",
    "**.example.com",
    "*.*",
];

/// Parameters that rules name, with values that calls have and others.
const VALUES: &[(&str, &str, &[&str])] = &[
    ("Bash", "run_in_background", &["true", "false", "*"]),
    ("Bash", "command", &["echo x", "echo*", "*"]),
    ("Bash", "description", &["x", "*"]),
    ("Read", "limit", &["5", "0", "*"]),
    ("Read", "offset", &["1", "*"]),
    ("Read", "file_path", &["*a.ts", "*"]),
    ("Edit", "replace_all", &["true", "false", "t*"]),
    ("Edit", "old_string", &["fix*", "x"]),
    ("WebFetch", "prompt", &["other", "what*"]),
    ("WebFetch", "url", &["*example.com*", "http:*"]),
    ("Agent", "model", &["haiku", "*"]),
    ("Agent", "subagent_type", &["helper", "help*"]),
    ("Agent", "run_in_background", &["false", "true"]),
    ("Skill", "args", &["prod", "prod*", "*"]),
    ("Skill", "skill", &["deploy", "deploy*"]),
    ("NotebookEdit", "cell_id", &["a", "b"]),
    ("mcp__srv__echo", "text", &["plain", "secret*", "5", "*"]),
    ("mcp__other-srv__delete", "text", &["plain", "s*"]),
    ("mcp__srv__*", "text", &["plain"]),
];

const PARAMETERS: &[&str] = &[
    "Bash(run_in_background:true)",
    "Bash(dangerouslyDisableSandbox:true)",
    "Read(limit:5)",
    "Read(offset:*)",
    "Edit(replace_all:true)",
    "WebFetch(prompt:what*)",
    "WebFetch(url:https://example.com*)",
    "Agent(model:haiku)",
    "Agent(description:x)",
    "Skill(args:prod*)",
    "mcp__srv__echo(text:secret*)",
];

/// A rule for one of these tools; none takes all of them away, for then nothing could be asked.
pub fn rule(random: &mut Random) -> String {
    let server = random.pick(SERVERS);
    let tool = random.pick(MCP_TOOLS);
    let skill = random.pick(SKILLS);
    match random.below(22) {
        0 | 1 => format!("WebFetch(domain:{})", random.pick(DOMAINS)),
        2 => "WebFetch".to_owned(),
        3 => format!("mcp__{server}"),
        4 => format!("mcp__{server}__*"),
        5 | 6 => format!("mcp__{server}__{tool}"),
        7 => format!("mcp__{server}__get_*"),
        8 => (*random.pick(&["mcp__*", "mcp__srv*", "mcp__*__echo"])).to_owned(),
        9 => format!("Skill({skill})"),
        10 => format!("Skill({skill} *)"),
        11 => format!("Skill({skill}:*)"),
        12 => (*random.pick(&["Skill", "Agent", "Task", "NotebookEdit"])).to_owned(),
        13 => format!("Agent({})", random.pick(AGENTS)),
        14 => format!(
            "Task({})",
            random.pick(&["Explore", "helper", "general-purpose"])
        ),
        15 => format!(
            "Edit({})",
            random.pick(&["src/**", "*.ipynb", "**/n.ipynb", "/n.ipynb"])
        ),
        16 => (*random.pick(&[
            "Agent(help*)",
            "Agent(*)",
            "Skill(*)",
            "Skill(dep*)",
            "WebFetch(*)",
            "WebFetch(domain:*)",
            "mcp__*(*)",
            "NotebookEdit(*)",
            "Agent(Explore, helper)",
            "WebF*",
            "Web*",
            "Skill(/deploy)",
        ]))
        .to_owned(),
        17 => (*random.pick(PARAMETERS)).to_owned(),
        _ => parameter(random),
    }
}

/// A rule on one parameter.
fn parameter(random: &mut Random) -> String {
    let Some((tool, name, values)) = VALUES.get(random.below(VALUES.len())) else {
        return String::new();
    };
    format!("{tool}({name}:{})", random.pick(values))
}

/// A call of one of these tools.
pub fn call(random: &mut Random) -> (String, Value) {
    let call = |tool: &str, input: Value| (tool.to_owned(), input);
    match random.below(12) {
        0 | 1 => {
            let mut input = json!({"file_path": random.pick(EDITED), "old_string": "fixture",
                                   "new_string": "fixtures"});
            if random.chance(40) {
                input["replace_all"] = json!(random.chance(50));
            }
            call("Edit", input)
        }
        2 => call(
            "NotebookEdit",
            json!({"notebook_path": random.pick(NOTEBOOKS), "cell_id": "a", "new_source": "2"}),
        ),
        3 | 4 => {
            let scheme = random.pick(&["https", "http"]);
            let path = random.pick(&["", "/", "/a?b=c", "/@example.com"]);
            let url = format!("{scheme}://{}{path}", random.pick(HOSTS));
            let prompt = random.pick(&["what is it", "other"]);
            call("WebFetch", json!({"url": url, "prompt": prompt}))
        }
        5..=7 => {
            let tool = format!("mcp__{}__{}", random.pick(SERVERS), random.pick(MCP_TOOLS));
            let text = random.pick(&["plain", "secret one", "5"]);
            call(&tool, json!({ "text": text }))
        }
        8 => {
            let kind = random.pick(&["helper", "helper-two", "Explore", "general-purpose"]);
            let mut input = json!({"description": "x", "prompt": SUBAGENT_PROMPT,
                "subagent_type": kind, "run_in_background": false});
            if random.chance(30) {
                input["model"] = json!(random.pick(&["haiku", "sonnet"]));
            }
            call("Agent", input)
        }
        9 => {
            let mut input = json!({ "skill": random.pick(SKILLS) });
            if random.chance(50) {
                input["args"] = json!(random.pick(&["prod", "prod now", "x", ""]));
            }
            call("Skill", input)
        }
        10 => call(
            "Read",
            json!({"file_path": random.pick(EDITED), "limit": random.below(7), "offset": 1}),
        ),
        _ => call(
            "Bash",
            json!({"command": "echo x", "run_in_background": random.chance(50)}),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_tool_is_called_and_has_rules() {
        let mut random = Random::new(1, 1);
        let name = |text: &str| text.split(['(', '_']).next().unwrap_or_default().to_owned();
        let called: BTreeSet<String> = (0..400).map(|_| name(&call(&mut random).0)).collect();
        let ruled: BTreeSet<String> = (0..400).map(|_| name(&rule(&mut random))).collect();
        for tool in [
            "Edit",
            "NotebookEdit",
            "WebFetch",
            "mcp",
            "Agent",
            "Skill",
            "Bash",
        ] {
            assert!(called.contains(tool) && ruled.contains(tool), "{tool}");
        }
    }
}
