//! What the rows of a pack rest on: checkpoint, proofs, entries from outside the range, bundles.
//!
//! Owns writing them and beginning a walk that knows them. Source: `docs/formats/pack.md`, "Proofs" and
//! "Context entries".

use super::{Export, ExportError, json_bytes};
use cairn_audit::evidence::Context;
use cairn_audit::log::bundles::DisclosedByIndex;
use cairn_audit::pack::names;
use cairn_audit::pack::proofs::{ProvenEntry, RangeFile};
use cairn_audit::source::reading;
use cairn_audit::walk::{Item, Walk};
use cairn_event::body::Body;
use cairn_tlog::{Hash, leaf_hash};
use std::collections::BTreeMap;

impl Export<'_> {
    /// Writes checkpoint, range proof and the entries from outside the range, and gives the latter
    /// back.
    pub(super) fn write_proofs(&mut self) -> Result<Vec<Item>, ExportError> {
        self.folder
            .write(names::CHECKPOINT, self.tree.note.as_bytes())?;
        let proof = self.proofs.range(self.range.start, self.range.end)?;
        let file = RangeFile::new(self.range.start, self.range.end, self.tree.size, &proof);
        self.folder.write(names::RANGE, &json_bytes(&file)?)?;
        let mut disclosed = self.outside_disclosures()?;
        let genesis = item(0, &self.scan.genesis, &mut disclosed);
        let proven = self.proven(&genesis)?;
        self.folder.write(names::GENESIS, &json_bytes(&proven)?)?;
        let mut items = Vec::new();
        let mut lines = Vec::new();
        for (index, bytes) in self.scan.context.iter().filter(|(index, _)| **index > 0) {
            let item = item(*index, bytes, &mut disclosed);
            lines.extend(json_bytes(&self.proven(&item)?)?);
            lines.push(b'\n');
            items.push(item);
        }
        self.folder.write(names::CONTEXT, &lines)?;
        if self.range.start > 0 {
            items.insert(0, genesis);
        }
        Ok(items)
    }

    fn proven(&self, item: &Item) -> Result<ProvenEntry, ExportError> {
        let proof = self.proofs.inclusion(&leaf_hash(&item.bytes), item.index)?;
        Ok(ProvenEntry {
            disclosures: item.disclosures.clone(),
            entry: String::from_utf8_lossy(&item.bytes).into_owned(),
            index: item.index,
            proof: proof.iter().map(Hash::to_string).collect(),
        })
    }

    /// Confidential members of the context entries, as far as the source gives them.
    fn outside_disclosures(&self) -> Result<DisclosedByIndex, ExportError> {
        let Some(leave) = &self.leave else {
            return Ok(DisclosedByIndex::new());
        };
        // Entries behind the range are erasures and have none.
        let before = self.scan.context.range(..self.range.start);
        let indices: Vec<u64> = before.map(|(index, _)| *index).collect();
        Ok(reading::single(self.log.source, leave, &indices)?)
    }

    /// A walk that has seen the context, and the context entries from behind the range.
    pub(super) fn begin_walk(
        &mut self,
        items: Vec<Item>,
    ) -> Result<(Walk, Vec<Item>), ExportError> {
        let inside = self.range.start..=self.range.end;
        let records = self
            .log
            .published
            .iter()
            .filter(|record| inside.contains(&record.size));
        let mut context = Context::new(records.cloned().collect());
        for entry in &self.scan.erasures {
            if let Body::Erasure(erasure) = &entry.payload().body {
                context.add_erasure(erasure);
            }
        }
        let mut blobs = BTreeMap::new();
        for digest in &self.scan.bundles {
            let bytes = self.log.source.blob(digest)?;
            self.folder.write(&names::bundle(digest), &bytes)?;
            blobs.insert(*digest, bytes);
        }
        let mut walk = Walk::new(&self.log.origin, self.range.clone(), context, blobs);
        let (before, after): (Vec<Item>, Vec<Item>) = items
            .into_iter()
            .partition(|item| item.index < self.range.start);
        for (line, item) in before.iter().enumerate() {
            walk.context_item(names::CONTEXT, line as u64, item);
        }
        Ok((walk, after))
    }
}

/// An entry with what was disclosed of it.
pub(super) fn item(index: u64, bytes: &[u8], disclosed: &mut DisclosedByIndex) -> Item {
    let disclosed = disclosed.remove(&index).unwrap_or_default();
    Item::new(index, bytes.to_vec(), disclosed)
}
