//! Where the files of a managed installation lie.
//!
//! Source: Claude Code findings 1.5 (Linux); Filesystem Hierarchy Standard 3.0 for the rest.

use super::merge;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The programs, apart from any package's and any user's own.
pub(super) const PROGRAMS: &str = "/usr/local/lib/cairn";
/// This program.
pub(super) const CAIRN: &str = "/usr/local/lib/cairn/cairn";
/// The hook shim.
pub(super) const HOOK: &str = "/usr/local/lib/cairn/cairn-hook";
/// This program under the name by which it is the policy helper.
pub(super) const HELPER: &str = "/usr/local/lib/cairn/cairn-policy-helper";
/// The command as people type it.
pub(super) const COMMAND: &str = "/usr/local/bin/cairn";
/// What was installed; read by everything that asks whether this machine is managed.
pub(super) const MANIFEST: &str = "/etc/cairn/managed.json";
/// Claude Code's own folder of managed settings.
pub(super) const AGENT: &str = "/etc/claude-code";
/// Settings of Cairn, beside which others may have theirs.
pub(super) const SETTINGS: &str = "/etc/claude-code/managed-settings.d/50-cairn.json";
/// Managed MCP servers; there is one such file, and with it no other server runs.
pub(super) const SERVERS: &str = "/etc/claude-code/managed-mcp.json";
/// The daemon as a service of every user.
pub(super) const UNIT: &str = "/etc/systemd/user/cairn.service";
/// What makes it start with each user's session.
pub(super) const WANTED: &str = "/etc/systemd/user/default.target.wants/cairn.service";

/// A file system in which an installation lies: the machine's own, or a folder that plays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(PathBuf);

impl Place {
    /// The machine's own file system.
    pub fn machine() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A folder that plays it, for packages and images.
    pub fn at(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// Whether it is the machine's own.
    pub fn is_machine(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Where an absolute path of the installed system is from here.
    pub fn inside(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Whose files they must be: root's, or in a folder those of whoever fills it.
    pub fn owner(&self) -> u32 {
        if self.is_machine() {
            0
        } else {
            rustix::process::geteuid().as_raw()
        }
    }

    /// Whether an installation lies here, whole or not.
    pub fn is_managed(&self) -> bool {
        self.inside(MANIFEST).exists()
    }

    /// The variables that managed settings of others set here.
    pub fn variables_of_others(&self) -> BTreeSet<String> {
        merge::variables_of_others(self)
    }

    /// Whether only managed MCP servers run here, because the agent's own file says so.
    pub fn has_managed_servers(&self) -> bool {
        self.managed_servers().exists()
    }

    /// The agent's own file of managed servers, whoever wrote it.
    pub fn managed_servers(&self) -> PathBuf {
        self.inside(SERVERS)
    }
}
