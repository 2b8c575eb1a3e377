//! Random bytes from the operating system.

use std::time::Duration;

/// The operating system gave no random bytes; nothing that needs a salt or a key can go on.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// `N` fresh random bytes.
///
/// Errors: [`NoRandomness`]; the caller fails closed.
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut out = [0; N];
    getrandom::fill(&mut out).map_err(|_| NoRandomness)?;
    Ok(out)
}

/// A random time between two.
pub fn spread(least: Duration, most: Duration) -> Duration {
    // Without randomness it is the longest: only slower.
    let part = bytes::<4>().map_or(u32::MAX, u32::from_be_bytes);
    let share = f64::from(part) / f64::from(u32::MAX);
    least + most.saturating_sub(least).mul_f64(share)
}

/// A random identifier: `prefix` and 32 hex digits.
///
/// Errors: [`NoRandomness`].
pub fn identifier(prefix: &str) -> Result<String, NoRandomness> {
    Ok(format!("{prefix}{}", hex::encode(bytes::<16>()?)))
}
