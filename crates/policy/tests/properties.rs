//! What holds for every policy: order, unknown posture, tightening.
//!
//! Source: architecture section 4.

mod fixtures;

use cairn_event::Effect;
use cairn_policy::{Condition, Rule, Scope, decide};
use fixtures::{alice, bash, bundle, compiled, posture, rule};
use proptest::prelude::*;

const PATTERNS: &[&str] = &[
    "Bash",
    "Bash(git *)",
    "Bash(git push *)",
    "Bash(rm *)",
    "Bash(npm test)",
    "Bash(*--force*)",
    "Read(.env)",
    "Edit(src/**)",
    "Bash(curl * | wget *)",
];

const LINES: &[&str] = &[
    "git push origin",
    "git status && rm x",
    "npm test",
    "rm x",
    "git push --force; npm test",
    "cat .env",
    "echo x > src/a",
    "curl x",
    "python -c 'x'",
    "$X y",
    "(git push)",
    "git $X",
];

fn effect() -> impl Strategy<Value = Effect> {
    prop::sample::select(vec![Effect::Allow, Effect::Deny, Effect::Ask])
}

fn scope() -> impl Strategy<Value = Scope> {
    prop::sample::select(vec![
        Scope::Global,
        Scope::Team("one".into()),
        Scope::Team("two".into()),
        Scope::Role("developer".into()),
        Scope::Person("p_alice".into()),
    ])
}

fn condition() -> impl Strategy<Value = Condition> {
    let is = prop::sample::select(vec!["on", "off"]).prop_map(|is| Condition::Posture {
        posture: "disk_encryption".into(),
        is: is.into(),
    });
    is.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|not| Condition::Not { not: Box::new(not) }),
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| Condition::All { all }),
            prop::collection::vec(inner, 0..3).prop_map(|any| Condition::Any { any }),
        ]
    })
}

fn rules(conditions: bool) -> impl Strategy<Value = Vec<Rule>> {
    let one = (
        effect(),
        prop::sample::select(PATTERNS.to_vec()),
        scope(),
        prop::option::of(condition()),
        any::<bool>(),
    );
    prop::collection::vec(one, 0..7).prop_map(move |rows| {
        rows.into_iter()
            .enumerate()
            .map(|(at, (effect, pattern, scope, when, mandatory))| {
                let mut rule = rule(&format!("r{at}"), effect, pattern);
                rule.scope = scope;
                rule.when = when.filter(|_| conditions);
                rule.mandatory = mandatory && effect == Effect::Deny;
                rule
            })
            .collect()
    })
}

fn strictness(effect: Effect) -> u8 {
    match effect {
        Effect::Allow => 0,
        Effect::NoOpinion => 1,
        Effect::Ask => 2,
        Effect::Deny => 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_older_policy_is_never_wider(
        rows in rules(true),
        passing in prop::collection::vec(any::<bool>(), 7),
        line in prop::sample::select(LINES.to_vec()),
        disk in prop::sample::select(vec!["on", "off", "unknown"]),
        default in prop::sample::select(vec![
            Effect::Allow, Effect::NoOpinion, Effect::Ask, Effect::Deny,
        ]),
        teams in prop::sample::select(vec![vec![], vec!["one"], vec!["one", "two"]]),
    ) {
        let mut policy = bundle(rows);
        policy.default = default;
        for (rule, passes) in policy.rules.iter_mut().zip(passing) {
            rule.expires_ms = passes.then_some(u64::MAX >> 12);
        }
        let policy = compiled(&policy);
        let steps = policy.bundle().ages();
        let subject = alice(&teams);
        let at = |age| {
            let decided = decide(&bash(line), policy.at_age(age), &subject, &posture(disk), 0);
            strictness(decided.effect)
        };
        let fresh = at(0);
        prop_assert_eq!(at(steps.restrict_ms), fresh);
        prop_assert!(at(steps.restrict_ms + 1) >= fresh);
        prop_assert_eq!(at(u64::MAX), at(steps.restrict_ms + 1));
    }

    #[test]
    fn the_order_of_rows_never_matters(
        rows in rules(true),
        line in prop::sample::select(LINES.to_vec()),
        disk in prop::sample::select(vec!["on", "off", "unknown"]),
        turn in 0usize..7,
    ) {
        let mut other = rows.clone();
        other.reverse();
        if !other.is_empty() {
            let by = turn % other.len();
            other.rotate_left(by);
        }
        let one = |rows| {
            let bundle = compiled(&bundle(rows));
            decide(&bash(line), &bundle, &alice(&["one", "two"]), &posture(disk), 0)
        };
        prop_assert_eq!(one(rows), one(other));
    }

    #[test]
    fn unknown_posture_is_never_better_than_bad(
        rows in rules(true),
        line in prop::sample::select(LINES.to_vec()),
        default in prop::sample::select(vec![
            Effect::Deny, Effect::Ask, Effect::NoOpinion, Effect::Allow,
        ]),
    ) {
        let mut bundle = bundle(rows);
        bundle.default = default;
        let bundle = compiled(&bundle);
        let at = |disk| {
            let decision = decide(&bash(line), &bundle, &alice(&["one"]), &posture(disk), 0);
            strictness(decision.effect)
        };
        prop_assert!(at("unknown") >= at("on").max(at("off")));
    }

    #[test]
    fn adding_a_deny_never_widens(
        rows in rules(false),
        pattern in prop::sample::select(PATTERNS.to_vec()),
        scope in scope(),
        line in prop::sample::select(LINES.to_vec()),
    ) {
        let one = |rows| {
            let bundle = compiled(&bundle(rows));
            let subject = alice(&["one"]);
            strictness(decide(&bash(line), &bundle, &subject, &posture("on"), 0).effect)
        };
        let before = one(rows.clone());
        let mut more = rows;
        let mut deny = rule("zz-extra", Effect::Deny, pattern);
        deny.scope = scope;
        more.push(deny);
        prop_assert!(one(more) >= before);
    }

    #[test]
    fn a_posture_deny_never_widens(
        rows in rules(true),
        pattern in prop::sample::select(PATTERNS.to_vec()),
        scope in scope(),
        when in condition(),
        line in prop::sample::select(LINES.to_vec()),
        disk in prop::sample::select(vec!["on", "off", "unknown"]),
        default in prop::sample::select(vec![
            Effect::Deny, Effect::Ask, Effect::NoOpinion, Effect::Allow,
        ]),
    ) {
        let one = |rows| {
            let mut bundle = bundle(rows);
            bundle.default = default;
            let bundle = compiled(&bundle);
            let subject = alice(&["one"]);
            strictness(decide(&bash(line), &bundle, &subject, &posture(disk), 0).effect)
        };
        let before = one(rows.clone());
        let mut more = rows;
        let mut deny = rule("zz-extra", Effect::Deny, pattern);
        deny.scope = scope;
        deny.when = Some(when);
        more.push(deny);
        prop_assert!(one(more) >= before);
    }
}
