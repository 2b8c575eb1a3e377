//! The library behind `cargo xtask`, split so that its checks are also ordinary tests.
//!
//! It owns the order of the steps, the installation of tools and the rules of the house. It does not
//! know the product: it starts the product's own programs and tests.
//!
//! Reading order: `context` (where things are), `claim` (whose packages the cache holds), `process`
//! (running one child), `apt` and `tools` (what must be there), `console`, `steps`, `suites`, `test`,
//! `conformance`, `soak`, and last `tidy`.

pub mod apt;
pub mod bench;
pub mod cache;
pub mod claim;
pub mod conformance;
pub mod console;
pub mod context;
pub mod counts;
pub mod demo;
pub mod process;
pub mod soak;
pub mod steps;
pub mod suites;
pub mod test;
pub mod tidy;
pub mod tools;
