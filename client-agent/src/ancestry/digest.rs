//! Digests of open files, remembered as long as the file cannot have changed.
//!
//! Owns the cache key and the rules for when a digest may be remembered.
//!
//! # The key
//!
//! `(dev, ino, size, ctime seconds, ctime nanoseconds)`. Not the modification time, which any
//! owner sets at will: a file of the same size with a forged mtime would pass for the old one. The
//! change time is the kernel's alone.
//!
//! A file changed within the clock tick in which it was hashed keeps its change time. So a digest
//! is not remembered when the change time lies within two seconds of now, and the attributes are
//! read before and after hashing. Files of FUSE, NFS and other network file systems are hashed
//! every time: their server decides what the attributes say.
//!
//! # What remains
//!
//! Whoever can write to the raw device or step the system clock back can forge a change time. Both
//! need root.
//!
//! Source: statx(2), inode(7); FIPS 180-4 for SHA-256.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cairn_event::Sha256;
use sha2::Digest as _;

/// How many digests are remembered: every executable in use on a workstation many times over.
pub const DIGESTS_MAX: usize = 4096;

/// The largest file hashed: 2 GiB. The largest agent executable seen is about 250 MB.
pub const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// A digest is remembered only when the change time lies at least this far back.
///
/// Change times come from a coarse clock (4 to 10 ms); network time adjustments add to it.
const SETTLED: Duration = Duration::from_secs(2);

/// How often a file that changes while being hashed is hashed again.
const ATTEMPTS: u32 = 2;

/// How many bytes are read at once; the deadline is looked at after each. Below the size from which the
/// system's allocator keeps, for each thread, as much as it once gave back: with 1 MiB every thread that
/// ever hashed had 1 MiB for good.
const CHUNK_BYTES: usize = 64 * 1024;

/// File system types whose attributes a server or a user program makes up, by `f_type`.
const UNTRUSTED: [i64; 6] = [
    0x6573_5546, // FUSE
    0x6969,      // NFS
    0x0102_1997, // 9p
    0xFF53_4D42, // CIFS
    0xFE53_4D42, // SMB2
    0x00C3_6400, // Ceph
];

/// A file's digest and how far it can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
    /// Whether the file system may have shown other bytes to somebody else.
    pub untrusted_file_system: bool,
    /// Whether it was remembered from an earlier call.
    pub remembered: bool,
}

/// Reports why a file has no digest.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// It is a directory, pipe, socket or device.
    #[error("not a regular file")]
    NotAFile,
    /// It is larger than [`FILE_BYTES_MAX`].
    #[error("{bytes} bytes are too many to hash")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// It kept changing while it was read.
    #[error("the file changed while it was read")]
    Changing,
    /// The deadline passed; call again without one, apart from the decision.
    #[error("the deadline passed")]
    Pending,
    /// A system call failed.
    #[error("reading failed")]
    Io(#[source] io::Error),
}

/// What a remembered digest is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    dev: u64,
    ino: u64,
    size: u64,
    ctime: i64,
    ctime_nsec: i64,
}

/// Remembers digests; shared between threads.
#[derive(Debug, Default)]
pub struct DigestCache {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    digests: HashMap<Key, Sha256>,
    /// Keys in the order in which they came, so that the oldest can go.
    order: VecDeque<Key>,
}

impl DigestCache {
    /// Begins with nothing remembered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the digest of an open file, reading it only if it is not remembered.
    ///
    /// `now` is the wall clock that change times are compared with. With a `deadline` a file that
    /// takes longer is given up as [`DigestError::Pending`].
    ///
    /// # Errors
    /// All are for the record: the process is reported with the reason in place of a digest.
    pub fn digest(
        &self,
        file: &File,
        now: SystemTime,
        deadline: Option<Instant>,
    ) -> Result<FileDigest, DigestError> {
        let untrusted_file_system = is_untrusted(file);
        for _ in 0..ATTEMPTS {
            let before = stat(file)?;
            let key = Key::of(&before);
            if !untrusted_file_system && let Some(sha256) = self.remembered(&key) {
                return Ok(FileDigest {
                    sha256,
                    untrusted_file_system,
                    remembered: true,
                });
            }
            let sha256 = hash(file, deadline)?;
            if Key::of(&stat(file)?) != key {
                continue;
            }
            if !untrusted_file_system && key.is_settled(now) {
                self.remember(key, sha256);
            }
            return Ok(FileDigest {
                sha256,
                untrusted_file_system,
                remembered: false,
            });
        }
        Err(DigestError::Changing)
    }

    /// Returns how many digests are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .digests
            .len()
    }

    /// Reports whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn remembered(&self, key: &Key) -> Option<Sha256> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .digests
            .get(key)
            .copied()
    }

    fn remember(&self, key: Key, sha256: Sha256) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.digests.insert(key, sha256).is_none() {
            known.order.push_back(key);
        }
        while known.order.len() > DIGESTS_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.digests.remove(&oldest);
            }
        }
    }
}

impl Key {
    fn of(stat: &Metadata) -> Self {
        Self {
            dev: stat.dev(),
            ino: stat.ino(),
            size: stat.size(),
            ctime: stat.ctime(),
            ctime_nsec: stat.ctime_nsec(),
        }
    }

    fn is_settled(&self, now: SystemTime) -> bool {
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(self.ctime), u32::try_from(self.ctime_nsec))
        else {
            return false;
        };
        // A change time in the future, after the clock was set back, is never settled.
        let settled_at = Duration::new(seconds, nanos).saturating_add(SETTLED);
        now.duration_since(UNIX_EPOCH)
            .is_ok_and(|now| now >= settled_at)
    }
}

fn stat(file: &File) -> Result<Metadata, DigestError> {
    let stat = file.metadata().map_err(DigestError::Io)?;
    if !stat.is_file() {
        return Err(DigestError::NotAFile);
    }
    if stat.len() > FILE_BYTES_MAX {
        return Err(DigestError::TooLarge { bytes: stat.len() });
    }
    Ok(stat)
}

fn hash(file: &File, deadline: Option<Instant>) -> Result<Sha256, DigestError> {
    let mut hasher = sha2::Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut offset: u64 = 0;
    loop {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(DigestError::Pending);
        }
        let count = match file.read_at(&mut chunk, offset) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(DigestError::Io(error)),
        };
        if count == 0 {
            return Ok(Sha256(hasher.finalize().into()));
        }
        hasher.update(chunk.get(..count).unwrap_or_default());
        offset = offset.saturating_add(count as u64);
        if offset > FILE_BYTES_MAX {
            return Err(DigestError::TooLarge { bytes: offset });
        }
    }
}

/// Reports whether somebody other than this kernel decides what the file's attributes say.
///
/// A file system that does not say what it is counts as one of those.
fn is_untrusted(file: &File) -> bool {
    rustix::fs::fstatfs(file).map_or(true, |stat| {
        #[allow(
            clippy::useless_conversion,
            reason = "the width of f_type depends on the target"
        )]
        UNTRUSTED.contains(&i64::from(stat.f_type))
    })
}

#[cfg(test)]
mod tests;
