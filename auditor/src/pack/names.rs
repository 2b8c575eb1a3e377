//! Names of the files in a pack, relative to its folder.

/// The list of all other files, with their digests.
pub const MANIFEST: &str = "manifest.json";
/// The signed checkpoint that everything is proven against.
pub const CHECKPOINT: &str = "proofs/checkpoint.txt";
/// The range proof.
pub const RANGE: &str = "proofs/range.json";
/// Entry 0 with its inclusion proof.
pub const GENESIS: &str = "proofs/genesis.json";
/// Entries from outside the range that rows depend on, one a line, each with its inclusion proof.
pub const CONTEXT: &str = "entries/context.jsonl";
/// The rows.
pub const EVENTS: &str = "data/events.parquet";
/// Results of control tests.
pub const RESULTS: &str = "controls/results.json";
/// The same as a sheet.
pub const RESULTS_CSV: &str = "controls/results.csv";
/// The catalogue: every test in SQL, every control.
pub const CATALOGUE: &str = "controls/controls.yaml";
/// Checks that need no program of ours, in SQL.
pub const VERIFY_SQL: &str = "verify.sql";
/// How to verify a pack, for people.
pub const VERIFY_MD: &str = "VERIFY.md";

/// The file of a table.
pub fn table(name: &str) -> String {
    format!("data/{name}.parquet")
}

/// The file of a policy bundle.
pub fn bundle(digest: &cairn_event::Sha256) -> String {
    format!("policy/{digest}.json")
}
