//! What every parser of foreign bytes must hold: functions of bytes that panic when it does not.
//!
//! Owns the properties. Two programs run them: `tests/replay.rs` on the committed seeds and a bounded,
//! repeatable mutation of them, and the fuzzers in `fuzz/` for as long as they are left alone. Most
//! properties are "what is read is written back with the same bytes": a second spelling of one value
//! is how two readers come to understand one text differently.

#[cfg(feature = "agent")]
pub mod agent;
pub mod event;
pub mod policy;
pub mod retention;
pub mod tlog;

/// A property: panics when it does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also the name of its folder of seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("note", tlog::note),
    ("checkpoint", tlog::checkpoint),
    ("vkey", tlog::vkey),
    ("tile_path", tlog::tile_path),
    ("entry_bundle", tlog::entry_bundle),
    ("proof", tlog::proof),
    ("receipt", tlog::receipt),
    ("trust_policy", tlog::trust_policy),
    ("add_checkpoint", tlog::add_checkpoint),
    ("entry", event::entry),
    ("frame", event::frame),
    ("disclosure", event::disclosure),
    ("assertion", event::assertion),
    ("kept", retention::kept),
    ("retention", retention::retention),
    ("policy_bundle", policy::bundle),
    ("bash", policy::bash),
    ("settings", policy::settings),
    #[cfg(feature = "agent")]
    ("hook", agent::hook),
];
