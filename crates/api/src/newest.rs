//! The log's signed word about what was newest in it at a size.
//!
//! Owns the text and its signature. A receipt proves that an entry is in the log, and not that no newer one
//! is: no proof of a Merkle tree does. Without this word a device could be shown an old policy under every
//! new checkpoint, and believe for ever that it is the newest.
//!
//! Source: `docs/formats/policy-bundle.md`, "Age"; C2SP signed-note.

use cairn_tlog::note::{self, Note, NoteParseError, NoteVerifyError};
use cairn_tlog::{SignatureError, SignerKey, VerifierKey, decimal};
use std::fmt;

/// What follows the origin in the first line: no checkpoint begins with it, nor any other note of a log.
const MARK: &str = "/newest";

/// What was newest among the first `size` entries of a log. `Display` writes the note text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The log's origin, and the name of the key that signs.
    pub origin: String,
    /// Entries that were looked at.
    pub size: u64,
    /// Index of the policy entry in force.
    pub policy: Option<u64>,
    /// Revision of the roster; 0 before its first entry.
    pub roster: u64,
}

/// Why a note is not the log's word. Refused: the policy in force stays, and grows old.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewestError {
    /// Not a note.
    #[error("what is newest is not said in a signed note")]
    Note(#[from] NoteParseError),
    /// Not the four lines.
    #[error("the note does not say what is newest")]
    Form,
    /// About another log.
    #[error("what is newest is said of the log `{0}`")]
    OtherLog(String),
    /// The signature of the log's key fails.
    #[error("the signature under what is newest is refused")]
    Signature(#[from] NoteVerifyError),
    /// Not signed by the log.
    #[error("what is newest is not signed by the log")]
    Unsigned,
}

impl Newest {
    /// Signs as the log.
    ///
    /// # Errors
    /// `WrongAlgorithm` for a cosigner key.
    pub fn sign(&self, key: &SignerKey) -> Result<String, SignatureError> {
        let text = self.to_string();
        let signature = note::sign(&text, key)?;
        let signatures = vec![signature];
        Ok(Note { text, signatures }.to_string())
    }

    /// Reads a note that one of these keys of the log must have signed.
    ///
    /// # Errors
    /// [`NewestError`].
    pub fn open<'a>(
        note: &str,
        origin: &str,
        keys: impl IntoIterator<Item = &'a VerifierKey>,
    ) -> Result<Self, NewestError> {
        let note = Note::parse(note)?;
        let newest = Self::parse(&note.text).ok_or(NewestError::Form)?;
        if newest.origin != origin {
            return Err(NewestError::OtherLog(newest.origin));
        }
        for key in keys {
            if key.name() == origin && note.verify(key)?.is_some() {
                return Ok(newest);
            }
        }
        Err(NewestError::Unsigned)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = lines.next()?.strip_suffix(MARK)?.to_owned();
        let size = decimal::parse(lines.next()?)?;
        let policy = match lines.next()?.strip_prefix("policy ")? {
            "none" => None,
            index => Some(decimal::parse(index)?),
        };
        let roster = decimal::parse(lines.next()?.strip_prefix("roster ")?)?;
        lines.next().is_none().then_some(Self {
            origin,
            size,
            policy,
            roster,
        })
    }
}

impl fmt::Display for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}{MARK}\n{}", self.origin, self.size)?;
        match self.policy {
            Some(index) => writeln!(f, "policy {index}")?,
            None => writeln!(f, "policy none")?,
        }
        writeln!(f, "roster {}", self.roster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_tlog::{Checkpoint, KeyAlgorithm};

    const ORIGIN: &str = "log.example.com/acme";

    fn key(seed: u8) -> SignerKey {
        SignerKey::from_seed(ORIGIN, KeyAlgorithm::Ed25519, &[seed; 32]).unwrap()
    }

    fn newest(policy: Option<u64>) -> Newest {
        Newest {
            origin: ORIGIN.to_owned(),
            size: 9,
            policy,
            roster: 2,
        }
    }

    fn open(note: &str) -> Result<Newest, NewestError> {
        Newest::open(note, ORIGIN, [key(1).verifier()])
    }

    #[test]
    fn what_the_log_signs_is_read_as_it_was_said() {
        for said in [newest(None), newest(Some(0)), newest(Some(8))] {
            assert_eq!(open(&said.sign(&key(1)).unwrap()), Ok(said));
        }
        let text = "log.example.com/acme/newest\n9\npolicy 8\nroster 2\n";
        assert_eq!(newest(Some(8)).to_string(), text);
    }

    #[test]
    fn what_the_log_did_not_sign_is_refused() {
        let said = newest(Some(8));
        assert_eq!(
            open(&said.sign(&key(2)).unwrap()),
            Err(NewestError::Unsigned)
        );
        let note = said.sign(&key(1)).unwrap();
        let changed = open(&note.replace("policy 8", "policy 7"));
        assert!(matches!(changed, Err(NewestError::Signature(_))));
        assert!(matches!(open(""), Err(NewestError::Note(_))));
        let other = Newest::open(&note, "log.example.com/other", [key(1).verifier()]);
        assert_eq!(other, Err(NewestError::OtherLog(ORIGIN.to_owned())));
    }

    #[test]
    fn only_the_four_lines_are_read() {
        for text in [
            "log.example.com/acme\n9\npolicy 8\nroster 2\n",
            "log.example.com/acme/newest\n09\npolicy 8\nroster 2\n",
            "log.example.com/acme/newest\n9\npolicy\nroster 2\n",
            "log.example.com/acme/newest\n9\npolicy 8\nroster -2\n",
            "log.example.com/acme/newest\n9\npolicy 8\nroster 2\nmore\n",
            "log.example.com/acme/newest\n9\npolicy 8\n",
        ] {
            assert_eq!(Newest::parse(text), None, "{text}");
        }
    }

    /// What a log signs for one purpose must say nothing for the other.
    #[test]
    fn a_checkpoint_is_no_word_about_what_is_newest_and_the_other_way_round() {
        let checkpoint = Checkpoint::empty(ORIGIN).sign(&key(1)).unwrap().to_string();
        assert_eq!(open(&checkpoint), Err(NewestError::Form));
        Checkpoint::parse(&newest(Some(8)).to_string()).unwrap_err();
    }
}
