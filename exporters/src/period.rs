//! Audit periods: index ranges between two published checkpoints.
//!
//! Owns the resolution of the times or indices that a person gives. Device clocks play no part: a
//! period is bounded by what witnesses saw when. Source: architecture section 3 ("Time").

use cairn_audit::evidence::CheckpointRecord;
use std::ops::Range;
use std::str::FromStr;

/// One end of a period as a person gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// An index in the log.
    Index(u64),
    /// Unix microseconds.
    Time(i64),
}

/// Why a bound was not understood.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is neither an index nor a date nor a time such as 2026-07-01T00:00:00Z")]
pub struct BoundError(String);

impl FromStr for Bound {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Self, BoundError> {
        if let Ok(index) = text.parse() {
            return Ok(Self::Index(index));
        }
        let whole = if text.len() == 10 {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        let time: jiff::Timestamp = whole.parse().map_err(|_| BoundError(text.to_owned()))?;
        Ok(Self::Time(time.as_microsecond()))
    }
}

/// Why there is no such period.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The log ends before the period does.
    #[error("no published checkpoint covers index {index}; the newest covers {newest}")]
    NotPublished {
        /// The index asked for.
        index: u64,
        /// Size of the newest checkpoint.
        newest: u64,
    },
    /// Nothing lies between the two ends.
    #[error("the period is empty: it begins and ends at size {0}")]
    Empty(u64),
    /// The times of checkpoints are unknown because nobody cosigned them.
    #[error("periods by time need witnesses, and no published checkpoint is cosigned")]
    NoTimes,
}

/// Resolves two bounds to the sizes of published checkpoints (in ascending order).
///
/// The range is widened to whole checkpoints, never narrowed: it begins at the last checkpoint that
/// lies at or before `from`, and ends at the first that lies at or after `to`. An end in the future
/// is the newest checkpoint.
///
/// Errors: [`PeriodError`]; the person is told.
pub fn resolve(
    published: &[CheckpointRecord],
    from: Bound,
    to: Bound,
) -> Result<Range<u64>, PeriodError> {
    let newest = published.last().map_or(0, |last| last.size);
    let timed = published.iter().any(|record| record.time_us().is_some());
    let by_time = matches!(from, Bound::Time(_)) || matches!(to, Bound::Time(_));
    if by_time && !timed {
        return Err(PeriodError::NoTimes);
    }
    let start = match from {
        Bound::Index(index) => published.iter().rev().find(|record| record.size <= index),
        Bound::Time(time) => published
            .iter()
            .rev()
            .find(|record| record.time_us().is_some_and(|cosigned| cosigned <= time)),
    };
    let start = start.map_or(0, |record| record.size);
    let end = match to {
        Bound::Index(index) => {
            let found = published.iter().find(|record| record.size >= index);
            found
                .map(|record| record.size)
                .ok_or(PeriodError::NotPublished { index, newest })?
        }
        Bound::Time(time) => published
            .iter()
            .find(|record| record.time_us().is_some_and(|cosigned| cosigned >= time))
            .map_or(newest, |record| record.size),
    };
    if start >= end {
        Err(PeriodError::Empty(end))
    } else {
        Ok(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_tlog::EMPTY_ROOT;

    fn published() -> Vec<CheckpointRecord> {
        let record = |size, seconds| CheckpointRecord {
            size,
            root: EMPTY_ROOT,
            note: String::new(),
            cosigned: vec![seconds],
        };
        vec![record(10, 100), record(20, 200), record(30, 300)]
    }

    #[test]
    fn a_period_is_widened_to_whole_checkpoints() {
        let all = published();
        assert_eq!(
            resolve(&all, Bound::Index(12), Bound::Index(15)),
            Ok(10..20)
        );
        assert_eq!(resolve(&all, Bound::Index(0), Bound::Index(30)), Ok(0..30));
        let (from, to) = (Bound::Time(150_000_000), Bound::Time(250_000_000));
        assert_eq!(resolve(&all, from, to), Ok(10..30));
        let far = Bound::Time(i64::MAX);
        assert_eq!(resolve(&all, Bound::Time(0), far), Ok(0..30));
    }

    #[test]
    fn impossible_periods_are_named() {
        let all = published();
        let late = resolve(&all, Bound::Index(0), Bound::Index(31));
        assert_eq!(
            late,
            Err(PeriodError::NotPublished {
                index: 31,
                newest: 30
            })
        );
        assert_eq!(
            resolve(&all, Bound::Index(30), Bound::Index(30)),
            Err(PeriodError::Empty(30))
        );
        let mut unwitnessed = published();
        unwitnessed
            .iter_mut()
            .for_each(|record| record.cosigned.clear());
        let timed = resolve(&unwitnessed, Bound::Time(0), Bound::Time(1));
        assert_eq!(timed, Err(PeriodError::NoTimes));
    }

    #[test]
    fn bounds_are_indices_dates_or_times() {
        assert_eq!("17".parse::<Bound>().unwrap(), Bound::Index(17));
        assert_eq!(
            "1970-01-02".parse::<Bound>().unwrap(),
            Bound::Time(86_400_000_000)
        );
        assert_eq!(
            "1970-01-01T00:00:01Z".parse::<Bound>().unwrap(),
            Bound::Time(1_000_000)
        );
        assert!("yesterday".parse::<Bound>().is_err());
    }
}
