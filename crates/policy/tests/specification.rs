//! The rules of precedence a second time, written naively from the text, and compared on random input.
//!
//! The universe is small on purpose: commands without shell syntax, so that nothing but the precedence
//! of rules is at stake.
//! Source: architecture section 4, items 1 to 5.

mod fixtures;

use cairn_event::{DecisionMode, Effect};
use cairn_policy::{Condition, Rule, Scope, decide};
use fixtures::{alice, bash, bundle, compiled, posture, rule};
use proptest::prelude::*;

const PATTERNS: &[(&str, &str)] = &[
    ("Bash", ""),
    ("Bash(git *)", "git "),
    ("Bash(git push *)", "git push "),
    ("Bash(rm *)", "rm "),
    ("Bash(make *)", "make "),
];

const COMMANDS: &[&str] = &["git push x", "git log x", "rm x", "make x", "other x"];

/// A condition in three values, for a disk whose state may be unknown.
fn truth(condition: &Condition, disk: &str) -> Option<bool> {
    match condition {
        Condition::Posture { is, .. } => (disk != "unknown").then(|| is == disk),
        Condition::Not { not } => truth(not, disk).map(|known| !known),
        Condition::All { all } => {
            let values: Vec<_> = all.iter().map(|one| truth(one, disk)).collect();
            if values.contains(&Some(false)) {
                Some(false)
            } else if values.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Condition::Any { any } => {
            let values: Vec<_> = any.iter().map(|one| truth(one, disk)).collect();
            if values.contains(&Some(true)) {
                Some(true)
            } else if values.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
    }
}

struct World<'a> {
    rules: &'a [Rule],
    teams: &'a [&'a str],
    disk: &'a str,
    now_ms: u64,
    default: Effect,
}

impl World<'_> {
    /// 0 for everybody, 3 for this person; absent where the rule is not about them.
    fn rank(&self, scope: &Scope) -> Option<usize> {
        match scope {
            Scope::Global => Some(0),
            Scope::Team(team) => self.teams.contains(&team.as_str()).then_some(1),
            Scope::Role(role) => (role == "developer").then_some(2),
            Scope::Person(person) => (person == "p_alice").then_some(3),
        }
    }

    /// Rules that speak about the command, with whether their condition is known to hold.
    fn speaking(&self, command: &str) -> Vec<(&Rule, usize, bool)> {
        let prefix = |rule: &Rule| {
            let found = PATTERNS
                .iter()
                .find(|(pattern, _)| *pattern == rule.pattern);
            found.map_or("\0", |(_, prefix)| prefix)
        };
        self.rules
            .iter()
            .filter(|rule| rule.mode != Some(DecisionMode::Monitor))
            .filter(|rule| rule.expires_ms.is_none_or(|end| self.now_ms < end))
            .filter(|rule| command.starts_with(prefix(rule)))
            .filter_map(|rule| Some((rule, self.rank(&rule.scope)?)))
            .filter_map(|(rule, rank)| {
                match rule.when.as_ref().map(|when| truth(when, self.disk)) {
                    None | Some(Some(true)) => Some((rule, rank, true)),
                    Some(None) if rule.effect != Effect::Allow => Some((rule, rank, false)),
                    Some(_) => None,
                }
            })
            .collect()
    }

    fn one(&self, command: &str) -> Effect {
        let speaking = self.speaking(command);
        let strongest =
            |rule: &Rule| rule.effect == Effect::Deny && (rule.mandatory || rule.when.is_some());
        if speaking.iter().any(|(rule, ..)| strongest(rule)) {
            return Effect::Deny;
        }
        let mut asked = false;
        let mut found = None;
        for rank in [3, 2, 1, 0] {
            let says = |effect| {
                speaking
                    .iter()
                    .any(|(rule, at, _)| *at == rank && rule.effect == effect)
            };
            if says(Effect::Deny) {
                found = Some(Effect::Deny);
                break;
            }
            if says(Effect::Ask) {
                asked = true;
            } else if says(Effect::Allow) {
                found = Some(Effect::Allow);
                break;
            }
        }
        let verdict = match (found, asked) {
            (Some(Effect::Deny), _) => Effect::Deny,
            (_, true) => Effect::Ask,
            (Some(found), false) => found,
            (None, false) => return self.default,
        };
        // What only may apply never softens a default of deny.
        if self.default == Effect::Deny && !speaking.iter().any(|(.., known)| *known) {
            return Effect::Deny;
        }
        verdict
    }

    fn line(&self, commands: &[&str]) -> Effect {
        let effects: Vec<Effect> = commands.iter().map(|command| self.one(command)).collect();
        [Effect::Deny, Effect::Ask, Effect::NoOpinion]
            .into_iter()
            .find(|effect| effects.contains(effect))
            .unwrap_or(Effect::Allow)
    }
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

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let scope = prop::sample::select(vec![
        Scope::Global,
        Scope::Team("one".into()),
        Scope::Team("two".into()),
        Scope::Role("developer".into()),
        Scope::Role("auditor".into()),
        Scope::Person("p_alice".into()),
        Scope::Person("p_bob".into()),
    ]);
    let one = (
        prop::sample::select(vec![Effect::Allow, Effect::Deny, Effect::Ask]),
        prop::sample::select(PATTERNS.to_vec()),
        scope,
        prop::option::of(condition()),
        prop::option::weighted(0.2, Just(DecisionMode::Monitor)),
        prop::option::weighted(0.2, 0_u64..200),
        prop::bool::weighted(0.2),
    );
    prop::collection::vec(one, 0..9).prop_map(|rows| {
        rows.into_iter()
            .enumerate()
            .map(
                |(at, (effect, (pattern, _), scope, when, mode, expires_ms, mandatory))| Rule {
                    scope,
                    when,
                    mode,
                    expires_ms,
                    mandatory: mandatory && effect == Effect::Deny,
                    ..rule(&format!("r{at}"), effect, pattern)
                },
            )
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_engine_does_what_the_text_says(
        rules in rules(),
        commands in prop::collection::vec(prop::sample::select(COMMANDS.to_vec()), 1..4),
        teams in prop::sample::subsequence(vec!["one", "two"], 0..=2),
        disk in prop::sample::select(vec!["on", "off", "unknown"]),
        now_ms in 0_u64..250,
        default in prop::sample::select(vec![
            Effect::Deny, Effect::Ask, Effect::NoOpinion, Effect::Allow,
        ]),
        interactive in any::<bool>(),
    ) {
        let world = World { rules: &rules, teams: &teams, disk, now_ms, default };
        let expected = match world.line(&commands) {
            Effect::Ask if !interactive => Effect::Deny,
            effect => effect,
        };
        let mut bundle = bundle(rules.clone());
        bundle.default = default;
        let mut request = bash(&commands.join(" && "));
        request.interactive = interactive;
        let decision = decide(&request, &compiled(&bundle), &alice(&teams), &posture(disk), now_ms);
        prop_assert_eq!(decision.effect, expected, "{:?} {:?}", commands, rules);
    }
}
