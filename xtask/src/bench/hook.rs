//! What the hook adds to a tool call: process start, decision, signature and fsync, end to end.
//!
//! It owns the calls and what they are compared with: an empty program started in the same way, and
//! a bare `fdatasync` on the same disk, taken in turns so that all three see the same machine.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::bench::figures::{Figures, millis};
use crate::bench::organisation::Organisation;
use crate::bench::policy;
use crate::bench::programs::Programs;
use crate::demo::enrolment::enrol;
use crate::demo::errand::{Tools, developer};
use crate::demo::infrastructure::run;
use crate::demo::rules;
use crate::demo::scene::Scene;

/// Calls measured.
const CALLS: usize = 300;

/// Bytes of one bare write: about one record of the daemon's spool.
const WRITE_BYTES: usize = 4_096;

/// Calls at once, as many as an agent with subagents makes at its busiest, and how often.
const PARALLEL: usize = 50;
const PARALLEL_ROUNDS: usize = 6;

/// What a call may cost beside a start and two syncs at p50.
const SURPLUS_MS: f64 = 3.0;

/// Longest wait for the policy to reach the device.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures and stops the daemon and the server that it started; `idle` also watches the daemon at rest.
///
/// # Errors
/// A program fails, or a call is not answered with the decision of the policy.
pub fn measure(programs: &Programs, root: &Path, idle: bool, figures: &mut Figures) -> Result<()> {
    let organisation = Organisation::start(programs, root, &[])?;
    let device = Device::enrol(programs, &organisation, root)?;
    let first = device.timed_call(0)?;
    let mut disk = Disk::open(&root.join("bare-writes"))?;
    let (mut calls, mut starts, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=CALLS {
        calls.push(device.timed_call(number)?);
        let (elapsed, _) = timed(&mut Command::new("/bin/true"), "")?;
        starts.push(elapsed);
        syncs.push(disk.timed_write()?);
    }
    figures.add_times("primitive.bin_true", &mut starts);
    figures.add_times("primitive.fdatasync", &mut syncs);
    figures.add("hook.first", millis(first), "ms");
    figures.add_times("hook", &mut calls);
    figures.compare("hook.first", "primitive.bin_true.p50")?;
    figures.compare("hook.p50", "primitive.bin_true.p50")?;
    figures.compare("hook.p99", "primitive.bin_true.p99")?;
    figures.compare("primitive.fdatasync.p50", "primitive.bin_true.p50")?;
    figures.compare("primitive.fdatasync.p99", "primitive.bin_true.p99")?;
    budget(figures)?;
    parallel(&device, figures)?;
    if idle {
        policy::idle(device.pid()?, figures)?;
    }
    Ok(())
}

/// What a call may cost: a hook that does nothing, two syncs, and a little; at p99 twice the first.
fn budget(figures: &mut Figures) -> Result<()> {
    let of = |what: &str, percent: &str| figures.value(&format!("primitive.{what}.{percent}"));
    let p50 = of("bin_true", "p50")? + 2.0 * of("fdatasync", "p50")? + SURPLUS_MS;
    let p99 = 2.0 * of("bin_true", "p99")? + 2.0 * of("fdatasync", "p99")?;
    figures.add("limit.hook.p50", p50, "ms");
    figures.add("limit.hook.p99", p99, "ms");
    // The same value under a second name, because a figure has one baseline.
    for percent in ["p50", "p99"] {
        let call = figures.value(&format!("hook.{percent}"))?;
        let name = format!("hook.within_limit.{percent}");
        figures.add(&name, call, "ms");
        figures.compare(&name, &format!("limit.hook.{percent}"))?;
    }
    Ok(())
}

/// Many calls at once: every one is answered with the policy's decision, and none waits for longer than
/// all of them would take one after the other.
fn parallel(device: &Device, figures: &mut Figures) -> Result<()> {
    let (mut calls, mut starts) = (Vec::new(), Vec::new());
    for round in 0..PARALLEL_ROUNDS {
        let number = |place: usize| 1_000 + round * PARALLEL + place;
        calls.extend(at_once(|place| device.timed_call(number(place)))?);
        starts.extend(at_once(|_| {
            timed(&mut Command::new("/bin/true"), "").map(|(elapsed, _)| elapsed)
        })?);
    }
    let longest = calls.iter().max().copied().unwrap_or_default();
    figures.add_times("primitive.bin_true.parallel50", &mut starts);
    figures.add_times("hook.parallel50", &mut calls);
    figures.add("hook.parallel50.max", millis(longest), "ms");
    let serial = figures.value("hook.p50")? * PARALLEL as f64;
    figures.add("hook.one_after_the_other50", serial, "ms");
    for percent in ["p50", "p99"] {
        let bare = format!("primitive.bin_true.parallel50.{percent}");
        figures.compare(&format!("hook.parallel50.{percent}"), &bare)?;
    }
    figures.compare("hook.parallel50.max", "hook.one_after_the_other50")
}

/// Runs the same thing on [`PARALLEL`] threads.
fn at_once(call: impl Fn(usize) -> Result<Duration> + Sync) -> Result<Vec<Duration>> {
    thread::scope(|scope| {
        let call = &call;
        let one = |place| scope.spawn(move || call(place));
        let threads: Vec<_> = (0..PARALLEL).map(one).collect();
        let ended = threads.into_iter().map(|thread| match thread.join() {
            Ok(measured) => measured,
            Err(_) => bail!("a call of many at once ended in a panic"),
        });
        ended.collect()
    })
}

/// An enrolled device with its daemon; the daemon ends when this is dropped.
struct Device {
    tools: Tools,
    hook: PathBuf,
    scene: Scene,
    state: PathBuf,
}

impl Device {
    fn enrol(programs: &Programs, organisation: &Organisation, root: &Path) -> Result<Self> {
        let device = Self {
            tools: Tools {
                cairn: programs.program("cairn"),
                claude: PathBuf::new(),
                python: PathBuf::new(),
                model: PathBuf::new(),
            },
            hook: programs.hook.clone(),
            scene: Scene::lay(root)?,
            state: root.join("state"),
        };
        device.put_policy_in_force(programs, organisation, root)?;
        let mut enroll = device.cairn();
        enroll.args(["enroll", "--no-browser", "--json", "--server"]);
        enroll.arg(&organisation.server).arg("--trust-policy");
        enroll.arg(&organisation.trust_policy);
        enroll.args(["--genesis-hash", &organisation.genesis]);
        enrol(enroll, &organisation.outbox, "ann@acme.example")?;
        device.wait_for_policy()?;
        Ok(device)
    }

    fn put_policy_in_force(
        &self,
        programs: &Programs,
        organisation: &Organisation,
        root: &Path,
    ) -> Result<()> {
        let team = [
            "org",
            "team-add",
            "--team",
            "infrastructure",
            "--name",
            "Infrastructure",
        ];
        run(&mut organisation.administrator(programs, &team))?;
        let settings = root.join("settings.json");
        fs::write(&settings, rules::settings().to_string())?;
        let imported = run(self.cairn().args(["policy", "import"]).arg(&settings))?;
        let bundle = rules::with_own_rules(serde_json::from_str(&imported)?);
        let file = root.join("policy.json");
        fs::write(&file, bundle.to_string())?;
        let mut apply = organisation.administrator(programs, &["policy", "apply"]);
        run(apply.arg(&file)).map(drop)
    }

    fn wait_for_policy(&self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let said = self.cairn().args(["status", "--json"]).output()?;
            let status: Value = serde_json::from_slice(&said.stdout).unwrap_or_default();
            if status["daemon"]["policy_version"] == json!(1) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        bail!("no policy reached the device in {} s", PATIENCE.as_secs())
    }

    fn cairn(&self) -> Command {
        developer(&self.tools, &self.scene, &self.state)
    }

    /// The daemon's process.
    fn pid(&self) -> Result<u32> {
        let said = self.cairn().args(["status", "--json"]).output()?;
        let status: Value = serde_json::from_slice(&said.stdout)?;
        let pid = status["daemon"]["pid"]
            .as_u64()
            .context("no pid in the status")?;
        Ok(u32::try_from(pid)?)
    }

    /// One PreToolUse call as the agent makes it; the answer must be the policy's.
    fn timed_call(&self, number: usize) -> Result<Duration> {
        let payload = json!({
            "session_id": "00000000-0000-4000-8000-00000000beef",
            "transcript_path": self.scene.home.join("transcript.jsonl"),
            "cwd": self.scene.project,
            "permission_mode": "default",
            "hook_event_name": "PreToolUse",
            "tool_name": "Bash",
            "tool_input": { "command": "git status", "description": "See what changed" },
            "tool_use_id": format!("toolu_bench_{number}"),
        });
        let mut hook = Command::new(&self.hook);
        hook.args(["PreToolUse", "--socket"]);
        hook.arg(self.state.join("daemon.sock"));
        hook.current_dir(&self.scene.project);
        let (elapsed, said) = timed(&mut hook, &payload.to_string())?;
        let answer: Value = serde_json::from_str(&said)
            .with_context(|| format!("the hook answered `{}`", said.trim()))?;
        if answer["hookSpecificOutput"]["permissionDecision"] == "allow" {
            Ok(elapsed)
        } else {
            bail!("`git status` is allowed by the policy, the hook said {answer}")
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // It is asked to sign the end of its chain; when it cannot, it had not come up.
        let _ = self.cairn().args(["daemon", "stop"]).output();
    }
}

/// Starts a program, writes its input, reads its output and waits for its end.
fn timed(command: &mut Command, input: &str) -> Result<(Duration, String)> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("cannot start `{}`", command.get_program().display()))?;
    if let Some(mut pipe) = child.stdin.take().filter(|_| !input.is_empty()) {
        pipe.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let elapsed = begun.elapsed();
    if !output.status.success() {
        bail!("`{}` failed", command.get_program().display());
    }
    Ok((
        elapsed,
        String::from_utf8_lossy(&output.stdout).into_owned(),
    ))
}

/// A file on the disk of the spool, appended to and synced.
struct Disk(File);

impl Disk {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(file))
    }

    fn timed_write(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.0.write_all(&[b'x'; WRITE_BYTES])?;
        self.0.sync_data()?;
        Ok(begun.elapsed())
    }
}
