//! The two texts that every pack carries for people.

/// How to verify a pack, with and without this project's programs.
pub const VERIFY_MD: &str = include_str!("../../data/VERIFY.md");

/// Leaf hashes, contiguity and totals in DuckDB's SQL.
pub const VERIFY_SQL: &str = include_str!("../../data/verify.sql");
