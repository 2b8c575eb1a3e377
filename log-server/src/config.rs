//! The server's configuration file, `config.toml` in the data folder.
//!
//! Owns its members, their defaults and limits. Unknown members are refused: a misspelt limit must
//! not silently be the default. Does not own keys (`keys`) nor the trust policy's grammar
//! (`cairn-tlog`). This page is the reference: every member says what it is and why its default.

mod serving;

pub use serving::{
    ClientCertificates, ConnectionsConfig, ForwardHeader, HealthConfig, ProxiesConfig, QuotaConfig,
    TlsConfig, TraceConfig,
};

use cairn_durable::file::ReadFileError;
use cairn_durable::read_limited;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Name of the file in the data folder.
pub const FILE_NAME: &str = "config.toml";

/// Largest configuration file in bytes; a full one has about 1 KiB.
const MAX_CONFIG_BYTES: u64 = 65_536;

/// A hundred years: more is a slip of the keyboard.
const MAX_RETENTION_DAYS: u64 = 36_525;

/// Everything an operator can set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The URL that people and agents use; empty means `http://` and the listen address.
    #[serde(default)]
    pub public_url: String,
    /// Trust policy file (C2SP tlog-policy with witness URLs), relative to the data folder. With a
    /// quorum in it, every published checkpoint satisfies that quorum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust_policy: Option<PathBuf>,
    /// Mail domains whose people may enrol themselves, lower case.
    #[serde(default)]
    pub allowed_domains: Vec<String>,
    /// Folder with the installer's binaries, relative to the data folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dist: Option<PathBuf>,
    /// Signing and publishing.
    #[serde(default)]
    pub checkpoint: CheckpointConfig,
    /// What may wait.
    #[serde(default)]
    pub pool: PoolConfig,
    /// When a round closes.
    #[serde(default)]
    pub round: RoundConfig,
    /// Free space to keep.
    #[serde(default)]
    pub disk: DiskConfig,
    /// How long entries are kept.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// How mail leaves.
    #[serde(default)]
    pub mail: MailConfig,
    /// TLS; without it the listener speaks plain HTTP/1.1 and HTTP/2 with prior knowledge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// How many connections there may be, and how slow.
    #[serde(default)]
    pub connections: ConnectionsConfig,
    /// Which proxies are believed about whom they serve.
    #[serde(default)]
    pub proxies: ProxiesConfig,
    /// What one device may submit.
    #[serde(default)]
    pub quota: QuotaConfig,
    /// When the server calls itself ready.
    #[serde(default)]
    pub health: HealthConfig,
    /// Where traces go; without it nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceConfig>,
}

/// Signing and publishing of checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Least time between two checkpoints, milliseconds. Each is kept for ever (about 1 KiB).
    pub interval_ms: u64,
    /// An unchanged head is cosigned again after this long, so that its age can be judged.
    pub republish_s: u64,
    /// How long one witness may take.
    pub witness_timeout_ms: u64,
}

/// Bounds of the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolConfig {
    /// Entries that may wait.
    pub entries: u64,
    /// Bytes of frames that may wait.
    pub bytes: u64,
}

/// When the sequencer stops collecting and commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoundConfig {
    /// Entries in a round.
    pub entries: usize,
    /// Bytes of entries in a round.
    pub bytes: usize,
    /// Milliseconds since the first submission of the round.
    pub wait_ms: u64,
}

/// Free space on the disk of the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskConfig {
    /// Below this many free bytes new entries are answered 503, so that a full disk never meets a
    /// half-written round.
    pub reserve_bytes: u64,
}

/// How long entries are kept. Without a number of days nothing is ever pruned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// The least number of days for which a published entry can be read. Younger entries are never
    /// pruned, whatever administrators sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<u64>,
}

/// How mail leaves: exactly one of the two, or none (then nobody can enrol by mail).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// SMTP URL, for example `smtps://user:password@mail.example.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smtp: Option<String>,
    /// Folder that gets one `.eml` file for each mail, relative to the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbox: Option<PathBuf>,
    /// Sender address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        // 250 ms keeps a policy change below a second on its way to a device and costs at most
        // about 350 MB of kept checkpoints a day under constant load.
        Self {
            interval_ms: 250,
            republish_s: 600,
            witness_timeout_ms: 5_000,
        }
    }
}

impl Default for PoolConfig {
    fn default() -> Self {
        // Four full rounds, and frames of 4 KiB on average.
        Self {
            entries: 16_384,
            bytes: 67_108_864,
        }
    }
}

impl Default for RoundConfig {
    fn default() -> Self {
        // One fsync is 0.2 to 1 ms here: 2 ms of collecting halves throughput cost at little wait.
        Self {
            entries: 4_096,
            bytes: 1_048_576,
            wait_ms: 2,
        }
    }
}

impl Default for DiskConfig {
    fn default() -> Self {
        // Two RocksDB memtables and a compaction fit.
        Self {
            reserve_bytes: 268_435_456,
        }
    }
}

/// Why the file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("the configuration cannot be read")]
    Read(#[source] ReadFileError),
    /// It is not text.
    #[error("the configuration is not UTF-8")]
    NotText,
    /// It is not TOML of the known members.
    #[error("`config.toml` is refused")]
    Toml(#[source] Box<toml::de::Error>),
    /// Values contradict each other or a limit.
    #[error("the configuration has {} problems: {}", .0.len(), join(.0))]
    Invalid(Vec<ConfigProblem>),
}

/// One thing wrong with the values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// The public URL is not an http or https URL without path.
    #[error("`public_url` is not an http or https URL without a path")]
    PublicUrl,
    /// A domain with an at sign, upper case or nothing in it.
    #[error("`allowed_domains` has `{0}`, expected a lower-case domain")]
    Domain(String),
    /// A number outside its limits.
    #[error("`{member}` is {got}, expected {least} to {most}")]
    Range {
        /// The member.
        member: &'static str,
        /// Its value.
        got: u64,
        /// Least.
        least: u64,
        /// Most.
        most: u64,
    },
    /// Both ways of mail.
    #[error("`mail` has both `smtp` and `outbox`, expected one")]
    TwoMailers,
    /// A way of mail and no sender.
    #[error("`mail.from` is missing")]
    NoSender,
    /// Client certificates are asked for and nobody is trusted to issue them.
    #[error("`tls.client` needs `tls.client_ca`")]
    NoClientCa,
    /// The endpoint of traces is no URL.
    #[error("`trace.otlp` is not an http or https URL")]
    TraceUrl,
}

fn join(problems: &[ConfigProblem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

impl Config {
    /// What `init` writes.
    #[must_use]
    pub fn initial(listen: SocketAddr) -> Self {
        Self {
            listen,
            public_url: String::new(),
            trust_policy: None,
            allowed_domains: Vec::new(),
            dist: None,
            checkpoint: CheckpointConfig::default(),
            pool: PoolConfig::default(),
            round: RoundConfig::default(),
            disk: DiskConfig::default(),
            retention: RetentionConfig::default(),
            mail: MailConfig {
                smtp: None,
                outbox: Some(PathBuf::from("outbox")),
                from: Some("Cairn <cairn@localhost>".to_owned()),
            },
            tls: None,
            connections: ConnectionsConfig::default(),
            proxies: ProxiesConfig::default(),
            quota: QuotaConfig::default(),
            health: HealthConfig::default(),
            trace: None,
        }
    }

    /// Reads and validates the file of a data folder.
    ///
    /// # Errors
    /// [`ConfigError`]; the operator edits the file.
    pub fn load(dir: &Path) -> Result<Self, ConfigError> {
        let bytes = read_limited(&dir.join(FILE_NAME), MAX_CONFIG_BYTES);
        let bytes = bytes.map_err(ConfigError::Read)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| ConfigError::NotText)?;
        Self::parse(text)
    }

    /// Reads and validates configuration text.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::Toml(Box::new(error)))?;
        let problems = config.validate();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }

    /// Everything wrong with the values, not only the first.
    #[must_use]
    pub fn validate(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        if !self.public_url.is_empty() && !is_bare_url(&self.public_url) {
            problems.push(ConfigProblem::PublicUrl);
        }
        let wrong = self.allowed_domains.iter().filter(|domain| {
            let odd = |letter: char| letter.is_uppercase() || letter == '@' || letter == ' ';
            domain.is_empty() || domain.chars().any(odd)
        });
        problems.extend(wrong.cloned().map(ConfigProblem::Domain));
        let serving = serving::ranges(&self.connections, &self.quota, &self.health);
        for (member, got, least, most) in self.ranges().into_iter().chain(serving) {
            if !(least..=most).contains(&got) {
                problems.push(ConfigProblem::Range {
                    member,
                    got,
                    least,
                    most,
                });
            }
        }
        if self.mail.smtp.is_some() && self.mail.outbox.is_some() {
            problems.push(ConfigProblem::TwoMailers);
        }
        let mails = self.mail.smtp.is_some() || self.mail.outbox.is_some();
        if mails && self.mail.from.is_none() {
            problems.push(ConfigProblem::NoSender);
        }
        problems.extend(serving::problems(self.tls.as_ref(), self.trace.as_ref()));
        problems
    }

    fn ranges(&self) -> [(&'static str, u64, u64, u64); 9] {
        let entries = self.round.entries as u64;
        let bytes = self.round.bytes as u64;
        [
            (
                "checkpoint.interval_ms",
                self.checkpoint.interval_ms,
                1,
                60_000,
            ),
            (
                "checkpoint.republish_s",
                self.checkpoint.republish_s,
                1,
                86_400,
            ),
            (
                "checkpoint.witness_timeout_ms",
                self.checkpoint.witness_timeout_ms,
                10,
                60_000,
            ),
            ("pool.entries", self.pool.entries, 256, 1_048_576),
            ("pool.bytes", self.pool.bytes, 8_388_608, 4_294_967_296),
            ("round.entries", entries, 1, 65_536),
            ("round.bytes", bytes, 65_536, 67_108_864),
            ("round.wait_ms", self.round.wait_ms, 0, 1_000),
            (
                "retention.days",
                self.retention.days.unwrap_or(1),
                1,
                MAX_RETENTION_DAYS,
            ),
        ]
    }
}

fn is_bare_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && !text.ends_with('/')
            && url.query().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_configuration_survives_writing_and_reading() {
        let config = Config::initial("127.0.0.1:8480".parse().unwrap());
        let text = toml::to_string(&config).unwrap();
        assert_eq!(Config::parse(&text).unwrap(), config);
    }

    #[test]
    fn all_problems_are_reported_and_unknown_members_refused() {
        let text = "listen = \"127.0.0.1:1\"\npublic_url = \"ftp://x\"\n\
                    allowed_domains = [\"A.example\"]\n[pool]\nentries = 1\n\
                    [mail]\nsmtp = \"smtp://x\"\noutbox = \"o\"\n";
        let Err(ConfigError::Invalid(problems)) = Config::parse(text) else {
            panic!("accepted");
        };
        assert_eq!(problems.len(), 5, "{problems:?}");
        let misspelt = Config::parse("listen = \"127.0.0.1:1\"\npublicurl = \"\"\n");
        let misspelt = misspelt.unwrap_err();
        assert!(matches!(misspelt, ConfigError::Toml(_)));
        // Its cause names the member, so the sentence itself does not.
        let told = format!("{:#}", anyhow::Error::from(misspelt));
        assert_eq!(
            told.matches("unknown field `publicurl`").count(),
            1,
            "{told}"
        );
    }
}
