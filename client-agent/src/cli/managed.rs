//! `cairn install`, `cairn uninstall` and `cairn canary`: this machine under Cairn, and the proof.

use super::policy::Document;
use super::{InstallArguments, UninstallArguments, print_json};
use crate::circumstances::Circumstances;
use crate::clock::now_ms;
use crate::enrolment::Identity;
use crate::managed::{self, Done, Options, Place, Report};
use crate::policy::{Enforcement, Syncer};
use crate::state::StateDir;
use anyhow::bail;
use cairn_policy::Bundle;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn install(arguments: &InstallArguments, as_json: bool) -> anyhow::Result<ExitCode> {
    if !arguments.managed {
        bail!(
            "say `--managed`; without privilege there is nothing to install, start `cairn claude`"
        );
    }
    let cairn = std::env::current_exe()?;
    let cairn = cairn.canonicalize().unwrap_or(cairn);
    let bundle = match &arguments.policy {
        Some(path) => Some(given(path)?),
        None => in_force(),
    };
    let options = Options {
        hook: cairn.with_file_name("cairn-hook"),
        cairn,
        state: arguments.state.clone(),
        server: arguments.server.clone(),
        bundle,
        managed_mcp: arguments.managed_mcp,
        now_ms: now_ms(),
    };
    let place = place(arguments.root.as_deref())?;
    let report = managed::install(&place, &options, arguments.dry_run)?;
    print(&report, arguments.dry_run, as_json)?;
    for name in &report.left_out {
        tell!(
            "cairn: MCP server `{name}` holds values of variables or headers, or is for some only, so it \
             is not in a file that everybody can read; `cairn claude` starts it, and plain `claude` when it is at an https address"
        );
    }
    if place.is_machine() && !arguments.dry_run && !as_json {
        say!("Each developer enrols once; then `cairn canary` proves that Claude Code obeys.");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn uninstall(arguments: &UninstallArguments, as_json: bool) -> anyhow::Result<ExitCode> {
    if !arguments.managed {
        bail!("say `--managed`; state folders of developers are never taken away");
    }
    let place = place(arguments.root.as_deref())?;
    let report = managed::uninstall(&place, arguments.dry_run)?;
    print(&report, arguments.dry_run, as_json)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn canary(state: &StateDir, as_json: bool) -> anyhow::Result<ExitCode> {
    let proof = managed::canary(state)?;
    if as_json {
        print_json(&proof)?;
    } else {
        say!(
            "enforced: Claude Code {} ran what was allowed (log index {}) and did not run what was \
             denied (log index {})",
            proof.version,
            proof.allowed,
            proof.denied
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn place(root: Option<&Path>) -> anyhow::Result<Place> {
    match root {
        Some(root) => {
            let root = std::path::absolute(root)?;
            if !root.is_dir() {
                bail!("`{}` is not a folder", root.display());
            }
            Ok(Place::at(&root))
        }
        None => Ok(Place::machine()),
    }
}

/// A bundle that was given as a file; its version and log do not matter here.
fn given(path: &Path) -> anyhow::Result<Bundle> {
    Ok(Document::open(path)?.bundle)
}

/// The verified policy in force of the device this command runs on, where it is enrolled.
fn in_force() -> Option<Bundle> {
    let state = StateDir::from_environment().ok()?;
    let identity = Identity::load(&state).ok()?;
    let enforcement = Arc::new(Enforcement::default());
    let circumstances = Arc::new(Circumstances::new(&identity));
    Syncer::load(&state, &identity, Arc::clone(&enforcement), circumstances).ok()?;
    let in_force = enforcement.now();
    let active = in_force.usable(now_ms()).ok()?;
    Some(active.compiled.bundle().clone())
}

fn print(report: &Report, dry_run: bool, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let paths: Vec<_> = report
            .paths
            .iter()
            .map(|(path, done, text)| {
                let text = text.as_ref().filter(|_| dry_run);
                json!({ "path": path, "action": word(*done), "content": text })
            })
            .collect();
        return print_json(
            &json!({ "dry_run": dry_run, "paths": paths, "left_out": report.left_out }),
        );
    }
    for (path, done, text) in &report.paths {
        say!("{:<10} {path}", word(*done));
        if let Some(text) = text
            .as_ref()
            .filter(|_| dry_run && *done != Done::Unchanged)
        {
            for line in text.lines() {
                say!("           | {line}");
            }
        }
    }
    if dry_run {
        say!("Nothing was changed.");
    }
    Ok(())
}

fn word(done: Done) -> &'static str {
    match done {
        Done::Created => "create",
        Done::Replaced => "replace",
        Done::Unchanged => "unchanged",
        Done::Removed => "remove",
        Done::Left => "left",
    }
}
