//! Paths that are known, by segments.
//!
//! Owns the form in which patterns are compared with them.

use super::Detours;
use super::detour::Alias;
use crate::glob::fold;
use crate::request::ResolvedPath;

/// An absolute path that is known, in the form that patterns are compared with.
#[derive(Clone, Debug)]
pub(crate) struct KnownPath {
    pub(super) segments: Segments,
    /// Where its links lead, if anywhere else.
    pub(super) target: Option<Segments>,
    /// What rules know it by whose own paths lead through links.
    pub(super) aliases: Vec<Alias>,
    /// Whether somebody followed the links.
    pub(super) followed: bool,
}

impl KnownPath {
    /// A path, and what is recorded of its links.
    pub(crate) fn new(path: &str, resolved: Option<&ResolvedPath>, detours: &Detours) -> Self {
        let target = resolved.and_then(|resolved| resolved.target.as_deref());
        let (segments, target) = (Segments::of(path), target.map(Segments::of));
        let known = std::iter::once(&segments).chain(&target);
        Self {
            aliases: known.flat_map(|path| detours.names(path)).collect(),
            segments,
            target,
            followed: resolved.is_some(),
        }
    }

    /// Every segment of the path, of where its links lead, and of what else rules know it by.
    pub(crate) fn all_segments(&self) -> impl Iterator<Item = &[char]> {
        let aliases = self.aliases.iter().map(|alias| &alias.segments);
        let others = self.target.iter().chain(aliases);
        self.segments.iter().chain(others.flat_map(Segments::iter))
    }
}

/// The segments of a path in lower case: paths are compared without regard to case. Where each of them
/// stands is looked up once, so that a pattern that is not about a long path does not read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segments {
    pub(super) chars: Vec<char>,
    pub(super) bounds: Vec<(usize, usize)>,
}

impl Segments {
    pub(super) fn of(path: &str) -> Self {
        let chars: Vec<char> = path.chars().flat_map(fold).collect();
        let mut bounds = Vec::new();
        let mut start = 0;
        for segment in chars.split(|c| *c == '/') {
            let end = start + segment.len();
            if !segment.is_empty() {
                bounds.push((start, end));
            }
            start = end + 1;
        }
        Self { chars, bounds }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[char]> {
        let bounds = self.bounds.iter();
        bounds.map(|(start, end)| self.chars.get(*start..*end).unwrap_or_default())
    }

    /// These, and others below.
    pub(super) fn followed_by<'a>(&self, rest: impl Iterator<Item = &'a [char]>) -> Self {
        let mut chars = self.chars.clone();
        let mut bounds = self.bounds.clone();
        for segment in rest {
            chars.push('/');
            bounds.push((chars.len(), chars.len() + segment.len()));
            chars.extend_from_slice(segment);
        }
        Self { chars, bounds }
    }
}
