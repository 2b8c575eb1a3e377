//! The clock of a running witness: the system's wall clock, watched by its steady one.
//!
//! Owns reading both. The rule is `cairn_tlog::time`: a cosignature ten years ahead cannot be taken
//! back, so a wall clock that leaps forward is not believed.

use cairn_tlog::WatchedClock;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clock of one process.
#[derive(Debug)]
pub struct Clock {
    begun: Instant,
    state: Mutex<WatchedClock>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            state: Mutex::default(),
        }
    }
}

impl Clock {
    /// Seconds since 1970; 0 when the wall clock is before that, which no cosignature may carry.
    pub fn unix_seconds(&self) -> u64 {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let millis =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = state.read(millis(wall), millis(self.begun.elapsed()));
        if reading.lead_ms > 0 {
            tracing::error!(
                lead_ms = reading.lead_ms,
                "the wall clock leapt forward and is not believed; if it is right, restart the witness"
            );
        }
        reading.now_ms / 1_000
    }
}
