//! The wrapper: starts Claude Code or Codex under Cairn without any privilege.
//!
//! Owns the settings the agent is started with, what is refused on its command line and in its
//! environment, and which MCP servers it gets. Does not own any verdict.
//!
//! What it is not: a boundary. Whoever calls the agent directly is not under Cairn; only a managed
//! installation closes that. `cairn status` says so.
//!
//! Source: Claude Code findings 0, 1.7, 1.8 and 6.

mod codex;
mod environment;
mod flags;
mod inventory;
mod launch;
mod leftover;
mod plugins;
mod program;
mod settings;

pub use codex::codex;
pub(crate) use environment::held;
pub use flags::{FlagProblem, Flags};
pub use inventory::{ENTERPRISE, Inventory, InventoryError, inventory};
pub use launch::{WrapperError, claude};
pub(crate) use launch::{agent_config, agent_state_file, sweep, withhold_unapproved};
pub use leftover::{Leftover, leftovers, settings_files};
pub use program::{CLAUDE_CODE, CODEX, Make, Program, ProgramError, file_number};
pub(crate) use settings::{Reach, hold, report_to, settings};
