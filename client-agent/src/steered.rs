//! Variables that settings files give to every command of the agent, and by which a decided command becomes another.
//!
//! Owns reading their names from the `env` of settings files, and what each is held at instead: what the person's own
//! environment says, or else the value that is as good as none. Which names there are is `cairn_policy`'s list. What
//! is done where one cannot be held is decided elsewhere.
//!
//! Three parts of that list are left out here: names of a family that steer nothing, names that only end as such
//! variables do, because a repository may call its own so, and those that Cairn empties for every session
//! (`wrapper/environment.rs`).
//!
//! Source: Claude Code findings 0.4 and 1.5: a repository's `env` reaches every command, in an untrusted folder too.

use cairn_policy::{Family, Holds, Steering, steering_in_any_letters};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Largest settings file read: the agent's schema fits many times.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A variable that a settings file sets, and that steers commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steered {
    /// The file.
    pub file: PathBuf,
    /// The variable.
    pub name: String,
    /// Its value there; `None` where that is no text.
    pub value: Option<String>,
}

/// Why a session cannot be held: what a settings file says counts, whatever Cairn says beside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheld {
    /// The variable is not set here, and no value is as good as none.
    #[error(
        "`{}` sets `{name}`, by which a decided command runs another program, and no value is as good as none; set it \
         in the shell that you start the agent from, or remove it there",
        file.display()
    )]
    NoValue {
        /// The file.
        file: PathBuf,
        /// The variable.
        name: String,
    },
    /// The value here is not text, so that settings cannot repeat it.
    #[error("`{}` sets `{name}`, whose own value is not UTF-8; remove it there", file.display())]
    NotText {
        /// The file.
        file: PathBuf,
        /// The variable.
        name: String,
    },
    /// A name that would become another variable's in a command's environment.
    #[error("`{}` sets `{name}`, which is no name of a variable; remove it there", file.display())]
    NoName {
        /// The file.
        file: PathBuf,
        /// What it sets.
        name: String,
    },
    /// The file cannot be read as the agent might.
    #[error("which variables `{}` sets cannot be said ({cause}); mend it", file.display())]
    Unread {
        /// The file.
        file: PathBuf,
        /// Why.
        cause: String,
    },
    /// It changed while the agent runs, whose own settings do not hold it.
    #[error(
        "`{}` sets `{name}`, by which a decided command runs another program; start the agent anew, which then holds it",
        file.display()
    )]
    TooLate {
        /// The file.
        file: PathBuf,
        /// The variable.
        name: String,
    },
}

/// What settings files set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The variables that steer, in the order of the files.
    pub steered: Vec<Steered>,
    /// What cannot be held whatever the environment is.
    pub unheld: Vec<Unheld>,
}

impl Found {
    /// Reads the `env` of settings files; one that is not there, or not the person's to read, sets nothing.
    pub fn in_files<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut found = Self::default();
        for file in files {
            match read(file) {
                Ok(Some(settings)) => found.add(file, settings.get("env")),
                Ok(None) => {}
                Err(cause) => found.unheld.push(Unheld::Unread {
                    file: file.to_owned(),
                    cause,
                }),
            }
        }
        found
    }

    /// Adds what an `env` member of a file sets.
    pub fn add(&mut self, file: &Path, variables: Option<&Value>) {
        for (name, value) in variables.and_then(Value::as_object).into_iter().flatten() {
            let (file, name) = (file.to_owned(), name.clone());
            if is_no_name(&name) {
                self.unheld.push(Unheld::NoName { file, name });
            } else if steers(&name).is_some() {
                let value = value.as_str().map(str::to_owned);
                self.steered.push(Steered { file, name, value });
            }
        }
    }

    /// What each variable is held at; `own` is the person's environment, and whatever is in `held` is held already.
    pub fn pins(&self, own: impl Fn(&str) -> Option<OsString>, held: &BTreeSet<String>) -> Pins {
        let mut pins = Pins {
            unheld: self.unheld.clone(),
            ..Pins::default()
        };
        for one in self.steered.iter().filter(|one| !held.contains(&one.name)) {
            let (file, name) = (one.file.clone(), one.name.clone());
            let unset = || steers(&one.name).and_then(|known| known.unset);
            match (own(&one.name).map(OsString::into_string), unset()) {
                (Some(Ok(value)), _) => pins.hold(one, value),
                (None, Some(value)) => pins.hold(one, value.to_owned()),
                (Some(Err(_)), _) => pins.unheld.push(Unheld::NotText { file, name }),
                (None, None) => pins.unheld.push(Unheld::NoValue { file, name }),
            }
        }
        pins
    }

    /// The first variable that the settings of a running agent do not hold, or why that cannot be said.
    pub fn beyond(&self, held: &BTreeSet<String>) -> Option<Unheld> {
        let too_late = |one: &Steered| Unheld::TooLate {
            file: one.file.clone(),
            name: one.name.clone(),
        };
        let unknown = self.unheld.first().cloned();
        let mut beyond = self.steered.iter().filter(|one| !held.contains(&one.name));
        unknown.or_else(|| beyond.next().map(too_late))
    }
}

/// What the variables of settings files are held at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Names with values.
    pub values: Vec<(String, String)>,
    /// Where another value is held than the file's, in words.
    pub said: Vec<String>,
    /// What cannot be held.
    pub unheld: Vec<Unheld>,
}

impl Pins {
    fn hold(&mut self, one: &Steered, value: String) {
        if one.value.as_deref() != Some(value.as_str()) {
            let Steered { file, name, .. } = one;
            self.said.push(format!(
                "`{}` sets `{name}`, which stays as it is in your own environment",
                file.display()
            ));
        }
        self.values.push((one.name.clone(), value));
    }
}

/// The names of variables that the settings in these files hold: those that a session was started with.
pub fn held_by<'a>(files: impl IntoIterator<Item = &'a Path>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files {
        if let Ok(Some(settings)) = read(file) {
            let variables = settings.get("env").and_then(Value::as_object);
            names.extend(
                variables
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone()),
            );
        }
    }
    names
}

/// What a variable of settings steers.
fn steers(name: &str) -> Option<Steering> {
    steering_in_any_letters(name)
        .filter(|known| known.holds != Holds::Nothing && known.family != Family::Guessed)
}

/// `A=B` with a value becomes a variable `A` of a command, whatever else sets it.
fn is_no_name(name: &str) -> bool {
    name.is_empty() || name.contains(['=', '\0'])
}

/// A settings file as the agent reads it; `None` where it gives the agent nothing.
///
/// Of two members with one name the later counts, to the agent as well as here.
fn read(file: &Path) -> Result<Option<Value>, String> {
    use cairn_durable::file::ReadFileError;
    let bytes = match cairn_durable::read_limited(file, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(ReadFileError::NotFound { .. }) => return Ok(None),
        Err(ReadFileError::Io { source, .. }) if gives_nothing(&source) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if text.trim_ascii().is_empty() {
        return Ok(None);
    }
    let settings = serde_json::from_slice(text).map_err(|_| "it is not JSON".to_owned())?;
    Ok(Some(settings))
}

/// Whether the agent, which has the same rights, reads nothing there either.
fn gives_nothing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, PermissionDenied};
    matches!(
        error.kind(),
        IsADirectory | NotADirectory | PermissionDenied
    )
}

#[cfg(test)]
mod tests;
