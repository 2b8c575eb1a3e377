//! What is on disk is believed only as far as it proves itself: a device with a damaged, foreign or
//! old policy decides nothing.

use super::device::{Daemon, Device, PERSON, roster_entries, two_rules, verdict};
use cairn_agent::circumstances::Circumstances;
use cairn_agent::enrolment::Identity;
use cairn_agent::policy::{Enforcement, Stored, SyncError, Syncer};
use cairn_event::PersonRole;
use cairn_event::administrative::{RosterChange, RosterStatement};
use cairn_event::encoding::{from_base64url, to_base64url};
use cairn_policy::Freshness;
use serde_json::{Value, json};
use std::sync::Arc;

/// After this a policy that nobody configured otherwise decides nothing: 72 hours.
const STALE_AFTER_MS: u64 = 72 * 3_600_000;

/// Starts a device whose stored policy was changed, and asks it about a call that is allowed.
fn ask(change: impl FnOnce(&mut Value)) -> (Value, Device, Daemon) {
    let device = Device::new(&two_rules());
    let path = device.state.policy().join("policy.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut stored);
    std::fs::write(&path, stored.to_string()).unwrap();
    let daemon = device.start();
    (device.bash("ls -la", "toolu_1"), device, daemon)
}

fn reason(answer: &Value) -> &str {
    answer["hookSpecificOutput"]["permissionDecisionReason"]
        .as_str()
        .unwrap()
}

#[test]
fn an_untouched_policy_is_used() {
    let (answer, _device, _daemon) = ask(|_| {});
    assert_eq!(verdict(&answer), "allow");
}

#[test]
fn another_bundle_than_the_entry_names_is_not_used() {
    let (answer, _device, _daemon) = ask(|stored| {
        let bytes = from_base64url(stored["policy"]["bundle"].as_str().unwrap()).unwrap();
        let text = String::from_utf8(bytes).unwrap().replace("deny", "allow");
        stored["policy"]["bundle"] = json!(to_base64url(text.as_bytes()));
    });
    assert_eq!(verdict(&answer), "deny");
    assert!(reason(&answer).contains("no verified policy"));
}

#[test]
fn a_receipt_for_another_entry_is_not_used() {
    let (answer, device, _daemon) = ask(|stored| {
        stored["policy"]["index"] = json!(1);
        let receipt = stored["policy"]["receipt"].as_str().unwrap();
        stored["policy"]["receipt"] = json!(receipt.replacen("index 2", "index 1", 1));
    });
    assert_eq!(verdict(&answer), "deny");
    let shown = device.cairn(&["status"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("none verified yet"));
}

#[test]
fn an_entry_without_authority_is_not_used() {
    let (answer, _device, _daemon) = ask(|stored| {
        let entry = stored["policy"]["entry"].as_str().unwrap();
        let (signed, _) = entry.rsplit_once('.').unwrap();
        stored["policy"]["entry"] = json!(format!("{signed}.{}", to_base64url(&[0; 64])));
    });
    assert_eq!(verdict(&answer), "deny");
}

#[test]
fn a_policy_that_nobody_confirmed_for_days_is_stale() {
    let old = cairn_agent::clock::now_ms() - STALE_AFTER_MS - 60_000;
    let (answer, _device, _daemon) = ask(|stored| stored["checked_ms"] = json!(old));
    assert_eq!(verdict(&answer), "deny");
    assert!(
        reason(&answer).contains("last checked 72 hours ago"),
        "{answer}"
    );
}

#[test]
fn a_refusal_by_the_server_survives_a_restart() {
    let (answer, _device, _daemon) = ask(|stored| stored["refused"] = json!("device revoked"));
    assert_eq!(verdict(&answer), "deny");
    assert!(reason(&answer).contains("device revoked"), "{answer}");
}

/// Who was taken out of a team loses its rules at once, whatever is wrong with the rest of the answer.
#[test]
fn a_removal_is_in_force_although_a_later_entry_is_refused() {
    let rules = two_rules();
    let device = Device::new(&rules);
    let identity = Identity::load(&device.state).unwrap();
    let enforcement = Arc::new(Enforcement::default());
    let circumstances = Arc::new(Circumstances::new(&identity));
    let mut syncer = Syncer::load(
        &device.state,
        &identity,
        Arc::clone(&enforcement),
        Arc::clone(&circumstances),
    )
    .unwrap();
    assert_eq!(enforcement.now().subject.teams, ["infra"]);
    let update = |teams: &[&str], revision| RosterStatement {
        changes: vec![RosterChange::UpdatePerson {
            person: PERSON.into(),
            roles: vec![PersonRole::Developer],
            teams: teams.iter().map(|team| (*team).to_owned()).collect(),
        }],
        revision,
    };
    // The second one names a team that does not exist.
    let statements = vec![update(&[], 2), update(&["nobody"], 3)];
    let offered = roster_entries(&device, &rules, statements);
    let refused = syncer.take_roster(offered);
    assert!(matches!(refused, Err(SyncError::Basis(_))), "{refused:?}");
    let now = enforcement.now();
    assert!(now.subject.teams.is_empty(), "{:?}", now.subject);
    assert_eq!((now.roster_index, now.active.is_some()), (Some(3), true));
    assert!(circumstances.now().teams.is_empty());
    let kept = Stored::open(&device.state).unwrap().roster().unwrap();
    assert_eq!(kept.len(), 2);
}

/// Without witnesses the server's word of now counts, also where this clock was ahead when it was heard before.
#[test]
fn a_clock_that_was_ahead_does_not_make_a_confirmed_policy_old() {
    let device = Device::new(&two_rules());
    let path = device.state.policy().join("policy.json");
    let mut stored: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let now_ms = cairn_agent::clock::now_ms();
    stored["checked_ms"] = json!(now_ms + 1_000 * STALE_AFTER_MS);
    std::fs::write(&path, stored.to_string()).unwrap();
    let answer = serde_json::from_value(stored["policy"].clone()).unwrap();
    let identity = Identity::load(&device.state).unwrap();
    let enforcement = Arc::new(Enforcement::default());
    let circumstances = Arc::new(Circumstances::new(&identity));
    let syncer = Syncer::load(&device.state, &identity, enforcement.clone(), circumstances);
    assert_eq!(enforcement.now().freshness(now_ms), Freshness::Restricted);
    assert!(
        syncer
            .unwrap()
            .take_policy(answer, now_ms)
            .unwrap()
            .is_none()
    );
    assert_eq!(enforcement.now().freshness(now_ms), Freshness::Fresh);
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(kept["checked_ms"], json!(now_ms));
}
