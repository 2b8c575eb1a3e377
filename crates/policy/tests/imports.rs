//! Importing settings: nothing changes except towards stricter, and every loss is reported.
//!
//! Source: Claude Code findings 1.5, 1.7 and 2.1.

#![allow(clippy::unwrap_used, reason = "an import of a test must succeed")]

mod fixtures;

use cairn_event::Effect;
use cairn_policy::{
    Bundle, Imported, LintKind, McpDefault, McpEntry, McpPolicy, SettingsSource, compile,
    import_settings,
};
use fixtures::{alice, verdict};

fn import(text: &str) -> Imported {
    import_settings(text.as_bytes(), &SettingsSource::FlagInline).unwrap()
}

#[test]
fn every_rule_that_survives_compiles_and_the_rest_is_reported() {
    let imported = import(
        r#"{"permissions":{
            "allow":["Bash(npm *)","*","Edit(!secret)"],
            "ask":["Bash(git push *)"],
            "deny":["Bash(curl * | wget *)","bash(rm *)","Read(!ok)","Edit","Read(/x)",7],
            "defaultMode":"plan"}}"#,
    );
    let mut bundle = Bundle::empty("test.example/log", "security@example.com");
    bundle.rules = imported.rules.clone();
    compile(&bundle).unwrap();
    let ids: Vec<&str> = imported.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["deny-0", "deny-3", "ask-0", "allow-0", "allow-2"]);
    let carve_out = imported
        .rules
        .iter()
        .find(|rule| rule.id == "allow-2")
        .unwrap();
    assert_eq!(
        (carve_out.effect, carve_out.pattern.as_str()),
        (Effect::Ask, "Edit(secret)")
    );
    let count = |test: fn(&LintKind) -> bool| {
        imported
            .lints
            .iter()
            .filter(|lint| test(&lint.kind))
            .count()
    };
    assert_eq!(count(|kind| matches!(kind, LintKind::NeverMatches(_))), 3);
    assert_eq!(count(|kind| matches!(kind, LintKind::LiteralBar)), 1);
    assert_eq!(count(|kind| matches!(kind, LintKind::NegatedDeny)), 1);
    assert_eq!(count(|kind| matches!(kind, LintKind::NegatedAllow)), 1);
    assert_eq!(count(|kind| matches!(kind, LintKind::BareEdit)), 1);
    assert_eq!(count(|kind| matches!(kind, LintKind::NotImported(_))), 2);
}

#[test]
fn imported_rules_keep_the_flat_order() {
    let imported = import(
        r#"{"permissions":{"allow":["Bash(git *)","Bash(rm foo)"],"ask":["Bash(git push *)"],
            "deny":["Bash(rm *)"]}}"#,
    );
    let mut bundle = Bundle::empty("test.example/log", "security@example.com");
    bundle.rules = imported.rules;
    assert_eq!(verdict(&bundle, &alice(&[]), "git status"), Effect::Allow);
    assert_eq!(verdict(&bundle, &alice(&[]), "git push"), Effect::Ask);
    assert_eq!(verdict(&bundle, &alice(&[]), "rm foo"), Effect::Deny);
    assert_eq!(verdict(&bundle, &alice(&[]), "make"), Effect::NoOpinion);
}

#[test]
fn mcp_lists_are_imported_with_their_meaning() {
    let imported = import(
        r#"{"allowedMcpServers":[{"serverName":"a"},{"serverCommand":["x","y"]},
             {"serverUrl":"https://*.corp/*"},{"serverName":"a","extra":1}],
            "deniedMcpServers":[{"serverName":"bad"}]}"#,
    );
    assert_eq!(imported.mcp.default, McpDefault::Block);
    assert_eq!(imported.mcp.allow.len(), 3);
    assert_eq!(imported.mcp.deny, [McpEntry::Name { name: "bad".into() }]);
    assert_eq!(imported.lints.len(), 1);
    assert_eq!(
        import(r#"{"allowedMcpServers":[]}"#).mcp.default,
        McpDefault::Block
    );
    assert_eq!(import("{}").mcp.default, McpDefault::Allow);
}

#[test]
fn lists_of_several_files_block_what_one_of_them_blocks() {
    let user = r#"{"deniedMcpServers":[{"serverName":"bad"}]}"#;
    let managed = r#"{"allowedMcpServers":[{"serverName":"a"}]}"#;
    for order in [[user, managed], [managed, user]] {
        let mut mcp = McpPolicy::default();
        for text in order {
            mcp.unite(import(text).mcp);
        }
        assert_eq!(mcp.default, McpDefault::Block);
        assert_eq!((mcp.allow.len(), mcp.deny.len()), (1, 1));
    }
    let only =
        import(r#"{"allowManagedMcpServersOnly":true,"allowManagedPermissionRulesOnly":false}"#);
    assert_eq!(only.lints.len(), 1);
}

#[test]
fn settings_that_two_readers_could_read_differently_are_refused() {
    for text in ["[]", "{", r#"{"permissions":{},"permissions":{}}"#, "{} x"] {
        assert!(
            import_settings(text.as_bytes(), &SettingsSource::FlagInline).is_err(),
            "{text}"
        );
    }
}
