//! `cairn why` on recorded decisions of a device that nobody answers: what is in the spool is judged
//! again here, under the policy and roster that the entry names.

use super::device::{Device, bundle, last_of};
use serde_json::{Value, json};

fn device() -> Device {
    Device::new(&bundle(json!({ "rules": [
        {"id": "no-rm", "effect": "deny", "pattern": "Bash(rm *)", "scope": {"global": true},
         "dialect": "cairn", "note": "files are precious"},
        {"id": "rm-web", "effect": "allow", "pattern": "Bash(rm *)", "scope": {"team": "web"},
         "dialect": "cairn"},
        {"id": "rm-r", "effect": "allow", "pattern": "Bash(rm -r *)", "scope": {"global": true},
         "dialect": "cairn"},
    ] })))
}

fn why(device: &Device, what: &str) -> Value {
    let output = device.cairn(&["why", what, "--json"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The daemon takes files away while they are read.
#[test]
fn a_file_of_the_spool_that_is_gone_is_passed_over() {
    let device = device();
    let _daemon = device.start();
    device.bash("rm -r build", "toolu_1");
    let gone = device.state.spool().join("99999999999999999999.seg");
    std::os::unix::fs::symlink(device.dir.join("nothing"), gone).unwrap();
    assert_eq!(why(&device, "toolu_1")["effect"], "deny");
}

#[test]
fn a_spooled_decision_is_judged_again_offline() {
    let device = device();
    let daemon = device.start();
    device.bash("rm -r build", "toolu_1");
    let said = why(&device, "toolu_1");
    assert_eq!(
        (&said["effect"], &said["rule"]["id"], &said["rule"]["note"]),
        (
            &json!("deny"),
            &json!("no-rm"),
            &json!("files are precious")
        )
    );
    assert_eq!(
        (&said["lost"][0]["id"], said.get("index")),
        (&json!("rm-r"), None)
    );
    assert_eq!(
        (&said["input_from"], said.get("problem")),
        (&json!("spool"), None)
    );
    let again = &said["again"];
    assert_eq!(
        (&again["state"], again.get("difference")),
        (&json!("judged"), None)
    );
    assert_eq!(
        again["changes"],
        json!([
            {"otherwise": {"kind": "without", "id": "no-rm"}, "effect": "allow", "rule": "rm-r"},
            {"otherwise": {"kind": "in-team", "team": "web"}, "effect": "allow", "rule": "rm-web"},
        ])
    );
    // The leaf hash names it too, and a daemon that ended leaves it where it is.
    drop(daemon);
    let leaf = last_of(&device.spooled(), "tool.decision").entry().leaf();
    assert_eq!(why(&device, &leaf.to_string()), said);
    let words = device.cairn(&["why", "toolu_1"]).stdout;
    let words = String::from_utf8(words).unwrap();
    for line in [
        "It was denied.",
        "decided by deny rule `no-rm` (Bash(rm *)), for everybody; files are precious",
        "lost: allow rule `rm-r` (Bash(rm -r *)), for everybody",
        "judged again here: the same",
        "would change it: in team `web`: then allow by `rm-web`",
    ] {
        assert!(words.contains(line), "{line}\n{words}");
    }
}

#[test]
fn the_newest_of_one_name_counts_and_a_name_nobody_has_is_refused() {
    let device = device();
    let _daemon = device.start();
    device.bash("rm one", "toolu_1");
    device.bash("ls", "toolu_1");
    assert_eq!(why(&device, "toolu_1")["effect"], "no-opinion");
    let output = device.cairn(&["why", "toolu_none"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no recorded decision `toolu_none`"), "{said}");
}

#[test]
fn under_a_policy_that_is_not_at_hand_it_says_so_and_names_the_rules_all_the_same() {
    let device = device();
    let daemon = device.start();
    device.bash("rm -r build", "toolu_1");
    drop(daemon);
    std::fs::remove_file(device.state.policy().join("policy.json")).unwrap();
    let said = why(&device, "toolu_1");
    assert_eq!(said["rule"]["id"], "no-rm");
    let reason = json!({"state": "impossible", "reason": "policy not at hand"});
    assert_eq!(said["again"], reason);
    assert!(
        said["problem"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{said}"
    );
}

fn hypothetical(device: &Device, words: &[&str]) -> Value {
    let asked = [&["why", "--json", "--call", "rm -r build"], words].concat();
    let output = device.cairn(&asked);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["decision"]["rule"]["id"].clone()
}

/// Whoever asks about a call on their own device is asking for themselves.
#[test]
fn a_call_that_nobody_made_is_judged_for_this_person_on_this_device() {
    let os = json!({"not": {"posture": "os", "is": "never"}});
    let rules = json!({ "rules": [
        {"id": "no-rm", "effect": "deny", "pattern": "Bash(rm *)", "scope": {"global": true},
         "dialect": "cairn"},
        {"id": "rm-infra", "effect": "allow", "pattern": "Bash(rm *)", "scope": {"team": "infra"},
         "dialect": "cairn", "when": os},
        {"id": "rm-developer", "effect": "allow", "pattern": "Bash(rm -r build)",
         "scope": {"role": "developer"}, "dialect": "cairn", "when": {"posture": "os", "is": "x"}},
    ] });
    let device = Device::new(&bundle(rules));
    // Without the daemon no posture is known, and the condition on it is not met.
    assert_eq!(hypothetical(&device, &[]), "no-rm");
    let _daemon = device.start();
    assert_eq!(hypothetical(&device, &[]), "rm-infra");
    assert_eq!(
        hypothetical(&device, &["--posture", "os=x"]),
        "rm-developer"
    );
    for other in [["--team", "web"], ["--person", "p_other"]] {
        assert_eq!(hypothetical(&device, &other), "no-rm", "{other:?}");
    }
}

#[test]
fn a_session_that_a_gate_refused_is_explained_by_its_identifier() {
    let device = Device::new(&bundle(json!({ "default": "deny", "gates": [
        {"id": "calm", "when": {"not": {"posture": "os", "is": "never"}}, "message": "calm down"},
    ] })));
    let _daemon = device.start();
    let input = json!({
        "session_id": "session-1", "cwd": "/tmp", "hook_event_name": "UserPromptSubmit",
        "prompt": "hi",
    });
    device.hook("UserPromptSubmit", input.to_string().as_bytes());
    let words = device.cairn(&["why", "session-1"]).stdout;
    let words = String::from_utf8(words).unwrap();
    for line in [
        "waits for its receipt, session session-1",
        "It was denied.",
        "decided by deny rule `calm`",
        "calm down",
        "judged again here: the same",
        "would change it: without `calm`: then allow",
        "would change it: with os never: then allow",
    ] {
        assert!(words.contains(line), "{line}\n{words}");
    }
}
