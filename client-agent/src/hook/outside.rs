//! The record of agents that run outside Cairn.
//!
//! Owns their entries: a session that was not adopted, with the agent's program and its ancestry, and
//! its end. Does not own finding them.
//!
//! Source: architecture of record, section 8 (completeness).

use super::decide::Gatekeeper;
use crate::chain::Draft;
use crate::clock::now_ms;
use crate::device::Asker;
use crate::unmanaged::Run;
use cairn_event::body::{Body, SessionEnd, SessionStart};
use std::sync::Arc;

impl Gatekeeper {
    /// Records that an agent runs outside Cairn: a session that was not adopted.
    pub async fn record_unmanaged(self: &Arc<Self>, run: &Run, name: &'static str) {
        let source = "process".to_owned();
        let adoption = "unmanaged".to_owned();
        let body = Body::SessionStart(SessionStart { adoption, source });
        let (this, pid) = (Arc::clone(self), run.pid);
        let asker = tokio::task::spawn_blocking(move || this.askers.who(pid, Some(pid), name));
        let asker = asker.await.unwrap_or_else(|_| Asker::unknown(name));
        self.record_run(run, body, asker).await;
    }

    /// Records that a run outside Cairn is over.
    pub async fn record_unmanaged_end(self: &Arc<Self>, run: &Run, name: &str) {
        let reason = "process-ended".to_owned();
        let body = Body::SessionEnd(SessionEnd { reason });
        self.record_run(run, body, Asker::unknown(name)).await;
    }

    async fn record_run(&self, run: &Run, body: Body, asker: Asker) {
        let context = self.context(&self.enforcement.now(), &run.session(), &asker);
        let draft = Draft {
            body,
            context,
            confidential: self.confidential(asker.ancestry),
            time_ms: now_ms(),
        };
        if let Err(error) = self.recorder.record(draft).await {
            tracing::error!(%error, "an unmanaged run is not recorded");
        }
    }
}
