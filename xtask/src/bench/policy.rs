//! Decisions over the largest bundle, the way of a change to many agents, and the daemon at rest.
//!
//! It owns the limits that the figures are compared with. The hook as a whole is measured by `hook`, which
//! runs in the same run.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::bench::figures::Figures;
use crate::bench::log::WITNESSES;
use crate::bench::organisation::Organisation;
use crate::bench::programs::Programs;
use crate::bench::scale::{MIB, resident};
use crate::demo::infrastructure::run;

/// Agents that are connected when the policy changes.
const AGENTS: usize = 1_000;

/// How long the daemon is watched doing nothing: long enough for a heartbeat.
const IDLE: Duration = Duration::from_secs(70);

/// Ticks a second in `/proc`: `USER_HZ`, which is 100 on every architecture of Linux we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the figures must not exceed, so that a ratio of 1 or less says that they do not.
const LIMITS: [(&str, f64, &str); 7] = [
    ("limit.decision.p50", 20.0, "us"),
    ("limit.decision.p99", 100.0, "us"),
    ("limit.decision.memory", 64.0, "MiB"),
    ("limit.hostile", 50.0, "ms"),
    ("limit.push.p99", 1_000.0, "ms"),
    ("limit.idle.memory", 30.0, "MiB"),
    ("limit.idle.cpu", 0.5, "%"),
];

/// What is measured, and the limit it is held against.
const COMPARED: [(&str, &str); 10] = [
    ("policy.decision.p50", "limit.decision.p50"),
    ("policy.decision.p99", "limit.decision.p99"),
    ("policy.decision.alike.p50", "limit.decision.p50"),
    ("policy.decision.alike.p99", "limit.decision.p99"),
    ("policy.resident", "limit.decision.memory"),
    ("policy.hostile.mixed.max", "limit.hostile"),
    ("policy.hostile.wild.max", "limit.hostile"),
    ("policy.push.p99", "limit.push.p99"),
    ("daemon.idle.resident", "limit.idle.memory"),
    ("daemon.idle.cpu", "limit.idle.cpu"),
];

/// Measures decisions and the way of a change; the daemon at rest is [`idle`].
///
/// # Errors
/// A program fails, or an agent does not get the change.
pub fn measure(programs: &Programs, root: &Path, figures: &mut Figures) -> Result<()> {
    for (name, value, unit) in LIMITS {
        figures.add(name, value, unit);
    }
    figures.add_lines(&run(&mut Command::new(programs.example("bench_policy")))?)?;
    push(programs, root, figures)?;
    for (name, limit) in COMPARED {
        figures.compare(name, limit)?;
    }
    Ok(())
}

/// A change of policy from `apply` to the last of many agents, witnessed receipt included.
fn push(programs: &Programs, root: &Path, figures: &mut Figures) -> Result<()> {
    let organisation = Organisation::start(programs, root, &WITNESSES)?;
    let file = |version: u64| -> Result<std::path::PathBuf> {
        let path = root.join(format!("policy-{version}.json"));
        fs::write(&path, bundle(version).to_string())?;
        Ok(path)
    };
    let mut apply = organisation.administrator(programs, &["policy", "apply"]);
    run(apply.arg(file(1)?))?;
    let mut change = organisation.administrator(programs, &["policy", "apply"]);
    change.arg(file(2)?);
    let mut agents = Command::new(programs.example("bench_push"));
    agents.arg(&organisation.office).arg(&organisation.server);
    agents
        .arg(&organisation.trust_policy)
        .arg(AGENTS.to_string());
    agents.arg(change.get_program()).args(change.get_args());
    figures.add_lines(&run(&mut agents)?)
}

fn bundle(version: u64) -> Value {
    json!({
        "schema": 1, "origin": "cairn.bench/acme", "version": version, "created_ms": 0,
        "default": "no-opinion", "mode": "enforce", "max_posture_age_ms": 10_000,
        "spool_full": "deny", "prompts": "hash", "contact": "security@acme.example", "gates": [],
        "mcp": { "default": "block", "allow": [], "deny": [], "servers": {} },
        "rules": (0..10).map(|number| json!({
            "id": format!("rule-{number}"), "effect": "deny", "dialect": "cairn",
            "pattern": format!("Bash(kubectl delete {number} *)"), "scope": { "global": true },
        })).collect::<Vec<_>>(),
    })
}

/// Memory and share of a core of a daemon that nobody asks anything.
///
/// # Errors
/// The process ended.
pub fn idle(pid: u32, figures: &mut Figures) -> Result<()> {
    let (begun, before) = (Instant::now(), cpu_seconds(pid)?);
    thread::sleep(IDLE);
    let used = cpu_seconds(pid)? - before;
    let share = used / begun.elapsed().as_secs_f64() * 100.0;
    figures.add("daemon.idle.resident", resident(pid, "VmRSS")? / MIB, "MiB");
    figures.add("daemon.idle.cpu", share, "%");
    Ok(())
}

/// Seconds of CPU time, user and system, of a process and its threads.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(')').context("no name in `stat`")?;
    // Fields 14 and 15, counted from 1 with the identifier and the name.
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks = ticks.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / TICKS_PER_SECOND)
}
