//! What would change a decision: each single thing that, were it otherwise, would give another verdict.
//!
//! Owns the list of things that are tried and the bound on trying them. Each trial is a whole decision
//! by [`crate::decide`]; nothing is guessed from the rules' text.
//! Source: architecture section 4; features, "For the developer".

use crate::bundle::Scope;
use crate::compile::CompiledBundle;
use crate::condition::Condition;
use crate::decide::{Inputs, MCP_RULE};
use crate::decision::Decision;
use crate::parts;
use crate::request::Request;
use crate::subject::Subject;
use crate::work::MAX_COMPARING_STEPS;
use cairn_event::{Effect, Posture, PostureValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Steps that all trials together may cost: some of the most expensive decisions, a fraction of a second.
const MAX_STEPS: u64 = 4 * MAX_COMPARING_STEPS;

/// Steps that a trial counts beside those of its decision, so that their number is bounded too.
const TRIAL_STEPS: u64 = 2_000;

/// Evidence level of a posture value that is only supposed: no condition asks for more.
const SUPPOSED: u8 = 5;

/// One thing that is not so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "snake_case"
)]
pub enum Otherwise {
    /// The bundle does not have this rule or gate.
    Without {
        /// The rule's or gate's id.
        id: String,
    },
    /// The person is in this team too.
    InTeam {
        /// The team.
        team: String,
    },
    /// The person has this role too.
    WithRole {
        /// The role.
        role: String,
    },
    /// Another person does it, in the same teams and roles.
    ForPerson {
        /// The person (`p_…`).
        person: String,
    },
    /// The device has this posture.
    WithPosture {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
    /// The device is known to have another posture.
    WithOtherPosture {
        /// The field.
        field: String,
        /// The value that it does not have.
        value: String,
    },
    /// The MCP list lets the server run.
    ServerAllowed {
        /// The server's configured name.
        server: String,
    },
    /// Somebody is there who can be asked.
    SomebodyToAsk,
    /// The rules in monitor mode are enforced.
    MonitorEnforced,
}

impl fmt::Display for Otherwise {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Without { id } => write!(out, "without `{id}`"),
            Self::InTeam { team } => write!(out, "in team `{team}`"),
            Self::WithRole { role } => write!(out, "with role `{role}`"),
            Self::ForPerson { person } => write!(out, "for person `{person}`"),
            Self::WithPosture { field, value } => write!(out, "with {field} {value}"),
            Self::WithOtherPosture { field, value } => {
                write!(out, "with {field} known to be other than {value}")
            }
            Self::ServerAllowed { server } => {
                write!(out, "if the MCP list let server `{server}` run")
            }
            Self::SomebodyToAsk => out.write_str("with somebody there to ask"),
            Self::MonitorEnforced => out.write_str("if the rules in monitor mode were enforced"),
        }
    }
}

/// One thing that would change the verdict, and the verdict then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What would have to be otherwise.
    pub otherwise: Otherwise,
    /// The verdict then.
    pub effect: Effect,
    /// The rule that would decide then; absent for the organisation's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = crate::explain::word(self.effect);
        write!(out, "{}: then {then}", self.otherwise)?;
        match &self.rule {
            Some(rule) => write!(out, " by `{rule}`"),
            None => out.write_str(" by the organisation's default"),
        }
    }
}

/// Everything single that would change a verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// Each once, in order.
    pub changes: Vec<Change>,
    /// Whether everything was tried; trials end early where deciding the call is expensive.
    pub complete: bool,
}

/// What would change the decision on a call, which is decided here once more.
///
/// Looks only at rules that may match the call in some scope, and at gates. Two things that must come
/// together are not found.
pub fn changes(
    request: &Request,
    bundle: &CompiledBundle,
    subject: &Subject,
    posture: &Posture,
    now_ms: u64,
) -> Changes {
    let inputs = Inputs::of(request, bundle, subject, posture, now_ms);
    let (decision, cost) = inputs.decide();
    let mut trials = Trials {
        inputs,
        decision: &decision,
        spent: cost.reading.saturating_add(cost.comparing),
        complete: true,
        tried: BTreeSet::new(),
        found: BTreeSet::new(),
    };
    trials.without_rules();
    let parts = parts::of(request);
    let rules = bundle.index.for_anybody(&parts, request);
    trials.complete &= !parts.work.is_exhausted();
    trials.spent = trials.spent.saturating_add(parts.work.spent());
    let rules = || rules.iter().filter_map(|at| bundle.rules.get(*at));
    let called = request.mcp.as_ref().map(|call| &call.server);
    let managed = called.and_then(|server| bundle.bundle.mcp.scopes.get(server));
    let scopes = rules().map(|rule| &rule.rule.scope);
    for scope in scopes.chain(managed.into_iter().flatten()) {
        trials.in_scope(scope);
    }
    let conditions = rules().filter_map(|rule| rule.rule.when.as_ref());
    let gates = bundle.bundle.gates.iter().map(|gate| &gate.when);
    let mut stated = BTreeSet::new();
    conditions
        .chain(gates)
        .for_each(|when| state(when, &mut stated));
    for (field, value) in stated {
        trials.in_posture(field, value);
    }
    trials.circumstances();
    Changes {
        changes: trials.found.into_iter().collect(),
        complete: trials.complete,
    }
}

/// The posture values that a condition names.
fn state<'a>(condition: &'a Condition, stated: &mut BTreeSet<(&'a str, &'a str)>) {
    match condition {
        Condition::Posture { posture, is } => {
            stated.insert((posture, is));
        }
        Condition::Not { not } => state(not, stated),
        Condition::All { all: inner } | Condition::Any { any: inner } => {
            inner.iter().for_each(|one| state(one, stated));
        }
    }
}

/// Trials of one call.
struct Trials<'a> {
    inputs: Inputs<'a>,
    decision: &'a Decision,
    spent: u64,
    complete: bool,
    tried: BTreeSet<Otherwise>,
    found: BTreeSet<Change>,
}

impl Trials<'_> {
    fn attempt(&mut self, otherwise: Otherwise, inputs: &Inputs<'_>) {
        if !self.tried.insert(otherwise.clone()) {
            return;
        }
        if self.spent >= MAX_STEPS {
            self.complete = false;
            return;
        }
        let (decision, cost) = inputs.decide();
        let cost = cost.reading.saturating_add(cost.comparing);
        self.spent = self.spent.saturating_add(cost).saturating_add(TRIAL_STEPS);
        if decision.effect != self.decision.effect {
            self.found.insert(Change {
                otherwise,
                effect: decision.effect,
                rule: decision.rule.map(|rule| rule.id),
            });
        }
    }

    /// Each rule or gate that had a say.
    fn without_rules(&mut self) {
        let decision = self.decision;
        for rule in decision.rule.iter().chain(&decision.losing) {
            let id = rule.id.clone();
            let inputs = Inputs {
                without: Some(&rule.id),
                ..self.inputs
            };
            self.attempt(Otherwise::Without { id }, &inputs);
        }
    }

    fn in_scope(&mut self, scope: &Scope) {
        let mut subject = self.inputs.subject.clone();
        let otherwise = match scope {
            Scope::Team(team) if !subject.teams.contains(team) => {
                subject.teams.push(team.clone());
                Otherwise::InTeam { team: team.clone() }
            }
            Scope::Role(role) if !subject.roles.contains(role) => {
                subject.roles.push(role.clone());
                Otherwise::WithRole { role: role.clone() }
            }
            Scope::Person(person) if subject.person != *person => {
                subject.person.clone_from(person);
                let person = person.clone();
                Otherwise::ForPerson { person }
            }
            _ => return,
        };
        let inputs = Inputs {
            subject: &subject,
            ..self.inputs
        };
        self.attempt(otherwise, &inputs);
    }

    fn in_posture(&mut self, field: &str, value: &str) {
        let (field, value) = (field.to_owned(), value.to_owned());
        // No posture has a control character in it, so this is none of the values that rules name.
        let other = format!("\0{value}");
        let mut with = |supposed: String, otherwise: Otherwise| {
            let mut posture = self.inputs.posture.clone();
            let supposed = PostureValue {
                age_ms: 0,
                evidence: SUPPOSED,
                source: "supposed".to_owned(),
                value: supposed,
            };
            posture.0.insert(field.clone(), supposed);
            let inputs = Inputs {
                posture: &posture,
                ..self.inputs
            };
            self.attempt(otherwise, &inputs);
        };
        let otherwise = Otherwise::WithOtherPosture {
            field: field.clone(),
            value: value.clone(),
        };
        with(other, otherwise);
        let otherwise = Otherwise::WithPosture {
            field: field.clone(),
            value: value.clone(),
        };
        with(value, otherwise);
    }

    /// What is neither a rule's scope nor its condition.
    fn circumstances(&mut self) {
        let (decision, mut request) = (self.decision, self.inputs.request.clone());
        if let Some(effect) = decision.would {
            self.found.insert(Change {
                otherwise: Otherwise::MonitorEnforced,
                effect,
                rule: None,
            });
        }
        if !request.interactive {
            request.interactive = true;
            let inputs = Inputs {
                request: &request,
                ..self.inputs
            };
            self.attempt(Otherwise::SomebodyToAsk, &inputs);
            request.interactive = false;
        }
        let is_mcp = |rule: &cairn_event::RuleRef| rule.id == MCP_RULE;
        if decision.rule.as_ref().is_some_and(is_mcp)
            && let Some(call) = request.mcp.take()
        {
            let server = call.server;
            let inputs = Inputs {
                request: &request,
                ..self.inputs
            };
            self.attempt(Otherwise::ServerAllowed { server }, &inputs);
        }
    }
}

#[cfg(test)]
mod tests;
