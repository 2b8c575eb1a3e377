//! One call judged: the request that is frozen, the decision on it, and everything that an entry says of it.
//!
//! Owns what a decision is made of. It reads links and processes and blocks: not for async threads. Does not
//! own the rules (`cairn-policy`) nor what is done with a judgement.

use super::call::{blank, by_configured_name, in_view_of_age, mcp_call, refusal, why};
use super::decide::Gatekeeper;
use super::payload::ToolCall;
use super::{Ask, Hook, links};
use crate::clock::now_ms;
use crate::device::Asker;
use crate::policy::Active;
use crate::vigil::{self, Sight};
use cairn_event::body::ToolDecision;
use cairn_event::disclosure::names;
use cairn_event::{Context, Effect};
use cairn_policy::{ClosedGate, Request, RunningSessions, SpoolFull, decide, paths_to_resolve};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Age up to which posture is used where no policy says otherwise: two passes.
const POSTURE_MAX_AGE_MS: u64 = 10_000;

/// A verdict with everything that is recorded about it.
pub(super) struct Judgement {
    pub(super) decision: ToolDecision,
    pub(super) sentence: String,
    /// What the agent is told.
    pub(super) applied: Effect,
    /// Whether nothing more can be done: the device does not pass a gate.
    pub(super) ends_turn: bool,
    pub(super) context: Context,
    pub(super) confidential: Vec<(&'static str, Value)>,
    pub(super) spool_full: SpoolFull,
    pub(super) policy: Option<u64>,
    pub(super) time_ms: u64,
}

impl Gatekeeper {
    /// Judges one call as it is now; `sight` is the posture that counts.
    pub(super) fn judge(
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
        let in_force = self.enforcement.now();
        let active = in_force.active.as_ref();
        let request = self.request(ask, hook, call, &asker, active);
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

    fn request(
        &self,
        ask: &Ask,
        hook: &Hook,
        call: &ToolCall,
        asker: &Asker,
        active: Option<&Arc<Active>>,
    ) -> Request {
        let home = self.facts.home.to_string_lossy().into_owned();
        let paths = paths_to_resolve(&call.tool, &call.input, &hook.cwd, &home);
        let rule_links = active.map(|active| self.rule_links.of(active, &hook.cwd, &home));
        Request {
            tool: call.tool.clone(),
            input: call.input.clone(),
            cwd: hook.cwd.clone(),
            home,
            resolved: links::resolve(paths),
            rule_links: rule_links.unwrap_or_default(),
            interactive: ask.is_attended(),
            permission_mode: hook.permission_mode.clone(),
            mcp: mcp_call(call, asker),
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
