//! The same raw load through another log: Tessera on POSIX files, loaded by its own hammer.
//!
//! It owns the pinned version and how both programs are run. They are built into the cache folder,
//! as their authors publish them; nothing of theirs is part of this project.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::bench::figures::Figures;
use crate::bench::programs::Programs;
use crate::context::Context;
use crate::demo::infrastructure::run;
use crate::process::Process;
use crate::tools;

/// The version measured.
const VERSION: &str = "v1.0.4";

/// The module.
const MODULE: &str = "github.com/transparency-dev/tessera";

/// Its POSIX server, and its load.
const PACKAGES: [&str; 2] = ["cmd/conformance/posix", "internal/hammer"];

/// Seconds of load.
const SECONDS: u64 = 30;

/// What the hammer is told: nothing but new leaves of 1 KiB, as many as the log takes. Its writers each
/// wait for the answer, and the server answers once a second, so many are needed.
const HAMMER: [&str; 8] = [
    "--max_read_ops=0",
    "--num_readers_random=0",
    "--num_readers_full=0",
    "--num_writers=4096",
    "--leaf_min_size=1024",
    "--dup_chance=0",
    "--show_ui=false",
    "--http_timeout=60s",
];

/// Leaves a second that the hammer may write at most: more than it can.
const FULL_RATE: f64 = 40_000.0;

/// Longest wait for the first checkpoint.
const PATIENCE: Duration = Duration::from_secs(20);

/// Loads Tessera as fast as it takes leaves, then at half that rate for its latency, and relates our
/// rate and latency, where they were measured before, to its own; says so where Go is not installed.
///
/// # Errors
/// A program cannot be built or fails.
pub fn measure(
    context: &Context,
    programs: &Programs,
    root: &Path,
    figures: &mut Figures,
) -> Result<()> {
    let Some(go) = tools::go(context)? else {
        eprintln!("bench: skipped: go not installed");
        return Ok(());
    };
    let bin = build(context, &go)?;
    fs::create_dir_all(root)?;
    let keys = Keys::make(programs, root)?;
    let address = free_address()?;
    let mut server = Command::new(bin.join("posix"));
    server.arg(format!("--listen={address}"));
    server.arg("--storage_dir").arg(root.join("log"));
    server.arg("--private_key").arg(&keys.private);
    let _server = Guard::start(&mut server, &root.join("posix.txt"))?;
    wait_for(&root.join("log/checkpoint"))?;
    let url = format!("http://{address}");
    let hammer = |rate: f64, part: &str| {
        let mut hammer = Command::new(bin.join("hammer"));
        hammer.args(HAMMER).arg(format!("--log_url={url}"));
        hammer.arg(format!("--log_public_key={}", keys.public));
        hammer.arg(format!("--max_write_ops={rate:.0}"));
        hammer.arg(format!("--max_runtime={}s", SECONDS + 30));
        Guard::start(&mut hammer, &root.join(format!("hammer-{part}.txt")))
    };
    let probe = |name: &str| {
        let mut probe = Command::new(programs.example("bench_submit"));
        run(probe.args(["provable", &url, name, &SECONDS.to_string()]))
    };
    let full = hammer(FULL_RATE, "full")?;
    figures.add_lines(&probe("tessera")?)?;
    drop(full);
    let _half = hammer(figures.value("tessera.rate")? / 2.0, "half")?;
    figures.add_lines(&probe("tessera.half")?)?;
    for (ours, theirs) in [
        ("log.batch256", "tessera.rate"),
        ("log.single", "tessera.rate"),
        ("log.witnessed.p50", "tessera.half.provable.p50"),
        ("log.witnessed.p99", "tessera.half.provable.p99"),
    ] {
        figures.add_times_of(ours, theirs)?;
    }
    Ok(())
}

fn build(context: &Context, go: &Path) -> Result<PathBuf> {
    let bin = context.cache.tool("tessera", VERSION);
    if PACKAGES
        .iter()
        .all(|package| bin.join(name(package)).is_file())
    {
        return Ok(bin);
    }
    let packages = PACKAGES.map(|package| format!("{MODULE}/{package}@{VERSION}"));
    let mut install = Process::new(context, "Tessera and its hammer", go)
        .args(["install"])
        .args(packages)
        .into_command();
    let built = install.env("GOBIN", &bin).env("GOFLAGS", "").status()?;
    if built.success() {
        Ok(bin)
    } else {
        bail!("Tessera {VERSION} cannot be built")
    }
}

fn name(package: &str) -> &str {
    package.rsplit('/').next().unwrap_or(package)
}

/// A log key of its own, in files that Tessera reads.
struct Keys {
    private: PathBuf,
    public: String,
}

impl Keys {
    fn make(programs: &Programs, root: &Path) -> Result<Self> {
        let folder = root.join("keys-of-a-server");
        let mut init = Command::new(programs.program("cairn-server"));
        init.args(["init", "--origin", "tessera.bench/log", "--data"]);
        let made: Value = serde_json::from_str(&run(init.arg(&folder))?)?;
        let public = made["log_key"].as_str().context("no log key")?.to_owned();
        let private = folder.join("keys/log.key");
        Ok(Self { private, public })
    }
}

/// A loopback address that is free now.
fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

fn wait_for(file: &Path) -> Result<()> {
    let begun = Instant::now();
    while !file.is_file() {
        if begun.elapsed() > PATIENCE {
            bail!("Tessera published no checkpoint");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A process that ends with its guard.
struct Guard(Child);

impl Guard {
    fn start(command: &mut Command, diagnostics: &Path) -> Result<Self> {
        let diagnostics = fs::File::create(diagnostics)?;
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Self(command.stderr(diagnostics).spawn()?))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
