//! Waiting longer after each failure, with full jitter.
//!
//! Source: endpoint findings 6.1 (a server restart must not bring all devices back at once).

use crate::random;
use std::time::Duration;

/// Shortest upper bound of a wait.
const FIRST: Duration = Duration::from_secs(1);

/// Longest upper bound of a wait: 30 s.
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after repeated failures.
#[derive(Debug, Default)]
pub struct Backoff(u32);

impl Backoff {
    /// Success: the next wait is short again.
    pub fn reset(&mut self) {
        self.0 = 0;
    }

    /// A random wait below a bound that doubles with every call.
    pub fn wait(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1_u32 << self.0.min(5)).min(LONGEST);
        self.0 = self.0.saturating_add(1);
        // Without randomness the whole bound is waited, which is only slower.
        let part = random::bytes::<4>().map_or(u32::MAX, u32::from_be_bytes);
        bound.mul_f64(f64::from(part) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let mut backoff = Backoff::default();
        assert!(backoff.wait() <= FIRST);
        for _ in 0..50 {
            assert!(backoff.wait() <= LONGEST);
        }
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
    }
}
