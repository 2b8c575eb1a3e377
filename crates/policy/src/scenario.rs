//! Scenarios: a call, whose it is and on what device, with the verdict somebody expects.
//!
//! Owns the shape of the tests that lie beside a policy, and running them. The same shape, without an
//! expectation, is a hypothetical call to explain. Where the text comes from is the caller's business.
//! Source: architecture section 4.

use crate::change::{Changes, changes};
use crate::compile::CompiledBundle;
use crate::decide::decide;
use crate::decision::Decision;
use crate::request::{Request, ResolvedPath, RuleLink, paths_to_resolve};
use crate::rule_paths::stated_links;
use crate::subject::Subject;
use cairn_event::{Effect, Posture, PostureValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Evidence level of a posture value that a scenario states: it is taken as proven.
const STATED: u8 = 3;

/// A call under circumstances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The tool; `Bash` where [`Self::command`] is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The tool's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// A shell command, in place of tool and input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The person (`p_…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Their teams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Their roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Posture by name; what is not named is unknown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub posture: BTreeMap<String, String>,
    /// Working directory.
    #[serde(default = "working_directory")]
    pub cwd: String,
    /// Home directory.
    #[serde(default = "home_directory")]
    pub home: String,
    /// Links: path to target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// Whether a person can be asked.
    #[serde(default = "yes")]
    pub interactive: bool,
    /// When, milliseconds since 1970; the caller's now where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
    /// The expected effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Effect>,
    /// The expected deciding rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Why a scenario cannot be decided.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a command nor a tool with its input, or both.
    #[error("a scenario has either `command` or `tool` and `input`")]
    Call,
    /// A test that expects nothing cannot fail.
    #[error("a test needs `expect`")]
    NoExpectation,
}

/// How a scenario came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// The decision.
    pub decision: Decision,
    /// What was expected and did not happen; absent where all did.
    pub failure: Option<String>,
}

impl Scenario {
    /// A shell command by nobody in particular, on a device of which nothing is known.
    pub fn of_command(command: &str) -> Self {
        Self {
            name: String::new(),
            tool: None,
            input: None,
            command: Some(command.to_owned()),
            person: None,
            teams: Vec::new(),
            roles: Vec::new(),
            posture: BTreeMap::new(),
            cwd: working_directory(),
            home: home_directory(),
            links: BTreeMap::new(),
            interactive: true,
            at_ms: None,
            expect: None,
            by: None,
        }
    }

    /// The request it stands for.
    ///
    /// Errors: [`ScenarioError::Call`].
    pub fn request(&self) -> Result<Request, ScenarioError> {
        let (tool, input) = match (&self.command, &self.tool, &self.input) {
            (Some(command), None, None) => ("Bash".to_owned(), json!({ "command": command })),
            (Some(command), Some(tool), None) => (tool.clone(), json!({ "command": command })),
            (None, Some(tool), input) => (tool.clone(), input.clone().unwrap_or_else(|| json!({}))),
            _ => return Err(ScenarioError::Call),
        };
        let resolved = paths_to_resolve(&tool, &input, &self.cwd, &self.home)
            .into_iter()
            .map(|path| ResolvedPath {
                given: path.clone(),
                target: self.target(&path),
                lexical: path,
            })
            .collect();
        Ok(Request {
            tool,
            input,
            cwd: self.cwd.clone(),
            home: self.home.clone(),
            resolved,
            rule_links: self.rule_links(),
            interactive: self.interactive,
            permission_mode: None,
            mcp: None,
        })
    }

    /// Every link of the scenario: those that no rule leads through say nothing.
    fn rule_links(&self) -> Vec<RuleLink> {
        let links = self.links.iter();
        stated_links(
            &links
                .map(|(link, target)| (link.as_str(), target.as_str()))
                .collect(),
        )
    }

    fn target(&self, path: &str) -> Option<String> {
        self.links.iter().find_map(|(link, target)| {
            let rest = path.strip_prefix(link.as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{target}{rest}"))
        })
    }

    /// Whose call it is.
    pub fn subject(&self) -> Subject {
        Subject {
            person: self.person.clone().unwrap_or_default(),
            teams: self.teams.clone(),
            roles: self.roles.clone(),
        }
    }

    fn posture(&self) -> Posture {
        let stated = |value: &String| PostureValue {
            value: value.clone(),
            evidence: STATED,
            age_ms: 0,
            source: "stated".to_owned(),
        };
        let values = self.posture.iter();
        Posture(
            values
                .map(|(name, value)| (name.clone(), stated(value)))
                .collect(),
        )
    }

    /// Decides the call and compares with what is expected, where something is.
    ///
    /// Errors: [`ScenarioError::Call`].
    pub fn play(&self, bundle: &CompiledBundle, now_ms: u64) -> Result<Played, ScenarioError> {
        let decision = decide(
            &self.request()?,
            bundle,
            &self.subject(),
            &self.posture(),
            self.at_ms.unwrap_or(now_ms),
        );
        let by = decision.rule.as_ref().map_or("", |rule| rule.id.as_str());
        let failure = match (self.expect, &self.by) {
            (Some(expected), _) if expected != decision.effect => {
                Some(format!("expected {expected:?}, got {:?}", decision.effect))
            }
            (_, Some(rule)) if rule != by => {
                Some(format!("expected rule `{rule}` to decide, `{by}` did"))
            }
            _ => None,
        };
        Ok(Played { decision, failure })
    }

    /// What would change the decision on the call.
    ///
    /// Errors: [`ScenarioError::Call`].
    pub fn changes(&self, bundle: &CompiledBundle, now_ms: u64) -> Result<Changes, ScenarioError> {
        Ok(changes(
            &self.request()?,
            bundle,
            &self.subject(),
            &self.posture(),
            self.at_ms.unwrap_or(now_ms),
        ))
    }

    /// As [`Self::play`], for a test: something must be expected.
    ///
    /// Errors: [`ScenarioError`].
    pub fn test(&self, bundle: &CompiledBundle, now_ms: u64) -> Result<Played, ScenarioError> {
        if self.expect.is_none() {
            return Err(ScenarioError::NoExpectation);
        }
        self.play(bundle, now_ms)
    }

    /// The call in words: the command, or the tool and its input.
    pub fn call(&self) -> String {
        match (&self.command, &self.tool) {
            (Some(command), _) => command.clone(),
            (None, tool) => format!(
                "{} {}",
                tool.as_deref().unwrap_or_default(),
                self.input.clone().unwrap_or_default()
            ),
        }
    }
}

fn working_directory() -> String {
    "/home/developer/project".to_owned()
}

fn home_directory() -> String {
    "/home/developer".to_owned()
}

const fn yes() -> bool {
    true
}
