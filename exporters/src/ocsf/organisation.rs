//! What the organisation says: people, devices and policies as Entity Management.

use super::{Class, Severity, base};
use cairn_event::Entry;
use cairn_event::body::Body;
use serde_json::json;

/// `activity_id` of Entity Management.
const CREATE: u64 = 1;
const UPDATE: u64 = 3;
const DELETE: u64 = 4;

/// The class of an administrative entry.
pub(super) fn class(entry: &Entry) -> Class {
    let managed = |activity: u64, severity: Severity, name: String, kind: &str| {
        Class::new(3, 3004, activity, severity)
            .with("entity", json!({ "name": name, "type": kind }))
    };
    match &entry.payload().body {
        Body::Genesis(genesis) => managed(
            CREATE,
            Severity::Informational,
            genesis.organisation.clone(),
            "Organization",
        ),
        Body::Roster(statement) => {
            let name = format!("roster revision {}", statement.revision);
            managed(UPDATE, Severity::Low, name, "Roster").with(
                "message",
                json!(format!(
                    "{} changes to people, teams and devices",
                    statement.changes.len()
                )),
            )
        }
        Body::Policy(statement) => {
            let name = format!("policy version {}", statement.version);
            managed(UPDATE, Severity::Low, name, "Policy")
        }
        Body::Erasure(erasure) => {
            let name = format!("disclosures of entry {}", erasure.index);
            managed(DELETE, Severity::Low, name, "Disclosure")
                .with("message", json!(erasure.reason))
        }
        Body::AdminAction(action) => {
            managed(UPDATE, Severity::Low, action.object.clone(), "Action").with(
                "message",
                json!(format!("{} by {}", action.action, action.person)),
            )
        }
        Body::LogClose(close) => {
            let name = entry.payload().log.clone();
            managed(DELETE, Severity::Medium, name, "Log").with(
                "message",
                json!(format!("closed for ever: {}", close.reason)),
            )
        }
        Body::LogPrune(prune) => {
            let name = format!("entries {} to {}", prune.from, prune.to.saturating_sub(1));
            managed(DELETE, Severity::Medium, name, "Log").with(
                "message",
                json!(format!(
                    "entries older than {} days are pruned: {}",
                    prune.days, prune.reason
                )),
            )
        }
        Body::Fork(fork) => base(Severity::High).with("is_alert", json!(true)).with(
            "message",
            json!(format!("two entries claim seq {} of a chain", fork.seq)),
        ),
        Body::ObservedGap(gap) => base(Severity::High).with("is_alert", json!(true)).with(
            "message",
            json!(format!("records {} to {} did not come", gap.from, gap.to)),
        ),
        other => base(Severity::Informational).with("message", json!(other.kind())),
    }
}
