//! The witness's memory: for each origin the head it cosigned last, in one `redb` file.
//!
//! Owns the check-and-persist transaction. It does not own the rule being checked
//! (`add_checkpoint`). Source: C2SP tlog-witness ("MUST be atomic").
//!
//! One file, one process: `redb` locks the file, a second process is refused. One writer at a
//! time: `redb` serialises write transactions. Commits are two-phase and immediate, so neither a
//! crash nor a torn write can bring an older head back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use cairn_tlog::{Hash, NoteSignature};
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::add_checkpoint::{Candidate, Head, Refusal};

/// Size, root, Unix seconds of the latest cosignature, and the log's verified signature lines.
type Row<'a> = (u64, [u8; 32], u64, &'a str);

/// How long after its last cosignature for a log a witness cosigns again without being told that its
/// clock is right, in seconds: 400 days. A time that was signed cannot be taken back, so one wrong
/// cosignature ten years ahead would spoil this witness's word about that log for ten years.
pub const MAX_SILENCE_S: u64 = 400 * 86_400;

/// Heads by origin.
const HEADS: TableDefinition<'_, &str, Row<'_>> = TableDefinition::new("heads.v1");

/// The durable state of a witness.
#[derive(Debug)]
pub struct Store {
    database: Database,
    /// Whether the operator vouches for the clock after a long silence.
    clock_confirmed: bool,
}

/// What is stored for one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Size and root cosigned last.
    pub head: Head,
    /// Unix seconds of the latest cosignature; never decreases for an origin.
    pub timestamp: u64,
    /// The log's signature lines that were verified, each ending in LF.
    pub log_signatures: String,
}

/// Why the state file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("state file {} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// There is no state, so everything this witness signed would be forgotten.
    #[error(
        "there is no state in {}: a witness that forgets what it signed can be made to cosign a fork; \
         restore the file, or take a new key; `--new-state` is for a key that has never signed",
        path.display()
    )]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// A new state was asked for where one is.
    #[error(
        "there is a state in {} already; serve it without `--new-state`",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged, or of another version of the store.
    #[error("state file {} cannot be opened", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What the store says.
        #[source]
        cause: Box<redb::Error>,
    },
    /// The folder could not be made durable.
    #[error("folder of state file {} cannot be synchronised", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
}

/// The store failed. Fatal: the process stops, because memory and disk may now differ.
#[derive(Debug, thiserror::Error)]
#[error("witness state cannot be read or written")]
pub struct StoreError(#[source] Box<redb::Error>);

/// Why a head was not advanced.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceError {
    /// The rule says no; nothing was written.
    #[error("checkpoint is refused")]
    Refused(#[source] Refusal),
    /// The clock is further ahead of the last cosignature than a log is silent for; nothing was
    /// written. The operator sets the clock, or starts with the clock confirmed.
    #[error("the clock says {now} s, the last cosignature is of {recorded} s")]
    ClockAhead {
        /// The clock, Unix seconds.
        now: u64,
        /// Unix seconds of the last cosignature for the log.
        recorded: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}

impl<E: Into<redb::Error>> From<E> for AdvanceError {
    fn from(error: E) -> Self {
        Self::Store(StoreError::from(error))
    }
}

impl Store {
    /// Opens the state file.
    ///
    /// # Errors
    /// `Absent` when there is none, or an empty one; `InUse` when another process has it; the others
    /// need an operator.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if holds_state(path) {
            return Self::open_any(path);
        }
        Err(OpenError::Absent {
            path: path.to_owned(),
        })
    }

    /// Makes the state file of a key that has never signed, and makes its folder entry durable.
    ///
    /// # Errors
    /// `Exists` when there is one: the order to start from nothing must not outlive its first use,
    /// or the next loss of the file goes unnoticed. The others as for `open`.
    pub fn create(path: &Path) -> Result<Self, OpenError> {
        if holds_state(path) {
            return Err(OpenError::Exists {
                path: path.to_owned(),
            });
        }
        Self::open_any(path)
    }

    /// Lets the next cosignatures follow a silence of any length: the operator looked at the clock.
    #[must_use]
    pub fn with_confirmed_clock(self) -> Self {
        Self {
            clock_confirmed: true,
            ..self
        }
    }

    fn open_any(path: &Path) -> Result<Self, OpenError> {
        // Every page is verified: a flipped bit in a stored origin would make it one that was never
        // cosigned, and any history of it would be believed.
        let mut builder = Database::builder();
        let opened = builder.set_check_integrity_on_open(true).create(path);
        let database = opened.map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => OpenError::InUse {
                path: path.to_owned(),
            },
            other => OpenError::Database {
                path: path.to_owned(),
                cause: Box::new(other.into()),
            },
        })?;
        let store = Self {
            database,
            clock_confirmed: false,
        };
        store
            .create_table()
            .map_err(|StoreError(cause)| OpenError::Database {
                path: path.to_owned(),
                cause,
            })?;
        sync_folder(path).map_err(|cause| OpenError::Folder {
            path: path.to_owned(),
            cause,
        })?;
        Ok(store)
    }

    /// What is stored for an origin; `None` when it was never cosigned.
    ///
    /// # Errors
    /// The store failed.
    pub fn latest(&self, origin: &str) -> Result<Option<Record>, StoreError> {
        let transaction = self.database.begin_read()?;
        let table = transaction.open_table(HEADS)?;
        let row = table.get(origin)?;
        Ok(row.map(|row| Record::from_row(row.value())))
    }

    /// Checks the candidate against the stored head and makes it the stored head, atomically and
    /// durably. Only after this returns may a cosignature of the record be made.
    ///
    /// The recorded time is `now` (Unix seconds), or the stored one if the clock went backwards.
    ///
    /// # Errors
    /// `Refused` and `ClockAhead` leave the state as it was; `Store` is fatal.
    pub fn advance(&self, candidate: &Candidate, now: u64) -> Result<Record, AdvanceError> {
        if let Some(record) = self.repeated(candidate, now)? {
            return Ok(record);
        }
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        let record = {
            let mut table = transaction.open_table(HEADS)?;
            let origin = candidate.checkpoint().origin.as_str();
            let stored = table.get(origin)?.map(|row| Record::from_row(row.value()));
            let latest = stored
                .as_ref()
                .map(|record| record.head)
                .unwrap_or_default();
            candidate
                .check_against(&latest)
                .map_err(AdvanceError::Refused)?;
            let previous = stored.map_or(0, |record| record.timestamp);
            let silent = now.saturating_sub(previous);
            if previous > 0 && silent > MAX_SILENCE_S && !self.clock_confirmed {
                return Err(AdvanceError::ClockAhead {
                    now,
                    recorded: previous,
                });
            }
            let record = Record::of(candidate, now.max(previous));
            table.insert(origin, record.as_row())?;
            record
        };
        transaction.commit()?;
        Ok(record)
    }

    /// The stored record, where writing the candidate's would change nothing.
    ///
    /// Why: a published checkpoint is anybody's to send again, and a write costs two flushes. What is
    /// read here is durable, and says the same cosignature.
    fn repeated(&self, candidate: &Candidate, now: u64) -> Result<Option<Record>, AdvanceError> {
        let stored = self.latest(&candidate.checkpoint().origin);
        let Some(record) = stored.map_err(AdvanceError::Store)? else {
            return Ok(None);
        };
        let same = record == Record::of(candidate, record.timestamp);
        if !same || now > record.timestamp {
            return Ok(None);
        }
        candidate
            .check_against(&record.head)
            .map_err(AdvanceError::Refused)?;
        Ok(Some(record))
    }

    fn create_table(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_write()?;
        transaction.open_table(HEADS)?;
        transaction.commit()?;
        Ok(())
    }
}

impl Record {
    fn of(candidate: &Candidate, timestamp: u64) -> Self {
        let head = Head {
            size: candidate.checkpoint().size,
            root: candidate.checkpoint().root,
        };
        let line = |signature: &NoteSignature| format!("{signature}\n");
        let log_signatures = candidate.log_signatures().iter().map(line).collect();
        Self {
            head,
            timestamp,
            log_signatures,
        }
    }

    fn from_row((size, root, timestamp, log_signatures): Row<'_>) -> Self {
        let head = Head {
            size,
            root: Hash(root),
        };
        Self {
            head,
            timestamp,
            log_signatures: log_signatures.to_owned(),
        }
    }

    fn as_row(&self) -> Row<'_> {
        (
            self.head.size,
            self.head.root.0,
            self.timestamp,
            &self.log_signatures,
        )
    }
}

/// An empty file holds nothing: the store would begin anew in it. What cannot be looked at is left to
/// the store to refuse.
fn holds_state(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) => found.len() > 0,
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// Makes the file's name durable: a lost name would be a witness without memory.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let absolute = fs::canonicalize(path)?;
    match absolute.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
