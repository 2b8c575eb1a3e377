//! The commands of administrators as they type them: policy and organisation.
//!
//! Owns names, arguments and help. Does not own what they do.

use super::{HaltArguments, pruning};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Who signs as administrator, and where to.
#[derive(Debug, Args)]
pub struct AdminArguments {
    /// Folder that `cairn org create` made: administrator keys and genesis.
    #[arg(long)]
    pub admin: PathBuf,
    /// Address of the server.
    #[arg(long, alias = "url")]
    pub server: String,
    /// Trust policy (C2SP tlog-policy); without it the server's own is used, with a warning.
    #[arg(long)]
    pub trust_policy: Option<PathBuf>,
}

/// Commands about policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Turn Claude Code settings files into a bundle on standard output.
    Import {
        /// The files; each keeps its exact meaning as global rules.
        #[arg(required = true)]
        settings: Vec<PathBuf>,
        /// Whom a blocked developer asks.
        #[arg(long, default_value = "your security team")]
        contact: String,
    },
    /// Turn a bundle back into Claude Code settings; what they cannot say is named.
    Export {
        /// The bundle, YAML or JSON.
        bundle: PathBuf,
    },
    /// Check a bundle: what does not compile, never decides, or says less than it seems.
    Lint {
        /// The bundle, YAML or JSON.
        bundle: PathBuf,
    },
    /// Run the tests that lie beside a bundle.
    Test {
        /// The bundle, YAML or JSON, with `tests` in it.
        bundle: PathBuf,
        /// More tests, in a file of their own; may be repeated.
        #[arg(long)]
        tests: Vec<PathBuf>,
    },
    /// Show which rules differ between two bundles, and which calls change.
    Diff {
        /// The old bundle.
        old: PathBuf,
        /// The new bundle.
        new: PathBuf,
    },
    /// Show what `apply` would change against the policy in force; changes nothing.
    Plan {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
        /// The bundle, YAML or JSON.
        bundle: PathBuf,
    },
    /// Replay recorded actions through a proposed bundle; changes nothing.
    Simulate {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
        /// The bundle, YAML or JSON.
        bundle: PathBuf,
        /// How many days back.
        #[arg(long, default_value_t = 7)]
        days: u64,
    },
    /// Print `{"effective":…,"rule":…}` for rows of permissions and a call, a line a row.
    Verdict {
        /// The rows, a JSON object a line; `-` for standard input.
        #[arg(long)]
        cases: PathBuf,
    },
    /// Put a bundle in force: upload, sign, submit, wait for the witnessed receipt.
    Apply {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The bundle, YAML or JSON; `version` may be left out.
        bundle: PathBuf,
    },
    /// Halt coding agents at once: sessions end, and none starts until `resume`.
    Halt {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// Whom, and how.
        #[command(flatten)]
        halt: HaltArguments,
    },
    /// Lift every halt.
    Resume {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
    },
    /// Show which devices run which version; fails where one that is heard of does not run the newest.
    Status {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
    },
    /// Show the policy in force on this device.
    Show,
}

/// Commands about the organisation.
#[derive(Debug, Subcommand)]
pub enum OrgCommand {
    /// Make administrator keys and the genesis entry, off the server.
    Create {
        /// Public keys of the server (`server-keys.json` of `cairn-server init`).
        #[arg(long)]
        server_keys: PathBuf,
        /// Name of the organisation.
        #[arg(long)]
        name: String,
        /// Folder for keys and genesis; must not exist.
        #[arg(long)]
        out: PathBuf,
        /// How many administrator keys; 1, or as many as the folder of the closed log has.
        #[arg(long)]
        admins: Option<u32>,
        /// How many of them must agree; 1, or as in the closed log.
        #[arg(long)]
        threshold: Option<u32>,
        /// Let the server's online key put policy in force alone (small installations; shown).
        #[arg(long)]
        policy_by_online_key: bool,
        /// Make the successor of a closed log: the evidence that `close-log` wrote.
        #[arg(long, requires_all = ["administrators", "trust_policy"])]
        succeeds: Option<PathBuf>,
        /// Folder with administrator keys of the closed log; they are kept, and sign.
        #[arg(long, requires = "succeeds")]
        administrators: Option<PathBuf>,
        /// Trust policy (C2SP tlog-policy) of the closed log.
        #[arg(long, requires = "succeeds")]
        trust_policy: Option<PathBuf>,
    },
    /// Close the log for ever and write the evidence that a successor needs.
    CloseLog {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Public keys of the successor's server: no other log can then succeed this one.
        #[arg(long)]
        successor_keys: Option<PathBuf>,
        /// File for the evidence; must not exist.
        #[arg(long)]
        out: PathBuf,
        /// Close without asking, for scripts. Without it the log's name has to be typed on a terminal.
        #[arg(long)]
        yes: bool,
    },
    /// Agree that old entries of the log are pruned, as `cairn-server prune --plan` has worked out.
    ///
    /// The log is read up to the end of the range, held against a witnessed checkpoint, and what must stay is
    /// worked out again here: where the server says otherwise, nothing is signed. Needs `--trust-policy`.
    Prune {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// What is signed.
        #[command(flatten)]
        prune: pruning::PruneArguments,
    },
    /// Add a person; the address is confidential in the log.
    PersonAdd {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The person's address.
        #[arg(long)]
        email: String,
        /// Role: admin, security, auditor or developer; may be repeated.
        #[arg(long = "role", default_value = "developer")]
        roles: Vec<String>,
        /// Team; may be repeated.
        #[arg(long = "team")]
        teams: Vec<String>,
    },
    /// Replace a person's roles and teams.
    PersonUpdate {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The person (`p_…`) or their address.
        #[arg(long)]
        person: String,
        /// Role; may be repeated.
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
        /// Team; may be repeated.
        #[arg(long = "team")]
        teams: Vec<String>,
    },
    /// Remove a person; their devices are revoked with them.
    PersonRemove {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The person (`p_…`) or their address.
        #[arg(long)]
        person: String,
    },
    /// Add a team.
    TeamAdd {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// Identifier: a-z, 0-9 and -.
        #[arg(long)]
        team: String,
        /// Display name.
        #[arg(long)]
        name: String,
    },
    /// Revoke a device.
    DeviceRevoke {
        /// Who signs, and where to.
        #[command(flatten)]
        admin: AdminArguments,
        /// The device (`d_…`).
        #[arg(long)]
        device: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Show people, teams and devices.
    Show {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
    },
    /// Write a short-lived access token for `cairn-export` and `cairn-audit` to a file.
    Token {
        /// Who asks, and where.
        #[command(flatten)]
        admin: AdminArguments,
        /// The file; only its owner can read it.
        #[arg(long)]
        out: PathBuf,
    },
}
