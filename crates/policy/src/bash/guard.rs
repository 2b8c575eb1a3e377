//! Parsing a shell line without letting it hurt the parser.
//!
//! Owns the limits checked before `brush-parser` sees the text. The parser recurses (a stack
//! overflow aborts the process) and panics on absurd file-descriptor numbers; both are kept out
//! here. Words are taken apart by [`super::scan`], because the crate's own word parser takes
//! exponential time on nested quotes.
//! Source: Claude Code findings 5.2 and 5.3.

use super::{nesting, plain};
use crate::work::Work;
use brush_parser::{ParserOptions, ast, parse_tokens, uncached_tokenize_str};

/// Longest line in bytes, as Claude Code's own parser: longer ones it never allows either.
pub(crate) const MAX_LINE_BYTES: usize = 10_000;

/// Most openers of nested code (`$(`, `${`, backtick, `<(`, `>(`) in a line: each may nest in the one
/// before, and the parser recurses that deep.
const MAX_OPENERS: usize = 100;

/// Most opening parentheses and braces in a line: deeper nesting than this needs more of them.
const MAX_BRACKETS: usize = 1_000;

/// Deepest run of parentheses and braces open at one point.
const MAX_DEPTH: usize = 100;

/// Longest run of digits before `<` or `>`: file-descriptor numbers are small, and the parser panics
/// on numbers that overflow.
const MAX_FD_DIGITS: usize = 5;

/// Why a line cannot be read; it is never allowed then, and may be denied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// More than 10,000 bytes.
    #[error("the command is longer than 10,000 bytes")]
    TooLong,
    /// A NUL byte, which no shell passes on.
    #[error("the command contains a nul byte")]
    Nul,
    /// Nested deeper than any honest command.
    #[error("the command is nested too deeply")]
    TooDeep,
    /// More simple commands, words or variants than are worth looking at.
    #[error("the command has too many parts")]
    TooMany,
    /// More to read than [`crate::work::MAX_READING_STEPS`] allows.
    #[error("the command takes too much work to check; make several simpler calls of it")]
    TooMuch,
    /// The parser refused it.
    #[error("the command is not valid shell syntax")]
    Syntax,
    /// A construct whose extent different shells read differently.
    #[error("the command contains {0}, which cannot be checked")]
    Construct(&'static str),
    /// The call has no command text.
    #[error("the call has no command text")]
    NoCommand,
}

/// Steps of parsing a script, and of each of its bytes.
const PARSE_STEPS: usize = 2_000;
const PARSE_BYTE_STEPS: usize = 40;

/// Parses one line or script.
///
/// Errors: [`Unreadable`]; the caller never allows it and treats denies as possibly matching.
pub(crate) fn parse(text: &str, work: &Work) -> Result<ast::Program, Unreadable> {
    check(text)?;
    if !work.spend(PARSE_STEPS + PARSE_BYTE_STEPS * text.len()) {
        return Err(Unreadable::TooMuch);
    }
    match plain::parse(text) {
        Some(program) => Ok(program),
        None => parse_all(text, work),
    }
}

/// Parses a line of whatever kind.
pub(super) fn parse_all(text: &str, work: &Work) -> Result<ast::Program, Unreadable> {
    // The crate has unwraps of its own; a panic there must not take the daemon's answer away.
    let options = ParserOptions::default();
    let tokens = std::panic::catch_unwind(|| {
        uncached_tokenize_str(text, &options.tokenizer_options()).map_err(|_| Unreadable::Syntax)
    });
    let tokens = tokens.unwrap_or(Err(Unreadable::Syntax))?;
    nesting::afford(&tokens, work)?;
    let parsed = std::panic::catch_unwind(|| parse_tokens(&tokens, &options));
    match parsed {
        Ok(Ok(program)) => Ok(program),
        Ok(Err(_)) | Err(_) => Err(Unreadable::Syntax),
    }
}

fn check(text: &str) -> Result<(), Unreadable> {
    if text.len() > MAX_LINE_BYTES {
        return Err(Unreadable::TooLong);
    }
    if text.contains('\0') {
        return Err(Unreadable::Nul);
    }
    let (mut openers, mut brackets, mut depth, mut digits) = (0usize, 0usize, 0usize, 0usize);
    let mut previous = ' ';
    for c in text.chars() {
        match c {
            '(' | '{' => {
                brackets += 1;
                depth += 1;
                openers += usize::from(matches!(previous, '$' | '<' | '>'));
            }
            ')' | '}' => depth = depth.saturating_sub(1),
            '`' => openers += 1,
            '<' | '>' if digits > MAX_FD_DIGITS => return Err(Unreadable::Syntax),
            _ => {}
        }
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        if depth > MAX_DEPTH || openers > MAX_OPENERS || brackets > MAX_BRACKETS {
            return Err(Unreadable::TooDeep);
        }
        previous = c;
    }
    Ok(())
}
