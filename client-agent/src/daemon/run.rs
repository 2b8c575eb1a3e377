//! The life of the daemon: lock, parts, tasks, orderly end.

use super::control::Control;
use super::socket::{self, ListenError};
use crate::access::Access;
use crate::ancestry::DigestCache;
use crate::chain::Draft;
use crate::circumstances::Circumstances;
use crate::clock::now_ms;
use crate::device::{Askers, Facts};
use crate::enrolment::{Identity, IdentityError};
use crate::hook::Gatekeeper;
use crate::key::{DeviceKey, KeyError};
use crate::policy::{self, Enforcement, Following, Patience, SyncError, Syncer};
use crate::posture::ProductTableError;
use crate::recorder::{BeginError, Mark, MarkError, Recorder, Setup};
use crate::state::{FOLDER_MODE, StateDir, StateError};
use crate::telemetry::Receiver;
use crate::unmanaged::Lookout;
use crate::upload::{Progress, Uploader};
use crate::vigil::{self, Vigil};
use cairn_api::{Client, ClientError};
use cairn_durable::file::CreateDirError;
use cairn_durable::lock::LockError;
use cairn_durable::{FolderLock, create_dir_durable};
use cairn_event::Sha256;
use cairn_event::body::{Body, Heartbeat};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

/// Time between heartbeats: 60 s; a missing one shows within two minutes.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(60);

/// What the daemon prints once hooks can connect.
pub const READY: &str = "ready";

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state folder cannot be made.
    #[error(transparent)]
    Folder(#[from] CreateDirError),
    /// The configuration.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another daemon runs for this user.
    #[error("another daemon is running: {0}")]
    Lock(#[from] LockError),
    /// The device is not enrolled, or what it pinned is not usable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The device key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The product table.
    #[error(transparent)]
    Posture(#[from] ProductTableError),
    /// No chain could begin.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// The upload mark.
    #[error(transparent)]
    Mark(#[from] MarkError),
    /// Policy cannot be loaded.
    #[error(transparent)]
    Policy(#[from] SyncError),
    /// The server's address.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The operating system gave no signal handler or no output.
    #[error("the operating system refused: {0}")]
    Io(#[from] std::io::Error),
}

/// Runs the daemon until it is told to end.
///
/// Errors: [`RunError`]; nothing was answered, so every hook is denied by the shim.
pub async fn run(state: StateDir) -> Result<(), RunError> {
    create_dir_durable(state.path(), FOLDER_MODE)?;
    let _lock = FolderLock::acquire(state.path())?;
    let core = Core::open(&state)?;
    let recorder = core.gatekeeper.recorder.clone();
    let stop = Arc::new(Notify::new());
    let telemetry = listen(&core.gatekeeper).await;
    let tasks = serve(&state, core, telemetry, Arc::clone(&stop))?;
    ready()?;
    ended(&stop).await?;
    // Nobody is answered from here on; what was answered is recorded already.
    for task in &tasks {
        task.abort();
    }
    recorder.stop("shutdown").await;
    // A leftover is removed by the next start.
    let _leftover = std::fs::remove_file(state.socket());
    Ok(())
}

/// The parts that decide and record.
struct Core {
    identity: Identity,
    gatekeeper: Arc<Gatekeeper>,
    syncer: Syncer,
}

impl Core {
    /// Loads what is pinned and in force, looks at the device and begins a chain.
    fn open(state: &StateDir) -> Result<Self, RunError> {
        let config = state.config()?;
        let identity = Identity::load(state)?;
        let facts = Facts::read();
        let circumstances = Arc::new(Circumstances::new(&identity));
        let enforcement = Arc::new(Enforcement::default());
        let askers = Arc::new(Askers::default());
        let vigil = Vigil::begin(
            &config.posture_sysroot,
            state,
            &facts.home,
            askers.digests(),
        )?;
        let syncer = Syncer::load(
            state,
            &identity,
            Arc::clone(&enforcement),
            Arc::clone(&circumstances),
        )?;
        let recorder = Recorder::start(Setup {
            state: state.clone(),
            identity: identity.clone(),
            key: DeviceKey::open(state)?,
            circumstances: Arc::clone(&circumstances),
            spool_bytes_max: config.spool_bytes_max,
            daemon_sha256: own_digest(&askers.digests()),
            confidential: facts.confidential(&identity.email),
        })?;
        let gatekeeper = Gatekeeper::new(
            recorder,
            enforcement,
            circumstances,
            Arc::new(vigil),
            askers,
            facts,
            identity.email.clone(),
        )
        .with_settings_in(state.agent_settings());
        Ok(Self {
            identity,
            gatekeeper: Arc::new(gatekeeper),
            syncer,
        })
    }
}

/// Starts everything that runs beside the recorder.
fn serve(
    state: &StateDir,
    core: Core,
    telemetry: Option<Arc<Receiver>>,
    stop: Arc<Notify>,
) -> Result<[tokio::task::JoinHandle<()>; 6], RunError> {
    let Core {
        identity,
        gatekeeper,
        syncer,
    } = core;
    let recorder = gatekeeper.recorder.clone();
    let client = Client::trusting(&identity.server, &state.config()?.trust()?)?;
    let next_record = Mark::load(state)?.next_record;
    let (progress, shown) = watch::channel(Progress {
        next_record,
        ..Progress::default()
    });
    let uploader = Uploader {
        state: state.clone(),
        client: client.clone(),
        trust_policy: identity.pinned()?.trust_policy,
        recorder: recorder.clone(),
        circumstances: Arc::clone(&gatekeeper.circumstances),
        progress,
    };
    let (following, shown_following) = watch::channel(Following::default());
    let access = Access::new(client, &identity.origin, Some(&identity.device));
    let key = Arc::new(DeviceKey::open(state)?);
    let (counted, unmanaged) = watch::channel(0);
    let own = std::env::current_exe()?;
    let lookout = Lookout::new(state.agent_settings(), own, gatekeeper.facts.uid);
    let control = Control {
        gatekeeper: Arc::clone(&gatekeeper),
        progress: shown,
        following: shown_following,
        telemetry,
        unmanaged,
        state: state.clone(),
        stop,
    };
    let listener = socket::listen(&state.socket())?;
    Ok([
        tokio::spawn(socket::serve(listener, state.socket(), Arc::new(control))),
        tokio::spawn(upload(uploader)),
        tokio::spawn(policy::follow(
            syncer,
            access,
            key,
            recorder,
            Patience::default(),
            following,
        )),
        tokio::spawn(watch_posture(Arc::clone(&gatekeeper))),
        tokio::spawn(watch_agents(Arc::clone(&gatekeeper), lookout, counted)),
        tokio::spawn(heartbeats(gatekeeper)),
    ])
}

/// Receives what agents report, and joins it with the verdicts given.
///
/// Without a port the daemon does everything else: a report is a second look and not the first.
async fn listen(gatekeeper: &Arc<Gatekeeper>) -> Option<Arc<Receiver>> {
    let (receiver, mut statements) = match Receiver::open().await {
        Ok(open) => open,
        Err(error) => {
            tracing::error!(%error, "no port to receive agents' reports on");
            return None;
        }
    };
    let gatekeeper = Arc::clone(gatekeeper);
    tokio::spawn(async move {
        while let Some(told) = statements.recv().await {
            gatekeeper.told(told).await;
        }
    });
    Some(receiver)
}

/// Tells whoever started the daemon that hooks can connect.
fn ready() -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{READY}").and_then(|()| stdout.flush()) {
        // Whoever waited is gone; the daemon stays.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

async fn ended(stop: &Notify) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stop.notified() => {}
    }
    Ok(())
}

async fn upload(uploader: Uploader) {
    let progress = uploader.progress.clone();
    if let Err(error) = uploader.run().await {
        tracing::error!(%error, "nothing can be uploaded");
        progress.send_modify(|shown| shown.problem = Some(error.to_string()));
    }
}

async fn watch_posture(gatekeeper: Arc<Gatekeeper>) {
    let mut ticks = tokio::time::interval(vigil::INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let vigil = Arc::clone(&gatekeeper.vigil);
        if let Ok(sight) = tokio::task::spawn_blocking(move || vigil.look()).await {
            let posture = sight.posture.clone();
            gatekeeper.record_changes(sight).await;
            gatekeeper.end_sessions(&posture).await;
        }
    }
}

async fn watch_agents(
    gatekeeper: Arc<Gatekeeper>,
    mut lookout: Lookout,
    counted: watch::Sender<u64>,
) {
    let mut ticks = tokio::time::interval(vigil::INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let looked = tokio::task::spawn_blocking(move || {
            let change = lookout.look();
            (lookout, change)
        });
        let change;
        (lookout, change) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                tracing::error!(%error, "unmanaged runs are no longer looked for");
                return;
            }
        };
        for (run, name) in &change.began {
            gatekeeper.record_unmanaged(run, name).await;
        }
        for (run, name) in &change.ended {
            gatekeeper.record_unmanaged_end(run, name).await;
        }
        counted.send_replace(lookout.count());
    }
}

async fn heartbeats(gatekeeper: Arc<Gatekeeper>) {
    let mut ticks = tokio::time::interval(HEARTBEAT_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Ok(usage) = gatekeeper.recorder.usage().await else {
            return;
        };
        let body = Body::Heartbeat(Heartbeat {
            sessions: gatekeeper.sessions(),
            spool_bytes: usage.bytes,
            spool_records: usage.next_record.saturating_sub(usage.first_record),
        });
        let mut context = gatekeeper.circumstances.now();
        // A device that hears of no policy any more still says so to the log.
        let in_force = gatekeeper.enforcement.now();
        context.policy_age_ms = in_force.recorded_age_ms(now_ms());
        let draft = Draft {
            body,
            context,
            confidential: Vec::new(),
            time_ms: now_ms(),
        };
        if let Err(error) = gatekeeper.recorder.record(draft).await {
            tracing::error!(%error, "a heartbeat is not recorded");
        }
    }
}

/// SHA-256 of the running program; of nothing where it cannot be read.
fn own_digest(digests: &DigestCache) -> Sha256 {
    let file = File::open("/proc/self/exe").ok();
    let digest = file.and_then(|file| digests.digest(&file, SystemTime::now(), None).ok());
    digest.map_or_else(|| Sha256::of(&[]), |digest| digest.sha256)
}
