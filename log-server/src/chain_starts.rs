//! How many chains one device may start.
//!
//! Owns one number for each device. A chain costs the ledger about 300 bytes for as long as the server
//! runs, the server's index as many again, and every replay of the log; an entry costs none of that. The
//! budget stands at the door: whether a chain start on record is good is the ledger's judgement and does
//! not hang on it, so that every replay gives the same answer.
//!
//! The numbers live in memory: a restart forgives every device what it has used up.

use cairn_event::Frame;
use cairn_event::body::Body;
use cairn_identity::Ledger;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

/// Chain starts of one device in an hour, sustained. A chain is one run of its daemon: a restart every two
/// minutes, day and night, is none that anybody wants.
pub const CHAIN_STARTS_PER_HOUR: u64 = 32;

/// Chain starts of one device at once: what a month offline leaves in its spool, and as many as one
/// submission can hold, so that no submission is too large for ever.
pub const CHAIN_STARTS_AT_ONCE: u64 = 256;

/// Time in which a device earns one more.
const COST_MS: u64 = 3_600_000 / CHAIN_STARTS_PER_HOUR;

/// Longest pause asked of a device, in seconds: it may have less to send by then.
const LONGEST_PAUSE_S: u64 = 3_600;

/// Devices remembered before those with a full budget are dropped; each takes about 100 bytes.
const DEVICES_KEPT: usize = 65_536;

/// The budgets of all devices.
#[derive(Debug, Default)]
pub struct ChainStarts {
    /// When the budget of a device is full again, milliseconds.
    full_at: Mutex<HashMap<String, u64>>,
}

/// A device starts too many chains; nothing of the submission was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "device `{device}` starts more than {CHAIN_STARTS_PER_HOUR} chains an hour, try again in {retry_after_s} s"
)]
pub struct TooManyStarts {
    /// The device.
    pub device: String,
    /// Seconds after which it is worth trying again.
    pub retry_after_s: u64,
}

impl ChainStarts {
    /// Charges each device for the chains that its verified frames begin; for all of them or for none.
    /// A start that the log has costs nothing: anybody can send it again.
    ///
    /// # Errors
    /// [`TooManyStarts`] of the first device without enough left.
    pub fn charge(
        &self,
        frames: &[Frame],
        ledger: &RwLock<Ledger>,
        now_ms: u64,
    ) -> Result<(), TooManyStarts> {
        let starts = frames.iter().filter_map(|frame| {
            let payload = frame.entry().payload();
            let is_start = matches!(payload.body, Body::ChainStart(_));
            payload.link.as_ref().filter(|_| is_start)
        });
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for link in starts {
            let ledger = ledger.read().unwrap_or_else(PoisonError::into_inner);
            if ledger.chain(&link.chain).is_none() {
                *counts.entry(&link.device).or_default() += 1;
            }
        }
        self.take(&counts, now_ms)
    }

    fn take(&self, counts: &HashMap<&str, u64>, now_ms: u64) -> Result<(), TooManyStarts> {
        if counts.is_empty() {
            return Ok(());
        }
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::with_capacity(counts.len());
        for (device, count) in counts {
            let before = full_at.get(*device).copied().unwrap_or_default();
            let after = before
                .max(now_ms)
                .saturating_add(count.saturating_mul(COST_MS));
            let latest = now_ms.saturating_add(CHAIN_STARTS_AT_ONCE * COST_MS);
            if after > latest {
                let pause_s = (after - latest).div_ceil(1_000);
                return Err(TooManyStarts {
                    device: (*device).to_owned(),
                    retry_after_s: pause_s.min(LONGEST_PAUSE_S),
                });
            }
            changed.push(((*device).to_owned(), after));
        }
        if full_at.len() >= DEVICES_KEPT {
            full_at.retain(|_, at| *at > now_ms);
        }
        full_at.extend(changed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_000_000_000;

    fn one(device: &str, count: u64) -> HashMap<&str, u64> {
        HashMap::from([(device, count)])
    }

    #[test]
    fn a_full_submission_passes_once_and_then_the_rate_holds() {
        let starts = ChainStarts::default();
        starts.take(&one("d", CHAIN_STARTS_AT_ONCE), NOW).unwrap();
        let refused = starts.take(&one("d", 1), NOW).unwrap_err();
        assert_eq!(refused.retry_after_s, COST_MS.div_ceil(1_000));
        starts.take(&one("e", 1), NOW).unwrap();
        let mut taken = 0;
        for minute in 0..600 {
            taken += u64::from(starts.take(&one("d", 1), NOW + minute * 60_000).is_ok());
        }
        assert_eq!(
            taken,
            10 * CHAIN_STARTS_PER_HOUR - 1,
            "ten hours, less one minute"
        );
        let far = starts
            .take(&one("d", CHAIN_STARTS_AT_ONCE), NOW)
            .unwrap_err();
        assert_eq!(far.retry_after_s, LONGEST_PAUSE_S);
    }

    #[test]
    fn a_submission_is_charged_whole_or_not_at_all() {
        let starts = ChainStarts::default();
        let both = HashMap::from([("d", 1), ("e", CHAIN_STARTS_AT_ONCE + 1)]);
        starts.take(&both, NOW).unwrap_err();
        starts.take(&one("d", CHAIN_STARTS_AT_ONCE), NOW).unwrap();
    }
}
