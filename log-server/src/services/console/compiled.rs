//! The policies that explanations were last asked about, compiled.
//!
//! Owns which of them are kept, by what they were last used and what they weigh. Compiling the largest
//! policy takes longer than everything else about an explanation; a bundle is named by its digest, so one
//! that is kept is never another one.

use cairn_event::Sha256;
use cairn_policy::CompiledBundle;
use std::collections::VecDeque;
use std::sync::Arc;

/// Most bundles that are kept: people ask about what was just decided, by the policy in force or the one
/// before it.
const MAX_KEPT: usize = 4;

/// Most bytes of their texts, together. Compiled, a rule takes some ten times its text.
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The compiled bundles, the one that was used last first.
#[derive(Debug, Default)]
pub struct CompiledBundles {
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    digest: Sha256,
    bytes: usize,
    bundle: Arc<CompiledBundle>,
}

impl CompiledBundles {
    /// The bundle with this digest, if it is kept.
    pub fn get(&mut self, digest: &Sha256) -> Option<Arc<CompiledBundle>> {
        let position = self.kept.iter().position(|one| one.digest == *digest)?;
        let found = self.kept.remove(position)?;
        let bundle = Arc::clone(&found.bundle);
        self.kept.push_front(found);
        Some(bundle)
    }

    /// Keeps a bundle whose text has so many bytes, and lets go of those that were not used for longest.
    pub fn keep(&mut self, digest: Sha256, bytes: usize, bundle: Arc<CompiledBundle>) {
        self.kept.retain(|one| one.digest != digest);
        self.kept.push_front(Kept {
            digest,
            bytes,
            bundle,
        });
        while self.kept.len() > MAX_KEPT || self.bytes() > MAX_KEPT_BYTES {
            self.kept.pop_back();
        }
    }

    fn bytes(&self) -> usize {
        self.kept.iter().map(|one| one.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_policy::{Bundle, compile};

    fn numbered(number: u8) -> (Sha256, Arc<CompiledBundle>) {
        let mut bundle = Bundle::empty("cairn.example/acme", "security@acme.example");
        bundle.version = u64::from(number);
        (Sha256([number; 32]), Arc::new(compile(&bundle).unwrap()))
    }

    fn version(bundles: &mut CompiledBundles, number: u8) -> Option<u64> {
        let found = bundles.get(&Sha256([number; 32]))?;
        Some(found.bundle().version)
    }

    #[test]
    fn what_was_used_last_stays() {
        let mut bundles = CompiledBundles::default();
        for number in 1..=4 {
            let (digest, bundle) = numbered(number);
            bundles.keep(digest, 10, bundle);
        }
        assert_eq!(version(&mut bundles, 1), Some(1));
        let (digest, bundle) = numbered(5);
        bundles.keep(digest, 10, bundle);
        let left: Vec<_> = (1..=5)
            .filter_map(|one| version(&mut bundles, one))
            .collect();
        assert_eq!(
            left,
            [1, 3, 4, 5],
            "the second one was not used for longest"
        );
    }

    #[test]
    fn their_texts_are_bounded_together_and_one_kept_twice_counts_once() {
        let mut bundles = CompiledBundles::default();
        let half = MAX_KEPT_BYTES / 2;
        for number in [1, 2, 2, 3] {
            let (digest, bundle) = numbered(number);
            bundles.keep(digest, half, bundle);
        }
        let left: Vec<_> = (1..=3)
            .filter_map(|one| version(&mut bundles, one))
            .collect();
        assert_eq!(left, [2, 3]);
        let (digest, bundle) = numbered(4);
        bundles.keep(digest, MAX_KEPT_BYTES + 1, bundle);
        assert!(bundles.kept.is_empty(), "one that is too large is not kept");
    }
}
