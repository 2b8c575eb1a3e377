//! Whether one rule matches one part.
//!
//! Owns the comparison of every kind of pattern with every kind of part, and the two directions: an
//! allow must be certain, a deny or ask also counts where it is possible.
//! Source: Claude Code findings 2.1 to 2.6; architecture section 4.

use crate::bash::{Access, Command, Line, access, strip};
use crate::bundle::Dialect;
use crate::command_pattern::CommandPattern;
use crate::compile::CompiledRule;
use crate::domain;
use crate::glob::{Glob, Match, Sym, known_text, syms};
use crate::parts::{Part, Parts, What};
use crate::paths::{self, PathPattern};
use crate::pattern::Kind;
use crate::protected;
use crate::request::Request;
use cairn_event::Effect;
use serde_json::Value;

/// Compares a pattern with a part.
///
/// For an allow, [`Match::Possible`] means that the text fits but something forbids trusting it; it
/// then lifts a broader deny to an ask and does nothing else. For a deny or ask it means that the
/// part cannot be shown not to match.
pub(crate) fn matches(rule: &CompiledRule, part: &Part, parts: &Parts, request: &Request) -> Match {
    let effect = rule.rule.effect;
    if effect != Effect::Allow && is_about_the_call(&rule.kind) && is_beside(part, parts) {
        return Match::No;
    }
    let found = match &rule.kind {
        Kind::Tool(tool) => yes(is_tool(tool, &request.tool)),
        Kind::ToolGlob(glob) => yes(glob.matches_text(&request.tool)
            || (request.tool == "Monitor" && glob.matches_text("Bash"))),
        Kind::Mcp(glob) => {
            yes(request.tool.starts_with("mcp__") && glob.matches_text(&request.tool))
        }
        Kind::Parameter { tool, name, value } => {
            yes(is_tool(tool, &request.tool) && parameter_is(&request.input, name, value))
        }
        Kind::Command(patterns) => {
            let found = any(patterns.iter().map(|one| command(one, effect, part, parts)));
            let unread = matches!(part.what, What::Unreadable(_)) && effect != Effect::Allow;
            if unread && reads_as_written(patterns, request) {
                Match::Yes
            } else if effect == Effect::Allow
                && leaves_project(part, parts, request, rule.rule.dialect)
            {
                found.min(Match::Possible)
            } else {
                found
            }
        }
        Kind::ReadPath(path) => file(path, Access::Read, effect, part, request),
        Kind::EditPath(path) => file(path, Access::Write, effect, part, request),
        Kind::Domain(pattern) if request.tool == "WebFetch" => {
            match request
                .input
                .get("url")
                .and_then(Value::as_str)
                .and_then(domain::host_of)
            {
                Some(host) => yes(pattern.covers(&host)),
                None => Match::Possible,
            }
        }
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
        trusted(found, part, parts, request)
    } else {
        found
    }
}

/// Whether a line that is no valid shell text begins, or one of its pieces does, like a denied command.
fn reads_as_written(patterns: &[CommandPattern], request: &Request) -> bool {
    let source = request.command().unwrap_or_default();
    let pieces = source.split(['\n', ';', '|', '&']);
    pieces.chain([source]).any(|piece| {
        let text = piece.split_whitespace().collect::<Vec<_>>().join(" ");
        let covers = |pattern: &CommandPattern| pattern.covers(&syms(&text)) == Match::Yes;
        !text.is_empty() && patterns.iter().any(covers)
    })
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
    matches!(part.what, What::Line(_) | What::File { .. })
        && parts
            .parts
            .iter()
            .any(|other| matches!(other.what, What::Command { .. }))
}

/// What an allow for a whole tool still must not approve.
fn trusted(found: Match, part: &Part, parts: &Parts, request: &Request) -> Match {
    let doubtful = match &part.what {
        What::Unreadable(_) => return Match::No,
        What::Command { index, .. } => command_at(parts, *index)
            .is_some_and(|command| protected::removes_too_much(command, request)),
        What::File {
            access: Access::Write,
            forms,
            ..
        } => forms
            .iter()
            .any(|form| protected::is_protected(form, &request.cwd)),
        What::Call => writes_protected(request),
        What::File { .. } | What::Line(_) => false,
    };
    if doubtful {
        found.min(Match::Possible)
    } else {
        found
    }
}

/// Whether a command pattern is not enough for a command, because it names files.
///
/// Claude Code asks before known file programs look outside the project, whatever the pattern; and
/// an imported pattern does not stand for the permission to change files either.
fn leaves_project(part: &Part, parts: &Parts, request: &Request, dialect: Dialect) -> bool {
    let What::Command { index, .. } = &part.what else {
        return false;
    };
    let (Some(command), Some(line)) = (command_at(parts, *index), &parts.line) else {
        return false;
    };
    access::checked(command).iter().any(|file| {
        let outside = line
            .absolute_forms(&file.path, &request.home)
            .iter()
            .any(|form| {
                known_text(form).is_none_or(|path| {
                    let target = request
                        .resolution(&path)
                        .and_then(|found| found.target.as_deref());
                    !paths::is_within(&path, &request.cwd)
                        || target.is_some_and(|target| !paths::is_within(target, &request.cwd))
                })
            });
        outside || (file.access == Access::Write && dialect == Dialect::Claude)
    })
}

fn writes_protected(request: &Request) -> bool {
    matches!(
        request.tool.as_str(),
        "Edit" | "Write" | "MultiEdit" | "NotebookEdit"
    ) && request.file_path().is_some_and(|path| {
        protected::path_is_protected(&path)
            || request
                .resolution(&path)
                .and_then(|resolved| resolved.target.as_deref())
                .is_some_and(protected::path_is_protected)
    })
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

fn parameter_is(input: &Value, name: &str, wanted: &Glob) -> bool {
    match input.get(name) {
        Some(Value::String(text)) => wanted.matches_text(text),
        Some(Value::Bool(flag)) => wanted.matches_text(&flag.to_string()),
        Some(Value::Number(number)) => wanted.matches_text(&number.to_string()),
        _ => false,
    }
}

fn text_is(input: &Value, name: &str, test: impl Fn(&str) -> bool) -> bool {
    input.get(name).and_then(Value::as_str).is_some_and(test)
}

fn command_at(parts: &Parts, index: usize) -> Option<&Command> {
    parts
        .line
        .as_ref()
        .and_then(|line| line.commands.get(index))
}

fn command(pattern: &CommandPattern, effect: Effect, part: &Part, parts: &Parts) -> Match {
    match (&part.what, effect) {
        (What::Unreadable(_), Effect::Allow) => Match::No,
        (What::Unreadable(_), _) => Match::Possible,
        (What::Command { index, .. }, Effect::Allow) => {
            match (command_at(parts, *index), &parts.line) {
                (Some(command), Some(line)) => allows(pattern, command, line),
                _ => Match::No,
            }
        }
        (What::Command { index, texts }, _) => {
            let by_text = any(texts.iter().map(|text| pattern.covers(text)));
            let opaque = command_at(parts, *index).is_some_and(|command| command.opaque.is_some());
            if opaque {
                by_text.max(Match::Possible)
            } else {
                by_text
            }
        }
        (What::Line(text), Effect::Deny | Effect::Ask) if pattern.whole_line => {
            pattern.covers(text)
        }
        _ => Match::No,
    }
}

fn allows(pattern: &CommandPattern, command: &Command, line: &Line) -> Match {
    if pattern.is_line(&line.source) {
        return Match::Yes;
    }
    if pattern.whole_line {
        return Match::No;
    }
    let texts = strip::allow_texts(command);
    if !texts.iter().any(|text| pattern.allows(text, &line.source)) {
        return Match::No;
    }
    let exact = pattern.is_exact();
    let doubtful = command.distrust().is_some()
        || strip::never_by_pattern(command).is_some()
        || (!exact && strip::only_exact(command).is_some());
    if doubtful {
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
    request: &Request,
) -> Match {
    match &part.what {
        What::Unreadable(_) if effect != Effect::Allow => Match::Possible,
        What::Call => call(pattern, kind, effect, request),
        What::File {
            access,
            forms,
            plain,
            ..
        } if *access == kind => {
            if effect == Effect::Allow {
                let covered = forms
                    .iter()
                    .all(|form| covers_form(pattern, form, effect, request) == Match::Yes);
                let safe = *plain
                    && !forms.iter().any(|form| {
                        kind == Access::Write && protected::is_protected(form, &request.cwd)
                    });
                return match (covered, safe) {
                    (true, true) => Match::Yes,
                    (true, false) => Match::Possible,
                    (false, _) => Match::No,
                };
            }
            any(forms
                .iter()
                .map(|form| covers_form(pattern, form, effect, request)))
        }
        _ => Match::No,
    }
}

fn covers_form(pattern: &PathPattern, form: &[Sym], effect: Effect, request: &Request) -> Match {
    match known_text(form) {
        Some(path) => yes(pattern.covers(&path, request.resolution(&path), request, effect)),
        None if pattern.may_cover(form, request) => Match::Possible,
        None => Match::No,
    }
}

fn call(pattern: &PathPattern, kind: Access, effect: Effect, request: &Request) -> Match {
    let reads = matches!(request.tool.as_str(), "Read" | "Grep" | "Glob" | "LS");
    let writes = matches!(
        request.tool.as_str(),
        "Edit" | "Write" | "MultiEdit" | "NotebookEdit"
    );
    let concerned = match (kind, effect) {
        (Access::Read, Effect::Allow) => reads,
        // What must not be read must not be written over either.
        (Access::Read, _) => reads || writes,
        (Access::Write, _) => writes,
    };
    if !concerned {
        return Match::No;
    }
    let path = request.file_path().unwrap_or_else(|| request.cwd.clone());
    let covered = pattern.covers(&path, request.resolution(&path), request, effect);
    match effect {
        Effect::Allow if covered && writes && writes_protected(request) => Match::Possible,
        _ => yes(covered),
    }
}
