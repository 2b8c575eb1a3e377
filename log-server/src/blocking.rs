//! Work that reads the disk or computes for long, kept off the async threads.
//!
//! Owns where such work runs. On a runtime of several threads it goes to the pool for blocking work. On
//! a runtime of one thread it runs in place: that runtime is a simulation's, which must not depend on
//! when another thread of the machine gets its turn.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::JoinError;

/// Runs `work` to its end.
///
/// # Errors
/// `work` panicked, or the runtime is ending.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await
}
