//! The grammar of rules: `Tool` and `Tool(specifier)`.
//!
//! Owns the reading of a pattern and every reason why one can never match. Comparing a pattern with
//! a call is [`crate::matching`]'s business.
//! Source: Claude Code findings 2.1, 2.5 and 2.6; architecture section 4.

use crate::bundle::Dialect;
use crate::command_pattern::{CommandPattern, alternatives};
use crate::domain::DomainPattern;
use crate::glob::Glob;
use crate::paths::{PathPattern, PathProblem};
use cairn_event::Effect;

/// Longest pattern in characters: ten times the longest seen in published settings.
pub const MAX_PATTERN_CHARS: usize = 1_000;

/// Tools whose names are known, to find patterns written in another case.
const KNOWN_TOOLS: &[&str] = &[
    "Bash",
    "Monitor",
    "Read",
    "Edit",
    "Write",
    "MultiEdit",
    "NotebookEdit",
    "Glob",
    "Grep",
    "LS",
    "WebFetch",
    "WebSearch",
    "Agent",
    "Task",
    "Skill",
    "Workflow",
    "CronCreate",
    "ScheduleWakeup",
    "ToolSearch",
    "ListAgents",
    "SendMessage",
    "AskUserQuestion",
    "ExitPlanMode",
    "PowerShell",
];

/// Parameters that a rule may look at although the tool has a specifier of its own.
const PARAMETERS: &[(&str, &[&str])] = &[
    (
        "Bash",
        &[
            "run_in_background",
            "dangerouslyDisableSandbox",
            "description",
            "timeout",
        ],
    ),
    ("Monitor", &["run_in_background"]),
    ("Read", &["offset", "limit"]),
    ("Edit", &["replace_all", "old_string", "new_string"]),
    ("Write", &["content"]),
    (
        "NotebookEdit",
        &["cell_id", "cell_type", "edit_mode", "new_source"],
    ),
    ("WebFetch", &["prompt"]),
    (
        "Agent",
        &[
            "model",
            "isolation",
            "run_in_background",
            "description",
            "prompt",
            "subagent_type",
        ],
    ),
    ("Skill", &["args", "skill"]),
];

/// What a pattern compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any call of this tool.
    Tool(String),
    /// Any call of a tool whose name fits.
    ToolGlob(Glob),
    /// A shell command; any of the alternatives.
    Command(Vec<CommandPattern>),
    /// A file that is read.
    ReadPath(PathPattern),
    /// A file that is written.
    EditPath(PathPattern),
    /// The host of a fetch.
    Domain(DomainPattern),
    /// A subagent's type.
    Agent(String),
    /// A skill's name, with or without arguments.
    Skill {
        /// The name.
        name: String,
        /// Whether arguments may follow.
        arguments: bool,
    },
    /// The full name of an MCP tool.
    Mcp(Glob),
    /// A top-level scalar of the input.
    Parameter {
        /// The tool.
        tool: String,
        /// The member.
        name: String,
        /// Its value.
        value: Glob,
    },
}

/// Why a pattern can never match, or must not be written so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// Nothing at all.
    #[error("an empty pattern matches nothing")]
    Empty,
    /// Longer than [`MAX_PATTERN_CHARS`].
    #[error("the pattern is longer than {MAX_PATTERN_CHARS} characters")]
    TooLong,
    /// Blanks around the pattern or inside the tool name.
    #[error("`{0}` is not a tool name")]
    ToolName(String),
    /// Brackets that do not close.
    #[error("the specifier has no closing parenthesis")]
    Unclosed,
    /// `Tool()`.
    #[error("an empty specifier matches nothing; write `{0}` for every call")]
    EmptySpecifier(String),
    /// A tool name in another case.
    #[error("tool names are case-sensitive; write `{0}`")]
    Case(String),
    /// A wildcard in the tool name of an allow rule.
    #[error("an allow rule cannot have a wildcard in its tool name")]
    AllowGlob,
    /// A specifier on a wildcard tool name or an MCP tool.
    #[error("`{0}` takes no specifier")]
    NoSpecifier(String),
    /// A character that no MCP tool name holds.
    #[error("mcp tool names hold only letters, digits, `_` and `-`; other characters become `_`")]
    McpName,
    /// A path on a tool that path rules do not cover.
    #[error("path rules for `{tool}` are written `{instead}(…)`")]
    PathOnTool {
        /// The tool named.
        tool: String,
        /// The tool that carries the rule.
        instead: &'static str,
    },
    /// The tool's main content, which has a specifier of its own.
    #[error("`{0}` cannot be named as a parameter; use the plain specifier")]
    PrimaryField(String),
    /// A parameter in an allow rule.
    #[error("only deny and ask rules can look at a parameter")]
    AllowParameter,
    /// A tool that has no specifier.
    #[error("the specifier of `{0}` is not understood")]
    Specifier(String),
    /// `WebFetch(https://…)`.
    #[error("hosts are written `WebFetch(domain:example.com)`")]
    Domain,
    /// A path pattern that never matches.
    #[error("{0}")]
    Path(#[from] PathProblem),
    /// A `/`-anchored path without a directory to start from.
    #[error("a pattern that starts with `/` needs the rule's `anchor`; write `//` for the root")]
    NeedsAnchor,
}

/// Reads a pattern.
///
/// Errors: [`PatternProblem`]; a bundle with such a rule does not compile, and an import reports it.
pub(crate) fn parse(
    pattern: &str,
    effect: Effect,
    dialect: Dialect,
    anchor: Option<&str>,
) -> Result<Kind, PatternProblem> {
    if pattern.is_empty() {
        return Err(PatternProblem::Empty);
    }
    if pattern.chars().count() > MAX_PATTERN_CHARS {
        return Err(PatternProblem::TooLong);
    }
    let (tool, specifier) = split(pattern)?;
    let tool = if tool == "Task" { "Agent" } else { tool };
    check_tool(tool)?;
    if tool.starts_with("mcp__") {
        return mcp(tool, specifier, effect);
    }
    if tool.contains('*') {
        return match (specifier, effect) {
            (_, Effect::Allow) => Err(PatternProblem::AllowGlob),
            (None | Some("*"), _) => Ok(Kind::ToolGlob(Glob::new(tool))),
            (Some(_), _) => Err(PatternProblem::NoSpecifier(tool.to_owned())),
        };
    }
    match specifier {
        None | Some("*") => Ok(Kind::Tool(tool.to_owned())),
        Some("") => Err(PatternProblem::EmptySpecifier(tool.to_owned())),
        Some(specifier) => specified(tool, specifier, effect, dialect, anchor),
    }
}

fn split(pattern: &str) -> Result<(&str, Option<&str>), PatternProblem> {
    match pattern.split_once('(') {
        None if pattern.contains(')') => Err(PatternProblem::Unclosed),
        None => Ok((pattern, None)),
        Some((tool, rest)) => rest
            .strip_suffix(')')
            .map(|inner| (tool, Some(inner)))
            .ok_or(PatternProblem::Unclosed),
    }
}

fn check_tool(tool: &str) -> Result<(), PatternProblem> {
    if tool.starts_with("mcp__") {
        return Ok(());
    }
    let valid = |c: char| c.is_ascii_alphanumeric() || "_-*.".contains(c);
    if tool.is_empty() || !tool.chars().all(valid) {
        return Err(PatternProblem::ToolName(tool.to_owned()));
    }
    let other_case = KNOWN_TOOLS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(tool) && **known != tool);
    other_case.map_or(Ok(()), |known| {
        Err(PatternProblem::Case((*known).to_owned()))
    })
}

fn mcp(name: &str, specifier: Option<&str>, effect: Effect) -> Result<Kind, PatternProblem> {
    if specifier.is_some() {
        return Err(PatternProblem::NoSpecifier(name.to_owned()));
    }
    let valid = |c: char| c.is_ascii_alphanumeric() || "_-*".contains(c);
    if !name.chars().all(valid) {
        return Err(PatternProblem::McpName);
    }
    let after = name.strip_prefix("mcp__").unwrap_or_default();
    let server = after.split("__").next().unwrap_or_default();
    let whole_server = !after.contains("__") && !after.contains('*');
    if effect == Effect::Allow && (server.contains('*') || server.is_empty()) {
        return Err(PatternProblem::AllowGlob);
    }
    Ok(Kind::Mcp(if whole_server {
        Glob::new(&format!("{name}__*"))
    } else {
        Glob::new(name)
    }))
}

fn specified(
    tool: &str,
    specifier: &str,
    effect: Effect,
    dialect: Dialect,
    anchor: Option<&str>,
) -> Result<Kind, PatternProblem> {
    if let Some((name, value)) = parameter(tool, specifier)? {
        if effect == Effect::Allow {
            return Err(PatternProblem::AllowParameter);
        }
        let (tool, name) = (tool.to_owned(), name.to_owned());
        return Ok(Kind::Parameter {
            tool,
            name,
            value: Glob::new(value),
        });
    }
    match tool {
        "Bash" | "Monitor" => Ok(Kind::Command(
            alternatives(specifier, effect, dialect)
                .into_iter()
                .map(CommandPattern::compile)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| PatternProblem::EmptySpecifier(tool.to_owned()))?,
        )),
        "Read" | "Edit" => {
            let path = PathPattern::compile(specifier, anchor)?;
            if path.needs_anchor() {
                return Err(PatternProblem::NeedsAnchor);
            }
            Ok(if tool == "Read" {
                Kind::ReadPath(path)
            } else {
                Kind::EditPath(path)
            })
        }
        "Write" | "MultiEdit" | "NotebookEdit" => Err(PatternProblem::PathOnTool {
            tool: tool.to_owned(),
            instead: "Edit",
        }),
        "Glob" | "Grep" | "LS" => Err(PatternProblem::PathOnTool {
            tool: tool.to_owned(),
            instead: "Read",
        }),
        "WebFetch" => {
            let host = specifier
                .trim()
                .strip_prefix("domain:")
                .ok_or(PatternProblem::Domain)?;
            let domain = DomainPattern::compile(host).ok_or(PatternProblem::Domain)?;
            Ok(if domain.is_everything() {
                Kind::Tool(tool.to_owned())
            } else {
                Kind::Domain(domain)
            })
        }
        "Agent" => Ok(Kind::Agent(specifier.trim().to_owned())),
        "Skill" => {
            let name = specifier.trim().trim_start_matches('/');
            let bare = name.strip_suffix(" *").or_else(|| name.strip_suffix(":*"));
            let arguments = bare.is_some();
            Ok(Kind::Skill {
                name: bare.unwrap_or(name).to_owned(),
                arguments,
            })
        }
        _ => Err(PatternProblem::Specifier(tool.to_owned())),
    }
}

/// `name:value` where the tool lets rules look at that parameter.
fn parameter<'a>(
    tool: &str,
    specifier: &'a str,
) -> Result<Option<(&'a str, &'a str)>, PatternProblem> {
    let Some((name, value)) = specifier.split_once(':') else {
        return Ok(None);
    };
    let (name, value) = (name.trim(), value.trim());
    let is_identifier = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_identifier {
        return Ok(None);
    }
    let primary: &[&str] = match tool {
        "Bash" | "Monitor" => &["command"],
        "Read" | "Edit" | "Write" | "MultiEdit" => &["file_path"],
        "NotebookEdit" => &["notebook_path"],
        "WebFetch" => &["url"],
        _ => &[],
    };
    if primary.contains(&name) {
        return Err(PatternProblem::PrimaryField(name.to_owned()));
    }
    let listed = PARAMETERS.iter().find(|row| row.0 == tool);
    let known = match listed {
        Some((_, names)) => names.contains(&name),
        None => !["Write", "MultiEdit", "NotebookEdit", "Glob", "Grep", "LS"].contains(&tool),
    };
    Ok(known.then_some((name, value)))
}
