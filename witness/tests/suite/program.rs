//! The real program as a child process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The program under test.
pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_cairn-witness"))
}

/// Runs to the end.
pub fn run(args: &[&str]) -> Output {
    command().args(args).output().unwrap()
}

/// `serve` in a child process; killed when dropped.
pub struct Running {
    pub child: Child,
    pub url: String,
}

impl Running {
    /// Starts `serve` on a free port, with a new state on its first start in `folder`, and reads the
    /// address from its first line.
    pub fn start(folder: &Path, log: &str) -> Self {
        let state = folder.join("witness.redb");
        let first = (!state.exists()).then_some("--new-state");
        let mut child = command()
            .args(["serve", "--listen", "127.0.0.1:0", "--log", log, "--key"])
            .arg(folder.join("witness.key"))
            .arg("--db")
            .arg(state)
            .args(first)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let url = line
            .trim_end()
            .strip_prefix("listening ")
            .expect("a first line")
            .to_owned();
        assert!(url.starts_with("http://127.0.0.1:"));
        Self { child, url }
    }

    /// SIGKILL, and wait for the end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit status.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already ended after `kill` and `terminate`; then both calls do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
