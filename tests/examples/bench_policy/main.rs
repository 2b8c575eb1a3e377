//! Decisions over the largest bundle there may be: how long one takes, and what it needs of memory.
//!
//! Owns the bundle, the calls and the timing, and prints one JSON object a line:
//! `{"name","value","unit"}`. Nothing here is on disk or on a network: it is the pure decision.
//!
//! ```text
//! bench_policy [ROUNDS]      each round decides every call once
//! ```
//!
//! Source: `docs/performance.md`.

mod calls;
mod hostile;
mod rules;

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use cairn_event::{Effect, Posture, PostureValue};
use cairn_policy::{
    Bundle, CompiledBundle, Request, Subject, compile, cost, decide, paths_to_resolve,
};
use cairn_tests::figures::{percentile, print};

/// Rounds when the command line names no number.
const ROUNDS: usize = 1_000;

/// The most rounds: a run ends by itself within minutes.
const ROUNDS_MAX: usize = 100_000;

/// Rounds over the hostile calls; each of them may take milliseconds.
const HOSTILE_ROUNDS: usize = 4;

fn main() -> Result<()> {
    let rounds = match std::env::args().nth(1) {
        Some(text) => text
            .parse::<usize>()
            .with_context(|| format!("`{text}` is not a number"))?,
        None => ROUNDS,
    };
    let rounds = rounds.clamp(1, ROUNDS_MAX);
    let empty = resident("VmRSS")?;
    let bundle = rules::mixed();
    let written = bundle.canonical_bytes()?;
    drop(bundle);
    print("policy.bundle", written.len() as f64, "bytes");
    let begun = Instant::now();
    let compiled = load(&Bundle::parse(&written)?)?;
    print("policy.compile", begun.elapsed().as_secs_f64() * 1e3, "ms");
    drop(written);
    let (subject, posture) = (subject(), posture());
    let calls = calls::ordinary();
    let mut times = time(&calls, rounds, &compiled, &subject, &posture);
    report("policy.decision", &mut times)?;
    print("policy.resident", resident("VmRSS")? - empty, "MiB");
    print("policy.resident.peak", resident("VmHWM")?, "MiB");

    let mut times = parse_bare(&calls, rounds)?;
    report("primitive.json_parse", &mut times)?;
    hurt("mixed", &compiled, &subject, &posture)?;
    drop(compiled);

    let alike = load(&rules::alike())?;
    let calls = calls::alike();
    let mut times = time(&calls, rounds, &alike, &subject, &posture);
    report("policy.decision.alike", &mut times)?;
    drop(alike);
    hurt("wild", &load(&rules::wild())?, &subject, &posture)
}

fn load(bundle: &Bundle) -> Result<CompiledBundle> {
    let compiled = compile(bundle);
    compiled.map_err(|problems| anyhow::anyhow!("the bundle does not compile: {problems:?}"))
}

/// Somebody in three teams and with two roles.
fn subject() -> Subject {
    Subject {
        person: rules::person(7),
        teams: [3, 77, 250].map(rules::team).to_vec(),
        roles: vec!["developer".into(), "on-call".into()],
    }
}

fn posture() -> Posture {
    let value = |value: &str| PostureValue {
        value: value.into(),
        evidence: 3,
        age_ms: 100,
        source: "bench".into(),
    };
    let fields = [
        ("disk_encryption", "on"),
        ("endpoint_protection", "running"),
    ];
    Posture(
        fields
            .map(|(name, one)| (name.to_owned(), value(one)))
            .into(),
    )
}

/// The time of each single decision.
fn time(
    calls: &[Request],
    rounds: usize,
    bundle: &CompiledBundle,
    subject: &Subject,
    posture: &Posture,
) -> Vec<Duration> {
    let mut times = Vec::with_capacity(calls.len() * rounds);
    for _ in 0..rounds {
        for call in calls {
            let begun = Instant::now();
            black_box(decide(black_box(call), bundle, subject, posture, 1));
            times.push(begun.elapsed());
        }
    }
    times
}

/// What reading the same calls as JSON costs: the least that anybody who judges them does.
fn parse_bare(calls: &[Request], rounds: usize) -> Result<Vec<Duration>> {
    let texts: Vec<String> = calls
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<_, _>>()?;
    let mut times = Vec::with_capacity(texts.len() * rounds);
    for _ in 0..rounds {
        for text in &texts {
            let begun = Instant::now();
            black_box(serde_json::from_str::<serde_json::Value>(black_box(text))?);
            times.push(begun.elapsed());
        }
    }
    Ok(times)
}

/// The CPU time that each hostile call takes, once its paths are resolved and with finding them; nothing
/// of it may be allowed but what is one plain command, however long.
fn hurt(rules: &str, bundle: &CompiledBundle, subject: &Subject, posture: &Posture) -> Result<()> {
    let mut worst = (0.0, 0.0);
    for (kind, call) in hostile::all() {
        let before = cpu()?;
        for _ in 0..HOSTILE_ROUNDS {
            black_box(decide(black_box(&call), bundle, subject, posture, 1));
        }
        let decided = (cpu()? - before) / HOSTILE_ROUNDS as f64;
        let before = cpu()?;
        for _ in 0..HOSTILE_ROUNDS {
            let input = black_box(&call.input);
            black_box(paths_to_resolve(&call.tool, input, &call.cwd, &call.home));
        }
        let found = (cpu()? - before) / HOSTILE_ROUNDS as f64;
        worst = (decided.max(worst.0), found.max(worst.1));
        if decided + found >= WORTH_NAMING_MS {
            let cost = cost(&call, bundle, subject, posture, 1);
            eprintln!("{rules}: {kind}: {decided:.1} ms, {found:.1} ms for its paths, {cost:?}");
        }
        let effect = decide(&call, bundle, subject, posture, 1).effect;
        let refused = effect != Effect::Allow;
        ensure!(refused || is_plain(&call), "allowed: {}", call.input);
    }
    print(&format!("policy.hostile.{rules}.max"), worst.0, "ms");
    print(&format!("policy.hostile.{rules}.paths.max"), worst.1, "ms");
    Ok(())
}

/// Whether a call is one command of plain words: a rule for it may allow that.
fn is_plain(call: &Request) -> bool {
    let line = call.input["command"].as_str().unwrap_or("$");
    line.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b' ')
}

/// Hostile calls from so many milliseconds on are named among the diagnostics.
const WORTH_NAMING_MS: f64 = 10.0;

/// The CPU time of this thread in milliseconds, as fresh as the scheduler's last tick.
fn cpu() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().context("no time in `schedstat`")?;
    Ok(nanoseconds.parse::<f64>()? / 1e6)
}

/// Percentiles in microseconds, and the longest.
fn report(name: &str, times: &mut [Duration]) -> Result<()> {
    times.sort_unstable();
    for percent in [50, 99] {
        let value = percentile(times, percent) * 1e3;
        print(&format!("{name}.p{percent}"), value, "us");
    }
    let longest = times.last().context("nothing was timed")?;
    print(&format!("{name}.max"), longest.as_secs_f64() * 1e6, "us");
    Ok(())
}

/// A size that the kernel keeps of this process, in mebibytes.
fn resident(member: &str) -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(member));
    let line = line.with_context(|| format!("no `{member}` in `status`"))?;
    let kib = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    Ok(kib.parse::<f64>()? / 1_024.0)
}
