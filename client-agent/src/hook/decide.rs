//! From a hook's input to its answer: decide on frozen inputs, record, then answer.
//!
//! Owns that order and the rule that without a durable record the answer is no, unless the policy
//! itself says that work goes on when the spool is full.

use super::call::{blank, by_configured_name, in_view_of_age, mcp_call, refusal, why};
use super::directory::Directories;
use super::executed::Judged;
use super::observe::Observed;
use super::payload::{Beside, HookKind, PayloadError, ToolCall};
use super::restriction::Restrictions;
use super::running::Running;
use super::verdicts::{Verdict, Verdicts};
use super::{Answer, Ask, Gate, Hook, links};
use crate::chain::Draft;
use crate::circumstances::Circumstances;
use crate::clock::now_ms;
use crate::device::{Asker, Askers, Facts};
use crate::policy::{Enforcement, InForce};
use crate::recorder::{RecordError, Recorder};
use crate::telemetry::Joins;
use crate::vigil::{self, Sight, Vigil};
use cairn_event::body::{Body, ToolDecision};
use cairn_event::disclosure::names;
use cairn_event::{Context, Effect, Sha256};
use cairn_policy::{ClosedGate, Request, RunningSessions, SpoolFull, decide, paths_to_resolve};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Age up to which posture is used where no policy says otherwise: two passes.
const POSTURE_MAX_AGE_MS: u64 = 10_000;

/// What follows the identifier of a call in those of what it does besides.
const BESIDE: &str = "-file";

/// Decides, records and answers.
pub struct Gatekeeper {
    /// Where entries go.
    pub recorder: Recorder,
    /// The policy in force.
    pub enforcement: Arc<Enforcement>,
    /// The circumstances of this device.
    pub circumstances: Arc<Circumstances>,
    /// The posture of this device.
    pub vigil: Arc<Vigil>,
    /// Who asks.
    pub askers: Arc<Askers>,
    /// Facts about this device.
    pub facts: Facts,
    /// The person's address.
    pub email: String,
    /// Sessions that may not go on.
    pub restrictions: Restrictions,
    /// Verdicts held against what the agent itself reports.
    pub joins: Joins,
    verdicts: Verdicts,
    directories: Directories,
    pub(super) judged: Judged,
    pub(super) running: Running,
}

/// A verdict with everything that is recorded about it.
struct Judgement {
    decision: ToolDecision,
    sentence: String,
    /// What the agent is told.
    applied: Effect,
    /// Whether nothing more can be done: the device does not pass a gate.
    ends_turn: bool,
    context: Context,
    confidential: Vec<(&'static str, Value)>,
    spool_full: SpoolFull,
    policy: Option<u64>,
    time_ms: u64,
}

impl Gatekeeper {
    /// A gatekeeper of these parts.
    pub fn new(
        recorder: Recorder,
        enforcement: Arc<Enforcement>,
        circumstances: Arc<Circumstances>,
        vigil: Arc<Vigil>,
        askers: Arc<Askers>,
        facts: Facts,
        email: String,
    ) -> Self {
        Self {
            recorder,
            enforcement,
            circumstances,
            vigil,
            askers,
            facts,
            email,
            restrictions: Restrictions::default(),
            judged: Judged::default(),
            joins: Joins::default(),
            directories: Directories::default(),
            verdicts: Verdicts::default(),
            running: Running::default(),
        }
    }

    /// Answers one hook.
    pub async fn answer(self: &Arc<Self>, ask: Ask) -> Answer {
        let started = Instant::now();
        let gate = ask.agent.gate(&ask.event);
        match ask.agent.read(&ask.event, &ask.input) {
            Ok(mut hook) => {
                self.directories.settle(&mut hook);
                self.read(ask, hook, started).await
            }
            Err(error) if gate == Gate::None => {
                tracing::warn!(%error, event = %ask.event, "hook input is not recorded");
                Answer::silent()
            }
            Err(error) => self.unreadable(gate, &ask, &error, started).await,
        }
    }

    async fn read(self: &Arc<Self>, ask: Ask, hook: Hook, started: Instant) -> Answer {
        self.running.alive(&hook.session);
        let agent = ask.agent;
        match hook.kind.clone() {
            HookKind::Tool {
                call,
                beside,
                use_id,
            } => {
                let (session, id) = (hook.session.clone(), use_id.clone());
                let answer = self
                    .tool_use(ask, hook, (call, beside), use_id, started)
                    .await;
                self.joins.decided(&session, &id, answer.denies_call());
                answer
            }
            HookKind::Permission { call } => {
                let policy = self
                    .enforcement
                    .now()
                    .active
                    .as_ref()
                    .map(|active| active.index);
                if let Some(known) = self.verdicts.recall(&hook.session, &call, policy) {
                    return agent.verdict(Gate::Permission, known.effect, &known.sentence);
                }
                let use_id = "permission-request".to_owned();
                self.tool(Gate::Permission, ask, hook, call, use_id, started)
                    .await
            }
            HookKind::Prompt { prompt, .. } => self.prompted(ask, hook, prompt, started).await,
            HookKind::Expansion {
                name,
                arguments,
                source,
            } => {
                let command = (name.as_str(), arguments.as_str(), source.as_deref());
                let brought = self
                    .brought_by_command(&ask, &hook, command, "expansion", started)
                    .await;
                let (effect, sentence) = match brought {
                    Ok(()) => (Effect::NoOpinion, String::new()),
                    Err(sentence) => (Effect::Deny, sentence),
                };
                agent.verdict(Gate::Expansion, effect, &sentence)
            }
            HookKind::Outcome { ref use_id, .. } => {
                self.joins.ended(&hook.session, use_id);
                self.outcome(ask, hook, started).await
            }
            HookKind::Instructions { file } => self.instructions(&ask, hook, &file, started).await,
            HookKind::Config { source, file } => {
                self.config(ask, hook, &source, file.as_deref(), started)
                    .await
            }
            _ => {
                let managed = self.askers.is_managed(ask.agent_pid());
                if matches!(hook.kind, HookKind::SessionEnd { .. }) {
                    self.running.ended(&hook.session);
                }
                if let Some(observed) = Observed::of(&hook, managed) {
                    let draft = self.draft(&ask, &hook.session, observed).await;
                    if let Err(error) = self.recorder.record(draft).await {
                        tracing::error!(%error, event = %hook.event, "an event is not recorded");
                    }
                }
                Answer::silent()
            }
        }
    }

    /// Answers a tool call: first what it brings in and does beside itself, then the call.
    async fn tool_use(
        self: &Arc<Self>,
        ask: Ask,
        hook: Hook,
        (call, beside): (ToolCall, Beside),
        use_id: String,
        started: Instant,
    ) -> Answer {
        let agent = ask.agent;
        let restriction = self.restrictions.of(&hook.session);
        let barred = restriction.map(|restriction| restriction.sentence);
        let barred = barred.or_else(|| self.running.ending(&hook.session));
        let brought = match (barred, call.tool.as_str()) {
            (Some(sentence), _) => Err(sentence),
            (None, "Skill") => {
                let word = |name: &str| call.input.get(name).and_then(Value::as_str);
                let name = word("skill").unwrap_or_default();
                let arguments = word("args").unwrap_or_default();
                let command = (name, arguments, None);
                let label = format!("{use_id}-skill");
                let text = arguments.to_owned();
                match self
                    .brought_by_text(&ask, &hook, text, &label, started)
                    .await
                {
                    Ok(()) => {
                        self.brought_by_command(&ask, &hook, command, &label, started)
                            .await
                    }
                    refused => refused,
                }
            }
            (None, "Agent" | "Task") => self.agents_without_hooks(&ask, &hook).await,
            (None, _) => self.beside(&ask, &hook, beside, &use_id, started).await,
        };
        match brought {
            Ok(()) => {
                self.tool(Gate::Tool, ask, hook, call, use_id, started)
                    .await
            }
            Err(sentence) => {
                self.judged
                    .remember(&hook.session, &use_id, &call, Effect::Deny);
                let decision = blank(&call, &use_id, hook.subagent.clone());
                self.refused(&ask, &hook.session, decision, started).await;
                agent.verdict(Gate::Tool, Effect::Deny, &sentence)
            }
        }
    }

    /// Judges what a call does besides; the sentence of the first denial.
    pub(super) async fn beside(
        self: &Arc<Self>,
        ask: &Ask,
        hook: &Hook,
        beside: Beside,
        use_id: &str,
        started: Instant,
    ) -> Result<(), String> {
        let calls = beside.map_err(|cause| refusal(&cause))?;
        let label = format!("{use_id}{BESIDE}");
        self.judged(ask, hook, calls, &label, started).await
    }

    /// Judges, records and answers one call.
    async fn tool(
        self: &Arc<Self>,
        gate: Gate,
        ask: Ask,
        hook: Hook,
        call: ToolCall,
        use_id: String,
        started: Instant,
    ) -> Answer {
        let (session, judged, agent) = (hook.session.clone(), call.clone(), ask.agent);
        let made = self.verdict(ask, hook, call, use_id.clone(), started).await;
        if gate == Gate::Tool {
            let told = made.as_ref().map_or(Effect::Deny, |verdict| verdict.effect);
            self.judged.remember(&session, &use_id, &judged, told);
        }
        match made {
            Ok(verdict) if gate == Gate::Tool && verdict.ends_turn => agent.stop(&verdict.sentence),
            Ok(verdict) => agent.verdict(gate, verdict.effect, &verdict.sentence),
            Err(sentence) => agent.verdict(gate, Effect::Deny, &sentence),
        }
    }

    /// Judges and records one call.
    ///
    /// Errors: a sentence for the denial, where it could not be decided or recorded.
    pub(super) async fn verdict(
        self: &Arc<Self>,
        ask: Ask,
        hook: Hook,
        call: ToolCall,
        use_id: String,
        started: Instant,
    ) -> Result<Verdict, String> {
        let this = Arc::clone(self);
        let session = hook.session.clone();
        let remembered = call.clone();
        // Walking /proc, following links and looking at the device are blocking calls.
        let judged = tokio::task::spawn_blocking(move || {
            let sight = this.vigil.sight(this.posture_max_age());
            let judgement = this.judge(&ask, &hook, &call, &use_id, started, &sight);
            (judgement, sight)
        });
        let Ok((judgement, sight)) = judged.await else {
            return Err(refusal("the decision failed"));
        };
        self.record_changes(sight).await;
        let verdict = Verdict {
            effect: judgement.applied,
            sentence: judgement.sentence.clone(),
            why: judgement.decision.why.clone(),
            ends_turn: judgement.ends_turn,
            policy: judgement.policy,
        };
        self.record(judgement).await?;
        self.verdicts
            .remember(&session, &remembered, verdict.clone());
        Ok(verdict)
    }

    fn judge(
        &self,
        ask: &Ask,
        hook: &Hook,
        call: &ToolCall,
        use_id: &str,
        started: Instant,
        sight: &Sight,
    ) -> Judgement {
        let asker = self.askers.who(ask.pid, ask.agent_pid(), ask.agent.name());
        let call = &by_configured_name(call, &asker);
        let request = self.request(ask, hook, call, &asker);
        let in_force = self.enforcement.now();
        let time_ms = now_ms();
        let usable = in_force.usable(time_ms);
        let mut decision = blank(call, use_id, hook.subagent.clone());
        let mut ends_turn = false;
        let (sentence, applied, spool_full) = match &usable {
            Ok(active) => {
                let compiled = active.compiled.at_age(in_force.age_ms(time_ms));
                let bundle = compiled.bundle();
                let made = decide(
                    &request,
                    compiled,
                    &in_force.subject,
                    &sight.posture,
                    time_ms,
                );
                decision.effect = made.effect;
                decision.mode = made.mode;
                decision.why = why(&made).to_owned();
                let applied = made.applied();
                let is_held = |gate: &ClosedGate| gate.running != RunningSessions::Restrict;
                ends_turn = applied == Effect::Deny && made.gate.as_ref().is_some_and(is_held);
                decision.rule = made.rule;
                decision.lost = made.losing;
                let sentence = in_view_of_age(made.sentence, applied, &in_force, time_ms);
                (sentence, applied, bundle.spool_full)
            }
            Err(cause) => {
                decision.why = "stale-policy".to_owned();
                (refusal(&cause.to_string()), Effect::Deny, SpoolFull::Deny)
            }
        };
        decision.latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut context = self.context(&in_force, &hook.session, &asker);
        context.posture = Some(sight.posture.clone());
        // The age that was decided with, and not the one a moment later.
        context.policy_age_ms = in_force.recorded_age_ms(time_ms);
        let mut confidential = self.confidential(asker.ancestry);
        confidential.push((
            names::REQUEST,
            serde_json::to_value(&request).unwrap_or_default(),
        ));
        let policy = context.policy;
        Judgement {
            decision,
            sentence,
            applied,
            ends_turn,
            context,
            confidential,
            spool_full,
            policy,
            time_ms,
        }
    }

    fn request(&self, ask: &Ask, hook: &Hook, call: &ToolCall, asker: &Asker) -> Request {
        let home = self.facts.home.to_string_lossy().into_owned();
        let paths = paths_to_resolve(&call.tool, &call.input, &hook.cwd, &home);
        Request {
            tool: call.tool.clone(),
            input: call.input.clone(),
            cwd: hook.cwd.clone(),
            home,
            resolved: links::resolve(paths),
            interactive: ask.is_attended(),
            permission_mode: hook.permission_mode.clone(),
            mcp: mcp_call(call, asker),
        }
    }

    /// Records a judgement; a sentence for the denial where that fails and the policy does not let
    /// work go on.
    async fn record(&self, judgement: Judgement) -> Result<(), String> {
        let draft = Draft {
            body: Body::ToolDecision(judgement.decision),
            context: judgement.context,
            confidential: judgement.confidential,
            time_ms: judgement.time_ms,
        };
        match self.recorder.record(draft).await {
            Ok(_) => Ok(()),
            Err(RecordError::Full) if judgement.spool_full == SpoolFull::Allow => Ok(()),
            Err(error) => Err(refusal(&format!(
                "the action could not be recorded: {error}"
            ))),
        }
    }

    /// Denies what could not be read, and records that it was.
    async fn unreadable(
        self: &Arc<Self>,
        gate: Gate,
        ask: &Ask,
        error: &PayloadError,
        started: Instant,
    ) -> Answer {
        let sentence = refusal(&error.to_string());
        let digest = Sha256::of(&ask.input).to_string();
        let call = ToolCall {
            tool: ask.event.clone(),
            input: Value::Null,
            mcp: None,
        };
        let decision = blank(&call, &format!("unreadable:{digest}"), None);
        let session = ask
            .env
            .get("CLAUDE_CODE_SESSION_ID")
            .cloned()
            .unwrap_or_default();
        self.refused(ask, &session, decision, started).await;
        ask.agent.verdict(gate, Effect::Deny, &sentence)
    }

    /// Records a denial that no rule made.
    pub(super) async fn refused(
        self: &Arc<Self>,
        ask: &Ask,
        session: &str,
        mut decision: ToolDecision,
        started: Instant,
    ) {
        decision.latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let observed = Observed::plain(Body::ToolDecision(decision));
        let draft = self.draft(ask, session, observed).await;
        if let Err(error) = self.recorder.record(draft).await {
            tracing::error!(%error, "a refusal is not recorded");
        }
    }

    /// An entry about something observed, with who asked and the usual confidential members.
    pub(super) async fn draft(
        self: &Arc<Self>,
        ask: &Ask,
        session: &str,
        observed: Observed,
    ) -> Draft {
        let (this, pid, agent) = (Arc::clone(self), ask.pid, ask.agent_pid());
        let name = ask.agent.name();
        let asker = tokio::task::spawn_blocking(move || this.askers.who(pid, agent, name))
            .await
            .ok();
        let in_force = self.enforcement.now();
        let asker = asker.unwrap_or_else(|| Asker::unknown(name));
        let context = self.context(&in_force, session, &asker);
        let mut confidential = self.confidential(asker.ancestry);
        confidential.extend(observed.confidential);
        Draft {
            body: observed.body,
            context,
            confidential,
            time_ms: now_ms(),
        }
    }

    pub(super) fn context(&self, in_force: &InForce, session: &str, asker: &Asker) -> Context {
        self.running.asked_by(session, asker);
        let mut context = self.circumstances.now();
        // What the decision used, not what arrived since.
        if let Some(active) = &in_force.active {
            context.policy = Some(active.index);
            context.policy_age_ms = in_force.recorded_age_ms(now_ms());
        }
        if in_force.roster_index.is_some() {
            context.roster = in_force.roster_index;
            context.teams = in_force.subject.teams.clone();
        }
        context.agent = Some(asker.agent.clone());
        let plain = |word: &&str| {
            !word.is_empty() && !word.chars().any(|c| c.is_control() || c.is_whitespace())
        };
        context.session = Some(session).filter(plain).map(str::to_owned);
        context
    }

    pub(super) fn confidential(&self, ancestry: Value) -> Vec<(&'static str, Value)> {
        let mut members = self.facts.confidential(&self.email);
        members.push((names::ANCESTRY, ancestry));
        members
    }

    /// Records posture changes before the decision that uses the new posture.
    pub async fn record_changes(&self, sight: Sight) {
        for (change, posture) in sight.changes {
            let mut context = self.circumstances.now();
            context.posture = Some(posture);
            let confidential = self.facts.confidential(&self.email);
            let body = Body::PostureChanged(change);
            let draft = Draft {
                body,
                context,
                confidential,
                time_ms: now_ms(),
            };
            if let Err(error) = self.recorder.record(draft).await {
                tracing::error!(%error, "a change of posture is not recorded");
            }
        }
    }

    /// How old posture may be under the policy in force.
    pub fn posture_max_age(&self) -> Duration {
        let active = self.enforcement.now().active.clone();
        let limit = active.map_or(POSTURE_MAX_AGE_MS, |active| {
            active.compiled.bundle().max_posture_age_ms
        });
        Duration::from_millis(limit).min(vigil::AGE_MAX)
    }
}
