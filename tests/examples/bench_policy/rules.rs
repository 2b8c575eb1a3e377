//! Two bundles of 10,000 rules: one as a large organisation has it, and one that no index helps.
//!
//! Everything is derived from counters: a run is the same each time.

use cairn_event::Effect;
use cairn_policy::{Bundle, Condition, Dialect, Rule, Scope};

/// Rules of a bundle: the most that a bundle may have.
const RULES: usize = 10_000;

/// Teams that have rules of their own.
const TEAMS: usize = 500;

/// Every so many rules is for everybody; the others are for a team, a role or a person.
const GLOBAL_EVERY: usize = 5;

/// Programs that rules are about.
const PROGRAMS: &[&str] = &[
    "git",
    "kubectl",
    "terraform",
    "docker",
    "npm",
    "cargo",
    "aws",
    "gcloud",
    "helm",
    "ssh",
    "curl",
    "psql",
    "make",
    "python3",
    "go",
    "systemctl",
    "rsync",
    "ansible",
    "vault",
    "gh",
];

/// Subcommands of those programs.
const SUBCOMMANDS: &[&str] = &[
    "push", "pull", "apply", "delete", "get", "run", "build", "test", "login", "exec", "copy",
    "scale",
];

/// The identifier of a team.
pub fn team(number: usize) -> String {
    format!("team-{number:03}")
}

/// The identifier of a person.
pub fn person(number: usize) -> String {
    format!("p_{number:032x}")
}

/// Commands, paths, MCP tools and hosts, for everybody, 500 teams, roles and people; some under a
/// condition on posture, some mandatory, some monitored.
pub fn mixed() -> Bundle {
    bundle((0..RULES).map(mixed_rule).collect())
}

/// Rules that an index helps little with: wildcards first, wildcards many, and paths without a plain name.
pub fn wild() -> Bundle {
    let effects = [Effect::Deny, Effect::Ask, Effect::Allow];
    let rule = |number: usize| {
        let (effect, pattern) = match number % 8 {
            0 | 1 => (
                effects[number % 3],
                format!("Bash(*tool{number}* --force *)"),
            ),
            2 => (effects[number % 3], format!("Bash(*a*a*a*a*a*b{number})")),
            3 => (effects[number % 3], format!("Edit(sub{number}*/**)")),
            4 => (effects[number % 3], format!("Read(**/*{number}*/*a*a*b)")),
            5 => (Effect::Deny, format!("*a*a*a*b{number}")),
            6 => (Effect::Deny, format!("WebFetch(domain:*.a{number}.*)")),
            _ => (effects[number % 3], format!("Bash(git * branch{number} *)")),
        };
        Rule {
            pattern,
            ..self::rule(number, effect)
        }
    };
    bundle((0..RULES).map(rule).collect())
}

/// Rules for everybody that all begin with the same words: what is looked for stands at the end.
pub fn alike() -> Bundle {
    let rule = |number| Rule {
        pattern: format!("Bash(git push origin release-{number} *)"),
        ..rule(number, Effect::Deny)
    };
    bundle((0..RULES).map(rule).collect())
}

fn mixed_rule(number: usize) -> Rule {
    let effect = match number % 7 {
        0..=2 => Effect::Deny,
        3 => Effect::Ask,
        _ => Effect::Allow,
    };
    let scope = match number % GLOBAL_EVERY {
        0 => Scope::Global,
        1 if number % 4 == 1 => Scope::Person(person(number % 1_000)),
        2 if number % 8 == 2 => Scope::Role(["developer", "on-call", "release"][number % 3].into()),
        _ => Scope::Team(team(number % TEAMS)),
    };
    let program = PROGRAMS[number % PROGRAMS.len()];
    let subcommand = SUBCOMMANDS[number / PROGRAMS.len() % SUBCOMMANDS.len()];
    let pattern = match number % 10 {
        0..=5 => format!("Bash({program} {subcommand} service-{number} *)"),
        6 => format!("Read(//srv/data-{number}/**)"),
        7 => format!("Edit(**/generated-{number}/*.rs)"),
        8 => format!("mcp__server_{}__tool_{number}", number % 40),
        _ => format!("WebFetch(domain:host-{number}.example.com)"),
    };
    Rule {
        pattern,
        scope,
        when: (number % 20 == 3).then(|| Condition::Posture {
            posture: "disk_encryption".into(),
            is: "on".into(),
        }),
        mandatory: effect == Effect::Deny && number.is_multiple_of(50),
        mode: (number % 40 == 11).then_some(cairn_event::DecisionMode::Monitor),
        ..rule(number, effect)
    }
}

fn rule(number: usize, effect: Effect) -> Rule {
    Rule {
        id: format!("rule-{number:05}"),
        effect,
        pattern: String::new(),
        scope: Scope::Global,
        when: None,
        mandatory: false,
        dialect: Dialect::Cairn,
        mode: None,
        expires_ms: None,
        anchor: None,
        approver: None,
        note: None,
    }
}

/// The rules, and a few that ordinary calls meet.
fn bundle(mut rules: Vec<Rule>) -> Bundle {
    let met = [
        (Effect::Deny, "Bash(kubectl *)", Scope::Global),
        (Effect::Allow, "Bash(kubectl get *)", Scope::Team(team(3))),
        (Effect::Allow, "Bash(git status *)", Scope::Global),
        (Effect::Allow, "Bash(npm *)", Scope::Global),
        (Effect::Deny, "Bash(rm -rf *)", Scope::Global),
        (Effect::Deny, "Read(**/.env)", Scope::Global),
        (Effect::Ask, "Edit(**/.github/**)", Scope::Global),
        (
            Effect::Allow,
            "WebFetch(domain:*.rust-lang.org)",
            Scope::Global,
        ),
    ];
    rules.truncate(RULES - met.len());
    for (number, (effect, pattern, scope)) in met.into_iter().enumerate() {
        rules.push(Rule {
            pattern: pattern.into(),
            scope,
            ..rule(RULES + number, effect)
        });
    }
    let mut bundle = Bundle::empty("cairn.bench/acme", "security@acme.example");
    bundle.version = 1;
    bundle.rules = rules;
    bundle
}
