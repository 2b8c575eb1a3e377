//! Commands made to hurt the reader: every one is answered, soon, and none is allowed by mistake.
//!
//! Source: Claude Code findings 5.2 and 5.3.

mod fixtures;

use cairn_event::Effect;
use cairn_policy::{
    Bundle, CompiledBundle, MAX_COMPARING_STEPS, MAX_READING_STEPS, ResolvedPath, cost, decide,
    paths_to_resolve,
};
use fixtures::hostile::{self, nested};
use fixtures::{alice, bash, bundle, compiled, posture, rule};
use proptest::prelude::*;

/// How far one count may go beyond a budget: what is counted before it is done, and then not done.
const BEYOND: u64 = 2;

/// Rules of the largest bundle.
const RULES: usize = 10_000;

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

/// The largest bundle; `awkward` with many rules that the index does not help with: wildcards first,
/// and paths without a plain segment.
fn largest(awkward: bool) -> Bundle {
    let effects = [Effect::Deny, Effect::Ask, Effect::Allow];
    let rules = (0..RULES).map(|n| {
        let pattern = match n % 5 {
            0 => format!("Bash(tool{n} * --force *)"),
            1 if awkward => format!("Bash(*tool{n}* --force *)"),
            2 => format!("Read(**/secret{n}/**)"),
            3 if awkward => format!("Edit(sub{n}*/**)"),
            _ => format!("Bash(git push * branch{n} *)"),
        };
        rule(&format!("r{n:05}"), effects[n % 3], &pattern)
    });
    bundle(rules.collect())
}

/// Decides a line; neither budget is gone beyond, and what exhausts one is refused or asked about.
fn within_the_budgets(name: &str, line: &str, bundle: &CompiledBundle) -> (Effect, bool) {
    let mut request = bash(line);
    let paths = paths_to_resolve("Bash", &request.input, &request.cwd, &request.home);
    let resolved = paths.into_iter().map(|path| ResolvedPath {
        given: path.clone(),
        lexical: path,
        target: None,
    });
    request.resolved = resolved.collect();
    let spent = cost(&request, bundle, &alice(&[]), &posture("on"), 0);
    assert!(
        spent.reading <= MAX_READING_STEPS * BEYOND,
        "{name}: {spent:?}"
    );
    assert!(
        spent.comparing <= MAX_COMPARING_STEPS * BEYOND,
        "{name}: {spent:?}"
    );
    let decision = decide(&request, bundle, &alice(&[]), &posture("on"), 0);
    let unread = spent.reading > MAX_READING_STEPS;
    let uncompared = spent.comparing > MAX_COMPARING_STEPS;
    if unread {
        assert_ne!(decision.effect, Effect::Allow, "{name}");
    }
    if uncompared {
        assert_eq!(decision.effect, Effect::Deny, "{name}");
        assert!(decision.sentence.contains("takes too much work"), "{name}");
    }
    (decision.effect, unread || uncompared)
}

#[test]
fn hostile_lines_cost_no_more_than_the_budgets() {
    let bundle = compiled(&policy());
    let lines = hostile::lines();
    // Every shape at every length, but not each with everything before and after it.
    for (name, line) in lines.iter().step_by(149) {
        within_the_budgets(name, line, &bundle);
    }
    for (open, close) in hostile::NESTED {
        for length in [60, 400, 9_900] {
            let line = nested(open, close, length);
            let (effect, _) = within_the_budgets(&line, &format!("npm {line}"), &bundle);
            assert_ne!(effect, Effect::Allow, "{open} {length}");
        }
    }
}

#[test]
fn hostile_lines_over_the_largest_bundle_cost_no_more_than_the_budgets() {
    let bundle = compiled(&largest(true));
    let lines = hostile::lines();
    for (name, line) in lines.iter().step_by(977) {
        within_the_budgets(name, line, &bundle);
    }
    let unknown = "cat s*/$X?x$Y; ".repeat(390);
    let (_, exhausted) = within_the_budgets("unknown files", &unknown, &bundle);
    assert!(
        exhausted,
        "the most expensive line is not too expensive: nothing was tested"
    );
}

#[test]
fn what_people_write_is_far_below_the_budgets() {
    let bundle = compiled(&largest(false));
    let script = "set -euo pipefail\nfor f in src/*.rs; do\n  if grep -q unwrap \"$f\"; then echo \"$f\"; fi\n\
                  done\ncargo build --release 2>&1 | tee build.log | tail -20\n"
        .repeat(5);
    let long_text = format!("git commit -m \"{}\"", "What changed and why. ".repeat(400));
    let many_files = format!("git add {}", "crates/policy/src/some_file.rs ".repeat(250));
    for line in [
        "cd web && npm install && npm run lint -- --fix | tail -5",
        "find . -name '*.rs' -not -path './target/*' -exec grep -l unwrap {} \\; | xargs sed -i s/a/b/",
        "docker run --rm -v \"$PWD\":/w -w /w -e A=b rust:1 bash -c 'cargo test && cargo clippy'",
        script.as_str(),
        long_text.as_str(),
        many_files.as_str(),
    ] {
        let (_, exhausted) = within_the_budgets(line, line, &bundle);
        assert!(!exhausted, "{line}");
    }
}

/// As long as a line may be, over rules that an index by beginnings does not help with.
#[test]
fn a_long_script_over_many_wildcards_is_far_below_the_budgets() {
    let lines = [
        "cargo test -p some-crate --lib",
        "cp src/main.rs out/main.rs",
        "git add . && git commit -m 'one step'",
        "mkdir -p target/out; rm -f target/out/log",
        "npm run lint 2>&1 | tee lint.log",
    ];
    let script = lines.map(|line| format!("{line}\n")).concat().repeat(40);
    assert!(script.lines().count() == 200 && script.len() < 9_900);
    for awkward in [false, true] {
        let (_, exhausted) = within_the_budgets("script", &script, &compiled(&largest(awkward)));
        assert!(!exhausted, "awkward: {awkward}");
    }
}

/// Of a command of which not all is known every rule that begins and ends with a wildcard is possible.
#[test]
fn a_long_script_with_variables_over_many_wildcards_is_decided() {
    let effects = [Effect::Deny, Effect::Ask, Effect::Allow];
    let rules = (0..RULES).map(|n| {
        let pattern = match n % 4 {
            0 => format!("Bash(*tool{n}* --force *)"),
            1 => format!("Bash(*a*a*a*b{n})"),
            2 => format!("Bash(git * branch{n} *)"),
            _ => format!("Bash(*danger{n}*)"),
        };
        rule(&format!("r{n:05}"), effects[n % 3], &pattern)
    });
    let bundle = compiled(&bundle(rules.collect()));
    let lines = [
        "cp $SRC/main.rs \"$OUT/main.rs\"",
        "echo \"step $I of $N\"",
        "git push origin $BRANCH",
        "$RUN x | tee $LOG",
        "if grep -q $WORD f; then cargo test -p $CRATE; fi",
    ];
    let script = lines.map(|line| format!("{line}\n")).concat().repeat(40);
    assert!(script.lines().count() == 200 && script.len() < 9_900);
    let (effect, exhausted) = within_the_budgets("script", &script, &bundle);
    assert!(!exhausted);
    assert_eq!(effect, Effect::Ask, "what is not known may be denied");
    let denied = format!("{script}x tool8 --force y\n");
    assert_eq!(
        within_the_budgets("denied", &denied, &bundle),
        (Effect::Ask, false)
    );
    let denied = format!("{script}x tool0 --force y $X\n");
    assert_eq!(
        within_the_budgets("denied", &denied, &bundle),
        (Effect::Deny, false)
    );
}

/// Parentheses that nothing closes, or that close on something else than arithmetic, are read twice for
/// each that is open: sixty of them would be read until the daemon is ended.
#[test]
fn parentheses_cannot_make_the_parser_read_for_ever() {
    let bundle = compiled(&policy());
    for depth in [2, 8, 16, 40, 90] {
        for inside in [
            "",
            "x",
            "x;",
            "x; y",
            "x\n",
            "; x ;",
            "x | y && z",
            "case a in b) c;; esac",
        ] {
            for (open, close) in [
                ("(", ")"),
                ("( ", " )"),
                ("((", "))"),
                ("for ((", ")); do x; done"),
            ] {
                let (open, close) = (open.repeat(depth), close.repeat(depth));
                for line in [
                    format!("npm {open}{inside}"),
                    format!("{open}{inside}{close}"),
                    format!("{open}{inside}{close})"),
                    format!("{open}{close}{inside}"),
                ] {
                    let (effect, _) = within_the_budgets(&line, &line, &bundle);
                    assert_ne!(effect, Effect::Allow, "{line}");
                }
            }
        }
    }
    for honest in [
        "(cd web && (npm test))",
        "((x = (1 + 2) * 3)); npm test",
        "npm x; (((npm y)))",
    ] {
        let (_, exhausted) = within_the_budgets(honest, honest, &bundle);
        assert!(!exhausted, "{honest}");
    }
}

/// Some shapes are read twice or more for each level, or take a stack that grows with each: twenty `case`
/// inside each other would be read until the daemon is ended, and a thousand `if` would end it.
#[test]
fn nothing_makes_the_parser_read_for_ever_or_use_up_its_stack() {
    let bundle = compiled(&policy());
    let lines = hostile::deep();
    let judged = lines
        .iter()
        .map(|line| within_the_budgets(line, line, &bundle));
    let refused = judged.filter(|(effect, _)| *effect != Effect::Allow);
    // A few levels of brackets are an argument like any other.
    assert!(refused.count() > lines.len() * 3 / 4);
    for honest in [
        "case \"$1\" in a) case \"$2\" in b) npm x;; esac;; *) npm y; esac",
        "declare -A m; m[\"a b\"]=1; m[${#m[@]}]=\"$(npm \"${x}\")\"; m[$((i + 1))]+=x",
        "for f in *; do if a; then while b; do case $f in x) npm;; esac; done; fi; done",
        "npm run test[0] a[1] -- --filter 'a[b]' if while case",
    ] {
        let line = format!("{honest}\n").repeat(20);
        let (_, exhausted) = within_the_budgets(honest, &line, &bundle);
        assert!(!exhausted, "{honest}");
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
