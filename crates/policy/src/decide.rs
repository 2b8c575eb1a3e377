//! The decision: request x bundle x subject x posture -> effect, rule and sentence.
//!
//! Owns the order of the steps and the combination of parts. Pure and local: the same inputs give
//! the same decision years later.
//! Source: architecture section 4.

use crate::bundle::RunningSessions;
use crate::claude_default;
use crate::compile::{Applies, CompiledBundle, CompiledRule};
use crate::condition::Truth;
use crate::decision::{ClosedGate, Decision, ENGINE_SEMANTICS, PartDecision};
use crate::evaluate::{Contender, Verdict, evaluate};
use crate::explain;
use crate::index::{Slate, Slates};
use crate::mcp::{self, McpServer};
use crate::parts::{self, Parts};
use crate::request::{MAX_RESOLVED_PATHS, Request};
use crate::subject::Subject;
use crate::work::Cost;
use cairn_event::{DecisionMode, Effect, Posture, Rank, RuleRef};

/// The rule name under which the MCP allow list decides.
pub const MCP_RULE: &str = "mcp";

/// Most parts a decision lists: the record must fit an entry, and the strictest come first.
const MAX_LISTED_PARTS: usize = 32;

/// Most losing rules a decision lists.
const MAX_LISTED_LOSING: usize = 64;

/// Why a call is refused whose comparison with the rules is cut off.
const TOO_COMPLEX: &str = "the call takes too much work to check against the rules; make several \
                           simpler calls of it";

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
    Inputs::of(request, bundle, subject, posture, now_ms)
        .decide()
        .0
}

/// What [`decide`] costs for the same inputs, in steps; the same on every machine.
///
/// For holding the limits against lines that are made to be expensive.
pub fn cost(
    request: &Request,
    bundle: &CompiledBundle,
    subject: &Subject,
    posture: &Posture,
    now_ms: u64,
) -> Cost {
    Inputs::of(request, bundle, subject, posture, now_ms)
        .rule()
        .1
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
    let inputs = Inputs::of(request, bundle, subject, posture, now_ms);
    let as_claude = Inputs {
        claude: true,
        ..inputs
    };
    as_claude.decide().0
}

/// The session gates that are closed for this person's device in this posture: those that are enforced
/// first, then the strictest.
pub fn closed_gates(
    bundle: &CompiledBundle,
    subject: &Subject,
    posture: &Posture,
) -> Vec<ClosedGate> {
    let bundle = &bundle.bundle;
    let gates = bundle.gates.iter();
    let mut closed: Vec<ClosedGate> = gates
        .filter(|gate| gate.scope.covers(subject))
        .filter(|gate| gate.when.evaluate(posture, bundle.max_posture_age_ms) != Truth::False)
        .map(|gate| ClosedGate {
            id: gate.id.clone(),
            message: gate.message.clone(),
            running: gate.running,
            enforced: gate.mode.unwrap_or(bundle.mode) == DecisionMode::Enforce,
        })
        .collect();
    closed.sort_by(|left, right| {
        let strictest_first = (right.enforced, right.running).cmp(&(left.enforced, left.running));
        strictest_first.then_with(|| left.id.cmp(&right.id))
    });
    closed
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
    /// Why what decided could not be read, where it could not.
    pub unread: Option<String>,
    /// Why no rule was asked, where none was.
    pub cause: Option<String>,
}

/// Everything a decision is made of.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub request: &'a Request,
    pub bundle: &'a CompiledBundle,
    pub subject: &'a Subject,
    pub posture: &'a Posture,
    pub now_ms: u64,
    /// Whether Claude Code's own default stands in place of every `no-opinion`.
    pub claude: bool,
    /// A rule or gate that is passed over, for asking what would be decided without it.
    pub without: Option<&'a str>,
}

impl<'a> Inputs<'a> {
    pub(crate) fn of(
        request: &'a Request,
        bundle: &'a CompiledBundle,
        subject: &'a Subject,
        posture: &'a Posture,
        now_ms: u64,
    ) -> Self {
        Self {
            request,
            bundle,
            subject,
            posture,
            now_ms,
            claude: false,
            without: None,
        }
    }
}

impl Inputs<'_> {
    /// The decision and what it cost.
    pub(crate) fn decide(&self) -> (Decision, Cost) {
        let (ruling, cost) = self.rule();
        (finish(ruling, self.request, self.bundle), cost)
    }

    fn rule(&self) -> (Ruling, Cost) {
        if let Some(ruling) = self.without_rules() {
            return (ruling, Cost::default());
        }
        let parts = parts::of(self.request);
        let index = &self.bundle.index;
        let mut slates = index.slates(self.subject, &parts, self.request);
        let (mut ruling, has_monitored) = self.combine(&mut slates, &parts, false);
        if has_monitored {
            let (all, _) = self.combine(&mut slates, &parts, true);
            ruling.would = (all.effect != ruling.effect).then_some(all.effect);
        }
        if parts.work.is_exhausted() {
            ruling = Ruling {
                cause: Some(TOO_COMPLEX.to_owned()),
                ..Ruling::deny(None, &self.request.tool)
            };
        }
        let cost = Cost {
            reading: parts.read,
            comparing: parts.work.spent(),
        };
        (ruling, cost)
    }

    /// What is decided before any rule is looked at.
    fn without_rules(&self) -> Option<Ruling> {
        if let Some(cause) = malformed(self.request) {
            return Some(Ruling {
                cause: Some(cause),
                ..Ruling::deny(None, &self.request.tool)
            });
        }
        let closed = closed_gates(self.bundle, self.subject, self.posture);
        let mut closed = closed.into_iter().filter(|gate| {
            let is_asked = Some(gate.id.as_str()) != self.without;
            // The engine is asked about calls, so the session runs.
            is_asked && !(gate.running == RunningSessions::Restrict && self.request.only_reads())
        });
        if let Some(gate) = closed.next() {
            let rule = RuleRef {
                id: gate.id.clone(),
                effect: Effect::Deny,
                rank: Rank::PostureDeny,
            };
            return Some(Ruling {
                gate: Some(gate),
                ..Ruling::deny(Some(rule), &self.request.tool)
            });
        }
        self.blocked_server()
    }

    /// The rules of a slate that apply; those in monitor mode only where they are wanted.
    fn contenders<'b>(
        &'b self,
        slate: &'b Slate,
        monitored: bool,
    ) -> impl Iterator<Item = Contender<'b>> {
        let max_age = self.bundle.bundle.max_posture_age_ms;
        slate.rules.iter().filter_map(move |position| {
            let rule = self.bundle.rules.get(*position)?;
            if rule.is_monitored() && !monitored || self.without == Some(rule.rule.id.as_str()) {
                return None;
            }
            let applies = rule.applies(self.subject, self.posture, max_age, self.now_ms);
            let pieces = slate.pieces.get(position).map_or(&[][..], Vec::as_slice);
            (applies != Applies::No).then_some(Contender {
                position: *position,
                rule,
                applies,
                pieces,
            })
        })
    }

    /// A call to a server that may not run, should one be running all the same.
    fn blocked_server(&self) -> Option<Ruling> {
        let call = self.request.mcp.as_ref()?;
        let named = McpServer {
            name: call.server.clone(),
            command: Vec::new(),
            url: None,
            steered: false,
        };
        let server = call.definition.clone().unwrap_or(named);
        let verdict = mcp::server_verdict(&self.bundle.bundle.mcp, self.subject, &server);
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

    /// Combines the parts: deny > ask > unmatched default > allow. Also tells whether a rule in monitor
    /// mode is among those that may match.
    fn combine(&self, slates: &mut Slates<'_>, parts: &Parts, monitored: bool) -> (Ruling, bool) {
        let mut ruling = Ruling::deny(None, &self.request.tool);
        let mut strictest: Option<Effect> = None;
        let mut matched = Vec::new();
        for (position, part) in parts.parts.iter().enumerate() {
            let Some(slate) = slates.of(position) else {
                break;
            };
            if parts.work.is_exhausted() {
                break;
            }
            let rules = self.contenders(slate, monitored);
            let verdict = evaluate(rules, part, parts, self.request, &mut matched);
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
                ruling.unread = part.unread();
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
        ruling.losing = self.losing(matched, ruling.rule.as_ref());
        ruling
            .parts
            .sort_by_key(|part| std::cmp::Reverse(strictness(part.effect)));
        ruling.parts.dedup();
        ruling.parts.truncate(MAX_LISTED_PARTS);
        let is_monitored = |position: &usize| {
            let rule = self.bundle.rules.get(*position);
            rule.is_some_and(CompiledRule::is_monitored)
        };
        let mut positions = slates.made().iter().flat_map(|slate| &slate.rules);
        (ruling, positions.any(is_monitored))
    }

    /// The first rules at these positions but the one that decided, each once, by effect and id. The
    /// positions are in the order of ids.
    fn losing(&self, mut matched: Vec<usize>, decided: Option<&RuleRef>) -> Vec<RuleRef> {
        // It is one list in order after another.
        matched.sort();
        matched.dedup();
        let rules = matched.iter().filter_map(|at| self.bundle.rules.get(*at));
        let lost = rules.filter(|rule| decided.is_none_or(|one| one.id != rule.rule.id));
        let mut lost: Vec<&CompiledRule> = lost.collect();
        lost.sort_by_key(|rule| rule.rule.effect);
        let listed = lost.into_iter().take(MAX_LISTED_LOSING);
        listed.map(CompiledRule::reference).collect()
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
            unread: None,
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
        mode: match &ruling.gate {
            Some(gate) if gate.enforced => DecisionMode::Enforce,
            _ => bundle.bundle.mode,
        },
        would: would.filter(|would| *would != effect),
        semantics: ENGINE_SEMANTICS,
        sentence,
        gate: ruling.gate,
        parts: ruling.parts,
    }
}
