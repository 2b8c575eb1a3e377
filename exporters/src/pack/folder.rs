//! The folder of a pack while it is written: every file once, with its digest, and complete or absent.
//!
//! Owns names, digests and the final rename. Source: `docs/formats/pack.md`, "layout".

use cairn_audit::pack::folder::digest;
use cairn_audit::pack::manifest::FileDigest;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Why a pack could not be written to disk.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something is there already; nothing is overwritten.
    #[error("`{}` exists already", .0.display())]
    Exists(PathBuf),
    /// The disk refused.
    #[error("`{path}` could not be written: {cause}")]
    Disk {
        /// The file.
        path: String,
        /// The operating system's reason.
        cause: std::io::Error,
    },
}

/// A pack under construction, in `<out>.partial` until it is whole.
#[derive(Debug)]
pub struct PackFolder {
    target: PathBuf,
    partial: PathBuf,
    files: Vec<FileDigest>,
}

impl PackFolder {
    /// Begins a pack that will be `target`.
    ///
    /// Errors: [`FolderError`].
    pub fn create(target: &Path) -> Result<Self, FolderError> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = target.with_file_name(name);
        if let Some(there) = [target, &partial].into_iter().find(|path| path.exists()) {
            return Err(FolderError::Exists(there.to_owned()));
        }
        for folder in ["data", "proofs", "entries", "policy", "controls"] {
            let path = partial.join(folder);
            fs::create_dir_all(&path).map_err(|cause| failed(folder, cause))?;
        }
        Ok(Self {
            target: target.to_owned(),
            partial,
            files: Vec::new(),
        })
    }

    /// The place of a file on disk, for a writer that creates it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.partial.join(name)
    }

    /// Writes a whole file durably and lists it.
    ///
    /// Errors: [`FolderError`].
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        self.write_unlisted(name, bytes)?;
        self.list(name)
    }

    /// Lists a file that another writer created.
    ///
    /// Errors: [`FolderError`].
    pub fn list(&mut self, name: &str) -> Result<(), FolderError> {
        let (bytes, sha256) = digest(&self.path(name)).map_err(|cause| failed(name, cause))?;
        self.files.push(FileDigest {
            path: name.to_owned(),
            bytes,
            sha256,
        });
        Ok(())
    }

    /// Every file so far, by path.
    pub fn files(&self) -> Vec<FileDigest> {
        let mut files = self.files.clone();
        files.sort_unstable();
        files
    }

    /// Writes the manifest and gives the folder its name.
    ///
    /// Errors: [`FolderError`]; the partial folder stays for inspection.
    pub fn finish(self, manifest: &[u8]) -> Result<(), FolderError> {
        let name = cairn_audit::pack::names::MANIFEST;
        self.write_unlisted(name, manifest)?;
        fs::rename(&self.partial, &self.target).map_err(|cause| failed(name, cause))?;
        let parent = self
            .target
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        File::open(parent)
            .and_then(|folder| folder.sync_all())
            .map_err(|cause| failed(name, cause))
    }

    fn write_unlisted(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let written = File::create_new(self.path(name)).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|cause| failed(name, cause))
    }
}

fn failed(path: &str, cause: std::io::Error) -> FolderError {
    FolderError::Disk {
        path: path.to_owned(),
        cause,
    }
}
