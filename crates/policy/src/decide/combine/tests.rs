//! What the index leaves out, or takes together, changes nothing.

use super::*;
use crate::bundle::{Bundle, Dialect, Rule, Scope};
use crate::compile::compile;
use crate::request::Request;
use crate::subject::Subject;
use cairn_event::{DecisionMode, Posture};
use proptest::prelude::*;

const WORDS: &[&str] = &[
    "alpha", "bravo", "charlie", "delta", "echo", "force", "golf", "push",
];

/// `W` is a word.
const PATTERNS: &[&str] = &[
    "*W*",
    "*W*",
    "*W*",
    "*W* W *",
    "*W*W*",
    "*W",
    "* W",
    "*W W",
    "*W:*",
    "W *",
    "W",
    "git * W *",
    "git * W *",
    "git *W",
    "git push * W *",
    "W * W",
    "*W | W*",
];

const COMMANDS: &[&str] = &[
    "git push W",
    "git push $X W",
    "git $X",
    "W $X",
    "W $X W",
    "W $X/W",
    "$X W",
    "$X",
    "W$X W",
    "W *.W",
    "git ?W $X",
    "eval $X",
    "bash -c \"W $X\"",
    "X=W; git $X",
    "W > $X",
    "W <<< W",
    "W W &",
    "if W; then W $X; fi",
    "W | W $X",
    "$(W) W",
    "W $(W $X) W",
    "sudo W $X",
    "(",
];

/// A template with words for every `W`.
fn filled(templates: &'static [&'static str]) -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(WORDS), 4);
    (prop::sample::select(templates), words).prop_map(|(template, words)| {
        let mut words = words.into_iter().cycle();
        let fill = |c: char| match c {
            'W' => words.next().unwrap_or_default().to_owned(),
            other => other.to_string(),
        };
        template.chars().map(fill).collect()
    })
}

fn one_rule() -> impl Strategy<Value = Rule> {
    let effects = vec![Effect::Deny, Effect::Deny, Effect::Ask, Effect::Allow];
    let scopes = vec![
        Scope::Global,
        Scope::Global,
        Scope::Team("one".to_owned()),
        Scope::Team("other".to_owned()),
        Scope::Person("p_alice".to_owned()),
    ];
    (
        filled(PATTERNS),
        prop::sample::select(effects),
        prop::sample::select(scopes),
        0..20u8,
    )
        .prop_map(|(pattern, effect, scope, kind)| Rule {
            id: String::new(),
            effect,
            pattern: format!("Bash({pattern})"),
            scope,
            when: None,
            mandatory: kind == 0 && effect == Effect::Deny,
            dialect: if kind == 1 {
                Dialect::Claude
            } else {
                Dialect::Cairn
            },
            mode: (kind == 2).then_some(DecisionMode::Monitor),
            expires_ms: (kind == 3).then_some(5),
            anchor: None,
            approver: None,
            note: None,
        })
}

fn request(command: &str) -> Request {
    Request {
        tool: "Bash".to_owned(),
        input: serde_json::json!({ "command": command }),
        cwd: "/w/proj".to_owned(),
        home: "/home/u".to_owned(),
        resolved: Vec::new(),
        rule_links: Vec::new(),
        interactive: true,
        permission_mode: None,
        mcp: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_verdict_with_the_index_is_the_one_without(
        rules in prop::collection::vec(one_rule(), 40..160),
        lines in prop::collection::vec(filled(COMMANDS), 1..4),
        default in prop::sample::select(vec![Effect::NoOpinion, Effect::Deny]),
    ) {
        let mut bundle = Bundle::empty("test.example/log", "");
        bundle.default = default;
        let numbered = rules.into_iter().enumerate();
        bundle.rules = numbered
            .map(|(number, rule)| Rule { id: format!("{number:03}"), ..rule })
            .collect();
        let bundle = compile(&bundle).unwrap();
        let subject = Subject {
            person: "p_alice".to_owned(),
            teams: vec!["one".to_owned()],
            roles: Vec::new(),
        };
        let line = lines.join("\n");
        let (request, posture) = (request(&line), Posture::default());
        let inputs = Inputs::of(&request, &bundle, &subject, &posture, 9);
        let said = |slates: &mut Slates<'_>, parts: &Parts, monitored| {
            let (ruling, has_monitored) = inputs.combine(slates, parts, monitored);
            let parts = ruling.parts;
            let decided = (ruling.effect, ruling.rule, ruling.losing, ruling.uncertain);
            (decided, ruling.subject, parts, monitored || has_monitored)
        };
        for monitored in [false, true] {
            let parts = parts::of(&request);
            let mut with = bundle.index.slates(&subject, &parts, &request);
            let with = said(&mut with, &parts, monitored);
            prop_assert!(!parts.work.is_exhausted());
            let rules = bundle.rules.len();
            let again = parts::of(&request);
            let mut without = Slates::of_everything(&bundle.index, rules, &again, &request);
            let without = said(&mut without, &again, monitored);
            prop_assert_eq!((with.0, with.1, with.2), (without.0, without.1, without.2), "{}", &line);
            // Without the index every rule in monitor mode may match.
            prop_assert!(!with.3 || without.3);
        }
    }
}
