//! `cairn org prune`: the administrators agree that old entries of the log go.
//!
//! Owns comparing the server's plan with what this program works out from the log itself, and signing it.
//! Once the entries are gone nobody can work it out again, and what was left out is lost without a trace:
//! so the server's word is signed only where the administrator says so.
//!
//! Source: `docs/formats/administrative.md`, "Pruning a log".

mod survey;

use super::admin::{Administrator, read};
use super::{AdminArguments, print_json};
use crate::clock::now_ms;
use anyhow::{Context as _, bail, ensure};
use cairn_event::Sha256;
use cairn_event::administrative::LogPrune;
use cairn_event::body::Body;
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use survey::{Found, Log, check_age};

/// How often the reading says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// What is to be signed.
#[derive(Debug, Args)]
pub struct PruneArguments {
    /// File with what `cairn-server prune --plan` printed.
    #[arg(long)]
    plan: PathBuf,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Sign what the server has worked out without reading the log. A server that leaves something out can
    /// then lose it for ever: only for a plan that somebody else has compared with the log.
    #[arg(long)]
    believe_server: bool,
}

/// What `cairn-server prune --plan` printed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    origin: String,
    days: u64,
    from: u64,
    to: u64,
    kept: Sha256,
    kept_entries: u64,
    pruned_entries: u64,
}

/// Signs a plan into the log, once the log itself says the same.
pub(super) async fn order(
    arguments: &AdminArguments,
    PruneArguments {
        plan: path,
        reason,
        believe_server,
    }: PruneArguments,
    as_json: bool,
) -> anyhow::Result<()> {
    let shown = || format!("`{}`", path.display());
    let plan: Plan = serde_json::from_slice(&read(&path)?).with_context(shown)?;
    plan.check_form().with_context(shown)?;
    let order = LogPrune {
        days: plan.days,
        from: plan.from,
        kept: plan.kept,
        reason,
        to: plan.to,
    };
    if believe_server {
        tell!("cairn: warning: what must stay is the server's word");
    } else {
        compare(arguments, &plan, &order).await?;
    }
    // Signed in only now: a token does not last as long as reading a log may take.
    let administrator = Administrator::open(arguments).await?;
    check_origin(&administrator, &plan)?;
    let done = administrator.submit(Body::LogPrune(order), &[]).await?;
    if as_json {
        return print_json(&json!({
            "index": done.index, "from": plan.from, "to": plan.to, "days": plan.days,
            "kept": plan.kept, "compared": !believe_server, "witnesses": done.witnesses,
        }));
    }
    say!("entry     {}", done.index);
    say!("range     {} to {}", plan.from, plan.to);
    say!(
        "goes      {} entries, older than {} days",
        plan.pruned_entries,
        plan.days
    );
    say!("stays     {} entries, and every hash", plan.kept_entries);
    say!("");
    say!("Have an auditor run `cairn-audit log` now: it works out again what must stay.");
    say!("Take the packs and backups you need. Then run `cairn-server prune` on the server.");
    Ok(())
}

impl Plan {
    /// Numbers that fit each other, before anybody reads a log for them.
    fn check_form(&self) -> anyhow::Result<()> {
        let step = LogPrune::STEP;
        let whole = self.from.is_multiple_of(step) && self.to.is_multiple_of(step);
        ensure!(
            whole && self.from < self.to && self.days > 0,
            "it is no range of whole bundles and days"
        );
        let entries = self.kept_entries.checked_add(self.pruned_entries);
        ensure!(
            entries == Some(self.to - self.from),
            "what goes and what stays do not make up the range"
        );
        Ok(())
    }
}

fn check_origin(administrator: &Administrator, plan: &Plan) -> anyhow::Result<()> {
    let origin = &administrator.org.origin;
    ensure!(
        plan.origin == *origin,
        "the plan is for log `{}`, this is `{origin}`",
        plan.origin
    );
    Ok(())
}

/// Reads the log and holds the plan against it.
async fn compare(arguments: &AdminArguments, plan: &Plan, order: &LogPrune) -> anyhow::Result<()> {
    if arguments.trust_policy.is_none() {
        bail!("give `--trust-policy`: a server's own would let it choose its witnesses");
    }
    let administrator = Administrator::open(arguments).await?;
    check_origin(&administrator, plan)?;
    let log = Log {
        client: &administrator.client,
        policy: administrator.trust_policy(),
        origin: &administrator.org.origin,
        genesis: administrator.org.genesis_leaf,
    };
    let mut said = Instant::now();
    let progress = |done: u64, all: u64| {
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            tell!("cairn: {done} of {all} entries read");
        }
    };
    let found = log.survey(order.from..order.to, progress).await?;
    hold(plan, &found)?;
    check_age(&found, order, now_ms() / 1_000)
}

/// Refuses where the server has worked out something else than the log says.
fn hold(plan: &Plan, found: &Found) -> anyhow::Result<()> {
    let Found {
        kept, kept_entries, ..
    } = found;
    if (plan.kept, plan.kept_entries) == (*kept, *kept_entries) {
        return Ok(());
    }
    bail!(
        "not signed: the server would keep {} entries with digest `{}`, by the log {kept_entries} with digest \
         `{kept}` must stay; have the log audited before anything is pruned",
        plan.kept_entries,
        plan.kept
    )
}
