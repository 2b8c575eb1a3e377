//! `cairn org prune`: the administrators agree that old entries of the log go.
//!
//! Owns reading the plan and signing it. The plan is the server's word about what must stay; any auditor
//! works that out again as long as the entries are there, and the server prunes nothing by an entry that
//! says otherwise.
//!
//! Source: `docs/formats/administrative.md`, "Pruning a log".

use super::admin::{Administrator, read};
use super::{AdminArguments, print_json};
use anyhow::{Context as _, bail};
use cairn_event::Sha256;
use cairn_event::administrative::LogPrune;
use cairn_event::body::Body;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;

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

/// Signs a plan into the log.
pub(super) async fn order(
    arguments: &AdminArguments,
    plan: &Path,
    reason: String,
    as_json: bool,
) -> anyhow::Result<()> {
    let shown = || format!("`{}`", plan.display());
    let read: Plan = serde_json::from_slice(&read(plan)?).with_context(shown)?;
    let administrator = Administrator::open(arguments).await?;
    let origin = &administrator.org.origin;
    if read.origin != *origin {
        bail!(
            "{} is a plan for log `{}`, this is `{origin}`",
            shown(),
            read.origin
        );
    }
    let order = LogPrune {
        days: read.days,
        from: read.from,
        kept: read.kept,
        reason,
        to: read.to,
    };
    let done = administrator.submit(Body::LogPrune(order), &[]).await?;
    if as_json {
        return print_json(&json!({
            "index": done.index, "from": read.from, "to": read.to, "days": read.days,
            "witnesses": done.witnesses,
        }));
    }
    println!("entry     {}", done.index);
    println!("range     {} to {}", read.from, read.to);
    println!(
        "goes      {} entries, older than {} days",
        read.pruned_entries, read.days
    );
    println!("stays     {} entries, and every hash", read.kept_entries);
    println!(
        "\nHave an auditor run `cairn-audit log` now: it works out again what must stay. Take the packs and\n\
         backups you need. Then run `cairn-server prune` on the server."
    );
    Ok(())
}
