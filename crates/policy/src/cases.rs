//! Cases: the permissions of one settings file and one call, a JSON object a line.
//!
//! Owns the shape in which verdicts are observed from Claude Code and compared with this engine. It
//! answers for the call alone: nothing is read from the machine it runs on, so links are part of the
//! row. Which rows agree is the caller's question.
//! Source: Claude Code findings 2; architecture section 4.

use crate::bundle::Bundle;
use crate::compile::{CompileProblem, compile};
use crate::decide::decide_as_claude;
use crate::import::{ImportError, SettingsSource, import_settings};
use crate::request::{Request, ResolvedPath, RuleLink, paths_to_resolve};
use crate::rule_paths::stated_links;
use crate::subject::Subject;
use cairn_event::json::{self, Numbers};
use cairn_event::{Effect, Posture};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Longest row in bytes: a command of 10,000 bytes and a large settings file fit.
pub const MAX_CASE_BYTES: usize = 1024 * 1024;

/// Working directory of a row that names none.
const DEFAULT_CWD: &str = "/w/proj";

/// Home directory of a row that names none.
const DEFAULT_HOME: &str = "/home/u";

/// One settings file's permissions and one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    source: SettingsSource,
    permissions: Map<String, Value>,
    tool: String,
    input: Value,
    cwd: String,
    home: String,
    links: BTreeMap<String, Option<String>>,
    observed: Option<Effect>,
}

/// What this engine says about a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseVerdict {
    /// Allow, ask or deny: what the developer would see, Claude Code's own default included.
    pub effective: Effect,
    /// The pattern that decided, as the row writes it; absent for the default.
    pub rule: Option<String>,
}

/// Why a row has no verdict.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// More than [`MAX_CASE_BYTES`].
    #[error("a row of {bytes} bytes is longer than {MAX_CASE_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON that every reader understands alike.
    #[error("not a row: {0}")]
    Json(#[from] json::JsonError),
    /// JSON of another kind.
    #[error("a row is an object")]
    NotAnObject,
    /// A member that every row needs.
    #[error("the row has no `{0}`")]
    Missing(&'static str),
    /// A member of another type than it must have.
    #[error("`{member}` must be {wanted}")]
    Type {
        /// The member.
        member: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A settings source that does not exist.
    #[error("`{0}` is not a settings source")]
    Source(String),
    /// An effect that does not exist.
    #[error("`{0}` is not an effect")]
    Effect(String),
    /// A permission mode that does not exist.
    #[error("`{0}` is not a permission mode")]
    Mode(String),
    /// The permissions cannot be imported.
    #[error("the permissions are refused: {0}")]
    Import(#[from] ImportError),
    /// The imported rules do not compile.
    #[error("the permissions do not compile ({} problems)", .0.len())]
    Compile(Vec<CompileProblem>),
}

impl Case {
    /// Reads one row.
    ///
    /// `permissions`, `tool` and `input` are needed; `settings_source`, `cwd`, `home`, `effective` and
    /// `links` (path to target, or to null where it cannot be followed) may be left out; other members
    /// are not looked at. Errors: [`CaseError`]; such a row has no verdict at all.
    pub fn parse(row: &[u8]) -> Result<Self, CaseError> {
        if row.len() > MAX_CASE_BYTES {
            return Err(CaseError::TooLong { bytes: row.len() });
        }
        let Value::Object(row) = json::parse(row, Numbers::Any)? else {
            return Err(CaseError::NotAnObject);
        };
        let permissions = permissions(&row)?;
        let tool = text(&row, "tool")?.ok_or(CaseError::Missing("tool"))?;
        let input = row.get("input").ok_or(CaseError::Missing("input"))?;
        if !input.is_object() {
            return Err(wrong("input", "an object"));
        }
        let cwd = directory(&row, "cwd", DEFAULT_CWD)?;
        let home = directory(&row, "home", DEFAULT_HOME)?;
        Ok(Self {
            source: source(&row, &cwd, &home)?,
            permissions,
            tool,
            input: input.clone(),
            cwd,
            home,
            links: links(&row)?,
            observed: observed(&row)?,
        })
    }

    /// The verdict the row records, where it records one; a removed tool counts as denied.
    pub fn observed(&self) -> Option<Effect> {
        self.observed
    }

    /// Decides the call as Claude Code would with these permissions alone.
    ///
    /// Errors: [`CaseError`] where the permissions cannot be understood as a whole; a single rule that
    /// means nothing to Claude Code means nothing here.
    pub fn verdict(&self) -> Result<CaseVerdict, CaseError> {
        let settings = json::to_canonical(&serde_json::json!({ "permissions": self.permissions }));
        let imported = import_settings(&settings, &self.source)?;
        let mut bundle = Bundle::empty("case", "");
        bundle.rules = imported.rules;
        let compiled = compile(&bundle).map_err(CaseError::Compile)?;
        let request = self.request()?;
        let decision = decide_as_claude(
            &request,
            &compiled,
            &Subject::default(),
            &Posture::default(),
            0,
        );
        Ok(CaseVerdict {
            effective: decision.effect,
            rule: decision.rule.and_then(|rule| self.pattern(&rule.id)),
        })
    }

    fn request(&self) -> Result<Request, CaseError> {
        let mode = match self.permissions.get("defaultMode") {
            None => None,
            Some(mode) => Some(
                mode.as_str()
                    .ok_or_else(|| wrong("defaultMode", "a text"))?,
            ),
        };
        // Every mode but one leaves an ask an ask or does without it; that one turns it into a deny.
        let interactive = match mode {
            None | Some("default" | "acceptEdits" | "plan" | "bypassPermissions" | "auto") => true,
            Some("dontAsk") => false,
            Some(other) => return Err(CaseError::Mode(other.to_owned())),
        };
        let paths = paths_to_resolve(&self.tool, &self.input, &self.cwd, &self.home);
        Ok(Request {
            tool: self.tool.clone(),
            input: self.input.clone(),
            cwd: self.cwd.clone(),
            home: self.home.clone(),
            resolved: paths
                .into_iter()
                .filter_map(|path| self.resolve(path))
                .collect(),
            rule_links: self.rule_links(),
            interactive,
            permission_mode: mode.map(str::to_owned),
            mcp: None,
        })
    }

    /// Every link of the row that can be followed: those that no rule leads through say nothing.
    fn rule_links(&self) -> Vec<RuleLink> {
        let links = self.links.iter();
        let links = links.filter_map(|(link, target)| Some((link.as_str(), target.as_deref()?)));
        stated_links(&links.collect())
    }

    fn resolve(&self, lexical: String) -> Option<ResolvedPath> {
        let link = self.links.iter().find_map(|(link, target)| {
            let rest = lexical.strip_prefix(link.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then_some((target, rest))
        });
        let target = match link {
            Some((None, _)) => return None,
            Some((Some(target), rest)) => Some(format!("{target}{rest}")),
            None => None,
        };
        Some(ResolvedPath {
            given: lexical.clone(),
            lexical,
            target,
        })
    }

    /// The pattern behind an imported rule's id, `deny-2` being the third of `deny`.
    fn pattern(&self, id: &str) -> Option<String> {
        let (list, position) = id.split_once('-')?;
        let position: usize = position.parse().ok()?;
        let pattern = self.permissions.get(list)?.as_array()?.get(position)?;
        pattern.as_str().map(str::to_owned)
    }
}

fn wrong(member: &str, wanted: &'static str) -> CaseError {
    CaseError::Type {
        member: member.to_owned(),
        wanted,
    }
}

fn text(row: &Map<String, Value>, member: &'static str) -> Result<Option<String>, CaseError> {
    match row.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(member, "a text")),
    }
}

fn directory(
    row: &Map<String, Value>,
    member: &'static str,
    default: &str,
) -> Result<String, CaseError> {
    match text(row, member)? {
        None => Ok(default.to_owned()),
        Some(path) if path.starts_with('/') => Ok(path),
        Some(_) => Err(wrong(member, "an absolute path")),
    }
}

/// A list that is no list would silently be no rules at all, so it is an error.
fn permissions(row: &Map<String, Value>) -> Result<Map<String, Value>, CaseError> {
    let given = row
        .get("permissions")
        .ok_or(CaseError::Missing("permissions"))?;
    let given = given
        .as_object()
        .ok_or_else(|| wrong("permissions", "an object"))?;
    for list in ["allow", "ask", "deny"] {
        let is_list = given.get(list).is_none_or(|list| {
            list.as_array()
                .is_some_and(|rules| rules.iter().all(Value::is_string))
        });
        if !is_list {
            return Err(wrong(&format!("permissions.{list}"), "a list of texts"));
        }
    }
    Ok(given.clone())
}

fn source(row: &Map<String, Value>, cwd: &str, home: &str) -> Result<SettingsSource, CaseError> {
    let cwd = cwd.to_owned();
    Ok(match text(row, "settings_source")?.as_deref() {
        None | Some("flag-inline") => SettingsSource::FlagInline,
        Some("flag-file") => SettingsSource::FlagFile { dir: cwd },
        Some("user") => SettingsSource::User {
            config_dir: format!("{home}/.claude"),
        },
        Some("project") => SettingsSource::Project {
            root: cwd,
            trusted: false,
        },
        Some("local") => SettingsSource::Local { cwd },
        Some("managed") => SettingsSource::Managed {
            dir: "/etc/claude-code".to_owned(),
        },
        Some(other) => return Err(CaseError::Source(other.to_owned())),
    })
}

fn links(row: &Map<String, Value>) -> Result<BTreeMap<String, Option<String>>, CaseError> {
    let Some(given) = row.get("links") else {
        return Ok(BTreeMap::new());
    };
    let given = given
        .as_object()
        .ok_or_else(|| wrong("links", "an object of paths"))?;
    given
        .iter()
        .map(|(link, target)| match target {
            Value::Null => Ok((link.clone(), None)),
            Value::String(target) if target.starts_with('/') => {
                Ok((link.clone(), Some(target.clone())))
            }
            _ => Err(wrong(&format!("links.{link}"), "an absolute path or null")),
        })
        .collect()
}

fn observed(row: &Map<String, Value>) -> Result<Option<Effect>, CaseError> {
    Ok(match text(row, "effective")?.as_deref() {
        None => None,
        Some("allow") => Some(Effect::Allow),
        Some("ask") => Some(Effect::Ask),
        // A removed tool is a denied one that the model is not even shown.
        Some("deny" | "removed") => Some(Effect::Deny),
        Some(other) => return Err(CaseError::Effect(other.to_owned())),
    })
}
