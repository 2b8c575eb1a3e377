//! Copying files durably while their SHA-256 is computed.

use super::manifest::ManifestFile;
use cairn_event::Sha256;
use sha2::Digest as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes read at once: few calls, little memory.
const CHUNK_BYTES: usize = 1_048_576;

/// Why a file was not copied. Retry after the cause is mended.
#[derive(Debug, thiserror::Error)]
#[error("{doing} `{}` failed", path.display())]
pub struct CopyError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was being done.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Copies files into one folder and remembers their lengths and digests.
pub(super) struct FolderCopy {
    to: PathBuf,
    done: Vec<ManifestFile>,
}

impl FolderCopy {
    pub(super) fn new(to: &Path) -> Self {
        Self {
            to: to.to_owned(),
            done: Vec::new(),
        }
    }

    /// Copies `from/path` to the same place in the destination, whose folders are there.
    pub(super) fn file(&mut self, from: &Path, path: &Path) -> Result<(), CopyError> {
        let source_path = from.join(path);
        let failed = |doing| {
            let path = source_path.clone();
            move |source| CopyError {
                path,
                doing,
                source,
            }
        };
        let mut reading = File::open(&source_path).map_err(failed("opening"))?;
        let target = self.to.join(path);
        let options = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&target);
        let mut writing = options.map_err(failed("creating the copy of"))?;
        let mut digest = sha2::Sha256::new();
        let (mut chunk, mut bytes) = (vec![0; CHUNK_BYTES], 0);
        loop {
            let count = reading.read(&mut chunk).map_err(failed("reading"))?;
            let part = chunk.get(..count).unwrap_or_default();
            if part.is_empty() {
                break;
            }
            digest.update(part);
            writing.write_all(part).map_err(failed("copying"))?;
            bytes += part.len() as u64;
        }
        writing.sync_all().map_err(failed("syncing the copy of"))?;
        self.done.push(ManifestFile {
            path: path.to_owned(),
            bytes,
            sha256: Sha256(digest.finalize().into()),
        });
        Ok(())
    }

    /// What was copied, in the order of the calls.
    pub(super) fn done(self) -> Vec<ManifestFile> {
        self.done
    }

    /// The file copied last.
    pub(super) fn last(&self) -> Option<&ManifestFile> {
        self.done.last()
    }
}

/// Names of the files in a folder, sorted; folders in it are left out.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, CopyError> {
    let failed = |source| CopyError {
        path: folder.to_owned(),
        doing: "listing",
        source,
    };
    let mut names = Vec::new();
    for item in std::fs::read_dir(folder).map_err(failed)? {
        let item = item.map_err(failed)?;
        let is_file = item.file_type().map_err(failed)?.is_file();
        if let Some(name) = item.file_name().to_str().filter(|_| is_file) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
