//! What `$` and backticks begin inside a word: variables, nested commands, arithmetic.
//!
//! Owns where each ends and what becomes of the word's value; the code it runs is kept as text for the walk.
//! Source: Claude Code findings 2.2, 2.3 and 5.3; bash(1) "EXPANSION".

use super::Scanner;
use crate::bash::extent::{MAX_NESTING, balanced, cat_heredoc, is_doubtful, opens_cat_heredoc};
use crate::bash::guard::Unreadable;
use crate::glob::{Sym, syms};

impl Scanner<'_> {
    /// `$…` or a backtick.
    pub(super) fn dollar(&mut self, depth: usize) -> Result<(), Unreadable> {
        if self.peek(0) == Some('`') {
            return self.backquoted();
        }
        match self.peek(1) {
            Some('(') => self.parenthesised(depth),
            Some('{') => self.braced(depth),
            Some('[') => Err(Unreadable::Construct("an old-style arithmetic expansion")),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name: String = self
                    .chars
                    .iter()
                    .skip(self.at + 1)
                    .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
                    .collect();
                self.at += 1 + name.len();
                self.variable(&name)
            }
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => {
                self.at += 2;
                self.any("a variable");
                Ok(())
            }
            _ => {
                self.at += 1;
                self.lit('$');
                Ok(())
            }
        }
    }

    fn variable(&mut self, name: &str) -> Result<(), Unreadable> {
        self.block("a variable");
        self.out.quoted = true;
        match self.variables.value(name) {
            Some(value) => {
                self.afford(value.len())?;
                self.out.value.extend(syms(&value));
                self.out.path.extend(syms(&value));
            }
            None => self.any("a variable"),
        }
        Ok(())
    }

    fn backquoted(&mut self) -> Result<(), Unreadable> {
        let mut script = String::new();
        self.at += 1;
        loop {
            let c = self.peek(0).ok_or(Unreadable::Syntax)?;
            self.at += 1;
            match (c, self.peek(0)) {
                ('`', _) => break,
                ('\\', Some(escaped @ ('`' | '\\' | '$'))) => {
                    self.at += 1;
                    script.push(escaped);
                }
                _ => script.push(c),
            }
        }
        self.out.scripts.push(script);
        self.any("a nested command");
        Ok(())
    }

    /// `$(…)` or `$((…))`.
    fn parenthesised(&mut self, depth: usize) -> Result<(), Unreadable> {
        if opens_cat_heredoc(&self.chars, self.at) {
            self.afford(self.chars.len() - self.at)?;
        }
        if let Some((text, after)) = cat_heredoc(&self.chars, self.at) {
            self.at = after;
            self.out.quoted = true;
            text.chars().for_each(|c| self.lit(c));
            return Ok(());
        }
        let start = self.at + 2;
        let end = balanced(&self.chars, start, ')', depth + 1)?;
        self.afford(end - start)?;
        let inner: String = self
            .chars
            .get(start..end)
            .unwrap_or_default()
            .iter()
            .collect();
        self.at = end + 1;
        let whole = inner.starts_with('(')
            && balanced(&self.chars, start + 1, ')', depth + 1).is_ok_and(|at| at + 1 == end);
        if !whole {
            // Comments, here-documents and case patterns hold brackets that do not count.
            if is_doubtful(&inner) {
                return Err(Unreadable::Construct("a nested command of doubtful extent"));
            }
            self.out.scripts.push(inner);
            self.any("a nested command");
            return Ok(());
        }
        if inner.contains('`') || inner.contains("$(") || inner.contains('[') {
            return Err(Unreadable::Construct("a nested command in arithmetic"));
        }
        if inner.contains(|c: char| c == '$' || c.is_alphabetic()) {
            self.any("a variable in arithmetic");
        } else {
            // A number: as unknown as a variable to a deny, harmless to an allow.
            self.out.value.push(Sym::Any);
            self.out.path.push(Sym::Any);
        }
        Ok(())
    }

    /// `${…}`.
    fn braced(&mut self, depth: usize) -> Result<(), Unreadable> {
        let start = self.at + 2;
        let end = balanced(&self.chars, start, '}', depth + 1)?;
        self.afford(end - start)?;
        let inner: String = self
            .chars
            .get(start..end)
            .unwrap_or_default()
            .iter()
            .collect();
        self.at = end + 1;
        let is_name = inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && inner.starts_with(|c: char| !c.is_ascii_digit());
        if is_name {
            return self.variable(&inner);
        }
        let mut nested = Scanner::new(&inner, self.variables, self.work)?;
        while nested.at < nested.chars.len() {
            nested.loosely(depth + 1)?;
        }
        self.out.scripts.append(&mut nested.out.scripts);
        self.any("a variable in braces");
        Ok(())
    }

    /// Text inside `${…}`: only what runs code matters.
    fn loosely(&mut self, depth: usize) -> Result<(), Unreadable> {
        if depth > MAX_NESTING {
            return Err(Unreadable::TooDeep);
        }
        match self.peek(0) {
            Some('\'') => self.single(),
            Some('"') => self.double(depth),
            Some('$') if self.peek(1) == Some('\'') => self.ansi_c(),
            Some('\\') => {
                self.at += 2;
                Ok(())
            }
            Some('$' | '`') => self.dollar(depth),
            _ => {
                self.at += 1;
                Ok(())
            }
        }
    }
}
