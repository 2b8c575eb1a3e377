//! Running one child process: a header line, its output as it comes, the time it took.
//!
//! It owns how a child is shown and which environment it gets. It does not know what the child does.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::context::Context;

/// How long a quiet child may run before a line says that it still does: long enough not to drown its
/// own output, short enough that nobody thinks it hangs.
const PULSE: Duration = Duration::from_secs(60);

/// One child process with the environment that every child of this program gets.
pub struct Process {
    title: String,
    pulse: Option<String>,
    command: Command,
}

impl Process {
    /// Prepares `program` to run in the checkout.
    ///
    /// `CARGO_TARGET_DIR` points into the cache, and the C and C++ compilers go through ccache where it
    /// is installed, so that RocksDB is compiled once and survives a lost target directory.
    pub fn new(context: &Context, title: impl Into<String>, program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(&context.checkout)
            .env("CARGO_TARGET_DIR", context.cache.target());
        // A cargo started by cargo must see what it would see from a shell, or it compiles again.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&*name);
            }
        }
        if find("ccache").is_some() {
            for (variable, compiler) in [("CC", "ccache cc"), ("CXX", "ccache c++")] {
                if env::var_os(variable).is_none() {
                    command.env(variable, compiler);
                }
            }
        }
        Self {
            title: title.into(),
            pulse: None,
            command,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in `directory` instead of the checkout.
    #[must_use]
    pub fn dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Puts `folders` before the rest of `PATH`.
    #[must_use]
    pub fn path_first(mut self, folders: &[PathBuf]) -> Self {
        let rest = env::var_os("PATH").unwrap_or_default();
        let all = folders.iter().cloned().chain(env::split_paths(&rest));
        if let Ok(joined) = env::join_paths(all) {
            self.command.env("PATH", joined);
        }
        self
    }

    /// Says every minute that a long child still runs, and why it may take long.
    #[must_use]
    pub fn pulse(mut self, why: &str) -> Self {
        self.pulse = Some(why.to_owned());
        self
    }

    /// The prepared command, for a caller that runs it without a header line.
    #[must_use]
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Runs to the end with its output on ours; true means exit code 0.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn run(mut self) -> Result<bool> {
        self.announce();
        let begun = Instant::now();
        let pulse = self.start_pulse(begun);
        let status = self.command.stdin(Stdio::null()).status();
        drop(pulse);
        let success = status.with_context(|| self.unstartable())?.success();
        self.conclude(begun, success);
        Ok(success)
    }

    /// Runs to the end and fails unless the exit code is 0.
    ///
    /// # Errors
    /// The program cannot be started or does not succeed.
    pub fn must(self) -> Result<()> {
        let title = self.title.clone();
        if self.run()? {
            Ok(())
        } else {
            bail!("`{title}` failed")
        }
    }

    /// Runs to the end, hands each line of standard output to `line`, and prints it; true means exit
    /// code 0. Standard error goes straight to ours.
    ///
    /// # Errors
    /// The program cannot be started or its output cannot be read.
    pub fn run_with_lines(mut self, mut line: impl FnMut(&str)) -> Result<bool> {
        self.announce();
        let begun = Instant::now();
        let pulse = self.start_pulse(begun);
        let child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.with_context(|| self.unstartable())?;
        if let Some(output) = child.stdout.take() {
            let mut reader = BufReader::new(output);
            let mut bytes = Vec::new();
            // A test may print bytes that are not UTF-8; they are shown, not treated as an error.
            while reader.read_until(b'\n', &mut bytes)? > 0 {
                let text = String::from_utf8_lossy(&bytes);
                print!("{text}");
                line(text.trim_end());
                bytes.clear();
            }
        }
        let success = child.wait()?.success();
        drop(pulse);
        self.conclude(begun, success);
        Ok(success)
    }

    fn announce(&self) {
        println!("\n==> {}", self.title);
        println!("    $ {}", shown(&self.command));
    }

    fn conclude(&self, begun: Instant, success: bool) {
        let word = if success { "done" } else { "FAILED" };
        println!(
            "    {word}: {} ({:.1} s)",
            self.title,
            begun.elapsed().as_secs_f64()
        );
    }

    fn unstartable(&self) -> String {
        format!("cannot start `{}`", self.command.get_program().display())
    }

    /// Starts the pulse; it ends when the returned sender is dropped. Cargo shows its own progress bar
    /// on a terminal, so nothing is said there.
    fn start_pulse(&self, begun: Instant) -> Option<mpsc::Sender<()>> {
        let why = self
            .pulse
            .clone()
            .filter(|_| !std::io::stderr().is_terminal())?;
        let (alive, ended) = mpsc::channel::<()>();
        thread::spawn(move || {
            while ended.recv_timeout(PULSE) == Err(RecvTimeoutError::Timeout) {
                println!(
                    "    … {} s, still running: {why}",
                    begun.elapsed().as_secs()
                );
            }
        });
        Some(alive)
    }
}

/// What a program prints on standard output when asked, without showing anything; `None` where it
/// cannot be started or does not succeed.
#[must_use]
pub fn answer(program: impl AsRef<OsStr>, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// The first file of that name on `PATH`, and in the system folders that a user's `PATH` may lack.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_exit_codes_come_back() {
        let context = Context::new(false).unwrap();
        let mut seen = Vec::new();
        let process =
            Process::new(&context, "two lines", "sh").args(["-c", "echo one; echo two; exit 3"]);
        let success = process
            .run_with_lines(|line| seen.push(line.to_owned()))
            .unwrap();
        assert!(!success);
        assert_eq!(seen, ["one", "two"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let context = Context::new(false).unwrap();
        assert!(
            Process::new(&context, "nothing", "cairn-no-such-program")
                .run()
                .is_err()
        );
        assert_eq!(find("cairn-no-such-program"), None);
        assert!(find("sh").is_some());
    }
}
