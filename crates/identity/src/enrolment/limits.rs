//! How often codes may be asked for, per address and per source, enrolments started, per source, and wrong
//! codes given, by everybody together; in a sliding window.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::{HashMap, VecDeque};

/// Codes for one address in an hour.
pub const CODES_PER_ADDRESS_HOUR: usize = 5;

/// Codes for one address in a day.
pub const CODES_PER_ADDRESS_DAY: usize = 20;

/// Codes asked for from one network source in an hour; an office behind one address fits.
pub const CODES_PER_SOURCE_HOUR: usize = 20;

/// Enrolments started from one network source in an hour. Each needs a code, of which a source has
/// [`CODES_PER_SOURCE_HOUR`]; three starts for a code leave room for devices that try again. It keeps one
/// source from filling the table of enrolments under way, which has room for 160 such sources.
pub const STARTS_PER_SOURCE_HOUR: usize = 60;

/// Wrong codes in an hour, of everybody together. A code has a million values, so that guessing from any
/// number of sources at full speed hits once in a thousand hours; 10,000 people who enrol within an hour
/// may mistype one code in ten.
pub const WRONG_CODES_HOUR: usize = 1_000;

/// Addresses and sources remembered; beyond it new ones are refused rather than old ones forgotten.
pub const MAX_REMEMBERED: usize = 100_000;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Why no code is sent now. Retry later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many for this address.
    #[error("too many codes for this address, try again in {retry_after_s} s")]
    Address {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// Too many from this source.
    #[error("too many codes from this network address, try again in {retry_after_s} s")]
    Source {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// Too many enrolments started from this source.
    #[error("too many enrolments from this network address, try again in {retry_after_s} s")]
    Starts {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// Too many wrong codes, whoever gave them.
    #[error("too many wrong codes were given, try again in {retry_after_s} s")]
    WrongCodes {
        /// Seconds to wait.
        retry_after_s: u64,
    },
    /// Too many different addresses or sources at once.
    #[error("too many requests, try again in {retry_after_s} s")]
    Everybody {
        /// Seconds to wait.
        retry_after_s: u64,
    },
}

impl LimitError {
    /// Seconds to wait.
    pub fn retry_after_s(self) -> u64 {
        match self {
            Self::Address { retry_after_s }
            | Self::Source { retry_after_s }
            | Self::Starts { retry_after_s }
            | Self::WrongCodes { retry_after_s }
            | Self::Everybody { retry_after_s } => retry_after_s,
        }
    }
}

/// The memory of who asked when.
#[derive(Debug, Default)]
pub struct AttemptLimits {
    addresses: HashMap<String, VecDeque<u64>>,
    sources: HashMap<String, VecDeque<u64>>,
    starts: HashMap<String, VecDeque<u64>>,
    wrong: VecDeque<u64>,
}

impl AttemptLimits {
    /// Counts one request for a code, or refuses it; a refused one is not counted.
    ///
    /// Errors: [`LimitError`]. The answer must not depend on whether the address is known.
    pub fn ask(&mut self, address: &str, source: &str, now_ms: u64) -> Result<(), LimitError> {
        self.forget(now_ms);
        let times = self.addresses.get(address);
        let wait = wait_for(times, HOUR_MS, CODES_PER_ADDRESS_HOUR, now_ms)
            .or_else(|| wait_for(times, DAY_MS, CODES_PER_ADDRESS_DAY, now_ms));
        if let Some(retry_after_s) = wait {
            return Err(LimitError::Address { retry_after_s });
        }
        let times = self.sources.get(source);
        if let Some(retry_after_s) = wait_for(times, HOUR_MS, CODES_PER_SOURCE_HOUR, now_ms) {
            return Err(LimitError::Source { retry_after_s });
        }
        let full = |known: &HashMap<_, _>, key: &str| {
            known.len() >= MAX_REMEMBERED && !known.contains_key(key)
        };
        if full(&self.addresses, address) || full(&self.sources, source) {
            return Err(LimitError::Everybody {
                retry_after_s: HOUR_MS / 1_000,
            });
        }
        note(&mut self.addresses, address, now_ms);
        note(&mut self.sources, source, now_ms);
        Ok(())
    }

    /// Counts one start of an enrolment, or refuses it; a refused one is not counted.
    ///
    /// Errors: [`LimitError::Starts`], [`LimitError::Everybody`].
    pub fn start(&mut self, source: &str, now_ms: u64) -> Result<(), LimitError> {
        self.forget(now_ms);
        let times = self.starts.get(source);
        if let Some(retry_after_s) = wait_for(times, HOUR_MS, STARTS_PER_SOURCE_HOUR, now_ms) {
            return Err(LimitError::Starts { retry_after_s });
        }
        if self.starts.len() >= MAX_REMEMBERED && times.is_none() {
            return Err(LimitError::Everybody {
                retry_after_s: HOUR_MS / 1_000,
            });
        }
        note(&mut self.starts, source, now_ms);
        Ok(())
    }

    /// Whether a code may be tried now. Ask before the code is looked at.
    ///
    /// Errors: [`LimitError::WrongCodes`]; the code is not looked at and costs no try.
    pub fn try_code(&self, now_ms: u64) -> Result<(), LimitError> {
        match wait_for(Some(&self.wrong), HOUR_MS, WRONG_CODES_HOUR, now_ms) {
            Some(retry_after_s) => Err(LimitError::WrongCodes { retry_after_s }),
            None => Ok(()),
        }
    }

    /// Counts a wrong code that cost a try. A guess at a burnt or expired code is none: it cannot hit,
    /// and counting it would let one browser use up everybody's.
    pub fn note_wrong(&mut self, now_ms: u64) {
        self.wrong.push_back(now_ms);
        while self.wrong.len() > WRONG_CODES_HOUR {
            self.wrong.pop_front();
        }
    }

    fn forget(&mut self, now_ms: u64) {
        // Walking everything on each request would cost more than it frees.
        let most = self.addresses.len().max(self.sources.len());
        if most.max(self.starts.len()) < MAX_REMEMBERED / 2 {
            return;
        }
        let live = |times: &VecDeque<u64>| {
            times
                .back()
                .is_some_and(|last| last.saturating_add(DAY_MS) > now_ms)
        };
        self.addresses.retain(|_, times| live(times));
        self.sources.retain(|_, times| live(times));
        self.starts.retain(|_, times| live(times));
    }
}

/// Notes that somebody asked now.
fn note(known: &mut HashMap<String, VecDeque<u64>>, key: &str, now_ms: u64) {
    let times = known.entry(key.to_owned()).or_default();
    while times
        .front()
        .is_some_and(|first| first.saturating_add(DAY_MS) <= now_ms)
    {
        times.pop_front();
    }
    times.push_back(now_ms);
}

/// Seconds until one more fits into the window, or `None` when it fits now.
fn wait_for(
    times: Option<&VecDeque<u64>>,
    window_ms: u64,
    most: usize,
    now_ms: u64,
) -> Option<u64> {
    let times = times?;
    // The `most`-th newest must have left the window.
    let oldest = times.len().checked_sub(most).and_then(|at| times.get(at))?;
    let free_ms = oldest.saturating_add(window_ms);
    (free_ms > now_ms).then(|| (free_ms - now_ms).div_ceil(1_000))
}

/// The source that limits count an address under: an IPv4 address itself, of an IPv6 address the network of
/// 64 bits. One subscriber holds at least a /64 and may use each of its addresses once
/// (RFC 4291 section 2.5.4, RFC 6177).
pub fn source_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}
