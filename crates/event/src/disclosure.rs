//! Salted disclosures: confidential members that an entry commits to and does not contain.
//!
//! Source: RFC 9901 section 4.2 (object properties) and 4.2.3 (digests). Only top-level members are
//! ever made disclosable, so array-element and recursive disclosures are refused.

use crate::encoding::{Sha256, from_base64url, to_base64url};
use crate::json::{JsonError, Numbers, parse, to_canonical};
use crate::limits::{MAX_DISCLOSURE_BYTES, SALT_BYTES};
use serde_json::Value;

/// Names of the confidential members that entries of version 1 use.
pub mod names {
    /// The frozen `policy::Request`: tool input, working directory, resolved paths.
    pub const REQUEST: &str = "request";
    /// The tool's answer: digest, length and, where the organisation turns text on, content.
    pub const RESPONSE: &str = "response";
    /// A prompt: digest, length and, where the organisation turns text on, text.
    pub const PROMPT: &str = "prompt";
    /// The person's e-mail address at the time.
    pub const EMAIL: &str = "email";
    /// Operating-system user: name and uid.
    pub const OS_USER: &str = "os_user";
    /// Host: name, machine identifier digest.
    pub const HOST: &str = "host";
    /// Process ancestry, nearest process first.
    pub const ANCESTRY: &str = "ancestry";
    /// An MCP server definition with its secrets removed.
    pub const DEFINITION: &str = "definition";

    const PLAIN: [&str; 8] = [
        REQUEST, RESPONSE, PROMPT, EMAIL, OS_USER, HOST, ANCESTRY, DEFINITION,
    ];

    /// The person of `email:<person>` or the device of `host:<device>`; `None` for other names.
    pub fn subject(name: &str) -> Option<&str> {
        let (member, subject) = name.split_once(':')?;
        let prefix = match member {
            EMAIL => "p_",
            HOST => "d_",
            _ => return None,
        };
        let hex = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
        let digits = subject.strip_prefix(prefix)?;
        (digits.len() == 32 && digits.bytes().all(hex)).then_some(subject)
    }

    /// Whether version 1 has a confidential member of this name.
    pub fn is_known(name: &str) -> bool {
        PLAIN.contains(&name) || subject(name).is_some()
    }
}

/// Why a disclosure was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// Longer than [`MAX_DISCLOSURE_BYTES`].
    #[error("disclosure of {0} bytes is longer than {MAX_DISCLOSURE_BYTES}")]
    TooLong(usize),
    /// Not canonical base64url.
    #[error("disclosure is not base64url")]
    Encoding,
    /// The decoded text is not strict JSON.
    #[error("disclosure: {0}")]
    Json(#[from] JsonError),
    /// Not `[salt, name, value]` with a salt of at least 128 bits.
    #[error("disclosure is not [salt, name, value]")]
    Shape,
    /// A name that version 1 does not have. Why: the name decides under whose key the value is kept.
    #[error("disclosure has a name that is no confidential member")]
    Name,
    /// The value holds a member that RFC 9901 gives a meaning (see [`holds_reserved`]).
    #[error("disclosure has a member `_sd` or `...` in its value")]
    Reserved,
}

/// One disclosure: `base64url(["salt","name",value])` and its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Disclosure {
    encoded: String,
    digest: Sha256,
    name: String,
    value: Value,
}

impl Disclosure {
    /// Makes a disclosure from fresh randomness.
    ///
    /// Errors: [`DisclosureError::TooLong`] and [`DisclosureError::Reserved`], both avoided by
    /// [`bounded_value`]; [`DisclosureError::Name`].
    /// Trap: a salt must never be used twice; equal salts make equal values recognisable.
    pub fn new(salt: [u8; SALT_BYTES], name: &str, value: Value) -> Result<Self, DisclosureError> {
        check(name, &value)?;
        let parts = Value::Array(vec![
            Value::String(to_base64url(&salt)),
            Value::String(name.to_owned()),
            value.clone(),
        ]);
        let encoded = to_base64url(&to_canonical(&parts));
        if encoded.len() > MAX_DISCLOSURE_BYTES {
            return Err(DisclosureError::TooLong(encoded.len()));
        }
        Ok(Self {
            digest: Sha256::of(encoded.as_bytes()),
            encoded,
            name: name.to_owned(),
            value,
        })
    }

    /// Reads a disclosure somebody presents. Floats are allowed in values: tool inputs hold them.
    pub fn parse(encoded: &str) -> Result<Self, DisclosureError> {
        Self::read(encoded, Sha256::of(encoded.as_bytes()))
    }

    /// As [`Disclosure::parse`], for who has hashed it.
    pub(crate) fn read(encoded: &str, digest: Sha256) -> Result<Self, DisclosureError> {
        if encoded.len() > MAX_DISCLOSURE_BYTES {
            return Err(DisclosureError::TooLong(encoded.len()));
        }
        let bytes = from_base64url(encoded).ok_or(DisclosureError::Encoding)?;
        let Value::Array(parts) = parse(&bytes, Numbers::Any)? else {
            return Err(DisclosureError::Shape);
        };
        let Ok([Value::String(salt), Value::String(name), value]) = <[Value; 3]>::try_from(parts)
        else {
            return Err(DisclosureError::Shape);
        };
        let salted = from_base64url(&salt).is_some_and(|salt| salt.len() >= SALT_BYTES);
        if !salted {
            return Err(DisclosureError::Shape);
        }
        check(&name, &value)?;
        Ok(Self {
            digest,
            encoded: encoded.to_owned(),
            name,
            value,
        })
    }

    /// The text that is presented and hashed.
    pub fn encoded(&self) -> &str {
        &self.encoded
    }

    /// The member name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The member value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// `base64url(SHA-256(ascii(encoded)))`, the form in which `_sd` lists it.
    pub fn digest(&self) -> String {
        to_base64url(&self.digest.0)
    }

    /// `SHA-256(ascii(encoded))`.
    pub fn raw_digest(&self) -> &[u8; 32] {
        &self.digest.0
    }
}

fn check(name: &str, value: &Value) -> Result<(), DisclosureError> {
    if !names::is_known(name) {
        return Err(DisclosureError::Name);
    }
    if holds_reserved(value) {
        return Err(DisclosureError::Reserved);
    }
    Ok(())
}

/// Whether a member name means something to every SD-JWT library (RFC 9901 sections 4.2.4.1, 4.2.4.2).
pub(crate) fn is_reserved(name: &str) -> bool {
    name == "_sd" || name == "..."
}

/// Whether an object at any depth has a member `_sd` or `...`.
///
/// Why: a library would look for further disclosures there and refuse, or drop, the value.
pub fn holds_reserved(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_reserved),
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| is_reserved(name) || holds_reserved(member)),
        _ => false,
    }
}

/// Longest string inside a disclosed value; longer ones are replaced by digest and length.
///
/// Eight such strings fit [`MAX_DISCLOSURE_BYTES`] after base64url and JSON escaping.
pub const MAX_DISCLOSED_STRING_BYTES: usize = 16_384;

/// Replaces every string longer than [`MAX_DISCLOSED_STRING_BYTES`] by
/// `{"bytes":n,"head":"first 1,024 bytes or fewer","sha256":"…"}`, and every object that has a member
/// `_sd` or `...` by its canonical JSON text as a string.
///
/// Why: a 10 MB file write must not push its own record out of the log; the digest still binds it.
/// The value that was decided on is the original, so a replay of such an entry says
/// `not replayable: input by digest`.
pub fn bounded_value(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > MAX_DISCLOSED_STRING_BYTES => {
            let head: String = text.chars().take(256).collect();
            serde_json::json!({
                "bytes": text.len(),
                "head": head,
                "sha256": Sha256::of(text.as_bytes()),
            })
        }
        Value::Array(items) => Value::Array(items.into_iter().map(bounded_value).collect()),
        Value::Object(members) if members.keys().any(|name| is_reserved(name)) => {
            let text = to_canonical(&Value::Object(members));
            bounded_value(Value::String(String::from_utf8_lossy(&text).into_owned()))
        }
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, member)| (name, bounded_value(member)))
                .collect(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9901_digest_example() {
        // RFC 9901 section 4.2.3: this disclosure has this digest.
        let encoded = "WyI2cU1RdlJMNWhhaiIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        let digest = to_base64url(&Sha256::of(encoded.as_bytes()).0);
        assert_eq!(digest, "uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY");
    }

    #[test]
    fn round_trip() {
        let made = Disclosure::new([3; 16], "email", Value::from("ann@example.com")).unwrap();
        let read = Disclosure::parse(made.encoded()).unwrap();
        assert_eq!(read, made);
        assert_eq!(read.digest(), made.digest());
    }

    #[test]
    fn short_salts_and_array_elements_are_refused() {
        let short = to_base64url(br#"["AAAA","email","x"]"#);
        assert_eq!(Disclosure::parse(&short), Err(DisclosureError::Shape));
        let array_element = to_base64url(br#"["AAAAAAAAAAAAAAAAAAAAAA","x"]"#);
        assert_eq!(
            Disclosure::parse(&array_element),
            Err(DisclosureError::Shape)
        );
    }

    #[test]
    fn names_are_those_of_the_table() {
        let (person, device) = (
            format!("p_{}", "a".repeat(32)),
            format!("d_{}", "0".repeat(32)),
        );
        let long = "x".repeat(70_000);
        let forms = [
            ("request".to_owned(), true),
            (format!("email:{person}"), true),
            (format!("host:{device}"), true),
            (format!("email:{device}"), false),
            (format!("z:{person}"), false),
            (format!("email:{}", person.to_uppercase()), false),
            (format!("email:{person}0"), false),
            ("_sd".to_owned(), false),
            (String::new(), false),
            (long, false),
        ];
        for (name, known) in forms {
            let parts = serde_json::json!(["AAAAAAAAAAAAAAAAAAAAAA", name, 1]);
            let read = Disclosure::parse(&to_base64url(&to_canonical(&parts)));
            let made = Disclosure::new([1; 16], &name, Value::from(1));
            assert_eq!((made.is_ok(), read.is_ok()), (known, known), "{name:.50}");
            if !known {
                assert_eq!(read, Err(DisclosureError::Name));
            }
        }
    }

    #[test]
    fn members_with_a_meaning_of_their_own_are_refused_and_written_as_text() {
        for name in ["_sd", "..."] {
            let inner = serde_json::json!({ "list": [{ name: ["b", "a"], "x": 1 }], "y": 2 });
            let parts = serde_json::json!(["AAAAAAAAAAAAAAAAAAAAAA", "request", inner]);
            let read = Disclosure::parse(&to_base64url(&to_canonical(&parts)));
            assert_eq!(read, Err(DisclosureError::Reserved));
            let bounded = bounded_value(inner);
            let text = format!(r#"{{"{name}":["b","a"],"x":1}}"#);
            assert_eq!(bounded, serde_json::json!({ "list": [text], "y": 2 }));
            Disclosure::new([1; 16], "request", bounded).unwrap();
        }
    }

    #[test]
    fn long_strings_become_digests() {
        let long = "x".repeat(MAX_DISCLOSED_STRING_BYTES + 1);
        let bounded = bounded_value(serde_json::json!({ "content": long, "path": "/a" }));
        assert_eq!(bounded["path"], "/a");
        assert_eq!(bounded["content"]["bytes"], MAX_DISCLOSED_STRING_BYTES + 1);
        assert_eq!(
            bounded["content"]["sha256"],
            Sha256::of(long.as_bytes()).to_string()
        );
    }
}
