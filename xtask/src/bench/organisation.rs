//! A small organisation to measure: one server on its embedded store, no witness.
//!
//! It owns the folders and the process. Without witnesses nothing but the server itself is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::bench::programs::Programs;
use crate::demo::infrastructure::run;
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
    _live: Live,
}

impl Organisation {
    /// Makes keys and genesis in `root` and starts the server.
    ///
    /// # Errors
    /// A program fails; the message holds what it said.
    pub fn start(programs: &Programs, root: &Path) -> Result<Self> {
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
        fs::write(&trust_policy, format!("log {log_key}\nquorum none\n"))?;
        let made = run(Command::new(programs.program("cairn"))
            .args(["org", "create", "--json", "--name", "Acme", "--server-keys"])
            .arg(data.join("server-keys.json"))
            .arg("--out")
            .arg(&office))?;
        let made: Value = serde_json::from_str(&made)?;
        let genesis = made["genesis_hash"].as_str().context("no genesis hash")?;
        let outbox = configure(&data, &trust_policy)?;
        let live = Live::start(
            "cairn-server",
            Command::new(&program)
                .args(["serve", "--data"])
                .arg(&data)
                .arg("--genesis")
                .arg(office.join("genesis.frame")),
            &root.join("server.txt"),
        )?;
        Ok(Self {
            server: live.address()?.to_owned(),
            pid: live.pid(),
            outbox,
            trust_policy,
            office,
            genesis: genesis.to_owned(),
            _live: live,
        })
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

fn configure(data: &Path, trust_policy: &Path) -> Result<PathBuf> {
    let outbox = data.join("outbox");
    fs::create_dir_all(&outbox)?;
    let config = format!(
        "listen = \"127.0.0.1:0\"\nallowed_domains = [\"acme.example\"]\ntrust_policy = {}\n\n\
         [mail]\noutbox = {}\nfrom = \"cairn@acme.example\"\n",
        json!(trust_policy),
        json!(outbox),
    );
    fs::write(data.join("config.toml"), config)?;
    Ok(outbox)
}
