//! The pack's folder: every file is in the manifest with its digest, and nothing else is there.

use super::manifest::{FileDigest, MAX_MANIFEST_BYTES, Manifest, ManifestError};
use super::names;
use crate::report::{Check, Failure};
use crate::source::SourceError;
use crate::source::folder::read_limited;
use cairn_event::Sha256;
use sha2::Digest;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes hashed at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Largest small file (JSON, notes, bundles) read whole into memory.
const MAX_TEXT_BYTES: u64 = 1 << 30;

/// Why a pack cannot be opened at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The manifest could not be read.
    #[error("manifest: {0}")]
    Read(#[from] SourceError),
    /// The manifest was refused.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
}

/// An opened pack. Its files are believed only after [`Folder::check`].
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// What the pack says it is.
    pub manifest: Manifest,
    /// SHA-256 of the manifest: the pack root.
    pub pack_root: Sha256,
}

impl Folder {
    /// Opens a pack.
    ///
    /// Errors: [`OpenError`]; there is nothing to verify.
    pub fn open(root: &Path) -> Result<Self, OpenError> {
        let bytes = read_limited(
            &root.join(names::MANIFEST),
            names::MANIFEST,
            MAX_MANIFEST_BYTES,
        )?;
        let pack_root = Sha256::of(&bytes);
        Ok(Self {
            root: root.to_owned(),
            manifest: Manifest::parse(&bytes)?,
            pack_root,
        })
    }

    /// The place of a file on disk.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A small file whole.
    ///
    /// Errors: [`SourceError`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        read_limited(&self.path(name), name, MAX_TEXT_BYTES)
    }

    /// A small text file.
    ///
    /// Errors: [`SourceError`].
    pub fn read_text(&self, name: &str) -> Result<String, SourceError> {
        String::from_utf8(self.read(name)?).map_err(|_| SourceError::Shape {
            path: name.to_owned(),
            detail: "not UTF-8".to_owned(),
        })
    }

    /// Whether the manifest lists a file.
    pub fn has(&self, name: &str) -> bool {
        self.manifest.files.iter().any(|file| file.path == name)
    }

    /// Compares every file with the manifest and the folder's listing with the manifest's.
    pub fn check(&self) -> Check {
        let mut check = Check::new("files");
        for file in &self.manifest.files {
            check.record(self.check_file(file), |reason| {
                Failure::of_file(&file.path, reason)
            });
        }
        let listed: BTreeSet<&str> = self
            .manifest
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        let mut found = Vec::new();
        list(&self.root, "", &mut found);
        for name in found {
            if name != names::MANIFEST && !listed.contains(name.as_str()) {
                check.fail(Failure::of_file(&name, "the file is not in the manifest"));
            }
        }
        check
    }

    fn check_file(&self, file: &FileDigest) -> Result<(), String> {
        let (bytes, sha256) = digest(&self.path(&file.path)).map_err(|error| error.to_string())?;
        if bytes != file.bytes {
            return Err(format!(
                "the file has {bytes} bytes, the manifest says {}",
                file.bytes
            ));
        }
        if sha256 != file.sha256 {
            return Err(format!(
                "the file has SHA-256 {sha256}, the manifest says {}",
                file.sha256
            ));
        }
        Ok(())
    }
}

/// Length and SHA-256 of a file, read in pieces.
///
/// Errors: the operating system's.
pub fn digest(path: &Path) -> std::io::Result<(u64, Sha256)> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut length = 0_u64;
    loop {
        let read = file.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((length, Sha256(hasher.finalize().into())));
        };
        hasher.update(bytes);
        length = length.saturating_add(read as u64);
    }
}

fn list(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for item in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = item.file_name().to_string_lossy().into_owned();
        let is_folder = item.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            list(&item.path(), &format!("{prefix}{name}/"), found);
        } else {
            found.push(format!("{prefix}{name}"));
        }
    }
    found.sort_unstable();
}
