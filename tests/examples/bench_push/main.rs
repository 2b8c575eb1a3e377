//! Many agents in one process, and the time from `cairn policy apply` until each enforces the new rules.
//!
//! Owns the agents and the timing, and prints one JSON object a line: `{"name","value","unit"}`. Each
//! agent has a key, a token and a stream of its own. All start at once, as a fleet does in the morning, and
//! read the roster from its beginning. Then each does what a daemon does with a push: it takes what the
//! stream brings, or fetches it, verifies entry and witnessed receipt with the daemon's own code, compiles
//! the rules and swaps them in. It has no spool: a daemon also writes both files and the record of the
//! change, on its own disk.
//!
//! ```text
//! bench_push OFFICE SERVER TRUST_POLICY AGENTS PROGRAM [WORD…]      PROGRAM is what puts a policy in force
//! ```

mod agent;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agent::{Agent, Pins};
use anyhow::{Context as _, Result, bail, ensure};
use cairn_api::Client;
use cairn_api::submission::Wait;
use cairn_event::Entry;
use cairn_tests::figures::{percentile, print};
use cairn_tests::fleet::{self, ADMITTED_AT_ONCE, Office};
use tokio::process::Command;
use tokio::sync::mpsc;

/// The most agents: each holds a connection, and a run ends by itself.
const AGENTS_MAX: usize = 5_000;

/// Longest wait for all agents to be up, and then to have the change.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [office, server, trust_policy, agents, program, rest @ ..] = words.as_slice() else {
        bail!("expected OFFICE SERVER TRUST_POLICY AGENTS PROGRAM [WORD…]");
    };
    let agents: usize = agents.parse().context("AGENTS is not a number")?;
    ensure!(
        (1..=AGENTS_MAX).contains(&agents),
        "1 to {AGENTS_MAX} agents"
    );
    let office = Office::open(Path::new(office))?;
    let client = Client::new(server)?;
    let fleet = fleet::devices(0, agents);
    for (number, some) in fleet.chunks(ADMITTED_AT_ONCE).enumerate() {
        let frame = office.roster(some, number as u64 + 1)?;
        client.submit(&[frame], Wait::Witnessed, PATIENCE).await?;
    }
    let genesis = client.genesis().await?.entry;
    let leaf = Entry::parse(genesis.as_bytes())?.leaf();
    let trust_policy = std::fs::read_to_string(trust_policy)?;
    let pins = Arc::new(Pins::new(&office.origin, &genesis, &leaf, &trust_policy)?);

    let (told, mut events) = mpsc::unbounded_channel();
    let retries = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    for device in fleet {
        let agent = Agent::new(Arc::clone(&pins), device, &client, Arc::clone(&retries))?;
        tokio::spawn(agent.follow(told.clone()));
    }
    drop(told);
    let up = collect(&mut events, agents, 1)
        .await
        .context("agents that start")?;
    let mut up: Vec<Duration> = up.iter().map(|at| at.duration_since(started)).collect();
    up.sort_unstable();
    print("policy.start.p50", percentile(&up, 50), "ms");
    print("policy.start.last", percentile(&up, 100), "ms");
    print(
        "policy.start.retries",
        retries.load(Ordering::Relaxed) as f64,
        "",
    );
    let begun = Instant::now();
    let apply = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let said = apply.wait_with_output();
    let at = collect(&mut events, agents, 2)
        .await
        .context("agents that are told")?;
    ensure!(said.await?.status.success(), "`{program}` failed");
    let mut times: Vec<Duration> = at.iter().map(|at| at.duration_since(begun)).collect();
    times.sort_unstable();
    print("policy.push.agents", agents as f64, "");
    print("policy.push.first", percentile(&times, 0), "ms");
    for percent in [50, 99] {
        print(
            &format!("policy.push.p{percent}"),
            percentile(&times, percent),
            "ms",
        );
    }
    Ok(())
}

/// Waits until every agent enforces a version; gives when each began to.
async fn collect(
    events: &mut mpsc::UnboundedReceiver<Result<(u64, Instant)>>,
    agents: usize,
    version: u64,
) -> Result<Vec<Instant>> {
    let mut at = Vec::with_capacity(agents);
    while at.len() < agents {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        let event = event.with_context(|| format!("{} of {agents} have it", at.len()))?;
        let (enforced, when) = event.context("all agents ended")??;
        if enforced == version {
            at.push(when);
        }
    }
    Ok(at)
}
