//! One look at the file system for the links on many paths.
//!
//! Owns the tree of the paths, so that what they have in common is looked at once, and what must stay as it
//! is for the answer to hold. Does not own which paths.

use crate::hook::links;
use cairn_policy::{MAX_RULE_LINKS, RuleLink};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Most names that one look asks the file system about, some milliseconds' worth: what a policy names
/// beyond that holds by its own name only.
const LOOK_UPS_MAX: usize = 4_096;

/// A directory that changed so recently may have changed once more within the same tick of its clock,
/// in nanoseconds: far more than a tick.
const SETTLED_NS: i128 = 100_000_000;

/// Absolute paths by their segments.
#[derive(Debug, Default)]
pub(super) struct Tree {
    children: BTreeMap<String, Tree>,
}

/// Most links to nothing that lead to each other and are followed, as few as the kernel follows.
const HOPS_MAX: usize = 40;

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Links, and where they lead.
    pub(super) links: Vec<RuleLink>,
    /// Links that could not be followed.
    lost: Vec<PathBuf>,
    /// The directories that were looked into, and how each was then.
    directories: Vec<(PathBuf, Stamp)>,
    /// When the look began, nanoseconds since 1970.
    began_ns: i128,
}

/// What changes when a name in a directory does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Stamp {
    fn of(directory: &Path) -> Option<Self> {
        fs::symlink_metadata(directory).ok().as_ref().map(Self::new)
    }

    fn new(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Tree {
    /// The tree of absolute paths without `.` and `..`.
    pub(super) fn of(paths: &[String]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let segments = path.split('/').filter(|segment| !segment.is_empty());
            let mut node = &mut root;
            for segment in segments {
                node = node.children.entry(segment.to_owned()).or_default();
            }
        }
        root
    }

    /// Whether there is nothing to look at.
    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// Looks for links on every path.
    pub(super) fn survey(&self) -> Survey {
        let mut survey = Survey {
            began_ns: now_ns(),
            ..Survey::default()
        };
        let mut left = LOOK_UPS_MAX;
        // The name by the rules, and where that really is.
        let mut open = vec![(self, String::new(), PathBuf::from("/"))];
        while let Some((node, named, place)) = open.pop() {
            if node.children.is_empty() || left == 0 {
                continue;
            }
            if let Some(stamp) = Stamp::of(&place) {
                survey.directories.push((place.clone(), stamp));
            }
            for (name, child) in node.children.iter().take(left) {
                let (named, at) = (format!("{named}/{name}"), place.join(name));
                if let Some(place) = survey.visit(&named, at) {
                    open.push((child, named, place));
                }
            }
            left = left.saturating_sub(node.children.len());
        }
        survey.links.sort_by(|one, next| one.path.cmp(&next.path));
        survey
    }
}

impl Survey {
    /// Where a name really is, and notes it where it is a link; `None` where there is nothing.
    fn visit(&mut self, named: &str, at: PathBuf) -> Option<PathBuf> {
        if !fs::symlink_metadata(&at).ok()?.is_symlink() {
            return Some(at);
        }
        let Some(target) = leads_to(&at, HOPS_MAX) else {
            self.lost.push(at);
            return None;
        };
        if self.links.len() < MAX_RULE_LINKS {
            self.links.push(RuleLink {
                path: named.to_owned(),
                target: target.to_str()?.to_owned(),
            });
        }
        Some(target)
    }

    /// Whether another look would find the same.
    pub(super) fn holds(&self) -> bool {
        let is_settled = |stamp: &Stamp| stamp.changed_ns < self.began_ns - SETTLED_NS;
        let mut directories = self.directories.iter();
        let mut links = self.links.iter();
        directories.all(|(place, stamp)| is_settled(stamp) && Stamp::of(place) == Some(*stamp))
            && links.all(|link| {
                let leads = leads_to(Path::new(&link.path), HOPS_MAX);
                leads.is_some_and(|leads| leads == Path::new(&link.target))
            })
            && self
                .lost
                .iter()
                .all(|link| leads_to(link, HOPS_MAX).is_none())
    }
}

/// Where a link leads, also where nothing is there yet; `None` where that cannot be said.
fn leads_to(link: &Path, hops: usize) -> Option<PathBuf> {
    if let Ok(target) = link.canonicalize() {
        return Some(target);
    }
    let target = link.parent()?.join(fs::read_link(link).ok()?);
    if let Some(found) = links::follow(&target) {
        return Some(found);
    }
    leads_to(&target, hops.checked_sub(1)?)
}

#[cfg(test)]
impl Survey {
    /// The same, had the look begun later.
    pub(super) fn begun_later_by(mut self, by: std::time::Duration) -> Self {
        self.began_ns += i128::try_from(by.as_nanos()).unwrap();
        self
    }
}

fn now_ns() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
    })
}
