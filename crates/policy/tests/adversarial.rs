//! Commands made to hurt the reader: every one is answered, soon, and none is allowed by mistake.
//!
//! Source: Claude Code findings 5.2 and 5.3.

mod fixtures;

use cairn_event::Effect;
use cairn_policy::{Bundle, decide};
use fixtures::{alice, bash, bundle, compiled, posture, rule};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Generous for a loaded machine in a debug build; exponential behaviour takes hours.
const SOON: Duration = Duration::from_secs(20);

fn policy() -> Bundle {
    let mut rules: Vec<_> = (0..50)
        .map(|n| {
            rule(
                &format!("d{n}"),
                Effect::Deny,
                &format!("Bash(*tool{n}* --force *)"),
            )
        })
        .collect();
    rules.push(rule("rm", Effect::Deny, "Bash(rm *)"));
    rules.push(rule("env", Effect::Deny, "Read(**/.env)"));
    rules.push(rule("npm", Effect::Allow, "Bash(npm *)"));
    let mut bundle = bundle(rules);
    bundle.default = Effect::Ask;
    bundle
}

fn nested(open: &str, inner: &str, close: &str, length: usize) -> String {
    let times = length / (open.len() + close.len());
    format!("npm {}{inner}{}", open.repeat(times), close.repeat(times))
}

#[test]
fn hostile_shapes_are_answered_soon_and_never_allowed() {
    let bundle = compiled(&policy());
    let shapes: &[(&str, &str)] = &[
        ("$(", ")"),
        ("\"$(", ")\""),
        ("\"a$(echo \"a", "\")\""),
        ("${x:-", "}"),
        ("${a[", "]}"),
        ("$((", "))"),
        ("$((echo ", ") )"),
        ("`", "`"),
        ("\\`", "\\`"),
        ("<(cat ", ")"),
        ("{a,", "}"),
        ("{", "}"),
        ("@(", ")"),
        ("$'\\x", "'"),
        ("a && (", ")"),
        ("; if true; then ", "; fi"),
        ("; { ", "; }"),
        ("; f() { ", "; }"),
        ("; case x in x) ", ";; esac"),
        ("eval \"", "\""),
        ("bash -c '", "'"),
        ("sudo env timeout 5 xargs ", " "),
        ("A=$A$A; ", " "),
        ("> $x ", " "),
        ("[[ ", " ]]"),
        ("$(( a[", "] ))"),
        ("<<EOF\n", "\nEOF\n"),
    ];
    for (open, close) in shapes {
        for length in [60, 400, 9_900] {
            let line = nested(open, "x $Y", close, length);
            let started = Instant::now();
            let effect = decide(&bash(&line), &bundle, &alice(&[]), &posture("on"), 0).effect;
            assert!(
                started.elapsed() < SOON,
                "{open} {length}: {:?}",
                started.elapsed()
            );
            assert_ne!(effect, Effect::Allow, "{open} {length}");
        }
    }
}

#[test]
fn numbers_that_overflow_the_parser_are_not_allowed() {
    let bundle = compiled(&policy());
    for line in [
        "npm 99999999999999999999> x",
        "npm ~99999999999999999999/x ${X}",
        "npm {1..99999999999999999999}",
        "npm ${99999999999999999999}",
        "npm \0x",
        &format!("npm {}", "a".repeat(10_000)),
    ] {
        let effect = decide(&bash(line), &bundle, &alice(&[]), &posture("on"), 0).effect;
        assert_ne!(effect, Effect::Allow, "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_answered(text in "[ -~\\n]{0,200}") {
        let bundle = compiled(&policy());
        decide(&bash(&text), &bundle, &alice(&[]), &posture("on"), 0);
    }

    #[test]
    fn shell_like_text_never_hides_the_denied_command(
        before in prop::sample::select(vec![
            "", "true && ", "echo x; ", "(", "{ ", "if true; then ", "x=1; ", "! ", "sudo ", "env A=1 ",
            "timeout 5 ", "nohup ", "echo $(", "echo `", "cat <(", "for i in 1; do ", "f() { ", "a | ",
            "\\\n", "echo \"$(", "A=1 ", "2>/dev/null ", "time ",
        ]),
        command in prop::sample::select(vec![
            "rm x", "r\\m x", "'rm' x", "\"rm\" x", "/bin/rm x", "rm", "rm -rf \"a b\"", "r''m x",
        ]),
    ) {
        let after = match before {
            "(" | "echo $(" | "cat <(" => ")",
            "echo \"$(" => ")\"",
            "{ " | "f() { " => "; }",
            "if true; then " => "; fi",
            "for i in 1; do " => "; done",
            "echo `" => "`",
            _ => "",
        };
        // Inside backticks a backslash is one level deeper.
        prop_assume!(!(before == "echo `" && command.contains('\\')));
        let line = format!("{before}{command}{after}");
        let bundle = compiled(&policy());
        let effect = decide(&bash(&line), &bundle, &alice(&[]), &posture("on"), 0).effect;
        prop_assert_eq!(effect, Effect::Deny, "{}", line);
    }
}
