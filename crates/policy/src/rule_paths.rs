//! The paths that rules name, for the caller to look for links on.
//!
//! Owns which rules that concerns. Does not read the file system: what was found is part of the request.
//! Source: observed verdicts of Claude Code 2.1.330.

use crate::compile::CompiledBundle;
use crate::paths::is_within;
use crate::pattern::Kind;
use crate::request::{MAX_RULE_LINKS, RuleLink};
use cairn_event::Effect;
use std::collections::{BTreeMap, BTreeSet};

/// Most links that are followed one after the other, as few as a kernel follows.
const HOPS_MAX: usize = 40;

/// The absolute path of every deny and ask rule about files, up to its first wildcard.
///
/// In order, each once. A link on one of them belongs into [`Request::rule_links`](crate::Request), where
/// the rule then also holds for what the link leads to. The answer is the same as long as the bundle is.
pub fn rule_paths(bundle: &CompiledBundle, cwd: &str, home: &str) -> Vec<String> {
    let restrict = bundle.rules.iter();
    let restrict = restrict.filter(|rule| rule.rule.effect != Effect::Allow);
    let paths: BTreeSet<String> = restrict
        .filter_map(|rule| match &rule.kind {
            Kind::ReadPath(path) | Kind::EditPath(path) => Some(path.known_path(cwd, home)),
            _ => None,
        })
        .collect();
    paths.into_iter().collect()
}

/// The links that rules may lead through where a test or a row states which links there are: by their own
/// paths, and by the names that they have behind one another.
pub(crate) fn stated_links(links: &BTreeMap<&str, &str>) -> Vec<RuleLink> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (link, target) in links {
        found.insert((*link).to_owned(), followed((*target).to_owned(), links));
    }
    let mut open: Vec<String> = found.keys().cloned().collect();
    while let Some(named) = open.pop() {
        let target = found.get(&named).cloned().unwrap_or_default();
        for (link, behind) in links {
            let below = link.strip_prefix(target.as_str());
            let Some(rest) = below.filter(|rest| rest.starts_with('/')) else {
                continue;
            };
            let longer = format!("{named}{rest}");
            if found.len() < MAX_RULE_LINKS && !found.contains_key(&longer) {
                open.push(longer.clone());
                found.insert(longer, followed((*behind).to_owned(), links));
            }
        }
    }
    let found = found.into_iter().take(MAX_RULE_LINKS);
    found
        .map(|(path, target)| RuleLink { path, target })
        .collect()
}

/// Where a path leads once all links on it are followed.
fn followed(mut path: String, links: &BTreeMap<&str, &str>) -> String {
    for _ in 0..HOPS_MAX {
        let Some((link, target)) = links.iter().find(|(link, _)| is_within(&path, link)) else {
            break;
        };
        path = format!("{target}{}", path.get(link.len()..).unwrap_or_default());
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stated_links_are_followed_and_found_behind_one_another() {
        let links = BTreeMap::from([
            ("/w/one", "/w/two"),
            ("/w/two", "/w/real"),
            ("/w/real/in", "/w/other"),
            ("/w/loop", "/w/loop"),
        ]);
        let found = stated_links(&links);
        let found = found
            .iter()
            .map(|one| (one.path.as_str(), one.target.as_str()));
        let expected = [
            ("/w/loop", "/w/loop"),
            ("/w/one", "/w/real"),
            ("/w/one/in", "/w/other"),
            ("/w/real/in", "/w/other"),
            ("/w/two", "/w/real"),
            ("/w/two/in", "/w/other"),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
