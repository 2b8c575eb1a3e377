//! The session gate: whether a session may go on under the policy in force.

use super::call::refusal;
use crate::clock::now_ms;
use crate::policy::InForce;
use cairn_event::DecisionMode;
use cairn_policy::closed_gates;

/// Whether a session may go on: how much of its prompts is recorded, or the gate and a sentence.
pub fn session_gate(
    in_force: &InForce,
    posture: &cairn_event::Posture,
) -> Result<cairn_policy::Prompts, (String, String)> {
    let active = in_force
        .usable(now_ms())
        .map_err(|cause| ("no-policy".to_owned(), refusal(&cause.to_string())))?;
    let bundle = active.compiled.bundle();
    let closed = closed_gates(&active.compiled, posture).into_iter().next();
    match closed {
        Some(gate) if bundle.mode == DecisionMode::Enforce => {
            let sentence = format!(
                "Cairn: this device does not pass session gate `{}` ({}); ask {} for help.",
                gate.id, gate.message, bundle.contact
            );
            Err((gate.id, sentence))
        }
        _ => Ok(bundle.prompts),
    }
}
