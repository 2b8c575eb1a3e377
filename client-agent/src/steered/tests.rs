//! What is read of settings files, and what each variable is held at.

use super::*;
use serde_json::json;

fn nothing(_: &str) -> Option<OsString> {
    None
}

fn of(variables: Value) -> Found {
    let mut found = Found::default();
    found.add(Path::new("/p/.claude/settings.json"), Some(&variables));
    found
}

#[test]
fn only_what_steers_is_taken_from_a_repository() {
    let found = of(json!({
        "PAGER": "less", "npm_config_registry": "x", "GIT_CONFIG_KEY_3": "x", "NODE_ENV": "test", "MY_COMMAND": "x",
        "CARGO_TERM_COLOR": "always", "DATABASE_URL": "x", "PYTHONUNBUFFERED": "1",
    }));
    let names: Vec<_> = found.steered.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["GIT_CONFIG_KEY_3", "PAGER", "npm_config_registry"]);
}

#[test]
fn a_variable_is_held_at_the_person_s_value_or_at_none() {
    let found = of(
        json!({ "PAGER": "x", "PS4": "$(x)", "GIT_SSH": "x", "EDITOR": 7, "KUBECONFIG": "mine" }),
    );
    let own = |name: &str| (name == "KUBECONFIG").then(|| OsString::from("mine"));
    let pins = found.pins(own, &BTreeSet::new());
    let held: Vec<_> = pins
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let expected = [
        ("EDITOR", "vi"),
        ("GIT_SSH", "ssh"),
        ("KUBECONFIG", "mine"),
        ("PAGER", ""),
        ("PS4", "+ "),
    ];
    assert_eq!(held, expected);
    assert!(pins.unheld.is_empty());
    assert_eq!(pins.said.len(), 4, "what is the same is not spoken of");
}

#[test]
fn what_has_no_value_as_good_as_none_is_not_held() {
    let found = of(json!({ "GIT_SSH_COMMAND": "x", "GIT_DIR": "y" }));
    let pins = found.pins(nothing, &BTreeSet::new());
    assert!(pins.values.is_empty());
    let said: Vec<_> = pins.unheld.iter().map(ToString::to_string).collect();
    assert!(
        said[0].contains("`GIT_DIR`") && said[1].contains("`GIT_SSH_COMMAND`"),
        "{said:?}"
    );
    let own = |_: &str| Some(OsString::from("ssh -4"));
    assert!(found.pins(own, &BTreeSet::new()).unheld.is_empty());
    let held = BTreeSet::from(["GIT_DIR".to_owned()]);
    assert_eq!(found.pins(nothing, &held).unheld.len(), 1);
}

#[test]
fn a_value_that_settings_cannot_repeat_is_not_held() {
    use std::os::unix::ffi::OsStringExt;
    let found = of(json!({ "PAGER": "x" }));
    let own = |_: &str| Some(OsString::from_vec(vec![0xff]));
    let pins = found.pins(own, &BTreeSet::new());
    assert!(matches!(pins.unheld[..], [Unheld::NotText { .. }]));
}

#[test]
fn a_name_with_another_variable_in_it_is_not_held() {
    let found = of(json!({ "GIT_SSH_COMMAND=touch x;#": "y", "": "z" }));
    let pins = found.pins(nothing, &BTreeSet::new());
    assert_eq!(pins.unheld.len(), 2);
    assert!(matches!(pins.unheld[0], Unheld::NoName { .. }));
}

#[test]
fn files_are_read_as_the_agent_reads_them() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("settings.json");
    let in_file = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Found::in_files([file.as_path()])
    };
    let twice = in_file(r#"{"env":{"PAGER":"a"},"env":{"MANPAGER":"b"}}"#);
    assert_eq!(twice.steered[0].name, "MANPAGER");
    let escaped = in_file("\u{feff}{\"\\u0065nv\":{\"P\\u0041GER\":\"a\"}}");
    assert_eq!(escaped.steered[0].name, "PAGER");
    for harmless in [
        "",
        " \n",
        "{}",
        "[]",
        r#"{"env":null}"#,
        r#"{"env":"PAGER"}"#,
    ] {
        assert_eq!(in_file(harmless), Found::default(), "{harmless}");
    }
    for doubtful in [
        "{",
        "{\"env\":{\"PAGER\":\"x\"},}",
        "// x\n{}",
        "\"\\ud800\"",
    ] {
        assert!(
            matches!(in_file(doubtful).unheld[..], [Unheld::Unread { .. }]),
            "{doubtful}"
        );
    }
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(5 * 1024 * 1024));
    assert_eq!(in_file(&long).unheld.len(), 1);
    let absent = [
        dir.path().join("absent.json"),
        dir.path().join("settings.json/below"),
    ];
    assert_eq!(
        Found::in_files(absent.iter().map(PathBuf::as_path)),
        Found::default()
    );
}

#[test]
fn a_running_session_holds_what_it_was_started_with() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("7.settings.json");
    std::fs::write(&own, r#"{"env":{"PAGER":"","GIT_SSH":"ssh"}}"#).unwrap();
    let held = held_by([own.as_path(), &dir.path().join("7.managed.json")]);
    assert_eq!(
        of(json!({ "PAGER": "x", "GIT_SSH": "y", "MINE": "z" })).beyond(&held),
        None
    );
    let beyond = of(json!({ "PAGER": "x", "GIT_EXTERNAL_DIFF": "y" }))
        .beyond(&held)
        .unwrap();
    assert!(matches!(beyond, Unheld::TooLate { name, .. } if name == "GIT_EXTERNAL_DIFF"));
    assert!(of(json!({ "A=B": "x" })).beyond(&held).is_some());
}
