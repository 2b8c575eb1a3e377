//! A consistent view of a data folder, whether it is being served or not.
//!
//! Owns the socket `admin.sock` of a served folder and both ends of what is said there. A folder that
//! nobody serves is locked and read where it lies. Does not own what is done with the view
//! (`backup`, `mirror`, `check`).
//!
//! The request is one line. `prune …` is answered by `crate::retention`. `snapshot` is answered with one
//! line, `ok` or `error` and why. While the
//! connection is open the folder `snapshot` holds a copy of `HEAD` and of the store, made in this
//! order: the store of a snapshot is never older than its `HEAD`. The files are shared with the
//! store, so they cost no space until the store drops them; when the connection ends, in whatever
//! way, the folder is removed. Whoever may open the data folder may ask; nobody else can.

use crate::app::STORE_FOLDER;
use crate::log::{Inner, Log};
use crate::retention::{Request, of_running};
use crate::store::{HeadFile, HeadFileError, Rocks, RocksOpenError, SignedHead};
use cairn_durable::FolderLock;
use cairn_durable::file::CreateDirError;
use cairn_durable::lock::LockError;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

/// Name of the socket in the data folder.
const SOCKET: &str = "admin.sock";

/// Name of the folder that a snapshot lies in while it is used.
const FOLDER: &str = "snapshot";

/// The request for a snapshot.
const SNAPSHOT: &str = "snapshot";

/// How long the asking side waits: another snapshot may be in use for a whole backup, and a pruning reads
/// the log up to its end.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Longest request in bytes: a word, two numbers and a line feed fit, a flood does not.
const REQUEST_BYTES_MAX: u64 = 64;

/// Why there is no view.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The folder is in use by a process that has no socket, or cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The folder holds no log.
    #[error("`{}` holds no log yet", .0.display())]
    NoLog(PathBuf),
    /// The running server could not be asked. Retry, or stop it.
    #[error("the running server did not answer")]
    Ask(#[source] io::Error),
    /// The running server refused. Retry.
    #[error("the running server refused: {0}")]
    Refused(String),
    /// The file `HEAD` of the view.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
}

/// A view; the folder stays locked, or the snapshot stays there, until it is dropped.
pub struct Snapshot {
    folder: PathBuf,
    _hold: Hold,
}

/// What keeps a view as it is; only its end matters.
enum Hold {
    /// Nobody else serves the folder.
    Lock { _lock: FolderLock },
    /// The server removes the snapshot when this is closed.
    Connection { _stream: UnixStream },
}

impl Snapshot {
    /// A view of a data folder: of the stopped folder itself, or of a snapshot that its server makes.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn take(data: &Path) -> Result<Self, SnapshotError> {
        let view = match FolderLock::acquire(data) {
            Ok(lock) => Self {
                folder: data.to_owned(),
                _hold: Hold::Lock { _lock: lock },
            },
            Err(held @ LockError::Held { .. }) => match ask(data) {
                Ok(stream) => Self {
                    folder: data.join(FOLDER),
                    _hold: Hold::Connection { _stream: stream },
                },
                // The holder is no server, or one that is only starting.
                Err(SnapshotError::Ask(error)) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(held.into());
                }
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error.into()),
        };
        if view.store().is_dir() {
            Ok(view)
        } else {
            Err(SnapshotError::NoLog(data.to_owned()))
        }
    }

    /// The folder with `HEAD` and the store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The store's folder. Open it for reading only.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.folder.join(STORE_FOLDER)
    }

    /// The newest signed head at the time of the view.
    ///
    /// # Errors
    /// The file `HEAD`.
    pub fn signed(&self) -> Result<Option<SignedHead>, SnapshotError> {
        Ok(HeadFile::in_folder(&self.folder).read()?)
    }
}

fn ask(data: &Path) -> Result<UnixStream, SnapshotError> {
    let (stream, answer) = talk(data, SNAPSHOT).map_err(SnapshotError::Ask)?;
    match answer.trim_end() {
        "ok" => Ok(stream),
        other => Err(refused(other)),
    }
}

/// Asks the running server of a folder for something else than a snapshot, in one line without a line
/// feed; gives what follows `ok` in its answer.
///
/// # Errors
/// `Ask`, `Refused`.
pub fn request(data: &Path, line: &str) -> Result<String, SnapshotError> {
    let (_, answer) = talk(data, line).map_err(SnapshotError::Ask)?;
    match answer.trim_end().strip_prefix("ok ") {
        Some(given) => Ok(given.to_owned()),
        None => Err(refused(answer.trim_end())),
    }
}

fn refused(answer: &str) -> SnapshotError {
    let cause = answer.strip_prefix("error ").unwrap_or(answer);
    SnapshotError::Refused(cause.to_owned())
}

fn talk(data: &Path, line: &str) -> io::Result<(UnixStream, String)> {
    let folder = std::fs::File::open(data)?;
    let mut stream = UnixStream::connect(short_path(&folder))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer)?;
    Ok((stream, answer))
}

/// The socket by way of an open descriptor: a socket's address holds 107 bytes, a path may be longer.
fn short_path(folder: &std::fs::File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()))
}

/// Why the socket is not there. Fatal for the start: a backup could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// What an earlier process left cannot be removed.
    #[error("an old `{SOCKET}` or `{FOLDER}` cannot be removed")]
    Sweep(#[source] io::Error),
    /// The socket cannot be made.
    #[error("`{SOCKET}` cannot be made")]
    Bind(#[source] io::Error),
}

/// Makes the socket of a locked data folder.
///
/// # Errors
/// [`SocketError`].
pub fn bind(data: &Path) -> Result<UnixListener, SocketError> {
    use std::os::unix::fs::PermissionsExt as _;
    sweep(data).map_err(SocketError::Sweep)?;
    let made = || {
        let folder = std::fs::File::open(data)?;
        let listener = UnixListener::bind(short_path(&folder))?;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(data.join(SOCKET), private)?;
        Ok(listener)
    };
    made().map_err(SocketError::Bind)
}

fn sweep(data: &Path) -> io::Result<()> {
    let absent_is_fine = |outcome: io::Result<()>| match outcome {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    absent_is_fine(std::fs::remove_file(data.join(SOCKET)))?;
    absent_is_fine(std::fs::remove_dir_all(data.join(FOLDER)))
}

/// Answers requests, one at a time, for as long as somebody else holds the store.
///
/// Trap: it holds the log weakly, or the log would never be gone.
pub fn answer(
    listener: UnixListener,
    data: PathBuf,
    rocks: Weak<Rocks>,
    log: &Log,
) -> impl Future<Output = ()> + use<> {
    let log = Arc::downgrade(&log.0);
    async move { answer_all(listener, data, rocks, log).await }
}

async fn answer_all(listener: UnixListener, data: PathBuf, rocks: Weak<Rocks>, log: Weak<Inner>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match (rocks.upgrade(), log.upgrade()) {
                (Some(rocks), Some(log)) => serve_one(stream, &data, &rocks, Log(log)).await,
                _ => return,
            },
            Err(error) => {
                tracing::error!(%error, "the admin socket failed");
                return;
            }
        }
    }
}

async fn serve_one(stream: tokio::net::UnixStream, data: &Path, rocks: &Arc<Rocks>, log: Log) {
    let (reading, mut writing) = stream.into_split();
    let mut reading = tokio::io::BufReader::new(reading.take(REQUEST_BYTES_MAX));
    let mut line = String::new();
    if reading.read_line(&mut line).await.is_err() {
        return;
    }
    let Some(asked) = line.strip_suffix('\n') else {
        return;
    };
    if let Some(request) = Request::from_line(asked) {
        let answer = prune(log, request).await;
        // Who has gone meanwhile finds the answer in the log.
        let _ = writing.write_all(answer.as_bytes()).await;
        return;
    }
    drop(log);
    if asked != SNAPSHOT {
        return;
    }
    let (folder, engine) = (data.to_owned(), rocks.clone());
    let made = tokio::task::spawn_blocking(move || make(&folder, &engine)).await;
    let answer = match made {
        Ok(Ok(())) => "ok\n".to_owned(),
        Ok(Err(error)) => format!("error {}\n", crate::sequence::chain(&error)),
        Err(_) => "error the work did not end\n".to_owned(),
    };
    tracing::info!(answer = answer.trim_end(), "snapshot asked for");
    if writing.write_all(answer.as_bytes()).await.is_ok() {
        // Nothing more is said: the end of the connection is the end of the snapshot's use.
        let _ = reading.read_line(&mut line).await;
    }
    if let Err(error) = tokio::fs::remove_dir_all(data.join(FOLDER)).await {
        tracing::warn!(%error, "the snapshot was not removed");
    }
}

/// The line that answers a request about old entries.
async fn prune(log: Log, request: Request) -> String {
    let done = tokio::task::spawn_blocking(move || of_running(&log, request));
    let answer = match done.await {
        Ok(Ok(report)) => format!("ok {report}\n"),
        Ok(Err(error)) => format!("error {}\n", crate::sequence::chain(&error)),
        Err(_) => "error the work did not end\n".to_owned(),
    };
    tracing::info!(answer = answer.trim_end(), "pruning asked for");
    answer
}

/// Why a snapshot was not made.
#[derive(Debug, thiserror::Error)]
enum MakeError {
    #[error("an old snapshot cannot be removed")]
    Remove(#[source] io::Error),
    #[error(transparent)]
    Folder(#[from] CreateDirError),
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    #[error(transparent)]
    Rocks(#[from] RocksOpenError),
}

fn make(data: &Path, rocks: &Rocks) -> Result<(), MakeError> {
    let folder = data.join(FOLDER);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(MakeError::Remove(error));
        }
        _ => {}
    }
    cairn_durable::create_dir_durable(&folder, 0o700)?;
    // Before the store: what is signed is durable in the store already.
    if let Some(head) = HeadFile::in_folder(data).read()? {
        HeadFile::in_folder(&folder).write(&head)?;
    }
    rocks.snapshot(&folder.join(STORE_FOLDER))?;
    Ok(())
}
