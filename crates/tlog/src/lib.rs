//! Transparency-log mathematics and formats of Cairn, without input, output, clock or randomness.
//!
//! This crate owns RFC 6962 trees (hashes, compact ranges, inclusion, consistency and range
//! proofs), the C2SP file formats built on them (tiles, entry bundles, signed notes, checkpoints,
//! cosignatures, tlog-proofs, trust policies) and the bodies of the tlog-witness protocol.
//! It does not own storage, HTTP, or the meaning of an entry: an entry is bytes here.
//!
//! Sources: RFC 6962 section 2.1 and C2SP at revision 5ba5ee8 (signed-note, tlog-checkpoint,
//! tlog-cosignature, tlog-tiles, tlog-proof, tlog-policy, tlog-witness). `docs/specs.md` lists
//! each requirement with the test that pins it.
//!
//! Trap: every parser here is strict. What a second implementation could read differently
//! (leading zeros, lenient base64, carriage returns, trailing bytes) is refused.

pub mod add_checkpoint;
pub mod bundle;
pub mod checkpoint;
pub mod cosignature;
pub mod decimal;
pub mod frontier;
pub mod hash;
pub mod key;
pub mod nodes;
pub mod note;
pub mod proof;
pub mod range;
pub mod receipt;
pub mod tile;
pub mod tile_path;
pub mod time;
pub mod trust;

pub use add_checkpoint::{AddCheckpointParseError, AddCheckpointRequest};
pub use bundle::{BundleDecodeError, BundleEncodeError, MAX_ENTRY_BYTES};
pub use checkpoint::{Checkpoint, CheckpointOpenError, CheckpointParseError};
pub use cosignature::{CosignError, CosignatureError};
pub use frontier::{Frontier, FrontierError};
pub use hash::{EMPTY_ROOT, Hash, HashParseError, leaf_hash, node_hash};
pub use key::{KeyAlgorithm, KeyParseError, SignatureError, SignerKey, VerifierKey};
pub use nodes::{MemoryNodes, NodeReader};
pub use note::{Note, NoteParseError, NoteSignature};
pub use proof::{
    MAX_TREE_SIZE, ProofError, VerifyError, consistency_proof, inclusion_proof, verify_consistency,
    verify_inclusion,
};
pub use range::{RangeProof, RangeVerifier, range_proof};
pub use receipt::{Receipt, ReceiptError, ReceiptParseError};
pub use tile::{BundleId, TILE_WIDTH, TileId, TileNodes, TileReader};
pub use time::WatchedClock;
pub use trust::{TrustError, TrustPolicy, TrustPolicyError, VerifiedCheckpoint, VerifiedNote};
