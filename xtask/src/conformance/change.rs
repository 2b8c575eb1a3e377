//! What another version of Claude Code decides otherwise on the same rules and calls.
//!
//! It owns the report of a new version: every call whose verdict changed, and whether Cairn is then wider.
//! It does not move the pin; a person does, who has read the report.

use std::fmt;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::agent::Programs;
use super::grammar::Sheet;
use super::rank;
use super::scene::Scene;
use crate::process;
use crate::tools::{Need, Toolbox};

/// The other version and what it was seen to decide.
pub struct Change {
    programs: Programs,
    version: String,
    compared: usize,
    changed: Vec<Value>,
}

impl Change {
    /// Installs the other version beside the pinned one.
    ///
    /// # Errors
    /// It cannot be installed or does not start.
    pub fn new(toolbox: &Toolbox<'_>, pinned: &Programs, version: &str) -> Result<Self> {
        let node = toolbox.folder(Need::Node).context("Node is missing")?;
        let claude = toolbox.other_claude_code(&node, version)?;
        let version = process::answer(&claude, &["--version"])
            .context("the other Claude Code does not say its version")?;
        println!("compared with Claude Code {version}");
        Ok(Self {
            programs: Programs {
                claude,
                python: pinned.python.clone(),
                model: pinned.model.clone(),
                server: pinned.server.clone(),
            },
            version,
            compared: 0,
            changed: Vec::new(),
        })
    }

    /// Asks the other version about a sheet whose rows hold the first one's verdicts.
    ///
    /// # Errors
    /// It does not answer.
    pub fn compare(&mut self, sheet: &Sheet, position: u64, rows: &[Value]) -> Result<()> {
        let name = format!("cairn-conformance-{}-{position}-b", std::process::id());
        let root = std::env::temp_dir().join(name);
        let scene = Scene::new(&root)?;
        let observed = scene.ask(&self.programs, sheet);
        std::fs::remove_dir_all(&root)?;
        for (row, now) in rows.iter().zip(observed?) {
            self.note(row, &json!(now.effective), &json!(now.told));
        }
        Ok(())
    }

    fn note(&mut self, row: &Value, effective: &Value, told: &Value) {
        self.compared += 1;
        if row["effective"] == *effective {
            return;
        }
        let mut changed = row.clone();
        changed["now"] = effective.clone();
        changed["told"] = told.clone();
        self.changed.push(changed);
    }

    /// Whether the other version denies or asks where Cairn is wider.
    pub fn has_wider(&self) -> bool {
        self.changed.iter().any(is_wider)
    }
}

/// Whether Cairn is wider than the other version on a changed call.
fn is_wider(row: &Value) -> bool {
    match (rank(&row["now"]), rank(&row["cairn"]["effective"])) {
        (Some(now), Some(ours)) => ours < now,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.changed {
            let word = if is_wider(row) {
                "WIDER NOW"
            } else {
                "CHANGED"
            };
            writeln!(
                out,
                "{word}: sheet {} call {}: {} {}\n  rules {}\n  was {}, is {} ({})\n  Cairn: {}",
                row["sheet"],
                row["call"],
                row["tool"],
                row["input"],
                row["permissions"],
                row["effective"],
                row["now"],
                row["told"],
                row["cairn"]
            )?;
        }
        let (changed, compared) = (self.changed.len(), self.compared);
        write!(
            out,
            "{}: {changed} of {compared} verdicts changed",
            self.version
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_verdict_is_reported_and_a_wider_one_fails() {
        let mut change = Change {
            programs: Programs {
                claude: "claude".into(),
                python: "python3".into(),
                model: "model.py".into(),
                server: "server.py".into(),
            },
            version: "9.9.9".into(),
            compared: 0,
            changed: Vec::new(),
        };
        let row = |was: &str| {
            json!({ "sheet": 0, "call": 1, "tool": "Bash", "input": {}, "permissions": {},
                    "effective": was, "cairn": { "effective": "ask" } })
        };
        change.note(&row("ask"), &json!("ask"), &json!("same"));
        change.note(&row("ask"), &json!("allow"), &json!("new rule"));
        assert!(!change.has_wider());
        assert!(
            change
                .to_string()
                .ends_with("9.9.9: 1 of 2 verdicts changed")
        );
        change.note(&row("ask"), &json!("deny"), &json!("new rule"));
        assert!(change.has_wider());
        assert!(change.to_string().contains("WIDER NOW: sheet 0 call 1"));
    }
}
