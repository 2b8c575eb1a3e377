//! The canary: one call that is allowed and one that is denied, through the real Claude Code as this
//! machine's managed settings start it, and both in the log.
//!
//! Owns the run and what counts as proof. The allowed call is a harmless one that the policy in force
//! allows or leaves to the agent. The denied one is the same call again, after the daemon was told to let
//! this session do nothing more: so a denial is proven under every policy, and nothing is ever allowed
//! for the canary's sake.
//!
//! Source: Claude Code findings 3 and 6 (self-test).

mod script;

use self::script::{Script, Seen};
use super::drift::drifts;
use super::manifest::{Manifest, ManifestError};
use super::model;
use super::pattern::{PatternError, state_folder};
use super::place::Place;
use super::proof::Proof;
use crate::clock::now_ms;
use crate::daemon::{CANARY, CanaryRequest, EnsureError, ask, ensure};
use crate::random::{self, NoRandomness};
use crate::receipts::{ReceiptsError, read_all};
use crate::state::{FOLDER_MODE, StateDir};
use crate::wrapper::{CLAUDE_CODE, Program, ProgramError, file_number};
use cairn_durable::create_dir_durable;
use cairn_event::body::Body;
use cairn_event::{Effect, Entry, OutcomeState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest run of the agent: a cold start on a busy machine takes some ten seconds.
const RUN_MAX: Duration = Duration::from_secs(120);

/// Longest wait for the receipts of what was recorded.
const RECEIPTS_MAX: Duration = Duration::from_secs(60);

/// Time between two looks at the receipts.
const RECEIPTS_INTERVAL: Duration = Duration::from_millis(500);

/// Most of the agent's output that an error repeats.
const OUTPUT_CHARS_MAX: usize = 400;

/// Largest output read.
const OUTPUT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why nothing was proven.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// There is nothing to prove.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The installation is not whole.
    #[error("the managed installation was changed: `{path}`: {problem}; see `cairn doctor`")]
    Changed {
        /// Where first.
        path: String,
        /// What.
        problem: String,
    },
    /// The state pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The commands of this shell use another state folder than the managed hooks.
    #[error("CAIRN_HOME leads to `{}`, the managed installation uses `{}`", here.display(), managed.display())]
    OtherState {
        /// The folder that this command uses.
        here: PathBuf,
        /// The folder that the hooks use.
        managed: PathBuf,
    },
    /// No agent.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// No daemon.
    #[error(transparent)]
    Daemon(#[from] EnsureError),
    /// The operating system refused something.
    #[error("the canary could not be run: {0}")]
    Io(#[from] std::io::Error),
    /// A folder.
    #[error(transparent)]
    Folder(#[from] cairn_durable::file::CreateDirError),
    /// No identifier.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The agent never asked the model.
    #[error("Claude Code did not get as far as the model: {0}")]
    NotAsked(String),
    /// Nothing harmless was allowed.
    #[error(
        "the policy in force allows none of the canary's calls (reading a file in `{}`, `cat` of it, `ls`), \
         so nothing can be proven; last answer: {answer}", project.display()
    )]
    NothingAllowed {
        /// The canary's folder.
        project: PathBuf,
        /// What the model was told last.
        answer: String,
    },
    /// The worst: a denied call ran.
    #[error("NOT ENFORCED: Claude Code ran a call that was denied; it was told: {0}")]
    DeniedRan(String),
    /// The denied call was never answered.
    #[error("Claude Code ended before the denied call was answered: {0}")]
    NotAnswered(String),
    /// A decision is not in the log.
    #[error("no receipt came for the {0} call within a minute; see `cairn status`")]
    NoReceipt(&'static str),
    /// What is in the log is not what happened.
    #[error("the log says `{found}` for the {which} call")]
    OtherRecord {
        /// Which call.
        which: &'static str,
        /// What the entry says.
        found: String,
    },
    /// Receipts cannot be read.
    #[error(transparent)]
    Receipts(#[from] ReceiptsError),
}

/// One run.
struct Run {
    program: Program,
    folder: PathBuf,
    session: String,
    /// What only a call that ran can tell.
    secret: String,
    /// Beginning of the calls' identifiers.
    calls: String,
}

/// Runs the canary and keeps the proof.
///
/// Errors: [`CanaryError`]; an earlier proof is gone then.
pub fn canary(state: &StateDir) -> Result<Proof, CanaryError> {
    let place = Place::machine();
    let manifest = Manifest::load(&place)?;
    // A proof that cannot be repeated proves nothing any more.
    let _absent = std::fs::remove_file(state.canary());
    if let Some(first) = drifts(&place, &manifest).into_iter().next() {
        let (path, problem) = (first.path, first.problem);
        return Err(CanaryError::Changed { path, problem });
    }
    let managed = state_folder(&manifest.state, rustix::process::getuid().as_raw())?;
    if managed != state.path() {
        let here = state.path().to_owned();
        return Err(CanaryError::OtherState { here, managed });
    }
    let run = Run {
        program: Program::find(state, &CLAUDE_CODE)?,
        folder: state.path().join(format!("canary-{}", std::process::id())),
        session: session_identifier()?,
        secret: random::identifier("seen-")?,
        calls: random::identifier("toolu_canary_")?,
    };
    ensure(state)?;
    let seen = run.through_the_agent(state);
    // What cannot be removed now lies in the state folder under a name that says what it is.
    let _left = std::fs::remove_dir_all(&run.folder);
    let (allowed, denied) = judge(&run, &seen?)?;
    let file = file_number(&run.program.path).unwrap_or_default();
    let (allowed, denied) = run.recorded(state, &allowed, &denied)?;
    let proof = Proof {
        at_ms: now_ms(),
        installation: manifest.digest(),
        file,
        program: run.program.path,
        version: run.program.version.to_string(),
        session: run.session,
        allowed,
        denied,
    };
    proof.save(state)?;
    Ok(proof)
}

/// The two calls, where the one ran and the other did not.
fn judge(run: &Run, seen: &(Seen, String)) -> Result<(String, String), CanaryError> {
    let (seen, output) = seen;
    let output: String = output.chars().take(OUTPUT_CHARS_MAX).collect();
    if !seen.asked {
        return Err(CanaryError::NotAsked(output));
    }
    let (Some(allowed), Some(denied)) = (&seen.allowed, &seen.denied) else {
        return Err(CanaryError::NothingAllowed {
            project: run.project(),
            answer: seen.last.chars().take(OUTPUT_CHARS_MAX).collect(),
        });
    };
    match &seen.answer {
        None => Err(CanaryError::NotAnswered(output)),
        Some((true, words)) if !words.contains(&run.secret) => {
            Ok((allowed.clone(), denied.clone()))
        }
        Some((_, words)) => Err(CanaryError::DeniedRan(words.clone())),
    }
}

impl Run {
    fn project(&self) -> PathBuf {
        self.folder.join("project")
    }

    /// Drives the agent; what the model saw, and what the agent printed.
    fn through_the_agent(&self, state: &StateDir) -> Result<(Seen, String), CanaryError> {
        for name in ["project", "config", "home"] {
            create_dir_durable(&self.folder.join(name), FOLDER_MODE)?;
        }
        std::fs::write(self.project().join("canary.txt"), &self.secret)?;
        let (listener, address) = model::listen()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (for_model, state, session) = (Arc::clone(&seen), state.clone(), self.session.clone());
        let (calls, secret, candidates) =
            (self.calls.clone(), self.secret.clone(), self.candidates());
        // The thread ends with this process; a command has nothing else to do.
        std::thread::Builder::new().spawn(move || {
            model::serve(&listener, move |request: &Value| {
                let mut seen = for_model.lock().unwrap_or_else(PoisonError::into_inner);
                let script = Script {
                    calls: &calls,
                    secret: &secret,
                    candidates: &candidates,
                };
                script.turn(request, &mut seen, || {
                    let request = CanaryRequest {
                        session: session.clone(),
                    };
                    ask::<_, Value>(&state, CANARY, &request).is_ok()
                })
            });
        })?;
        let printed = self.folder.join("printed");
        let out = std::fs::File::create(&printed)?;
        let child = Command::new(&self.program.path)
            .args(["-p", "Cairn's canary", "--session-id", &self.session])
            .args(["--output-format", "json", "--allowedTools", "Read", "Bash"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.join("home"))
            .env("CLAUDE_CONFIG_DIR", self.folder.join("config"))
            .env("ANTHROPIC_BASE_URL", format!("http://{address}"))
            .env("ANTHROPIC_API_KEY", "sk-ant-canary")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .current_dir(self.project())
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .spawn()?;
        ended(child)?;
        let output = cairn_durable::read_limited(&printed, OUTPUT_BYTES_MAX).unwrap_or_default();
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok((seen, String::from_utf8_lossy(&output).into_owned()))
    }

    /// Harmless calls that tell the secret, or the name of the file with it.
    fn candidates(&self) -> Vec<(&'static str, Value)> {
        let file = self.project().join("canary.txt");
        let bash = |command: &str| json!({ "command": command, "description": "canary" });
        vec![
            ("Read", json!({ "file_path": file })),
            ("Bash", bash("cat canary.txt")),
            ("Bash", bash("head canary.txt")),
        ]
    }

    /// Log indexes of the two decisions.
    fn recorded(
        &self,
        state: &StateDir,
        allowed: &str,
        denied: &str,
    ) -> Result<(u64, u64), CanaryError> {
        let end = Instant::now() + RECEIPTS_MAX;
        loop {
            let found = Recorded::find(state, &self.session, allowed, denied)?;
            if let (Some((allowed, first)), Some((denied, second)), true) =
                (found.allowed, found.denied, found.ran)
            {
                return match (first, second) {
                    (Effect::Deny, _) => Err(other("allowed", first)),
                    (_, Effect::Deny) => Ok((allowed, denied)),
                    _ => Err(other("denied", second)),
                };
            }
            if Instant::now() > end {
                let which = match (found.allowed, found.denied) {
                    (None, _) => "allowed",
                    (_, None) => "denied",
                    _ => "outcome of the allowed",
                };
                return Err(CanaryError::NoReceipt(which));
            }
            std::thread::sleep(RECEIPTS_INTERVAL);
        }
    }
}

fn other(which: &'static str, effect: Effect) -> CanaryError {
    let found = format!("{effect:?}").to_lowercase();
    CanaryError::OtherRecord { which, found }
}

/// What the receipts say of the two calls.
#[derive(Default)]
struct Recorded {
    allowed: Option<(u64, Effect)>,
    denied: Option<(u64, Effect)>,
    ran: bool,
}

impl Recorded {
    fn find(
        state: &StateDir,
        session: &str,
        allowed: &str,
        denied: &str,
    ) -> Result<Self, ReceiptsError> {
        let mut found = Self::default();
        for one in read_all(&state.receipts())? {
            let Ok(entry) = Entry::parse(one.entry.as_bytes()) else {
                continue;
            };
            let payload = entry.payload();
            if payload.context.session.as_deref() != Some(session) {
                continue;
            }
            match &payload.body {
                Body::ToolDecision(decision) if decision.use_id == allowed => {
                    found.allowed = Some((one.index, decision.effect));
                }
                Body::ToolDecision(decision) if decision.use_id == denied => {
                    found.denied = Some((one.index, decision.effect));
                }
                Body::ToolOutcome(outcome) if outcome.use_id == allowed => {
                    found.ran = outcome.state == OutcomeState::Ran;
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Waits for the agent, and ends it when it takes too long.
fn ended(mut child: Child) -> std::io::Result<()> {
    let process = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    let timeout = Timespec::try_from(RUN_MAX).map_err(std::io::Error::other)?;
    let mut fds = [PollFd::new(&process, PollFlags::IN)];
    if poll(&mut fds, Some(&timeout)).map_err(std::io::Error::from)? == 0 {
        child.kill()?;
    }
    child.wait().map(drop)
}

/// A random session identifier in the form that Claude Code takes (UUID version 4).
fn session_identifier() -> Result<String, NoRandomness> {
    let mut bytes = random::bytes::<16>()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex::encode(bytes);
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
    let parts: Vec<&str> = parts
        .iter()
        .filter_map(|(from, to)| text.get(*from..*to))
        .collect();
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests;
