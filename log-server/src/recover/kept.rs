//! The file `LEDGER`: the ledger at some size, so that a start reads what came after and not the log.
//!
//! Owns its form, when it is written, and every check before it is believed. It is derived: deleting it
//! costs one long start. A file that is damaged, of another log, or that contradicts the store is
//! passed over, and the whole log is read.
//!
//! What is checked: the observer's signature over every byte; that its tree is a beginning of the
//! stored one; each entry of genesis, roster and policy, read and judged again; of each chain the key
//! by its thumbprint and the last entry by place and leaf hash. What is not: the bytes of other entries
//! before its size. `cairn-server check` reads those.
//!
//! Source: `docs/formats/store.md`.

use crate::receipts::{StoreTiles, TileError};
use crate::store::{Head, LogStore, StoreError};
use cairn_durable::file::{ReadFileError, WriteFileError};
use cairn_durable::{read_limited, write_atomic};
use cairn_event::encoding::{from_base64url, to_base64url};
use cairn_event::{Entry, EntryError, EntrySigner, Kid, PublicKey, Sha256};
use cairn_identity::{KeptChain, Ledger, Refusal};
use cairn_tlog::hash::HASH_BYTES;
use cairn_tlog::tile::TileNodeError;
use cairn_tlog::{
    Frontier, Hash, ProofError, TILE_WIDTH, TileId, TileNodes, consistency_proof, leaf_hash,
    verify_consistency,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Name of the file in the data folder.
const NAME: &str = "LEDGER";

/// What is signed begins with this line.
const CONTEXT: &[u8] = b"cairn-ledger-v1\n";

/// Version of the form.
const VERSION: u64 = 1;

/// It names people and devices by their identifiers: for the server alone.
const MODE: u32 = 0o600;

/// The longest file: a million chains take about 300 MB.
const MAX_BYTES: u64 = 1_073_741_824;

/// Entries between two files: about a second of reading, and a write every few seconds at most.
pub const KEEP_EVERY: u64 = 131_072;

/// Why a file was not written. The log goes on: the next start is longer.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It could not be put into its form.
    #[error("the ledger could not be written as json")]
    Form(#[from] serde_json::Error),
    /// The observer did not sign.
    #[error(transparent)]
    Sign(#[from] cairn_event::key::SignError),
    /// The disk.
    #[error("the file LEDGER cannot be written")]
    Write(#[from] WriteFileError),
}

/// Why a file is not believed. The whole log is read instead.
#[derive(Debug, thiserror::Error)]
pub enum DoubtError {
    /// It cannot be read.
    #[error("the file LEDGER cannot be read")]
    Read(#[source] ReadFileError),
    /// It has not its form.
    #[error("the file LEDGER is damaged")]
    Form,
    /// It is not signed by this server's observer key.
    #[error("the file LEDGER is not signed by the observer")]
    Signature,
    /// It is of another log, or of more entries than the store holds.
    #[error("the file LEDGER is not about this log")]
    OtherLog,
    /// Its tree is no beginning of the stored one.
    #[error("the file LEDGER is about another history")]
    History(#[from] cairn_tlog::VerifyError),
    /// An entry is not where the file says.
    #[error("the entry at index {0} is not the one of the file LEDGER")]
    Entry(u64),
    /// An entry cannot be read.
    #[error("the entry at index {index} cannot be read")]
    Unreadable {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        source: EntryError,
    },
    /// An entry would not be admitted.
    #[error("the entry at index {index} would not be admitted")]
    Refused {
        /// Its index.
        index: u64,
        /// Why.
        #[source]
        source: Box<Refusal>,
    },
    /// A chain does not end where the file says.
    #[error("the chain `{0}` is not as the file LEDGER has it")]
    Chain(Kid),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tiles.
    #[error("the stored tiles cannot be read")]
    Tiles(#[from] ProofError<TileNodeError<TileError>>),
}

/// A place from which a log is read on.
pub struct Base {
    /// The ledger there.
    pub ledger: Ledger,
    /// The tree there.
    pub frontier: Frontier,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    administrative: Vec<u64>,
    chains: Vec<KeptChain>,
    frontier: Vec<Sha256>,
    origin: String,
    size: u64,
    v: u64,
}

/// Access to the file.
#[derive(Debug, Clone)]
pub struct LedgerFile {
    path: PathBuf,
}

impl LedgerFile {
    /// The file of a data folder.
    pub fn in_folder(dir: &Path) -> Self {
        Self {
            path: dir.join(NAME),
        }
    }

    /// Keeps a ledger whose size is that of the committed `head`.
    ///
    /// # Errors
    /// [`KeepError`]; the earlier file stays.
    pub fn write(
        &self,
        ledger: &Ledger,
        head: &Head,
        signer: &dyn EntrySigner,
    ) -> Result<(), KeepError> {
        let kept = Kept {
            administrative: ledger.administrative_entries(),
            chains: ledger.kept_chains().collect(),
            frontier: head
                .frontier
                .hashes()
                .iter()
                .map(|one| Sha256(one.0))
                .collect(),
            origin: ledger.origin().to_owned(),
            size: head.size(),
            v: VERSION,
        };
        let mut bytes = serde_json::to_vec(&kept)?;
        let signature = signer.sign(&[CONTEXT, &bytes].concat())?;
        bytes.push(b'\n');
        bytes.extend_from_slice(to_base64url(&signature).as_bytes());
        bytes.push(b'\n');
        Ok(write_atomic(&self.path, &bytes, MODE)?)
    }

    /// Reads and checks the file; `None` when there is none.
    ///
    /// # Errors
    /// [`DoubtError`]; read the whole log.
    pub fn read(
        &self,
        store: &dyn LogStore,
        head: &Head,
        origin: &str,
        observer: &PublicKey,
    ) -> Result<Option<Base>, DoubtError> {
        let bytes = match read_limited(&self.path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadFileError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(DoubtError::Read(error)),
        };
        let kept = open(&bytes, observer)?;
        if kept.origin != origin || kept.size > head.size() || kept.v != VERSION {
            return Err(DoubtError::OtherLog);
        }
        let check = Check {
            store,
            stored: head.size(),
            size: kept.size,
        };
        let hashes = kept.frontier.iter().map(|one| Hash(one.0)).collect();
        let frontier = Frontier::from_parts(kept.size, hashes).map_err(|_| DoubtError::Form)?;
        check.history(&frontier, head)?;
        let mut ledger = check.administrative(origin, &kept.administrative)?;
        for chain in kept.chains {
            check.put_back(chain, &mut ledger)?;
        }
        ledger.count_to(kept.size);
        Ok(Some(Base { ledger, frontier }))
    }
}

/// Checks the signature and reads the form.
fn open(bytes: &[u8], observer: &PublicKey) -> Result<Kept, DoubtError> {
    let text = std::str::from_utf8(bytes).map_err(|_| DoubtError::Form)?;
    let (kept, signature) = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once('\n'))
        .ok_or(DoubtError::Form)?;
    let signature = from_base64url(signature).ok_or(DoubtError::Form)?;
    let signed = [CONTEXT, kept.as_bytes()].concat();
    if !observer.verifies(&signed, &signature) {
        return Err(DoubtError::Signature);
    }
    serde_json::from_str(kept).map_err(|_| DoubtError::Form)
}

/// Compares what a file says with what the store holds.
struct Check<'a> {
    store: &'a dyn LogStore,
    /// Leaves of the stored tree.
    stored: u64,
    /// Leaves that the file covers.
    size: u64,
}

impl Check<'_> {
    fn history(&self, frontier: &Frontier, head: &Head) -> Result<(), DoubtError> {
        let nodes = TileNodes::new(StoreTiles::new(self.store), self.stored);
        let proof = consistency_proof(&nodes, self.size, self.stored)?;
        let (root, size) = (frontier.root(), self.stored);
        Ok(verify_consistency(
            self.size, size, &root, &head.root, &proof,
        )?)
    }

    /// The leaf hash at an index, as the tiles have it.
    fn leaf(&self, index: u64) -> Result<Hash, DoubtError> {
        let width = u64::from(TILE_WIDTH);
        let id = TileId::at_size(0, index / width, self.stored);
        let id = id.ok_or(DoubtError::Entry(index))?;
        let tile = self.store.tile(id)?.ok_or(DoubtError::Entry(index))?;
        let (hashes, _) = tile.as_chunks::<HASH_BYTES>();
        let at = usize::try_from(index % width).ok();
        let hash = at.and_then(|at| hashes.get(at));
        hash.map(|hash| Hash(*hash)).ok_or(DoubtError::Entry(index))
    }

    /// Reads the entries that made authority, roster and policies, and judges them again.
    fn administrative(&self, origin: &str, indices: &[u64]) -> Result<Ledger, DoubtError> {
        let mut ledger = Ledger::new(origin);
        for &index in indices {
            if index < ledger.size() || index >= self.size {
                return Err(DoubtError::Form);
            }
            let bytes = self.store.entry(index)?.ok_or(DoubtError::Entry(index))?;
            if self.leaf(index)? != leaf_hash(&bytes) {
                return Err(DoubtError::Entry(index));
            }
            let entry =
                Entry::parse(&bytes).map_err(|source| DoubtError::Unreadable { index, source })?;
            let refused = |refusal| DoubtError::Refused {
                index,
                source: Box::new(refusal),
            };
            ledger.count_to(index);
            let key = ledger.key_for(&entry, &[]).map_err(refused)?;
            let verified = entry.verify(&key).map_err(Refusal::Entry);
            verified.map_err(refused)?;
            let admission = ledger.admit(&entry).map_err(refused)?;
            ledger.apply(&entry, admission);
        }
        Ok(ledger)
    }

    /// Puts one chain back whose last entry, and none after it, is among the entries of the file.
    fn put_back(&self, kept: KeptChain, ledger: &mut Ledger) -> Result<(), DoubtError> {
        let doubt = || DoubtError::Chain(kept.chain.clone());
        let last = kept.next_seq.checked_sub(1).ok_or_else(doubt)?;
        let at = self.store.index_of_place(&kept.chain, last)?;
        let at = at.filter(|index| *index < self.size).ok_or_else(doubt)?;
        let after = self.store.index_of_place(&kept.chain, kept.next_seq)?;
        let grown = after.is_some_and(|index| index < self.size);
        if grown || !kept.is_coherent(ledger) || self.leaf(at)?.0 != kept.last.0 {
            return Err(doubt());
        }
        ledger.put_back(kept);
        Ok(())
    }
}
