//! Policy bundles, rules against Bash lines, and settings of another program.

use cairn_event::Effect;
use cairn_policy::{Bundle, Case, SettingsSource, compile, import_settings};
use serde_json::{Value, json};

/// The parser of shell lines, whose panics the engine catches.
const CAUGHT: &str = "brush-parser";

/// Lets a fuzzer go on after a panic that the engine catches and judges: a fuzzer aborts at every panic
/// otherwise, and would find nothing behind the first. Called once, before the first input.
pub fn leave_caught_panics() {
    let found = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(std::panic::Location::file);
        if !place.is_some_and(|file| file.contains(CAUGHT)) {
            found(panic);
        }
    }));
}

/// A bundle is the same after it was written and read again, and compiling it never panics.
pub fn bundle(data: &[u8]) {
    let Ok(bundle) = Bundle::parse(data) else {
        return;
    };
    let Ok(bytes) = bundle.canonical_bytes() else {
        return;
    };
    let again = Bundle::parse(&bytes);
    assert!(again.is_ok_and(|again| again.canonical_bytes().is_ok_and(|again| again == bytes)));
    let _ = compile(&bundle);
}

/// A pattern, a line feed, a Bash line: what an allow rule lets through, the same rule as a deny
/// stops, and a deny beside an allow wins.
pub fn bash(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some((pattern, command)) = text.split_once('\n') else {
        return;
    };
    let allowed = verdict(&json!({ "allow": [pattern] }), command);
    let denied = verdict(&json!({ "deny": [pattern] }), command);
    let both = verdict(&json!({ "allow": [pattern], "deny": [pattern] }), command);
    if let Some((Effect::Allow, Some(_))) = allowed {
        let stopped = denied.as_ref().map(|(effect, _)| *effect);
        assert_eq!(
            stopped,
            Some(Effect::Deny),
            "the allow matches, the deny does not"
        );
    }
    if let (Some((Effect::Deny, _)), Some((effect, _))) = (&denied, &both) {
        assert_eq!(*effect, Effect::Deny, "a deny does not win over an allow");
    }
}

fn verdict(permissions: &Value, command: &str) -> Option<(Effect, Option<String>)> {
    let row = json!({
        "permissions": permissions,
        "tool": "Bash",
        "input": { "command": command },
    });
    let case = Case::parse(row.to_string().as_bytes()).ok()?;
    let verdict = case.verdict().ok()?;
    Some((verdict.effective, verdict.rule))
}

/// Settings and rows of any shape are imported, linted or refused; the rules that are imported can
/// be compiled one by one or say why not.
pub fn settings(data: &[u8]) {
    for source in [
        SettingsSource::FlagInline,
        SettingsSource::Managed {
            dir: "/etc/claude-code".to_owned(),
        },
        SettingsSource::Project {
            root: "/w/proj".to_owned(),
            trusted: false,
        },
    ] {
        let Ok(imported) = import_settings(data, &source) else {
            continue;
        };
        let mut bundle = Bundle::empty("fuzz.example", "");
        bundle.rules = imported.rules;
        let _ = compile(&bundle);
    }
    if let Ok(case) = Case::parse(data) {
        let _ = case.verdict();
    }
}
