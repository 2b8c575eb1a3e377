//! Rules that reach across the commands of a line, where a narrower allow meets some of them.
//!
//! Source: observed verdicts of Claude Code 2.1.330; architecture section 4.

mod fixtures;

use cairn_event::Effect;
use cairn_policy::{Bundle, Dialect, Scope};
use fixtures::{alice, bundle, rule, verdict};

/// A deny for everybody, and an exception that covers `npm` and `ls` for a team.
fn policy() -> Bundle {
    let exception = ["Bash(npm *)", "Bash(ls *)", "Bash(cat *)", "Bash(cat)"];
    let allows = exception.iter().enumerate().map(|(number, pattern)| {
        let mut allow = rule(&format!("allow-{number}"), Effect::Allow, pattern);
        allow.scope = Scope::Team("one".to_owned());
        allow
    });
    let deny = rule("deny", Effect::Deny, "Bash(npm*cat)");
    bundle(allows.chain([deny]).collect())
}

fn at(line: &str) -> Effect {
    verdict(&policy(), &alice(&["one"]), line)
}

#[test]
fn a_command_that_an_exception_meets_lifts_no_deny_from_the_rest_of_the_line() {
    for denied in [
        "npm push | cat",
        "npm cat; npm push | cat",
        "npm push | cat; npm cat",
        "npm cat && npm cat; npm push | cat",
        "npm x | npm cat; npm push | cat",
        "npm cat 2>&1; npm push | cat",
    ] {
        assert_eq!(at(denied), Effect::Deny, "{denied}");
    }
    for allowed in [
        "npm cat",
        "npm cat | npm cat",
        "npm cat | ls x",
        "ls x | npm cat",
        "npm push | ls x",
    ] {
        assert_eq!(at(allowed), Effect::Allow, "{allowed}");
    }
}

#[test]
fn what_goes_on_in_the_background_is_asked_about_only_where_every_command_is_allowed_anyway() {
    let of = |dialect: Dialect, line: &str| {
        let whole = rule("all", Effect::Allow, "Bash");
        let some = rule("some", Effect::Allow, "Bash(kubectl *)");
        let rules = [whole, some].map(|mut rule| {
            rule.dialect = dialect;
            rule
        });
        verdict(&bundle(rules.to_vec()), &alice(&[]), line)
    };
    for line in [
        "ls &",
        "kubectl x & ls",
        "foo | kubectl x &",
        "NODE_ENV=x ls &",
    ] {
        assert_eq!(of(Dialect::Claude, line), Effect::NoOpinion, "{line}");
        assert_eq!(of(Dialect::Cairn, line), Effect::Allow, "{line}");
    }
    for line in [
        "foo &",
        "ls & foo",
        "kubectl x | foo &",
        "(ls &)",
        "ls > out &",
        "ls",
    ] {
        assert_eq!(of(Dialect::Claude, line), Effect::Allow, "{line}");
    }
}
