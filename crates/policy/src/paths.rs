//! Path patterns with gitignore meaning, and the symlink rule.
//!
//! Owns lexical normalisation, anchors, matching without regard to case, and the rule that a deny
//! needs the link or its target to match while an allow needs both.
//! Source: Claude Code findings 2.5; gitignore(5).

use crate::glob::{Glob, Match, Sym};
use crate::request::{Request, ResolvedPath};
use cairn_event::Effect;

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
    settings: Option<String>,
    /// The pattern's segments in lower case, without anchor.
    segments: Vec<String>,
    /// One segment without anchor: matches at any depth, in gitignore's way.
    any_depth: bool,
    /// One plain segment and `**`: any depth for a deny or ask, the anchor only for an allow.
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
        let lower = rest.to_lowercase();
        let segments: Vec<String> = lower
            .split('/')
            .filter(|segment| !segment.is_empty() && *segment != ".")
            .map(str::to_owned)
            .collect();
        if segments.is_empty() {
            return Err(PathProblem::Empty);
        }
        if segments.iter().any(|segment| segment == "..") {
            return Err(PathProblem::ParentSegment);
        }
        let bare = anchor == Anchor::Cwd;
        let any_depth = bare && segments.len() == 1 && segments.first().is_some_and(|s| s != "**");
        let tree_of_one = bare
            && segments.len() == 2
            && segments.first().is_some_and(|segment| segment != "**")
            && segments.last().is_some_and(|segment| segment == "**");
        let settings = settings.map(str::to_owned);
        Ok(Self {
            anchor,
            settings,
            segments,
            any_depth,
            tree_of_one,
        })
    }

    /// Whether the pattern starts from a settings directory that nobody named.
    pub(crate) fn needs_anchor(&self) -> bool {
        self.anchor == Anchor::Settings && self.settings.is_none()
    }

    /// A segment, in lower case, that every covered path has: the longest one without wildcards.
    pub(crate) fn needed_segment(&self) -> Option<&str> {
        let plain = |segment: &&String| !segment.contains(['*', '?', '[', '\\']);
        let longest = self
            .segments
            .iter()
            .filter(plain)
            .max_by_key(|one| one.len());
        longest.map(String::as_str)
    }

    /// Whether the pattern covers a path that may be a link.
    ///
    /// `resolved` absent means that nobody followed the links: enough to deny, never to allow.
    pub(crate) fn covers(
        &self,
        lexical: &str,
        resolved: Option<&ResolvedPath>,
        request: &Request,
        effect: Effect,
    ) -> bool {
        let by_name = self.covers_lexical(lexical, request, effect);
        let target = resolved.and_then(|path| path.target.as_deref());
        if effect == Effect::Allow {
            let by_target =
                target.is_none_or(|target| self.covers_lexical(target, request, effect));
            resolved.is_some() && by_name && by_target
        } else {
            by_name || target.is_some_and(|target| self.covers_lexical(target, request, effect))
        }
    }

    /// Whether some value of the unknown stretches of a path is covered.
    pub(crate) fn may_cover(&self, path: &[Sym], request: &Request) -> bool {
        let Some(root) = self.root(request) else {
            return false;
        };
        let mut loose = root.to_lowercase();
        if self.any_depth || self.tree_of_one {
            loose.push_str("/*");
        }
        for segment in &self.segments {
            loose.push('/');
            if segment == "**" {
                loose.push('*');
            } else {
                loose.extend(loosen(segment));
            }
        }
        let lower: Vec<Sym> = path
            .iter()
            .map(|sym| match sym {
                Sym::Char(c) => Sym::Char(c.to_lowercase().next().unwrap_or(*c)),
                other => *other,
            })
            .collect();
        // `a/*/b` must also reach `/a/b`, and a covered directory covers what is below it.
        let forms = [loose.replace("/*/", "*/"), loose];
        forms.iter().any(|form| {
            Glob::new(form).matches(&lower) != Match::No
                || Glob::new(&format!("{form}/*")).matches(&lower) != Match::No
        })
    }

    fn covers_lexical(&self, path: &str, request: &Request, effect: Effect) -> bool {
        let Some(root) = self.root(request) else {
            return false;
        };
        let (path, root) = (path.to_lowercase(), root.to_lowercase());
        let below: Vec<&str> = if root == "/" {
            path.split('/')
                .filter(|segment| !segment.is_empty())
                .collect()
        } else {
            match path.strip_prefix(root.trim_end_matches('/')) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => rest
                    .split('/')
                    .filter(|segment| !segment.is_empty())
                    .collect(),
                _ => return false,
            }
        };
        let segments: Vec<&str> = self.segments.iter().map(String::as_str).collect();
        let any_depth = self.any_depth || (self.tree_of_one && effect != Effect::Allow);
        let starts = if any_depth { below.len().max(1) } else { 1 };
        (0..starts).any(|start| {
            below
                .get(start..)
                .is_some_and(|tail| matches_or_holds(&segments, tail))
        })
    }

    fn root<'a>(&'a self, request: &'a Request) -> Option<&'a str> {
        match self.anchor {
            Anchor::Root => Some("/"),
            Anchor::Home => Some(&request.home),
            Anchor::Cwd => Some(&request.cwd),
            Anchor::Settings => self.settings.as_deref(),
        }
    }
}

/// The segments match the path or one of the directories it is in.
fn matches_or_holds(pattern: &[&str], path: &[&str]) -> bool {
    (1..=path.len()).any(|end| {
        path.get(..end)
            .is_some_and(|head| segments_match(pattern, head))
    })
}

/// Matches whole paths by reachable positions, so that many `**` cost no more than one.
fn segments_match(pattern: &[&str], path: &[&str]) -> bool {
    // A trailing `**` needs something below the directory.
    let mut reached = vec![false; pattern.len() + 1];
    if let Some(start) = reached.first_mut() {
        *start = true;
    }
    skip_double_stars(pattern, &mut reached);
    for name in path {
        let mut next = vec![false; pattern.len() + 1];
        for (position, segment) in pattern.iter().enumerate() {
            if !reached.get(position).copied().unwrap_or(false) {
                continue;
            }
            if *segment == "**" {
                set(&mut next, position);
                if position + 1 == pattern.len() {
                    set(&mut next, position + 1);
                }
            } else if segment_matches(segment, name) {
                set(&mut next, position + 1);
            }
        }
        skip_double_stars(pattern, &mut next);
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

fn set(positions: &mut [bool], at: usize) {
    if let Some(hit) = positions.get_mut(at) {
        *hit = true;
    }
}

/// `**` stands for no segment too, except at the end.
fn skip_double_stars(pattern: &[&str], reached: &mut [bool]) {
    for (position, segment) in pattern.iter().enumerate() {
        if *segment == "**"
            && position + 1 < pattern.len()
            && reached.get(position).copied().unwrap_or(false)
        {
            set(reached, position + 1);
        }
    }
}

/// One segment with `*`, `?`, `[…]` and `\x`.
fn segment_matches(pattern: &str, name: &str) -> bool {
    let toks = segment_toks(pattern);
    let mut reached = vec![false; toks.len() + 1];
    set(&mut reached, 0);
    for c in name.chars().map(Some).chain([None]) {
        let mut next = vec![false; toks.len() + 1];
        for (position, tok) in toks.iter().enumerate() {
            if !reached.get(position).copied().unwrap_or(false) {
                continue;
            }
            match tok {
                SegmentTok::Star => {
                    set(&mut reached, position + 1);
                    set(&mut next, position);
                }
                SegmentTok::One => set(&mut next, position + 1),
                SegmentTok::Lit(lit) if Some(*lit) == c => set(&mut next, position + 1),
                SegmentTok::Class { negated, ranges } => {
                    let inside =
                        c.is_some_and(|c| ranges.iter().any(|(low, high)| *low <= c && c <= *high));
                    if inside != *negated {
                        set(&mut next, position + 1);
                    }
                }
                SegmentTok::Lit(_) => {}
            }
        }
        if c.is_none() {
            return reached.last().copied().unwrap_or(false);
        }
        reached = next;
    }
    false
}

enum SegmentTok {
    Lit(char),
    One,
    Star,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

fn segment_toks(pattern: &str) -> Vec<SegmentTok> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut toks = Vec::with_capacity(chars.len());
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        at += 1;
        toks.push(match c {
            '*' => SegmentTok::Star,
            '?' => SegmentTok::One,
            '\\' => {
                let escaped = chars.get(at).copied().unwrap_or('\\');
                at += 1;
                SegmentTok::Lit(escaped)
            }
            '[' => match class(&chars, at) {
                Some((tok, after)) => {
                    at = after;
                    tok
                }
                None => SegmentTok::Lit('['),
            },
            other => SegmentTok::Lit(other),
        });
    }
    toks
}

/// A bracket expression that starts after its `[`, and where it ends.
fn class(chars: &[char], start: usize) -> Option<(SegmentTok, usize)> {
    let negated = matches!(chars.get(start), Some('!' | '^'));
    let first = if negated { start + 1 } else { start };
    let mut at = first;
    let mut ranges = Vec::new();
    loop {
        let low = *chars.get(at)?;
        if low == ']' && at > first {
            return Some((SegmentTok::Class { negated, ranges }, at + 1));
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

/// A superset of a segment pattern in which every wildcard is `*`.
fn loosen(segment: &str) -> impl Iterator<Item = char> {
    segment_toks(segment).into_iter().map(|tok| match tok {
        SegmentTok::Lit(c) => c,
        _ => '*',
    })
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
