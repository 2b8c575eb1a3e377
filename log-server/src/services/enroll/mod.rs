//! Enrolment over HTTP: the device's calls, the person's pages, and the roster entry at the end.
//!
//! Owns the enrolments under way and what each needs besides its state machine: the poll secret,
//! the browser's cookie, how the mail fared. The machine itself is in `cairn-identity`.

pub mod admission;
pub mod device;
pub mod page;
pub mod template;

use cairn_event::Sha256;
use cairn_event::encoding::to_base64url;
use cairn_identity::enrolment::Enrolment;
use std::collections::HashMap;
use std::sync::Arc;

/// Enrolments under way; a fleet that rolls out 10,000 devices in 20 minutes fits.
pub const MAX_ENROLMENTS: usize = 10_000;

/// How the newest mail of an enrolment fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Under way, taken, or not sent because the address may not enrol: all look the same.
    Unremarkable,
    /// The relay did not take it.
    Failed,
}

/// One enrolment and its secrets' digests.
#[derive(Debug)]
pub struct Open {
    /// The state machine.
    pub machine: Enrolment,
    poll_digest: [u8; 32],
    cookie_digest: Option<[u8; 32]>,
    delivery: Delivery,
}

/// The enrolments under way.
#[derive(Debug, Default)]
pub struct Enrolments {
    open: HashMap<String, Open>,
}

impl Enrolments {
    fn insert(&mut self, open: Open, now_ms: u64) -> bool {
        if self.open.len() >= MAX_ENROLMENTS {
            self.open.retain(|_, one| !one.machine.is_stale(now_ms));
        }
        let room = self.open.len() < MAX_ENROLMENTS;
        if room {
            self.open.insert(open.machine.id().to_owned(), open);
        }
        room
    }

    /// The enrolment, unless it was never there or is forgotten.
    fn get(&mut self, id: &str, now_ms: u64) -> Option<&mut Open> {
        self.open
            .get_mut(id)
            .filter(|open| !open.machine.is_stale(now_ms))
    }
}

/// A fresh secret of 256 bits as text, and its digest.
fn secret() -> Result<(String, [u8; 32]), getrandom::Error> {
    let text = to_base64url(&super::random::<32>()?);
    let digest = digest(&text);
    Ok((text, digest))
}

/// Digest of a secret of full entropy; comparing digests leaks nothing about the secret.
fn digest(secret: &str) -> [u8; 32] {
    Sha256::of(secret.as_bytes()).0
}

/// Names of devices and people: a prefix and 128 random bits.
fn identifier(prefix: &str) -> Result<Arc<str>, getrandom::Error> {
    Ok(format!("{prefix}{}", hex::encode(super::random::<16>()?)).into())
}
