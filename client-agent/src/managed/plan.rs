//! What an installation consists of: every path with its content, before anything is written.
//!
//! Owns the list. The order is the order of writing: programs before what names them, and last the
//! settings file, which is what makes Claude Code obey.

use super::pattern::{self, PatternError};
use super::place::{CAIRN, COMMAND, HELPER, HOOK, SERVERS, SETTINGS, UNIT, WANTED};
use super::{mcp, settings};
use crate::policy::second_line;
use cairn_policy::{Bundle, Subject};
use serde_json::Value;
use std::path::PathBuf;

/// Permission bits of a program.
const PROGRAM_MODE: u32 = 0o755;

/// Permission bits of everything else; nothing in it is secret.
const TEXT_MODE: u32 = 0o644;

/// Largest program; with debug information ours are under 300 MiB.
const PROGRAM_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file with these bytes and permission bits.
    File(Vec<u8>, u32),
    /// A symbolic link that says this.
    Link(String),
}

/// One path of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Absolute path in the installed system.
    pub path: &'static str,
    /// What lies there.
    pub content: Content,
    /// Whether its text is worth showing.
    pub is_text: bool,
}

/// What is installed.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program `cairn` that is copied.
    pub cairn: PathBuf,
    /// The program `cairn-hook` that is copied.
    pub hook: PathBuf,
    /// Pattern of each user's state folder; the usual one where absent.
    pub state: Option<String>,
    /// Server at which developers enrol.
    pub server: Option<String>,
    /// Policy whose global denies go into the settings file as a second line.
    pub bundle: Option<Bundle>,
    /// Whether the policy's MCP servers become the only ones on this machine.
    pub managed_mcp: bool,
    /// The time, milliseconds since 1970, for rules that end.
    pub now_ms: u64,
}

impl Options {
    /// The pattern of each user's state folder.
    pub fn pattern(&self) -> &str {
        self.state.as_deref().unwrap_or(pattern::DEFAULT)
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The state pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A program cannot be read.
    #[error("a program to install: {0}")]
    Program(#[from] cairn_durable::file::ReadFileError),
    /// Managed servers were asked for and no policy was given.
    #[error("managed MCP servers come from a policy; give one with `--policy`")]
    NoPolicy,
    /// Settings have no text form.
    #[error("settings: {0}")]
    Form(#[from] serde_json::Error),
}

/// The plan, with the names of MCP servers that cannot be in it.
///
/// Errors: [`PlanError`]; nothing was written.
pub fn plan(options: &Options) -> Result<(Vec<Item>, Vec<String>), PlanError> {
    pattern::check(options.pattern())?;
    let program = |path: &'static str, from: &PathBuf| -> Result<Item, PlanError> {
        let bytes = cairn_durable::read_limited(from, PROGRAM_BYTES_MAX)?;
        Ok(Item {
            path,
            content: Content::File(bytes, PROGRAM_MODE),
            is_text: false,
        })
    };
    let link = |path: &'static str, to: &str| Item {
        path,
        content: Content::Link(to.to_owned()),
        is_text: true,
    };
    let mut items = vec![
        program(CAIRN, &options.cairn)?,
        program(HOOK, &options.hook)?,
        link(HELPER, CAIRN),
        link(COMMAND, CAIRN),
        text(UNIT, unit(options.pattern())),
        link(WANTED, UNIT),
    ];
    let mut left_out = Vec::new();
    let mut deny = Vec::new();
    if let Some(bundle) = &options.bundle {
        // Nobody in particular: what a team or a person may do is said to each session by the helper.
        deny = second_line(bundle, &Subject::default(), options.now_ms);
        if options.managed_mcp {
            let (servers, without) = mcp::file(&bundle.mcp);
            left_out = without;
            items.push(text(SERVERS, pretty(&servers)?));
        }
    } else if options.managed_mcp {
        return Err(PlanError::NoPolicy);
    }
    items.push(text(
        SETTINGS,
        pretty(&settings::file(options.pattern(), &deny))?,
    ));
    Ok((items, left_out))
}

fn text(path: &'static str, text: String) -> Item {
    Item {
        path,
        content: Content::File(text.into_bytes(), TEXT_MODE),
        is_text: true,
    }
}

fn pretty(value: &Value) -> Result<String, serde_json::Error> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// The daemon as a service of every user who is enrolled.
fn unit(state: &str) -> String {
    let state = pattern::unit_form(state);
    format!(
        "# Written by `cairn install --managed`; `cairn uninstall --managed` takes it away.\n\
         [Unit]\n\
         Description=Cairn: decides and records what AI coding agents do\n\
         ConditionPathExists={state}/identity.json\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Environment=CAIRN_HOME={state}\n\
         ExecStart={CAIRN} daemon run\n\
         # Stopped in order it stays stopped until the next agent starts; killed it comes back.\n\
         Restart=on-failure\n\
         RestartSec=2\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}
