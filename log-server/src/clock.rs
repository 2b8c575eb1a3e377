//! The clocks, as a seam.
//!
//! Owns reading the time, and not believing a wall clock that leaps forward (the rule itself is
//! `cairn_tlog::time`). Does not own monotony: whoever persists a time compares it with the last one
//! and refuses to go back.

use cairn_tlog::WatchedClock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, or since some moment of a steady clock, from wherever they come.
///
/// Why a function and not a trait: there is exactly one question to ask.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The system's wall clock, watched by its steady clock. A clock before 1970 reads as 0, which every
/// monotony check refuses.
#[must_use]
pub fn system_clock() -> Clock {
    let wall = Arc::new(|| {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    });
    let begun = Instant::now();
    let steady = Arc::new(move || u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    watched(wall, steady)
}

/// A wall clock watched by a steady one: while the wall clock is ahead of what is believed, the time
/// goes on by the steady clock, and the diagnostics say so.
#[must_use]
pub fn watched(wall: Clock, steady: Clock) -> Clock {
    let state = Mutex::new((WatchedClock::default(), false));
    Arc::new(move || {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let (clock, leads) = &mut *state;
        let reading = clock.read(wall(), steady());
        match (reading.lead_ms, *leads) {
            (0, true) => tracing::warn!("the wall clock is believed again"),
            (lead_ms @ 1.., false) => tracing::error!(
                lead_ms,
                "the wall clock leapt forward and is not believed; if it is right, restart the server"
            ),
            _ => {}
        }
        *leads = reading.lead_ms > 0;
        reading.now_ms
    })
}
