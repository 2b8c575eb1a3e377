//! The primitive: how many of the same signatures this machine verifies and does nothing else.
//!
//! Owns a loop around `verify_strict`, the one definition of valid, in the same build.

use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use cairn_event::encoding::from_base64url;
use ed25519_dalek::{Signature, VerifyingKey};

use cairn_tests::fleet::Device;

/// Rounds over all signatures; the best counts, so that the baseline is what the machine can do.
const ROUNDS: usize = 3;

/// A signature, decoded, with what it covers and its key.
pub struct Signed {
    key: VerifyingKey,
    message: Vec<u8>,
    signature: Signature,
}

/// Takes the signatures out of the devices' frames.
pub fn signatures(devices: &[Device], frames: &[Vec<String>]) -> Result<Vec<Signed>> {
    let mut signed = Vec::new();
    for (device, frames) in devices.iter().zip(frames) {
        let key = VerifyingKey::from_bytes(device.chain_key().as_bytes())?;
        for frame in frames {
            let entry = frame.split('~').next().unwrap_or_default();
            let (message, signature) = entry.rsplit_once('.').context("no signature")?;
            let signature = from_base64url(signature).context("not base64url")?;
            signed.push(Signed {
                key,
                message: message.as_bytes().to_vec(),
                signature: Signature::from_slice(&signature)?,
            });
        }
    }
    Ok(signed)
}

/// Signatures verified a second with one thread on each core.
pub fn rate_on_all_cores(signed: &[Signed]) -> Result<f64> {
    let cores = thread::available_parallelism()?.get();
    let share = signed.len().div_ceil(cores).max(1);
    let mut best = 0.0_f64;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let valid: usize = thread::scope(|scope| {
            let counts: Vec<_> = signed
                .chunks(share)
                .map(|chunk| scope.spawn(|| chunk.iter().filter(|one| is_valid(one)).count()))
                .collect();
            let counts = counts.into_iter().map(|count| count.join().unwrap_or(0));
            counts.sum()
        });
        let elapsed = begun.elapsed();
        if valid != signed.len() {
            bail!("{valid} of {} signatures are valid", signed.len());
        }
        best = best.max(signed.len() as f64 / elapsed.as_secs_f64());
    }
    Ok(best)
}

fn is_valid(one: &Signed) -> bool {
    one.key.verify_strict(&one.message, &one.signature).is_ok()
}
