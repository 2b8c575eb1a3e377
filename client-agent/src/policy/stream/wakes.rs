//! Noticing that this machine slept.
//!
//! Owns when a sleep counts. Over a sleep the other ends forget connections, and what this machine believes of them
//! is not told otherwise for a long time; its policy meanwhile grew old by a clock that did not stop.

use crate::clock::Slept;
use std::time::Duration;

/// How often the clocks are compared: every second, so that a decision after a sleep has its policy a second or two
/// later.
const LOOK: Duration = Duration::from_secs(1);

/// The shortest sleep that counts: longer than the clocks' own doubt, shorter than any after which a server or what
/// stands between gives a connection up.
const LEAST: Duration = Duration::from_secs(5);

/// Tells of each sleep of this machine.
pub(super) struct Wakes<C> {
    slept: C,
    known: Duration,
}

impl Wakes<fn() -> Duration> {
    /// Those of this machine from now on.
    pub(super) fn of_this_machine() -> Wakes<impl Fn() -> Duration> {
        let slept = Slept::now();
        Wakes::by(move || slept.elapsed())
    }
}

impl<C: Fn() -> Duration> Wakes<C> {
    /// By a clock that says how long the machine slept since some moment.
    pub(super) fn by(slept: C) -> Self {
        let known = slept();
        Self { slept, known }
    }

    /// Waits for the next sleep to be over.
    pub(super) async fn next(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let slept = (self.slept)();
            if slept >= self.known + LEAST {
                self.known = slept;
                return;
            }
            // The clocks' doubt goes either way; short sleeps add up.
            self.known = self.known.min(slept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_sleep_is_noticed_once_and_at_once() {
        let slept = AtomicU64::new(3);
        let clock = || Duration::from_secs(slept.load(Ordering::Relaxed));
        let mut wakes = Wakes::by(clock);
        let day = Duration::from_secs(86_400);
        assert!(timeout(day, wakes.next()).await.is_err(), "it is awake");
        for doubt in [4, 2, 3, 6] {
            slept.store(doubt, Ordering::Relaxed);
            assert!(
                timeout(day, wakes.next()).await.is_err(),
                "the clocks' doubt"
            );
        }
        slept.store(3 + 28_800, Ordering::Relaxed);
        let woke = Instant::now();
        wakes.next().await;
        assert_eq!(woke.elapsed(), LOOK);
        assert!(timeout(day, wakes.next()).await.is_err(), "it is known");
    }
}
