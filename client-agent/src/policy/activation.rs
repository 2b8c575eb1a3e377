//! From a policy answer to a bundle that can decide: verified, matched with what its entry says, compiled.
//!
//! Owns that nothing of an answer is used before all of it fits together. Does not know what is in force.
//!
//! Source: endpoint findings 6.2 (activation checks).

use super::Active;
use super::basis::Basis;
use super::sync_error::SyncError;
use cairn_api::distribution::PolicyAnswer;
use cairn_event::Sha256;
use cairn_event::encoding::from_base64url;
use cairn_policy::{Bundle, compile};

/// Verifies a policy entry and its bundle and compiles it; gives when witnesses vouched for it, too.
///
/// Errors: [`SyncError`]; the policy in force stays.
pub fn activate(
    basis: &mut Basis,
    answer: &PolicyAnswer,
) -> Result<(Active, Option<u64>), SyncError> {
    let verified = basis.policy(answer)?;
    let statement = verified.statement;
    let (revision, index) = (statement.revision, answer.index);
    if revision > index {
        return Err(SyncError::FastForward { revision, index });
    }
    let bytes = from_base64url(&answer.bundle).ok_or(SyncError::Encoding)?;
    let (found, named) = (Sha256::of(&bytes), statement.bundle);
    if found != named {
        return Err(SyncError::OtherBundle { found, named });
    }
    let bundle = Bundle::parse(&bytes)?;
    let circumstances = (bundle.origin.clone(), bundle.version);
    let expected = (basis.origin().to_owned(), statement.version);
    if circumstances != expected {
        let words = |(origin, version): &(String, u64)| format!("{origin} version {version}");
        let (found, named) = (words(&circumstances), words(&expected));
        return Err(SyncError::Mismatch { found, named });
    }
    let compiled = compile(&bundle).map_err(SyncError::Compile)?;
    let active = Active {
        compiled,
        index,
        revision,
        bundle: found,
    };
    Ok((active, verified.witnessed_ms))
}
