//! The session gate: whether a session may begin, or go on, under the policy in force.

use super::call::refusal;
use crate::clock::now_ms;
use crate::policy::InForce;
use cairn_policy::{RunningSessions, closed_gates};

/// When a gate is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A session is about to begin: every gate must be open.
    Start,
    /// A session runs: a gate that only restricts it lets it go on.
    Running,
}

/// Whether a session may go on: how much of its prompts is recorded, or the gate and a sentence.
pub fn session_gate(
    in_force: &InForce,
    posture: &cairn_event::Posture,
    moment: Moment,
) -> Result<cairn_policy::Prompts, (String, String)> {
    let active = in_force
        .usable(now_ms())
        .map_err(|cause| ("no-policy".to_owned(), refusal(&cause.to_string())))?;
    let bundle = active.compiled.bundle();
    let closed = closed_gates(&active.compiled, &in_force.subject, posture);
    let mut enforced = closed.into_iter().filter(|gate| gate.enforced);
    let refuses =
        |running: RunningSessions| moment == Moment::Start || running != RunningSessions::Restrict;
    match enforced.find(|gate| refuses(gate.running)) {
        Some(gate) => {
            let sentence = format!(
                "Cairn: this device does not pass session gate `{}` ({}); ask {} for help.",
                gate.id, gate.message, bundle.contact
            );
            Err((gate.id, sentence))
        }
        None => Ok(bundle.prompts),
    }
}
