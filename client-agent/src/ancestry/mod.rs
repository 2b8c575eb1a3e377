//! Which processes led to an action, from the one that asked up to the first one, with a digest of
//! every executable and script.
//!
//! Owns the walk through `/proc` and the digests. Does not own redaction of command lines (the
//! event crate's), where the record is kept, or what an ancestor means for a decision.
//!
//! # What a record claims, and what it does not
//!
//! * The digest is of the image that runs (`/proc/PID/exe`), not of the file that now has its name.
//! * A script's digest is of the file as it is now. An interpreter that read it earlier may have
//!   read other bytes.
//! * Libraries, plug-ins and preloaded objects are not covered.
//! * A parent that ended is not in the chain: its child was handed to another process. The session
//!   and the terminal survive that and are recorded.
//! * From inside a container the chain ends at the container's first process, and says so.
//! * Without root, executables of other users cannot be read; the row stays, with the reason.
//!
//! Linux only; elsewhere there is no `/proc` and the walk reports that the process is not visible.
//!
//! Source: architecture of record, section 3 (process ancestry as a confidential disclosure);
//! proc(5).

mod digest;
mod executable;
mod interpreter;
pub mod procfs;
mod record;
mod walk;

pub use digest::{DIGESTS_MAX, DigestCache, DigestError, FILE_BYTES_MAX, FileDigest};
pub use interpreter::{Program, program};
pub use record::{Ancestry, Digest, ExeState, ProcessRecord, Script};
pub use walk::{ANCESTORS_MAX, WalkError, walk};

#[cfg(test)]
mod tests;
