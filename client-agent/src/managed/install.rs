//! Writing an installation, and taking it away.
//!
//! Owns the order of writes and removals. Each file is replaced whole, so that a reader sees the old
//! one or the new one; the manifest is written before the settings file, so that whatever is in force
//! can be taken away again. Files of others are never touched.

use super::manifest::{Entry, Kept, Manifest, ManifestError};
use super::place::{COMMAND, MANIFEST, Place, SERVERS, SETTINGS};
use super::plan::{Content, Item, Options, PlanError, plan};
use cairn_durable::file::{CreateDirError, WriteFileError};
use cairn_durable::{create_dir_durable, remove_durable, write_atomic};
use cairn_event::Sha256;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Permission bits of folders that are made.
const FOLDER_MODE: u32 = 0o755;

/// Permission bits of the manifest.
const MANIFEST_MODE: u32 = 0o644;

/// What happened at one path, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was not there.
    Created,
    /// It was there and different.
    Replaced,
    /// It was there already as it should be.
    Unchanged,
    /// It was taken away.
    Removed,
    /// It was left, because somebody else changed it or has it.
    Left,
}

/// Why an installation was not written or taken away; what was done before stays and can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Only root may.
    #[error("only root, or whoever manages this machine, can do this; try `sudo`")]
    NotRoot,
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// There is no installation, or it cannot be believed.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file of somebody else is in the place of one of ours.
    #[error("`{}` is somebody else's; take it away first", .0.display())]
    Foreign(PathBuf),
    /// A folder that others than root may write is no place for it.
    #[error("`{}` can be written by others than its owner, or is not root's", .0.display())]
    Open(PathBuf),
    /// A folder.
    #[error(transparent)]
    Folder(#[from] CreateDirError),
    /// A file.
    #[error(transparent)]
    Write(#[from] WriteFileError),
    /// A link.
    #[error("`{}`: {source}", path.display())]
    Link {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The manifest has no text form.
    #[error("manifest: {0}")]
    Form(#[from] serde_json::Error),
}

/// What an installation did, or would do.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Each path with what happened there and, for texts, what is in it.
    pub paths: Vec<(String, Done, Option<String>)>,
    /// MCP servers that are not in the world-readable file: their definitions hold values, or they are for
    /// some only.
    pub left_out: Vec<String>,
}

/// Writes the installation at `place`, or says what it would write.
///
/// Errors: [`InstallError`].
pub fn install(place: &Place, options: &Options, dry_run: bool) -> Result<Report, InstallError> {
    let (items, left_out) = plan(options)?;
    let before = match Manifest::load(place) {
        Ok(manifest) => Some(manifest),
        Err(ManifestError::None) => None,
        Err(error) => return Err(error.into()),
    };
    let known = |path: &str| {
        let mut entries = before.iter().flat_map(|manifest| &manifest.entries);
        entries.any(|entry| entry.path == path)
    };
    let mut report = Report {
        left_out,
        ..Report::default()
    };
    let foreign = |item: &Item| {
        let path = place.inside(item.path);
        path.symlink_metadata().is_ok()
            && !known(item.path)
            && state_of(place, item) != Done::Unchanged
    };
    // A command of another package keeps its name; anything else in our way is an error.
    let (items, skipped): (Vec<Item>, Vec<Item>) = items
        .into_iter()
        .partition(|item| item.path != COMMAND || !foreign(item));
    if let Some(item) = items.iter().find(|item| foreign(item)) {
        return Err(InstallError::Foreign(place.inside(item.path)));
    }
    let stale: Vec<Entry> = before
        .iter()
        .flat_map(|manifest| &manifest.entries)
        .filter(|entry| items.iter().all(|item| item.path != entry.path))
        .cloned()
        .collect();
    let manifest = manifest(place, options, &items, before.as_ref());
    if !dry_run {
        allowed(place)?;
        for item in &items {
            folder_is_closed(place, item.path)?;
        }
    }
    for item in &items {
        if item.path == SETTINGS && !dry_run {
            write_manifest(place, &manifest)?;
        }
        let done = state_of(place, item);
        if !dry_run && done != Done::Unchanged {
            write(place, item)?;
        }
        report.paths.push((item.path.to_owned(), done, shown(item)));
    }
    for entry in &stale {
        let done = if dry_run {
            Done::Removed
        } else {
            remove(place, entry)?
        };
        report.paths.push((entry.path.clone(), done, None));
    }
    let left = skipped
        .iter()
        .map(|item| (item.path.to_owned(), Done::Left, None));
    report.paths.extend(left);
    Ok(report)
}

/// Takes the installation at `place` away, or says what it would take away.
///
/// Errors: [`InstallError`].
pub fn uninstall(place: &Place, dry_run: bool) -> Result<Report, InstallError> {
    let manifest = Manifest::load(place)?;
    let mut report = Report::default();
    if !dry_run {
        allowed(place)?;
    }
    // The settings first: an agent that starts now must not look for what is gone.
    for entry in manifest.entries.iter().rev() {
        let done = if dry_run {
            foreseen(place, entry)
        } else {
            remove(place, entry)?
        };
        report.paths.push((entry.path.clone(), done, None));
    }
    if !dry_run {
        remove_durable(&place.inside(MANIFEST))?;
        for folder in manifest.folders.iter().rev() {
            // One that others use by now is not empty and stays.
            let _stays = std::fs::remove_dir(place.inside(folder));
        }
    }
    report
        .paths
        .push((MANIFEST.to_owned(), Done::Removed, None));
    Ok(report)
}

fn allowed(place: &Place) -> Result<(), InstallError> {
    if place.owner() == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(InstallError::NotRoot)
    }
}

/// What writing an item would amount to.
fn state_of(place: &Place, item: &Item) -> Done {
    let path = place.inside(item.path);
    if path.symlink_metadata().is_err() {
        Done::Created
    } else if super::drift::problem(place, &path, &kept(item)).is_none() {
        Done::Unchanged
    } else {
        Done::Replaced
    }
}

fn kept(item: &Item) -> Kept {
    match &item.content {
        Content::File(bytes, mode) => Kept::File {
            sha256: Sha256::of(bytes),
            mode: *mode,
        },
        Content::Link(to) => Kept::Link { to: to.clone() },
    }
}

fn shown(item: &Item) -> Option<String> {
    match &item.content {
        Content::File(bytes, _) if item.is_text => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        Content::File(..) => None,
        Content::Link(to) => Some(format!("-> {to}\n")),
    }
}

fn manifest(
    place: &Place,
    options: &Options,
    items: &[Item],
    before: Option<&Manifest>,
) -> Manifest {
    let mut folders: BTreeSet<String> = before
        .map(|manifest| manifest.folders.iter().cloned().collect())
        .unwrap_or_default();
    let paths = items.iter().map(|item| item.path).chain([MANIFEST]);
    for path in paths {
        let missing = Path::new(path)
            .ancestors()
            .skip(1)
            .filter(|folder| !place.inside(&folder.to_string_lossy()).exists());
        folders.extend(missing.map(|folder| folder.to_string_lossy().into_owned()));
    }
    Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: options.pattern().to_owned(),
        server: options.server.clone(),
        entries: items
            .iter()
            .map(|item| Entry {
                path: item.path.to_owned(),
                kept: kept(item),
            })
            .collect(),
        // A set of paths in order has parents before what is in them.
        folders: folders.into_iter().collect(),
    }
}

fn write_manifest(place: &Place, manifest: &Manifest) -> Result<(), InstallError> {
    let path = place.inside(MANIFEST);
    parent(&path)?;
    folder_is_closed(place, MANIFEST)?;
    let bytes = serde_json::to_vec_pretty(manifest)?;
    Ok(write_atomic(&path, &bytes, MANIFEST_MODE)?)
}

fn parent(path: &Path) -> Result<(), InstallError> {
    match path.parent() {
        Some(folder) => Ok(create_dir_durable(folder, FOLDER_MODE)?),
        None => Ok(()),
    }
}

fn write(place: &Place, item: &Item) -> Result<(), InstallError> {
    let path = place.inside(item.path);
    parent(&path)?;
    folder_is_closed(place, item.path)?;
    match &item.content {
        Content::File(bytes, mode) => Ok(write_atomic(&path, bytes, *mode)?),
        Content::Link(to) => {
            let failed = |source| InstallError::Link {
                path: path.clone(),
                source,
            };
            // Made beside and renamed over, so that the name always means something.
            let fresh = path.with_extension(format!("{}.tmp", std::process::id()));
            std::os::unix::fs::symlink(to, &fresh).map_err(failed)?;
            std::fs::rename(&fresh, &path).map_err(failed)
        }
    }
}

/// Every folder on the way that exists must be root's and closed to others, or files in it are nobody's.
fn folder_is_closed(place: &Place, path: &str) -> Result<(), InstallError> {
    for folder in Path::new(path).ancestors().skip(1) {
        let folder = place.inside(&folder.to_string_lossy());
        if let Ok(meta) = std::fs::metadata(&folder)
            && (meta.uid() != place.owner() || meta.mode() & 0o002 != 0)
        {
            return Err(InstallError::Open(folder));
        }
    }
    Ok(())
}

/// What taking an entry away would amount to.
fn foreseen(place: &Place, entry: &Entry) -> Done {
    let path = place.inside(&entry.path);
    let changed = super::drift::problem(place, &path, &entry.kept).is_some();
    // Names that are not ours alone are left to whoever has them now.
    if changed && [COMMAND, SERVERS].contains(&entry.path.as_str()) {
        Done::Left
    } else {
        Done::Removed
    }
}

fn remove(place: &Place, entry: &Entry) -> Result<Done, InstallError> {
    let done = foreseen(place, entry);
    let path = place.inside(&entry.path);
    if done == Done::Removed && path.symlink_metadata().is_ok() {
        remove_durable(&path)?;
    }
    Ok(done)
}
