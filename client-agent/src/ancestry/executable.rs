//! Reads one process: what it is, what image it runs, and with which script.
//!
//! Owns the reads relative to one open `/proc/PID` folder, so that all of them concern the same
//! process: once it has ended they fail instead of showing its successor.
//!
//! Source: proc_pid_exe(5), proc_pid_cmdline(5).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use rustix::fs::{AtFlags, Mode, OFlags, openat, readlinkat, statat};
use rustix::io::Errno;

use super::digest::{DigestCache, DigestError};
use super::interpreter::{Program, program};
use super::procfs::{Stat, Status};
use super::record::{Digest, ExeState, Script};

/// The most bytes read from a process's small files: a status file has about 1.5 KiB.
const TEXT_BYTES_MAX: u64 = 16 * 1024;

/// The most bytes of a command line kept: enough for paths and options, not for prompts.
pub(super) const ARGV_BYTES_MAX: u64 = 2048;

/// The suffix the kernel gives to an image whose name is gone.
const DELETED: &str = " (deleted)";

/// The prefix the kernel gives to an image made in memory.
const MEMFD: &str = "/memfd:";

/// How digests are made during one walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hashing<'a> {
    pub cache: &'a DigestCache,
    pub now: SystemTime,
    pub deadline: Option<Instant>,
}

impl Hashing<'_> {
    fn digest(&self, file: &File) -> Digest {
        match self.cache.digest(file, self.now, self.deadline) {
            Ok(found) if found.untrusted_file_system => Digest::UntrustedSha256(found.sha256),
            Ok(found) => Digest::Sha256(found.sha256),
            Err(error) => Digest::Missing(match error {
                DigestError::NotAFile => "not-a-file",
                DigestError::TooLarge { .. } => "too-large",
                DigestError::Changing => "changing",
                DigestError::Pending => "pending",
                DigestError::Io(_) => "io",
            }),
        }
    }
}

/// An open `/proc/PID` folder.
#[derive(Debug)]
pub(super) struct ProcessDir(OwnedFd);

/// The image a process runs.
#[derive(Debug)]
pub(super) struct Executable {
    pub path: Option<PathBuf>,
    pub state: ExeState,
    pub digest: Digest,
}

impl ProcessDir {
    /// Opens the folder of a living process.
    pub(super) fn open(pid: u32) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(
            Path::new("/proc").join(pid.to_string()),
            flags,
            Mode::empty(),
        )?;
        Ok(Self(fd))
    }

    pub(super) fn stat(&self) -> Option<Stat> {
        Stat::parse(&self.text("stat")?)
    }

    pub(super) fn status(&self) -> Option<Status> {
        Status::parse(&self.text("status")?)
    }

    /// Returns the audit system's login user; the largest number means that none is set.
    pub(super) fn login_uid(&self) -> Option<u32> {
        self.text("loginuid")?
            .trim()
            .parse()
            .ok()
            .filter(|uid| *uid != u32::MAX)
    }

    /// Returns the arguments and whether any are missing; empty for kernel threads.
    pub(super) fn argv(&self) -> (Vec<String>, bool) {
        let Some(mut bytes) = self.bytes("cmdline", ARGV_BYTES_MAX + 1) else {
            return (Vec::new(), true);
        };
        let truncated = bytes.len() as u64 > ARGV_BYTES_MAX;
        if truncated {
            bytes.pop();
        }
        if bytes.last() == Some(&0) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return (Vec::new(), truncated);
        }
        let argv = bytes
            .split(|byte| *byte == 0)
            .map(|a| String::from_utf8_lossy(a).into_owned());
        (argv.collect(), truncated)
    }

    /// Returns the kernel's name for the running image.
    pub(super) fn exe_link(&self) -> Result<PathBuf, Errno> {
        let link = readlinkat(&self.0, "exe", Vec::new())?;
        Ok(PathBuf::from(std::ffi::OsStr::from_bytes(link.as_bytes())))
    }

    /// Examines and hashes the running image.
    pub(super) fn executable(&self, hashing: Hashing<'_>) -> Executable {
        let path = match self.exe_link() {
            Ok(path) => path,
            Err(error) => return unreadable(None, error),
        };
        let file = match openat(
            &self.0,
            "exe",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        ) {
            Ok(fd) => File::from(fd),
            Err(error) => return unreadable(Some(path), error),
        };
        let state = self.exe_state(&path, &file);
        Executable {
            path: Some(path),
            state,
            digest: hashing.digest(&file),
        }
    }

    /// Finds and hashes the script if the image is an interpreter.
    ///
    /// The path is looked up from the process's own root and working directory.
    pub(super) fn script(
        &self,
        exe: &Path,
        argv: &[String],
        hashing: Hashing<'_>,
    ) -> Option<Script> {
        let name = exe.file_name()?.to_string_lossy();
        let name = name.strip_suffix(DELETED).unwrap_or(&name);
        let Program::Script(path) = program(name, argv)? else {
            return None;
        };
        let place = match path.strip_prefix('/') {
            Some(inner) => Path::new("root").join(inner.trim_start_matches('/')),
            None => Path::new("cwd").join(&path),
        };
        // A pipe in the script's place must not hold up the walk.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let digest = match openat(&self.0, &place, flags, Mode::empty()) {
            Ok(fd) => hashing.digest(&File::from(fd)),
            Err(error) => Digest::Missing(word(error)),
        };
        Some(Script { digest, path })
    }

    /// Compares the running image with the file that has its name in the process's own view.
    fn exe_state(&self, path: &Path, running: &File) -> ExeState {
        let Ok(image) = rustix::fs::fstat(running) else {
            return ExeState::Unreadable;
        };
        let link = path.as_os_str().as_bytes();
        if link.starts_with(MEMFD.as_bytes()) && image.st_nlink == 0 {
            return ExeState::Memfd;
        }
        let same = |path: &[u8]| {
            let inner = path.strip_prefix(b"/").unwrap_or(path);
            let place = Path::new("root").join(std::ffi::OsStr::from_bytes(inner));
            statat(&self.0, &place, AtFlags::empty())
                .map(|stat| (stat.st_dev, stat.st_ino) == (image.st_dev, image.st_ino))
        };
        // A file may be called `x (deleted)`: the name as it stands comes first.
        if same(link) == Ok(true) {
            return ExeState::Ok;
        }
        match same(link.strip_suffix(DELETED.as_bytes()).unwrap_or(link)) {
            Ok(true) => ExeState::Ok,
            Ok(false) => ExeState::Replaced,
            Err(Errno::NOENT | Errno::NOTDIR) => ExeState::Deleted,
            Err(_) => ExeState::Unreadable,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(name, TEXT_BYTES_MAX)?).into_owned())
    }

    fn bytes(&self, name: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let fd = openat(
            &self.0,
            name,
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .ok()?;
        let mut bytes = Vec::new();
        File::from(fd)
            .take(bytes_max)
            .read_to_end(&mut bytes)
            .ok()?;
        Some(bytes)
    }
}

impl AsFd for ProcessDir {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn unreadable(path: Option<PathBuf>, error: Errno) -> Executable {
    // Without a link there is no image: kernel threads, and processes that have just ended.
    let reason = match (&path, error) {
        (None, Errno::NOENT) => "no-executable",
        _ => word(error),
    };
    Executable {
        path,
        state: ExeState::Unreadable,
        digest: Digest::Missing(reason),
    }
}

fn word(error: Errno) -> &'static str {
    match io::Error::from(error).kind() {
        io::ErrorKind::PermissionDenied => "permission",
        io::ErrorKind::NotFound => "not-found",
        _ if error == Errno::SRCH => "gone",
        _ => "io",
    }
}
