//! A clock far ahead of everything recorded: either the server was down for long, or the clock is wrong.
//!
//! Owns the bound and the operator's confirmation. A time that was signed cannot be taken back, so
//! signing under a clock that is ten years ahead would silence the log for ten years.

use cairn_durable::file::ReadFileError;
use cairn_durable::read_limited;
use std::path::Path;

/// How long a log may have been silent, in milliseconds, before a start asks for a look at the clock: a
/// week. A running log signs every few minutes; a longer outage is rare enough for one command more.
pub const MAX_SILENCE_MS: u64 = 7 * 86_400_000;

/// File in the data folder with the time that an operator confirmed, in seconds since 1970:
/// `date +%s > CONFIRMED-TIME`.
pub const CONFIRMATION: &str = "CONFIRMED-TIME";

/// How near the confirmed time the clock must be, in milliseconds: it is for this start, not for later
/// ones.
const CONFIRMATION_MS: u64 = 3_600_000;

/// The longest file: 20 digits and a line feed.
const MAX_BYTES: u64 = 21;

/// The clock is further ahead of what is recorded than a log is silent for. Fatal for this start.
#[derive(Debug, thiserror::Error)]
pub enum SilenceError {
    /// Nobody confirmed it.
    #[error(
        "the clock says {now_ms} ms, the last recorded time is {recorded_ms} ms; \
         if the clock is right, write the output of `date +%s` to `{CONFIRMATION}` in the data folder"
    )]
    Unconfirmed {
        /// The clock.
        now_ms: u64,
        /// The latest time in the store or in `HEAD`.
        recorded_ms: u64,
    },
    /// The confirmation cannot be read.
    #[error("the file `{CONFIRMATION}` cannot be read")]
    Read(#[source] ReadFileError),
    /// The confirmation is no number of seconds.
    #[error("the file `{CONFIRMATION}` does not hold seconds since 1970")]
    Form,
}

/// Judges the clock at a start. A log that recorded nothing yet gives no reason to doubt.
///
/// # Errors
/// [`SilenceError`]; the operator looks at the clock, and confirms it or sets it.
pub fn check(dir: &Path, recorded_ms: u64, now_ms: u64) -> Result<(), SilenceError> {
    if recorded_ms == 0 || now_ms.saturating_sub(recorded_ms) <= MAX_SILENCE_MS {
        return Ok(());
    }
    let unconfirmed = SilenceError::Unconfirmed {
        now_ms,
        recorded_ms,
    };
    let bytes = match read_limited(&dir.join(CONFIRMATION), MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(ReadFileError::NotFound { .. }) => return Err(unconfirmed),
        Err(error) => return Err(SilenceError::Read(error)),
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| SilenceError::Form)?;
    let seconds = cairn_tlog::decimal::parse(text.trim_end());
    let confirmed_ms = seconds.and_then(|seconds| seconds.checked_mul(1_000));
    let confirmed_ms = confirmed_ms.ok_or(SilenceError::Form)?;
    if now_ms.abs_diff(confirmed_ms) <= CONFIRMATION_MS {
        return Ok(());
    }
    Err(unconfirmed)
}
