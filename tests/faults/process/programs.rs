//! Starting the real programs, with a tool around them where a campaign wants one.
//!
//! Owns where the programs are, their first line, and their end. Every process started here is ended
//! here, by its own handle.

use crate::oracle::{Acknowledged, judge_source};
use crate::world::{World, entry_of};
use cairn_audit::source::http::Http;
use cairn_event::frame::MEDIA_TYPE;
use cairn_tlog::TrustPolicy;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a program may take to its first line; under a tracer it is slow.
const FIRST_LINE: Duration = Duration::from_secs(60);

/// How long one request may take: a stopped process answers nothing.
const REQUEST: Duration = Duration::from_secs(20);

/// A program built from this checkout, beside this test.
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.ancestors().nth(2).unwrap();
    let path = folder.join(name);
    assert!(
        path.is_file(),
        "`{name}` is not built; `cargo build --workspace --bins` builds it"
    );
    path
}

/// Whether a tool is installed; says so where it is not.
pub fn has_tool(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if !found {
        let _ = writeln!(std::io::stdout(), "skipped: {name} not installed");
    }
    found
}

/// How a program is started.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// Words before the program, such as a tracer with its arguments.
    pub wrapper: Vec<String>,
    /// Environment.
    pub env: Vec<(String, String)>,
    /// Trust policy of the server.
    pub trust: Option<PathBuf>,
    /// Whether an operator vouches for the clock of a witness.
    pub confirm_clock: bool,
}

/// A running program; killed when dropped.
pub struct Running {
    pub child: Child,
    pub url: String,
    diagnostics: PathBuf,
}

/// A program that ended before its first line.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub diagnostics: String,
}

impl Ended {
    /// Whether it was killed, or said why it ended.
    pub fn has_reason(&self) -> bool {
        self.status.code().is_none() || self.diagnostics.lines().any(|line| !line.trim().is_empty())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// What it wrote to standard error so far.
    pub fn diagnostics(&self) -> String {
        std::fs::read_to_string(&self.diagnostics).unwrap_or_default()
    }

    /// Waits for it to end by itself; `None` while it still runs.
    pub fn ended(&mut self) -> Option<Ended> {
        let status = self.child.try_wait().unwrap()?;
        Some(Ended {
            status,
            diagnostics: self.diagnostics(),
        })
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &process])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Submits frames; gives the results, or nothing where no answer came.
    pub async fn post(&self, frames: &[String], wait: &str) -> Option<Vec<serde_json::Value>> {
        let body: String = frames.iter().map(|frame| format!("{frame}\n")).collect();
        let client = reqwest::Client::builder().timeout(REQUEST).build().unwrap();
        let url = format!("{}/v1/entries?wait={wait}&timeout_ms=3000", self.url);
        let sent = client
            .post(url)
            .header("content-type", MEDIA_TYPE)
            .body(body);
        let answer = sent.send().await.ok()?;
        let text: serde_json::Value = answer.json().await.ok()?;
        text["results"].as_array().cloned()
    }

    /// Submits frames and notes which were acknowledged; false where any was not.
    pub async fn submit(&self, frames: &[String], acknowledged: &mut Acknowledged) -> bool {
        let Some(results) = self.post(frames, "published").await else {
            return false;
        };
        let mut all = results.len() == frames.len();
        for (frame, result) in frames.iter().zip(&results) {
            match result["index"].as_u64() {
                Some(index) => acknowledged.note(frame, index),
                None => all = false,
            }
        }
        all
    }
}

/// Starts a program and waits for its line `listening URL`.
pub fn start(command: &mut Command, diagnostics: &Path) -> Result<Running, Ended> {
    let errors = std::fs::File::create(diagnostics).unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let (line, first) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = out.read_line(&mut text);
        // Nobody listens any more once the time is over.
        let _ = line.send(read.map(|_| text));
        std::io::copy(&mut out, &mut std::io::sink())
    });
    let first = first.recv_timeout(FIRST_LINE);
    let mut running = Running {
        child,
        url: String::new(),
        diagnostics: diagnostics.to_owned(),
    };
    let first = first.expect("no first line in time").unwrap_or_default();
    if let Some(url) = first.trim().strip_prefix("listening ") {
        running.url = url.to_owned();
        return Ok(running);
    }
    let status = running.child.wait().unwrap();
    Err(Ended {
        status,
        diagnostics: running.diagnostics(),
    })
}

/// A command that runs `program`, inside the launch's wrapper where it has one.
pub fn command(launch: &Launch, program: &Path) -> Command {
    let mut command = match launch.wrapper.split_first() {
        Some((wrapper, words)) => {
            let mut command = Command::new(wrapper);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    command
}

/// Starts a server on a data folder of `world`.
pub fn server(world: &World, data: &Path, launch: &Launch) -> Result<Running, Ended> {
    let genesis = world.dir.path().join("genesis.frame");
    std::fs::write(&genesis, format!("{}\n", world.genesis())).unwrap();
    let mut command = command(launch, &program("cairn-server"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .arg("--genesis")
        .arg(&genesis)
        .env("CAIRN_LOG", "warn");
    if let Some(trust) = &launch.trust {
        command.arg("--trust-policy").arg(trust);
    }
    start(&mut command, &data.with_extension("diagnostics"))
}

/// The trust policy of a log without witnesses.
pub fn log_alone(world: &World) -> TrustPolicy {
    TrustPolicy::parse(&format!("log {}\nquorum none\n", world.public.log_key)).unwrap()
}

/// Starts the server once more with nothing in its way, and asks the oracle.
///
/// # Errors
/// The server's own refusal.
pub async fn restart_and_judge(
    world: &World,
    data: &Path,
    launch: &Launch,
    trust: &TrustPolicy,
    acknowledged: &Acknowledged,
) -> Result<Running, Ended> {
    let running = server(world, data, launch)?;
    let verdict = judge_running(&running, world, trust, acknowledged).await;
    assert_eq!(verdict, Ok(()));
    Ok(running)
}

/// Waits until the genesis entry is published: before that there is nothing to judge.
async fn published(running: &Running) -> Result<(), String> {
    let url = format!("{}/checkpoint", running.url);
    let begun = Instant::now();
    loop {
        let answer = reqwest::get(&url)
            .await
            .map_err(|error| error.to_string())?;
        let note = answer.text().await.map_err(|error| error.to_string())?;
        let size = note
            .lines()
            .nth(1)
            .and_then(|line| line.parse::<u64>().ok());
        if size.is_some_and(|size| size > 0) {
            return Ok(());
        }
        if begun.elapsed() > FIRST_LINE {
            return Err(format!("nothing is published: {note}"));
        }
        tokio::task::yield_now().await;
    }
}

/// The oracle over HTTP: the auditor, and every acknowledged entry.
pub async fn judge_running(
    running: &Running,
    world: &World,
    trust: &TrustPolicy,
    acknowledged: &Acknowledged,
) -> Result<(), String> {
    published(running).await?;
    let (url, genesis, trust) = (running.url.clone(), world.genesis(), trust.clone());
    let audited = tokio::task::spawn_blocking(move || {
        let source = Http::new(&url, None).map_err(|error| error.to_string())?;
        judge_source(&source, &trust, &genesis)
    });
    audited.await.unwrap()?;
    for (frame, index) in acknowledged.iter() {
        let url = format!("{}/v1/entries/{index}", running.url);
        let bytes = reqwest::get(url).await.map_err(|error| error.to_string())?;
        let bytes = bytes.bytes().await.map_err(|error| error.to_string())?;
        if bytes != entry_of(frame).as_bytes() {
            return Err(format!("the acknowledged entry {index} is not there"));
        }
    }
    Ok(())
}
