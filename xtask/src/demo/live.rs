//! Processes that run beside the demo: started, announced by their first line, ended by their pid.
//!
//! It owns nothing but the process. Each is ended when its guard is dropped, whatever happened.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a process may take to end by itself before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running process.
#[derive(Debug)]
pub struct Live {
    name: String,
    child: Child,
    first_line: String,
}

impl Live {
    /// Starts `command` with its diagnostics in `log` and waits for its first line of output.
    ///
    /// # Errors
    /// It cannot be started, or it ends without a line; the message names the diagnostics file.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let diagnostics = File::create(log).with_context(|| log.display().to_string())?;
        let spawned = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(diagnostics)
            .spawn();
        let mut child = spawned.with_context(|| format!("cannot start `{name}`"))?;
        let mut first_line = String::new();
        if let Some(output) = child.stdout.take() {
            let mut reader = BufReader::new(output);
            reader.read_line(&mut first_line)?;
            // The rest is read and dropped, so that the process never blocks on a full pipe.
            std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        }
        let first_line = first_line.trim().to_owned();
        let live = Self {
            name: name.to_owned(),
            child,
            first_line,
        };
        if live.first_line.is_empty() {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            bail!("`{name}` did not come up; it said:\n{said}");
        }
        Ok(live)
    }

    /// The first line it printed.
    #[must_use]
    pub fn first_line(&self) -> &str {
        &self.first_line
    }

    /// The address after `listening `.
    ///
    /// # Errors
    /// The first line says something else.
    pub fn address(&self) -> Result<&str> {
        let address = self.first_line.strip_prefix("listening ");
        address.with_context(|| format!("`{}` said `{}`", self.name, self.first_line))
    }

    /// Its process identifier.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without warning, as a crash would, and waits until it is gone.
    pub fn kill(&mut self) {
        // A process that is gone already cannot be killed, and that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end and waits; kills it when it does not.
    pub fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        let begun = Instant::now();
        while asked.is_ok() && begun.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // Nothing more can be done for a process that can be neither asked nor killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
    }
}
