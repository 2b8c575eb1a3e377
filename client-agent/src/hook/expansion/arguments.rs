//! Arguments put into the text of a command or skill.
//!
//! Owns the substitution as Claude Code makes it: all arguments, single ones by number from 0, and
//! those that the front matter names. Where the program's own reading of the arguments is not plain,
//! the place is marked, and a command or mention with the mark in it is refused.
//!
//! Source: observed by `tests/claude` with 2.1.330.

use crate::interference::front_matter;
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest text that is made: four times the longest that is read. A text of nothing but placeholders
/// and long arguments would fill the memory.
const MADE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Marks a place whose content is not certain; no text has it of its own.
pub const UNCERTAIN: char = '\0';

/// What is put in.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The arguments as given.
    pub arguments: &'a str,
    /// The session's identifier.
    pub session: &'a str,
    /// The project's folder.
    pub project: &'a str,
    /// The folder of the text.
    pub folder: &'a str,
}

/// The text with everything put in; `None` where that is more than [`MADE_BYTES_MAX`], which is refused.
pub fn put_in(text: &str, values: &Values<'_>) -> Option<String> {
    let text = text.replace(UNCERTAIN, " ");
    let names = names(&text);
    let words = words(values.arguments);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        let Some((placeholder, length)) = read(after, &names) else {
            out.push('$');
            continue;
        };
        let (literal, tail) = after.split_at_checked(length).unwrap_or((after, ""));
        let found = match out.strip_suffix('\\') {
            Some(before) if before.ends_with('\\') => None,
            // An escaped one loses the escape and stays.
            Some(before) => {
                out.truncate(before.len());
                Some(None)
            }
            None => value(&placeholder, values, words.as_deref()),
        };
        match found {
            Some(Some(value)) => out.push_str(&value),
            other => {
                out.extend(other.is_none().then_some(UNCERTAIN));
                out.push('$');
                out.push_str(literal);
            }
        }
        if out.len() > MADE_BYTES_MAX {
            return None;
        }
        rest = tail;
    }
    out.push_str(rest);
    Some(out)
}

/// A place in the text.
#[derive(Debug, PartialEq, Eq)]
enum Placeholder {
    All,
    Word(usize),
    Known(&'static str),
}

const KNOWN: [&str; 3] = [
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_SESSION_ID",
    "CLAUDE_SKILL_DIR",
];

/// The placeholder that stands after a `$`, and its length.
///
/// Reads no further than the placeholder goes: a text may have hundreds of thousands of `$`.
fn read(after: &str, names: &BTreeMap<String, usize>) -> Option<(Placeholder, usize)> {
    if let Some(inside) = after.strip_prefix('{') {
        let is_whole = |known: &&&str| {
            let rest = inside.strip_prefix(**known);
            rest.is_some_and(|rest| rest.starts_with('}'))
        };
        let known = KNOWN.iter().find(is_whole)?;
        return Some((Placeholder::Known(known), known.len().checked_add(2)?));
    }
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let word: &str = after.split(|letter| !is_part(letter)).next()?;
    if let Some(rest) = after.strip_prefix("ARGUMENTS") {
        let length = "ARGUMENTS".len();
        return Some(match index(rest) {
            Some((number, more)) => (Placeholder::Word(number), length.checked_add(more)?),
            None => (Placeholder::All, length),
        });
    }
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        if digits < word.len() {
            return None;
        }
        let number = after.get(..digits)?.parse().ok()?;
        return Some((Placeholder::Word(number), digits));
    }
    let position = names.get(word)?;
    Some((Placeholder::Word(*position), word.len()))
}

/// The number in `[12]` at the beginning of a text, and the length of that.
fn index(text: &str) -> Option<(usize, usize)> {
    let inside = text.strip_prefix('[')?;
    let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
    let number = inside.get(..digits)?.parse().ok()?;
    let is_closed = inside.get(digits..)?.starts_with(']');
    is_closed.then_some((number, digits.checked_add(2)?))
}

/// What stands for a placeholder: `None` where that is not certain, `Some(None)` where nothing does
/// and it stays as it is.
fn value(
    placeholder: &Placeholder,
    values: &Values<'_>,
    words: Option<&[&str]>,
) -> Option<Option<String>> {
    Some(match placeholder {
        Placeholder::Known("CLAUDE_PROJECT_DIR") => Some(values.project.to_owned()),
        Placeholder::Known("CLAUDE_SESSION_ID") => Some(values.session.to_owned()),
        Placeholder::Known(_) => Some(values.folder.to_owned()),
        // Its own `$` could be read as a placeholder in turn.
        Placeholder::All if values.arguments.contains('$') => return None,
        Placeholder::All => Some(values.arguments.to_owned()),
        Placeholder::Word(number) => words?.get(*number).map(|word| (*word).to_owned()),
    })
}

/// The single arguments; `None` where quotes and the like leave it open which they are.
fn words(arguments: &str) -> Option<Vec<&str>> {
    let is_plain =
        |letter: char| letter.is_alphanumeric() || letter == ' ' || "_-./:=@%+,".contains(letter);
    arguments.chars().all(is_plain).then(|| {
        arguments
            .split(' ')
            .filter(|word| !word.is_empty())
            .collect()
    })
}

/// The names that the front matter gives to the arguments, with their places; of two with one name the
/// first counts.
fn names(text: &str) -> BTreeMap<String, usize> {
    let front = front_matter(text).unwrap_or_default();
    let members = serde_saphyr::from_str::<Value>(front).unwrap_or_default();
    let named: Vec<&str> = match members.get("arguments") {
        Some(Value::String(text)) => text.split_whitespace().collect(),
        Some(Value::Array(items)) => {
            let named = items.iter().map(|item| item.as_str().unwrap_or_default());
            named.collect()
        }
        _ => Vec::new(),
    };
    let mut places = BTreeMap::new();
    for (place, name) in named.into_iter().enumerate() {
        places.entry(name.to_owned()).or_insert(place);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str, arguments: &str) -> String {
        put_in(
            text,
            &Values {
                arguments,
                session: "s-1",
                project: "/p",
                folder: "/p/.claude/skills/x",
            },
        )
        .unwrap()
    }

    #[test]
    fn arguments_are_put_in_as_the_agent_does_it() {
        let text =
            "a $ARGUMENTS b $ARGUMENTS[1] c $0 d $1x e $2 f ${ARGUMENTS} g $HOME h $ i $ARGUMENTSX";
        assert_eq!(
            made(text, "one two"),
            "a one two b two c one d $1x e $2 f ${ARGUMENTS} g $HOME h $ i one twoX"
        );
        assert_eq!(made("\\$0 \\$ARGUMENTS", "x"), "$0 $ARGUMENTS");
        let known = "${CLAUDE_SKILL_DIR}/r ${CLAUDE_PROJECT_DIR} ${CLAUDE_SESSION_ID} ${X}";
        assert_eq!(made(known, ""), "/p/.claude/skills/x/r /p s-1 ${X}");
        let named = "---\narguments: [first, second]\n---\n$second $first $firstly";
        assert!(made(named, "p q").ends_with("q p $firstly"));
        let named = "---\narguments: first second\n---\n$second";
        assert!(made(named, "p q").ends_with("\nq"));
    }

    #[test]
    fn what_is_not_certain_is_marked() {
        assert!(made("cat $1", "'a b' c").contains(UNCERTAIN));
        assert!(made("cat $ARGUMENTS[0]", "a\\ b").contains(UNCERTAIN));
        assert!(made("cat $ARGUMENTS", "$0 x").contains(UNCERTAIN));
        assert!(made("cat \\\\$0", "x").contains(UNCERTAIN));
        assert_eq!(made("say $ARGUMENTS", "it's \"so\""), "say it's \"so\"");
        assert_eq!(made("a\0b", ""), "a b");
    }

    #[test]
    fn a_text_of_nothing_but_beginnings_is_read_as_any_other() {
        for part in ["${", "${CLAUDE_PROJECT_DIR", "$ARGUMENT", "$name "] {
            let text = part.repeat(1024 * 1024 / part.len());
            assert_eq!(made(&text, "x"), text, "{part}");
        }
        let open = "$ARGUMENTS[1".repeat(80_000);
        assert_eq!(made(&open, "x"), "x[1".repeat(80_000));
        let many: String = (0..100_000).map(|number| format!("n{number} ")).collect();
        let uses = "$n99999 ".repeat(60_000);
        let text = format!("---\narguments: {many}\n---\n{uses}");
        let words = format!("{}last", "w ".repeat(99_999));
        assert!(made(&text, &words).ends_with("last last "));
        assert_eq!(made("$ARGUMENTS[+0] $ARGUMENTS[]", "x y"), "x y[+0] x y[]");
    }

    #[test]
    fn a_text_that_would_grow_beyond_measure_is_not_made() {
        let values = Values {
            arguments: &"x".repeat(1024),
            session: "s-1",
            project: "/p",
            folder: "/p",
        };
        assert!(put_in(&"$ARGUMENTS".repeat(4_096), &values).is_some());
        assert_eq!(put_in(&"$ARGUMENTS".repeat(4_097), &values), None);
    }
}
