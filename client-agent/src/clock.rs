//! The clocks, read in one place: the one that people set, and the one that nobody can.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Largest identifier of a boot that is read; the kernel's has 37 bytes.
const BOOT_BYTES_MAX: u64 = 4_096;

/// Milliseconds since 1970; 0 on a clock that stands before it.
pub fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment as the time since this machine was started, which nobody can set back. Unlike
/// [`std::time::Instant`] it counts the time that the machine slept, and holds for other processes too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Uptime(
    /// Whole seconds.
    pub u64,
);

impl Uptime {
    /// Now.
    pub fn now() -> Self {
        // The kernel counts it by CLOCK_BOOTTIME; it is never negative.
        Self(rustix::system::sysinfo().uptime.try_into().unwrap_or(0))
    }

    /// How long ago it was, to the second.
    pub fn elapsed(self) -> Duration {
        Duration::from_secs(Self::now().0.saturating_sub(self.0))
    }
}

/// How long this machine has slept since this was made: what [`Uptime`] counts and [`Instant`] does not.
#[derive(Clone, Copy, Debug)]
pub struct Slept {
    since: (Uptime, Instant),
}

impl Slept {
    /// Counts from now.
    pub fn now() -> Self {
        let since = (Uptime::now(), Instant::now());
        Self { since }
    }

    /// The time slept, to the second either way.
    pub fn elapsed(self) -> Duration {
        let (uptime, awake) = self.since;
        uptime.elapsed().saturating_sub(awake.elapsed())
    }
}

/// A moment that is kept in a file: it can be told from later only until the machine is started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptUptime {
    /// Which start of the machine it is of; empty where the kernel does not say.
    boot: String,
    /// The moment.
    seconds: Uptime,
}

impl KeptUptime {
    /// A moment of this start of the machine.
    pub fn of(seconds: Uptime) -> Self {
        let boot = boot();
        Self { boot, seconds }
    }

    /// The moment, where the machine was not started again since.
    pub fn still(&self) -> Option<Uptime> {
        (!self.boot.is_empty() && self.boot == boot()).then_some(self.seconds)
    }
}

fn boot() -> String {
    let path = "/proc/sys/kernel/random/boot_id";
    let read = cairn_durable::read_limited(path.as_ref(), BOOT_BYTES_MAX).unwrap_or_default();
    String::from_utf8_lossy(&read).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_is_awake_has_not_slept() {
        let slept = Slept::now();
        assert!(slept.elapsed() <= Duration::from_secs(1));
        let since = (Uptime(0), Instant::now());
        let before = Uptime::now().0.saturating_sub(1);
        assert!(Slept { since }.elapsed() >= Duration::from_secs(before));
    }

    #[test]
    fn a_kept_moment_holds_until_the_machine_is_started_again() {
        let now = Uptime::now();
        assert!(now.0 > 0);
        let kept = KeptUptime::of(now);
        assert_eq!(kept.still(), Some(now));
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<KeptUptime>(&text).unwrap(), kept);
        let boot = "another".to_owned();
        assert_eq!(KeptUptime { boot, ..kept }.still(), None);
        let earlier = Uptime(now.0.saturating_sub(10));
        assert!(earlier.elapsed() >= Duration::from_secs(now.0.min(10)));
        assert_eq!(Uptime(u64::MAX).elapsed(), Duration::ZERO);
    }
}
