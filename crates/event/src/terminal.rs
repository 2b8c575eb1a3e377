//! Texts of other people, made fit for a terminal.
//!
//! Owns which letters a line for people may have. A name, a reason or a command that somebody else wrote may hold
//! control sequences that move the cursor, hide what stands before them or begin a line of their own, and marks that
//! turn the order of reading around: whoever reads the line must see that they are there. Machine forms (JSON) are
//! not its business.
//!
//! Source: ECMA-48 (control functions), Unicode UAX 9 (explicit directional formatting) and UTR 36 (spoofing).

use std::borrow::Cow;
use std::fmt::Write;

/// The text as one line: every letter that a terminal obeys, or that hides or reorders others, is shown as its
/// escape (`\n`, `\u{1b}`, `\u{202e}`).
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unfit) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        push(&mut shown, letter);
    }
    Cow::Owned(shown)
}

/// The text line by line, each made fit; all but the first are indented, so that none can pass for a line of the
/// program's own. For messages that may have several lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unfit) {
        return Cow::Borrowed(text);
    }
    let all: Vec<_> = text.split('\n').map(line).collect();
    Cow::Owned(all.join("\n       "))
}

fn push(shown: &mut String, letter: char) {
    match letter {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        unfit if is_unfit(unfit) => {
            // Writing to a string cannot fail.
            let _infallible = write!(shown, "\\u{{{:x}}}", u32::from(unfit));
        }
        fit => shown.push(fit),
    }
}

/// Whether a terminal obeys a letter, or it hides or reorders others.
fn is_unfit(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            // Marks, embeddings, overrides and isolates of direction.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Separators of lines and paragraphs.
            | '\u{2028}' | '\u{2029}'
            // What is not seen and joins nothing: the soft hyphen, spaces without width, invisible operators.
            | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags, which spell a text that nobody sees.
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_are_seen() {
        for (attack, seen) in [
            ("laptop\x1b[2J\x1b[1;1H", "laptop\\u{1b}[2J\\u{1b}[1;1H"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            (
                "\x1b]8;;https://evil\x1b\\ok",
                "\\u{1b}]8;;https://evil\\u{1b}\\ok",
            ),
            ("ann\rroot", "ann\\rroot"),
            ("ann\nrevoked  no", "ann\\nrevoked  no"),
            ("a\x08\x08b", "a\\u{8}\\u{8}b"),
            ("\u{9b}31mred", "\\u{9b}31mred"),
            ("\u{85}next", "\\u{85}next"),
            ("x\x7f", "x\\u{7f}"),
            ("\0", "\\u{0}"),
            ("a\tb", "a\\tb"),
            ("\u{202e}gnp.exe", "\\u{202e}gnp.exe"),
            ("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}"),
            ("a\u{200f}b\u{61c}", "a\\u{200f}b\\u{61c}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("an\u{200b}n\u{ad}\u{feff}", "an\\u{200b}n\\u{ad}\\u{feff}"),
            ("x\u{e0041}\u{e007f}", "x\\u{e0041}\\u{e007f}"),
        ] {
            assert_eq!(line(attack), seen);
            assert!(!line(attack).contains(is_unfit));
        }
    }

    #[test]
    fn what_people_write_stays() {
        for plain in [
            "",
            "Ann Björk",
            "日本語",
            "مرحبا",
            "👩\u{200d}💻",
            "a\\nb",
            "rm -rf \"x\" | tee",
        ] {
            assert!(matches!(line(plain), Cow::Borrowed(same) if same == plain));
        }
    }

    #[test]
    fn no_line_of_a_message_passes_for_one_of_the_program() {
        assert_eq!(
            lines("one\nok    forged\x1b"),
            "one\n       ok    forged\\u{1b}"
        );
        assert!(matches!(lines("one"), Cow::Borrowed("one")));
    }
}
