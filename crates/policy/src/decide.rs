//! The decision: request x bundle x subject x posture -> effect, rule and sentence.
//!
//! Owns the order of the steps and the combination of parts. Pure and local: the same inputs give
//! the same decision years later.
//! Source: architecture section 4.

use crate::claude_default;
use crate::compile::{Applies, CompiledBundle, CompiledRule};
use crate::condition::Truth;
use crate::decision::{ClosedGate, Decision, ENGINE_SEMANTICS, PartDecision};
use crate::evaluate::{Verdict, evaluate};
use crate::explain;
use crate::mcp::{self, McpServer};
use crate::parts::{self, Parts};
use crate::request::{MAX_RESOLVED_PATHS, Request};
use crate::subject::Subject;
use cairn_event::{DecisionMode, Effect, Posture, Rank, RuleRef};

/// The rule name under which the MCP allow list decides.
pub const MCP_RULE: &str = "mcp";

/// Most parts a decision lists: the record must fit an entry, and the strictest come first.
const MAX_LISTED_PARTS: usize = 32;

/// Most losing rules a decision lists.
const MAX_LISTED_LOSING: usize = 64;

/// Decides one request.
///
/// Never fails: what the engine cannot make sense of is a deny that says so.
pub fn decide(
    request: &Request,
    bundle: &CompiledBundle,
    subject: &Subject,
    posture: &Posture,
    now_ms: u64,
) -> Decision {
    let ruling = Inputs {
        request,
        bundle,
        subject,
        posture,
        now_ms,
        claude: false,
    }
    .rule();
    finish(ruling, request, bundle)
}

/// As [`decide`], with Claude Code's own default in place of every `no-opinion`.
///
/// Only for checking conformance and for importing: it answers what the real program would do.
pub fn decide_as_claude(
    request: &Request,
    bundle: &CompiledBundle,
    subject: &Subject,
    posture: &Posture,
    now_ms: u64,
) -> Decision {
    let ruling = Inputs {
        request,
        bundle,
        subject,
        posture,
        now_ms,
        claude: true,
    }
    .rule();
    finish(ruling, request, bundle)
}

/// The session gates that are closed for a device in this posture.
pub fn closed_gates(bundle: &CompiledBundle, posture: &Posture) -> Vec<ClosedGate> {
    let max_age = bundle.bundle.max_posture_age_ms;
    bundle
        .bundle
        .gates
        .iter()
        .filter(|gate| gate.when.evaluate(posture, max_age) != Truth::False)
        .map(|gate| ClosedGate {
            id: gate.id.clone(),
            message: gate.message.clone(),
        })
        .collect()
}

/// A verdict before it is worded.
#[derive(Debug)]
pub(crate) struct Ruling {
    pub effect: Effect,
    pub rule: Option<RuleRef>,
    pub losing: Vec<RuleRef>,
    pub would: Option<Effect>,
    pub gate: Option<ClosedGate>,
    pub parts: Vec<PartDecision>,
    /// What decided, in the words of the call.
    pub subject: String,
    /// Whether the rule could only not be shown to be irrelevant.
    pub uncertain: bool,
    /// Why no rule was asked, where none was.
    pub cause: Option<String>,
}

type Applicable<'a> = (&'a CompiledRule, Applies);

struct Inputs<'a> {
    request: &'a Request,
    bundle: &'a CompiledBundle,
    subject: &'a Subject,
    posture: &'a Posture,
    now_ms: u64,
    claude: bool,
}

impl Inputs<'_> {
    fn rule(&self) -> Ruling {
        if let Some(cause) = malformed(self.request) {
            return Ruling {
                cause: Some(cause),
                ..Ruling::deny(None, &self.request.tool)
            };
        }
        if let Some(gate) = closed_gates(self.bundle, self.posture).into_iter().next() {
            let rule = RuleRef {
                id: gate.id.clone(),
                effect: Effect::Deny,
                rank: Rank::PostureDeny,
            };
            return Ruling {
                gate: Some(gate),
                ..Ruling::deny(Some(rule), &self.request.tool)
            };
        }
        if let Some(ruling) = self.blocked_server() {
            return ruling;
        }
        let parts = parts::of(self.request);
        let bundle = self.bundle;
        let candidates = bundle
            .index
            .candidates(self.subject, &parts, self.request)
            .into_iter()
            .filter_map(|position| bundle.rules.get(position));
        let applicable: Vec<Applicable<'_>> = candidates
            .map(|rule| (rule, self.applies(rule)))
            .filter(|(_, applies)| *applies != Applies::No)
            .collect();
        let enforced: Vec<Applicable<'_>> = applicable
            .iter()
            .copied()
            .filter(|(rule, _)| !rule.is_monitored())
            .collect();
        let mut ruling = self.combine(&enforced, &parts);
        if enforced.len() != applicable.len() {
            let would = self.combine(&applicable, &parts).effect;
            ruling.would = (would != ruling.effect).then_some(would);
        }
        ruling
    }

    fn applies(&self, rule: &CompiledRule) -> Applies {
        let max_age = self.bundle.bundle.max_posture_age_ms;
        rule.applies(self.subject, self.posture, max_age, self.now_ms)
    }

    /// A call to a server that may not run, should one be running all the same.
    fn blocked_server(&self) -> Option<Ruling> {
        let call = self.request.mcp.as_ref()?;
        let named = McpServer {
            name: call.server.clone(),
            command: Vec::new(),
            url: None,
        };
        let server = call.definition.clone().unwrap_or(named);
        let verdict = mcp::server_verdict(&self.bundle.bundle.mcp, &server);
        if verdict.allowed {
            return None;
        }
        let rule = RuleRef {
            id: MCP_RULE.to_owned(),
            effect: Effect::Deny,
            rank: Rank::Mandatory,
        };
        let cause = format!(
            "mcp server `{}` may not run: {}",
            call.server, verdict.reason
        );
        Some(Ruling {
            cause: Some(cause),
            ..Ruling::deny(Some(rule), &self.request.tool)
        })
    }

    /// Combines the parts: deny > ask > unmatched default > allow.
    fn combine(&self, rules: &[Applicable<'_>], parts: &Parts) -> Ruling {
        let mut ruling = Ruling::deny(None, &self.request.tool);
        let mut strictest: Option<Effect> = None;
        let mut matched = Vec::new();
        for part in &parts.parts {
            let verdict = evaluate(rules, part, parts, self.request);
            matched.extend(verdict.matched.iter().cloned());
            let Some(effect) = self.effect_of(&verdict, part, parts) else {
                continue;
            };
            let label = part.label(parts, self.request);
            let rule = verdict.rule.clone().filter(|_| verdict.effect.is_some());
            if strictest.is_none_or(|so_far| strictness(effect) > strictness(so_far)) {
                strictest = Some(effect);
                ruling.rule.clone_from(&rule);
                ruling.subject.clone_from(&label);
                ruling.uncertain = verdict.uncertain;
            }
            ruling.parts.push(PartDecision {
                command: label,
                effect,
                rule,
            });
        }
        // Only assignments that need no rule: nothing is left to have an opinion on.
        ruling.effect = strictest.unwrap_or(match self.bundle.bundle.default {
            Effect::NoOpinion if self.claude => Effect::Allow,
            default => default,
        });
        matched.sort();
        matched.dedup();
        matched.retain(|rule| Some(rule) != ruling.rule.as_ref());
        matched.truncate(MAX_LISTED_LOSING);
        ruling.losing = matched;
        ruling
            .parts
            .sort_by_key(|part| std::cmp::Reverse(strictness(part.effect)));
        ruling.parts.dedup();
        ruling.parts.truncate(MAX_LISTED_PARTS);
        ruling
    }

    /// The effect of one part; `None` for a part that only had to be not denied, and was not.
    fn effect_of(&self, verdict: &Verdict, part: &parts::Part, parts: &Parts) -> Option<Effect> {
        match (verdict.effect, part.required) {
            // A rule that only may match, or may apply, must not soften a default of deny to an ask.
            (Some(_), true) if !verdict.certain && self.bundle.bundle.default == Effect::Deny => {
                Some(Effect::Deny)
            }
            (Some(effect @ (Effect::Deny | Effect::Ask)), _) => Some(effect),
            (Some(effect), true) => Some(effect),
            (None, true) if claude_default::is_harmless(part, parts) => None,
            (None, true) => {
                let default = self.bundle.bundle.default;
                Some(if self.claude && default == Effect::NoOpinion {
                    claude_default::of(part, parts, self.request)
                } else if matches!(part.what, parts::What::Unreadable(_))
                    && default == Effect::Allow
                {
                    // What cannot be read is never allowed.
                    Effect::Ask
                } else {
                    default
                })
            }
            (_, false) => None,
        }
    }
}

impl Ruling {
    fn deny(rule: Option<RuleRef>, subject: &str) -> Self {
        Self {
            effect: Effect::Deny,
            rule,
            losing: Vec::new(),
            would: None,
            gate: None,
            parts: Vec::new(),
            subject: subject.to_owned(),
            uncertain: false,
            cause: None,
        }
    }
}

/// A request the caller must not have built.
fn malformed(request: &Request) -> Option<String> {
    if !request.cwd.starts_with('/') || !request.home.starts_with('/') {
        return Some("the request has no absolute working and home directory".to_owned());
    }
    if !request.input.is_object() {
        return Some("the tool input is not an object".to_owned());
    }
    if request.resolved.len() > MAX_RESOLVED_PATHS {
        return Some(format!(
            "the request resolves more than {MAX_RESOLVED_PATHS} paths"
        ));
    }
    None
}

fn strictness(effect: Effect) -> u8 {
    match effect {
        Effect::Deny => 3,
        Effect::Ask => 2,
        Effect::NoOpinion => 1,
        Effect::Allow => 0,
    }
}

fn finish(ruling: Ruling, request: &Request, bundle: &CompiledBundle) -> Decision {
    let unanswerable = |effect| effect == Effect::Ask && !request.interactive;
    let effect = if unanswerable(ruling.effect) {
        Effect::Deny
    } else {
        ruling.effect
    };
    let would = ruling.would.map(|would| {
        if unanswerable(would) {
            Effect::Deny
        } else {
            would
        }
    });
    let sentence = explain::sentence(&ruling, effect, bundle);
    Decision {
        effect,
        rule: ruling.rule,
        losing: ruling.losing,
        mode: match bundle.bundle.mode {
            DecisionMode::Monitor => DecisionMode::Monitor,
            DecisionMode::Enforce => DecisionMode::Enforce,
        },
        would: would.filter(|would| *would != effect),
        semantics: ENGINE_SEMANTICS,
        sentence,
        gate: ruling.gate,
        parts: ruling.parts,
    }
}
