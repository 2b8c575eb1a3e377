//! Random bytes from the operating system.

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

/// A random identifier: `prefix` and 32 hex digits.
///
/// Errors: [`NoRandomness`].
pub fn identifier(prefix: &str) -> Result<String, NoRandomness> {
    Ok(format!("{prefix}{}", hex::encode(bytes::<16>()?)))
}
