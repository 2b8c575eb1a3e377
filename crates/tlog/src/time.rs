//! Which reading of a wall clock may be signed.
//!
//! Owns the comparison of a wall clock with a clock that cannot be set. A time that was signed cannot
//! be taken back: a log or a witness that once signed a time ten years ahead would have to be silent
//! for ten years, because its times never go back. So a jump forward is not believed at once. Does not
//! own reading either clock: both readings are arguments. Source: the project's ARCHITECTURE.md, "Time".

/// How far a wall clock may jump forward and be believed at once, in milliseconds: what a step of a
/// time service or a pause of a virtual machine amounts to.
pub const MAX_STEP_MS: u64 = 10_000;

/// How far it may jump forward and be believed after standing for [`CONFIRMATION_MS`]. It bounds the
/// silence after a wrong jump that is taken back: an hour.
pub const MAX_CONFIRMED_STEP_MS: u64 = 3_600_000;

/// How long a jump must stand: a time service corrects its own mistakes sooner.
pub const CONFIRMATION_MS: u64 = 60_000;

/// A wall clock watched by a steady one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedClock {
    /// Greatest believed difference of the wall clock to the steady one.
    believed: Option<i128>,
    /// A greater difference, and the steady time since which the wall clock has kept it.
    claimed: Option<(i128, u64)>,
}

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The time to use, milliseconds since 1970. It can go back: the wall clock is believed about that.
    pub now_ms: u64,
    /// How far the wall clock is ahead of `now_ms`; not 0 while a jump is not believed.
    pub lead_ms: u64,
}

impl WatchedClock {
    /// Judges a reading of the wall clock beside one of the steady clock, both in milliseconds. The
    /// first reading is believed: whoever keeps times on disk compares it with those.
    ///
    /// Trap: the steady clock may stand still while the machine sleeps. After a sleep of more than
    /// [`MAX_CONFIRMED_STEP_MS`] the time used stays behind until the process is started again.
    pub fn read(&mut self, wall_ms: u64, steady_ms: u64) -> Reading {
        let difference = i128::from(wall_ms) - i128::from(steady_ms);
        let believed = *self.believed.get_or_insert(difference);
        let lead = difference - believed;
        if lead <= i128::from(MAX_STEP_MS) || self.stands(difference, lead, steady_ms) {
            self.believed = Some(believed.max(difference));
            self.claimed = None;
            return Reading {
                now_ms: wall_ms,
                lead_ms: 0,
            };
        }
        let now_ms = u64::try_from(believed + i128::from(steady_ms)).unwrap_or(0);
        Reading {
            now_ms,
            lead_ms: wall_ms.saturating_sub(now_ms),
        }
    }

    /// Whether a small enough jump has stood for long enough.
    fn stands(&mut self, difference: i128, lead: i128, steady_ms: u64) -> bool {
        let same = |claimed: i128| (difference - claimed).abs() <= i128::from(MAX_STEP_MS);
        match self.claimed {
            Some((claimed, since)) if same(claimed) => {
                lead <= i128::from(MAX_CONFIRMED_STEP_MS)
                    && steady_ms.saturating_sub(since) >= CONFIRMATION_MS
            }
            _ => {
                self.claimed = Some((difference, steady_ms));
                false
            }
        }
    }
}
