//! Campaigns with the real programs: one process, one folder, one fault at a time.
//!
//! Each campaign ends with the oracle over HTTP. A campaign whose tool is not installed says so and is
//! skipped. The bounded selection of an ordinary test run is widened by `CAIRN_SOAK_SECONDS`.

mod clocks;
mod copied;
mod damage;
mod injection;
mod office;
mod paused;
mod power;
mod programs;
mod pruning;
mod spool;
mod trace;
