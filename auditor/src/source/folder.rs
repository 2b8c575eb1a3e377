//! A log in a folder: a mirror of its static files.
//!
//! Layout: `checkpoint`, `checkpoints/<size>`, `tile/…` as C2SP tlog-tiles names them,
//! `blobs/<sha256>`, `retention` and `kept/<bundle>` of a pruned log, `disclosures/<index>` (one encoded disclosure a line, `-` for an erased one).
//! Owns reading those; it writes nothing.

use super::reading::{Leave, Part};
use super::{
    CHECKPOINT_PAGE, Disclosed, LogSource, MAX_BLOB_BYTES, MAX_BUNDLE_BYTES, MAX_RETENTION_BYTES,
    SourceError, read_kept, read_retention,
};
use cairn_event::Sha256;
use cairn_identity::retention::Retention;
use cairn_tlog::{BundleId, TileId};
use std::collections::{BinaryHeap, VecDeque};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Largest signed note accepted, `cairn_tlog`'s own limit.
const MAX_NOTE_BYTES: u64 = 1_000_000;

/// Sizes taken from one look at the folder of checkpoints, which is in no order: 8 MB. A look takes its time for every
/// name there is, so a page of a thousand is not worth one.
const SIZES_A_LOOK: usize = 1_048_576;

/// A folder that mirrors a log.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// What the last look at the checkpoints found and no page has given yet.
    looked: Arc<Mutex<Looked>>,
}

/// Sizes after the page that was given last.
#[derive(Debug, Default)]
struct Looked {
    /// The last size of that page.
    given: u64,
    /// Ascending.
    sizes: VecDeque<u64>,
}

impl Looked {
    /// The next page after `after`; empty where the last look does not go on from there.
    fn page(&mut self, after: u64) -> Vec<u64> {
        if self.given != after {
            self.sizes.clear();
        }
        let page = usize::try_from(CHECKPOINT_PAGE).unwrap_or(usize::MAX);
        let page: Vec<u64> = self.sizes.drain(..page.min(self.sizes.len())).collect();
        self.given = page.last().copied().unwrap_or(after);
        page
    }
}

impl Folder {
    /// Opens a folder.
    ///
    /// Errors: [`SourceError::Missing`] when it holds no `checkpoint`.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        if !root.join("checkpoint").is_file() {
            return Err(SourceError::Missing(
                root.join("checkpoint").display().to_string(),
            ));
        }
        Ok(Self {
            root: root.to_owned(),
            looked: Arc::default(),
        })
    }

    fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        read_limited(&self.root.join(path), path, limit)
    }

    /// The full resource, or a partial one at least `width` wide, of which `name` is a prefix: a mirror
    /// taken later has only that.
    fn wider(
        &self,
        name: &str,
        full: &str,
        width: u16,
        limit: u64,
    ) -> Result<Vec<u8>, SourceError> {
        match self.read(full, limit) {
            Err(SourceError::Missing(_)) => {}
            other => return other,
        }
        let partials = std::fs::read_dir(self.root.join(format!("{full}.p")));
        let names = partials.into_iter().flatten().flatten();
        let widths = names.filter_map(|item| item.file_name().to_str()?.parse::<u16>().ok());
        let wider = widths.filter(|there| *there >= width).min();
        let wider = wider.ok_or_else(|| SourceError::Missing(name.to_owned()))?;
        self.read(&format!("{full}.p/{wider}"), limit)
    }

    /// The smallest sizes above `after` of the checkpoints that are there, ascending.
    fn look(&self, after: u64) -> Result<Vec<u64>, SourceError> {
        let folder = self.root.join("checkpoints");
        let listing = std::fs::read_dir(&folder).map_err(|cause| SourceError::File {
            path: "checkpoints".to_owned(),
            cause,
        })?;
        let names = listing.filter_map(|item| item.ok()?.file_name().into_string().ok());
        let sizes = names.filter_map(|name| name.parse().ok());
        let mut smallest = BinaryHeap::new();
        for size in sizes.filter(|size: &u64| *size > after) {
            smallest.push(size);
            if smallest.len() > SIZES_A_LOOK {
                smallest.pop();
            }
        }
        Ok(smallest.into_sorted_vec())
    }

    fn disclosures(&self, index: u64) -> Result<Vec<Disclosed>, SourceError> {
        let text = match self.read_text(&format!("disclosures/{index}")) {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            other => other?,
        };
        Ok(text
            .lines()
            .map(|line| match line {
                "-" => Disclosed::Erased,
                encoded => Disclosed::Present(encoded.to_owned()),
            })
            .collect())
    }

    fn read_text(&self, path: &str) -> Result<String, SourceError> {
        let bytes = self.read(path, MAX_NOTE_BYTES)?;
        String::from_utf8(bytes).map_err(|_| SourceError::Shape {
            path: path.to_owned(),
            detail: "not UTF-8".to_owned(),
        })
    }
}

/// Reads a file of at most `limit` bytes; `name` is what errors call it.
///
/// Errors: [`SourceError::Missing`], [`SourceError::TooLarge`], [`SourceError::File`].
pub fn read_limited(path: &Path, name: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
    let failed = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing(name.to_owned()),
        _ => SourceError::File {
            path: name.to_owned(),
            cause,
        },
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLarge {
            path: name.to_owned(),
            limit,
        });
    }
    Ok(bytes)
}

impl LogSource for Folder {
    fn checkpoint(&self) -> Result<String, SourceError> {
        self.read_text("checkpoint")
    }

    fn checkpoint_sizes(&self, after: u64) -> Result<Vec<u64>, SourceError> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let page = looked.page(after);
        if !page.is_empty() {
            return Ok(page);
        }
        looked.sizes = self.look(after)?.into();
        Ok(looked.page(after))
    }

    fn checkpoint_at(&self, size: u64) -> Result<String, SourceError> {
        self.read_text(&format!("checkpoints/{size}"))
    }

    fn tile(&self, id: TileId) -> Result<Vec<u8>, SourceError> {
        let limit = TileId::full(id.level, id.index).byte_len() as u64;
        match self.read(&id.to_string(), limit) {
            Err(SourceError::Missing(name)) if !id.is_full() => {
                let full = TileId::full(id.level, id.index).to_string();
                let mut bytes = self.wider(&name, &full, id.width, limit)?;
                bytes.truncate(id.byte_len());
                Ok(bytes)
            }
            other => other,
        }
    }

    fn bundle(&self, id: BundleId) -> Result<Vec<u8>, SourceError> {
        match self.read(&id.to_string(), MAX_BUNDLE_BYTES) {
            Err(SourceError::Missing(name)) if !id.is_full() => {
                let full = BundleId::full(id.index).to_string();
                let bytes = self.wider(&name, &full, id.width, MAX_BUNDLE_BYTES)?;
                let prefix = cairn_tlog::bundle::prefix(&bytes, id.width);
                prefix.map(<[u8]>::to_vec).ok_or(SourceError::Missing(name))
            }
            other => other,
        }
    }

    fn retention(&self) -> Result<Retention, SourceError> {
        read_retention(self.read("retention", MAX_RETENTION_BYTES))
    }

    fn kept(&self, bundle: u64) -> Result<Vec<u8>, SourceError> {
        read_kept(self.read(&format!("kept/{bundle}"), MAX_BUNDLE_BYTES))
    }

    fn blob(&self, digest: &Sha256) -> Result<Vec<u8>, SourceError> {
        self.read(&format!("blobs/{digest}"), MAX_BLOB_BYTES)
    }

    /// Whoever has the folder has read it already: there is nobody to tell.
    fn announce(&self, range: &Range<u64>, _purpose: &str) -> Result<Option<Leave>, SourceError> {
        Ok(Some(Leave {
            entry: None,
            range: range.clone(),
        }))
    }

    fn disclosures_of(&self, _leave: &Leave, part: Range<u64>) -> Result<Part, SourceError> {
        let mut read = Part {
            next: part.end,
            ..Part::default()
        };
        for index in part {
            let disclosed = self.disclosures(index)?;
            if !disclosed.is_empty() {
                read.disclosed.insert(index, disclosed);
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_go_on_where_the_last_one_ended_and_look_again_where_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("checkpoint"), "").unwrap();
        std::fs::create_dir(dir.path().join("checkpoints")).unwrap();
        let publish = |size: u64| {
            std::fs::write(dir.path().join(format!("checkpoints/{size}")), "").unwrap();
        };
        (1..=2_500).for_each(|number| publish(number * 3));
        std::fs::write(dir.path().join("checkpoints/sizes"), "").unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let all = |after: u64| {
            let (mut sizes, mut from) = (Vec::new(), after);
            loop {
                let page = folder.checkpoint_sizes(from).unwrap();
                assert!(page.len() <= 1_000);
                let Some(last) = page.last() else {
                    return sizes;
                };
                from = *last;
                sizes.extend(page);
            }
        };
        let published: Vec<u64> = (1..=2_500).map(|number| number * 3).collect();
        assert_eq!(all(0), published);
        // What was published meanwhile is seen by whoever begins again.
        publish(4);
        publish(9_000);
        assert_eq!(folder.checkpoint_sizes(2).unwrap()[..3], [3, 4, 6]);
        assert_eq!(all(7_490), [7_491, 7_494, 7_497, 7_500, 9_000]);
        assert_eq!(all(0).len(), 2_502);
    }
}
