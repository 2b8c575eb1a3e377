//! `cairn policy`: from settings or YAML to a bundle in force.
//!
//! Owns import, export, apply and show; documents, reviews, verdicts and simulations have their own files.

pub(super) mod document;
mod review;
mod simulate;
mod standing;
mod verdict;

use super::admin::{Administrator, Done, read};
use super::{AdminArguments, PolicyCommand, print_json};
use crate::clock::now_ms;
use crate::policy::Stored;
use crate::state::StateDir;
use anyhow::{Context as _, bail};
use cairn_event::Sha256;
use cairn_event::administrative::PolicyStatement;
use cairn_event::body::Body;
use cairn_event::encoding::from_base64url;
use cairn_event::{Effect, Entry};
use cairn_policy::{
    Bundle, SettingsSource, compile, export_settings, import_settings, lint_bundle_at,
};
pub(super) use document::Document;
use document::NO_ORIGIN;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs a command that needs no state of a device; `None` for the one that does.
pub(super) async fn run(
    command: &PolicyCommand,
    as_json: bool,
) -> anyhow::Result<Option<ExitCode>> {
    let done = match command {
        PolicyCommand::Import { settings, contact } => import(settings, contact),
        PolicyCommand::Export { bundle } => export(bundle),
        PolicyCommand::Lint { bundle } => review::lint(bundle, as_json),
        PolicyCommand::Test { bundle, tests } => review::test(bundle, tests, as_json),
        PolicyCommand::Diff { old, new } => review::diff(old, new, as_json),
        PolicyCommand::Plan { admin, bundle } => review::plan(admin, bundle, as_json).await,
        PolicyCommand::Apply { admin, bundle } => apply(admin, bundle, as_json).await,
        PolicyCommand::Simulate {
            admin,
            bundle,
            days,
        } => simulate::run(admin, bundle, *days, as_json).await,
        PolicyCommand::Verdict { cases } => verdict::run(cases),
        PolicyCommand::Status { admin } => standing::run(admin, as_json).await,
        PolicyCommand::Show => return Ok(None),
    };
    done.map(Some)
}

fn export(path: &Path) -> anyhow::Result<ExitCode> {
    let exported = export_settings(&Document::open(path)?.bundle);
    print_json(&exported.settings)?;
    for left_out in &exported.left_out {
        eprintln!("note: {left_out}");
    }
    Ok(ExitCode::SUCCESS)
}

fn import(settings: &[PathBuf], contact: &str) -> anyhow::Result<ExitCode> {
    let mut bundle = Bundle::empty(NO_ORIGIN, contact);
    for (position, path) in settings.iter().enumerate() {
        let absolute = std::path::absolute(path)?;
        let imported = import_settings(&read(&absolute)?, &source(&absolute))
            .with_context(|| format!("`{}`", path.display()))?;
        for mut rule in imported.rules {
            // Two files have rules of the same number.
            if settings.len() > 1 {
                rule.id = format!("{}-{}", position + 1, rule.id);
            }
            bundle.rules.push(rule);
        }
        if position == 0 {
            bundle.mcp = imported.mcp;
        } else {
            bundle.mcp.allow.extend(imported.mcp.allow);
            bundle.mcp.deny.extend(imported.mcp.deny);
        }
        for lint in imported.lints {
            eprintln!(
                "{}: {} {}: {}",
                path.display(),
                lint.pattern,
                advice(&lint.instead),
                lint.kind
            );
        }
    }
    let mut value = serde_json::to_value(&bundle)?;
    if let Some(members) = value.as_object_mut() {
        // `apply` fills these in.
        for member in ["created_ms", "origin", "version"] {
            members.remove(member);
        }
    }
    print_json(&value)?;
    Ok(ExitCode::SUCCESS)
}

/// Where a settings file belongs, by where it lies.
fn source(path: &Path) -> SettingsSource {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let in_claude = folder.file_name().is_some_and(|name| name == ".claude");
    let home = std::env::var_os("HOME").map(PathBuf::from);
    if folder.starts_with("/etc/claude-code") {
        SettingsSource::Managed { dir: text(folder) }
    } else if in_claude && folder.parent() != home.as_deref() {
        let root = text(folder.parent().unwrap_or(folder));
        if name == "settings.local.json" {
            SettingsSource::Local { cwd: root }
        } else {
            SettingsSource::Project {
                root,
                trusted: true,
            }
        }
    } else if in_claude {
        SettingsSource::User {
            config_dir: text(folder),
        }
    } else {
        SettingsSource::FlagFile { dir: text(folder) }
    }
}

fn advice(instead: &[String]) -> String {
    if instead.is_empty() {
        String::new()
    } else {
        format!("(write {})", instead.join(" and "))
    }
}

async fn apply(arguments: &AdminArguments, path: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut administrator = Administrator::open(arguments).await?;
    let in_force = administrator.client.policy(None).await?;
    let (revision, version) = match &in_force {
        Some(answer) => {
            let statement = administrator.basis.policy(answer)?.statement;
            (statement.revision, statement.version)
        }
        None => (0, 0),
    };
    let origin = &administrator.org.origin;
    let bundle = Document::for_log(path, origin, version.saturating_add(1))?.bundle;
    if bundle.version <= version {
        bail!(
            "the bundle has version {}, in force is {version}",
            bundle.version
        );
    }
    if bundle.origin != administrator.org.origin {
        bail!(
            "the bundle is for `{}`, not `{}`",
            bundle.origin,
            administrator.org.origin
        );
    }
    if let Err(problems) = compile(&bundle) {
        problems
            .iter()
            .for_each(|problem| eprintln!("error: {problem}"));
        bail!("the bundle does not compile");
    }
    for lint in lint_bundle_at(&bundle, now_ms()) {
        eprintln!(
            "note: {}: {} {}",
            lint.pattern,
            lint.kind,
            advice(&lint.instead)
        );
    }
    let bytes = bundle.canonical_bytes()?;
    let statement = PolicyStatement {
        bundle: Sha256::of(&bytes),
        bytes: bytes.len() as u64,
        revision: revision.saturating_add(1),
        version: bundle.version,
    };
    // The blob first: the entry must never name bytes that nobody has.
    administrator
        .client
        .put_blob(bytes)
        .await
        .context("the bundle was not stored")?;
    let done = administrator
        .submit(Body::Policy(statement.clone()), &[])
        .await?;
    report(&statement, &done, as_json)?;
    Ok(ExitCode::SUCCESS)
}

fn report(statement: &PolicyStatement, done: &Done, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return print_json(&json!({
            "version": statement.version, "revision": statement.revision,
            "bundle": statement.bundle, "index": done.index, "witnesses": done.witnesses,
        }));
    }
    println!(
        "policy version {} is in force: log index {}, witnessed by {}",
        statement.version,
        done.index,
        done.witnesses.join(", ")
    );
    Ok(())
}

pub(super) fn show(state: &StateDir, as_json: bool) -> anyhow::Result<ExitCode> {
    let stored = Stored::open(state)?.policy()?.policy;
    let stored = stored.context("this device has no verified policy yet")?;
    let bytes = from_base64url(&stored.bundle).context("the stored bundle is damaged")?;
    let bundle = Bundle::parse(&bytes)?;
    if as_json {
        print_json(&bundle)?;
        return Ok(ExitCode::SUCCESS);
    }
    let entry = Entry::parse(stored.entry.as_bytes())?;
    println!(
        "version {}, log index {}, signed by {}",
        bundle.version,
        stored.index,
        entry.kid()
    );
    println!("default {}, ask {}", word(bundle.default), bundle.contact);
    for rule in &bundle.rules {
        let scope = serde_json::to_value(&rule.scope)?;
        let when = if rule.when.is_some() {
            " (on a posture condition)"
        } else {
            ""
        };
        let firm = if rule.mandatory { " mandatory" } else { "" };
        println!(
            "{:<6} {:<40} {scope} `{}`{firm}{when}",
            word(rule.effect),
            rule.pattern,
            rule.id
        );
    }
    for gate in &bundle.gates {
        println!("gate   {:<40} `{}`", gate.message, gate.id);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
        Effect::Ask => "ask",
        Effect::NoOpinion => "no-opinion",
    }
}
