//! The text form of a trust policy: `log`, `witness`, `group` and `quorum` lines.
//!
//! Owns strict parsing and canonical writing. It does not own the meaning (`trust`).
//! Source: C2SP tlog-policy.
//!
//! Narrower than the specification in one point: the file must be UTF-8, because key names are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::{TrustPolicy, TrustedLog, TrustedWitness, WitnessGroup};
use crate::decimal;
use crate::key::{KeyAlgorithm, KeyParseError, VerifierKey};

/// The longest policy file; 1000 lines of the longest legal keys fit.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// The deepest nesting of groups, so that evaluation cannot exhaust the stack.
const MAX_GROUP_DEPTH: usize = 64;

/// The reserved name that stands for no witness.
const NONE: &str = "none";

/// Why a policy file was refused. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustPolicyError {
    /// Longer than `MAX_POLICY_BYTES`.
    #[error("trust policy has {got} bytes, the limit is 1048576")]
    TooLong {
        /// Bytes found.
        got: usize,
    },
    /// The last line does not end in LF.
    #[error("trust policy does not end in a line feed")]
    MissingLineFeed,
    /// An octet that is not tab, LF or printable (a carriage return, for example).
    #[error("line {line}: control character")]
    ControlCharacter {
        /// Line.
        line: usize,
    },
    /// The first word is not `log`, `witness`, `group` or `quorum`.
    #[error("line {line}: unknown keyword `{word}`")]
    Keyword {
        /// Line.
        line: usize,
        /// Word found.
        word: String,
    },
    /// Too few or too many words.
    #[error("line {line}: wrong number of words")]
    WordCount {
        /// Line.
        line: usize,
    },
    /// The key is refused.
    #[error("line {line}: key is refused")]
    Key {
        /// Line.
        line: usize,
        /// Why.
        #[source]
        cause: KeyParseError,
    },
    /// A log key that is neither type 0x01 nor 0x06, or a witness key neither 0x04 nor 0x06.
    #[error("line {line}: key is of the wrong type for its line")]
    KeyType {
        /// Line.
        line: usize,
    },
    /// The public key is already listed among the logs or among the witnesses.
    #[error("line {line}: public key is listed twice")]
    DuplicateKey {
        /// Line.
        line: usize,
    },
    /// The name is reserved or already defined.
    #[error("line {line}: name `{name}` is reserved or defined twice")]
    Name {
        /// Line.
        line: usize,
        /// The name.
        name: String,
    },
    /// The threshold is not `any`, `all` or a number from 1 to the number of members.
    #[error("line {line}: threshold `{threshold}` is not any, all or 1 to the number of members")]
    Threshold {
        /// Line.
        line: usize,
        /// The word found.
        threshold: String,
    },
    /// The name is not defined on an earlier line.
    #[error("line {line}: `{name}` is not defined on an earlier line")]
    Undefined {
        /// Line.
        line: usize,
        /// The name.
        name: String,
    },
    /// The name is already a member of a group.
    #[error("line {line}: `{name}` is already a member of a group")]
    DuplicateMember {
        /// Line.
        line: usize,
        /// The name.
        name: String,
    },
    /// Groups nest deeper than 64.
    #[error("line {line}: groups nest deeper than 64")]
    GroupDepth {
        /// Line.
        line: usize,
    },
    /// A second quorum line.
    #[error("line {line}: a quorum is already defined")]
    DuplicateQuorum {
        /// Line.
        line: usize,
    },
    /// No quorum line.
    #[error("trust policy has no quorum line")]
    MissingQuorum,
    /// No log line: nothing could ever be trusted.
    #[error("trust policy has no log line")]
    MissingLog,
}

use TrustPolicyError as E;

impl TrustPolicy {
    /// Parses a policy file.
    ///
    /// # Errors
    /// Refused with the line and the cause.
    pub fn parse(text: &str) -> Result<Self, TrustPolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(E::TooLong { got: text.len() });
        }
        let mut parser = Parser::default();
        let body = text.strip_suffix('\n').ok_or(E::MissingLineFeed)?;
        for (position, content) in body.split('\n').enumerate() {
            parser.line(position + 1, content)?;
        }
        if parser.logs.is_empty() {
            return Err(E::MissingLog);
        }
        let quorum = parser.quorum.ok_or(E::MissingQuorum)?;
        Ok(Self {
            logs: parser.logs,
            witnesses: parser.witnesses,
            groups: parser.groups,
            quorum: (quorum != NONE).then_some(quorum),
        })
    }
}

impl FromStr for TrustPolicy {
    type Err = TrustPolicyError;

    fn from_str(text: &str) -> Result<Self, TrustPolicyError> {
        Self::parse(text)
    }
}

#[derive(Default)]
struct Parser {
    logs: Vec<TrustedLog>,
    witnesses: Vec<TrustedWitness>,
    groups: Vec<WitnessGroup>,
    /// Every defined name with its nesting depth, 0 for a witness: looked up for each name on each line.
    depths: BTreeMap<String, usize>,
    members: BTreeSet<String>,
    quorum: Option<String>,
}

impl Parser {
    fn line(&mut self, line: usize, content: &str) -> Result<(), TrustPolicyError> {
        let legal = |byte: u8| byte == b'\t' || (byte >= 0x20 && byte != 0x7f);
        if !content.bytes().all(legal) {
            return Err(E::ControlCharacter { line });
        }
        let words: Vec<&str> = content
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", rest @ ..] => self.log(line, rest),
            ["witness", rest @ ..] => self.witness(line, rest),
            ["group", rest @ ..] => self.group(line, rest),
            ["quorum", rest @ ..] => self.quorum(line, rest),
            [word, ..] => Err(E::Keyword {
                line,
                word: (*word).to_owned(),
            }),
        }
    }

    fn log(&mut self, line: usize, words: &[&str]) -> Result<(), TrustPolicyError> {
        let (key, url) = match words {
            [key] => (key, None),
            [key, url] => (key, Some((*url).to_owned())),
            _ => return Err(E::WordCount { line }),
        };
        let key = parse_key(line, key, KeyAlgorithm::is_for_logs)?;
        if self
            .logs
            .iter()
            .any(|log| log.key.public_key() == key.public_key())
        {
            return Err(E::DuplicateKey { line });
        }
        self.logs.push(TrustedLog { key, url });
        Ok(())
    }

    fn witness(&mut self, line: usize, words: &[&str]) -> Result<(), TrustPolicyError> {
        let (name, key, url) = match words {
            [name, key] => (name, key, None),
            [name, key, url] => (name, key, Some((*url).to_owned())),
            _ => return Err(E::WordCount { line }),
        };
        self.check_new(line, name)?;
        let key = parse_key(line, key, KeyAlgorithm::is_for_cosigners)?;
        if self
            .witnesses
            .iter()
            .any(|known| known.key.public_key() == key.public_key())
        {
            return Err(E::DuplicateKey { line });
        }
        self.depths.insert((*name).to_owned(), 0);
        let name = (*name).to_owned();
        self.witnesses.push(TrustedWitness { name, key, url });
        Ok(())
    }

    fn group(&mut self, line: usize, words: &[&str]) -> Result<(), TrustPolicyError> {
        let [name, threshold, members @ ..] = words else {
            return Err(E::WordCount { line });
        };
        if members.is_empty() {
            return Err(E::WordCount { line });
        }
        self.check_new(line, name)?;
        let threshold = parse_threshold(line, threshold, members.len())?;
        let mut depth = 1;
        for member in members {
            let below = self.depths.get(*member);
            let below = below.ok_or_else(|| E::Undefined {
                line,
                name: (*member).to_owned(),
            })?;
            depth = depth.max(below + 1);
            if !self.members.insert((*member).to_owned()) {
                return Err(E::DuplicateMember {
                    line,
                    name: (*member).to_owned(),
                });
            }
        }
        if depth > MAX_GROUP_DEPTH {
            return Err(E::GroupDepth { line });
        }
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.depths.insert((*name).to_owned(), depth);
        self.groups.push(WitnessGroup {
            name: (*name).to_owned(),
            threshold,
            members,
        });
        Ok(())
    }

    fn quorum(&mut self, line: usize, words: &[&str]) -> Result<(), TrustPolicyError> {
        let [name] = words else {
            return Err(E::WordCount { line });
        };
        if self.quorum.is_some() {
            return Err(E::DuplicateQuorum { line });
        }
        if *name != NONE && !self.depths.contains_key(*name) {
            return Err(E::Undefined {
                line,
                name: (*name).to_owned(),
            });
        }
        self.quorum = Some((*name).to_owned());
        Ok(())
    }

    fn check_new(&self, line: usize, name: &str) -> Result<(), TrustPolicyError> {
        if name == NONE || self.depths.contains_key(name) {
            return Err(E::Name {
                line,
                name: name.to_owned(),
            });
        }
        Ok(())
    }
}

fn parse_key(
    line: usize,
    text: &str,
    is_of_its_line: fn(KeyAlgorithm) -> bool,
) -> Result<VerifierKey, TrustPolicyError> {
    let key = VerifierKey::parse(text).map_err(|cause| E::Key { line, cause })?;
    if is_of_its_line(key.algorithm()) {
        Ok(key)
    } else {
        Err(E::KeyType { line })
    }
}

fn parse_threshold(line: usize, word: &str, members: usize) -> Result<usize, TrustPolicyError> {
    let threshold = match word {
        "any" => Some(1),
        "all" => Some(members),
        number => decimal::parse(number).and_then(|count| usize::try_from(count).ok()),
    };
    let legal = threshold.filter(|count| (1..=members).contains(count));
    legal.ok_or_else(|| E::Threshold {
        line,
        threshold: word.to_owned(),
    })
}

impl fmt::Display for TrustPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url =
            |url: &Option<String>| url.as_ref().map_or(String::new(), |url| format!(" {url}"));
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for witness in &self.witnesses {
            writeln!(
                f,
                "witness {} {}{}",
                witness.name,
                witness.key,
                url(&witness.url)
            )?;
        }
        for group in &self.groups {
            writeln!(
                f,
                "group {} {} {}",
                group.name,
                group.threshold,
                group.members.join(" ")
            )?;
        }
        writeln!(f, "quorum {}", self.quorum.as_deref().unwrap_or(NONE))
    }
}
