//! Importing Claude Code settings.
//!
//! Owns the translation of `permissions` and the MCP lists. The import changes no verdict except
//! towards stricter, and says where: what can never match is left out with a lint.
//! Source: Claude Code findings 1.5, 1.7 and 2; architecture section 4.

use crate::bundle::{Dialect, Rule, Scope};
use crate::lint::{Lint, LintKind, lint_rule};
use crate::mcp::{McpDefault, McpEntry, McpPolicy};
use crate::pattern::{self, PatternProblem};
use cairn_event::Effect;
use cairn_event::json::{self, Numbers};
use serde_json::Value;

/// Largest settings file in bytes: a hundred times the largest seen.
pub const MAX_SETTINGS_BYTES: usize = 1024 * 1024;

/// Members by which managed settings make those of other places count for nothing: said of one file, and not
/// carried out on others that are imported beside it.
const MANAGED_ONLY: [&str; 2] = [
    "allowManagedMcpServersOnly",
    "allowManagedPermissionRulesOnly",
];

/// Where settings came from; it decides what `/`-anchored paths start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsSource {
    /// The user's own settings: the agent's configuration directory.
    User {
        /// That directory, absolute.
        config_dir: String,
    },
    /// A project's shared settings: the project's root.
    Project {
        /// That directory, absolute.
        root: String,
        /// Whether somebody vouched for it; Claude Code ignores the allows of other projects.
        trusted: bool,
    },
    /// A project's local settings: the directory the session starts in.
    Local {
        /// That directory, absolute.
        cwd: String,
    },
    /// A managed settings file: its directory.
    Managed {
        /// That directory, absolute.
        dir: String,
    },
    /// A file given on the command line: its directory.
    FlagFile {
        /// That directory, absolute.
        dir: String,
    },
    /// Settings written on the command line: no directory, such paths match nothing.
    FlagInline,
}

/// What an import yields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// Global rules in Claude's dialect, ids `allow-0`, `ask-0`, `deny-0` and so on.
    pub rules: Vec<Rule>,
    /// The MCP lists.
    pub mcp: McpPolicy,
    /// What the author should know.
    pub lints: Vec<Lint>,
}

/// Why settings could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// More than [`MAX_SETTINGS_BYTES`].
    #[error("settings of {bytes} bytes are larger than {MAX_SETTINGS_BYTES}")]
    TooLarge {
        /// Their size.
        bytes: usize,
    },
    /// Not JSON that every reader understands alike.
    #[error("settings refused: {0}")]
    Json(#[from] json::JsonError),
    /// Not an object.
    #[error("settings are not an object")]
    NotAnObject,
}

impl SettingsSource {
    fn anchor(&self) -> Option<&str> {
        match self {
            Self::User { config_dir: dir }
            | Self::Project { root: dir, .. }
            | Self::Local { cwd: dir }
            | Self::Managed { dir }
            | Self::FlagFile { dir } => Some(dir),
            Self::FlagInline => None,
        }
    }
}

/// Imports one settings file.
///
/// Errors: [`ImportError`] where the file cannot be read as a whole; single rules that mean nothing
/// become lints.
pub fn import_settings(bytes: &[u8], source: &SettingsSource) -> Result<Imported, ImportError> {
    if bytes.len() > MAX_SETTINGS_BYTES {
        return Err(ImportError::TooLarge { bytes: bytes.len() });
    }
    let settings = json::parse(bytes, Numbers::Any)?;
    let settings = settings.as_object().ok_or(ImportError::NotAnObject)?;
    let mut imported = Imported::default();
    let permissions = settings.get("permissions");
    for (member, effect) in [
        ("deny", Effect::Deny),
        ("ask", Effect::Ask),
        ("allow", Effect::Allow),
    ] {
        let list = permissions.and_then(|permissions| permissions.get(member));
        let untrusted = matches!(source, SettingsSource::Project { trusted: false, .. });
        if untrusted && effect == Effect::Allow && list.is_some() {
            imported.skip("permissions.allow of a project that nobody vouched for");
            continue;
        }
        if list.is_some_and(|list| !list.is_array()) {
            imported.skip(&format!("permissions.{member}"));
        }
        for (position, entry) in list
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            match entry.as_str() {
                Some(pattern) => {
                    let id = format!("{member}-{position}");
                    imported.rule(id, effect, pattern, source);
                }
                None => imported.skip(&format!("permissions.{member}[{position}]")),
            }
        }
    }
    for member in permissions
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|map| map.keys())
    {
        if !["deny", "ask", "allow"].contains(&member.as_str()) {
            imported.skip(&format!("permissions.{member}"));
        }
    }
    for member in MANAGED_ONLY {
        if settings.get(member).is_some_and(|value| *value != false) {
            imported.skip(member);
        }
    }
    imported.mcp_lists(
        settings.get("allowedMcpServers"),
        settings.get("deniedMcpServers"),
    );
    Ok(imported)
}

impl Imported {
    fn skip(&mut self, member: &str) {
        self.lints.push(Lint {
            pattern: String::new(),
            rule: None,
            kind: LintKind::NotImported(member.to_owned()),
            instead: Vec::new(),
        });
    }

    fn rule(&mut self, id: String, effect: Effect, pattern: &str, source: &SettingsSource) {
        let mut rule = Rule {
            id,
            effect,
            pattern: pattern.to_owned(),
            scope: Scope::Global,
            when: None,
            mandatory: false,
            dialect: Dialect::Claude,
            mode: None,
            expires_ms: None,
            anchor: needs_anchor(pattern)
                .then(|| source.anchor().map(str::to_owned))
                .flatten(),
            approver: None,
            note: None,
        };
        if let Some(positive) = negated(pattern) {
            let kind = if effect == Effect::Allow {
                LintKind::NegatedAllow
            } else {
                LintKind::NegatedDeny
            };
            let advice = Lint {
                pattern: pattern.to_owned(),
                rule: Some(rule.id.clone()),
                kind,
                instead: vec![positive.clone()],
            };
            self.lints.push(advice);
            if effect != Effect::Allow {
                return;
            }
            // Without the carve-out the allow would cover what its author left out.
            rule.effect = Effect::Ask;
            rule.pattern = positive;
        }
        self.lints.extend(lint_rule(&rule));
        let anchor = rule.anchor.as_deref();
        match pattern::parse(&rule.pattern, rule.effect, rule.dialect, anchor) {
            Ok(_) => self.rules.push(rule),
            Err(PatternProblem::TooLong) if rule.effect != Effect::Allow => {
                // Too long to compile is not the same as never matching: fail closed.
                rule.pattern = rule.pattern.split('(').next().unwrap_or("Bash").to_owned();
                self.rules.push(rule);
            }
            Err(_) => {}
        }
    }

    fn mcp_lists(&mut self, allowed: Option<&Value>, denied: Option<&Value>) {
        if let Some(allowed) = allowed {
            self.mcp.default = McpDefault::Block;
            self.mcp.allow = self.mcp_entries(allowed, "allowedMcpServers");
        }
        if let Some(denied) = denied {
            self.mcp.deny = self.mcp_entries(denied, "deniedMcpServers");
        }
    }

    fn mcp_entries(&mut self, list: &Value, member: &str) -> Vec<McpEntry> {
        let mut entries = Vec::new();
        for (position, entry) in list.as_array().into_iter().flatten().enumerate() {
            match mcp_entry(entry) {
                Some(entry) => entries.push(entry),
                None => self.skip(&format!("{member}[{position}]")),
            }
        }
        entries
    }
}

fn mcp_entry(entry: &Value) -> Option<McpEntry> {
    let entry = entry.as_object().filter(|entry| entry.len() == 1)?;
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = text("serverName") {
        return Some(McpEntry::Name { name });
    }
    if let Some(url) = text("serverUrl") {
        return Some(McpEntry::Url { url });
    }
    let words = entry.get("serverCommand")?.as_array()?;
    let command: Option<Vec<String>> = words
        .iter()
        .map(|word| word.as_str().map(str::to_owned))
        .collect();
    command.map(|command| McpEntry::Command { command })
}

/// `Read(!x)`: the same rule without its `!`.
fn negated(pattern: &str) -> Option<String> {
    ["Read", "Edit"].iter().find_map(|tool| {
        let inner = pattern
            .strip_prefix(&format!("{tool}(!"))?
            .strip_suffix(')')?;
        Some(format!("{tool}({inner})"))
    })
}

/// `Read(/x)` and `Edit(/x)` start from the settings' own directory.
fn needs_anchor(pattern: &str) -> bool {
    let specifier = pattern.split_once('(').map_or("", |(_, rest)| rest);
    let specifier = specifier.trim_start_matches('!');
    specifier.starts_with('/') && !specifier.starts_with("//")
}
