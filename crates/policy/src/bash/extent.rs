//! Where a construct inside a word ends.
//!
//! Owns the search for closing brackets and quotes, in one pass and to a bounded depth. Where shells
//! could disagree (comments, here-documents, case patterns inside `$(…)`) it says so.
//! Source: Claude Code findings 5.3; bash(1) "QUOTING".

use super::guard::Unreadable;

/// Deepest nesting of quotes and substitutions inside one word.
pub(super) const MAX_NESTING: usize = 24;

/// How a string that is written as a here-document begins.
const OPENING: &str = "$(cat <<";

/// Whether what begins here may be such a string: everything up to its end is then read.
pub(super) fn opens_cat_heredoc(chars: &[char], at: usize) -> bool {
    let here = chars.iter().skip(at).take(OPENING.len());
    OPENING.chars().eq(here.copied())
}

/// `$(cat <<'EOF' … EOF)` is only a way to write a long string.
pub(super) fn cat_heredoc(chars: &[char], at: usize) -> Option<(String, usize)> {
    if !opens_cat_heredoc(chars, at) {
        return None;
    }
    let chars = chars.get(at..)?;
    let rest: String = chars.iter().collect();
    let after_cat = rest.strip_prefix(OPENING)?;
    let quote = after_cat
        .chars()
        .next()
        .filter(|c| matches!(c, '\'' | '"'))?;
    let (tag, body) = after_cat.get(1..)?.split_once(quote)?;
    let body = body.strip_prefix('\n')?;
    if tag.is_empty() || !tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let closing = format!("{tag}\n");
    let mut length = 0;
    for line in body.split_inclusive('\n') {
        if line == closing
            || line
                .strip_prefix(tag)
                .is_some_and(|tail| tail.starts_with(')'))
        {
            let text = body.get(..length)?.trim_end_matches('\n').to_owned();
            let tail = body.get(length + tag.len()..)?;
            let blank = tail.len() - tail.trim_start().len();
            tail.trim_start().strip_prefix(')')?;
            let consumed = rest.len() - tail.len() + blank + 1;
            let consumed_chars = rest.get(..consumed)?.chars().count();
            return Some((text, at + consumed_chars));
        }
        length += line.len();
    }
    None
}

/// Whether a nested script holds a comment, a here-document or a case pattern.
pub(super) fn is_doubtful(script: &str) -> bool {
    let mut previous = ' ';
    let comment = script.chars().any(|c| {
        let opens = c == '#' && (previous.is_whitespace() || ";&|()<>".contains(previous));
        previous = c;
        opens
    });
    comment || script.replace("<<<", "").contains("<<") || script.contains("esac")
}

/// Position of the bracket that closes the construct which starts at `start`.
pub(super) fn balanced(
    chars: &[char],
    start: usize,
    close: char,
    depth: usize,
) -> Result<usize, Unreadable> {
    if depth > MAX_NESTING {
        return Err(Unreadable::TooDeep);
    }
    let mut at = start;
    let mut open_parens = 0usize;
    while let Some(c) = chars.get(at).copied() {
        let next = chars.get(at + 1).copied();
        at = match (c, next) {
            ('\\', _) => at + 2,
            ('\'', _) => find(chars, at + 1, '\'')? + 1,
            ('`', _) => find(chars, at + 1, '`')? + 1,
            ('"', _) => close_double(chars, at + 1, depth + 1)? + 1,
            ('$', Some('(')) => balanced(chars, at + 2, ')', depth + 1)? + 1,
            ('$', Some('{')) => balanced(chars, at + 2, '}', depth + 1)? + 1,
            _ if c == close && open_parens == 0 => return Ok(at),
            ('(', _) if close == ')' => {
                open_parens += 1;
                at + 1
            }
            (')', _) if close == ')' => {
                open_parens -= 1;
                at + 1
            }
            _ => at + 1,
        };
    }
    Err(Unreadable::Syntax)
}

fn close_double(chars: &[char], start: usize, depth: usize) -> Result<usize, Unreadable> {
    let mut at = start;
    while let Some(c) = chars.get(at).copied() {
        let next = chars.get(at + 1).copied();
        at = match (c, next) {
            ('"', _) => return Ok(at),
            ('\\', _) => at + 2,
            ('`', _) => find(chars, at + 1, '`')? + 1,
            ('$', Some('(')) => balanced(chars, at + 2, ')', depth + 1)? + 1,
            ('$', Some('{')) => balanced(chars, at + 2, '}', depth + 1)? + 1,
            _ => at + 1,
        };
    }
    Err(Unreadable::Syntax)
}

/// Position of the next unescaped `wanted`; single quotes know no escapes.
fn find(chars: &[char], start: usize, wanted: char) -> Result<usize, Unreadable> {
    let mut at = start;
    while let Some(c) = chars.get(at).copied() {
        if c == wanted {
            return Ok(at);
        }
        at += if c == '\\' && wanted != '\'' { 2 } else { 1 };
    }
    Err(Unreadable::Syntax)
}
