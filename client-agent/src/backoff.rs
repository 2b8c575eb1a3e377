//! Waiting longer after each failure, with full jitter.
//!
//! Source: endpoint findings 6.1 (a server restart must not bring all devices back at once).

use crate::random;
use std::time::Duration;

/// Shortest upper bound of a wait.
const FIRST: Duration = Duration::from_secs(1);

/// Longest upper bound of a wait: 30 s.
const LONGEST: Duration = Duration::from_secs(30);

/// Longest wait that a server can ask for: 5 minutes. What has been decided goes on all the while, and a
/// server in somebody else's hands must not silence a device for longer than it could by not answering.
const ASKED_LONGEST: Duration = Duration::from_secs(300);

/// The wait after repeated failures.
#[derive(Debug, Default)]
pub struct Backoff(u32);

impl Backoff {
    /// Success: the next wait is short again.
    pub fn reset(&mut self) {
        self.0 = 0;
    }

    /// As [`Backoff::wait`], and first for as long as the server asks, where it does.
    pub fn wait_as_asked(&mut self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or_default().min(ASKED_LONGEST) + self.wait()
    }

    /// A random wait below a bound that doubles with every call.
    pub fn wait(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1_u32 << self.0.min(5)).min(LONGEST);
        self.0 = self.0.saturating_add(1);
        random::spread(Duration::ZERO, bound)
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

    /// Devices that lost the same server at once do not come back at once.
    #[test]
    fn waits_are_spread_over_the_whole_bound() {
        let waits: Vec<_> = (0..400).map(|_| Backoff(9).wait()).collect();
        let quarter = LONGEST / 4;
        for from in 0..4 {
            let within =
                |wait: &&Duration| **wait >= quarter * from && **wait < quarter * (from + 1);
            // Each of them expects a hundred; that one has none happens once in 10^49.
            assert!(waits.iter().filter(within).count() > 0, "{waits:?}");
        }
    }

    #[test]
    fn what_the_server_asks_comes_on_top_and_has_an_end() {
        let mut backoff = Backoff::default();
        let asked = Duration::from_secs(7);
        assert!(backoff.wait_as_asked(Some(asked)) >= asked);
        backoff.reset();
        let for_ever = Some(Duration::MAX);
        assert!(backoff.wait_as_asked(for_ever) <= ASKED_LONGEST + FIRST);
        backoff.reset();
        assert!(backoff.wait_as_asked(None) <= FIRST);
    }
}
