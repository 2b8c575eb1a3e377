//! The posture vigil: looks at the device every few seconds and before a decision when needed.
//!
//! Owns the newest report and its age. A change becomes an entry before the first decision that
//! uses it.

use crate::posture::{PostureCollector, PostureReport, PostureScope, ProductTableError, changed};
use crate::state::StateDir;
use cairn_event::Posture;
use cairn_event::body::PostureChanged;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two passes: 1.5 s, so that a change is found, recorded and in force within 2 s; a
/// pass over a healthy machine takes about 2 ms.
pub const INTERVAL: Duration = Duration::from_millis(1_500);

/// Oldest posture that a decision uses, whatever the policy would accept: 2 s. On a machine too busy
/// for the passes the decision makes one itself.
pub const AGE_MAX: Duration = Duration::from_secs(2);

/// The newest posture; shared between threads.
#[derive(Debug)]
pub struct Vigil {
    /// A clock that does not step, for ages.
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    collector: PostureCollector,
    newest: PostureReport,
    /// Changes found and not yet recorded.
    changes: Vec<(PostureChanged, Posture)>,
}

/// A posture for one decision, and what must be recorded before it.
#[derive(Debug, Default)]
pub struct Sight {
    /// The posture with its ages as of now.
    pub posture: Posture,
    /// Changes to record first, oldest first, each with the posture after it.
    pub changes: Vec<(PostureChanged, Posture)>,
}

impl Vigil {
    /// Makes the first pass over the device below `sysroot`.
    ///
    /// Errors: [`ProductTableError`] if the built-in product table is broken.
    pub fn begin(
        sysroot: &Path,
        state: &StateDir,
        home: &Path,
        digests: std::sync::Arc<crate::ancestry::DigestCache>,
    ) -> Result<Self, ProductTableError> {
        let standard = PostureScope::standard()?;
        let mut paths = standard.paths.clone();
        paths.extend([home.to_owned(), state.path().to_owned()]);
        let scope = PostureScope {
            paths,
            digests,
            ..standard
        };
        let mut collector = PostureCollector::new(sysroot, scope);
        let newest = collector.collect(0);
        let state = Mutex::new(State {
            collector,
            newest,
            changes: Vec::new(),
        });
        Ok(Self {
            started: Instant::now(),
            state,
        })
    }

    /// Makes a pass now and returns what must be recorded.
    pub fn look(&self) -> Sight {
        self.sight(Duration::ZERO)
    }

    /// The posture for a decision, at most `max_age` old: from the last pass or from one made now.
    pub fn sight(&self, max_age: Duration) -> Sight {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.now_ms();
        let age_ms = now_ms.saturating_sub(state.newest.collected_ms);
        if u128::from(age_ms) >= max_age.as_millis() {
            state.pass(now_ms);
        }
        let posture = state.newest.posture(self.now_ms());
        Sight {
            posture,
            changes: std::mem::take(&mut state.changes),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl State {
    fn pass(&mut self, now_ms: u64) {
        let report = self.collector.collect(now_ms);
        if let Some(change) = changed(&self.newest, &report) {
            self.changes.push((change, report.posture(now_ms)));
        }
        self.newest = report;
    }
}
