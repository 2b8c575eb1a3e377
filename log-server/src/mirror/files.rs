//! Files of an export: each appears whole or not at all, folders are made once.

use super::MirrorError;
use cairn_durable::file::ReadFileError;
use cairn_durable::{create_dir_durable, read_limited, write_atomic};
use cairn_tlog::{BundleId, TileId};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// Largest file read back: a checkpoint, which is far below.
const MAX_READ_BYTES: u64 = 1_048_576;

/// Everybody may read what is published.
const FILE_MODE: u32 = 0o644;

/// See [`FILE_MODE`].
const FOLDER_MODE: u32 = 0o755;

/// Ending of the folders of partial tiles and bundles.
const PARTIAL: &str = ".p";

/// The folder of an export and what this run did in it.
pub(super) struct Files {
    root: PathBuf,
    folders: HashSet<PathBuf>,
    pub(super) written: u64,
    pub(super) kept: u64,
    pub(super) removed: u64,
}

impl Files {
    pub(super) fn open(root: &Path) -> Result<Self, MirrorError> {
        create_dir_durable(root, FOLDER_MODE)?;
        Ok(Self {
            root: root.to_owned(),
            folders: HashSet::new(),
            written: 0,
            kept: 0,
            removed: 0,
        })
    }

    /// A file of an earlier export.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, MirrorError> {
        match read_limited(&self.root.join(name), MAX_READ_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ReadFileError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file whose content never changes, unless it is there.
    pub(super) fn once(
        &mut self,
        name: &str,
        bytes: impl FnOnce() -> Result<Vec<u8>, MirrorError>,
    ) -> Result<(), MirrorError> {
        if self.root.join(name).is_file() {
            self.kept += 1;
            return Ok(());
        }
        self.replace(name, &bytes()?)
    }

    /// Writes a file whatever is there.
    pub(super) fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<(), MirrorError> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent()
            && !self.folders.contains(folder)
        {
            create_dir_durable(folder, FOLDER_MODE)?;
            self.folders.insert(folder.to_owned());
        }
        write_atomic(&path, bytes, FILE_MODE)?;
        self.written += 1;
        Ok(())
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), MirrorError> {
        match std::fs::remove_file(self.root.join(name)) {
            Ok(()) => self.removed += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(MirrorError::Tidy(error)),
        }
        Ok(())
    }

    /// Removes partial tiles and bundles that neither of two sizes has, and partial bundles below the
    /// minimum index.
    pub(super) fn remove_partials(
        &mut self,
        sizes: [u64; 2],
        minimum: u64,
    ) -> Result<(), MirrorError> {
        let tree = self.root.join("tile");
        if !tree.is_dir() {
            return Ok(());
        }
        let mut folders = vec![tree];
        while let Some(folder) = folders.pop() {
            for item in std::fs::read_dir(&folder).map_err(MirrorError::Tidy)? {
                let path = item.map_err(MirrorError::Tidy)?.path();
                if !path.is_dir() {
                    continue;
                }
                if path.to_string_lossy().ends_with(PARTIAL) {
                    let removed = self.tidy(&path, sizes, minimum);
                    self.removed += removed.map_err(MirrorError::Tidy)?;
                } else {
                    folders.push(path);
                }
            }
        }
        Ok(())
    }

    fn tidy(&self, folder: &Path, sizes: [u64; 2], minimum: u64) -> io::Result<u64> {
        let (mut removed, mut left) = (0, 0);
        for item in std::fs::read_dir(folder)? {
            let path = item?.path();
            let name = path.strip_prefix(&self.root).unwrap_or(&path);
            let name = name.to_string_lossy();
            if sizes.iter().any(|size| is_needed(&name, *size, minimum)) {
                left += 1;
            } else {
                std::fs::remove_file(&path)?;
                removed += 1;
            }
        }
        if left == 0 {
            std::fs::remove_dir(folder)?;
        }
        Ok(removed)
    }
}

/// Whether a tree of `size` leaves, pruned below `minimum`, has exactly this partial resource.
fn is_needed(name: &str, size: u64, minimum: u64) -> bool {
    if let Ok(id) = name.parse::<BundleId>() {
        return id.first_entry() >= minimum && BundleId::at_size(id.index, size) == Some(id);
    }
    name.parse::<TileId>()
        .is_ok_and(|id| TileId::at_size(id.level, id.index, size) == Some(id))
}
