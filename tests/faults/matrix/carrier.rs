//! The way to one witness, with a fault on demand and no delay.

use crate::disk::{Disk, Fault};
use crate::witness::Node;
use cairn_server::clock::Clock;
use cairn_server::witnesses::{Answer, LinkError, WitnessLink};
use futures_util::future::{BoxFuture, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The witness and what is to happen to the next request.
pub struct Carrier {
    state: Mutex<State>,
    clock: Clock,
}

struct State {
    node: Node,
    armed: Option<Fault>,
    fired: bool,
    late: Option<String>,
}

/// The end of one life of the server.
struct Link {
    carrier: Arc<Carrier>,
    disk: Disk,
}

impl Carrier {
    pub fn new(node: Node, clock: Clock) -> Arc<Self> {
        let state = State {
            node,
            armed: None,
            fired: false,
            late: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            clock,
        })
    }

    pub fn link(self: &Arc<Self>, disk: &Disk) -> Arc<dyn WitnessLink> {
        Arc::new(Link {
            carrier: self.clone(),
            disk: disk.clone(),
        })
    }

    pub fn arm(&self, fault: Fault) {
        self.lock().armed = Some(fault);
    }

    pub fn fired(&self) -> bool {
        self.lock().fired
    }

    /// A request that was held back arrives now; nobody waits for its answer.
    pub fn land(&self) {
        let mut state = self.lock();
        if let Some(body) = state.late.take() {
            state.node.answer(&body, (self.clock)() / 1000);
        }
    }

    /// Size the witness cosigned last.
    pub fn held(&self) -> u64 {
        self.lock().node.held()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(&self, body: String, disk: &Disk) -> Option<Answer> {
        if disk.is_dead() {
            return None;
        }
        let mut state = self.lock();
        let now = (self.clock)() / 1000;
        let Some(fault) = state.armed.take() else {
            return state.node.answer(&body, now);
        };
        state.fired = true;
        match fault {
            Fault::FailedAndLost => {}
            Fault::FailedButApplied => drop(state.node.answer(&body, now)),
            Fault::CrashBefore => disk.kill(),
            Fault::CrashAfter => {
                state.node.answer(&body, now);
                disk.kill();
            }
            Fault::AppliedLate => state.late = Some(body),
        }
        None
    }
}

impl WitnessLink for Link {
    fn add_checkpoint(
        &self,
        _url: &str,
        body: String,
    ) -> BoxFuture<'static, Result<Answer, LinkError>> {
        let answer = self.carrier.carry(body, &self.disk);
        Box::pin(ready(answer.ok_or(LinkError::Silence)))
    }
}
