//! From a hook's input to its answer: decide on frozen inputs, record, then answer.
//!
//! Owns that order. How one call is judged is in `judge`, what is recorded of it in `record`.

use super::call::{blank, refusal};
use super::directory::Directories;
use super::executed::Judged;
use super::instructions::Heard;
use super::observe::Observed;
use super::payload::{Beside, HookKind, PayloadError, ToolCall};
use super::restriction::Restrictions;
use super::rule_links::RuleLinks;
use super::running::Running;
use super::verdicts::{Verdict, Verdicts};
use super::{Answer, Ask, Gate, Hook};
use crate::circumstances::Circumstances;
use crate::device::{Askers, Facts};
use crate::policy::Enforcement;
use crate::recorder::Recorder;
use crate::telemetry::Joins;
use crate::vigil::Vigil;
use cairn_event::{Effect, Sha256};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

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
    /// Where the settings lie that agents were started with.
    pub(super) agent_settings: PathBuf,
    verdicts: Verdicts,
    directories: Directories,
    pub(super) rule_links: RuleLinks,
    pub(super) heard: Heard,
    pub(super) judged: Judged,
    pub(super) running: Running,
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
            agent_settings: PathBuf::new(),
            directories: Directories::default(),
            rule_links: RuleLinks::default(),
            heard: Heard::default(),
            verdicts: Verdicts::default(),
            running: Running::default(),
        }
    }

    /// The same, knowing the folder in which the settings lie that agents were started with.
    pub fn with_settings_in(mut self, folder: PathBuf) -> Self {
        self.agent_settings = folder;
        self
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
}
