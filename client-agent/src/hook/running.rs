//! The sessions that run, and the end of those that a gate ends.
//!
//! Owns which process each session is, and the order: the record, a polite signal, and after
//! [`PATIENCE`] one that cannot be ignored. A process is one only if it was found above a hook of that
//! session, and is signalled only while it is still the same one.
//!
//! Source: architecture of record, section 4 (session gates); pidfd_open(2), pidfd_send_signal(2).

use super::decide::Gatekeeper;
use crate::chain::Draft;
use crate::clock::now_ms;
use crate::device::{Asker, Process, started};
use cairn_event::Posture;
use cairn_event::body::{Body, SessionRefused};
use cairn_policy::{ClosedGate, RunningSessions, closed_gates};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a session counts as alive after its last hook: ten minutes, as the heartbeat says.
const SESSION_ALIVE: Duration = Duration::from_secs(600);

/// Most sessions remembered: far more than one person can have open. A session is what a hook's input says it is,
/// so whoever invents more has the ones forgotten whose process is not known, oldest first.
const SESSIONS_MAX: usize = 4_096;

/// How long an agent may take to end by itself: twice what its own last hooks may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The sessions that run.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<String, Session>>);

#[derive(Debug)]
struct Session {
    last: Instant,
    asker: Option<Asker>,
    ending: Option<Ending>,
    /// Whether the agent said that it ended.
    over: bool,
}

#[derive(Clone, Debug)]
struct Ending {
    since: Instant,
    sentence: String,
}

/// What is to be done about one session.
#[derive(Debug)]
enum Step {
    /// It is told for the first time: this is recorded, and its process asked to end.
    Ask(String, Option<Asker>),
    /// Its process did not.
    Kill(Process),
}

impl Running {
    /// Notes a hook of a session.
    pub(super) fn alive(&self, session: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SESSIONS_MAX && !known.contains_key(session) {
            forget_one(&mut known);
        }
        let new = || Session {
            last: Instant::now(),
            asker: None,
            ending: None,
            over: false,
        };
        let one = known.entry(session.to_owned()).or_insert_with(new);
        (one.last, one.over) = (Instant::now(), false);
    }

    /// Notes which process a session is; in another process it is one that goes on.
    pub(super) fn asked_by(&self, session: &str, asker: &Asker) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(one) = known.get_mut(session) else {
            return;
        };
        let before = one.process();
        if asker.process.is_some() && before != asker.process {
            one.ending = None;
            one.asker = Some(asker.clone());
        } else if one.asker.is_none() {
            one.asker = Some(asker.clone());
        }
    }

    /// Notes that a session ended.
    pub(super) fn ended(&self, session: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = known.get_mut(session) {
            one.over = true;
        }
    }

    /// Why a session is being ended; `None` for one that is not.
    pub(super) fn ending(&self, session: &str) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ending = known.get(session)?.ending.as_ref()?;
        Some(ending.sentence.clone())
    }

    /// Sessions with a hook in the last ten minutes.
    pub(super) fn count(&self) -> u64 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = known
            .values()
            .filter(|one| one.last.elapsed() < SESSION_ALIVE);
        alive.count() as u64
    }

    /// What is to be done where a gate that ends sessions is closed (`sentence`), or open again.
    fn steps(&self, sentence: Option<&str>) -> Vec<Step> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, one| one.last.elapsed() < SESSION_ALIVE || one.runs());
        let mut steps = Vec::new();
        for (session, one) in known.iter_mut().filter(|(_, one)| one.runs()) {
            let process = one.process();
            match (&one.ending, sentence) {
                (None, Some(sentence)) => {
                    one.ending = Some(Ending {
                        since: Instant::now(),
                        sentence: sentence.to_owned(),
                    });
                    steps.push(Step::Ask(session.clone(), one.asker.clone()));
                }
                (Some(ending), _) if ending.since.elapsed() >= PATIENCE => {
                    steps.extend(process.map(Step::Kill));
                }
                _ => {}
            }
        }
        steps
    }
}

/// Makes room: every session keeps its turn by its last hook, those that could be ended before all others.
fn forget_one(known: &mut HashMap<String, Session>) {
    let first = known
        .iter()
        .min_by_key(|(_, one)| (one.process().is_some(), one.last));
    if let Some(session) = first.map(|(session, _)| session.clone()) {
        known.remove(&session);
    }
}

impl Session {
    fn process(&self) -> Option<Process> {
        self.asker.as_ref().and_then(|asker| asker.process)
    }

    /// Whether it may go on; one whose process is not known runs until it is said to have ended.
    fn runs(&self) -> bool {
        match self.process() {
            Some(process) => !self.over && process.runs(),
            None => !self.over && self.last.elapsed() < SESSION_ALIVE,
        }
    }
}

impl Process {
    /// Whether it is still this one.
    fn runs(self) -> bool {
        started(self.pid) == Some(self.start)
    }

    /// Sends a signal to exactly this process.
    fn signal(self, signal: Signal) {
        let number = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(Ok(descriptor)) = number.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
            return;
        };
        // The number may have been taken over before the descriptor was open; not any more.
        if self.runs()
            && let Err(error) = pidfd_send_signal(&descriptor, signal)
        {
            tracing::warn!(%error, pid = self.pid, "an agent cannot be ended");
        }
    }
}

impl Gatekeeper {
    /// Sessions with a hook in the last ten minutes.
    pub fn sessions(&self) -> u64 {
        self.running.count()
    }

    /// Ends the running sessions while a gate that ends them is closed in this posture.
    pub async fn end_sessions(self: &Arc<Self>, posture: &Posture) {
        let gate = self.ending_gate(posture);
        let sentence = gate.as_ref().map(|(_, sentence)| sentence.as_str());
        for step in self.running.steps(sentence) {
            match step {
                Step::Kill(process) => process.signal(Signal::KILL),
                Step::Ask(session, asker) => {
                    if let Some((gate, _)) = &gate {
                        self.record_end(&session, asker.as_ref(), gate, posture)
                            .await;
                    }
                    if let Some(process) = asker.and_then(|asker| asker.process) {
                        process.signal(Signal::TERM);
                    }
                }
            }
        }
    }

    /// The closed gate that ends running sessions, with the sentence about it.
    fn ending_gate(&self, posture: &Posture) -> Option<(ClosedGate, String)> {
        let in_force = self.enforcement.now();
        let active = in_force.usable(now_ms()).ok()?;
        let bundle = active.compiled.bundle();
        let closed = closed_gates(&active.compiled, &in_force.subject, posture);
        let gate = closed
            .into_iter()
            .find(|gate| gate.enforced && gate.running == RunningSessions::End)?;
        let sentence = format!(
            "Cairn ended this session: this device does not pass session gate `{}` ({}); ask {} for help.",
            gate.id, gate.message, bundle.contact
        );
        Some((gate, sentence))
    }

    async fn record_end(
        &self,
        session: &str,
        asker: Option<&Asker>,
        gate: &ClosedGate,
        posture: &Posture,
    ) {
        let unknown = Asker::unknown(super::CLAUDE_CODE);
        let asker = asker.unwrap_or(&unknown);
        let mut context = self.context(&self.enforcement.now(), session, asker);
        context.posture = Some(posture.clone());
        let draft = Draft {
            body: Body::SessionRefused(SessionRefused {
                gate: gate.id.clone(),
            }),
            context,
            confidential: self.confidential(asker.ancestry.clone()),
            time_ms: now_ms(),
        };
        if let Err(error) = self.recorder.record(draft).await {
            tracing::error!(%error, "the end of a session is not recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command};

    fn sleeper() -> (Child, Asker) {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let mut asker = Asker::unknown("claude-code");
        asker.process = Some(Process {
            pid: child.id(),
            start: started(child.id()).unwrap(),
        });
        (child, asker)
    }

    #[test]
    fn a_session_is_asked_once_to_end_and_only_its_own_process_is_signalled() {
        let running = Running::default();
        let (mut child, asker) = sleeper();
        running.alive("one");
        running.asked_by("one", &asker);
        assert!(running.steps(None).is_empty());
        let first = running.steps(Some("why"));
        assert!(matches!(&first[..], [Step::Ask(session, Some(_))] if session == "one"));
        assert_eq!(running.ending("one").as_deref(), Some("why"));
        assert!(running.steps(Some("why")).is_empty(), "it has its time");
        let process = asker.process.unwrap();
        let other = Process {
            start: process.start + 1,
            ..process
        };
        other.signal(Signal::KILL);
        assert!(child.try_wait().unwrap().is_none(), "another one's number");
        process.signal(Signal::TERM);
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        assert!(running.steps(Some("another")).is_empty(), "it is gone");
        assert_eq!(running.count(), 1, "seen in the last ten minutes");
    }

    #[test]
    fn invented_sessions_neither_fill_the_memory_nor_hide_a_real_one() {
        let running = Running::default();
        let (mut child, asker) = sleeper();
        running.alive("real");
        running.asked_by("real", &asker);
        for number in 0..SESSIONS_MAX + 10 {
            running.alive(&format!("invented-{number}"));
        }
        assert_eq!(running.count(), SESSIONS_MAX as u64);
        let asked = running.steps(Some("why"));
        let real = |step: &&Step| matches!(step, Step::Ask(session, Some(_)) if session == "real");
        assert_eq!(asked.iter().filter(real).count(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_session_that_goes_on_in_another_process_is_not_being_ended() {
        let running = Running::default();
        let (mut first, asker) = sleeper();
        running.alive("one");
        running.asked_by("one", &asker);
        running.steps(Some("why"));
        // Hooks of the process that is being ended change nothing.
        running.asked_by("one", &asker);
        running.asked_by("one", &Asker::unknown("claude-code"));
        assert!(running.ending("one").is_some());
        let (mut second, resumed) = sleeper();
        running.asked_by("one", &resumed);
        assert_eq!(running.ending("one"), None);
        for child in [&mut first, &mut second] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
