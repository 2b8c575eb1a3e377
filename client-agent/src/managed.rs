//! Managed installation: Claude Code under Cairn however it is started, by files that only root writes.
//!
//! Owns which files, how they are written, checked and taken away, what Claude Code is told through
//! them at each start, and the proof that it obeys. Does not own any verdict.
//!
//! How it holds: a drop-in among Claude Code's managed settings carries the hooks and names a policy
//! helper, which is this program under another name. Claude Code runs it before anything else and does
//! not start when it fails. Its answer is the only managed source of that session, so it repeats the
//! hooks, adds what the policy in force says for this user, and keeps the managed settings of others.
//!
//! What it is not: a boundary against a developer who replaces the agent's program or gives it another
//! file system. That shows as an unmanaged run.
//!
//! Source: Claude Code findings 0, 1.5, 1.6, 1.7, 1.9 and 6.

mod agent;
mod canary;
mod drift;
mod install;
mod manifest;
mod mcp;
mod merge;
mod model;
mod pattern;
mod place;
mod plan;
mod proof;
mod settings;
mod supplier;

pub use canary::{CanaryError, canary};
pub use drift::{Drift, drifts};
pub use install::{Done, InstallError, Report, install, uninstall};
pub use manifest::{Manifest, ManifestError};
pub use pattern::{PatternError, state_folder};
pub use place::Place;
pub use plan::{Content, Item, Options, PlanError, plan};
pub use proof::{Proof, Standing, standing};
pub use supplier::{HELPER_NAME, HelperError, help};
