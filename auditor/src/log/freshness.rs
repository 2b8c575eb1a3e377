//! How old the newest checkpoint is, by the witnesses' clocks.
//!
//! Owns the one question that signatures cannot answer: whether this is the log of today. A server that
//! answers with the log of last year, or with the empty one, has valid signatures for it.
//! Source: C2SP tlog-cosignature, "timestamp".

use crate::report::{Check, Failure, Report};
use cairn_tlog::{TrustPolicy, VerifiedCheckpoint};

/// Oldest checkpoint that is believed to be the newest, unless another age is asked for. A log cosigns an
/// unchanged head again every ten minutes, so a day is a long silence and still lets a nightly audit run
/// after an outage.
pub const DEFAULT_MAX_AGE_S: u64 = 86_400;

/// How far the witnesses' clocks may be ahead of this machine's. Beyond it one of them is wrong, and an age
/// means nothing.
pub const MAX_AHEAD_S: u64 = 600;

/// What the newest checkpoint's age is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgeLimit {
    /// Unix seconds now.
    pub now_s: u64,
    /// Oldest age that passes, in seconds.
    pub most_s: u64,
}

/// Why a checkpoint is not taken for the newest one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// No witness says when.
    #[error(
        "no witness cosigned it, so that nobody says how old it is; ask with `--max-age none` where \
         that is known"
    )]
    Unknown,
    /// Older than the limit.
    #[error(
        "its quorum cosigned it last at {at}, {age_s} s ago, the limit is {most_s} s: the source shows an \
         old state, or the log has stopped; for an archive ask with `--max-age none`"
    )]
    TooOld {
        /// The time, UTC.
        at: String,
        /// Seconds since.
        age_s: u64,
        /// The limit.
        most_s: u64,
    },
    /// Cosigned in what is the future here.
    #[error("its quorum cosigned it at {at}, {ahead_s} s ahead of this machine's clock")]
    Ahead {
        /// The time, UTC.
        at: String,
        /// Seconds until then.
        ahead_s: u64,
    },
}

/// Notes when the checkpoint was cosigned last, and with a limit judges its age.
///
/// The time is that from which on its cosignatures still satisfy the quorum: one witness whose clock is
/// wrong does not make an old checkpoint new.
pub fn check(
    policy: &TrustPolicy,
    head: &VerifiedCheckpoint,
    limit: Option<AgeLimit>,
    report: &mut Report,
) {
    let at_s = policy.quorum_time(head);
    let at = at_s.map_or_else(|| "by nobody".to_owned(), utc);
    report.fact("checkpoint cosigned last", at);
    let Some(limit) = limit else {
        report.fact("age of the checkpoint", "not judged");
        return;
    };
    let mut check = Check::new("freshness");
    check.record(judge(at_s, limit), |reason| {
        Failure::of_file("checkpoint", reason)
    });
    report.push(check);
}

fn judge(at_s: Option<u64>, limit: AgeLimit) -> Result<(), AgeError> {
    let at_s = at_s.ok_or(AgeError::Unknown)?;
    let (at, most_s) = (utc(at_s), limit.most_s);
    let ahead_s = at_s.saturating_sub(limit.now_s);
    if ahead_s > MAX_AHEAD_S {
        return Err(AgeError::Ahead { at, ahead_s });
    }
    let age_s = limit.now_s.saturating_sub(at_s);
    if age_s > most_s {
        return Err(AgeError::TooOld { at, age_s, most_s });
    }
    Ok(())
}

/// A time for people and programs, RFC 3339 in UTC; the number where no calendar has it.
fn utc(seconds: u64) -> String {
    let signed = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(signed).map_or_else(
        |_| format!("{seconds} s after 1970"),
        |time| time.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_age_within_the_limit_passes() {
        let limit = AgeLimit {
            now_s: 1_795_000_000,
            most_s: DEFAULT_MAX_AGE_S,
        };
        let of = |at_s: u64| judge(Some(at_s), limit);
        assert_eq!(judge(None, limit), Err(AgeError::Unknown));
        assert_eq!(of(limit.now_s - DEFAULT_MAX_AGE_S), Ok(()));
        assert!(matches!(
            of(limit.now_s - DEFAULT_MAX_AGE_S - 1),
            Err(AgeError::TooOld { age_s: 86_401, .. })
        ));
        assert_eq!(of(limit.now_s + MAX_AHEAD_S), Ok(()));
        assert!(matches!(
            of(limit.now_s + MAX_AHEAD_S + 1),
            Err(AgeError::Ahead { ahead_s: 601, .. })
        ));
        assert!(of(u64::MAX).unwrap_err().to_string().contains("after 1970"));
        let old = of(0).unwrap_err().to_string();
        assert!(
            old.contains("at 1970-01-01T00:00:00Z, 1795000000 s ago"),
            "{old}"
        );
    }
}
