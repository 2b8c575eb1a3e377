//! Permission rules, scopes, posture conditions and the decision they lead to.
//!
//! A pure function of a frozen request, a compiled bundle, a subject and a posture: no clock, no
//! randomness, no files, no network. In scope: the grammar of `Tool(pattern)` rules, Bash lines,
//! scopes, conditions, the MCP allow list, imports of Claude Code settings. Out of scope: whether a
//! bundle was signed, witnessed or activated; how links are resolved; how an answer reaches the
//! agent.
//!
//! Source: architecture section 4; `docs/formats`.

mod bash;
pub mod bundle;
pub mod cases;
pub mod change;
mod claude_default;
mod command_pattern;
pub mod compile;
pub mod condition;
pub mod decide;
pub mod decision;
pub mod difference;
mod domain;
mod evaluate;
pub mod explain;
pub mod export;
mod glob;
pub mod import;
mod index;
pub mod lint;
mod matching;
pub mod mcp;
mod parts;
mod paths;
pub mod pattern;
mod protected;
pub mod recorded;
pub mod request;
mod rule_paths;
pub mod scenario;
mod segment;
mod shadow;
pub mod staleness;
mod star;
pub mod steering;
pub mod subject;
pub mod work;

pub use bundle::{
    Bundle, BundleError, Dialect, Gate, Prompts, Rule, RunningSessions, Scope, SpoolFull,
};
pub use cases::{Case, CaseError, CaseVerdict};
pub use change::{Change, Changes, Otherwise, changes};
pub use compile::{CompileCause, CompileProblem, CompiledBundle, compile};
pub use condition::{Condition, Truth};
pub use decide::{closed_gates, cost, decide, decide_as_claude};
pub use decision::{ClosedGate, Decision, ENGINE_SEMANTICS, PartDecision};
pub use difference::{CallChange, RuleChange};
pub use explain::explain;
pub use export::{Exported, LeftOut, export_settings};
pub use import::{ImportError, Imported, SettingsSource, import_settings};
pub use lint::{Lint, LintKind, lint_bundle, lint_bundle_at};
pub use mcp::{McpDefault, McpEntry, McpPolicy, McpReason, McpServer, McpVerdict, server_verdict};
pub use paths::PathProblem;
pub use pattern::PatternProblem;
pub use recorded::{
    Again, Explanation, Judged, NamedRule, Obstacle, explain_recorded, recorded_request,
};
pub use request::{MAX_RULE_LINKS, McpCall, Request, ResolvedPath, RuleLink, paths_to_resolve};
pub use rule_paths::rule_paths;
pub use scenario::{Scenario, ScenarioError};
pub use staleness::{FRESH_LEAST_MS, Freshness, Staleness};
pub use steering::{Family, Holds, Steering, steering, steering_in_any_letters};
pub use subject::Subject;
pub use work::{Cost, MAX_COMPARING_STEPS, MAX_READING_STEPS};
