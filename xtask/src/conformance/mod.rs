//! `cargo xtask conformance`: fresh rules and calls, judged by Claude Code and by Cairn in one run.
//!
//! It owns the comparison and the report. A call on which Cairn is wider than the real program is a
//! failure; one on which it is stricter is counted and, on request, shown.
//!
//! Reading order: `random`, `grammar`, `files` and `tools` (what is asked), `scene` (where), `agent` (the real
//! program), `offer` (which tools it took away), this file, and `change` (what another version of the program decides otherwise).

pub mod agent;
mod change;
mod files;
pub mod grammar;
mod offer;
pub mod random;
pub mod scene;
mod tools;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::context::Context;
use crate::process::{self, Process};
use crate::tools::{Need, Toolbox};
use agent::Observed;
use scene::Scene;

/// Calls in one run of the real program: its start costs as much as judging a hundred of them.
const CALLS_PER_SHEET: usize = 100;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Options {
    /// The seed; without one a fresh seed, which is printed.
    pub seed: Option<u64>,
    /// How many calls.
    pub cases: usize,
    /// Claude Code, where it is not the pinned one.
    pub claude: Option<PathBuf>,
    /// A version of Claude Code to compare with, by number or by npm's word for it.
    pub against: Option<String>,
    /// `cairn`, where it is not to be built.
    pub cairn: Option<PathBuf>,
    /// Where to write every call with both verdicts, a JSON object a line.
    pub out: Option<PathBuf>,
}

/// How the calls of a run came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    alike: usize,
    stricter: usize,
    wider: usize,
    unjudged: usize,
}

/// Runs the comparison; true means that no verdict was wider.
///
/// # Errors
/// A program is missing, cannot be built, or does not answer.
pub fn run(context: &Context, options: &Options) -> Result<bool> {
    let toolbox = Toolbox::new(context);
    let programs = agent::Programs {
        claude: match &options.claude {
            Some(path) => path.clone(),
            None => toolbox
                .get(Need::ClaudeCode)
                .context("Claude Code is not installed and cannot be")?,
        },
        python: toolbox.get(Need::Python).context("Python 3 is missing")?,
        model: context.checkout.join("tests/claude/stub_messages_api.py"),
        server: context.checkout.join("tests/claude/stub_mcp_server.py"),
    };
    let cairn = match &options.cairn {
        Some(path) => path.clone(),
        None => build(context)?,
    };
    let version = process::answer(&programs.claude, &["--version"])
        .context("Claude Code does not say its version")?;
    let seed = options.seed.unwrap_or_else(fresh_seed);
    println!("Claude Code {version}, seed {seed}");
    let mut change = match &options.against {
        Some(other) => Some(change::Change::new(&toolbox, &programs, other)?),
        None => None,
    };
    let mut out = match &options.out {
        Some(path) => Some(fs::File::create(path).with_context(|| path.display().to_string())?),
        None => None,
    };
    let mut tally = Tally::default();
    let sheets = options.cases.div_ceil(CALLS_PER_SHEET).max(1);
    for position in 0..sheets {
        let left = options.cases.saturating_sub(position * CALLS_PER_SHEET);
        let position = u64::try_from(position)?;
        let sheet = grammar::sheet(seed, position, left.min(CALLS_PER_SHEET));
        let rows = judged(&programs, &cairn, &sheet, position)?;
        if let Some(change) = &mut change {
            change.compare(&sheet, position, &rows)?;
        }
        for row in &rows {
            tally.count(row);
            if let Some(out) = &mut out {
                writeln!(out, "{row}")?;
            }
        }
    }
    println!(
        "of {} calls {} as Claude Code decides them, {} stricter, {} wider, {} without its verdict",
        options.cases, tally.alike, tally.stricter, tally.wider, tally.unjudged
    );
    if let Some(change) = &change {
        println!("{change}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        tally.alike + tally.stricter,
        tally.wider,
        tally.unjudged
    );
    let wider_there = change.is_some_and(|change| change.has_wider());
    Ok(tally.wider == 0 && !wider_there)
}

/// Every call of a sheet as a row with both verdicts.
fn judged(
    programs: &agent::Programs,
    cairn: &Path,
    sheet: &grammar::Sheet,
    position: u64,
) -> Result<Vec<Value>> {
    let name = format!("cairn-conformance-{}-{position}", std::process::id());
    let root = std::env::temp_dir().join(name);
    let scene = Scene::new(&root)?;
    let observed = scene.ask(programs, sheet);
    let rows: Vec<Value> = sheet
        .calls
        .iter()
        .map(|(tool, input)| scene.row(sheet, tool, input))
        .collect();
    let ours = verdicts(cairn, &rows);
    fs::remove_dir_all(&root)?;
    let rows = rows.into_iter().zip(observed?).zip(ours?);
    Ok(rows
        .enumerate()
        .map(|(call, ((mut row, theirs), ours))| {
            let Observed { effective, told } = theirs;
            row["sheet"] = json!(position);
            row["call"] = json!(call);
            row["effective"] = json!(effective);
            row["why"] = json!(told);
            row["cairn"] = ours;
            row
        })
        .collect())
}

/// Asks `cairn policy verdict` about rows.
fn verdicts(cairn: &Path, rows: &[Value]) -> Result<Vec<Value>> {
    let mut child = Command::new(cairn)
        .args(["policy", "verdict", "--cases", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", cairn.display()))?;
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let mut input = child.stdin.take().context("no standard input")?;
    // Written beside reading: neither side may wait for the other's full pipe.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    let written = writer.join();
    if !matches!(written, Ok(Ok(()))) {
        bail!("`cairn policy verdict` did not take every row");
    }
    let answers: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    if answers.len() != rows.len() {
        bail!("{} verdicts for {} rows", answers.len(), rows.len());
    }
    Ok(answers)
}

/// How strict an effect is; `None` for what is no verdict.
fn rank(effect: &Value) -> Option<u8> {
    match effect.as_str() {
        Some("allow") => Some(0),
        Some("ask") => Some(1),
        Some("deny") => Some(2),
        _ => None,
    }
}

impl Tally {
    fn count(&mut self, row: &Value) {
        match (rank(&row["effective"]), rank(&row["cairn"]["effective"])) {
            (None, _) => self.unjudged += 1,
            (Some(theirs), Some(ours)) if ours == theirs => self.alike += 1,
            (Some(theirs), Some(ours)) if ours > theirs => self.stricter += 1,
            // No verdict where the program has one is as bad as a wider one.
            _ => {
                self.wider += 1;
                println!(
                    "WIDER: sheet {} call {}: {} {}\n  rules {}\n  Claude Code: {} ({})\n  Cairn: {}",
                    row["sheet"],
                    row["call"],
                    row["tool"],
                    row["input"],
                    row["permissions"],
                    row["effective"],
                    row["why"],
                    row["cairn"]
                );
            }
        }
    }
}

fn build(context: &Context) -> Result<PathBuf> {
    Process::new(context, "build the programs", "cargo")
        .args(crate::demo::programs::SELECTION)
        .must()?;
    Ok(context.cache.programs().join("cairn"))
}

fn fresh_seed() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_wider_verdict_fails() {
        let mut tally = Tally::default();
        for (theirs, ours) in [
            ("allow", "ask"),
            ("ask", "ask"),
            ("deny", "ask"),
            ("", "ask"),
        ] {
            tally.count(&json!({"effective": theirs, "cairn": {"effective": ours}}));
        }
        tally.count(&json!({"effective": "ask", "cairn": {"error": "x"}}));
        let expected = Tally {
            alike: 1,
            stricter: 1,
            wider: 2,
            unjudged: 1,
        };
        assert_eq!(tally, expected);
    }
}
