//! `cairn policy lint`, `test`, `diff` and `plan`: what a change means before it is in force.
//!
//! Owns what is printed and the exit codes. Nothing here changes anything.

use super::super::admin::Administrator;
use super::super::{AdminArguments, print_json};
use super::apply::{in_force, lifted};
use super::document::{self, Document, LOOKED_AT};
use super::{advice, secrets, word};
use crate::clock::now_ms;
use anyhow::bail;
use cairn_event::Effect;
use cairn_policy::difference::{changed_calls, changed_members, changed_rules, may_widen};
use cairn_policy::{
    Bundle, CallChange, CompiledBundle, Rule, RuleChange, Scenario, compile, lint_bundle_at,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Most changed calls printed in words; `--json` prints all.
const MAX_PRINTED: usize = 60;

/// Compiles, or prints every problem and fails.
pub(super) fn compiled(bundle: &Bundle, path: &Path) -> anyhow::Result<CompiledBundle> {
    compile(bundle).or_else(|problems| {
        problems
            .iter()
            .for_each(|problem| tell!("error: {problem}"));
        bail!("`{}` does not compile", path.display())
    })
}

pub(in crate::cli) fn lint(path: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let document = Document::open(path)?;
    let problems = compile(&document.bundle).err().unwrap_or_default();
    let mut problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    problems.extend(
        secrets::refuse(&document.bundle)
            .err()
            .map(|refused| refused.to_string()),
    );
    let lints = lint_bundle_at(&document.bundle, now_ms());
    if as_json {
        let notes: Vec<Value> = lints
            .iter()
            .map(|lint| {
                json!({"rule": lint.rule, "pattern": lint.pattern, "note": lint.kind.to_string(),
                       "instead": lint.instead})
            })
            .collect();
        print_json(&json!({"errors": problems, "notes": notes}))?;
    } else {
        problems.iter().for_each(|problem| say!("error: {problem}"));
        for lint in lints {
            let rule = lint.rule.unwrap_or_default();
            say!(
                "note: rule `{rule}` {}: {} {}",
                lint.pattern,
                lint.kind,
                advice(&lint.instead)
            );
        }
        say!("{} rules", document.bundle.rules.len());
    }
    Ok(code(problems.is_empty()))
}

pub(in crate::cli) fn test(
    path: &Path,
    more: &[PathBuf],
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let document = Document::open(path)?;
    let bundle = compiled(&document.bundle, path)?;
    let mut tests = document.tests;
    for file in more {
        tests.extend(document::tests(file)?);
    }
    if tests.is_empty() {
        bail!(
            "no tests: write `tests:` into `{}` or give `--tests`",
            path.display()
        );
    }
    let mut failed = 0_usize;
    let mut rows = Vec::new();
    for (position, test) in tests.iter().enumerate() {
        let failure = match test.test(&bundle, now_ms()) {
            Ok(played) => played
                .failure
                .map(|failure| format!("{failure}; {}", played.decision.sentence)),
            Err(error) => Some(error.to_string()),
        };
        let name = match test.name.as_str() {
            "" => format!("test {}", position + 1),
            name => name.to_owned(),
        };
        failed += usize::from(failure.is_some());
        match (&failure, as_json) {
            (_, true) => rows.push(json!({"name": name, "call": test.call(), "failure": failure})),
            (Some(failure), false) => say!("FAILED {name}: `{}`: {failure}", test.call()),
            (None, false) => say!("ok     {name}"),
        }
    }
    if as_json {
        print_json(&rows)?;
    } else {
        say!("{} passed, {failed} failed", tests.len() - failed);
    }
    Ok(code(failed == 0))
}

pub(in crate::cli) fn diff(old: &Path, new: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let (from, to) = (Document::open(old)?, Document::open(new)?);
    let mut given = from.tests;
    given.extend(to.tests);
    let (from, to) = (compiled(&from.bundle, old)?, compiled(&to.bundle, new)?);
    show(&from, &to, &given, as_json)?;
    Ok(ExitCode::SUCCESS)
}

pub(in crate::cli) async fn plan(
    arguments: &AdminArguments,
    path: &Path,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let mut administrator = Administrator::open(arguments).await?;
    let (in_force, version) = match in_force(&mut administrator).await? {
        Some(found) => (found.bundle, found.statement.version),
        None => (Bundle::empty(LOOKED_AT, ""), 0),
    };
    let origin = &administrator.org.origin;
    let document = Document::for_log(path, origin, version.saturating_add(1))?;
    let (from, to) = (
        compiled(&in_force, path)?,
        compiled(&document.bundle, path)?,
    );
    if !as_json {
        say!(
            "in force: version {version}; apply puts version {} in force for `{origin}`",
            document.bundle.version
        );
    }
    show(&from, &to, &document.tests, as_json)?;
    let mut ready = document.bundle.version > version && document.bundle.origin == *origin;
    if !ready {
        tell!("error: apply would refuse this version or origin");
    }
    if let Some(halt) = lifted(from.bundle(), to.bundle()) {
        ready = false;
        tell!("error: apply would refuse to lift halt `{}`", halt.id);
    }
    if let Err(refused) = secrets::refuse(to.bundle()) {
        ready = false;
        tell!("error: {refused}");
    }
    Ok(code(ready))
}

fn show(
    from: &CompiledBundle,
    to: &CompiledBundle,
    given: &[Scenario],
    as_json: bool,
) -> anyhow::Result<()> {
    let rules = changed_rules(from.bundle(), to.bundle());
    let members = changed_members(from.bundle(), to.bundle());
    let calls = changed_calls(from, to, given, now_ms());
    if as_json {
        return print_json(&json!({
            "rules": rules.iter().map(rule_value).collect::<Vec<_>>(), "members": members,
            "calls": calls.iter().map(call_value).collect::<Vec<_>>(),
        }));
    }
    for change in &rules {
        let firm = if may_widen(change) {
            " (may allow more)"
        } else {
            ""
        };
        match change {
            RuleChange::Added(rule) => say!("+ {}{firm}", line(rule)?),
            RuleChange::Removed(rule) => say!("- {}{firm}", line(rule)?),
            RuleChange::Changed { from, to } => {
                say!("- {}", line(from)?);
                say!("+ {}{firm}", line(to)?);
            }
        }
    }
    members.iter().for_each(|name| say!("~ {name}"));
    for change in calls.iter().take(MAX_PRINTED) {
        say!("{}", call_line(change));
    }
    let unseen = calls.len().saturating_sub(MAX_PRINTED);
    if unseen > 0 {
        say!("… and {unseen} more calls; --json lists all");
    }
    say!(
        "{} rules and {} other members differ, {} example calls change, {} of them to less strict",
        rules.len(),
        members.len(),
        calls.len(),
        calls
            .iter()
            .filter(|call| strictness(call.to) < strictness(call.from))
            .count()
    );
    Ok(())
}

fn line(rule: &Rule) -> anyhow::Result<String> {
    let scope = serde_json::to_value(&rule.scope)?;
    let firm = if rule.mandatory { " mandatory" } else { "" };
    let when = if rule.when.is_some() {
        " on a condition"
    } else {
        ""
    };
    Ok(format!(
        "{} {} {scope} `{}`{firm}{when}",
        word(rule.effect),
        rule.pattern,
        rule.id
    ))
}

pub(super) fn strictness(effect: Effect) -> u8 {
    match effect {
        Effect::Allow => 0,
        Effect::NoOpinion => 1,
        Effect::Ask => 2,
        Effect::Deny => 3,
    }
}

fn whose(scenario: &Scenario) -> String {
    let person = scenario
        .person
        .iter()
        .map(|person| format!("person {person}"));
    let teams = scenario.teams.iter().map(|team| format!("team {team}"));
    let roles = scenario.roles.iter().map(|role| format!("role {role}"));
    let all: Vec<String> = person.chain(teams).chain(roles).collect();
    if all.is_empty() {
        "everybody else".to_owned()
    } else {
        all.join(", ")
    }
}

fn call_line(change: &CallChange) -> String {
    let by = |rule: &Option<String>| {
        rule.as_ref()
            .map_or_else(|| "the default".to_owned(), |rule| format!("`{rule}`"))
    };
    format!(
        "  `{}` for {}: {} by {} -> {} by {}",
        change.scenario.call(),
        whose(&change.scenario),
        word(change.from),
        by(&change.from_rule),
        word(change.to),
        by(&change.to_rule)
    )
}

fn rule_value(change: &RuleChange) -> Value {
    match change {
        RuleChange::Added(rule) => json!({"added": rule, "may_widen": may_widen(change)}),
        RuleChange::Removed(rule) => json!({"removed": rule, "may_widen": may_widen(change)}),
        RuleChange::Changed { from, to } => {
            json!({"from": from, "to": to, "may_widen": may_widen(change)})
        }
    }
}

fn call_value(change: &CallChange) -> Value {
    json!({"call": change.scenario, "from": change.from, "from_rule": change.from_rule,
           "to": change.to, "to_rule": change.to_rule})
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
