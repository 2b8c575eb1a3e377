//! What the agent itself said about a call, and the record of a call that nobody was asked about.
//!
//! Owns the alert: the call's end with everything that is known of it, and a declared gap in the chain,
//! so that every reader who looks for missing evidence finds it.

use super::claude_code::ClaudeCode;
use super::observe::Observed;
use super::{Ask, Gatekeeper};
use crate::telemetry::{Told, What};
use cairn_event::OutcomeState;
use cairn_event::body::{Body, ToolOutcome};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Gatekeeper {
    /// Joins a statement of the agent's with the verdict on the call, and records what is wrong.
    pub async fn told(self: &Arc<Self>, told: Told) {
        let found = self.joins.told(&told);
        if let What::Ended {
            success,
            duration_ms,
        } = told.what
            && found.end
        {
            let body = Body::ToolOutcome(ToolOutcome {
                duration_ms,
                state: if success {
                    OutcomeState::Ran
                } else {
                    OutcomeState::Failed
                },
                tool: told.tool.clone(),
                use_id: told.use_id.clone(),
            });
            // Nobody asked: the agent's process is not known.
            let nobody = Ask {
                agent: &ClaudeCode,
                event: String::new(),
                env: BTreeMap::new(),
                input: Vec::new(),
                pid: 0,
            };
            let draft = self
                .draft(&nobody, &told.session, Observed::plain(body))
                .await;
            if let Err(error) = self.recorder.record(draft).await {
                tracing::error!(%error, "a call without a verdict is not recorded");
            }
        }
        if let Some(reason) = found.alert {
            let (tool, call) = (&told.tool, &told.use_id);
            tracing::warn!(%tool, %call, reason, "a call ran that no verdict permitted");
            self.recorder.missing(reason);
        }
    }
}
