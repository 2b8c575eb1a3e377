//! Submission frames: an entry and its disclosures on one line, as RFC 9901 presents an SD-JWT.
//!
//! `entry~disclosure~disclosure~` and, in a submission body, `\n` after each frame.
//! Source: RFC 9901 section 4 (compact serialisation), `docs/formats/frame.md`.

use crate::body::Body;
use crate::disclosure::{Disclosure, DisclosureError, names};
use crate::encoding::{Sha256, to_base64url};
use crate::entry::{Entry, EntryError};

use crate::limits::{
    MAX_DISCLOSURES, MAX_FRAME_BYTES, MAX_FRAMES_PER_SUBMISSION, MAX_SUBMISSION_BYTES,
};

/// The media type of a submission body.
pub const MEDIA_TYPE: &str = "application/vnd.cairn.frames";

/// Why a frame or a submission body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME_BYTES`].
    #[error("frame of {0} bytes is longer than {MAX_FRAME_BYTES}")]
    TooLong(usize),
    /// The body is longer than [`MAX_SUBMISSION_BYTES`].
    #[error("submission of {0} bytes is longer than {MAX_SUBMISSION_BYTES}")]
    BodyTooLong(usize),
    /// No frames, too many, or a body that does not end each frame with a line feed.
    #[error("submission is not 1 to {MAX_FRAMES_PER_SUBMISSION} lines, each ended by a line feed")]
    Lines,
    /// Not `entry~…~`.
    #[error("frame does not end its entry and each disclosure with a tilde")]
    Tilde,
    /// The entry was refused.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A disclosure was refused.
    #[error(transparent)]
    Disclosure(#[from] DisclosureError),
    /// A disclosure, by its place in the frame from 0, that the entry does not commit to.
    #[error("disclosure {0} is not among the digests of the entry")]
    NotCommitted(usize),
    /// A disclosure given twice, or two that claim one name.
    #[error("disclosure `{0}` is given twice")]
    Repeated(String),
    /// A name about a person or device of the roster, in an entry of another type.
    #[error("disclosure `{0}` belongs into a roster entry")]
    Misplaced(String),
    /// More disclosures than allowed.
    #[error("frame has {0} disclosures, more than {MAX_DISCLOSURES}")]
    TooMany(usize),
}

/// An entry with the disclosures that its digests commit to; some may be left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    entry: Entry,
    disclosures: Vec<Disclosure>,
}

/// A frame whose entry was read and whose disclosures were not.
///
/// Why: JSON takes several times its text in memory. A receiver verifies the entry's signature first,
/// and opens only the disclosures of somebody it knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Unopened<'a> {
    entry: Entry,
    /// What follows the entry's tilde, the last tilde included.
    disclosures: &'a str,
}

impl<'a> Unopened<'a> {
    /// Reads the entry of one frame (no line feed), at most `MAX_ENTRY_BYTES` of JSON.
    ///
    /// Errors: [`FrameError`]; the frame is refused as a whole.
    pub fn parse(line: &'a str) -> Result<Self, FrameError> {
        if line.len() > MAX_FRAME_BYTES {
            return Err(FrameError::TooLong(line.len()));
        }
        if !line.ends_with('~') {
            return Err(FrameError::Tilde);
        }
        let (entry, disclosures) = line.split_once('~').ok_or(FrameError::Tilde)?;
        Ok(Self {
            entry: Entry::parse(entry.as_bytes())?,
            disclosures,
        })
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Checks each disclosure against the entry's digests, and only then reads it: who signed the
    /// entry vouches for what is parsed, whoever sent the frame.
    ///
    /// Errors: [`FrameError`]; the frame is refused as a whole.
    pub fn open(self) -> Result<Frame, FrameError> {
        let count = self.disclosures.matches('~').count();
        if count > MAX_DISCLOSURES {
            return Err(FrameError::TooMany(count));
        }
        let committed = &self.entry.payload().sd;
        let parts = self.disclosures.split_terminator('~').enumerate();
        let read = |(place, encoded): (usize, &str)| {
            let digest = Sha256::of(encoded.as_bytes());
            match committed.binary_search(&to_base64url(&digest.0)) {
                Ok(_) => Disclosure::read(encoded, digest).map_err(FrameError::from),
                Err(_) => Err(FrameError::NotCommitted(place)),
            }
        };
        let frame = Frame {
            disclosures: parts.map(read).collect::<Result<_, _>>()?,
            entry: self.entry,
        };
        frame.check()?;
        Ok(frame)
    }
}

impl Frame {
    /// Reads one frame (no line feed) and checks every disclosure against the entry's digests.
    ///
    /// Errors: [`FrameError`]; the frame is refused as a whole.
    pub fn parse(line: &str) -> Result<Self, FrameError> {
        Unopened::parse(line)?.open()
    }

    fn check(&self) -> Result<(), FrameError> {
        let roster = matches!(self.entry.payload().body, Body::Roster(_));
        let mut seen = std::collections::BTreeSet::new();
        for disclosure in &self.disclosures {
            if !roster && names::subject(disclosure.name()).is_some() {
                return Err(FrameError::Misplaced(disclosure.name().to_owned()));
            }
            if !seen.insert(disclosure.name()) {
                return Err(FrameError::Repeated(disclosure.name().to_owned()));
            }
        }
        Ok(())
    }

    /// Whether every disclosure that the entry commits to is here.
    ///
    /// Why: names are unique within a frame, so a complete frame shows that no two digests of the
    /// entry stand for one name. A log takes a new entry only from such a frame.
    pub fn is_complete(&self) -> bool {
        self.disclosures.len() == self.entry.payload().sd.len()
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The entry, without its disclosures.
    pub fn into_entry(self) -> Entry {
        self.entry
    }

    /// The disclosures presented, in the order presented.
    pub fn disclosures(&self) -> &[Disclosure] {
        &self.disclosures
    }

    /// The disclosed value of a confidential member; `None` where it is withheld or erased.
    pub fn disclosed(&self, name: &str) -> Option<&serde_json::Value> {
        self.disclosures
            .iter()
            .find(|one| one.name() == name)
            .map(Disclosure::value)
    }
}

/// Joins frozen entry bytes and encoded disclosures into a frame line (no line feed).
pub fn present<'a>(entry: &str, disclosures: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::with_capacity(entry.len() + 256);
    line.push_str(entry);
    line.push('~');
    for disclosure in disclosures {
        line.push_str(disclosure);
        line.push('~');
    }
    line
}

/// Splits a submission body into frame lines without reading them.
///
/// Errors: [`FrameError::BodyTooLong`] and [`FrameError::Lines`]; the whole body is refused.
/// Why: a damaged frame must be answered for itself and not spoil its neighbours.
pub fn split_submission(body: &[u8]) -> Result<Vec<&str>, FrameError> {
    if body.len() > MAX_SUBMISSION_BYTES {
        return Err(FrameError::BodyTooLong(body.len()));
    }
    let text = std::str::from_utf8(body).map_err(|_| FrameError::Lines)?;
    let text = text.strip_suffix('\n').ok_or(FrameError::Lines)?;
    let lines: Vec<&str> = text.split('\n').collect();
    let sized = (1..=MAX_FRAMES_PER_SUBMISSION).contains(&lines.len());
    if sized && lines.iter().all(|line| !line.is_empty()) {
        Ok(lines)
    } else {
        Err(FrameError::Lines)
    }
}
