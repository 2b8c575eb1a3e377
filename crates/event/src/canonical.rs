//! Recognising canonical JSON without building anything: one pass over the bytes.
//!
//! Owns the short way to "these bytes are their own canonical form". It accepts only what
//! [`crate::json::parse_canonical`] accepts, and gives up on rare forms (member names outside ASCII
//! or with escapes) that the long way judges. It does not say what is wrong with a text.
//!
//! Source: RFC 8785 sections 3.2.2 and 3.2.3, `docs/formats/entry.md`.

use crate::limits::{MAX_JSON_DEPTH, MAX_SAFE_INTEGER};

/// Digits of [`MAX_SAFE_INTEGER`]: a longer number is beyond it, a number of as many fits a `u64`.
const MAX_DIGITS: usize = 16;

/// Whether `bytes` are canonical JSON of safe integers, and the text of the value of the top-level
/// member `name`.
///
/// `None` when the bytes are not canonical, have no such member, or have a form that is left to
/// [`crate::json::parse_canonical`]: the caller asks there.
pub(crate) fn canonical_member<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    std::str::from_utf8(bytes).ok()?;
    let mut scan = Scan { bytes, at: 0 };
    let mut found = None;
    scan.members(0, &mut |member, value| {
        if member == name.as_bytes() {
            found = Some(value);
        }
    })?;
    found.filter(|_| scan.at == bytes.len())
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'{' => self.members(depth, &mut |_, _| {}),
            b'[' => self.items(depth),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.integer(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        rest.starts_with(word).then(|| self.at += word.len())
    }

    fn items(&mut self, depth: usize) -> Option<()> {
        if depth >= MAX_JSON_DEPTH {
            return None;
        }
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            if self.take(b']').is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }

    /// An object whose member names ascend strictly, so none is there twice.
    fn members(&mut self, depth: usize, each: &mut dyn FnMut(&'a [u8], &'a [u8])) -> Option<()> {
        if depth >= MAX_JSON_DEPTH {
            return None;
        }
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        let mut before: Option<&[u8]> = None;
        loop {
            let name = self.name()?;
            if before.is_some_and(|before| before >= name) {
                return None;
            }
            before = Some(name);
            self.take(b':')?;
            let from = self.at;
            self.value(depth + 1)?;
            each(name, self.bytes.get(from..self.at)?);
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
        }
    }

    /// A member name of plain ASCII, where the order of bytes is the order of RFC 8785.
    fn name(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let from = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' | ..0x20 | 0x80.. => return None,
                _ => self.at += 1,
            }
        }
        let name = self.bytes.get(from..self.at);
        self.at += 1;
        name
    }

    /// A string in which exactly what must be escaped is, in its one spelling.
    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                ..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at + 1..)?;
        let length = match rest {
            [b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', b'0', b'0', high, low, ..] => {
                let code = control(*high, *low)?;
                let short = matches!(code, 0x08 | 0x09 | 0x0a | 0x0c | 0x0d);
                if short {
                    return None;
                }
                6
            }
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    fn integer(&mut self) -> Option<()> {
        let negative = self.take(b'-').is_some();
        let (from, mut number) = (self.at, 0_u64);
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at - from == MAX_DIGITS {
                return None;
            }
            number = number * 10 + u64::from(digit - b'0');
            self.at += 1;
        }
        let digits = self.at - from;
        let one_spelling = match number {
            0 => digits == 1 && !negative,
            _ => self.bytes.get(from) != Some(&b'0'),
        };
        (one_spelling && number <= MAX_SAFE_INTEGER).then_some(())
    }
}

/// The control character of two lower-case hex digits; `None` for anything else.
fn control(high: u8, low: u8) -> Option<u8> {
    let low = match low {
        b'0'..=b'9' => low - b'0',
        b'a'..=b'f' => low - b'a' + 10,
        _ => return None,
    };
    match high {
        b'0' => Some(low),
        b'1' => Some(0x10 + low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{parse_canonical, to_canonical};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    /// Whether the short way takes `text` as the value of a member.
    fn short(text: &[u8]) -> bool {
        let document = [br#"{"x":"#, text, b"}"].concat();
        let found = canonical_member(&document, "x");
        found.inspect(|value| assert_eq!(*value, text)).is_some()
    }

    fn long(text: &[u8]) -> bool {
        parse_canonical(&[br#"{"x":"#, text, b"}"].concat()).is_ok()
    }

    #[test]
    fn what_has_two_spellings_is_not_canonical() {
        let refused = [
            "01",
            "-0",
            "1.0",
            "1e3",
            "+1",
            "-",
            "",
            "9007199254740992",
            "-9007199254740992",
            "10000000000000000",
            "00",
            r#""\/""#,
            r#""\u0041""#,
            r#""\u000a""#,
            r#""\u001F""#,
            "\"\n\"",
            " 1",
            "[1 ]",
            "[1,]",
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":2}"#,
            "nul",
            "[",
            "{",
            r#"{"a":1,}"#,
            r#"{"a"}"#,
            r#""\ud800""#,
            "1]",
            r#""\u00""#,
            "\"",
        ];
        for text in refused {
            assert!(!short(text.as_bytes()), "{text}");
            assert!(!long(text.as_bytes()), "{text}");
        }
        let taken = [
            "0",
            "-1",
            "9007199254740991",
            "-9007199254740991",
            r#""é\u001f\n\"\\""#,
            "[]",
            "{}",
            "\"\u{7f}\"",
            r#"{"a":[true,false,null],"b":{}}"#,
        ];
        for text in taken {
            assert!(short(text.as_bytes()), "{text}");
            assert!(long(text.as_bytes()), "{text}");
        }
        assert!(!short(b"\"\xff\""));
    }

    #[test]
    fn depth_is_that_of_the_long_way() {
        // The member itself is one level down.
        for depth in 60..70 {
            let text = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(short(text.as_bytes()), long(text.as_bytes()), "{depth}");
        }
    }

    #[test]
    fn a_document_is_an_object_and_ends_where_it_ends() {
        assert_eq!(
            canonical_member(br#"{"a":1,"b":[2]}"#, "b"),
            Some(&b"[2]"[..])
        );
        assert_eq!(canonical_member(br#"{"a":1,"b":[2]} "#, "b"), None);
        assert_eq!(
            canonical_member(br#"{"a":{"b":1}}"#, "b"),
            None,
            "of another object"
        );
        assert_eq!(canonical_member(b"[1]", "b"), None);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            "[\\x00-\\x24\\\\]{0,6}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 32, 5, |inner| {
            let members = prop::collection::vec(("[a-c\\x7f\"]{0,3}", inner.clone()), 0..5);
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Value::from),
                members.prop_map(|members| Value::from(Map::from_iter(members))),
            ]
        })
    }

    proptest! {
        #[test]
        fn both_ways_agree_on_canonical_texts(value in any_value()) {
            let text = to_canonical(&json!({ "x": value }));
            let found = canonical_member(&text, "x");
            // A quote in a member name is escaped, and names with escapes are left to the long way.
            let plain = !String::from_utf8_lossy(&text).contains("\\\"");
            prop_assert!(parse_canonical(&text).is_ok());
            prop_assert!(found.is_some() || !plain);
            if let Some(found) = found {
                prop_assert_eq!(found.to_vec(), to_canonical(&value));
            }
        }

        #[test]
        fn what_the_short_way_takes_the_long_way_takes(
            value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let mut text = to_canonical(&json!({ "x": value }));
            let at = at.index(text.len());
            text[at] = byte;
            if canonical_member(&text, "x").is_some() {
                prop_assert!(parse_canonical(&text).is_ok(), "{}", String::from_utf8_lossy(&text));
            }
        }
    }
}
