//! Runs one collector on a thread of its own and stops waiting when its time is up.
//!
//! Owns the promise that a hanging file never delays a decision and never costs more than one
//! thread. A thread cannot be ended from outside, so a late collector is left to finish; its late
//! answer is discarded, because the device may have changed since it was asked.
//!
//! Source: architecture of record, section 2 (deciding never waits).

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use super::field::Finding;

/// How long a collector may take before its field is unknown: 200 ms.
///
/// The whole context must be there within 250 ms of the agent's start; a pass over a healthy
/// machine takes about 2 ms.
pub const COLLECTOR_DEADLINE: Duration = Duration::from_millis(200);

/// The stable word for a collector that did not answer in time.
const DEADLINE: &str = "deadline";

/// What a collector hands back.
#[derive(Debug)]
pub(super) struct Collected {
    pub finding: Finding,
    pub pids: Vec<u32>,
}

impl From<Finding> for Collected {
    fn from(finding: Finding) -> Self {
        Self {
            finding,
            pids: Vec::new(),
        }
    }
}

/// A collector ready to run once.
pub(super) type Collector = Box<dyn FnOnce() -> Collected + Send>;

/// The latest run of one collector.
#[derive(Debug, Default)]
pub(super) struct Deadlined {
    running: Option<Receiver<Collected>>,
    late: bool,
}

impl Deadlined {
    /// Starts the collector, unless its previous run has still not returned.
    pub(super) fn start(&mut self, name: &str, collector: Collector) {
        if let Some(previous) = &self.running {
            match previous.try_recv() {
                Err(TryRecvError::Empty) => return,
                Ok(_) | Err(TryRecvError::Disconnected) => {}
            }
        }
        let (sender, receiver) = channel();
        let spawned = std::thread::Builder::new()
            .name(format!("posture-{name}"))
            .spawn(move || {
                // Nobody listens any more when the answer comes after the deadline.
                let _ = sender.send(collector());
            });
        self.late = false;
        self.running = spawned.is_ok().then_some(receiver);
    }

    /// Waits for the answer as long as is left.
    pub(super) fn finish(&mut self, left: Duration) -> Collected {
        let unknown = |reason| Finding::unknown("collector", reason).into();
        let Some(receiver) = &self.running else {
            return unknown("no-thread");
        };
        if self.late {
            return unknown(DEADLINE);
        }
        match receiver.recv_timeout(left) {
            Ok(collected) => {
                self.running = None;
                collected
            }
            Err(RecvTimeoutError::Timeout) => {
                self.late = true;
                unknown(DEADLINE)
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.running = None;
                unknown("collector-failed")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posture::field::State;

    fn answer(text: &str) -> Collected {
        Finding::known(State::Text(text.to_owned()), 1, "test", "").into()
    }

    #[test]
    fn a_hanging_collector_is_unknown_and_not_started_twice() {
        let (release, gate) = channel::<()>();
        let (report, started) = channel::<&str>();
        let mut run = Deadlined::default();
        let first = report.clone();
        run.start(
            "x",
            Box::new(move || {
                let _ = first.send("first");
                let _ = gate.recv();
                answer("late")
            }),
        );
        assert_eq!(started.recv().unwrap(), "first");
        let collected = run.finish(Duration::ZERO);
        assert_eq!(collected.finding.state, State::Unknown);
        assert_eq!(collected.finding.reason, "deadline");

        let second = report.clone();
        run.start(
            "x",
            Box::new(move || {
                let _ = second.send("second");
                answer("second")
            }),
        );
        assert_eq!(
            run.finish(Duration::from_secs(60)).finding.reason,
            "deadline"
        );

        // Dropping the gate lets the first run end; only then may a third one start.
        drop(release);
        let third = loop {
            let third = report.clone();
            run.start(
                "x",
                Box::new(move || {
                    let _ = third.send("third");
                    answer("third")
                }),
            );
            let collected = run.finish(Duration::from_secs(60));
            if collected.finding.state != State::Unknown {
                break collected;
            }
            std::thread::yield_now();
        };
        assert_eq!(third.finding.state, State::Text("third".to_owned()));
        assert_eq!(started.recv().unwrap(), "third");
    }

    #[test]
    fn a_collector_that_panics_is_unknown() {
        let mut run = Deadlined::default();
        run.start("x", Box::new(|| panic!("as intended")));
        assert_eq!(
            run.finish(Duration::from_secs(60)).finding.reason,
            "collector-failed"
        );
    }
}
