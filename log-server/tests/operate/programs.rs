//! Running programs: the server with a configuration of the test's, a witness, the auditor.

use crate::world::{Chain, World, write};
use cairn_event::frame::MEDIA_TYPE;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The program under test.
pub const SERVER: &str = env!("CARGO_BIN_EXE_cairn-server");

/// A program that prints where it listens; killed when dropped.
pub struct Running {
    pub child: Child,
    pub url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts a program and waits for its first line.
    pub fn start(command: &mut Command) -> Self {
        match Self::try_start(command) {
            Ok(running) => running,
            Err(text) => panic!("not listening: {text}"),
        }
    }

    /// As [`Running::start`]; what it said when it ended instead.
    pub fn try_start(command: &mut Command) -> Result<Self, String> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        let mut errors = child.stderr.take().unwrap();
        let Some(url) = first.strip_prefix("listening ") else {
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            child.wait().unwrap();
            return Err(format!("{first}{text}"));
        };
        // A full pipe would stop the program; what it says shows in a failed test.
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                eprintln!("{line}");
            }
        });
        Ok(Self {
            url: url.trim().to_owned(),
            child,
        })
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to end and waits until it has.
    pub fn end(mut self) {
        self.signal(rustix::process::Signal::TERM);
        assert!(self.child.wait().unwrap().success());
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("{}{path}", self.url)).await.unwrap()
    }

    pub async fn json(&self, path: &str) -> serde_json::Value {
        self.get(path).await.json().await.unwrap()
    }

    /// Submits frames; gives the status and the answer.
    pub async fn submit(&self, frames: &[String], wait: &str) -> (u16, serde_json::Value) {
        let sent = submission(&reqwest::Client::new(), &self.url, frames, wait);
        let answer = sent.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Submits frames and requires that all are in the log.
    pub async fn accept(&self, frames: &[String], wait: &str) {
        let (status, answer) = self.submit(frames, wait).await;
        assert_eq!(status, 200, "{answer}");
        for result in answer["results"].as_array().unwrap() {
            assert!(result["index"].is_u64(), "{answer}");
        }
    }

    /// Enrols the world's device and submits `count` heartbeats.
    pub async fn grow(&self, world: &World, seed: u8, count: usize) -> Chain {
        let (mut chain, first) = world.chain(seed);
        self.accept(&[world.roster()], "published").await;
        self.accept(&[first], "published").await;
        self.more(&mut chain, count).await;
        chain
    }

    pub async fn more(&self, chain: &mut Chain, count: usize) {
        for part in chain.many(count).chunks(256) {
            self.accept(part, "published").await;
        }
    }
}

/// A submission to be sent.
pub fn submission(
    client: &reqwest::Client,
    url: &str,
    frames: &[String],
    wait: &str,
) -> reqwest::RequestBuilder {
    let body: String = frames.iter().map(|frame| format!("{frame}\n")).collect();
    client
        .post(format!("{url}/v1/entries?wait={wait}"))
        .header("content-type", MEDIA_TYPE)
        .body(body)
}

/// Adds sections to the configuration of a world's data folder.
pub fn configure(data: &Path, sections: &str) {
    let path = data.join("config.toml");
    let mut tables: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    let more: toml::Table = sections.parse().unwrap();
    for (name, value) in more {
        tables.insert(name, value);
    }
    write(&path, &toml::to_string(&tables).unwrap());
}

/// `serve` of a world's data folder.
pub fn serve(world: &World) -> Command {
    let genesis = world.dir.path().join("genesis.frame");
    write(&genesis, &format!("{}\n", world.genesis()));
    let mut command = serve_folder(&world.data());
    command.arg("--genesis").arg(&genesis);
    command
}

/// `serve` of a data folder whose log has begun.
pub fn serve_folder(data: &Path) -> Command {
    let mut command = Command::new(SERVER);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .env("CAIRN_LOG", "warn");
    command
}

/// Runs the server program to its end.
pub fn run(arguments: &[&str], paths: &[&Path]) -> Output {
    let mut command = Command::new(SERVER);
    command.args(arguments).args(paths);
    command.env("CAIRN_LOG", "warn").output().unwrap()
}

/// What a program printed as JSON; it must have succeeded.
pub fn report(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", errors(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Another program of the workspace, which is built if nobody has done it yet.
pub fn program(package: &str) -> PathBuf {
    program_of(package, package)
}

/// A program of a package with another name.
pub fn program_of(package: &str, program: &str) -> PathBuf {
    let path = Path::new(SERVER).with_file_name(program);
    if !path.exists() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", package, "--bin", program])
            .status()
            .unwrap();
        assert!(built.success(), "{package} was not built");
    }
    path
}

/// A witness of its own folder, and the trust policy that asks for it.
pub struct Witness {
    pub running: Running,
    folder: TempDir,
    log_key: String,
    key: String,
}

impl Witness {
    pub fn start(log_key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new(program("cairn-witness"))
            .args(["init", "--name", "witness.example.com/1", "--out"])
            .arg(folder.path().join("key"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", errors(&made));
        let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let running = Running::start(serve_witness(folder.path(), log_key).arg("--new-state"));
        Self {
            running,
            folder,
            log_key: log_key.to_owned(),
            key,
        }
    }

    /// The witness again at its old address, with its state.
    pub fn restart(&mut self) {
        let address = self.running.url.trim_start_matches("http://").to_owned();
        self.kill();
        let mut command = serve_witness(self.folder.path(), &self.log_key);
        self.running = Running::start(command.args(["--listen", &address]));
    }

    pub fn kill(&mut self) {
        self.running.child.kill().unwrap();
        self.running.child.wait().unwrap();
    }

    /// Its line in a trust policy, under this name.
    pub fn line(&self, name: &str) -> String {
        format!("witness {name} {} {}\n", self.key, self.running.url)
    }

    pub fn trust_policy(&self) -> String {
        let (log, line) = (&self.log_key, self.line("w1"));
        format!("log {log}\n{line}quorum w1\n")
    }

    /// Makes a world's server ask for this witness; before its first start.
    pub fn of(world: &World) -> Self {
        let witness = Self::start(&world.public.log_key);
        write(&world.data().join("trust.policy"), &witness.trust_policy());
        let path = world.data().join("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        write(&path, &format!("trust_policy = \"trust.policy\"\n{text}"));
        witness
    }
}

fn serve_witness(folder: &Path, log_key: &str) -> Command {
    let keys = std::fs::read_dir(folder.join("key")).unwrap();
    let key = keys.map(|item| item.unwrap().path()).next().unwrap();
    let mut command = Command::new(program("cairn-witness"));
    command.args(["serve", "--log", log_key, "--key"]).arg(key);
    command.arg("--db").arg(folder.join("state.redb"));
    command.env("RUST_LOG", "warn");
    if !folder.join("state.redb").exists() {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command
}

/// Runs `cairn-audit log` and gives its verdict.
pub fn audit(place: &[&str], world: &World, folder: &Path) -> Output {
    let policy = folder.join("auditors.policy");
    let text = std::fs::read_to_string(world.data().join("trust.policy"));
    let witnessed = text.is_ok();
    let bare = || format!("log {}\nquorum none\n", world.public.log_key);
    write(&policy, &text.unwrap_or_else(|_| bare()));
    let genesis = world.genesis();
    let leaf = cairn_event::Sha256::of_leaf(crate::world::entry_of(&genesis).as_bytes());
    Command::new(program("cairn-audit"))
        .args(["log", "--genesis-hash", &leaf.to_string(), "--trust-policy"])
        .arg(&policy)
        // Without witnesses nobody says how old a checkpoint is.
        .args(
            (!witnessed)
                .then_some(["--max-age", "none"])
                .into_iter()
                .flatten(),
        )
        .args(place)
        .output()
        .unwrap()
}
