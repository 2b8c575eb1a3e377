//! Whole small files and directories, replaced and created so that a crash shows the old state or
//! the new one and never a mixture.
//!
//! Owns the call order below. Does not own appending (see [`crate::segment`]) or locking.
//!
//! # The exact order of [`write_atomic`]
//!
//! ```text
//! d = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC)
//! f = openat(d, ".NAME.PID.N.tmp", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, mode)
//! fchmod(f, mode)                      the umask does not narrow or widen what was asked for
//! write(f, …) until all bytes are taken
//! fsync(f)                             bytes and mode are durable under the temporary name
//! renameat(d, temporary, d, NAME)      atomic for every reader
//! fsync(d)                             the new name is durable; only now the call returns Ok
//! ```
//!
//! A crash before `renameat` leaves the old file and perhaps a temporary one; a crash after it
//! leaves the old or the new file, each whole. The directory descriptor stays open throughout, so
//! a directory renamed in between cannot redirect the write.
//!
//! # What remains unsafe
//!
//! A device that acknowledges a flush it did not do is not survivable here. After a failed fsync
//! Linux may mark the dirty pages clean: reading the file back through the page cache can show
//! bytes that the device does not hold. So every failed fsync is [`Family::Fatal`] or
//! removes the temporary file, and nobody re-reads to find out. Temporary files of crashed
//! processes stay behind until [`sweep_temporaries`] is called.
//!
//! Source: fsync(2), rename(2), openat(2).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::error::{Family, Step, is_no_space};

/// How many temporary names are tried before giving up.
///
/// A name collides only with the leftover of a crashed process that had our process id, so a few
/// attempts suffice; the bound keeps a hostile directory from holding us in a loop.
const TEMPORARY_NAMES_MAX: u32 = 64;

/// The longest run of missing parents [`create_dir_durable`] creates.
///
/// PATH_MAX is 4096 bytes, so no real path has more components than this; it bounds the loop.
const MISSING_PARENTS_MAX: usize = 2048;

/// Makes temporary names distinct within this process; distinctness is all it is used for.
static TEMPORARY_COUNTER: AtomicU64 = AtomicU64::new(0);

/// Reports why a file was not replaced or removed.
#[derive(Debug, thiserror::Error)]
pub enum WriteFileError {
    /// The path has no file name (it ends in `..` or is `/`).
    #[error("`{path}` does not name a file", path = path.display())]
    NoFileName {
        /// The path as given.
        path: PathBuf,
    },
    /// The device or quota is full; the old file, if any, is untouched.
    #[error("no space left while writing `{path}`", path = path.display())]
    NoSpace {
        /// The file that was to be written.
        path: PathBuf,
    },
    /// Failed before the new name was given; the old file, if any, is untouched.
    #[error("{step} failed for `{path}`, which is unchanged", path = path.display())]
    Unchanged {
        /// The file that was to be written.
        path: PathBuf,
        /// The step that failed.
        step: Step,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
    /// Failed at or after the rename or removal: a crash may show either state.
    #[error("{step} failed for `{path}`, whose state after a crash is unknown", path = path.display())]
    Unknown {
        /// The file that was to be written.
        path: PathBuf,
        /// The step that failed.
        step: Step,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
}

impl WriteFileError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::NoFileName { .. } => Family::Refused,
            Self::NoSpace { .. } | Self::Unchanged { .. } => Family::Retry,
            Self::Unknown { .. } => Family::Fatal,
        }
    }
}

/// Reports why a directory could not be made durable.
#[derive(Debug, thiserror::Error)]
pub enum CreateDirError {
    /// Something that is not a directory has this name.
    #[error("`{path}` exists and is not a directory", path = path.display())]
    NotADirectory {
        /// The path in the way.
        path: PathBuf,
    },
    /// The device or quota is full.
    #[error("no space left while creating `{path}`", path = path.display())]
    NoSpace {
        /// The directory that was to be created.
        path: PathBuf,
    },
    /// A system call failed; calling again is safe, because the operation is idempotent.
    #[error("{step} failed for `{path}`", path = path.display())]
    Io {
        /// The directory at which it failed.
        path: PathBuf,
        /// The step that failed.
        step: Step,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
}

impl CreateDirError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::NotADirectory { .. } => Family::Refused,
            Self::NoSpace { .. } | Self::Io { .. } => Family::Retry,
        }
    }
}

/// Reports why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFileError {
    /// No file has this name.
    #[error("`{path}` does not exist", path = path.display())]
    NotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The name belongs to a directory, pipe, socket or device.
    #[error("`{path}` is not a regular file", path = path.display())]
    NotAFile {
        /// The path as given.
        path: PathBuf,
    },
    /// The file holds more bytes than the caller allows.
    #[error("`{path}` is larger than {bytes_max} bytes", path = path.display())]
    TooLarge {
        /// The path as given.
        path: PathBuf,
        /// The caller's limit.
        bytes_max: u64,
    },
    /// A system call failed.
    #[error("{step} failed for `{path}`", path = path.display())]
    Io {
        /// The path as given.
        path: PathBuf,
        /// The step that failed.
        step: Step,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
}

impl ReadFileError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::NotFound { .. } | Self::NotAFile { .. } | Self::TooLarge { .. } => {
                Family::Refused
            }
            Self::Io { .. } => Family::Retry,
        }
    }
}

/// Replaces or creates a file so that a crash shows the old bytes or the new ones, whole.
///
/// `mode` is the final permission bits (for example `0o600`), independent of the umask. A
/// symbolic link at `path` is replaced, not followed.
///
/// # Errors
/// [`WriteFileError::NoSpace`] and [`WriteFileError::Unchanged`]: the old file is untouched, try
/// again. [`WriteFileError::Unknown`]: stop and reload; do not read back to find out.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), WriteFileError> {
    write_atomic_with(path, mode, |file| file.write_all(bytes))
}

/// As [`write_atomic`], of bytes that `content` writes one after the other, so that they need not fit into memory. An
/// error of `content` leaves the old file untouched.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_atomic_with(
    path: &Path,
    mode: u32,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteFileError> {
    let (dir_path, name) = split(path)?;
    let unchanged = |step: Step, source: io::Error| {
        if is_no_space(&source) {
            WriteFileError::NoSpace {
                path: path.to_owned(),
            }
        } else {
            WriteFileError::Unchanged {
                path: path.to_owned(),
                step,
                source,
            }
        }
    };
    let dir = open_dir(dir_path).map_err(|e| unchanged(Step::OpenDir, e))?;
    let (temporary, file) =
        create_temporary(&dir, name, mode).map_err(|e| unchanged(Step::Create, e))?;
    if let Err((step, error)) = fill(file, content, mode) {
        // The outcome is already decided; a temporary file that cannot be removed is swept later.
        let _ = rustix::fs::unlinkat(&dir, &temporary, AtFlags::empty());
        return Err(unchanged(step, error));
    }
    if let Err(error) = rustix::fs::renameat(&dir, &temporary, &dir, name) {
        let _ = rustix::fs::unlinkat(&dir, &temporary, AtFlags::empty());
        return Err(unchanged(Step::Rename, error.into()));
    }
    rustix::fs::fsync(&dir).map_err(|error| WriteFileError::Unknown {
        path: path.to_owned(),
        step: Step::SyncDir,
        source: error.into(),
    })
}

/// Removes a file and makes its absence durable; an absent file is success.
///
/// # Errors
/// [`WriteFileError::Unchanged`]: the file is still there. [`WriteFileError::Unknown`]: the name
/// is gone, but a crash may bring it back.
pub fn remove_durable(path: &Path) -> Result<(), WriteFileError> {
    let (dir_path, name) = split(path)?;
    let unchanged = |step: Step, source: io::Error| WriteFileError::Unchanged {
        path: path.to_owned(),
        step,
        source,
    };
    let dir = open_dir(dir_path).map_err(|e| unchanged(Step::OpenDir, e))?;
    match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(unchanged(Step::Remove, error.into())),
    }
    rustix::fs::fsync(&dir).map_err(|error| WriteFileError::Unknown {
        path: path.to_owned(),
        step: Step::SyncDir,
        source: error.into(),
    })
}

/// Creates a directory and its missing parents, each durable before the next is created.
///
/// `mode` applies to the directories created here, independent of the umask; existing ones keep
/// theirs. An existing directory is success, and its parent is synced nevertheless: an earlier
/// run may have crashed between creating and syncing.
///
/// # Errors
/// [`CreateDirError::NotADirectory`]: choose another path. The others: calling again is safe.
pub fn create_dir_durable(path: &Path, mode: u32) -> Result<(), CreateDirError> {
    let mut missing: Vec<&Path> = Vec::new();
    let mut cursor = path;
    while missing.len() < MISSING_PARENTS_MAX && !is_dir(cursor)? {
        missing.push(cursor);
        match cursor.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => cursor = parent,
            _ => break,
        }
    }
    for dir in missing.iter().rev() {
        create_one_dir(dir, mode)?;
    }
    sync_dir(parent_of(path)).map_err(|source| CreateDirError::Io {
        path: path.to_owned(),
        step: Step::SyncDir,
        source,
    })
}

/// Reads a regular file that may hold at most `bytes_max` bytes.
///
/// The limit holds even when the file grows while it is read, and a pipe or device at `path` is
/// refused without waiting for it. Symbolic links are followed.
///
/// # Errors
/// [`ReadFileError::TooLarge`], [`ReadFileError::NotAFile`] and [`ReadFileError::NotFound`] are
/// for the caller to judge; [`ReadFileError::Io`] may pass.
pub fn read_limited(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ReadFileError> {
    let file = open_limited(path, bytes_max)?;
    let failed = |step: Step, source: io::Error| ReadFileError::Io {
        path: path.to_owned(),
        step,
        source,
    };
    let length = file.metadata().map_err(|e| failed(Step::Stat, e))?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| failed(Step::Read, e))?;
    if bytes.len() as u64 > bytes_max {
        return Err(ReadFileError::TooLarge {
            path: path.to_owned(),
            bytes_max,
        });
    }
    Ok(bytes)
}

/// Opens a regular file that holds at most `bytes_max` bytes now, to be read in parts. It may grow meanwhile.
///
/// # Errors
/// As [`read_limited`].
pub fn open_limited(path: &Path, bytes_max: u64) -> Result<File, ReadFileError> {
    let failed = |step: Step, source: io::Error| ReadFileError::Io {
        path: path.to_owned(),
        step,
        source,
    };
    // O_NONBLOCK makes opening a pipe return at once; it has no effect on a regular file.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT) => {
            return Err(ReadFileError::NotFound {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(failed(Step::Open, error.into())),
    };
    let file = File::from(fd);
    let stat = file.metadata().map_err(|e| failed(Step::Stat, e))?;
    if !stat.is_file() {
        return Err(ReadFileError::NotAFile {
            path: path.to_owned(),
        });
    }
    if stat.len() > bytes_max {
        return Err(ReadFileError::TooLarge {
            path: path.to_owned(),
            bytes_max,
        });
    }
    Ok(file)
}

/// Removes the temporary files that crashed writers left in a directory; returns how many.
///
/// Call it only while holding the folder's [`crate::FolderLock`]: a temporary file of a living
/// writer looks the same.
///
/// # Errors
/// [`CreateDirError::Io`] when the directory cannot be listed; a file that cannot be removed is
/// left for the next sweep.
pub fn sweep_temporaries(dir: &Path) -> Result<usize, CreateDirError> {
    let listing = std::fs::read_dir(dir).map_err(|source| CreateDirError::Io {
        path: dir.to_owned(),
        step: Step::ListDir,
        source,
    })?;
    let mut removed = 0;
    for entry in listing.flatten() {
        let name = entry.file_name();
        let name = name.as_bytes();
        if name.starts_with(b".")
            && name.ends_with(b".tmp")
            && std::fs::remove_file(entry.path()).is_ok()
        {
            removed += 1;
        }
    }
    Ok(removed)
}

/// Flushes a directory, which makes the names in it durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    Ok(rustix::fs::fsync(open_dir(path)?)?)
}

/// Returns the directory that holds `path`, `.` for a bare name.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new(if path.is_absolute() { "/" } else { "." }),
    }
}

fn split(path: &Path) -> Result<(&Path, &OsStr), WriteFileError> {
    match path.file_name() {
        Some(name) => Ok((parent_of(path), name)),
        None => Err(WriteFileError::NoFileName {
            path: path.to_owned(),
        }),
    }
}

fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn create_temporary(dir: impl AsFd, name: &OsStr, mode: u32) -> io::Result<(OsString, File)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..TEMPORARY_NAMES_MAX {
        let number = TEMPORARY_COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}.{number}.tmp", std::process::id()));
        match rustix::fs::openat(&dir, &temporary, flags, Mode::from_raw_mode(mode)) {
            Ok(fd) => return Ok((temporary, File::from(fd))),
            Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(rustix::io::Errno::EXIST.into())
}

fn fill(
    file: File,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    mode: u32,
) -> Result<(), (Step, io::Error)> {
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(|e| (Step::SetMode, e.into()))?;
    let mut writing = BufWriter::new(file);
    content(&mut writing).map_err(|e| (Step::Write, e))?;
    let file = writing
        .into_inner()
        .map_err(|e| (Step::Write, e.into_error()))?;
    file.sync_all().map_err(|e| (Step::SyncFile, e))
}

fn is_dir(path: &Path) -> Result<bool, CreateDirError> {
    match std::fs::metadata(path) {
        Ok(stat) if stat.is_dir() => Ok(true),
        Ok(_) => Err(CreateDirError::NotADirectory {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(CreateDirError::NotADirectory {
                path: path.to_owned(),
            })
        }
        Err(source) => Err(CreateDirError::Io {
            path: path.to_owned(),
            step: Step::Stat,
            source,
        }),
    }
}

fn create_one_dir(path: &Path, mode: u32) -> Result<(), CreateDirError> {
    let failed = |step: Step, source: io::Error| {
        if is_no_space(&source) {
            CreateDirError::NoSpace {
                path: path.to_owned(),
            }
        } else {
            CreateDirError::Io {
                path: path.to_owned(),
                step,
                source,
            }
        }
    };
    match rustix::fs::mkdir(path, Mode::from_raw_mode(mode)) {
        Ok(()) => {
            let dir = open_dir(path).map_err(|e| failed(Step::OpenDir, e))?;
            rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode))
                .map_err(|e| failed(Step::SetMode, e.into()))?;
            rustix::fs::fsync(&dir).map_err(|e| failed(Step::SyncDir, e.into()))?;
        }
        // Somebody else created it in the meantime, which is what was wanted.
        Err(rustix::io::Errno::EXIST) if is_dir(path)? => {}
        Err(error) => return Err(failed(Step::CreateDir, error.into())),
    }
    sync_dir(parent_of(path)).map_err(|e| failed(Step::SyncDir, e))
}

#[cfg(test)]
mod tests;
