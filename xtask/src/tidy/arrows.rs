//! The arrows between the crates of the workspace, and what pure crates are built on.
//!
//! It owns the table. A new arrow is an architecture change: it is written into ARCHITECTURE.md first
//! and here second.
//!
//! Source: ARCHITECTURE.md, "programs and crates".

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use super::Fault;

/// What each crate may depend on. A crate that is not listed is a fault.
const ARROWS: &[(&str, &[&str])] = &[
    ("cairn-tlog", &[]),
    ("cairn-event", &[]),
    ("cairn-policy", &["cairn-event"]),
    ("cairn-identity", &["cairn-event"]),
    ("cairn-durable", &[]),
    (
        "cairn-api",
        &[
            "cairn-event",
            "cairn-policy",
            "cairn-identity",
            "cairn-tlog",
        ],
    ),
    ("cairn-server", LIBRARIES),
    ("cairn-witness", &["cairn-tlog"]),
    ("cairn-agent", LIBRARIES),
    ("cairn-hook", &[]),
    // The exporter asks the auditor before it writes, and derives its rows with the auditor's own
    // functions, so that a pack cannot say what its entries do not. The auditor writes
    // nothing but its own state.
    (
        "cairn-export",
        &[
            "cairn-tlog",
            "cairn-event",
            "cairn-policy",
            "cairn-identity",
            "cairn-durable",
            "cairn-api",
            "cairn-audit",
        ],
    ),
    (
        "cairn-audit",
        &[
            "cairn-tlog",
            "cairn-event",
            "cairn-policy",
            "cairn-identity",
            "cairn-durable",
        ],
    ),
    ("xtask", &[]),
    ("cairn-tests", ANY),
    (
        "cairn-fuzz-targets",
        &[
            "cairn-tlog",
            "cairn-event",
            "cairn-policy",
            "cairn-identity",
            "cairn-agent",
        ],
    ),
];

const LIBRARIES: &[&str] = &[
    "cairn-tlog",
    "cairn-event",
    "cairn-policy",
    "cairn-identity",
    "cairn-durable",
    "cairn-api",
];

const ANY: &[&str] = &["*"];

/// The oracle: any crate's tests may ask the auditor, because it has no writer code.
const ORACLE: &str = "cairn-audit";

const PURE: [&str; 4] = [
    "cairn-tlog",
    "cairn-event",
    "cairn-policy",
    "cairn-identity",
];

/// Runtimes, servers and stores that nothing a pure crate is built on may bring in.
const IMPURE: [&str; 8] = [
    "tokio",
    "async-std",
    "mio",
    "hyper",
    "axum",
    "reqwest",
    "rocksdb",
    "redb",
];

const MANIFEST: &str = "Cargo.toml";

/// Reads the workspace with cargo and compares it with the table.
///
/// # Errors
/// cargo cannot resolve the workspace.
pub fn check(checkout: &Path) -> Result<Vec<Fault>> {
    let metadata = MetadataCommand::new()
        .manifest_path(checkout.join(MANIFEST))
        .exec()
        .context("cargo cannot resolve the workspace")?;
    let members: BTreeSet<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut faults = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| members.contains(d.name.as_str()))
        {
            let dev = dependency.kind == DependencyKind::Development;
            faults.extend(arrow(&package.name, &dependency.name, dev));
        }
        if !ARROWS
            .iter()
            .any(|(name, _)| *name == package.name.as_str())
        {
            faults.push(Fault::new(
                MANIFEST,
                0,
                format!("`{}` is not in the table", package.name),
            ));
        }
    }
    let graph = graph_of(&metadata);
    faults.extend(PURE.iter().flat_map(|name| impurities(&graph, name)));
    Ok(faults)
}

/// One arrow against the table.
fn arrow(from: &str, to: &str, dev: bool) -> Option<Fault> {
    let allowed = ARROWS
        .iter()
        .find(|(name, _)| *name == from)
        .map(|(_, to)| *to)?;
    let fits = allowed == ANY || allowed.contains(&to) || (dev && to == ORACLE);
    (!fits).then(|| Fault::new(MANIFEST, 0, format!("`{from}` must not depend on `{to}`")))
}

/// For each package name, the names it needs when built for use; tests and build scripts left out.
type Graph = BTreeMap<String, BTreeSet<String>>;

fn graph_of(metadata: &Metadata) -> Graph {
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.to_string()))
        .collect();
    let mut graph = Graph::new();
    for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
        let Some(name) = names.get(&node.id) else {
            continue;
        };
        let used = node.deps.iter().filter(|dependency| {
            dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal)
        });
        let used = used.filter_map(|dependency| names.get(&dependency.pkg).cloned());
        graph.entry(name.clone()).or_default().extend(used);
    }
    graph
}

fn impurities(graph: &Graph, name: &str) -> Vec<Fault> {
    let mut seen = BTreeSet::from([name]);
    let mut next = vec![name];
    while let Some(current) = next.pop() {
        for dependency in graph.get(current).into_iter().flatten() {
            if seen.insert(dependency) {
                next.push(dependency);
            }
        }
    }
    let found = IMPURE.iter().filter(|impure| seen.contains(**impure));
    found
        .map(|impure| Fault::new(MANIFEST, 0, format!("pure `{name}` brings in `{impure}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_outwards_is_a_fault() {
        assert!(arrow("cairn-tlog", "cairn-event", false).is_some());
        assert!(arrow("cairn-witness", "cairn-event", false).is_some());
        assert!(arrow("cairn-audit", "cairn-api", false).is_some());
        assert!(arrow("cairn-export", "cairn-server", true).is_some());
        assert!(arrow("cairn-server", "cairn-tlog", false).is_none());
        assert!(arrow("cairn-tests", "cairn-server", false).is_none());
    }

    #[test]
    fn the_auditor_is_an_oracle_for_tests_only() {
        assert!(arrow("cairn-server", "cairn-audit", true).is_none());
        assert!(arrow("cairn-server", "cairn-audit", false).is_some());
    }

    #[test]
    fn nobody_in_the_table_may_use_the_server_but_the_tests() {
        let users = ARROWS
            .iter()
            .filter(|(_, to)| *to == ANY || to.contains(&"cairn-server"));
        assert_eq!(
            users.map(|(name, _)| *name).collect::<Vec<_>>(),
            ["cairn-tests"]
        );
    }

    #[test]
    fn an_impurity_is_found_at_any_distance() {
        let edge = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
        let graph = Graph::from([edge("cairn-tlog", "a"), edge("a", "b"), edge("b", "tokio")]);
        assert_eq!(impurities(&graph, "cairn-tlog").len(), 1);
        assert!(impurities(&graph, "cairn-event").is_empty());
    }
}
