//! The chains of an audit that do not fit into its memory: in a file until an entry needs them.
//!
//! Owns how many are held, the file, and that every chain which a bundle's entries need is back before one of them is
//! judged. Which chains those are, and which were used longest ago, the ledger knows. The file has no name: it is gone
//! with the process, however that ends.

use cairn_event::{Entry, Kid};
use cairn_identity::{KeptChain, Ledger};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde_json::Value;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Chains that an audit holds in memory: some 600 bytes each, 20 MB. Of a thousand devices that start three chains a
/// day each these are the newest of ten days, so that of an honest log few are ever needed again.
pub const MOST_CHAINS: usize = 32_768;

/// Memory of the file's own pages. Chains are looked for one at a time and written in order, so that what lies on the
/// way to them is enough: a million chains have some thousand branch pages of 4 KiB.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// Each chain as it stood when it was let go, in JSON, by its identifier.
const CHAINS: TableDefinition<&str, &[u8]> = TableDefinition::new("chains");

/// How much memory the chains of an audit may take, and where the others go.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    /// Chains in memory between two bundles; at least [`MOST_CHAINS`] but in tests.
    pub most: usize,
    /// Folder of the file; `None` for the system's temporary one.
    pub folder: Option<&'a Path>,
}

impl Default for Room<'_> {
    fn default() -> Self {
        Self {
            most: MOST_CHAINS,
            folder: None,
        }
    }
}

/// Why chains could not be put out of memory or back. There is no verdict then: nothing is wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum ColdError {
    /// No file could be made.
    #[error(
        "no file for the chains that memory has no room for can be made in `{}`; TMPDIR names another folder",
        folder.display()
    )]
    Create {
        /// The folder.
        folder: PathBuf,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The file could not be written or read.
    #[error("the file of the chains that memory has no room for cannot be used")]
    File(#[source] Box<redb::Error>),
    /// What the file gives is not what was put there.
    #[error("chain `{0}` does not come back from the file as it went there")]
    Damaged(Kid),
    /// A chain was looked at that is not in memory and was not looked for in the file.
    #[error("chain `{0}` was put out of memory and not back: a fault of this program")]
    Away(Kid),
}

impl<E: Into<redb::Error>> From<E> for ColdError {
    fn from(error: E) -> Self {
        Self::File(Box::new(error.into()))
    }
}

impl From<ColdError> for std::io::Error {
    /// For whoever writes chains somewhere.
    fn from(error: ColdError) -> Self {
        Self::other(error)
    }
}

/// The chains that were let go. The file is there from the first of them on.
pub(super) struct Cold {
    most: usize,
    folder: PathBuf,
    file: Option<Database>,
}

impl Cold {
    pub(super) fn new(room: Room<'_>) -> Self {
        Self {
            most: room.most,
            folder: room.folder.map_or_else(std::env::temp_dir, Path::to_owned),
            file: None,
        }
    }

    /// Puts back the chains that judging `entries` needs.
    pub(super) fn recall<'e>(
        &self,
        ledger: &mut Ledger,
        entries: impl IntoIterator<Item = &'e Entry>,
    ) -> Result<(), ColdError> {
        let Some(file) = &self.file else {
            // Nothing was let go; should that be wrong, the ledger refuses to judge.
            return Ok(());
        };
        let chains = file.begin_read()?.open_table(CHAINS)?;
        ledger.recall_for(entries, |chain| {
            let Some(found) = chains.get(chain.0.as_str())? else {
                return Ok(None);
            };
            let kept: Option<KeptChain> = serde_json::from_slice(found.value()).ok();
            let is_it = |kept: &KeptChain| kept.chain == *chain && kept.key.kid_ref() == chain;
            match kept.filter(is_it) {
                Some(kept) => Ok(Some(kept)),
                None => Err(ColdError::Damaged(chain.clone())),
            }
        })
    }

    /// Lets half of the chains go where there are more than there is room for: a few at a time would write the same
    /// pages of the file again and again.
    pub(super) fn make_room(&mut self, ledger: &mut Ledger) -> Result<(), ColdError> {
        if ledger.held_chains() <= self.most {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(self.create()?);
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        let writing = file.begin_write()?;
        {
            let mut chains = writing.open_table(CHAINS)?;
            for kept in ledger.take_cold(self.most / 2) {
                let form = serde_json::to_vec(&kept);
                let form = form.map_err(|_| ColdError::Damaged(kept.chain.clone()))?;
                chains.insert(kept.chain.0.as_str(), form.as_slice())?;
            }
        }
        Ok(writing.commit()?)
    }

    /// Gives every chain of the ledger, ascending by identifier, whether it is in memory or not.
    pub(super) fn each_chain<E: From<ColdError>>(
        &self,
        ledger: &Ledger,
        mut each: impl FnMut(&KeptChain<Value>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut held = ledger.kept_chains().peekable();
        if let Some(file) = &self.file {
            let reading = file.begin_read().map_err(ColdError::from)?;
            let chains = reading.open_table(CHAINS).map_err(ColdError::from)?;
            for found in chains.iter().map_err(ColdError::from)? {
                let (name, form) = found.map_err(ColdError::from)?;
                while let Some(kept) = held.next_if(|kept| kept.chain.0.as_str() < name.value()) {
                    each(&passed_on(kept)?)?;
                }
                // What is in memory is newer than what was let go before.
                if held.peek().is_some_and(|kept| kept.chain.0 == name.value()) {
                    continue;
                }
                each(&stored(name.value(), form.value(), ledger)?)?;
            }
        }
        held.try_for_each(|kept| each(&passed_on(kept)?))
    }

    fn create(&self) -> Result<Database, ColdError> {
        let file = tempfile::tempfile_in(&self.folder).map_err(|source| ColdError::Create {
            folder: self.folder.clone(),
            source,
        })?;
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        Ok(builder.create_with_backend(Unsynced(file))?)
    }
}

/// A chain that was let go. Whether it still is the newest of its device has changed since, perhaps.
fn stored(name: &str, form: &[u8], ledger: &Ledger) -> Result<KeptChain<Value>, ColdError> {
    let damaged = || ColdError::Damaged(Kid(name.to_owned()));
    let mut kept: KeptChain<Value> = serde_json::from_slice(form).map_err(|_| damaged())?;
    if kept.chain.0 != name {
        return Err(damaged());
    }
    kept.latest = ledger.is_latest(&kept.device, &kept.chain);
    Ok(kept)
}

fn passed_on(kept: KeptChain) -> Result<KeptChain<Value>, ColdError> {
    let key = serde_json::to_value(&kept.key);
    let key = key.map_err(|_| ColdError::Damaged(kept.chain.clone()))?;
    Ok(kept.with_key(key))
}

/// A file that nobody reads after this process: there is nothing to make durable.
#[derive(Debug)]
struct Unsynced(File);

impl redb::StorageBackend for Unsynced {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
