//! Whether an endpoint protection product is at work on the device.
//!
//! Owns the pass over the process list and the verdict. A product known by name only is `unknown`:
//! it may be there, or somebody may have named a process so.
//!
//! Source: the ladder in `process.rs`, the table in `products.toml`.

use std::path::{Path, PathBuf};

use super::deadline::Collected;
use super::field::{Finding, NAME, SYSTEM, State};
use super::process::evidence;
use super::product::{Product, ProductClass, ProductTable};
use super::surroundings::Surroundings;
use super::sysroot::{Sysroot, entries, text_at};
use crate::ancestry::DigestCache;

/// Where the answer comes from.
const SOURCE: &str = "procfs";

/// The most processes of one product that are watched for their end.
const WATCHED_MAX: usize = 16;

/// A process that bears a product's name.
struct Bearer<'a> {
    pid: u32,
    product: &'a Product,
    evidence: u8,
}

/// Looks through all processes and reports the product with the strongest evidence.
pub(super) fn collect(
    sysroot: &Sysroot,
    products: &ProductTable,
    digests: &DigestCache,
) -> Collected {
    let around = Surroundings::of(sysroot);
    if around.container.is_some() {
        return Finding::unknown(SOURCE, "container").into();
    }
    // With hidden processes, or without the list, absence shows nothing.
    if text_at(&sysroot.at("/proc/1/comm")).is_none() {
        return Finding::unknown(SOURCE, "processes-hidden").into();
    }
    let bearers = bearers(sysroot, products, digests);
    let (counted, noted): (Vec<Bearer<'_>>, Vec<Bearer<'_>>) = bearers
        .into_iter()
        .partition(|b| b.product.class == ProductClass::Protection);
    let noted: Vec<&str> = noted
        .iter()
        .map(|bearer| bearer.product.id.as_str())
        .collect();
    let notes = if noted.is_empty() {
        String::new()
    } else {
        format!("also {}", noted.join(" "))
    };
    // The first among equals, so that the answer does not change from pass to pass.
    let best = counted.iter().rev().max_by_key(|bearer| bearer.evidence);
    match best {
        None if around.wsl => Finding::unknown(SOURCE, "wsl-host").into(),
        None => Finding::known(State::Off, SYSTEM, &format!("{SOURCE}:none"), &notes).into(),
        Some(best) if best.evidence == NAME => Finding::unknown(SOURCE, "name-only").into(),
        Some(best) => {
            let source = format!("{SOURCE}:{}", best.product.id);
            let pids = counted
                .iter()
                .filter(|b| b.product.id == best.product.id && b.evidence == best.evidence);
            Collected {
                finding: Finding::known(State::On, best.evidence, &source, &notes),
                pids: pids.map(|bearer| bearer.pid).take(WATCHED_MAX).collect(),
            }
        }
    }
}

fn bearers<'a>(
    sysroot: &Sysroot,
    products: &'a ProductTable,
    digests: &DigestCache,
) -> Vec<Bearer<'a>> {
    let mut found: Vec<Bearer<'a>> = processes(sysroot)
        .filter_map(|(pid, dir)| {
            let product = products.by_process_name(&text_at(&dir.join("comm"))?)?;
            let evidence = evidence(sysroot, &dir, product, digests);
            Some(Bearer {
                pid,
                product,
                evidence,
            })
        })
        .collect();
    found.sort_by_key(|bearer| bearer.pid);
    found
}

fn processes(sysroot: &Sysroot) -> impl Iterator<Item = (u32, PathBuf)> {
    entries(&sysroot.at("/proc"))
        .into_iter()
        .filter_map(|dir| Some((number(&dir)?, dir)))
}

fn number(dir: &Path) -> Option<u32> {
    dir.file_name()?.to_str()?.parse().ok()
}
