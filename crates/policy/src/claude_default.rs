//! What Claude Code does where no rule matches.
//!
//! Owns the observed defaults of version 2.1.330, used to check conformance. The product itself
//! leaves `no-opinion` to the agent and does not guess.
//! Source: Claude Code findings 1.4 and 2.2; observed rule cases.

use crate::bash::{Access, builtin};
use crate::parts::{Part, Parts, What};
use crate::paths;
use crate::request::Request;
use cairn_event::Effect;

/// Whether a part would run without a rule, were the line to wait for it.
pub(crate) fn runs_unasked_in_the_foreground(
    part: &Part,
    parts: &Parts,
    request: &Request,
) -> bool {
    let What::Command(command) = &part.what else {
        return of(part, parts, request) == Effect::Allow;
    };
    match (&parts.line, parts.command(command)) {
        (Some(line), Some(command)) => builtin::shows(command, line, request),
        _ => false,
    }
}

/// The default for one part.
pub(crate) fn of(part: &Part, parts: &Parts, request: &Request) -> Effect {
    let unasked = match &part.what {
        What::Command(part) => match (&parts.line, parts.command(part)) {
            (Some(line), Some(command)) => builtin::runs_unasked(command, line, request),
            _ => false,
        },
        What::File {
            access: Access::Read,
            forms,
            plain,
            ..
        } => {
            *plain
                && forms
                    .iter()
                    .all(|form| form.path.known().is_some_and(|path| inside(path, request)))
        }
        What::Call => match request.tool.as_str() {
            "Read" => request
                .file_path()
                .is_some_and(|path| inside(&path, request)),
            // This version does not offer these tools at all.
            "Grep" | "Glob" => return Effect::Deny,
            tool => RUNS_UNASKED.contains(&tool),
        },
        What::File { .. } | What::Line { .. } | What::Unreadable(_) => false,
    };
    if unasked { Effect::Allow } else { Effect::Ask }
}

/// Tools that act on nothing outside the session.
const RUNS_UNASKED: &[&str] = &[
    "CronCreate",
    "ScheduleWakeup",
    "ToolSearch",
    "ListAgents",
    "SendMessage",
    "ReportFindings",
    "AskUserQuestion",
    "TodoWrite",
];

/// An assignment to a variable that no program looks at, on its own, needs no rule at all.
pub(crate) fn is_harmless(part: &Part, parts: &Parts) -> bool {
    let What::Command(part) = &part.what else {
        return false;
    };
    parts.command(part).is_some_and(|command| {
        command.words.is_empty()
            && !command.background
            && command.distrust().is_none()
            && command
                .assigns
                .iter()
                .all(|assign| builtin::is_private(&assign.name))
    })
}

/// Whether a path and what it links to are below the working directory.
fn inside(path: &str, request: &Request) -> bool {
    // A path whose links nobody could follow may lead anywhere.
    let Some(resolved) = request.resolution(path) else {
        return false;
    };
    let target = resolved.target.as_deref();
    paths::is_within(path, &request.cwd)
        && target.is_none_or(|target| paths::is_within(target, &request.cwd))
}
