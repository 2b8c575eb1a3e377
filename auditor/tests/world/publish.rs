//! Publishing the world's log: signed and cosigned checkpoints, and the files of a mirror.

use super::{ORIGIN, World};
use cairn_event::Disclosure;
use cairn_tlog::cosignature::cosign;
use cairn_tlog::{Checkpoint, MemoryNodes, NodeReader, bundle, leaf_hash, tile};
use std::fs;
use std::path::Path;

impl World {
    pub fn tree(&self) -> MemoryNodes {
        self.items
            .iter()
            .map(|item| leaf_hash(&item.bytes))
            .collect()
    }

    /// Signs and cosigns the tree as it is.
    pub fn publish(&mut self) -> u64 {
        let seconds = self.tick() / 1_000;
        let size = self.size();
        let root = self.tree().root(size).unwrap();
        let checkpoint = Checkpoint {
            origin: ORIGIN.into(),
            size,
            root,
        };
        let mut note = checkpoint.sign(&self.log_key).unwrap();
        for (position, witness) in self.witnesses.iter().take(2).enumerate() {
            let cosignature = cosign(&note.text, witness, seconds + position as u64).unwrap();
            note.signatures.push(cosignature);
        }
        self.now_ms += 2_000;
        self.checkpoints.insert(size, note.to_string());
        size
    }

    /// Writes a mirror of the log as the newest checkpoint shows it.
    pub fn write(&self, dir: &Path) {
        let put = |name: &str, bytes: &[u8]| {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let (size, note) = self.checkpoints.last_key_value().unwrap();
        put("checkpoint", note.as_bytes());
        for (size, note) in &self.checkpoints {
            put(&format!("checkpoints/{size}"), note.as_bytes());
        }
        let tree = self.tree();
        for id in tile::tiles_for_size(*size) {
            let first = id.index * 256;
            let nodes = (first..first + u64::from(id.width))
                .flat_map(|index| tree.node(id.level * 8, index).unwrap().0);
            put(&id.to_string(), &nodes.collect::<Vec<u8>>());
        }
        for id in tile::bundles_for_size(*size) {
            let first = id.first_entry() as usize;
            let entries = self.items[first..first + usize::from(id.width)].iter();
            let bytes = bundle::encode(entries.map(|item| item.bytes.as_slice())).unwrap();
            put(&id.to_string(), &bytes);
        }
        for (digest, bytes) in &self.blobs {
            put(&format!("blobs/{digest}"), bytes);
        }
        for (index, item) in self.items.iter().enumerate() {
            let mut lines: Vec<&str> = item.disclosures.iter().map(Disclosure::encoded).collect();
            lines.extend(item.erased.then_some("-"));
            if !lines.is_empty() {
                put(
                    &format!("disclosures/{index}"),
                    (lines.join("\n") + "\n").as_bytes(),
                );
            }
        }
    }
}
