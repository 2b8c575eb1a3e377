//! Just enough of Rust's lexical structure: text with comments and literals blanked, and test code.
//!
//! It owns the blanking, so that a check never takes a word in a string or a comment for code. It is no
//! parser: it knows braces, not grammar.

/// A Rust file with everything that is not code turned into spaces.
#[derive(Clone, Debug)]
pub struct Source {
    /// The code; lines and columns (in characters) are those of the file.
    pub code: Vec<char>,
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, from 1.
    pub line: usize,
    /// Its lines, from `fn` to the closing brace, both counted.
    pub lines: usize,
}

impl Source {
    /// Blanks comments, strings and character literals.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        let mut code = text.clone();
        let mut at = 0;
        while let Some(letter) = text.get(at).copied() {
            let end = literal_end(&text, at, letter);
            for place in code.get_mut(at..end).unwrap_or_default() {
                if *place != '\n' {
                    *place = ' ';
                }
            }
            at = end.max(at + 1);
        }
        Self { code }
    }

    /// The code lines, from line 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, String)> {
        let lines = self
            .code
            .split(|letter| *letter == '\n')
            .map(|line| line.iter().collect());
        lines.enumerate().map(|(number, line)| (number + 1, line))
    }

    /// As [`Source::lines`], without items under `#[cfg(test)]`.
    #[must_use]
    pub fn lines_outside_tests(&self) -> Vec<(usize, String)> {
        let tests = self.test_spans();
        let mut code = self.code.clone();
        for (from, to) in tests {
            for place in code.get_mut(from..to).unwrap_or_default() {
                if *place != '\n' {
                    *place = ' ';
                }
            }
        }
        Self { code }.lines().collect()
    }

    /// The functions with bodies that are outside items under `#[cfg(test)]`.
    #[must_use]
    pub fn functions_outside_tests(&self) -> Vec<Function> {
        let tests = self.test_spans();
        let inside = |at: usize| tests.iter().any(|(from, to)| (*from..*to).contains(&at));
        let starts = self.words("fn").into_iter().filter(|at| !inside(*at));
        starts.filter_map(|at| self.function(at)).collect()
    }

    /// Where a word stands alone.
    fn words(&self, word: &str) -> Vec<usize> {
        let word: Vec<char> = word.chars().collect();
        let alone = |at: Option<usize>| {
            at.and_then(|at| self.code.get(at))
                .is_none_or(|c| !c.is_alphanumeric() && *c != '_')
        };
        (0..self.code.len())
            .filter(|at| self.code.get(*at..at + word.len()) == Some(word.as_slice()))
            .filter(|at| alone(at.checked_sub(1)) && alone(Some(at + word.len())))
            .collect()
    }

    fn function(&self, at: usize) -> Option<Function> {
        let name: String = self
            .code
            .get(at + 2..)?
            .iter()
            .skip_while(|c| c.is_whitespace())
            .take_while(|c| c.is_alphanumeric() || **c == '_')
            .collect();
        if name.is_empty() {
            return None;
        }
        let (_, close) = self.body(at)?;
        let line = self.line(at);
        Some(Function {
            name,
            line,
            lines: self.line(close) - line + 1,
        })
    }

    /// The braces of the first body after `at`; `None` where a `;` ends the item first.
    fn body(&self, at: usize) -> Option<(usize, usize)> {
        let mut brackets = 0_i32;
        let mut open = None;
        for (place, letter) in self.code.iter().enumerate().skip(at) {
            match letter {
                '(' | '[' if open.is_none() => brackets += 1,
                ')' | ']' if open.is_none() => brackets -= 1,
                ';' if open.is_none() && brackets == 0 => return None,
                '{' if open.is_none() && brackets == 0 => {
                    open = Some(place);
                    brackets = 1;
                }
                '{' if open.is_some() => brackets += 1,
                '}' if open.is_some() => brackets -= 1,
                _ => {}
            }
            if let Some(open) = open
                && brackets == 0
            {
                return Some((open, place));
            }
        }
        None
    }

    fn line(&self, at: usize) -> usize {
        1 + self
            .code
            .iter()
            .take(at)
            .filter(|letter| **letter == '\n')
            .count()
    }

    /// From each `#[cfg(test)]` (or `cfg(any(test, …))`) to the end of its item.
    fn test_spans(&self) -> Vec<(usize, usize)> {
        let marks = self.words("test").into_iter().filter_map(|at| {
            let line: String = self.code.get(at.saturating_sub(40)..at)?.iter().collect();
            let start = line.rfind("#[cfg(")?;
            let between = line.get(start..)?;
            (!between.contains(']') && !between.contains("not("))
                .then(|| at - between.chars().count())
        });
        marks
            .map(|at| {
                let after = self
                    .code
                    .iter()
                    .skip(at)
                    .position(|c| *c == ']')
                    .unwrap_or(0);
                (
                    at,
                    self.body(at + after + 1).map_or(at, |(_, close)| close + 1),
                )
            })
            .collect()
    }
}

/// Where the comment or literal that begins at `at` ends; `at` where none begins there.
fn literal_end(text: &[char], at: usize, letter: char) -> usize {
    let next = text.get(at + 1).copied();
    match (letter, next) {
        ('/', Some('/')) => find_from(text, at, |place| text.get(place) == Some(&'\n')),
        ('/', Some('*')) => block_comment_end(text, at),
        ('"', _) => string_end(text, at + 1),
        ('\'', _) => character_end(text, at),
        ('r' | 'b' | 'c', _) if !continues_a_word(text, at) => prefixed_end(text, at),
        _ => at,
    }
}

fn continues_a_word(text: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|place| text.get(place));
    before.is_some_and(|c| c.is_alphanumeric() || *c == '_')
}

fn find_from(text: &[char], from: usize, found: impl Fn(usize) -> bool) -> usize {
    (from..text.len())
        .find(|place| found(*place))
        .unwrap_or(text.len())
}

fn block_comment_end(text: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut place = at;
    while place < text.len() {
        match (text.get(place), text.get(place + 1)) {
            (Some('/'), Some('*')) => {
                depth += 1;
                place += 2;
            }
            (Some('*'), Some('/')) => {
                depth -= 1;
                place += 2;
                if depth == 0 {
                    return place;
                }
            }
            _ => place += 1,
        }
    }
    text.len()
}

fn string_end(text: &[char], mut place: usize) -> usize {
    while let Some(letter) = text.get(place) {
        match letter {
            '\\' => place += 2,
            '"' => return place + 1,
            _ => place += 1,
        }
    }
    text.len()
}

/// A lifetime is not a literal: it has no closing quote after one character.
fn character_end(text: &[char], at: usize) -> usize {
    match (text.get(at + 1), text.get(at + 2)) {
        (Some('\\'), _) => find_from(text, at + 3, |place| text.get(place) == Some(&'\'')) + 1,
        (Some(_), Some('\'')) => at + 3,
        _ => at,
    }
}

/// Raw, byte and C strings.
fn prefixed_end(text: &[char], at: usize) -> usize {
    let quote = find_from(text, at, |place| {
        !matches!(text.get(place), Some('r' | 'b' | 'c'))
    });
    let prefix = text.get(at..quote).unwrap_or_default();
    let body = find_from(text, quote, |place| text.get(place) != Some(&'#'));
    let hashes = body - quote;
    let raw = prefix.contains(&'r');
    if prefix.len() > 2 || text.get(body) != Some(&'"') || (hashes > 0 && !raw) {
        return at;
    }
    if !raw {
        return string_end(text, body + 1);
    }
    let closes = |place: usize| {
        text.get(place) == Some(&'"')
            && text
                .get(place + 1..place + 1 + hashes)
                .is_some_and(|end| end.iter().all(|c| *c == '#'))
    };
    find_from(text, body + 1, closes) + 1 + hashes
}

#[cfg(test)]
mod tests;
