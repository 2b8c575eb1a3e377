//! The vocabulary every error of this crate shares: the family it belongs to and the step that
//! failed.
//!
//! Owns the two closed enums and the test for "the device is full". The error enums themselves
//! live beside their operations.
//!
//! Source: the project's house rules for errors (Refused, Retry, Fatal).

use std::fmt;
use std::io;

/// Says what the caller of a failed operation does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The request or the bytes found cannot be accepted; repeating the call changes nothing.
    Refused,
    /// Provably nothing happened; the same call may succeed later.
    Retry,
    /// The outcome is unknown or our own state is in doubt: stop, reopen and read what is there.
    Fatal,
}

/// Names the system call sequence step at which an operation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Opening the directory that holds the file.
    OpenDir,
    /// Creating a directory.
    CreateDir,
    /// Listing a directory.
    ListDir,
    /// Creating a new file.
    Create,
    /// Opening an existing file.
    Open,
    /// Reading the attributes of an open file.
    Stat,
    /// Setting the permission bits.
    SetMode,
    /// Writing bytes.
    Write,
    /// Reading bytes.
    Read,
    /// Moving the file position.
    Seek,
    /// Cutting a file to a length.
    Truncate,
    /// Flushing a file to the device.
    SyncFile,
    /// Giving a file its final name.
    Rename,
    /// Removing a name.
    Remove,
    /// Flushing a directory to the device.
    SyncDir,
    /// Taking an advisory lock.
    Lock,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::OpenDir => "opening the directory",
            Step::CreateDir => "creating the directory",
            Step::ListDir => "listing the directory",
            Step::Create => "creating the file",
            Step::Open => "opening the file",
            Step::Stat => "reading the attributes",
            Step::SetMode => "setting the mode",
            Step::Write => "writing",
            Step::Read => "reading",
            Step::Seek => "seeking",
            Step::Truncate => "truncating",
            Step::SyncFile => "syncing the file",
            Step::Rename => "renaming",
            Step::Remove => "removing",
            Step::SyncDir => "syncing the directory",
            Step::Lock => "locking",
        })
    }
}

/// Reports whether an error means that the device or the user's quota is full.
///
/// Both are one case for the caller: free space, then try again.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
