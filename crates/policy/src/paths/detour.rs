//! Links that the paths of rules lead through, and the names that files have by them.
//!
//! A deny or ask for what is below a link also holds for what the link leads to, by whatever name a call
//! reaches it. Owns going the way back: from a file to the name that such a rule would know it by. Which
//! links there are is part of the request.
//! Source: observed verdicts of Claude Code 2.1.330.

use super::{PathPattern, Roots, Segments};
use crate::glob::{Glob, Match, Text, folded};
use crate::request::Request;
use crate::work::Work;
use cairn_event::Effect;

/// The links that the paths of rules lead through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Detours(Vec<Detour>);

#[derive(Clone, Debug)]
struct Detour {
    link: Place,
    target: Place,
}

/// One end of a link, in lower case.
#[derive(Clone, Debug)]
struct Place {
    /// Without a slash at its end.
    text: String,
    segments: Segments,
}

impl Place {
    fn new(path: &str) -> Self {
        Self {
            text: folded(path).trim_end_matches('/').to_owned(),
            segments: Segments::of(path),
        }
    }
}

/// A name of a file by a link.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    pub segments: Segments,
    /// Segments of the link: a rule whose path is not known for so long does not lead through it.
    link: usize,
}

impl Detours {
    /// Those of a request.
    pub(crate) fn of(request: &Request) -> Self {
        let links = request.rule_links.iter();
        let detours = links.map(|one| Detour {
            link: Place::new(&one.path),
            target: Place::new(&one.target),
        });
        Self(detours.collect())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The names that a path has by them.
    pub(super) fn names(&self, path: &Segments) -> impl Iterator<Item = Alias> {
        self.0.iter().filter_map(|detour| {
            let mut rest = path.iter();
            let mut target = detour.target.segments.iter();
            target
                .all(|segment| rest.next() == Some(segment))
                .then(|| Alias {
                    segments: detour.link.segments.followed_by(rest),
                    link: detour.link.segments.bounds.len(),
                })
        })
    }
}

impl PathPattern {
    /// Whether the pattern, of a deny or ask, leads through the link of an alias and covers it.
    pub(super) fn covers_alias(
        &self,
        alias: &Alias,
        roots: &Roots,
        effect: Effect,
        work: &Work,
    ) -> bool {
        self.is_known_for(alias.link, roots)
            && self.covers_lexical(&alias.segments, roots, effect, work)
    }

    /// As [`PathPattern::may_cover`], for what is behind the links that the pattern leads through: `loose`
    /// is the pattern with every wildcard as `*`.
    pub(super) fn may_cover_behind(
        &self,
        detours: &Detours,
        loose: &str,
        lower: &Text,
        roots: &Roots,
        work: &Work,
    ) -> bool {
        detours.0.iter().any(|detour| {
            let is_long_enough = self.is_known_for(detour.link.segments.bounds.len(), roots);
            let rest = loose.strip_prefix(detour.link.text.as_str());
            let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
            rest.filter(|_| is_long_enough && work.spend(super::LOOSE_STEPS * loose.len()))
                .is_some_and(|rest| {
                    let behind = format!("{}{rest}", detour.target.text);
                    Glob::new(&behind).matches(lower, work) != Match::No
                        || Glob::new(&format!("{behind}/*")).matches(lower, work) != Match::No
                })
        })
    }

    /// Whether the path of the pattern has so many segments before its first wildcard.
    fn is_known_for(&self, segments: usize, roots: &Roots) -> bool {
        self.root(roots).segments.bounds.len() + self.known >= segments
    }
}
