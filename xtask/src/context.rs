//! What every step is told: the checkout, the cache, and whether it may install without asking.
//!
//! It owns the answer to "may I use root?". It does not install anything.

use std::env;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use crate::cache::Cache;
use crate::claim::{Claim, claim};

/// The variable in which cargo names the folder of the package it runs.
const PACKAGE_FOLDER: &str = "CARGO_MANIFEST_DIR";

/// Where a run happens and what it is allowed to do.
#[derive(Clone, Debug)]
pub struct Context {
    /// The root of the checkout.
    pub checkout: PathBuf,
    /// The cache folder.
    pub cache: Cache,
    /// Whether the caller said yes in advance.
    pub consent: Consent,
    /// Keeps other checkouts from the cache.
    _claim: Arc<Claim>,
}

/// Who may say yes to a command that needs root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// `--yes`, or `CI=true`: do not ask.
    Given,
    /// There is a terminal: ask.
    Ask,
    /// There is nobody to ask: say what is missing and stop.
    Nobody,
}

impl Consent {
    /// Decides from the flag, the value of `CI` and whether standard input is a terminal.
    #[must_use]
    pub fn decide(yes: bool, ci: Option<&str>, terminal: bool) -> Self {
        if yes || ci == Some("true") {
            Self::Given
        } else if terminal {
            Self::Ask
        } else {
            Self::Nobody
        }
    }

    /// Asks `question` where there is somebody to ask; only `y` and `yes` mean yes.
    ///
    /// # Errors
    /// The terminal cannot be read or written.
    pub fn asked(self, question: &str) -> Result<bool> {
        match self {
            Self::Given => Ok(true),
            Self::Nobody => Ok(false),
            Self::Ask => {
                print!("{question} [y/N] ");
                io::stdout().flush()?;
                let mut answer = String::new();
                io::stdin().lock().read_line(&mut answer)?;
                Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
            }
        }
    }
}

impl Context {
    /// Looks at the environment once, and makes the cache this checkout's.
    ///
    /// # Errors
    /// There is no place for the cache, see [`Cache::from_env`], or it cannot be written.
    pub fn new(yes: bool) -> Result<Self> {
        let ci = env::var("CI").ok();
        let (checkout, cache) = (checkout(), Cache::from_env()?);
        let claim = claim(&cache, &checkout)?;
        Ok(Self {
            checkout,
            cache,
            consent: Consent::decide(yes, ci.as_deref(), io::stdin().is_terminal()),
            _claim: Arc::new(claim),
        })
    }
}

/// The root of the checkout: the parent of this program's own package.
///
/// Cargo says at run time where the package is. What it said at compile time is used only when the
/// program is started without cargo: two checkouts that share a cache share the compiled program.
#[must_use]
pub fn checkout() -> PathBuf {
    let package = env::var_os(PACKAGE_FOLDER)
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package
        .parent()
        .map_or_else(|| package.clone(), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_used_only_with_a_yes() {
        assert_eq!(Consent::decide(true, None, false), Consent::Given);
        assert_eq!(Consent::decide(false, Some("true"), false), Consent::Given);
        assert_eq!(Consent::decide(false, Some("false"), true), Consent::Ask);
        assert_eq!(Consent::decide(false, None, false), Consent::Nobody);
        assert!(!Consent::Nobody.asked("install").unwrap());
    }

    #[test]
    fn the_checkout_holds_the_workspace_manifest() {
        assert!(checkout().join("Cargo.toml").is_file());
        assert!(checkout().join("xtask/Cargo.toml").is_file());
    }
}
