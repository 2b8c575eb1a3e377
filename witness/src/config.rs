//! Configuration of `cairn-witness serve`: a TOML file or flags, checked as a whole.
//!
//! Owns the file's shape and every rule about its values. It does not open the files it names.
//! Unknown fields are refused, and all problems are reported at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use cairn_tlog::{KeyParseError, VerifierKey};
use serde::Deserialize;

use crate::logs::LogSet;

/// Where the witness listens unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:7380";

/// Most logs one witness serves; far above any known witness, so that start-up stays immediate.
pub const MAX_LOGS: usize = 10_000;

/// The file as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port; port 0 takes a free one.
    pub listen: Option<String>,
    /// Key file made by `init`.
    pub key: Option<PathBuf>,
    /// Key file made by `init --ml-dsa`: a second cosignature in every answer.
    pub ml_dsa_key: Option<PathBuf>,
    /// State file; created when absent.
    pub database: Option<PathBuf>,
    /// Verifier keys (type 0x01 or 0x06) of the logs to serve.
    #[serde(default)]
    pub logs: Vec<String>,
}

/// A configuration without problems.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address and port to bind.
    pub listen: SocketAddr,
    /// Key file.
    pub key: PathBuf,
    /// Key file of the second, ML-DSA-44 cosignature.
    pub ml_dsa_key: Option<PathBuf>,
    /// State file.
    pub database: PathBuf,
    /// Logs to serve.
    pub logs: LogSet,
}

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// `listen` is not an address and a port.
    #[error("listen address `{value}` is not an ip address and a port")]
    Listen {
        /// The value.
        value: String,
    },
    /// No key file is named.
    #[error("no key file is named")]
    MissingKey,
    /// No state file is named.
    #[error("no database file is named")]
    MissingDatabase,
    /// No log is listed.
    #[error("no log is listed")]
    MissingLogs,
    /// More than `MAX_LOGS`.
    #[error("{count} logs are listed, the limit is 10000")]
    TooManyLogs {
        /// Logs listed.
        count: usize,
    },
    /// A log key is refused.
    #[error("log key `{value}` is refused: {cause}")]
    LogKey {
        /// The value.
        value: String,
        /// Why.
        cause: KeyParseError,
    },
    /// A log key is of a type that only witnesses sign with.
    #[error("log key `{value}` is not a key that logs sign with")]
    LogKeyType {
        /// The value.
        value: String,
    },
    /// A log key is listed twice.
    #[error("log key `{value}` is listed twice")]
    DuplicateLog {
        /// The value.
        value: String,
    },
}

impl Config {
    /// Parses the text of a configuration file.
    ///
    /// # Errors
    /// The TOML error, which names line and field.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Takes every value that `flags` sets in place of its own, and adds the logs of `flags`.
    #[must_use]
    pub fn overridden_by(mut self, flags: Self) -> Self {
        self.listen = flags.listen.or(self.listen);
        self.key = flags.key.or(self.key);
        self.ml_dsa_key = flags.ml_dsa_key.or(self.ml_dsa_key);
        self.database = flags.database.or(self.database);
        self.logs.extend(flags.logs);
        self
    }

    /// Checks every value.
    ///
    /// # Errors
    /// All problems, not only the first.
    pub fn validate(self) -> Result<Settings, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let listen = self.listen.unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
        let address = listen.parse::<SocketAddr>().ok();
        if address.is_none() {
            problems.push(ConfigProblem::Listen { value: listen });
        }
        if self.key.is_none() {
            problems.push(ConfigProblem::MissingKey);
        }
        if self.database.is_none() {
            problems.push(ConfigProblem::MissingDatabase);
        }
        let logs = parse_logs(self.logs, &mut problems);
        match (address, self.key, self.database) {
            (Some(listen), Some(key), Some(database)) if problems.is_empty() => Ok(Settings {
                listen,
                key,
                ml_dsa_key: self.ml_dsa_key,
                database,
                logs,
            }),
            _ => Err(problems),
        }
    }
}

fn parse_logs(values: Vec<String>, problems: &mut Vec<ConfigProblem>) -> LogSet {
    if values.is_empty() {
        problems.push(ConfigProblem::MissingLogs);
    }
    if values.len() > MAX_LOGS {
        problems.push(ConfigProblem::TooManyLogs {
            count: values.len(),
        });
        return LogSet::default();
    }
    let mut seen = BTreeSet::new();
    let mut keys = Vec::new();
    for value in values {
        match VerifierKey::parse(&value) {
            Err(cause) => problems.push(ConfigProblem::LogKey { value, cause }),
            Ok(key) if !key.algorithm().is_for_logs() => {
                problems.push(ConfigProblem::LogKeyType { value });
            }
            Ok(_) if !seen.insert(value.clone()) => {
                problems.push(ConfigProblem::DuplicateLog { value });
            }
            Ok(key) => keys.push(key),
        }
    }
    keys.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{Config, ConfigProblem};

    const LOG: &str =
        "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    const WITNESS: &str = "Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk";

    #[test]
    fn a_full_file_is_accepted() {
        let text =
            format!("listen = \"[::1]:0\"\nkey = \"k\"\ndatabase = \"d\"\nlogs = [\"{LOG}\"]\n");
        let settings = Config::parse(&text).unwrap().validate().unwrap();
        assert_eq!(settings.listen.to_string(), "[::1]:0");
        assert_eq!(settings.logs.keys_of("example.com/log/testdata").len(), 1);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let refused = Config::parse("listn = \"127.0.0.1:0\"\n").unwrap_err();
        assert!(refused.to_string().contains("listn"));
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let logs = ["bad", WITNESS, LOG, LOG].map(str::to_owned).to_vec();
        let config = Config {
            listen: Some("localhost".to_owned()),
            logs,
            ..Config::default()
        };
        let problems = config.validate().unwrap_err();
        assert_eq!(problems.len(), 6);
        assert!(matches!(problems[0], ConfigProblem::Listen { .. }));
        assert_eq!(problems[1], ConfigProblem::MissingKey);
        assert_eq!(problems[2], ConfigProblem::MissingDatabase);
        assert!(matches!(problems[3], ConfigProblem::LogKey { .. }));
        assert!(matches!(problems[4], ConfigProblem::LogKeyType { .. }));
        assert!(matches!(problems[5], ConfigProblem::DuplicateLog { .. }));
        let empty = Config::default().validate().unwrap_err();
        assert!(empty.contains(&ConfigProblem::MissingLogs));
    }

    #[test]
    fn flags_win_over_the_file_and_add_logs() {
        let file = Config {
            listen: Some("a".into()),
            logs: vec!["1".into()],
            ..Config::default()
        };
        let flags = Config {
            listen: Some("b".into()),
            logs: vec!["2".into()],
            ..Config::default()
        };
        let both = file.overridden_by(flags);
        assert_eq!(both.listen.as_deref(), Some("b"));
        assert_eq!(both.logs, ["1", "2"]);
    }
}
