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
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Largest signed note accepted, `cairn_tlog`'s own limit.
const MAX_NOTE_BYTES: u64 = 1_000_000;

/// A folder that mirrors a log.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
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
        let folder = self.root.join("checkpoints");
        let listing = std::fs::read_dir(&folder).map_err(|cause| SourceError::File {
            path: "checkpoints".to_owned(),
            cause,
        })?;
        let names = listing.filter_map(|item| item.ok()?.file_name().into_string().ok());
        let mut sizes: Vec<u64> = names
            .filter_map(|name| name.parse().ok())
            .filter(|size| *size > after)
            .collect();
        sizes.sort_unstable();
        sizes.truncate(usize::try_from(CHECKPOINT_PAGE).unwrap_or(usize::MAX));
        Ok(sizes)
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
