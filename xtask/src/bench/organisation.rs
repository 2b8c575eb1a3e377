//! A small organisation to measure: one server on its embedded store, and the witnesses asked for.
//!
//! It owns the folders and the processes. Without witnesses nothing but the server itself is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::bench::programs::Programs;
use crate::demo::infrastructure::{run, start_witness};
use crate::demo::live::Live;

/// The log's name in a benchmark.
const ORIGIN: &str = "cairn.bench/acme";

/// The organisation; its server ends when this is dropped.
#[derive(Debug)]
pub struct Organisation {
    /// Address of the server.
    pub server: String,
    /// Process of the server.
    pub pid: u32,
    /// Folder in which the server puts mail.
    pub outbox: PathBuf,
    /// The trust policy: the log's key, and no quorum.
    pub trust_policy: PathBuf,
    /// The administrators' folder.
    pub office: PathBuf,
    /// Leaf hash of the genesis entry.
    pub genesis: String,
    /// Folder of the server.
    pub data: PathBuf,
    live: Live,
    _witnesses: Vec<Live>,
}

impl Organisation {
    /// Makes keys and genesis in `root` and starts the witnesses, all but one of which must cosign, and
    /// the server.
    ///
    /// # Errors
    /// A program fails; the message holds what it said.
    pub fn start(programs: &Programs, root: &Path, witnesses: &[&str]) -> Result<Self> {
        fs::create_dir_all(root)?;
        let (data, office) = (root.join("server"), root.join("office"));
        let program = programs.program("cairn-server");
        let keys = run(Command::new(&program)
            .args(["init", "--origin", ORIGIN, "--listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(&data))?;
        let keys: Value = serde_json::from_str(&keys)?;
        let log_key = keys["log_key"]
            .as_str()
            .context("the server printed no log key")?;
        let trust_policy = root.join("trust-policy.txt");
        let (live, policy) = cosigners(programs, root, log_key, witnesses)?;
        fs::write(&trust_policy, format!("log {log_key}\n{policy}"))?;
        let made = run(Command::new(programs.program("cairn"))
            .args(["org", "create", "--json", "--name", "Acme", "--server-keys"])
            .arg(data.join("server-keys.json"))
            .arg("--out")
            .arg(&office))?;
        let made: Value = serde_json::from_str(&made)?;
        let genesis = made["genesis_hash"].as_str().context("no genesis hash")?;
        let outbox = configure(&data, &trust_policy)?;
        let genesis_frame = office.join("genesis.frame");
        let mut serve = Command::new(&program);
        serve.args(["serve", "--data"]).arg(&data);
        serve.arg("--genesis").arg(genesis_frame);
        let server = Live::start("cairn-server", &mut serve, &root.join("server.txt"))?;
        Ok(Self {
            server: server.address()?.to_owned(),
            pid: server.pid(),
            outbox,
            trust_policy,
            office,
            genesis: genesis.to_owned(),
            data,
            live: server,
            _witnesses: live,
        })
    }

    /// Kills the server without warning and starts it again; gives the time until it listens.
    ///
    /// # Errors
    /// It does not come up.
    pub fn kill_and_start(&mut self, programs: &Programs) -> Result<Duration> {
        self.live.kill();
        let mut serve = Command::new(programs.program("cairn-server"));
        serve.args(["serve", "--data"]).arg(&self.data);
        let begun = Instant::now();
        let diagnostics = self.data.join("../server-again.txt");
        self.live = Live::start("cairn-server", &mut serve, &diagnostics)?;
        let elapsed = begun.elapsed();
        self.server = self.live.address()?.to_owned();
        self.pid = self.live.pid();
        Ok(elapsed)
    }

    /// `cairn` as an administrator runs it.
    #[must_use]
    pub fn administrator(&self, programs: &Programs, words: &[&str]) -> Command {
        let mut command = Command::new(programs.program("cairn"));
        command.args(words).arg("--admin").arg(&self.office);
        command.args(["--server", &self.server, "--trust-policy"]);
        command.arg(&self.trust_policy);
        command
    }
}

/// Starts witnesses and says in a trust policy that all but one must cosign.
fn cosigners(
    programs: &Programs,
    root: &Path,
    log_key: &str,
    names: &[&str],
) -> Result<(Vec<Live>, String)> {
    if names.is_empty() {
        return Ok((Vec::new(), "quorum none\n".to_owned()));
    }
    let (mut live, mut policy) = (Vec::new(), String::new());
    for name in names {
        let (process, key) = start_witness(programs.folder(), root, name, log_key)?;
        policy.push_str(&format!("witness {name} {key} {}\n", process.address()?));
        live.push(process);
    }
    let enough = names.len().saturating_sub(1).max(1);
    policy.push_str(&format!("group enough {enough} {}\n", names.join(" ")));
    policy.push_str("quorum enough\n");
    Ok((live, policy))
}

/// Quotas are off: the load comes from a handful of devices and stands for thousands.
fn configure(data: &Path, trust_policy: &Path) -> Result<PathBuf> {
    let outbox = data.join("outbox");
    fs::create_dir_all(&outbox)?;
    let config = format!(
        "listen = \"127.0.0.1:0\"\nallowed_domains = [\"acme.example\"]\ntrust_policy = {}\n\n\
         [mail]\noutbox = {}\nfrom = \"cairn@acme.example\"\n\n\
         [quota]\nentries_per_s = 0\n",
        json!(trust_policy),
        json!(outbox),
    );
    fs::write(data.join("config.toml"), config)?;
    Ok(outbox)
}
