//! Problem bodies (RFC 9457) with the three families by what the caller does.

use serde::{Deserialize, Serialize};

/// The media type of a problem body.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Prefix of every problem `type`.
pub const TYPE_PREFIX: &str = "urn:cairn:problem:";

/// What the caller should do about a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// The request is at fault: do not send it again unchanged.
    Refused,
    /// Passing trouble: send the same again later.
    Retry,
    /// The server's own state is in doubt: it stopped; an operator must look.
    Fatal,
}

/// A problem body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:cairn:problem:` and a stable code.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short, for people; the same for every problem of this type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What was wrong this time.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What the caller should do.
    pub family: Family,
    /// Seconds to wait before the next try, as the answer's `Retry-After` says; not part of the body.
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A problem from its stable code.
    pub fn new(code: &str, title: &str, status: u16, family: Family, detail: String) -> Self {
        let kind = format!("{TYPE_PREFIX}{code}");
        Self {
            kind,
            title: title.to_owned(),
            status,
            detail,
            family,
            retry_after_s: None,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.kind)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.title, self.code())?;
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.detail)
        }
    }
}
