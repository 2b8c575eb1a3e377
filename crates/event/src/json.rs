//! Strict JSON: one text, one meaning; and the canonical form of RFC 8785 for what we write.
//!
//! Hook payloads and submitted entries are attacker-influenced. A document that two parsers could
//! read differently (duplicate members, floats, integers beyond 2^53 - 1, trailing data) is refused.

use crate::limits::{MAX_JSON_DEPTH, MAX_SAFE_INTEGER};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// What a document may hold besides strings, booleans, null, arrays, objects and safe integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Integers in ±(2^53 - 1) only: the rule for everything that is signed.
    SafeIntegers,
    /// Finite floats too: the rule for documents that others write (tool inputs, settings files).
    Any,
}

/// Why a JSON text was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or JSON that two readers could understand differently.
    #[error("json refused: {detail} at line {line} column {column}")]
    Refused {
        /// What was wrong, in words.
        detail: String,
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
    },
    /// The canonical form of the text is not the text itself.
    #[error("json is not in its canonical form (RFC 8785)")]
    NotCanonical,
}

/// Parses one JSON document and nothing after it.
///
/// Errors: [`JsonError::Refused`] on malformed text, duplicate members, nesting deeper than
/// [`MAX_JSON_DEPTH`], numbers outside `numbers`, or trailing data; the caller refuses the input.
pub fn parse(bytes: &[u8], numbers: Numbers) -> Result<Value, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let seed = Strict { numbers, depth: 0 };
    let value = seed.deserialize(&mut reader).map_err(refused)?;
    reader.end().map_err(refused)?;
    Ok(value)
}

/// Parses a document that must already be in canonical form, byte for byte.
///
/// Errors: as [`parse`], and [`JsonError::NotCanonical`].
/// Why: equality of meaning is then equality of bytes, so no second reader can differ.
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, JsonError> {
    let value = parse(bytes, Numbers::SafeIntegers)?;
    if to_canonical(&value) == bytes {
        Ok(value)
    } else {
        Err(JsonError::NotCanonical)
    }
}

/// The canonical bytes of a value: members sorted, no white space, RFC 8785 string escapes.
///
/// Trap: floats are written as `serde_json` writes them; signed documents never hold one.
/// Source: RFC 8785 section 3.2 (member names here are compared as UTF-8; entry member names are
/// ASCII, where that equals the RFC's UTF-16 order).
pub fn to_canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by(|left, right| utf16_order(left.0, right.0));
            out.push(b'{');
            for (position, (name, member)) in sorted.into_iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_name(name, out);
                out.push(b':');
                write_value(member, out);
            }
            out.push(b'}');
        }
        scalar => write_scalar(scalar, out),
    }
}

/// RFC 8785 section 3.2.3 sorts member names by UTF-16 code units.
fn utf16_order(left: &str, right: &str) -> std::cmp::Ordering {
    if left.is_ascii() && right.is_ascii() {
        left.cmp(right)
    } else {
        left.encode_utf16().cmp(right.encode_utf16())
    }
}

fn write_scalar(value: &Value, out: &mut Vec<u8>) {
    // Writing a scalar into a Vec cannot fail: there is no map key to reject and no IO.
    let _infallible = serde_json::to_writer(out, value);
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    // As a scalar: text is written into memory.
    let _infallible = serde_json::to_writer(out, name);
}

fn refused(error: serde_json::Error) -> JsonError {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let detail = text.split(" at line ").next().unwrap_or(&text).to_owned();
    JsonError::Refused {
        detail,
        line,
        column,
    }
}

struct Strict {
    numbers: Numbers,
    depth: usize,
}

impl Strict {
    fn inner<E: de::Error>(&self) -> Result<Strict, E> {
        if self.depth >= MAX_JSON_DEPTH {
            return Err(E::custom(format_args!(
                "nesting deeper than {MAX_JSON_DEPTH}"
            )));
        }
        Ok(Strict {
            numbers: self.numbers,
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: de::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        if self.numbers == Numbers::SafeIntegers && value > MAX_SAFE_INTEGER {
            return Err(E::custom(format_args!(
                "integer {value} is beyond 2^53 - 1"
            )));
        }
        Ok(Value::Number(value.into()))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        if self.numbers == Numbers::SafeIntegers && value.unsigned_abs() > MAX_SAFE_INTEGER {
            return Err(E::custom(format_args!(
                "integer {value} is beyond -(2^53 - 1)"
            )));
        }
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        if self.numbers == Numbers::SafeIntegers {
            return Err(E::custom(format_args!("number {value} is not an integer")));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number is not finite"))
    }
    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if out.contains_key(&name) {
                return Err(de::Error::custom(format_args!("duplicate member `{name}`")));
            }
            let member = members.next_value_seed(self.inner()?)?;
            out.insert(name, member);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> String {
        parse(text.as_bytes(), Numbers::SafeIntegers)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn one_text_one_meaning() {
        assert!(reason(r#"{"a":1,"a":2}"#).contains("duplicate member `a`"));
        assert!(reason(r#"{"a":{"b":1,"\u0062":2}}"#).contains("duplicate member `b`"));
        assert!(reason("1.5").contains("not an integer"));
        assert!(reason("1e3").contains("not an integer"));
        assert!(reason("9007199254740992").contains("beyond 2^53"));
        assert!(reason("-9007199254740992").contains("beyond"));
        assert!(reason("{} x").contains("trailing"));
        assert!(reason(&"[".repeat(80)).contains("nesting deeper"));
        assert!(
            parse(br#""\ud800""#, Numbers::Any).is_err(),
            "a lone surrogate"
        );
        assert!(parse(b"\"\xff\"", Numbers::Any).is_err());
    }

    #[test]
    fn canonical_form_is_rfc_8785() {
        let text = r#"{ "b" : [ 1, "\u00e9\u0001\/" ], "a":null }"#;
        let value = parse(text.as_bytes(), Numbers::SafeIntegers).unwrap();
        let canonical = to_canonical(&value);
        assert_eq!(
            String::from_utf8(canonical.clone()).unwrap(),
            "{\"a\":null,\"b\":[1,\"é\\u0001/\"]}"
        );
        assert_eq!(parse_canonical(&canonical).unwrap(), value);
        assert_eq!(
            parse_canonical(text.as_bytes()),
            Err(JsonError::NotCanonical)
        );
    }

    #[test]
    fn members_sort_by_utf16_code_units() {
        // U+FB33 sorts after U+1F600 in UTF-16 (a surrogate is 0xD83D), before it in UTF-8.
        let value = parse("{\"\u{fb33}\":1,\"\u{1f600}\":2}".as_bytes(), Numbers::Any).unwrap();
        assert_eq!(
            to_canonical(&value),
            "{\"\u{1f600}\":2,\"\u{fb33}\":1}".as_bytes()
        );
    }
}
