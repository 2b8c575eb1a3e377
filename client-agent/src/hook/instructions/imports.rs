//! The names that a text of instructions may import with `@`.
//!
//! Owns the spellings. Claude Code 2.1.330 lexes the text as Markdown and looks for `@name` in each piece of
//! plain text, so where a name begins and ends depends on the marks around it. Here it may begin at every `@` and
//! end at every mark: no crafted Markdown hides one, and a name that is none names no file.
//!
//! Source: the program's own pattern, `(?:^|\s)@((?:[^\s\\]|\\ )+)`, with what follows a `#` cut off.

/// Longest name looked at, in bytes. A longer one is given cut, one letter beyond the bound: the kernel takes no
/// such path, but the program shortens `./` and `x/../` before it asks the kernel.
pub const NAME_BYTES_MAX: usize = 4_096;

/// Beginnings of what Markdown takes for an address, which ends the piece of text before it.
const ADDRESSES: [&str; 3] = ["www.", "http", "ftp:"];

/// Calls `take` with every name that the text may import, until it gives an error.
///
/// A comment is no part of the text, and what stands around it joins: such names are given too.
///
/// Errors: that of `take`.
pub fn each<E>(text: &str, mut take: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    of_text(text, &mut take)?;
    match without_comments(text) {
        Some(joined) => of_text(&joined, &mut take),
        None => Ok(()),
    }
}

fn of_text<E>(text: &str, take: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    for (position, _) in text.match_indices('@') {
        let rest = text.get(position + 1..).unwrap_or_default();
        let word = word(rest);
        for end in ends(&word) {
            take(word.get(..end).unwrap_or_default())?;
        }
    }
    Ok(())
}

/// What the program's pattern takes after an `@`, with its escaped spaces as such.
fn word(rest: &str) -> String {
    let mut word = String::new();
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.next_if_eq(&' ').is_some() => word.push(' '),
            '\\' => break,
            blank if is_blank(blank) => break,
            plain => word.push(plain),
        }
        if word.len() > NAME_BYTES_MAX {
            break;
        }
    }
    word
}

/// White space as JavaScript's `\s` has it.
fn is_blank(letter: char) -> bool {
    (letter.is_whitespace() && letter != '\u{85}') || letter == '\u{feff}'
}

/// Where a name in this word may end, in bytes: at its end, before closing punctuation, and wherever Markdown may
/// end a piece of text.
fn ends(word: &str) -> Vec<usize> {
    // Before an address of a mailbox, which may begin at any letter, the piece ends too.
    let anywhere = word.contains('@');
    let mut ends = Vec::new();
    for (position, letter) in word.char_indices() {
        let rest = word.get(position..).unwrap_or_default();
        let before = word.get(..position).and_then(|begun| begun.chars().last());
        let marks = [Some(letter), before].into_iter().flatten().any(is_mark);
        if position > 0 && (anywhere || marks || begins_address(rest)) {
            ends.push(position);
        }
    }
    ends.push(
        word.trim_end_matches(|letter: char| !letter.is_alphanumeric())
            .len(),
    );
    ends.push(word.len());
    ends.retain(|end| *end > 0);
    ends.sort_unstable();
    ends.dedup();
    ends
}

/// Whether a letter may be a mark of Markdown's, or may not stand in the name of a mailbox.
fn is_mark(letter: char) -> bool {
    !(letter.is_ascii_alphanumeric() || matches!(letter, '.' | '/' | '-' | ' '))
}

fn begins_address(rest: &str) -> bool {
    ADDRESSES.iter().any(|address| {
        rest.get(..address.len())
            .is_some_and(|begun| begun.eq_ignore_ascii_case(address))
    })
}

/// The text without its comments; `None` where it has none.
fn without_comments(text: &str) -> Option<String> {
    let mut joined = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("<!--") {
        let Some((_, after)) = inside.split_once("-->") else {
            break;
        };
        joined.push_str(before);
        rest = after;
    }
    joined.push_str(rest);
    (joined.len() < text.len()).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut names = Vec::new();
        let taken: Result<(), ()> = each(text, |name| {
            names.push(name.to_owned());
            Ok(())
        });
        taken.unwrap();
        names
    }

    #[test]
    fn no_marks_hide_an_import() {
        for text in [
            "@F",
            "see @F",
            "see @F#L1",
            "**@F**",
            "`x`@F",
            "[@F](x)",
            "- _@F_",
            ">@F",
            "\\!@F",
            "<b>@F</b>",
            "a@b.c@F",
            "@Fwww.x.y",
            "@FHTTPS://x.y",
            "@F<!-- x -->",
            "<!-- a -->@s-<!-- b -->n.md",
            "<!--\n```\n-->\n@F",
            "@F\u{3000}x",
            "@F\u{e9}a@b.c",
            "@F,",
            "see \"@F\".",
        ] {
            let found = names(&text.replace('F', "s-n.md"));
            assert!(
                found.iter().any(|name| name == "s-n.md"),
                "{text}: {found:?}"
            );
        }
        assert!(names("@my\\ notes.md x").contains(&"my notes.md".to_owned()));
        assert!(names("@s\u{e9}a@b.c").contains(&"s\u{e9}".to_owned()));
    }

    #[test]
    fn a_plain_name_is_only_itself() {
        assert_eq!(names("see @docs/.env.example now"), ["docs/.env.example"]);
        assert_eq!(names("see @docs/a.md."), ["docs/a.md", "docs/a.md."]);
        assert_eq!(names("no mention, @ alone, x@"), Vec::<String>::new());
        assert_eq!(names("@a\\b"), ["a"]);
    }

    #[test]
    fn an_endless_word_ends() {
        let found = names(&format!("@{}", "a".repeat(10 * NAME_BYTES_MAX)));
        assert_eq!(found.len(), 1);
        assert!(found[0].len() <= NAME_BYTES_MAX + 4);
        assert!(each("@a @b", |_| Err(())).is_err());
    }

    #[test]
    fn a_name_that_is_too_long_is_given_cut_and_longer_than_the_bound() {
        let long = format!("@{}secret", "./".repeat(NAME_BYTES_MAX));
        let names = names(&long);
        assert!(names.iter().any(|name| name.len() > NAME_BYTES_MAX));
    }
}
