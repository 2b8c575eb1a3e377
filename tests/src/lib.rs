//! What several programs are needed for: examples that make load, and suites outside Rust.
//!
//! The library holds what the examples share: synthetic devices, a connection that costs little, and
//! printed figures. `examples/` holds the load of `cargo xtask bench`, `interop/` the suites of other
//! languages, `console/` the browser's, `claude/` the model of the demo.

pub mod connection;
pub mod figures;
pub mod fleet;
