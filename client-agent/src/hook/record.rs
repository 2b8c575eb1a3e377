//! What is recorded of a hook: with who asked, under which policy and roster, and what is confidential in it.
//!
//! Owns the rule that without a durable record the answer is no, unless the policy itself says that work
//! goes on when the spool is full.

use super::Ask;
use super::call::refusal;
use super::decide::Gatekeeper;
use super::judge::Judgement;
use super::observe::Observed;
use crate::chain::Draft;
use crate::clock::now_ms;
use crate::device::Asker;
use crate::policy::InForce;
use crate::recorder::RecordError;
use crate::vigil::Sight;
use cairn_event::Context;
use cairn_event::body::{Body, ToolDecision};
use cairn_event::disclosure::names;
use cairn_policy::SpoolFull;
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;

impl Gatekeeper {
    /// Records a judgement; a sentence for the denial where that fails and the policy does not let
    /// work go on.
    pub(super) async fn record(&self, judgement: Judgement) -> Result<(), String> {
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
}
