//! Taking one shell word apart in a single pass.
//!
//! Owns quoting, escapes, substitutions and wildcards inside a word: what is known of its value,
//! what code it runs, and whether its plain text can be trusted. Does not run or expand anything.
//! Source: Claude Code findings 2.2, 2.3 and 5.3; bash(1) "EXPANSION".

mod expansion;

use super::extent::MAX_NESTING;
use super::guard::Unreadable;
use super::vars::Variables;
use crate::glob::{Sym, known_text, syms};
use crate::work::Work;

/// One word of a simple command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// As written.
    pub raw: String,
    /// The value after quote removal; unknown stretches where something is expanded.
    pub value: Vec<Sym>,
    /// The value as a path: tilde expanded, file-name wildcards as wildcards.
    pub path: Vec<Sym>,
    /// What forbids an allow rule to trust the text.
    pub blocker: Option<&'static str>,
    /// Whether an unquoted `*`, `?` or `[` stands in it.
    pub wild: bool,
    /// Whether the value is known but not as written: quotes, escapes, a substituted variable.
    pub quoted: bool,
    /// Scripts that expanding the word runs.
    pub scripts: Vec<String>,
    /// The value as text, if all of it is known.
    text: Option<String>,
}

impl Word {
    /// A word whose value is exactly this text.
    pub(crate) fn known(text: &str) -> Self {
        Self {
            raw: text.to_owned(),
            value: syms(text),
            path: syms(text),
            blocker: None,
            wild: false,
            quoted: false,
            scripts: Vec::new(),
            text: Some(text.to_owned()),
        }
    }

    /// A word of which nothing is known.
    pub(crate) fn unknown(raw: &str) -> Self {
        Self {
            value: vec![Sym::Any],
            path: vec![Sym::Any],
            blocker: Some("an unknown argument"),
            text: None,
            ..Self::known(raw)
        }
    }

    /// The value, if all of it is known.
    pub(crate) fn literal(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Whether the value is exactly `text`.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.literal() == Some(text)
    }

    /// The word without its first `skip` symbols, for example the value of `--file=x`.
    pub(crate) fn tail(&self, skip: usize) -> Self {
        let cut = |syms: &[Sym]| syms.get(skip..).unwrap_or_default().to_vec();
        let value = cut(&self.value);
        Self {
            raw: self.raw.clone(),
            text: known_text(&value),
            value,
            path: cut(&self.path),
            scripts: self.scripts.clone(),
            ..*self
        }
    }
}

/// Takes a word apart.
///
/// Errors: [`Unreadable`] where the extent of a nested construct is doubtful.
pub(crate) fn word(raw: &str, variables: &Variables, work: &Work) -> Result<Word, Unreadable> {
    let mut scanner = Scanner::new(raw, variables, work)?;
    scanner.tilde();
    while scanner.at < scanner.chars.len() {
        scanner.unquoted(0)?;
    }
    scanner.braces();
    Ok(scanner.finish(raw))
}

/// Takes the body of an expanding here-document apart: only `$`, backtick and backslash act.
pub(crate) fn heredoc(raw: &str, variables: &Variables, work: &Work) -> Result<Word, Unreadable> {
    let mut scanner = Scanner::new(raw, variables, work)?;
    while scanner.at < scanner.chars.len() {
        scanner.expanding(0)?;
    }
    Ok(scanner.finish(raw))
}

struct Scanner<'a> {
    chars: Vec<char>,
    at: usize,
    variables: &'a Variables,
    work: &'a Work,
    out: Word,
    /// Unquoted text as written, for brace expansion.
    bare: String,
}

/// Steps of each byte of a word, and of each that a nested construct in it is searched for its end.
const SCAN_STEPS: usize = 8;

impl<'a> Scanner<'a> {
    fn new(raw: &str, variables: &'a Variables, work: &'a Work) -> Result<Self, Unreadable> {
        let mut out = Word::known("");
        out.value.clear();
        let scanner = Self {
            chars: raw.chars().collect(),
            at: 0,
            variables,
            work,
            out,
            bare: String::new(),
        };
        scanner.afford(raw.len())?;
        Ok(scanner)
    }

    fn afford(&self, bytes: usize) -> Result<(), Unreadable> {
        match self.work.spend(SCAN_STEPS * bytes) {
            true => Ok(()),
            false => Err(Unreadable::TooMuch),
        }
    }

    fn finish(mut self, raw: &str) -> Word {
        raw.clone_into(&mut self.out.raw);
        self.out.text = known_text(&self.out.value);
        self.out
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn lit(&mut self, c: char) {
        self.out.value.push(Sym::Char(c));
        self.out.path.push(Sym::Char(c));
    }

    fn any(&mut self, why: &'static str) {
        self.out.value.push(Sym::Any);
        self.out.path.push(Sym::Any);
        self.block(why);
    }

    fn block(&mut self, why: &'static str) {
        self.out.blocker.get_or_insert(why);
    }

    /// A tilde at the start: the home directory, or another user's, which is not known.
    fn tilde(&mut self) {
        if self.peek(0) != Some('~') {
            return;
        }
        let end = self
            .chars
            .iter()
            .position(|c| *c == '/')
            .unwrap_or(self.chars.len());
        let name: String = self.chars.get(1..end).unwrap_or_default().iter().collect();
        if name
            .chars()
            .any(|c| !(c.is_ascii_alphanumeric() || "._+-".contains(c)))
        {
            return;
        }
        self.at = end;
        self.out.value.push(Sym::Char('~'));
        self.out.value.extend(name.chars().map(Sym::Char));
        match self.variables.value("HOME").filter(|_| name.is_empty()) {
            Some(home) => self.out.path.extend(syms(&home)),
            None => self.out.path.push(Sym::Any),
        }
    }

    /// One piece of unquoted text.
    fn unquoted(&mut self, depth: usize) -> Result<(), Unreadable> {
        let Some(c) = self.peek(0) else { return Ok(()) };
        match c {
            '\'' => self.single(),
            '"' => self.double(depth),
            '\\' => {
                self.at += 2;
                self.out.quoted = true;
                match self.chars.get(self.at - 1).copied() {
                    Some('\n') => {}
                    Some(escaped) => {
                        if escaped.is_whitespace() {
                            self.block("an escaped blank");
                        }
                        self.lit(escaped);
                    }
                    None => self.lit('\\'),
                }
                Ok(())
            }
            '$' if self.peek(1) == Some('\'') => self.ansi_c(),
            '$' if self.peek(1) == Some('"') => {
                self.at += 1;
                self.any("translated text");
                self.double(depth)
            }
            '$' | '`' => self.dollar(depth),
            '(' | ')' => Err(Unreadable::Construct("a parenthesis inside a word")),
            '*' | '?' | '[' => {
                self.at += 1;
                self.out.wild = true;
                let lead = matches!(self.out.path.last(), None | Some(Sym::Char('/')));
                self.out.value.push(Sym::Char(c));
                self.bare.push(c);
                self.out.path.push(match c {
                    '*' => Sym::Segment { lead },
                    '?' => Sym::One,
                    _ => Sym::Segment { lead: false },
                });
                Ok(())
            }
            other => {
                self.at += 1;
                self.bare.push(other);
                self.lit(other);
                Ok(())
            }
        }
    }

    fn single(&mut self) -> Result<(), Unreadable> {
        self.at += 1;
        self.out.quoted = true;
        loop {
            let c = self.peek(0).ok_or(Unreadable::Syntax)?;
            self.at += 1;
            if c == '\'' {
                return Ok(());
            }
            self.lit(c);
        }
    }

    fn double(&mut self, depth: usize) -> Result<(), Unreadable> {
        if depth > MAX_NESTING {
            return Err(Unreadable::TooDeep);
        }
        self.at += 1;
        self.out.quoted = true;
        loop {
            match self.peek(0).ok_or(Unreadable::Syntax)? {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                '\\' if self.peek(1) == Some('"') => {
                    self.at += 2;
                    self.lit('"');
                }
                _ => self.expanding(depth)?,
            }
        }
    }

    /// One piece of text in which only `$`, backtick and backslash act.
    fn expanding(&mut self, depth: usize) -> Result<(), Unreadable> {
        match (self.peek(0), self.peek(1)) {
            (Some('\\'), Some('\n')) => self.at += 2,
            (Some('\\'), Some(c @ ('$' | '`' | '\\'))) => {
                self.at += 2;
                self.lit(c);
            }
            (Some('$' | '`'), _) => return self.dollar(depth),
            (Some(c), _) => {
                self.at += 1;
                self.lit(c);
            }
            (None, _) => {}
        }
        Ok(())
    }

    fn ansi_c(&mut self) -> Result<(), Unreadable> {
        self.at += 2;
        self.out.quoted = true;
        self.block("text with escape codes");
        loop {
            let c = self.peek(0).ok_or(Unreadable::Syntax)?;
            self.at += 1;
            match c {
                '\'' => return Ok(()),
                '\\' => {
                    let code = self.peek(0).ok_or(Unreadable::Syntax)?;
                    self.at += 1;
                    self.escape_code(code);
                }
                other => self.lit(other),
            }
        }
    }

    fn escape_code(&mut self, code: char) {
        let simple = match code {
            'n' => Some('\n'),
            't' => Some('\t'),
            'r' => Some('\r'),
            'a' => Some('\u{7}'),
            'b' => Some('\u{8}'),
            'e' | 'E' => Some('\u{1b}'),
            'f' => Some('\u{c}'),
            'v' => Some('\u{b}'),
            '\\' | '\'' | '"' | '?' => Some(code),
            _ => None,
        };
        if let Some(c) = simple {
            return self.lit(c);
        }
        let (radix, longest, mut digits) = match code {
            'x' => (16, 2, String::new()),
            'u' => (16, 4, String::new()),
            'U' => (16, 8, String::new()),
            '0'..='7' => (8, 3, code.to_string()),
            _ => return self.any("text with escape codes"),
        };
        while digits.len() < longest
            && let Some(c) = self.peek(0).filter(|c| c.is_digit(radix))
        {
            digits.push(c);
            self.at += 1;
        }
        match u32::from_str_radix(&digits, radix)
            .ok()
            .and_then(char::from_u32)
        {
            Some(c) if c.is_ascii() && c != '\0' => self.lit(c),
            _ => self.any("text with escape codes"),
        }
    }

    /// `{a,b}` and `{1..3}` make several words of one.
    fn braces(&mut self) {
        let Some(open) = self.bare.find('{') else {
            return;
        };
        let rest = self.bare.get(open..).unwrap_or_default();
        if rest.contains('}') && (rest.contains(',') || rest.contains("..")) {
            self.out.value = vec![Sym::Any];
            self.out.path = vec![Sym::Any];
            self.block("a brace expansion");
        }
    }
}
