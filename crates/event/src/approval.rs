//! Approvals: signatures of further administrators over one administrative entry.
//!
//! Source: `docs/formats/administrative.md`, "Approvals".

use crate::encoding::{Sha256, from_base64url, to_base64url};
use crate::json::to_canonical;
use crate::key::{EntrySigner, Kid, PublicKey, SignError};
use crate::payload::{Payload, PayloadError};
use serde::{Deserialize, Serialize};

/// One administrator's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Who agrees.
    pub kid: Kid,
    /// Ed25519 signature over [`approval_message`], base64url.
    pub sig: String,
}

/// Why an approval could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// The payload breaks a rule of its format.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The signer refused.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// What an approval signs: `cairn-approval-v1\n` and the hex SHA-256 of the canonical payload
/// without its `approvals` member.
///
/// Why: approvals can be gathered in any order, before the entry itself is signed.
pub fn approval_message(payload: &Payload) -> Result<Vec<u8>, PayloadError> {
    let bare = Payload {
        approvals: Vec::new(),
        ..payload.clone()
    };
    let digest = Sha256::of(&to_canonical(&bare.to_value()?));
    Ok(format!("cairn-approval-v1\n{digest}").into_bytes())
}

/// Signs an approval of `payload`.
///
/// Errors: [`ApprovalError`]; the administrator is told and nothing is submitted.
pub fn approve(payload: &Payload, signer: &dyn EntrySigner) -> Result<Approval, ApprovalError> {
    let sig = signer.sign(&approval_message(payload)?)?;
    Ok(Approval {
        kid: signer.public_key().kid(),
        sig: to_base64url(&sig),
    })
}

impl Approval {
    /// Whether this is `key`'s valid approval of `payload`.
    pub fn is_valid(&self, payload: &Payload, key: &PublicKey) -> bool {
        let Ok(message) = approval_message(payload) else {
            return false;
        };
        let Some(signature) = from_base64url(&self.sig) else {
            return false;
        };
        self.kid == key.kid() && key.verifies(&message, &signature)
    }
}
