//! Wildcard patterns against text that may hold unknown stretches.
//!
//! Owns the one matcher behind Bash patterns, parameter values, tool names and addresses. A shell
//! word such as `$X` is an unknown stretch: a pattern then matches for sure, possibly, or not.
//! Source: architecture section 4; Claude Code findings 2.2 and 2.3.

use crate::star;
use crate::work::Work;
use std::ops::Deref;

/// One symbol of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sym {
    /// A character that is known.
    Char(char),
    /// Any characters, also none: a variable, a substitution.
    Any,
    /// What a file-name wildcard `*` can stand for: no slash, and no leading dot where `lead`.
    Segment {
        /// Whether the wildcard opens a path segment.
        lead: bool,
    },
    /// One character other than a slash: the file-name wildcards `?` and `[…]`.
    One,
}

/// A text, with what all patterns ask of it looked up once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    syms: Vec<Sym>,
    /// Whether it has no unknown stretch.
    known: bool,
    /// How many characters are known at its beginning and at its end, where what follows them inwards
    /// may be anything.
    edges: Option<(usize, usize)>,
}

impl Text {
    /// A text that may hold unknown stretches.
    pub(crate) fn new(syms: Vec<Sym>) -> Self {
        let is_known = |sym: &&Sym| matches!(sym, Sym::Char(_));
        let first = syms.iter().take_while(is_known).count();
        let last = syms.iter().rev().take_while(is_known).count();
        let known = first == syms.len();
        let is_any = |at: usize| syms.get(at) == Some(&Sym::Any);
        let open = !known && is_any(first) && is_any(syms.len() - 1 - last);
        Self {
            edges: open.then_some((first, last)),
            known,
            syms,
        }
    }

    /// How many characters are known at its beginning and at its end, where anything may be between.
    pub(crate) fn edges(&self) -> Option<(usize, usize)> {
        self.edges
    }

    /// A text all of which is known.
    pub(crate) fn known(text: &str) -> Self {
        Self {
            syms: syms(text),
            known: true,
            edges: None,
        }
    }
}

impl Deref for Text {
    type Target = [Sym];

    fn deref(&self) -> &[Sym] {
        &self.syms
    }
}

/// Whether a pattern covers a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    /// It cannot.
    No,
    /// It does for some values of the unknown stretches.
    Possible,
    /// It does whatever the unknown stretches are.
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tok {
    Lit(char),
    Star,
}

impl star::Token<Sym> for Tok {
    fn is_star(&self) -> bool {
        *self == Self::Star
    }

    fn accepts(&self, symbol: &Sym) -> bool {
        matches!((self, symbol), (Self::Lit(wanted), Sym::Char(found)) if wanted == found)
    }
}

/// Steps of comparing with a text, however soon they differ.
const TEXT_STEPS: usize = 12;

/// A pattern in which `*` stands for any characters and everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    toks: Vec<Tok>,
}

impl Glob {
    /// Every `*` is a wildcard.
    pub(crate) fn new(pattern: &str) -> Self {
        let mut toks = Vec::with_capacity(pattern.len());
        for c in pattern.chars() {
            push(&mut toks, if c == '*' { Tok::Star } else { Tok::Lit(c) });
        }
        Self { toks }
    }

    /// As [`Self::new`], but `\*` stands for a backslash and an asterisk.
    pub(crate) fn with_escapes(pattern: &str) -> Self {
        let mut toks = Vec::with_capacity(pattern.len());
        let mut after_backslash = false;
        for c in pattern.chars() {
            let wild = c == '*' && !after_backslash;
            push(&mut toks, if wild { Tok::Star } else { Tok::Lit(c) });
            after_backslash = c == '\\';
        }
        Self { toks }
    }

    /// A pattern without wildcards.
    pub(crate) fn literal(text: &str) -> Self {
        Self {
            toks: text.chars().map(Tok::Lit).collect(),
        }
    }

    /// The same pattern with ` *` after it.
    pub(crate) fn followed_by_arguments(&self) -> Self {
        let mut toks = self.toks.clone();
        push(&mut toks, Tok::Lit(' '));
        push(&mut toks, Tok::Star);
        Self { toks }
    }

    /// What every text that matches begins with: everything before the first wildcard.
    pub(crate) fn opening(&self) -> String {
        let literals = self.toks.iter().map_while(|tok| match tok {
            Tok::Lit(c) => Some(*c),
            Tok::Star => None,
        });
        literals.collect()
    }

    /// What every text that matches has somewhere behind its opening: what stands between wildcards, and
    /// behind the last.
    pub(crate) fn inner_runs(&self) -> Vec<String> {
        let runs = self.toks.split(|tok| *tok == Tok::Star).skip(1);
        let text = |run: &[Tok]| -> String {
            let literals = run.iter().filter_map(|tok| match tok {
                Tok::Lit(c) => Some(*c),
                Tok::Star => None,
            });
            literals.collect()
        };
        runs.map(text).filter(|run| !run.is_empty()).collect()
    }

    /// What every text that matches ends with, the last character first: everything behind the last
    /// wildcard. `None` where that is nothing.
    pub(crate) fn ending(&self) -> Option<String> {
        let literals = self.toks.iter().rev().map_while(|tok| match tok {
            Tok::Lit(c) => Some(*c),
            Tok::Star => None,
        });
        let ending: String = literals.collect();
        (!ending.is_empty()).then_some(ending)
    }

    /// Number of wildcards; neighbouring ones count once.
    pub(crate) fn stars(&self) -> usize {
        self.toks.iter().filter(|tok| **tok == Tok::Star).count()
    }

    /// Matches text without unknown stretches.
    pub(crate) fn matches_text(&self, text: &str, work: &Work) -> bool {
        self.covers(&syms(text), work)
    }

    /// Matches text that may hold unknown stretches. Says no once the budget is exhausted: the caller
    /// must ask the budget before it believes that.
    pub(crate) fn matches(&self, text: &Text, work: &Work) -> Match {
        work.spend(TEXT_STEPS);
        if self.covers(text, work) {
            Match::Yes
        } else if text.known || self.opening_differs(text) {
            Match::No
        } else {
            let by_edges = text
                .edges
                .and_then(|edges| self.fits_edges(text, edges, work));
            match by_edges.unwrap_or_else(|| self.may_cover(text, work)) {
                true => Match::Possible,
                false => Match::No,
            }
        }
    }

    /// As [`Self::may_cover`], for a pattern with a wildcard and a text that begins and ends with known
    /// characters and may be anything between: what the unknown stretches lack of the pattern they
    /// stand for, and the wildcard for what there is too much. `None` without a wildcard.
    fn fits_edges(&self, text: &Text, edges: (usize, usize), work: &Work) -> Option<bool> {
        let (first, last) = edges;
        let literal = |tok: &&Tok| **tok != Tok::Star;
        let fits = |(tok, sym): (&Tok, &Sym)| star::Token::accepts(tok, sym);
        let opening = self.toks.iter().take_while(literal).count();
        let closing = self.toks.iter().rev().take_while(literal).count();
        work.spend(opening + closing);
        if opening == self.toks.len() {
            return None;
        }
        let mut begins = self.toks.iter().zip(text.iter()).take(opening.min(first));
        let ends = self.toks.iter().rev().zip(text.iter().rev());
        let mut ends = ends.take(closing.min(last));
        Some(begins.all(fits) && ends.all(fits))
    }

    /// Whether every value of the unknown stretches is covered: only a wildcard takes one in.
    fn covers(&self, text: &[Sym], work: &Work) -> bool {
        star::covers(&self.toks, text, work)
    }

    /// Whether some value of the unknown stretches is covered: walks the text once, keeping the set of
    /// pattern positions that are reachable.
    fn may_cover(&self, text: &[Sym], work: &Work) -> bool {
        let end = self.toks.len();
        let open_ended = self.toks.last() == Some(&Tok::Star);
        let mut reached = vec![false; end + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        self.skip_stars(&mut reached);
        let mut next = vec![false; end + 1];
        for sym in text {
            // Some passes over all positions for each symbol.
            if !work.spend(2 * (end + 1)) {
                return false;
            }
            if open_ended && reached.last() == Some(&true) {
                return true;
            }
            next.fill(false);
            match sym {
                Sym::Char(c) => self.step(&reached, &mut next, |lit| lit == *c),
                Sym::One => self.step(&reached, &mut next, |lit| lit != '/'),
                Sym::Any => {
                    let first = reached.iter().position(|hit| *hit);
                    next.iter_mut()
                        .skip(first.unwrap_or(end + 1))
                        .for_each(|hit| *hit = true);
                }
                Sym::Segment { lead } => self.step_segment(&reached, &mut next, *lead),
            }
            self.skip_stars(&mut next);
            std::mem::swap(&mut reached, &mut next);
            if reached.iter().all(|hit| !hit) {
                return false;
            }
        }
        reached.last().copied().unwrap_or(false)
    }

    /// Whether what is known before the first wildcard and the first unknown stretch differs already. Costs
    /// no more than [`Self::covers`] has counted for it.
    fn opening_differs(&self, text: &[Sym]) -> bool {
        self.toks
            .iter()
            .zip(text)
            .find_map(|pair| match pair {
                (Tok::Lit(wanted), Sym::Char(found)) if wanted == found => None,
                (Tok::Lit(_), Sym::Char(_)) => Some(true),
                _ => Some(false),
            })
            .unwrap_or(false)
    }

    fn step(&self, from: &[bool], to: &mut [bool], accepts: impl Fn(char) -> bool) {
        for (position, tok) in self.toks.iter().enumerate() {
            if !from.get(position).copied().unwrap_or(false) {
                continue;
            }
            let landed = match tok {
                Tok::Star => Some(position),
                Tok::Lit(c) if accepts(*c) => Some(position + 1),
                Tok::Lit(_) => None,
            };
            if let Some(hit) = landed.and_then(|at| to.get_mut(at)) {
                *hit = true;
            }
        }
    }

    /// Any run of characters without slash; `fresh` has taken none, `to` at least one.
    fn step_segment(&self, fresh: &[bool], to: &mut [bool], lead: bool) {
        self.step(fresh, to, |lit| lit != '/' && !(lead && lit == '.'));
        for (position, tok) in self.toks.iter().enumerate() {
            if !to.get(position).copied().unwrap_or(false) {
                continue;
            }
            if !matches!(tok, Tok::Lit('/'))
                && let Some(hit) = to.get_mut(position + 1)
            {
                *hit = true;
            }
        }
        for (hit, fresh) in to.iter_mut().zip(fresh) {
            *hit |= fresh;
        }
    }

    fn skip_stars(&self, reached: &mut [bool]) {
        for (position, tok) in self.toks.iter().enumerate() {
            if *tok == Tok::Star
                && reached.get(position).copied().unwrap_or(false)
                && let Some(hit) = reached.get_mut(position + 1)
            {
                *hit = true;
            }
        }
    }
}

fn push(toks: &mut Vec<Tok>, tok: Tok) {
    if tok != Tok::Star || toks.last() != Some(&Tok::Star) {
        toks.push(tok);
    }
}

/// The symbols of a known text.
pub(crate) fn syms(text: &str) -> Vec<Sym> {
    text.chars().map(Sym::Char).collect()
}

/// A character of a path as paths are compared: without regard to case, and by itself.
///
/// Why not the lower case of a whole text: there a sigma at the end of a word becomes another letter, and
/// a pattern and a path end their words in different places.
pub(crate) fn fold(c: char) -> impl Iterator<Item = char> {
    let one_sigma = if c == 'ς' { 'σ' } else { c };
    one_sigma.to_lowercase()
}

/// The text of a path as [`fold`] has it.
pub(crate) fn folded(path: &str) -> String {
    path.chars().flat_map(fold).collect()
}

/// The symbols of a path as [`fold`] has them.
pub(crate) fn lower(path: &[Sym]) -> Vec<Sym> {
    let mut lower = Vec::with_capacity(path.len());
    for sym in path {
        match sym {
            Sym::Char(c) => lower.extend(fold(*c).map(Sym::Char)),
            other => lower.push(*other),
        }
    }
    lower
}

/// The text, if every symbol of it is known.
pub(crate) fn known_text(syms: &[Sym]) -> Option<String> {
    syms.iter()
        .map(|sym| match sym {
            Sym::Char(c) => Some(*c),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str) -> Text {
        let sym = |c| if c == '$' { Sym::Any } else { Sym::Char(c) };
        Text::new(text.chars().map(sym).collect())
    }

    #[test]
    fn literal_text() {
        assert!(Glob::new("git * main").matches_text("git log --oneline main", &Work::unbounded()));
        assert!(!Glob::new("git * main").matches_text("git main", &Work::unbounded()));
        assert!(Glob::new("x** *").matches_text("xyz 1", &Work::unbounded()));
        assert!(!Glob::with_escapes("echo2 \\*").matches_text("echo2 x", &Work::unbounded()));
        assert!(Glob::with_escapes("echo2 \\*").matches_text("echo2 \\*", &Work::unbounded()));
        assert!(Glob::new("").matches_text("", &Work::unbounded()));
        assert!(!Glob::new("").matches_text("a", &Work::unbounded()));
    }

    #[test]
    fn unknown_stretches() {
        let rm = Glob::new("rm *");
        assert_eq!(rm.matches(&unknown("rm $"), &Work::unbounded()), Match::Yes);
        assert_eq!(
            rm.matches(&unknown("$ x"), &Work::unbounded()),
            Match::Possible
        );
        assert_eq!(
            rm.matches(&unknown("r$ x"), &Work::unbounded()),
            Match::Possible
        );
        assert_eq!(rm.matches(&unknown("git $"), &Work::unbounded()), Match::No);
        assert_eq!(
            Glob::new("git push *").matches(&unknown("git commit $"), &Work::unbounded()),
            Match::No
        );
        assert_eq!(
            Glob::new("git push *").matches(&unknown("git $"), &Work::unbounded()),
            Match::Possible
        );
    }

    #[test]
    fn the_edges_of_a_text_say_the_same_as_walking_it() {
        let work = Work::unbounded();
        let symbols = [Sym::Char('a'), Sym::Char('b'), Sym::Any, Sym::One];
        let patterns = [
            "*", "a*", "*b", "a*b", "ab*a", "*a*", "b*a*b", "aa*", "*ab", "ab*ab", "a", "ab",
        ];
        let mut fitted = 0;
        for number in 0..5_usize.pow(6) {
            let syms = (0..6_u32).map(|place| number / 5_usize.pow(place) % 5);
            let syms: Vec<Sym> = syms
                .map_while(|symbol| symbols.get(symbol).copied())
                .collect();
            let text = Text::new(syms);
            for pattern in patterns {
                let glob = Glob::new(pattern);
                let by_edges = text
                    .edges
                    .and_then(|edges| glob.fits_edges(&text, edges, &work));
                let Some(by_edges) = by_edges else { continue };
                assert_eq!(by_edges, glob.may_cover(&text, &work), "{pattern} {text:?}");
                fitted += 1;
            }
        }
        assert!(fitted > 1_000, "{fitted}");
    }

    #[test]
    fn file_name_wildcards_do_not_cross_segments_or_find_dot_files() {
        let env = Glob::new("/w/*.env");
        let path = |lead| Text::new([syms("/w/"), vec![Sym::Segment { lead }]].concat());
        assert_eq!(
            env.matches(&path(false), &Work::unbounded()),
            Match::Possible
        );
        assert_eq!(
            Glob::new("/w/.env").matches(&path(true), &Work::unbounded()),
            Match::No
        );
        assert_eq!(
            Glob::new("/w/a/b").matches(&path(true), &Work::unbounded()),
            Match::No
        );
        assert_eq!(
            Glob::new("/w/a").matches(&path(true), &Work::unbounded()),
            Match::Possible
        );
    }
}
