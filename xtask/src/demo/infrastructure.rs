//! The organisation's side of the demo: one server on its embedded store and three witnesses.
//!
//! It owns their folders, their trust policy and their processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::demo::live::Live;

/// The log's name in the demo.
pub const ORIGIN: &str = "cairn.demo/acme";

/// Witness names; two of the three must cosign.
const WITNESSES: [&str; 3] = ["witness.demo/ada", "witness.demo/ben", "witness.demo/cleo"];

/// Everything that runs on the organisation's side.
#[derive(Debug)]
pub struct Infrastructure {
    /// Address of the server.
    pub server: String,
    /// Folder in which the server puts mail.
    pub outbox: PathBuf,
    /// The trust policy, as auditors and devices are given it.
    pub trust_policy: PathBuf,
    /// The administrators' folder: keys that never touch the server.
    pub office: PathBuf,
    /// Leaf hash of the genesis entry.
    pub genesis: String,
    live: Vec<Live>,
}

impl Infrastructure {
    /// Makes keys, starts the witnesses, creates the organisation, starts the server.
    ///
    /// # Errors
    /// A program fails; its diagnostics are in the message or in `root`.
    pub fn start(programs: &Path, dist: &Path, root: &Path) -> Result<Self> {
        let data = root.join("server");
        let keys = run(Command::new(programs.join("cairn-server"))
            .args([
                "init",
                "--origin",
                ORIGIN,
                "--listen",
                "127.0.0.1:0",
                "--data",
            ])
            .arg(&data))?;
        let keys: Value = serde_json::from_str(&keys)?;
        let log_key = keys["log_key"]
            .as_str()
            .context("the server printed no log key")?;

        let mut live = Vec::new();
        let mut policy = format!("log {log_key}\n");
        for name in WITNESSES {
            let (process, vkey) = start_witness(programs, root, name, log_key)?;
            policy.push_str(&format!("witness {name} {vkey} {}\n", process.address()?));
            live.push(process);
        }
        policy.push_str(&format!("group two-of-three 2 {}\n", WITNESSES.join(" ")));
        policy.push_str("quorum two-of-three\n");
        let trust_policy = root.join("trust-policy.txt");
        fs::write(&trust_policy, policy)?;

        let office = root.join("office");
        let made = run(Command::new(dist.join("cairn"))
            .args(["org", "create", "--json", "--name", "Acme", "--server-keys"])
            .arg(data.join("server-keys.json"))
            .arg("--out")
            .arg(&office))?;
        let made: Value = serde_json::from_str(&made)?;
        let genesis = made["genesis_hash"]
            .as_str()
            .context("no genesis hash")?
            .to_owned();
        let outbox = configure(&data, &trust_policy, dist)?;
        let server = Live::start(
            "cairn-server",
            Command::new(programs.join("cairn-server"))
                .args(["serve", "--data"])
                .arg(&data)
                .arg("--genesis")
                .arg(office.join("genesis.frame")),
            &root.join("server.txt"),
        )?;
        let address = server.address()?.to_owned();
        live.insert(0, server);
        Ok(Self {
            server: address,
            outbox,
            trust_policy,
            office,
            genesis,
            live,
        })
    }

    /// Ends the server, then the witnesses.
    pub fn stop(&mut self) {
        for process in &mut self.live {
            process.stop();
        }
    }
}

/// Makes a witness key for one log and starts the witness; gives it with its verifier key.
///
/// # Errors
/// The program fails; its diagnostics are in `root`.
pub fn start_witness(
    programs: &Path,
    root: &Path,
    name: &str,
    log_key: &str,
) -> Result<(Live, String)> {
    let program = programs.join("cairn-witness");
    let folder = root.join(name.replace('/', "-"));
    let vkey = run(Command::new(&program)
        .args(["init", "--name", name, "--out"])
        .arg(&folder))?;
    let process = Live::start(
        name,
        Command::new(&program)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--log",
                log_key,
                "--key",
            ])
            .arg(folder.join("witness.key"))
            .arg("--db")
            .arg(folder.join("state.redb"))
            .arg("--new-state"),
        &folder.join("diagnostics.txt"),
    )?;
    Ok((process, vkey.trim().to_owned()))
}

/// Adds what an operator would write into `config.toml`.
fn configure(data: &Path, trust_policy: &Path, dist: &Path) -> Result<PathBuf> {
    let outbox = data.join("outbox");
    fs::create_dir_all(&outbox)?;
    let config = format!(
        "listen = \"127.0.0.1:0\"\nallowed_domains = [\"acme.example\"]\ntrust_policy = {}\ndist = {}\n\n\
         [mail]\noutbox = {}\nfrom = \"cairn@acme.example\"\n",
        quoted(trust_policy),
        quoted(dist),
        quoted(&outbox),
    );
    fs::write(data.join("config.toml"), config)?;
    Ok(outbox)
}

fn quoted(path: &Path) -> String {
    Value::String(path.display().to_string()).to_string()
}

/// Runs a program to its end and gives its standard output.
///
/// # Errors
/// It cannot be started or does not succeed; the message holds what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let shown = command.get_program().display().to_string();
    let output = command
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let args: Vec<_> = command
        .get_args()
        .map(|arg| arg.display().to_string())
        .collect();
    bail!(
        "`{shown} {}` failed ({}):\n{said}",
        args.join(" "),
        output.status
    )
}
