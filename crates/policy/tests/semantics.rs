//! The five rules of the decision, one by one, and the properties that hold for every policy.
//!
//! Source: architecture section 4.

mod fixtures;

use cairn_event::{DecisionMode, Effect, Rank};
use cairn_policy::{Bundle, Condition, McpCall, McpPolicy, Rule, Scope, decide};
use fixtures::{alice, bash, bundle, compiled, posture, rule, verdict};
use serde_json::json;

fn kubectl_carve_out() -> Bundle {
    let mut carve = rule("infra", Effect::Allow, "Bash(kubectl *)");
    carve.scope = Scope::Team("infrastructure".into());
    bundle(vec![rule("all", Effect::Deny, "Bash(kubectl *)"), carve])
}

#[test]
fn a_carve_out_is_two_rows() {
    let bundle = kubectl_carve_out();
    assert_eq!(
        verdict(&bundle, &alice(&[]), "kubectl get pods"),
        Effect::Deny
    );
    assert_eq!(
        verdict(&bundle, &alice(&["infrastructure"]), "kubectl get pods"),
        Effect::Allow
    );
    let decision = decide(
        &bash("kubectl get pods"),
        &compiled(&bundle),
        &alice(&["infrastructure"]),
        &posture("on"),
        0,
    );
    let rule = decision.rule.unwrap();
    assert_eq!((rule.id.as_str(), rule.rank), ("infra", Rank::Team));
    assert_eq!(
        decision
            .losing
            .iter()
            .map(|rule| rule.id.as_str())
            .collect::<Vec<_>>(),
        ["all"]
    );
}

#[test]
fn a_narrower_allow_lifts_a_deny_of_the_whole_tool() {
    let mut allow = rule("git", Effect::Allow, "Bash(git *)");
    allow.scope = Scope::Team("t".into());
    let bundle = bundle(vec![rule("all", Effect::Deny, "Bash"), allow]);
    let at = |line| verdict(&bundle, &alice(&["t"]), line);
    assert_eq!(at("git status"), Effect::Allow);
    assert_eq!(at("git status && make"), Effect::Deny);
    assert_eq!(at("> out"), Effect::Deny);
    assert_eq!(verdict(&bundle, &alice(&[]), "git status"), Effect::Deny);
}

#[test]
fn a_carve_out_does_not_smuggle_another_command() {
    let mut bundle = kubectl_carve_out();
    bundle.rules.push(rule("rm", Effect::Deny, "Bash(rm *)"));
    let subject = alice(&["infrastructure"]);
    for line in [
        "kubectl get pods && rm y",
        "kubectl get pods; rm y",
        "kubectl get pods | rm y",
        "kubectl get $(rm y)",
        "kubectl get <(rm y)",
        "kubectl get pods > \"$(rm y)\"",
    ] {
        assert_eq!(verdict(&bundle, &subject, line), Effect::Deny, "{line}");
    }
}

#[test]
fn an_allow_that_cannot_be_trusted_only_softens_a_broader_deny() {
    let bundle = kubectl_carve_out();
    let subject = alice(&["infrastructure"]);
    assert_eq!(verdict(&bundle, &subject, "kubectl get $POD"), Effect::Ask);
    assert_eq!(
        verdict(&bundle, &subject, "(kubectl get pods)"),
        Effect::Ask
    );
    assert_eq!(
        verdict(&bundle, &alice(&[]), "kubectl get $POD"),
        Effect::Deny
    );
}

#[test]
fn the_most_specific_scope_decides() {
    let scoped = |id: &str, effect, scope| {
        let mut rule = rule(id, effect, "Bash(deploy *)");
        rule.scope = scope;
        rule
    };
    let all = [
        scoped("1-global", Effect::Deny, Scope::Global),
        scoped("2-team", Effect::Allow, Scope::Team("t".into())),
        scoped("3-role", Effect::Deny, Scope::Role("developer".into())),
        scoped("4-person", Effect::Allow, Scope::Person("p_alice".into())),
    ];
    let expected = [Effect::Deny, Effect::Allow, Effect::Deny, Effect::Allow];
    for (count, effect) in (1..).zip(expected) {
        let bundle = bundle(all.iter().take(count).cloned().collect());
        assert_eq!(
            verdict(&bundle, &alice(&["t"]), "deploy x"),
            effect,
            "{count} rules"
        );
    }
}

#[test]
fn a_narrower_ask_does_not_lift_a_broader_deny() {
    let mut ask = rule("ask", Effect::Ask, "Bash(deploy *)");
    ask.scope = Scope::Person("p_alice".into());
    let bundle = bundle(vec![
        rule("deny", Effect::Deny, "Bash(deploy *)"),
        ask.clone(),
    ]);
    assert_eq!(verdict(&bundle, &alice(&[]), "deploy x"), Effect::Deny);
    let over_allow = fixtures::bundle(vec![rule("allow", Effect::Allow, "Bash(deploy *)"), ask]);
    assert_eq!(verdict(&over_allow, &alice(&[]), "deploy x"), Effect::Ask);
}

#[test]
fn several_teams_rank_equal() {
    let of = |id: &str, effect, team: &str| {
        let mut rule = rule(id, effect, "Bash(deploy *)");
        rule.scope = Scope::Team(team.into());
        rule
    };
    let bundle = bundle(vec![
        of("a", Effect::Allow, "one"),
        of("b", Effect::Deny, "two"),
    ]);
    assert_eq!(
        verdict(&bundle, &alice(&["one"]), "deploy x"),
        Effect::Allow
    );
    assert_eq!(
        verdict(&bundle, &alice(&["one", "two"]), "deploy x"),
        Effect::Deny
    );
}

#[test]
fn mandatory_and_posture_denies_win_over_everything() {
    let mut allow = rule("allow", Effect::Allow, "Bash");
    allow.scope = Scope::Person("p_alice".into());
    let mut mandatory = rule("mandatory", Effect::Deny, "Bash(deploy *)");
    mandatory.mandatory = true;
    let bundle_m = bundle(vec![allow.clone(), mandatory]);
    assert_eq!(verdict(&bundle_m, &alice(&[]), "deploy x"), Effect::Deny);
    let mut conditioned = rule("posture", Effect::Deny, "Bash(deploy *)");
    let on = Condition::Posture {
        posture: "disk_encryption".into(),
        is: "on".into(),
    };
    conditioned.when = Some(Condition::Not { not: Box::new(on) });
    let bundle_p = compiled(&bundle(vec![allow, conditioned]));
    let at = |value| {
        decide(
            &bash("deploy x"),
            &bundle_p,
            &alice(&[]),
            &posture(value),
            0,
        )
    };
    assert_eq!(at("on").effect, Effect::Allow);
    assert_eq!(at("off").effect, Effect::Deny);
    assert_eq!(at("unknown").effect, Effect::Deny);
    assert_eq!(at("off").rule.unwrap().rank, Rank::PostureDeny);
}

#[test]
fn unknown_posture_never_helps_an_allow() {
    let mut allow = rule("allow", Effect::Allow, "Bash(deploy *)");
    let off = Condition::Posture {
        posture: "disk_encryption".into(),
        is: "off".into(),
    };
    allow.when = Some(Condition::Not { not: Box::new(off) });
    let mut bundle = bundle(vec![allow]);
    bundle.default = Effect::Deny;
    let bundle = compiled(&bundle);
    let at = |value| decide(&bash("deploy x"), &bundle, &alice(&[]), &posture(value), 0).effect;
    assert_eq!(
        (at("on"), at("off"), at("unknown")),
        (Effect::Allow, Effect::Deny, Effect::Deny)
    );
}

/// The command is named as it was typed, and why nobody could read it is said of it.
#[test]
fn an_unreadable_command_is_named_beside_the_reason() {
    let bundle = bundle(vec![rule("no-rm", Effect::Deny, "Bash(rm *)")]);
    let at = |command: &str, interactive: bool| {
        let mut request = bash(command);
        request.interactive = interactive;
        decide(&request, &compiled(&bundle), &alice(&[]), &posture("on"), 0)
    };
    let why = "`echo 'open`: the command is not valid shell syntax, and it cannot be shown to be outside deny rule `no-rm`";
    for (interactive, effect) in [(true, Effect::Ask), (false, Effect::Deny)] {
        let decision = at("echo 'open", interactive);
        assert_eq!(decision.effect, effect);
        assert!(decision.sentence.contains(why), "{}", decision.sentence);
        assert_eq!(decision.parts[0].command, "echo 'open");
    }
    let readable = at("rm x", false).sentence;
    let begins = "Cairn denied `rm x`: deny rule `no-rm`";
    assert!(readable.starts_with(begins), "{readable}");
}

#[test]
fn default_and_nobody_to_ask() {
    let mut bundle = bundle(vec![rule("ask", Effect::Ask, "Bash(deploy *)")]);
    bundle.default = Effect::NoOpinion;
    assert_eq!(verdict(&bundle, &alice(&[]), "make"), Effect::NoOpinion);
    bundle.default = Effect::Deny;
    assert_eq!(verdict(&bundle, &alice(&[]), "make"), Effect::Deny);
    let mut request = bash("deploy x");
    assert_eq!(verdict(&bundle, &alice(&[]), "deploy x"), Effect::Ask);
    request.interactive = false;
    let decision = decide(&request, &compiled(&bundle), &alice(&[]), &posture("on"), 0);
    assert_eq!(decision.effect, Effect::Deny);
    assert!(
        decision.sentence.contains("nobody can be asked"),
        "{}",
        decision.sentence
    );
    assert!(decision.sentence.contains("`ask`") && decision.sentence.contains("security@"));
}

#[test]
fn one_unmatched_part_keeps_a_line_from_being_allowed() {
    let mut bundle = bundle(vec![rule("npm", Effect::Allow, "Bash(npm *)")]);
    bundle.default = Effect::Ask;
    assert_eq!(
        verdict(&bundle, &alice(&[]), "npm i && npm test"),
        Effect::Allow
    );
    assert_eq!(
        verdict(&bundle, &alice(&[]), "npm i && curl x"),
        Effect::Ask
    );
    assert_eq!(
        verdict(&bundle, &alice(&[]), "npm i > out.txt"),
        Effect::Ask
    );
    bundle.default = Effect::Allow;
    assert_eq!(
        verdict(&bundle, &alice(&[]), "npm i && curl x"),
        Effect::Allow
    );
    assert_eq!(
        verdict(&bundle, &alice(&[]), "npm i && if"),
        Effect::Ask,
        "never allowed unread"
    );
}

#[test]
fn a_spaced_bar_separates_alternatives_only_where_cairn_reads_it() {
    let pattern = "Bash(curl * | wget *)";
    let cairn = bundle(vec![rule("bar", Effect::Deny, pattern)]);
    for line in ["curl x", "wget y", "sudo wget y", "echo x | curl -d @- h"] {
        assert_eq!(verdict(&cairn, &alice(&[]), line), Effect::Deny, "{line}");
    }
    let mut imported = rule("bar", Effect::Deny, pattern);
    imported.dialect = cairn_policy::Dialect::Claude;
    let claude = bundle(vec![imported]);
    assert_eq!(verdict(&claude, &alice(&[]), "curl x"), Effect::NoOpinion);
    assert_eq!(
        verdict(&claude, &alice(&[]), "curl x | wget y"),
        Effect::Deny
    );
    let lints = cairn_policy::lint_bundle(&claude);
    assert_eq!(lints[0].instead, ["Bash(curl *)", "Bash(wget *)"]);
    let mut allow = bundle(vec![rule("bar", Effect::Allow, pattern)]);
    allow.default = Effect::Deny;
    assert_eq!(verdict(&allow, &alice(&[]), "curl x"), Effect::Deny);
}

#[test]
fn monitor_mode_computes_without_applying() {
    let mut monitored = rule("m", Effect::Deny, "Bash(deploy *)");
    monitored.mode = Some(DecisionMode::Monitor);
    let mut bundle = bundle(vec![monitored, rule("a", Effect::Allow, "Bash(deploy *)")]);
    let once = |bundle: &Bundle| {
        decide(
            &bash("deploy x"),
            &compiled(bundle),
            &alice(&[]),
            &posture("on"),
            0,
        )
    };
    assert_eq!(
        (once(&bundle).effect, once(&bundle).would),
        (Effect::Allow, Some(Effect::Deny))
    );
    bundle.rules[0].mode = None;
    bundle.mode = DecisionMode::Monitor;
    assert_eq!(once(&bundle).effect, Effect::Deny);
    assert_eq!(once(&bundle).applied(), Effect::NoOpinion);
}

#[test]
fn rules_expire() {
    let mut deny = rule("d", Effect::Deny, "Bash(deploy *)");
    deny.expires_ms = Some(1_000);
    let bundle = compiled(&bundle(vec![deny]));
    let at = |now| decide(&bash("deploy x"), &bundle, &alice(&[]), &posture("on"), now).effect;
    assert_eq!((at(999), at(1_000)), (Effect::Deny, Effect::NoOpinion));
}

#[test]
fn a_call_to_a_blocked_mcp_server_is_denied() {
    let mut bundle = bundle(vec![rule("a", Effect::Allow, "mcp__evil__*")]);
    bundle.mcp = serde_json::from_value::<McpPolicy>(
        json!({"default": "block", "allow": [{"name": "github"}]}),
    )
    .unwrap();
    let bundle = compiled(&bundle);
    let call = |server: &str| {
        let mut request = bash("");
        request.tool = format!("mcp__{server}__x");
        request.mcp = Some(McpCall {
            server: server.into(),
            tool: "x".into(),
            source: "project".into(),
            definition: None,
        });
        decide(&request, &bundle, &alice(&[]), &posture("on"), 0).effect
    };
    assert_eq!(call("evil"), Effect::Deny);
    assert_eq!(call("github"), Effect::NoOpinion);
}

#[test]
fn a_bundle_with_a_rule_that_cannot_match_does_not_compile() {
    let cases: &[(Effect, &str)] = &[
        (Effect::Deny, "bash(rm *)"),
        (Effect::Deny, "Bash(rm *"),
        (Effect::Deny, "Bash rm"),
        (Effect::Deny, ""),
        (Effect::Deny, " Bash(zip *)"),
        (Effect::Deny, "Bash()"),
        (Effect::Deny, "Bash(command:rm *)"),
        (Effect::Deny, "Read( .env )"),
        (Effect::Deny, "Read(src/../.env)"),
        (Effect::Deny, "Read(!.env)"),
        (Effect::Deny, "Read(/secrets/**)"),
        (Effect::Deny, "Write(docs/**)"),
        (Effect::Deny, "Glob(docs/**)"),
        (Effect::Deny, "WebFetch(https://example.com/*)"),
        (Effect::Deny, "mcp__github(*)"),
        (Effect::Deny, "mcp__my-srv__do it"),
        (Effect::Deny, "Foo(bar)"),
        (Effect::Allow, "*"),
        (Effect::Allow, "B*"),
        (Effect::Allow, "mcp__*"),
        (Effect::Allow, "mcp__git*__get_issue"),
        (Effect::Allow, "Bash(run_in_background:true)"),
    ];
    for (effect, pattern) in cases {
        let bundle = bundle(vec![rule("r", *effect, pattern)]);
        assert!(
            cairn_policy::compile(&bundle).is_err(),
            "{effect:?} {pattern}"
        );
        assert_eq!(
            cairn_policy::lint_bundle(&bundle).len(),
            1,
            "{effect:?} {pattern}"
        );
    }
    let twice: Vec<Rule> = vec![
        rule("r", Effect::Deny, "Bash"),
        rule("r", Effect::Ask, "Bash"),
    ];
    assert_eq!(cairn_policy::compile(&bundle(twice)).unwrap_err().len(), 1);
    let mut ask = rule("r", Effect::Ask, "Bash");
    ask.mandatory = true;
    assert!(cairn_policy::compile(&bundle(vec![ask])).is_err());
}

#[test]
fn bundles_are_strict_json_and_round_trip() {
    let mut bundle = kubectl_carve_out();
    bundle.rules[0].when = Some(Condition::All { all: vec![] });
    let bytes = bundle.canonical_bytes().unwrap();
    let again = Bundle::parse(&bytes).unwrap();
    assert_eq!(again, bundle);
    assert_eq!(again.canonical_bytes().unwrap(), bytes);
    let text = String::from_utf8(bytes).unwrap();
    for broken in [
        text.replace("\"schema\":1", "\"schema\":2"),
        text.replace("\"global\":true", "\"global\":false"),
        text.replace("\"dialect\"", "\"dialects\""),
        text.replace("\"version\":1", "\"version\":1.5"),
        text.replace("\"version\":1", "\"version\":1,\"version\":1"),
    ] {
        assert_ne!(broken, text);
        assert!(Bundle::parse(broken.as_bytes()).is_err(), "{broken}");
    }
}

#[test]
fn a_declaration_that_the_shell_works_out_first_is_asked_about() {
    let bundle = bundle(vec![rule("export", Effect::Allow, "Bash(export *)")]);
    let at = |line| verdict(&bundle, &alice(&[]), line);
    for plain in ["export A=b", "export A B=c", "export -p", "export A+=b"] {
        assert_eq!(at(plain), Effect::Allow, "{plain}");
    }
    for odd in [
        "export ~/x",
        "export /etc/passwd",
        "export .env -c x",
        "export A[0]=b",
        "export -i A=b",
        "export -n -rf A",
        "export -delete -la",
        "export remote -v",
    ] {
        assert_ne!(at(odd), Effect::Allow, "{odd}");
    }
}

#[test]
fn a_deny_of_all_reading_denies_writing() {
    let allow = rule("edit", Effect::Allow, "Edit(src/**)");
    let policy = bundle(vec![rule("read", Effect::Deny, "Read"), allow.clone()]);
    let asked = bundle(vec![rule("read", Effect::Ask, "Read"), allow]);
    for tool in ["Write", "Edit", "MultiEdit", "NotebookEdit"] {
        let member = if tool == "NotebookEdit" {
            "notebook_path"
        } else {
            "file_path"
        };
        let file = json!({ member: "/w/proj/src/a.ts" });
        let mut request = bash("");
        (request.tool, request.input) = (tool.to_owned(), file);
        let at = |bundle| decide(&request, &compiled(bundle), &alice(&[]), &posture("on"), 0);
        assert_eq!(at(&policy).effect, Effect::Deny, "{tool}");
        assert_ne!(at(&asked).effect, Effect::Deny, "{tool}");
    }
}
