//! Quotas: how many entries one device may submit.
//!
//! Owns one token bucket for each device. A device is charged for what it alone can have made: an
//! entry, verified, at a place of its chain that was free. What the log has already is anybody's to
//! send again, and costs no device anything. Does not own the room that all share (`pool`).
//!
//! Buckets live in memory: a restart fills them all, which costs at most one burst a device.

use crate::config::QuotaConfig;
use cairn_event::body::Body;
use cairn_event::{Frame, Link};
use cairn_identity::Ledger;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

/// Parts of a token, so that slow rates fill evenly: one entry costs a million.
const PARTS: u64 = 1_000_000;

/// Devices remembered before full buckets are dropped; each takes about 100 bytes.
const DEVICES_KEPT: usize = 65_536;

/// Longest pause asked of a device, in seconds.
const LONGEST_PAUSE_S: u64 = 60;

/// The buckets of all devices.
pub struct Quotas {
    config: QuotaConfig,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// What one device has left.
#[derive(Clone, Copy)]
struct Bucket {
    /// In parts of an entry.
    left: u64,
    /// When that was so, milliseconds.
    at_ms: u64,
}

/// A device has used up what it may submit; nothing of the submission was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("device `{device}` submits more than its quota, try again in {retry_after_s} s")]
pub struct QuotaExceeded {
    /// The device.
    pub device: String,
    /// Seconds after which this submission will pass.
    pub retry_after_s: u64,
}

impl Quotas {
    /// Full buckets.
    #[must_use]
    pub fn new(config: QuotaConfig) -> Self {
        Self {
            config,
            buckets: Mutex::default(),
        }
    }

    /// Charges each device for its verified frames; for all of them or for none.
    ///
    /// # Errors
    /// [`QuotaExceeded`] of the first device without enough left.
    pub fn charge(
        &self,
        frames: &[Frame],
        ledger: &RwLock<Ledger>,
        now_ms: u64,
    ) -> Result<(), QuotaExceeded> {
        let mut costs: HashMap<&str, u64> = HashMap::new();
        {
            let ledger = ledger.read().unwrap_or_else(PoisonError::into_inner);
            for device in frames
                .iter()
                .filter_map(|frame| maker(frame, frames, &ledger))
            {
                *costs.entry(device).or_default() += PARTS;
            }
        }
        self.take(&costs, now_ms)
    }

    fn take(&self, costs: &HashMap<&str, u64>, now_ms: u64) -> Result<(), QuotaExceeded> {
        if self.config.entries_per_s == 0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::with_capacity(costs.len());
        for (device, cost) in costs {
            let left = self.filled(buckets.get(*device), now_ms);
            let Some(rest) = left.checked_sub(*cost) else {
                return Err(QuotaExceeded {
                    device: (*device).to_owned(),
                    retry_after_s: self.pause_s(cost - left),
                });
            };
            changed.push(((*device).to_owned(), rest));
        }
        if buckets.len() >= DEVICES_KEPT {
            buckets.retain(|_, bucket| self.filled(Some(bucket), now_ms) < self.full());
        }
        for (device, left) in changed {
            let at_ms = now_ms;
            buckets.insert(device, Bucket { left, at_ms });
        }
        Ok(())
    }

    fn full(&self) -> u64 {
        self.config.burst.saturating_mul(PARTS)
    }

    /// What a bucket holds now. A clock that went back fills nothing.
    fn filled(&self, bucket: Option<&Bucket>, now_ms: u64) -> u64 {
        let Some(bucket) = bucket else {
            return self.full();
        };
        let passed_ms = now_ms.saturating_sub(bucket.at_ms);
        let per_ms = self.config.entries_per_s.saturating_mul(PARTS / 1_000);
        let more = passed_ms.saturating_mul(per_ms);
        bucket.left.saturating_add(more).min(self.full())
    }

    fn pause_s(&self, missing: u64) -> u64 {
        let per_s = self.config.entries_per_s.saturating_mul(PARTS);
        missing.div_ceil(per_s.max(1)).clamp(1, LONGEST_PAUSE_S)
    }
}

/// The device that must have made a frame just now; `None` where somebody else may send it again, or
/// where it claims another device than its chain's. `beside` are the frames it came with.
fn maker<'a>(frame: &'a Frame, beside: &[Frame], ledger: &Ledger) -> Option<&'a str> {
    let payload = frame.entry().payload();
    let link = payload.link.as_ref()?;
    let is_start = matches!(payload.body, Body::ChainStart(_));
    let is_new = match ledger.chain(&link.chain) {
        Some(known) => known.device == link.device && link.seq >= known.next_seq,
        // Its signature is that of the device's own key.
        None if is_start => true,
        None => beside.iter().any(|other| starts(other, link)),
    };
    is_new.then_some(link.device.as_str())
}

fn starts(frame: &Frame, chain: &Link) -> bool {
    let payload = frame.entry().payload();
    let same = |link: &Link| link.chain == chain.chain && link.device == chain.device;
    matches!(payload.body, Body::ChainStart(_)) && payload.link.as_ref().is_some_and(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas() -> Quotas {
        Quotas::new(QuotaConfig {
            entries_per_s: 10,
            burst: 300,
        })
    }

    fn cost(entries: u64) -> HashMap<&'static str, u64> {
        HashMap::from([("d", entries * PARTS)])
    }

    #[test]
    fn a_burst_passes_once_and_then_the_rate_holds() {
        let quotas = quotas();
        quotas.take(&cost(300), 1_000).unwrap();
        let refused = quotas.take(&cost(25), 1_000).unwrap_err();
        assert_eq!(refused.retry_after_s, 3);
        // What was refused cost nothing, and the pause that was named suffices.
        quotas.take(&cost(25), 4_000).unwrap();
        quotas.take(&cost(5), 4_000).unwrap();
        quotas.take(&cost(1), 4_000).unwrap_err();
        quotas.take(&cost(1), 4_100).unwrap();
    }

    #[test]
    fn a_submission_is_charged_whole_or_not_at_all() {
        let quotas = quotas();
        let both = HashMap::from([("d", 300 * PARTS), ("e", 301 * PARTS)]);
        quotas.take(&both, 0).unwrap_err();
        quotas.take(&cost(300), 0).unwrap();
    }

    #[test]
    fn zero_switches_quotas_off_and_a_clock_that_goes_back_fills_nothing() {
        let off = Quotas::new(QuotaConfig {
            entries_per_s: 0,
            burst: 256,
        });
        off.take(&cost(1_000_000), 0).unwrap();
        let quotas = quotas();
        quotas.take(&cost(300), 5_000).unwrap();
        quotas.take(&cost(1), 1_000).unwrap_err();
    }
}
