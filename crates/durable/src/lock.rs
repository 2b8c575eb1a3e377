//! Exclusive use of a folder by one process.
//!
//! Owns the file `LOCK` in the folder and the advisory lock on it. Does not protect against a
//! process that ignores the lock, nor against two machines on a network file system that does not
//! carry flock.
//!
//! The lock is the kernel's and ends with the process, however it ends; the process id written in
//! the file is only for the message. The file is never removed: removing it would let a third
//! process lock a new file of the same name while the second still waits on the old one.
//!
//! Source: flock(2).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::error::{Family, Step};

/// The name of the lock file in every locked folder.
pub const LOCK_FILE_NAME: &str = "LOCK";

/// The most bytes read to learn the holder's process id: a decimal u32 and a line feed.
const HOLDER_BYTES_MAX: u64 = 11;

/// Holds a folder exclusively until it is dropped or the process ends.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    path: PathBuf,
}

/// Reports why a folder is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds the folder.
    #[error("`{path}` is held by {holder}", path = path.display(), holder = name_holder(*.pid))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The holder's process id, when it could be read.
        pid: Option<u32>,
    },
    /// A system call failed.
    #[error("{step} failed for `{path}`", path = path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The step that failed.
        step: Step,
        /// The cause from the operating system.
        #[source]
        source: io::Error,
    },
}

impl LockError {
    /// Says what the caller does next.
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Held { .. } => Family::Refused,
            Self::Io { .. } => Family::Retry,
        }
    }
}

impl FolderLock {
    /// Takes the exclusive lock on an existing folder, or says at once who holds it.
    ///
    /// # Errors
    /// [`LockError::Held`]: end the other process first; it is a second daemon or a forgotten one.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join(LOCK_FILE_NAME);
        let failed = |step: Step, source: io::Error| LockError::Io {
            path: path.clone(),
            step,
            source,
        };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o600))
            .map_err(|e| failed(Step::Open, e.into()))?;
        let mut file = File::from(fd);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LockError::Held {
                    pid: read_holder(&file),
                    path,
                });
            }
            Err(error) => return Err(failed(Step::Lock, error.into())),
        }
        // The lock is ours from here on. A full disk must not keep us from freeing space, so a
        // process id that cannot be written costs only a better message.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file, path })
    }

    /// Returns the path of the lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing alone is not enough: a child being started at this moment shares the descriptor
        // until its exec, and the lock lives as long as any copy does.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

fn read_holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok()
}

fn name_holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests;
