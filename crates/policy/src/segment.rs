//! One segment of a path pattern: a plain name, or one with `*`, `?`, `[…]` and `\x`.
//!
//! Owns how such a segment is read and compared. How segments follow each other is [`crate::paths`]'s
//! business.
//! Source: Claude Code findings 2.5; gitignore(5).

use crate::star;
use crate::work::Work;

/// A segment of a path pattern, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    text: String,
    toks: Vec<Tok>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tok {
    Lit(char),
    One,
    Star,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Segment {
    /// Reads a segment.
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            toks: toks(text),
        }
    }

    /// Whether it stands for any number of segments.
    pub(crate) fn is_double_star(&self) -> bool {
        self.text == "**"
    }

    /// The text of a segment without wildcards.
    pub(crate) fn plain(&self) -> Option<&str> {
        let plain = !self.text.contains(['*', '?', '[', '\\']);
        plain.then_some(self.text.as_str())
    }

    /// The only name that it covers, where there is only one.
    pub(crate) fn only_name(&self) -> Option<String> {
        let literal = |tok: &Tok| match tok {
            Tok::Lit(c) => Some(*c),
            _ => None,
        };
        self.toks.iter().map(literal).collect()
    }

    /// What every name that it covers has in it.
    pub(crate) fn runs(&self) -> Vec<String> {
        let runs = self.toks.split(|tok| !matches!(tok, Tok::Lit(_)));
        let text = |run: &[Tok]| -> String {
            let literals = run.iter().filter_map(|tok| match tok {
                Tok::Lit(c) => Some(*c),
                _ => None,
            });
            literals.collect()
        };
        runs.map(text).filter(|run| !run.is_empty()).collect()
    }

    /// Appends a superset of the pattern in which every wildcard is `*`.
    pub(crate) fn loosen(&self, loose: &mut String) {
        if self.is_double_star() {
            return loose.push('*');
        }
        loose.extend(self.toks.iter().map(|tok| match tok {
            Tok::Lit(c) => *c,
            _ => '*',
        }));
    }

    /// Whether it covers a name. Says no once the budget is exhausted.
    pub(crate) fn matches(&self, name: &[char], work: &Work) -> bool {
        star::covers(&self.toks, name, work)
    }
}

impl star::Token<char> for Tok {
    fn is_star(&self) -> bool {
        *self == Self::Star
    }

    fn accepts(&self, c: &char) -> bool {
        match self {
            Self::Lit(lit) => lit == c,
            Self::One => true,
            Self::Star => false,
            Self::Class { negated, ranges } => {
                let inside = ranges.iter().any(|(low, high)| low <= c && c <= high);
                inside != *negated
            }
        }
    }
}

fn toks(pattern: &str) -> Vec<Tok> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut toks = Vec::with_capacity(chars.len());
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        at += 1;
        toks.push(match c {
            '*' => Tok::Star,
            '?' => Tok::One,
            '\\' => {
                let escaped = chars.get(at).copied().unwrap_or('\\');
                at += 1;
                Tok::Lit(escaped)
            }
            '[' => match class(&chars, at) {
                Some((tok, after)) => {
                    at = after;
                    tok
                }
                None => Tok::Lit('['),
            },
            other => Tok::Lit(other),
        });
    }
    toks
}

/// A bracket expression that starts after its `[`, and where it ends.
fn class(chars: &[char], start: usize) -> Option<(Tok, usize)> {
    let negated = matches!(chars.get(start), Some('!' | '^'));
    let first = if negated { start + 1 } else { start };
    let mut at = first;
    let mut ranges = Vec::new();
    loop {
        let low = *chars.get(at)?;
        if low == ']' && at > first {
            return Some((Tok::Class { negated, ranges }, at + 1));
        }
        let high = match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(high)) if *high != ']' => {
                at += 2;
                *high
            }
            _ => low,
        };
        ranges.push((low, high));
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        Segment::new(pattern).matches(&name, &Work::unbounded())
    }

    #[test]
    fn wildcards_stand_for_characters_of_one_segment() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("a*b*c", "aXbXbc"),
            ("*.env", ".env"),
            ("?[!b-d]?", "xax"),
            ("[]x]", "]"),
            ("a\\*", "a*"),
            ("[", "["),
            ("*a*a*a*", "xaxaxax"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a*b*c", "aXbXb"),
            ("?", ""),
            ("[!a]", ""),
            ("?[!b-d]?", "xcx"),
            ("a\\*", "ab"),
            ("*a*a*a*", "xaxax"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
