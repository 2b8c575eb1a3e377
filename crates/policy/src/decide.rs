//! The decision: request x bundle x subject x posture -> effect, rule and sentence.
//!
//! Owns the order of the steps; how the verdicts on parts combine is in `combine`. Pure and local: the same inputs give
//! the same decision years later.
//! Source: architecture section 4.

mod combine;

use crate::bundle::RunningSessions;
use crate::compile::CompiledBundle;
use crate::condition::Truth;
use crate::decision::{ClosedGate, Decision, ENGINE_SEMANTICS, PartDecision};
use crate::explain;
use crate::mcp::{self, McpServer};
use crate::parts;
use crate::request::{MAX_RESOLVED_PATHS, MAX_RULE_LINKS, Request};
use crate::subject::Subject;
use crate::work::Cost;
use cairn_event::{DecisionMode, Effect, Posture, Rank, RuleRef};

/// The rule name under which the MCP allow list decides.
pub const MCP_RULE: &str = "mcp";

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
    if request.rule_links.len() > MAX_RULE_LINKS {
        return Some(format!(
            "the request names more than {MAX_RULE_LINKS} links that rules lead through"
        ));
    }
    None
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
