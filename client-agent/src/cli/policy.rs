//! `cairn policy`: from settings or YAML to a bundle in force.
//!
//! Owns import, export and show; everything else has its own file.

mod apply;
pub(super) mod document;
mod halt;
mod review;
mod secrets;
mod simulate;
mod standing;
mod verdict;

use super::admin::read;
use super::{PolicyCommand, print_json};
use crate::policy::Stored;
use crate::state::StateDir;
use anyhow::Context as _;
use cairn_event::encoding::from_base64url;
use cairn_event::{Effect, Entry};
use cairn_policy::{Bundle, SettingsSource, export_settings, import_settings};
pub(super) use document::Document;
use document::NO_ORIGIN;
pub use halt::HaltArguments;
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
        PolicyCommand::Apply { admin, bundle } => apply::run(admin, bundle, as_json).await,
        PolicyCommand::Halt { admin, halt } => halt::halt(admin, halt, as_json).await,
        PolicyCommand::Resume { admin } => halt::resume(admin, as_json).await,
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
        tell!("note: {left_out}");
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
        bundle.mcp.unite(imported.mcp);
        for lint in imported.lints {
            tell!(
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
    say!(
        "version {}, log index {}, signed by {}",
        bundle.version,
        stored.index,
        entry.kid()
    );
    say!("default {}, ask {}", word(bundle.default), bundle.contact);
    for rule in &bundle.rules {
        let scope = serde_json::to_value(&rule.scope)?;
        let when = if rule.when.is_some() {
            " (on a posture condition)"
        } else {
            ""
        };
        let firm = if rule.mandatory { " mandatory" } else { "" };
        say!(
            "{:<6} {:<40} {scope} `{}`{firm}{when}",
            word(rule.effect),
            rule.pattern,
            rule.id
        );
    }
    for gate in &bundle.gates {
        let scope = serde_json::to_value(&gate.scope)?;
        let word = if gate.is_halt() { "halt" } else { "gate" };
        say!("{word:<6} {:<40} {scope} `{}`", gate.message, gate.id);
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
