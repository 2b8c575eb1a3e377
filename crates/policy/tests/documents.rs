//! What authors work with: rows of cases, scenarios, differences, lints of a whole policy, exports.
//!
//! Source: architecture section 4; `docs/operating/policy.md`.

#![allow(clippy::unwrap_used, reason = "a document of a test must be readable")]

mod fixtures;

use cairn_event::{DecisionMode, Effect};
use cairn_policy::difference::{changed_calls, changed_members, changed_rules, may_widen};
use cairn_policy::{
    Case, Dialect, LintKind, RuleChange, Scenario, Scope, SettingsSource, compile, export_settings,
    import_settings, lint_bundle, lint_bundle_at,
};
use fixtures::{bundle, compiled, rule};
use serde_json::json;

fn case(text: &str) -> Result<Case, String> {
    Case::parse(text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_row_needs_permissions_a_tool_and_an_input() {
    for (row, word) in [
        ("", "row"),
        ("[]", "object"),
        ("{}", "permissions"),
        (r#"{"permissions":[]}"#, "permissions"),
        (
            r#"{"permissions":{"deny":"Bash(rm *)"},"tool":"Bash","input":{}}"#,
            "permissions.deny",
        ),
        (
            r#"{"permissions":{"deny":[1]},"tool":"Bash","input":{}}"#,
            "permissions.deny",
        ),
        (r#"{"permissions":{},"input":{}}"#, "tool"),
        (r#"{"permissions":{},"tool":7,"input":{}}"#, "tool"),
        (r#"{"permissions":{},"tool":"Bash"}"#, "input"),
        (
            r#"{"permissions":{},"tool":"Bash","input":"rm x"}"#,
            "input",
        ),
        (
            r#"{"permissions":{},"tool":"Bash","input":{},"cwd":"proj"}"#,
            "cwd",
        ),
        (
            r#"{"permissions":{},"tool":"Bash","input":{},"home":1}"#,
            "home",
        ),
        (
            r#"{"permissions":{},"tool":"Bash","input":{},"settings_source":"x"}"#,
            "source",
        ),
        (
            r#"{"permissions":{},"tool":"Bash","input":{},"effective":"maybe"}"#,
            "effect",
        ),
        (
            r#"{"permissions":{},"tool":"Bash","input":{},"links":{"/a":"b"}}"#,
            "links",
        ),
        (
            r#"{"permissions":{},"permissions":{},"tool":"Bash","input":{}}"#,
            "permissions",
        ),
        (r#"{"permissions":{},"tool":"Bash","input":{}} x"#, "row"),
    ] {
        let error = case(row).unwrap_err();
        assert!(error.contains(word), "{row}: {error}");
    }
    let mode = case(r#"{"permissions":{"defaultMode":"x"},"tool":"Bash","input":{}}"#).unwrap();
    assert!(mode.verdict().unwrap_err().to_string().contains("`x`"));
}

#[test]
fn a_row_is_answered_with_the_effect_and_the_pattern() {
    let answer = |row: &str| {
        let verdict = case(row).unwrap().verdict().unwrap();
        (verdict.effective, verdict.rule)
    };
    let row = |list: &str, command: &str| {
        json!({"permissions": {list: ["Bash(git *)", "Bash(rm *)"]}, "tool": "Bash",
               "input": {"command": command}})
        .to_string()
    };
    let rm = Some("Bash(rm *)".to_owned());
    assert_eq!(answer(&row("deny", "rm x")), (Effect::Deny, rm.clone()));
    assert_eq!(answer(&row("ask", "rm x")), (Effect::Ask, rm.clone()));
    assert_eq!(answer(&row("allow", "foo x")), (Effect::Ask, None));
    assert_eq!(answer(&row("allow", "ls")), (Effect::Allow, None));
    let silent = row("ask", "rm x").replace("\"ask\":", "\"defaultMode\":\"dontAsk\",\"ask\":");
    assert_eq!(answer(&silent), (Effect::Deny, rm));
    let link = r#"{"permissions":{"deny":["Read(~/.ssh/**)"]},"tool":"Read",
        "input":{"file_path":"/w/proj/key"},"links":{"/w/proj/key":"/home/u/.ssh/id_rsa"}}"#;
    assert_eq!(answer(link).0, Effect::Deny);
    let lost = link.replace("\"/home/u/.ssh/id_rsa\"", "null");
    assert_eq!(
        answer(&lost).0,
        Effect::Ask,
        "it may lead out of the project"
    );
    assert_eq!(
        case(&row("deny", "x").replace("\"tool\"", "\"effective\":\"removed\",\"tool\""))
            .unwrap()
            .observed(),
        Some(Effect::Deny)
    );
}

#[test]
fn a_scenario_says_what_was_expected() {
    let mut carve = rule("infra", Effect::Allow, "Bash(kubectl *)");
    carve.scope = Scope::Team("infrastructure".into());
    let bundle = compiled(&bundle(vec![
        rule("all", Effect::Deny, "Bash(kubectl *)"),
        carve,
    ]));
    let of = |value: serde_json::Value| serde_json::from_value::<Scenario>(value).unwrap();
    let team = json!({"command": "kubectl get pods", "teams": ["infrastructure"],
                      "expect": "allow", "by": "infra"});
    assert_eq!(of(team.clone()).test(&bundle, 0).unwrap().failure, None);
    let mut wrong = of(team.clone());
    wrong.expect = Some(Effect::Deny);
    assert!(
        wrong
            .test(&bundle, 0)
            .unwrap()
            .failure
            .unwrap()
            .contains("Deny")
    );
    wrong = of(team);
    wrong.by = Some("all".into());
    assert!(
        wrong
            .test(&bundle, 0)
            .unwrap()
            .failure
            .unwrap()
            .contains("`infra` did")
    );
    wrong.expect = None;
    assert!(wrong.test(&bundle, 0).is_err());
    assert!(of(json!({"expect": "deny"})).test(&bundle, 0).is_err());
    assert!(serde_json::from_value::<Scenario>(json!({"comand": "x"})).is_err());
}

#[test]
fn a_difference_names_rules_and_the_calls_that_change() {
    let mut carve = rule("infra", Effect::Allow, "Bash(kubectl *)");
    carve.scope = Scope::Team("infrastructure".into());
    let old = bundle(vec![
        rule("all", Effect::Deny, "Bash(kubectl *)"),
        rule("gone", Effect::Ask, "Bash(make *)"),
    ]);
    let mut new = bundle(vec![rule("all", Effect::Deny, "Bash(kubectl *)"), carve]);
    new.contact = "somebody else".into();
    let rules = changed_rules(&old, &new);
    assert!(
        matches!(&rules[..], [RuleChange::Removed(gone), RuleChange::Added(infra)]
        if gone.id == "gone" && infra.id == "infra")
    );
    assert!(rules.iter().all(may_widen));
    assert_eq!(changed_members(&old, &new), ["contact"]);
    let calls = changed_calls(&compiled(&old), &compiled(&new), &[], 0);
    let seen = |call: &str, teams: usize, from, to| {
        calls.iter().any(|change| {
            change.scenario.call() == call
                && change.scenario.teams.len() == teams
                && (change.from, change.to) == (from, to)
        })
    };
    assert!(seen("kubectl x", 1, Effect::Deny, Effect::Allow));
    assert!(seen("make x", 0, Effect::Ask, Effect::NoOpinion));
    assert!(!seen("kubectl x", 0, Effect::Deny, Effect::Allow));
    assert!(changed_calls(&compiled(&old), &compiled(&old), &[], 0).is_empty());
}

#[test]
fn duplicates_and_rules_that_never_decide_are_found() {
    let with = |id: &str, effect, pattern: &str, change: fn(&mut cairn_policy::Rule)| {
        let mut rule = rule(id, effect, pattern);
        change(&mut rule);
        rule
    };
    let keep = |_: &mut cairn_policy::Rule| {};
    let rules = vec![
        with("git", Effect::Deny, "Bash(git *)", keep),
        with("push", Effect::Allow, "Bash(git push *)", keep),
        with("again", Effect::Deny, "Bash(git *)", keep),
        with("other", Effect::Allow, "Bash(gi *)", keep),
        with("team", Effect::Allow, "Bash(git push *)", |rule| {
            rule.scope = Scope::Team("t".into());
        }),
        with("firm", Effect::Deny, "Bash(rm *)", |rule| {
            rule.mandatory = true
        }),
        with("hopeless", Effect::Allow, "Bash(rm -r *)", |rule| {
            rule.scope = Scope::Person("p_a".into());
        }),
        with("old", Effect::Deny, "Bash(a *)", |rule| {
            rule.expires_ms = Some(5)
        }),
        with("soft", Effect::Deny, "Bash(b *)", |rule| {
            rule.mode = Some(DecisionMode::Monitor)
        }),
        with("kept", Effect::Allow, "Bash(b *)", keep),
    ];
    let found = lint_bundle_at(&bundle(rules.clone()), 10);
    let about = |id: &str| -> Vec<String> {
        let lints = found.iter().filter(|lint| lint.rule.as_deref() == Some(id));
        lints.map(|lint| lint.kind.to_string()).collect()
    };
    let is = |id: &str, word: &str| about(id).iter().any(|text| text.contains(word));
    assert!(is("push", "`git` covers every call"), "{found:?}");
    assert!(is("again", "same as rule `git`"));
    assert!(is("hopeless", "`firm` covers every call"));
    assert!(is("hopeless", "should end"));
    assert!(is("old", "has ended"));
    for id in ["git", "other", "team", "firm", "soft", "kept"] {
        assert_eq!(about(id), Vec::<String>::new(), "{id}");
    }
    let timeless = lint_bundle(&bundle(rules));
    assert!(!timeless.iter().any(|lint| lint.kind == LintKind::Ended));
}

#[test]
fn an_approved_exception_must_end() {
    let mut exception = rule("e", Effect::Allow, "Bash(kubectl *)");
    exception.approver = Some("ann@example.com".into());
    assert!(compile(&bundle(vec![exception.clone()])).is_err());
    exception.expires_ms = Some(1_000);
    assert!(compile(&bundle(vec![exception])).is_ok());
}

#[test]
fn an_export_says_what_settings_can_say_and_names_the_rest() {
    let settings = json!({"permissions": {
        "allow": ["Bash(npm *)", "Read(//srv/**)"], "ask": ["Bash(git push *)"],
        "deny": ["Bash(curl * | wget *)", "Read(.env)"]},
        "deniedMcpServers": [{"serverName": "bad"}]});
    let imported =
        import_settings(settings.to_string().as_bytes(), &SettingsSource::FlagInline).unwrap();
    let mut policy = bundle(imported.rules);
    policy.mcp = imported.mcp;
    let exported = export_settings(&policy);
    assert_eq!(exported.settings, settings);
    assert!(exported.left_out.is_empty());
    let mut scoped = rule("scoped", Effect::Allow, "Bash(x *)");
    scoped.scope = Scope::Team("t".into());
    let mut anchored = rule("anchored", Effect::Deny, "Read(/k)");
    anchored.anchor = Some("/etc/claude-code".into());
    anchored.mandatory = true;
    let mut bar = rule("bar", Effect::Deny, "Bash(curl * | wget *)");
    bar.mandatory = true;
    policy = bundle(vec![
        scoped,
        anchored,
        bar,
        rule("liftable", Effect::Deny, "Bash(x *)"),
    ]);
    policy.rules[2].dialect = Dialect::Cairn;
    let exported = export_settings(&policy);
    assert_eq!(
        exported.settings["permissions"]["deny"],
        json!(["Read(//etc/claude-code/k)", "Bash(curl *)", "Bash(wget *)"])
    );
    let left: Vec<&str> = exported
        .left_out
        .iter()
        .map(|one| one.what.as_str())
        .collect();
    assert_eq!(left, ["scoped", "liftable"]);
}
