//! `cairn policy apply`: a bundle in force.
//!
//! Owns what is refused before anything is sent, and the order of upload and entry.

use super::super::admin::{Administrator, Done};
use super::super::{AdminArguments, print_json};
use super::document::Document;
use super::{advice, secrets};
use crate::clock::now_ms;
use anyhow::{Context as _, bail};
use cairn_event::Sha256;
use cairn_event::administrative::PolicyStatement;
use cairn_event::body::Body;
use cairn_event::encoding::from_base64url;
use cairn_policy::{Bundle, Gate, compile, lint_bundle_at};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

/// The policy in force as the log has it.
pub(super) struct InForce {
    pub statement: PolicyStatement,
    pub bundle: Bundle,
}

/// Fetches and verifies the policy in force; `None` before the first.
pub(super) async fn in_force(administrator: &mut Administrator) -> anyhow::Result<Option<InForce>> {
    let Some(answer) = administrator.client.policy(None).await? else {
        return Ok(None);
    };
    let statement = administrator.basis.policy(&answer)?.statement;
    let bytes = from_base64url(&answer.bundle).context("the bundle in force is damaged")?;
    if Sha256::of(&bytes) != statement.bundle {
        bail!("the server sent another bundle than the policy entry names");
    }
    let bundle = Bundle::parse(&bytes)?;
    Ok(Some(InForce { statement, bundle }))
}

pub(super) async fn run(
    arguments: &AdminArguments,
    path: &Path,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut administrator = Administrator::open(arguments).await?;
    let in_force = in_force(&mut administrator).await?;
    let version = in_force.as_ref().map_or(0, |one| one.statement.version);
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
    if let Some(lifted) = in_force
        .as_ref()
        .and_then(|one| lifted(&one.bundle, &bundle))
    {
        bail!(
            "sessions are halted by gate `{}`, which the bundle does not have; \
             `cairn policy resume` lifts it",
            lifted.id
        );
    }
    secrets::refuse(&bundle)?;
    for lint in lint_bundle_at(&bundle, now_ms()) {
        tell!(
            "note: {}: {} {}",
            lint.pattern,
            lint.kind,
            advice(&lint.instead)
        );
    }
    let revision = in_force.map_or(0, |one| one.statement.revision);
    put(&mut administrator, &bundle, revision, as_json).await?;
    Ok(ExitCode::SUCCESS)
}

/// A halt that is in force and would be lifted by the way.
pub(super) fn lifted<'a>(from: &'a Bundle, to: &Bundle) -> Option<&'a Gate> {
    let mut halts = from.gates.iter().filter(|gate| gate.is_halt());
    halts.find(|halt| !to.gates.contains(halt))
}

/// Puts a bundle in force after the policy of this revision, and says so.
pub(super) async fn put(
    administrator: &mut Administrator,
    bundle: &Bundle,
    revision: u64,
    as_json: bool,
) -> anyhow::Result<()> {
    if let Err(problems) = compile(bundle) {
        problems
            .iter()
            .for_each(|problem| tell!("error: {problem}"));
        bail!("the bundle does not compile");
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
    report(&statement, &done, as_json)
}

fn report(statement: &PolicyStatement, done: &Done, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return print_json(&json!({
            "version": statement.version, "revision": statement.revision,
            "bundle": statement.bundle, "index": done.index, "witnesses": done.witnesses,
        }));
    }
    say!(
        "policy version {} is in force: log index {}, witnessed by {}",
        statement.version,
        done.index,
        done.witnesses.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_halt_that_goes_missing_is_lifted_by_the_way() {
        let bundle = |gates: serde_json::Value| {
            let mut bundle = Bundle::empty("log.example", "security");
            bundle.gates = serde_json::from_value(gates).unwrap();
            bundle
        };
        let halt = json!({"id": "halt", "when": {"all": []}, "message": "x"});
        let gate = json!({"id": "os", "when": {"posture": "os", "is": "y"}, "message": "x"});
        let both = bundle(json!([halt, gate]));
        assert_eq!(lifted(&both, &bundle(json!([gate]))).unwrap().id, "halt");
        assert_eq!(lifted(&both, &bundle(json!([halt]))), None);
        let mut other = halt.clone();
        other["scope"] = json!({"team": "web"});
        assert!(
            lifted(&both, &bundle(json!([other]))).is_some(),
            "a narrower one lifts it too"
        );
    }
}
