//! The wall clock, as a seam.
//!
//! Owns reading the time. Does not own monotony: whoever persists a time compares it with the last
//! one and refuses to go back.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, from wherever they come.
///
/// Why a function and not a trait: there is exactly one question to ask.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The system's wall clock. A clock before 1970 reads as 0, which every monotony check refuses.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
