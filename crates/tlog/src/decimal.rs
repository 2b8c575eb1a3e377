//! Strict decimal numbers as every C2SP text format writes them.
//!
//! Owns one rule and nothing else: "0", or ASCII digits without a leading zero, that fit in `u64`.
//! Source: C2SP tlog-checkpoint, tlog-tiles, tlog-proof and tlog-witness ("no leading zeros").

/// Reads a strict ASCII decimal.
///
/// Returns `None` for an empty string, a sign, a leading zero, any other character, or a value
/// above `u64::MAX`. Trap: `str::parse` accepts "+1" and "01", which is why it is not used alone.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn accepts_exactly_the_canonical_spelling() {
        assert_eq!(parse("0"), Some(0));
        assert_eq!(parse("10"), Some(10));
        assert_eq!(parse("18446744073709551615"), Some(u64::MAX));
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1\n",
            "0x1",
            "١",
            "18446744073709551616",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
