//! Identity, policy and console services over one running log.
//!
//! Owns enrolment, sign-in, tokens, the policy stream, the console's data, erasure and the static
//! files. It speaks to the log only through [`Log`]; everything it knows it can rebuild from the
//! published entries. Does not own who may sign what (`cairn-identity`) nor the log's public reads.
//!
//! What is in memory only, and is lost by a restart: enrolments and sign-ins under way (ten
//! minutes), the limits on codes, and the used assertions (their window is a minute; a restart
//! refuses assertions written before it).

pub mod access;
pub mod authority;
pub mod console;
pub mod enroll;
pub mod erasure;
pub mod index;
pub mod install;
pub mod mail;
pub mod openapi;
pub mod people;
pub mod policy;
pub mod reading;
pub mod request;
pub mod sign_in;
pub mod site;
pub mod source;
pub mod standing;
pub mod surface;
pub mod tokens;

use crate::log::Log;
use access::ReadingRecord;
use authority::AuthorityWriter;
use axum::Router;
use cairn_identity::enrolment::{Address, AttemptLimits};
use cairn_identity::token::{TokenIssuer, TokenVerifier};
use console::compiled::CompiledBundles;
use enroll::Enrolments;
use index::Index;
use mail::{MailSetupError, Mailer};
use people::People;
use policy::{Current, Heads, News, Pages};
use sign_in::SignIns;
use standing::{NotStanding, Standing, Watched};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use surface::Needs;
use tokens::UsedAssertions;
use tokio::sync::watch;

/// Why the services do not start. Fatal: the operator reads and mends.
#[derive(Debug, thiserror::Error)]
pub enum StartServicesError {
    /// The mail settings.
    #[error(transparent)]
    Mail(#[from] MailSetupError),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system")]
    Randomness(#[from] getrandom::Error),
}

/// Everything the routes share.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    log: Log,
    issuer: TokenIssuer,
    verifier: TokenVerifier,
    pepper: [u8; 32],
    started_ms: u64,
    mailer: Mailer,
    authority: AuthorityWriter,
    enrolments: Mutex<Enrolments>,
    sign_ins: Mutex<SignIns>,
    limits: Mutex<AttemptLimits>,
    used: Mutex<UsedAssertions>,
    readings: Mutex<ReadingRecord>,
    compiled: Mutex<CompiledBundles>,
    programs: tokio::sync::Mutex<install::Kept>,
    people: Arc<RwLock<People>>,
    people_standing: Arc<Standing>,
    index: Arc<RwLock<Index>>,
    index_standing: Arc<Standing>,
    heads: watch::Receiver<Heads>,
    /// What all devices are given, made once.
    pages: Pages,
    current: Current,
    news: News,
    /// One roster entry of an enrolment after another, until its names are known.
    admissions: tokio::sync::Mutex<()>,
}

impl Services {
    pub(crate) fn log(&self) -> &Log {
        &self.0.log
    }

    /// The people. Trap: whoever needs the log's ledger or the index too locks those first.
    pub(crate) fn people(&self) -> RwLockReadGuard<'_, People> {
        self.0.people.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index. Trap: whoever needs the log's ledger too locks that first.
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.0.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what an answer hangs on may be asked; the gate asks this for every route.
    pub(crate) fn stands(&self, needs: Needs) -> Result<(), NotStanding> {
        if needs >= Needs::People {
            self.0.people_standing.judge_told()?;
        }
        if needs >= Needs::Index {
            let size = self.index().size();
            self.0.index_standing.judge(size)?;
        }
        Ok(())
    }

    /// The person with this address.
    pub(crate) fn person_of(&self, address: &Address) -> Option<String> {
        let roster = self.log().ledger().roster().clone();
        self.people().person_of(&roster, address).map(str::to_owned)
    }

    /// Adds something to the people that the follower will learn later.
    pub(crate) fn learn(&self, change: impl FnOnce(&mut People)) {
        let people = self.0.people.write();
        change(&mut people.unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn enrolments(&self) -> MutexGuard<'_, Enrolments> {
        locked(&self.0.enrolments)
    }

    pub(crate) fn sign_ins(&self) -> MutexGuard<'_, SignIns> {
        locked(&self.0.sign_ins)
    }

    pub(crate) fn compiled(&self) -> MutexGuard<'_, CompiledBundles> {
        locked(&self.0.compiled)
    }

    pub(crate) fn limits(&self) -> MutexGuard<'_, AttemptLimits> {
        locked(&self.0.limits)
    }

    /// The address that people and devices use, without a slash at the end.
    pub(crate) fn public_url(&self) -> &str {
        self.0.log.config().public_url.trim_end_matches('/')
    }

    /// The trust policy to hand out; without a configured one it names the log and no witnesses.
    pub(crate) fn trust_policy(&self) -> String {
        let log = &self.0.log;
        let bare = || format!("log {}\nquorum none\n", log.keys().log.verifier());
        log.trust_policy_text().map_or_else(bare, str::to_owned)
    }
}

/// A lock whose holder panicked still guards plain data: every change to it is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Starts the followers and gives the routes to merge into the log's router.
///
/// # Errors
/// [`StartServicesError`].
pub fn start(log: &Log) -> Result<Router, StartServicesError> {
    let keys = log.keys();
    let issuer = TokenIssuer::new(&keys.origin, &keys.token);
    let index = Arc::new(RwLock::new(Index::new(&keys.origin)));
    let people = Arc::new(RwLock::new(People::default()));
    let published = log.published().borrow().size;
    let people_standing = Arc::new(Standing::new(published));
    let index_standing = Arc::new(Standing::new(published));
    // Only the first services of a log are asked about; there are no others in one process.
    let _ = log.0.watched.set(Watched {
        people_standing: people_standing.clone(),
        index: index.clone(),
        index_standing: index_standing.clone(),
    });
    let heads = people::follow(log, people.clone(), people_standing.clone());
    index::follow(log, index.clone(), people.clone(), index_standing.clone());
    let inner = Inner {
        verifier: issuer.verifier(),
        issuer,
        pepper: random()?,
        started_ms: log.now_ms(),
        mailer: Mailer::new(&log.config().mail, log.dir())?,
        authority: AuthorityWriter::new(log.clone()),
        enrolments: Mutex::default(),
        sign_ins: Mutex::default(),
        limits: Mutex::default(),
        used: Mutex::default(),
        readings: Mutex::default(),
        compiled: Mutex::default(),
        programs: tokio::sync::Mutex::default(),
        people,
        people_standing,
        index,
        index_standing,
        heads,
        pages: Pages::default(),
        current: Current::default(),
        news: News::default(),
        admissions: tokio::sync::Mutex::default(),
        log: log.clone(),
    };
    Ok(surface::router(Services(Arc::new(inner))))
}
