//! Whose rules apply on this device, by the roster it has stored.
//!
//! Owns the look-up for commands that judge without the daemon. What is read is verified as if the server
//! had just sent it.

use crate::enrolment::Identity;
use crate::policy::{Basis, Stored};
use crate::state::StateDir;
use cairn_policy::Subject;

/// The person of this device with their teams and roles.
///
/// Errors: the device is not enrolled, or its stored roster does not verify.
pub(super) fn of_device(state: &StateDir) -> anyhow::Result<Subject> {
    let mut basis = Basis::new(&Identity::load(state)?)?;
    for entry in Stored::open(state)?.roster()? {
        basis.apply_roster(&entry)?;
    }
    Ok(basis.subject())
}
