//! What is recorded about events that need no decision.
//!
//! Owns the translation of observed events into entry bodies and their confidential members.

use super::payload::{End, Hook, HookKind};
use cairn_event::body::{
    Body, Prompt, SessionEnd, SessionRefused, SessionStart, ToolOutcome, TurnEnd,
};
use cairn_event::disclosure::names;
use cairn_event::json::to_canonical;
use cairn_event::{OutcomeState, Sha256};
use cairn_policy::Prompts;
use serde_json::{Value, json};

/// An observation before it has circumstances.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// What is said.
    pub body: Body,
    /// Confidential members of its own.
    pub confidential: Vec<(&'static str, Value)>,
}

impl Observed {
    /// An observation without confidential members of its own.
    pub fn plain(body: Body) -> Self {
        Self {
            body,
            confidential: Vec::new(),
        }
    }

    /// What an event that gates nothing is recorded as; `None` for one that is not recorded. `managed`
    /// says whether the policy helper announced the agent.
    pub fn of(hook: &Hook, managed: bool) -> Option<Self> {
        match &hook.kind {
            HookKind::SessionStart { source } => {
                Some(Self::plain(Body::SessionStart(SessionStart {
                    adoption: if managed { "managed" } else { "wrapper" }.to_owned(),
                    source: source.clone(),
                })))
            }
            HookKind::SessionEnd { reason } => Some(Self::plain(Body::SessionEnd(SessionEnd {
                reason: reason.clone(),
            }))),
            HookKind::Outcome {
                tool,
                use_id,
                end,
                duration_ms,
                response,
                ..
            } => {
                let body = Body::ToolOutcome(ToolOutcome {
                    duration_ms: *duration_ms,
                    state: match end {
                        End::Ran => OutcomeState::Ran,
                        End::Failed => OutcomeState::Failed,
                        End::Interrupted => OutcomeState::Interrupted,
                    },
                    tool: tool.clone(),
                    use_id: use_id.clone(),
                });
                let text = to_canonical(response);
                let digest = json!({ "bytes": text.len(), "sha256": Sha256::of(&text) });
                Some(Self {
                    body,
                    confidential: vec![(names::RESPONSE, digest)],
                })
            }
            HookKind::TurnEnd {
                prompt_id,
                subagent_type,
                failed,
                message,
            } => {
                let body = Body::TurnEnd(TurnEnd {
                    prompt_id: prompt_id.clone(),
                    state: if *failed {
                        OutcomeState::Failed
                    } else {
                        OutcomeState::Ran
                    },
                    subagent: hook.subagent.clone(),
                    subagent_type: subagent_type.clone(),
                });
                let digest = |text: &String| {
                    let digest =
                        json!({ "bytes": text.len(), "sha256": Sha256::of(text.as_bytes()) });
                    (names::RESPONSE, digest)
                };
                Some(Self {
                    body,
                    confidential: message.iter().map(digest).collect(),
                })
            }
            _ => None,
        }
    }

    /// A prompt: its length in clear, its digest (or text, where the policy says so) confidential.
    pub fn prompt(hook: &Hook, prompts: Prompts) -> Option<Self> {
        let HookKind::Prompt { prompt, prompt_id } = &hook.kind else {
            return None;
        };
        let bytes = prompt.len() as u64;
        let digest = Sha256::of(prompt.as_bytes());
        let value = match prompts {
            Prompts::Hash => json!({ "sha256": digest }),
            Prompts::Text => json!({ "sha256": digest, "text": prompt }),
        };
        let body = Body::Prompt(Prompt {
            bytes,
            prompt_id: prompt_id.clone(),
        });
        Some(Self {
            body,
            confidential: vec![(names::PROMPT, value)],
        })
    }

    /// A session that a gate refused.
    pub fn refused(gate: String) -> Option<Self> {
        Some(Self::plain(Body::SessionRefused(SessionRefused { gate })))
    }
}
