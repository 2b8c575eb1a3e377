//! The agent that asks: the process that started the policy helper.
//!
//! Owns reading it. Claude Code starts the helper itself, in the folder `/` and without its words, so
//! its folder and words come from `/proc`.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Largest command line read.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// Flags that bring plug-ins, agents or servers into one session.
const SIDELOADING: [&str; 5] = [
    "--agents",
    "--mcp-config",
    "--plugin-dir",
    "--plugin-dir-no-mcp",
    "--plugin-url",
];

/// What is known of the agent's process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AgentProcess {
    /// Its number.
    pub pid: u32,
    /// Its words after the program's name.
    pub words: Vec<String>,
    /// The folder it works in.
    pub cwd: PathBuf,
    /// Its program.
    pub exe: PathBuf,
}

impl AgentProcess {
    /// The process that started this one.
    ///
    /// Errors: what the kernel says; the helper then refuses.
    pub fn parent() -> std::io::Result<Self> {
        let pid = std::os::unix::process::parent_id();
        let folder = Path::new("/proc").join(pid.to_string());
        let bytes = cairn_durable::read_limited(&folder.join("cmdline"), TEXT_BYTES_MAX)
            .map_err(std::io::Error::other)?;
        let words = String::from_utf8_lossy(&bytes)
            .split_terminator('\0')
            .skip(1)
            .map(str::to_owned)
            .collect();
        Ok(Self {
            pid,
            words,
            cwd: std::fs::read_link(folder.join("cwd"))?,
            exe: std::fs::read_link(folder.join("exe"))?,
        })
    }

    /// The environment it was started with: what it has put in since, from settings, is not in it.
    ///
    /// Errors: what the kernel says; the helper then refuses.
    pub fn environment(&self) -> std::io::Result<HashMap<OsString, OsString>> {
        let path = Path::new("/proc").join(self.pid.to_string());
        let bytes = cairn_durable::read_limited(&path.join("environ"), TEXT_BYTES_MAX * 8)
            .map_err(std::io::Error::other)?;
        let pairs = bytes.split(|byte| *byte == 0).filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = pair.split_at_checked(at)?;
            let text = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
            Some((text(name), text(value.strip_prefix(b"=")?)))
        });
        Ok(pairs.collect())
    }

    /// Values of `--mcp-config`, without the file that the wrapper wrote.
    pub fn server_files(&self, own: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut words = self.flags().peekable();
        while let Some(word) = words.next() {
            if let Some(value) = word.strip_prefix("--mcp-config=") {
                found.push(value.to_owned());
            } else if word == "--mcp-config" {
                while let Some(value) = words.next_if(|next| !next.starts_with('-')) {
                    found.push(value.clone());
                }
            }
        }
        found.retain(|file| Path::new(file) != own);
        found
    }

    /// Whether the only thing brought in by flags is the wrapper's own file of servers.
    pub fn is_wrapped(&self, own: &Path) -> bool {
        let sideloads: Vec<&String> = self
            .flags()
            .filter(|word| {
                let name = word.split('=').next().unwrap_or_default();
                SIDELOADING.contains(&name)
            })
            .collect();
        let words: Vec<&str> = self.flags().map(String::as_str).collect();
        let own = own.to_string_lossy();
        let given = ["--mcp-config", own.as_ref(), "--strict-mcp-config"];
        sideloads.len() == 1 && words.windows(3).any(|three| three == given)
    }

    fn flags(&self) -> impl Iterator<Item = &String> {
        self.words.iter().take_while(|word| *word != "--")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(words: &str) -> AgentProcess {
        AgentProcess {
            words: words.split(' ').map(str::to_owned).collect(),
            ..AgentProcess::default()
        }
    }

    #[test]
    fn only_the_wrappers_own_file_lifts_the_lock() {
        let own = Path::new("/s/claude/7.mcp.json");
        let ours = "--mcp-config /s/claude/7.mcp.json --strict-mcp-config";
        assert!(agent(&format!("{ours} -p hi")).is_wrapped(own));
        assert!(agent(&format!("{ours} -p -- --agents")).is_wrapped(own));
        for wrong in [
            "-p hi".to_owned(),
            format!("{ours} --agents={{}}"),
            format!("{ours} --plugin-dir /x"),
            format!("{ours} --mcp-config /y"),
            "--mcp-config /s/claude/7.mcp.json /y --strict-mcp-config".to_owned(),
            format!("-- {ours}"),
        ] {
            assert!(!agent(&wrong).is_wrapped(own), "{wrong}");
        }
    }

    #[test]
    fn servers_on_the_command_line_are_found() {
        let own = Path::new("/own");
        let found =
            agent("--mcp-config a b --x --mcp-config=c --mcp-config /own").server_files(own);
        assert_eq!(found, ["a", "b", "c"]);
    }

    #[test]
    fn the_parent_is_a_process() {
        let parent = AgentProcess::parent().unwrap();
        assert!(parent.pid > 0 && parent.cwd.is_absolute() && parent.exe.is_absolute());
        let environment = parent.environment().unwrap();
        assert!(
            environment
                .get(OsStr::new("PATH"))
                .is_some_and(|path| !path.is_empty())
        );
    }
}
