//! Whether one rule matches one part.
//!
//! Owns the comparison of every kind of pattern with every kind of part, and the two directions: an
//! allow must be certain, a deny or ask also counts where it is possible.
//! Source: Claude Code findings 2.1 to 2.6; architecture section 4.

use crate::bash::{Access, whole};
use crate::bundle::Dialect;
use crate::command_pattern::CommandPattern;
use crate::compile::CompiledRule;
use crate::glob::{Glob, Match, Text};
use crate::parts::{CommandPart, Form, Part, Parts, Target, What};
use crate::paths::PathPattern;
use crate::pattern::Kind;
use crate::request::Request;
use crate::work::Work;
use cairn_event::Effect;
use serde_json::Value;

/// Tools that write a file.
pub(crate) const WRITING: &[&str] = &["Edit", "MultiEdit", "NotebookEdit", "Write"];

/// Whether a rule denies reading altogether: what must not be read must not be written over either.
pub(crate) fn denies_reading(tool: &str, effect: Effect) -> bool {
    tool == "Read" && effect == Effect::Deny
}

/// Compares a pattern with a part.
///
/// For an allow, [`Match::Possible`] means that the text fits but something forbids trusting it; it
/// then lifts a broader deny to an ask and does nothing else. For a deny or ask it means that the
/// part cannot be shown not to match.
pub(crate) fn matches(rule: &CompiledRule, part: &Part, parts: &Parts, request: &Request) -> Match {
    let effect = rule.rule.effect;
    let work = &parts.work;
    if effect != Effect::Allow && is_about_the_call(&rule.kind) && is_beside(part, parts) {
        return Match::No;
    }
    let found = match &rule.kind {
        Kind::Tool(tool) => yes(is_tool(tool, &request.tool)
            || (denies_reading(tool, effect) && WRITING.contains(&request.tool.as_str()))),
        Kind::ToolGlob(glob) => yes(glob.matches(parts.tool(request), work) == Match::Yes
            || (request.tool == "Monitor" && glob.matches_text("Bash", work))),
        Kind::Mcp(glob) => yes(request.tool.starts_with("mcp__")
            && glob.matches(parts.tool(request), work) == Match::Yes),
        Kind::Parameter { tool, name, value } => {
            yes(is_tool(tool, &request.tool) && parameter_is(&request.input, name, value, work))
        }
        Kind::Command(patterns) => {
            let found = any(patterns.iter().map(|one| command(one, effect, part, parts)));
            let leaves = matches!(&part.what, What::Command(command) if command.leaves
                || (command.changes && rule.rule.dialect == Dialect::Claude));
            if effect == Effect::Allow && leaves {
                found.min(Match::Possible)
            } else {
                found
            }
        }
        Kind::ReadPath(path) => file(path, Access::Read, effect, part, parts, request),
        Kind::EditPath(path) => file(path, Access::Write, effect, part, parts, request),
        Kind::Domain(pattern) if request.tool == "WebFetch" => match parts.host(request) {
            Some(host) => yes(pattern.covers(host)),
            None => Match::Possible,
        },
        Kind::Agent(name) if matches!(request.tool.as_str(), "Agent" | "Task") => {
            yes(text_is(&request.input, "subagent_type", |kind| {
                kind == name
            }))
        }
        Kind::Skill { name, arguments } if request.tool == "Skill" => {
            yes(text_is(&request.input, "skill", |skill| {
                let skill = skill.trim_start_matches('/');
                skill == name || (*arguments && skill.starts_with(&format!("{name} ")))
            }))
        }
        Kind::Domain(_) | Kind::Agent(_) | Kind::Skill { .. } => Match::No,
    };
    if effect == Effect::Allow {
        trusted(found, part, parts)
    } else {
        found
    }
}

/// Whether a line that is no valid shell text begins, or one of these pieces of it does, like a denied
/// or asked command.
pub(crate) fn reads_as_written(rule: &CompiledRule, pieces: &[usize], parts: &Parts) -> bool {
    let Kind::Command(patterns) = &rule.kind else {
        return false;
    };
    let pieces = pieces.iter().filter_map(|piece| parts.unread.get(*piece));
    let covers = |piece| {
        let is_covered = |one: &CommandPattern| one.covers(piece, &parts.work) == Match::Yes;
        patterns.iter().any(is_covered)
    };
    rule.rule.effect != Effect::Allow && pieces.into_iter().any(covers)
}

/// Whether a rule that is not for a whole tool would allow a part, were the line to wait for it; `found` is
/// what it says of the part as it is.
pub(crate) fn allows_in_the_foreground(
    rule: &CompiledRule,
    found: Match,
    part: &Part,
    parts: &Parts,
) -> bool {
    if let Kind::ReadPath(_) | Kind::EditPath(_) = &rule.kind {
        return rule.rule.effect == Effect::Allow && found == Match::Yes;
    }
    let (Kind::Command(patterns), What::Command(command)) = (&rule.kind, &part.what) else {
        return false;
    };
    let fits = |one| allows(one, command, false, parts) == Match::Yes;
    rule.rule.effect == Effect::Allow
        && !(command.leaves || command.removes)
        && patterns.iter().any(fits)
}

/// Whether a rule allows a whole tool in the words of Claude Code, where one part that any other rule
/// allows may still be asked about.
pub(crate) fn allows_the_tool(rule: &CompiledRule) -> bool {
    rule.rule.effect == Effect::Allow
        && rule.rule.dialect == Dialect::Claude
        && is_about_the_call(&rule.kind)
}

/// A rule for a whole tool is answered on the line's commands, where a narrower allow can meet it.
fn is_about_the_call(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Tool(_) | Kind::ToolGlob(_) | Kind::Parameter { .. }
    )
}

/// The line as a whole, or a file, beside commands that are parts of their own.
fn is_beside(part: &Part, parts: &Parts) -> bool {
    parts.has_commands && matches!(part.what, What::Line { .. } | What::File { .. })
}

/// What an allow for a whole tool still must not approve.
fn trusted(found: Match, part: &Part, parts: &Parts) -> Match {
    let doubtful = match &part.what {
        What::Unreadable(_) => return Match::No,
        What::Command(command) => command.removes,
        What::File { forms, .. } => forms.iter().any(|form| form.protected),
        What::Call => parts.writes_protected,
        What::Line { .. } => false,
    };
    if doubtful {
        found.min(Match::Possible)
    } else {
        found
    }
}

fn yes(hit: bool) -> Match {
    if hit { Match::Yes } else { Match::No }
}

fn any(found: impl Iterator<Item = Match>) -> Match {
    found.max().unwrap_or(Match::No)
}

/// Rules for `Bash` also govern `Monitor`; `Task` is the old name of `Agent`.
fn is_tool(rule: &str, tool: &str) -> bool {
    rule == tool
        || matches!(
            (rule, tool),
            ("Bash", "Monitor") | ("Agent", "Task") | ("Task", "Agent")
        )
}

fn parameter_is(input: &Value, name: &str, wanted: &Glob, work: &Work) -> bool {
    match input.get(name) {
        Some(Value::String(text)) => work.spend(text.len()) && wanted.matches_text(text, work),
        Some(Value::Bool(flag)) => wanted.matches_text(&flag.to_string(), work),
        Some(Value::Number(number)) => wanted.matches_text(&number.to_string(), work),
        _ => false,
    }
}

fn text_is(input: &Value, name: &str, test: impl Fn(&str) -> bool) -> bool {
    input.get(name).and_then(Value::as_str).is_some_and(test)
}

fn command(pattern: &CommandPattern, effect: Effect, part: &Part, parts: &Parts) -> Match {
    match (&part.what, effect) {
        (What::Unreadable(_), Effect::Allow) => Match::No,
        (What::Unreadable(_), _) => Match::Possible,
        (What::Command(command), Effect::Allow) => {
            allows(pattern, command, command.background, parts)
        }
        (What::Command(command), _) => {
            let mut found = yes(command.opaque).min(Match::Possible);
            for text in &command.deny {
                if found == Match::Yes {
                    break;
                }
                found = found.max(pattern.covers(text, &parts.work));
            }
            found
        }
        (What::Line { text, whole }, Effect::Deny | Effect::Ask) => {
            let covers = |text: &Text| pattern.covers(text, &parts.work) == Match::Yes;
            let as_written = pattern.whole_line && covers(text);
            yes(as_written
                || whole
                    .iter()
                    .any(|whole| reaches_across(pattern, whole, parts)))
        }
        _ => Match::No,
    }
}

/// Whether a pattern covers a line by more than one command: without those that it covers by themselves,
/// which are answered where a narrower allow can meet the rule.
fn reaches_across(pattern: &CommandPattern, whole: &Text, parts: &Parts) -> bool {
    let covers = |text: &Text| pattern.covers(text, &parts.work) == Match::Yes;
    if !covers(whole) || !is_answered(pattern, parts) {
        return covers(whole);
    }
    let rest = whole::without(whole, covers);
    parts.work.spend(whole.len()) && !rest.is_empty() && covers(&rest)
}

/// Whether a command of the line is covered by itself.
fn is_answered(pattern: &CommandPattern, parts: &Parts) -> bool {
    let covers = |text: &Text| pattern.covers(text, &parts.work) == Match::Yes;
    parts.parts.iter().any(|part| match &part.what {
        What::Command(command) => command.deny.iter().any(covers),
        _ => false,
    })
}

fn allows(
    pattern: &CommandPattern,
    command: &CommandPart,
    background: bool,
    parts: &Parts,
) -> Match {
    let source = parts.line.as_ref().map_or("", |line| line.source.as_str());
    if pattern.is_line(source, &parts.work) {
        return Match::Yes;
    }
    if pattern.whole_line {
        return Match::No;
    }
    let mut texts = command.allow.iter();
    if !texts.any(|text| pattern.allows(text, source, &parts.work)) {
        return Match::No;
    }
    if background || command.doubtful || (command.only_exact && !pattern.is_exact()) {
        Match::Possible
    } else {
        Match::Yes
    }
}

fn file(
    pattern: &PathPattern,
    kind: Access,
    effect: Effect,
    part: &Part,
    parts: &Parts,
    request: &Request,
) -> Match {
    match &part.what {
        What::Unreadable(_) if effect != Effect::Allow => Match::Possible,
        What::Call => call(pattern, kind, effect, parts, request),
        What::File {
            access,
            forms,
            plain,
            ..
        } if *access == kind => {
            if effect == Effect::Allow {
                let covered = forms
                    .iter()
                    .all(|form| covers_form(pattern, form, effect, parts, request) == Match::Yes);
                let safe = *plain && !forms.iter().any(|form| form.protected);
                return match (covered, safe) {
                    (true, true) => Match::Yes,
                    (true, false) => Match::Possible,
                    (false, _) => Match::No,
                };
            }
            any(forms
                .iter()
                .map(|form| covers_form(pattern, form, effect, parts, request)))
        }
        _ => Match::No,
    }
}

fn covers_form(
    pattern: &PathPattern,
    form: &Form,
    effect: Effect,
    parts: &Parts,
    request: &Request,
) -> Match {
    let (roots, work) = (parts.roots(request), &parts.work);
    match &form.target {
        Target::Known(path) => yes(pattern.covers(path, roots, effect, work)),
        Target::Open { below, .. }
            if effect != Effect::Allow
                && below
                    .as_ref()
                    .is_some_and(|below| pattern.covers(below, roots, effect, work)) =>
        {
            Match::Yes
        }
        Target::Open { lower, .. } if pattern.may_cover(lower, roots, &parts.detours, work) => {
            Match::Possible
        }
        Target::Open { .. } => Match::No,
    }
}

fn call(
    pattern: &PathPattern,
    kind: Access,
    effect: Effect,
    parts: &Parts,
    request: &Request,
) -> Match {
    let reads = matches!(request.tool.as_str(), "Read" | "Grep" | "Glob" | "LS");
    let writes = WRITING.contains(&request.tool.as_str());
    let concerned = match (kind, effect) {
        (Access::Read, Effect::Allow) => reads,
        // What must not be read must not be written over either.
        (Access::Read, _) => reads || writes,
        (Access::Write, _) => writes,
    };
    if !concerned {
        return Match::No;
    }
    let file = parts.file(request);
    let covered = pattern.covers(file, parts.roots(request), effect, &parts.work);
    match effect {
        Effect::Allow if covered && parts.writes_protected => Match::Possible,
        _ => yes(covered),
    }
}
