//! Prompts: whether the session may go on, and what is recorded of them.
//!
//! Owns the order: posture, gate, record, answer. What a prompt brings in is judged before.
//!
//! Source: architecture of record, section 4 (session gates); Claude Code findings 0.6.

use super::call::refusal;
use super::decide::Gatekeeper;
use super::observe::Observed;
use super::restriction::{GATE, Restriction};
use super::{Answer, Ask, Gate, Hook, Moment, session_gate};
use crate::recorder::RecordError;
use cairn_event::Effect;
use cairn_policy::SpoolFull;
use std::sync::Arc;
use std::time::Instant;

impl Gatekeeper {
    /// Answers a prompt: first what it brings in, where its agent reads that, then the prompt.
    pub(super) async fn prompted(
        self: &Arc<Self>,
        ask: Ask,
        hook: Hook,
        text: String,
        started: Instant,
    ) -> Answer {
        if ask.agent.reads_mentions()
            && let Err(sentence) = self
                .brought_by_text(&ask, &hook, text, "mention", started)
                .await
        {
            return ask.agent.verdict(Gate::Prompt, Effect::Deny, &sentence);
        }
        let instructed = self.instructed(&ask, &hook, started).await;
        self.prompt(ask, hook, instructed).await
    }

    /// Why a session is restricted, once all that is known to be told to it was judged.
    async fn restricted(&self, session: &str) -> Option<Restriction> {
        let in_time = self.restrictions.are_judged(session).await;
        self.restrictions.of(session).or_else(|| {
            (!in_time).then(|| Restriction {
                gate: GATE,
                sentence: refusal("what the session's instructions import is not judged yet"),
            })
        })
    }

    /// Claude Code tells of instructions and of a prompt at once: what was said of them while the prompt was
    /// recorded counts too.
    async fn refused_meanwhile(self: &Arc<Self>, ask: &Ask, hook: &Hook) -> Option<String> {
        let restriction = self.restricted(&hook.session).await?;
        if let Some(observed) = Observed::refused(restriction.gate.to_owned()) {
            let draft = self.draft(ask, &hook.session, observed).await;
            if let Err(error) = self.recorder.record(draft).await {
                tracing::error!(%error, "a refused session is not recorded");
            }
        }
        Some(restriction.sentence)
    }

    /// Gates a prompt and records it; `instructed` is whether the session's instructions could be judged.
    async fn prompt(
        self: &Arc<Self>,
        ask: Ask,
        hook: Hook,
        instructed: Result<(), String>,
    ) -> Answer {
        let (this, agent) = (Arc::clone(self), ask.agent);
        let looked =
            tokio::task::spawn_blocking(move || this.vigil.sight(this.posture_max_age())).await;
        let Ok(sight) = looked else {
            return agent.verdict(Gate::Prompt, Effect::Deny, &refusal("posture is not known"));
        };
        let posture = sight.posture.clone();
        self.record_changes(sight).await;
        let in_force = self.enforcement.now();
        let gate = match (self.restricted(&hook.session).await, instructed) {
            (Some(restriction), _) => Err((restriction.gate.to_owned(), restriction.sentence)),
            (None, Err(sentence)) => Err((GATE.to_owned(), sentence)),
            (None, Ok(())) => session_gate(&in_force, &posture, Moment::Running),
        };
        let (observed, refused) = match gate {
            Ok(prompts) => (Observed::prompt(&hook, prompts), None),
            Err((gate, sentence)) => (Observed::refused(gate), Some(sentence)),
        };
        let Some(observed) = observed else {
            return Answer::silent();
        };
        let mut draft = self.draft(&ask, &hook.session, observed).await;
        draft.context.posture = Some(posture);
        let recorded = self.recorder.record(draft).await;
        let refused = match refused {
            None => self.refused_meanwhile(&ask, &hook).await,
            refused => refused,
        };
        let goes_on = in_force
            .active
            .as_ref()
            .is_some_and(|active| active.compiled.bundle().spool_full == SpoolFull::Allow);
        match (refused, recorded) {
            (Some(sentence), _) => agent.verdict(Gate::Prompt, Effect::Deny, &sentence),
            (None, Ok(_)) => agent.verdict(Gate::Prompt, Effect::NoOpinion, ""),
            (None, Err(RecordError::Full)) if goes_on => {
                agent.verdict(Gate::Prompt, Effect::NoOpinion, "")
            }
            (None, Err(error)) => {
                let sentence = refusal(&format!("the prompt could not be recorded: {error}"));
                agent.verdict(Gate::Prompt, Effect::Deny, &sentence)
            }
        }
    }
}
