//! E-mail addresses: one spelling each, and no surprises in a mail header.

use std::fmt;

/// Longest address in bytes (RFC 5321 section 4.5.3.1.3: 256 with its angle brackets).
pub const MAX_ADDRESS_BYTES: usize = 254;

/// Longest local part in bytes (RFC 5321 section 4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// Why text is not an address we send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than [`MAX_ADDRESS_BYTES`].
    #[error("address of {0} bytes is longer than {MAX_ADDRESS_BYTES}")]
    TooLong(usize),
    /// Not `local@domain` of plain characters.
    #[error("address is not of the form name@domain")]
    Form,
}

/// An address in lower case: the form in which people are told apart.
///
/// Why: mail systems in use ignore case; two spellings must not become two people. Quoted local
/// parts and addresses in other scripts are refused, because look-alikes would pass for colleagues.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address(String);

impl Address {
    /// Reads an address somebody typed; white space around it is dropped.
    ///
    /// Errors: [`AddressError`]; the person is asked again.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.len() > MAX_ADDRESS_BYTES {
            return Err(AddressError::TooLong(text.len()));
        }
        let (local, domain) = text.split_once('@').ok_or(AddressError::Form)?;
        let local_letter =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
        let dotted = |part: &str| !part.is_empty() && part.split('.').all(|atom| !atom.is_empty());
        let local_good =
            local.len() <= MAX_LOCAL_BYTES && dotted(local) && local.bytes().all(local_letter);
        let label_good = |label: &str| {
            label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if !local_good || !dotted(domain) || !domain.split('.').all(label_good) {
            return Err(AddressError::Form);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the at sign.
    pub fn domain(&self) -> &str {
        self.0.rsplit('@').next().unwrap_or_default()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
