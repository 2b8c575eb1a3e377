//! The state folder of each user of a machine, from one pattern.
//!
//! Owns the marks `{home}` and `{uid}`. The shim `cairn-hook` reads them in the same way. Nothing comes
//! from the environment: a variable that a repository sets must not choose whose daemon decides.

use crate::device::account;
use std::path::PathBuf;

/// The pattern that is used where none is given: where a daemon has its state by itself.
pub(super) const DEFAULT: &str = "{home}/.local/state/cairn";

/// Why a pattern names no folder.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// It is not absolute, or has marks that are not known.
    #[error("`{0}` is not an absolute path with no other marks than {{home}} and {{uid}}")]
    Form(String),
    /// The user database does not know the user.
    #[error("user {0} has no home in the local user database; use a pattern with {{uid}}")]
    NoHome(u32),
}

/// Checks the form of a pattern.
///
/// Errors: [`PatternError::Form`].
pub(super) fn check(pattern: &str) -> Result<(), PatternError> {
    let rest = pattern.replace("{uid}", "0").replace("{home}", "/home");
    let plain = |letter: char| !letter.is_control() && !letter.is_whitespace();
    if rest.starts_with('/') && !rest.contains(['{', '}', '%', '"']) && rest.chars().all(plain) {
        Ok(())
    } else {
        Err(PatternError::Form(pattern.to_owned()))
    }
}

/// The state folder that a pattern means for a user.
///
/// Errors: [`PatternError`].
pub fn state_folder(pattern: &str, uid: u32) -> Result<PathBuf, PatternError> {
    check(pattern)?;
    let folder = pattern.replace("{uid}", &uid.to_string());
    if !folder.contains("{home}") {
        return Ok(PathBuf::from(folder));
    }
    let (_, home) = account(uid).ok_or(PatternError::NoHome(uid))?;
    Ok(PathBuf::from(
        folder.replace("{home}", &home.to_string_lossy()),
    ))
}

/// The same as systemd's specifiers, for a unit of every user.
pub(super) fn unit_form(pattern: &str) -> String {
    pattern.replace("{home}", "%h").replace("{uid}", "%U")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_mean_the_user_and_nothing_else() {
        assert!(check("/var/lib/x/{uid}").is_ok());
        assert!(check(DEFAULT).is_ok());
        for wrong in ["relative", "/a/{host}", "/a b", "/a%h", "/a\"b"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
        assert_eq!(state_folder("/x/{uid}", 7).unwrap(), PathBuf::from("/x/7"));
        assert_eq!(
            state_folder(DEFAULT, 0).unwrap(),
            PathBuf::from("/root/.local/state/cairn")
        );
        assert_eq!(unit_form(DEFAULT), "%h/.local/state/cairn");
    }
}
