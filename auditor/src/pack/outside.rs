//! What a pack brings from outside its range: entries, each with its own proof, and policy bundles.
//!
//! Owns reading both before any row is. Source: `docs/formats/pack.md`, "Context entries".

use super::{Pack, derived, events, names};
use crate::evidence::Context;
use crate::pack::proofs::ProvenEntry;
use crate::report::{Check, Failure};
use crate::walk::Item;
use cairn_event::Sha256;
use cairn_event::body::Body;
use std::collections::BTreeMap;

impl Pack<'_> {
    /// Entries from outside the range, each proven on its own; later erasures are learnt at once.
    pub(super) fn outside(
        &self,
        context: &mut Context,
    ) -> Result<(Vec<(u64, Item)>, Check), Failure> {
        let mut check = Check::new("context-entries");
        let text = self.folder.read_text(names::CONTEXT);
        let text = text.map_err(|error| Failure::of_file(names::CONTEXT, error))?;
        let genesis = self.folder.read_text(names::GENESIS).unwrap_or_default();
        let tree = self.folder.manifest.tree;
        let first = (self.range().start > 0).then_some(genesis.as_str());
        let mut items = Vec::new();
        let mut after = None;
        for (line, text) in first.into_iter().chain(text.lines()).enumerate() {
            let line = line as u64;
            let place = |reason: String| Failure {
                row: Some(line),
                ..Failure::of_file(names::CONTEXT, reason)
            };
            let proven = ProvenEntry::parse(text).and_then(|proven| {
                proven.check(tree.size, &tree.root)?;
                Ok(proven)
            });
            let Some(proven) = check.record(proven, place) else {
                continue;
            };
            if after.is_some_and(|after| proven.index <= after)
                || self.range().contains(&proven.index)
            {
                check.fail(place(format!("entry {} is not in its place", proven.index)));
                continue;
            }
            after = Some(proven.index);
            if let Some(entry) = events::erasure(proven.entry.as_bytes())
                && let Body::Erasure(erasure) = &entry.payload().body
            {
                context.add_erasure(erasure);
            }
            let (index, bytes) = (proven.index, proven.entry.into_bytes());
            items.push((
                line,
                Item {
                    index,
                    bytes,
                    disclosures: proven.disclosures,
                    erased: false,
                },
            ));
        }
        Ok((items, check))
    }

    /// Policy blobs by the digest in their file name; the walk compares digest and bytes.
    pub(super) fn bundles(&self, check: &mut Check) -> BTreeMap<Sha256, Vec<u8>> {
        let mut bundles = BTreeMap::new();
        for file in &self.folder.manifest.files {
            let Some(digest) = derived::digest_in(&file.path) else {
                continue;
            };
            let read = self.folder.read(&file.path);
            if let Some(bytes) = check.record(read, |reason| Failure::of_file(&file.path, reason)) {
                bundles.insert(digest, bytes);
            }
        }
        bundles
    }
}
