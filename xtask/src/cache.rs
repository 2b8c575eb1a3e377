//! Where everything that can be made again is kept: build output, tools, Python and Node packages.
//!
//! It owns the folder's layout. It does not decide what goes in. Nothing is written to the checkout.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The cache folder; deleting it costs time and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
    target: PathBuf,
}

impl Cache {
    /// Finds the folder: `$CAIRN_CACHE`, else `$XDG_CACHE_HOME/cairn`, else `~/.cache/cairn`.
    ///
    /// # Errors
    /// None of the three variables is set: the caller tells the user to set `CAIRN_CACHE`.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    /// As [`Cache::from_env`], with the variables as an argument.
    ///
    /// # Errors
    /// As [`Cache::from_env`].
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let root = variable("CAIRN_CACHE")
            .map(PathBuf::from)
            .or_else(|| variable("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("cairn")))
            .or_else(|| variable("HOME").map(|dir| PathBuf::from(dir).join(".cache/cairn")))
            .context("no place for build output: set `CAIRN_CACHE` to a folder")?;
        let target =
            variable("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        Ok(Self { root, target })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target directory: the caller's `CARGO_TARGET_DIR`, else `target` in the cache.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Cargo's target directory for the static hook, which has flags of its own.
    #[must_use]
    pub fn hook_target(&self) -> PathBuf {
        self.root.join("target-hook")
    }

    /// Where built programs are: the `debug` folder of the target directory.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.target.join("debug")
    }

    /// The folder of one tool in one version, so that a new pin never meets an old install.
    #[must_use]
    pub fn tool(&self, name: &str, version: &str) -> PathBuf {
        self.root.join("tools").join(format!("{name}-{version}"))
    }

    /// The Python environment of the suites and of the installers.
    #[must_use]
    pub fn venv(&self) -> PathBuf {
        self.root.join("venv")
    }

    /// The folder Claude Code is installed in with npm.
    #[must_use]
    pub fn claude_code(&self) -> PathBuf {
        self.root.join("claude-code")
    }

    /// The folder Codex is installed in with npm.
    #[must_use]
    pub fn codex(&self) -> PathBuf {
        self.root.join("codex")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<Cache> {
        Cache::from_variables(|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_most_specific_variable_wins() {
        let all = [
            ("CAIRN_CACHE", "/c"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        assert_eq!(from(&all).unwrap().root(), Path::new("/c"));
        assert_eq!(from(&all[1..]).unwrap().root(), Path::new("/x/cairn"));
        assert_eq!(
            from(&all[2..]).unwrap().root(),
            Path::new("/h/.cache/cairn")
        );
        assert!(from(&[]).is_err());
    }

    #[test]
    fn a_callers_target_directory_is_kept() {
        let cache = from(&[("HOME", "/h"), ("CARGO_TARGET_DIR", "/t")]).unwrap();
        assert_eq!(cache.target(), Path::new("/t"));
        assert_eq!(
            from(&[("HOME", "/h")]).unwrap().programs(),
            Path::new("/h/.cache/cairn/target/debug")
        );
    }
}
