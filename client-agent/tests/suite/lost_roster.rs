//! A roster that is not whole: whose rules apply cannot be said, and so nothing is decided, until the server
//! has given it again. What is no next entry of this log's roster is not taken over, in whatever order.

use super::between::{between, say};
use super::device::{Device, PERSON, administrative_of, bundle, last_of, roster_entries, verdict};
use cairn_agent::circumstances::Circumstances;
use cairn_agent::enrolment::Identity;
use cairn_agent::policy::{Enforcement, NotInForce, Stored, SyncError, Syncer};
use cairn_api::distribution::ReceiptedFrame;
use cairn_event::administrative::{RosterChange, RosterStatement};
use cairn_event::body::Body;
use cairn_event::{PersonRole, SoftwareKey};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Longest wait; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// `kubectl` is denied to the device's team, everything else is allowed.
fn rules() -> Value {
    bundle(json!({ "default": "allow", "rules": [
        {"id":"no-kubectl","effect":"deny","pattern":"Bash(kubectl *)","scope":{"team":"infra"},
         "dialect":"cairn"},
    ] }))
}

fn roster(device: &Device) -> Vec<ReceiptedFrame> {
    Stored::open(&device.state).unwrap().roster().unwrap()
}

/// A statement that leaves the person in these teams.
fn teams(teams: &[&str], revision: u64) -> RosterStatement {
    RosterStatement {
        changes: vec![RosterChange::UpdatePerson {
            person: PERSON.into(),
            roles: vec![PersonRole::Developer],
            teams: teams.iter().map(|team| (*team).to_owned()).collect(),
        }],
        revision,
    }
}

fn load(device: &Device) -> (Arc<Enforcement>, Syncer) {
    let identity = Identity::load(&device.state).unwrap();
    let enforcement = Arc::new(Enforcement::default());
    let circumstances = Arc::new(Circumstances::new(&identity));
    let syncer = Syncer::load(&device.state, &identity, enforcement.clone(), circumstances);
    (enforcement, syncer.unwrap())
}

/// Without this a rule that denies a team something would end with one file.
#[test]
fn without_a_whole_roster_nothing_is_decided() {
    let damages: [fn(&std::path::Path); 3] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| std::fs::write(path, "[{").unwrap(),
        |path| {
            let text = std::fs::read_to_string(path).unwrap();
            std::fs::write(path, text.replacen("~\"", "A~\"", 1)).unwrap();
        },
    ];
    for damage in damages {
        let device = Device::new(&rules());
        damage(&device.state.policy().join("roster.json"));
        let _daemon = device.start();
        for command in ["kubectl get pods", "ls -la"] {
            let answer = device.bash(command, "toolu_1");
            assert_eq!(verdict(&answer), "deny", "{answer}");
            let text = answer.to_string();
            assert!(
                text.contains("the roster on this device is damaged or missing"),
                "{text}"
            );
        }
        let shown = device.cairn(&["status"]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(
            shown.contains("the roster on this device is damaged"),
            "{shown}"
        );
        let frames = device.spooled();
        let Body::ToolDecision(decision) =
            &last_of(&frames, "tool.decision").entry().payload().body
        else {
            panic!("not a decision")
        };
        assert_eq!(decision.why, "stale-policy");
    }
}

/// The server gives one entry a page; the file on disk is good again, and whole, when the last one came.
#[test]
fn a_damaged_roster_is_read_from_the_server_again() {
    let device = Device::new(&rules());
    let first = roster(&device);
    let later = roster_entries(&device, &rules(), vec![teams(&[], 2), teams(&["infra"], 3)]);
    let all: Vec<ReceiptedFrame> = first.into_iter().chain(later).collect();
    let mut damaged = all.clone();
    damaged[1].frame.insert(9, 'A');
    let stored = Stored::open(&device.state).unwrap();
    stored.save_roster(&damaged).unwrap();

    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let (told, asked_for_policy) = mpsc::channel();
    let given = all.clone();
    let starts = Arc::new(AtomicBool::new(true));
    let mut identity = Identity::load(&device.state).unwrap();
    identity.server = between(move |asked, stream| {
        let words = |text: &str| asked.contains(text);
        if words("/v1/token") {
            let _until = released.lock().unwrap().recv();
            let token = r#"{"access_token":"t","expires_in":600,"person":"p","roles":[]}"#;
            say(stream, "200 OK", token);
        } else if words("after_revision=") && starts.swap(false, Ordering::Relaxed) {
            // A server that has just started has no roster yet.
            say(stream, "200 OK", r#"{"entries":[],"newest":0}"#);
        } else if let Some((_, after)) = asked.split_once("after_revision=") {
            let next = given.get(after.parse::<usize>().unwrap());
            let page = json!({ "entries": next.into_iter().collect::<Vec<_>>(), "newest": 3 });
            say(stream, "200 OK", &page.to_string());
        } else {
            if words("GET /v1/policy?") {
                let _seen = told.send(());
            }
            say(stream, "404 Not Found", "{}");
        }
    });
    identity.save(&device.state).unwrap();
    let _daemon = device.start();
    assert_eq!(verdict(&device.bash("ls -la", "toolu_1")), "deny");
    // From here on nobody holds the tokens back.
    drop(release);
    asked_for_policy.recv_timeout(PATIENCE).unwrap();
    assert_eq!(verdict(&device.bash("ls -la", "toolu_2")), "allow");
    assert_eq!(verdict(&device.bash("kubectl get pods", "toolu_3")), "deny");
    assert_eq!(roster(&device), all);
}

#[test]
fn a_page_of_another_organisation_or_order_changes_nothing() {
    let device = Device::new(&rules());
    let (enforcement, mut syncer) = load(&device);
    let good = roster_entries(&device, &rules(), vec![teams(&[], 2), teams(&["infra"], 3)]);
    let mut swapped = good.clone();
    swapped.reverse();
    let repeated = roster(&device);
    let theirs = {
        let key = SoftwareKey::from_seed(&[1; 32]);
        let entry = administrative_of("log.example/theirs", Body::Roster(teams(&[], 2)), &key);
        ReceiptedFrame {
            frame: format!("{entry}~"),
            ..good[0].clone()
        }
    };
    let shortened = ReceiptedFrame {
        receipt: good[0].receipt[..good[0].receipt.len() / 2].to_owned(),
        ..good[0].clone()
    };
    for page in [swapped, repeated, vec![theirs], vec![shortened]] {
        let refused = syncer.take_roster(page);
        assert!(matches!(refused, Err(SyncError::Basis(_))), "{refused:?}");
        let now = enforcement.now();
        assert_eq!((now.roster_index, now.roster_lost), (Some(1), false));
        assert_eq!(now.subject.teams, ["infra"]);
    }
    assert!(syncer.take_roster(good).unwrap());
    assert_eq!(enforcement.now().subject.teams, ["infra"]);
    assert_eq!(roster(&device).len(), 3);
}

#[test]
fn a_roster_that_does_not_name_the_device_is_not_whole() {
    let device = Device::new(&rules());
    let all = roster(&device);
    Stored::open(&device.state)
        .unwrap()
        .save_roster(&[])
        .unwrap();
    let (enforcement, mut syncer) = load(&device);
    let now = cairn_agent::clock::now_ms();
    let refused = enforcement.now().usable(now).unwrap_err();
    assert_eq!(refused, NotInForce::NoRoster);
    assert!(syncer.take_roster(all).unwrap());
    assert!(enforcement.now().usable(now).is_ok());
}
