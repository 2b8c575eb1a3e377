//! Path patterns with gitignore meaning, and the symlink rule.
//!
//! Owns lexical normalisation, anchors, matching without regard to case, and the rule that a deny
//! needs the link or its target to match while an allow needs both.
//! Source: Claude Code findings 2.5; gitignore(5).

mod detour;
mod known;

use crate::glob::{Glob, Match, Sym, Text, folded};
use crate::request::Request;
use crate::segment::Segment;
use crate::work::Work;
use cairn_event::Effect;
pub(crate) use detour::Detours;
pub(crate) use known::KnownPath;
use known::Segments;

/// Most segments of a pattern: as many positions as a word has bits, and far deeper than trees are.
pub const MAX_SEGMENTS: usize = 63;

/// Steps of each character of a pattern that is held against a path of which not all is known.
const LOOSE_STEPS: usize = 8;

/// Characters of a directory that patterns start from which are compared in one step.
const ROOT_CHARS_A_STEP: usize = 16;

/// Where a pattern starts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Anchor {
    /// `//p`
    Root,
    /// `~/p`
    Home,
    /// `/p`: the directory of the settings source.
    Settings,
    /// `p` and `./p`: the working directory.
    Cwd,
}

/// A compiled path pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    anchor: Anchor,
    /// Directory of the settings source, where the rule names one.
    settings: Option<Root>,
    /// The pattern's segments in lower case, without anchor.
    segments: Vec<Segment>,
    /// The names before the first wildcard, in the letters of the rule, and how many they are.
    beginning: String,
    known: usize,
    /// One segment without anchor: matches at any depth, in gitignore's way.
    any_depth: bool,
    /// One segment and `**`: for a deny or ask the segment alone, at any depth, a file of that name
    /// included; for an allow what is below the anchor.
    tree_of_one: bool,
}

/// Why a path pattern can never match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// `..` in a pattern never matches a normalised path.
    #[error("a pattern with `..` never matches, because paths are normalised first")]
    ParentSegment,
    /// A leading or trailing blank is part of the pattern.
    #[error("a blank at the edge of a path pattern breaks the match")]
    EdgeBlank,
    /// A `!` carve-out has no meaning as a rule of its own.
    #[error("a `!` pattern matches nothing by itself")]
    Negation,
    /// More than [`MAX_SEGMENTS`] segments.
    #[error("the path pattern has more than {MAX_SEGMENTS} segments")]
    TooDeep,
    /// Nothing is left of the pattern.
    #[error("an empty path pattern matches nothing")]
    Empty,
}

impl PathPattern {
    /// Compiles the specifier of a `Read` or `Edit` rule; `settings` is the rule's own anchor.
    pub(crate) fn compile(text: &str, settings: Option<&str>) -> Result<Self, PathProblem> {
        if text.trim() != text {
            return Err(PathProblem::EdgeBlank);
        }
        if text.starts_with('!') {
            return Err(PathProblem::Negation);
        }
        let (anchor, rest) = if text.starts_with("//") {
            (Anchor::Root, text.trim_start_matches('/'))
        } else if let Some(rest) = text.strip_prefix("~/") {
            (Anchor::Home, rest)
        } else if text == "~" {
            (Anchor::Home, "**")
        } else if let Some(rest) = text.strip_prefix('/') {
            (Anchor::Settings, rest)
        } else {
            (Anchor::Cwd, text.strip_prefix("./").unwrap_or(text))
        };
        let lower = folded(rest);
        let segments: Vec<&str> = lower
            .split('/')
            .filter(|segment| !segment.is_empty() && *segment != ".")
            .collect();
        if segments.is_empty() {
            return Err(PathProblem::Empty);
        }
        if segments.contains(&"..") {
            return Err(PathProblem::ParentSegment);
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(PathProblem::TooDeep);
        }
        let written = rest.split('/').filter(|one| !one.is_empty() && *one != ".");
        let names = written.map_while(|segment| Segment::new(segment).only_name());
        let beginning: Vec<String> = names.collect();
        let bare = anchor == Anchor::Cwd;
        let any_depth = bare && segments.len() == 1 && segments.first() != Some(&"**");
        let tree_of_one = bare
            && segments.len() == 2
            && segments.first() != Some(&"**")
            && segments.last() == Some(&"**");
        Ok(Self {
            anchor,
            settings: settings.map(Root::new),
            segments: segments.into_iter().map(Segment::new).collect(),
            known: beginning.len(),
            beginning: beginning.join("/"),
            any_depth,
            tree_of_one,
        })
    }

    /// Whether the pattern starts from a settings directory that nobody named.
    pub(crate) fn needs_anchor(&self) -> bool {
        self.anchor == Anchor::Settings && self.settings.is_none()
    }

    /// The path of the pattern before its first wildcard, in the letters of the rule: where links on it lead, a deny
    /// or ask holds too.
    pub(crate) fn known_path(&self, cwd: &str, home: &str) -> String {
        let root = match self.anchor {
            Anchor::Root => "/",
            Anchor::Home => home,
            Anchor::Cwd => cwd,
            Anchor::Settings => self.settings.as_ref().map_or("/", |root| &root.written),
        };
        absolute(&format!("{root}/{}", self.beginning), cwd, home)
    }

    /// A segment, in lower case, that every covered path has: the longest one without wildcards.
    pub(crate) fn needed_segment(&self) -> Option<&str> {
        let plain = self.segments.iter().filter_map(Segment::plain);
        plain.max_by_key(|one| one.len())
    }

    /// What some segment of every covered path has in it, in lower case.
    pub(crate) fn needed_runs(&self) -> Vec<String> {
        self.segments.iter().flat_map(Segment::runs).collect()
    }

    /// Whether the pattern covers a path that may be a link, or is behind one that the pattern leads through.
    ///
    /// Where nobody followed the links it is enough to deny, never to allow.
    pub(crate) fn covers(
        &self,
        path: &KnownPath,
        roots: &Roots,
        effect: Effect,
        work: &Work,
    ) -> bool {
        let by_name = self.covers_lexical(&path.segments, roots, effect, work);
        let target = path.target.as_ref();
        let by_target = |target| self.covers_lexical(target, roots, effect, work);
        if effect == Effect::Allow {
            path.followed && by_name && target.is_none_or(by_target)
        } else {
            let mut aliases = path.aliases.iter();
            by_name
                || target.is_some_and(by_target)
                || aliases.any(|alias| self.covers_alias(alias, roots, effect, work))
        }
    }

    /// Whether some value of the unknown stretches of a path in lower case is covered.
    pub(crate) fn may_cover(
        &self,
        lower: &Text,
        roots: &Roots,
        detours: &Detours,
        work: &Work,
    ) -> bool {
        if **lower == [Sym::Any] {
            return true;
        }
        let mut loose = self.root(roots).text.clone();
        if self.any_depth || self.tree_of_one {
            loose.push_str("/*");
        }
        let tree = usize::from(self.tree_of_one);
        for segment in self.segments.iter().take(self.segments.len() - tree) {
            loose.push('/');
            segment.loosen(&mut loose);
        }
        if !work.spend(LOOSE_STEPS * loose.len()) {
            return false;
        }
        if self.may_cover_behind(detours, &loose, lower, roots, work) {
            return true;
        }
        // `a/*/b` must also reach `/a/b`, and a covered directory covers what is below it.
        let forms = [loose.replace("/*/", "*/"), loose];
        forms.iter().any(|form| {
            Glob::new(form).matches(lower, work) != Match::No
                || Glob::new(&format!("{form}/*")).matches(lower, work) != Match::No
        })
    }

    /// Walks the path once, keeping the set of pattern positions that are reachable: many `**` cost no
    /// more than one. The pattern matches the path or one of the directories that it is in.
    fn covers_lexical(&self, path: &Segments, roots: &Roots, effect: Effect, work: &Work) -> bool {
        let mut below = path.iter();
        let root = &self.root(roots).segments;
        work.spend(root.bounds.len() + root.chars.len() / ROOT_CHARS_A_STEP);
        if !root.iter().all(|segment| below.next() == Some(segment)) {
            return false;
        }
        let by_name = self.tree_of_one && effect != Effect::Allow;
        let any_depth = self.any_depth || by_name;
        let end = if by_name { 1 } else { self.segments.len() };
        // One bit for each position, the first in the lowest.
        let mut reached = 0u64;
        for (depth, name) in below.enumerate() {
            if !work.spend(end + 1) {
                return false;
            }
            if depth == 0 || any_depth {
                reached |= 1;
            }
            let mut next = 0u64;
            for (position, segment) in self.segments.iter().take(end).enumerate() {
                let here = 1 << position;
                if reached & here == 0 {
                    continue;
                }
                if !segment.is_double_star() {
                    if segment.matches(name, work) {
                        next |= here << 1;
                    }
                } else if position + 1 == end {
                    // A trailing `**` needs something below the directory.
                    next |= here | here << 1;
                } else {
                    // Any other stands for no segment too.
                    next |= here;
                    reached |= here << 1;
                }
            }
            if next & 1 << end != 0 {
                return true;
            }
            reached = next;
        }
        false
    }

    fn root<'a>(&'a self, roots: &'a Roots) -> &'a Root {
        match self.anchor {
            Anchor::Root => &roots.all,
            Anchor::Home => &roots.home,
            Anchor::Cwd => &roots.cwd,
            // A pattern that needs an anchor and has none does not compile.
            Anchor::Settings => self.settings.as_ref().unwrap_or(&roots.nowhere),
        }
    }
}

/// A directory that patterns start from, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    /// As it is written.
    written: String,
    /// Without a slash at its end, as [`PathPattern::may_cover`] goes on from it.
    text: String,
    segments: Segments,
}

impl Root {
    fn new(path: &str) -> Self {
        Self {
            written: path.to_owned(),
            text: folded(path).trim_end_matches('/').to_owned(),
            segments: Segments::of(path),
        }
    }
}

/// The directories that the patterns of one request start from.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    all: Root,
    home: Root,
    cwd: Root,
    /// No path is below it.
    nowhere: Root,
}

impl Roots {
    /// Those of a request.
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            all: Root::new("/"),
            home: Root::new(&request.home),
            cwd: Root::new(&request.cwd),
            nowhere: Root::new("\0"),
        }
    }
}

/// The absolute path without `.`, `..`, doubled slashes and a leading tilde; links not followed.
pub(crate) fn absolute(path: &str, cwd: &str, home: &str) -> String {
    let joined = if path == "~" {
        home.to_owned()
    } else if let Some(rest) = path.strip_prefix("~/") {
        format!("{home}/{rest}")
    } else if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{cwd}/{path}")
    };
    let mut segments: Vec<&str> = Vec::new();
    for segment in joined.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Whether `path` is `root` or below it.
pub(crate) fn is_within(path: &str, root: &str) -> bool {
    path.strip_prefix(root.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
