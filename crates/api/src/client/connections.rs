//! The connections of a client, and giving all of them up at once.
//!
//! Owns the pool. A connection that died without a word, as after a sleep, would take calls to their deadlines, and the
//! pool would hand it out again: what is severed is never used again.

use super::ClientError;
use crate::tls_trust::TlsTrust;
use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// The connections of a client and of all that were made from it.
pub(super) struct Connections {
    trust: TlsTrust,
    http: Mutex<reqwest::Client>,
    /// How often they were given up.
    severed: watch::Sender<u64>,
}

impl Connections {
    /// A pool with these TLS settings.
    ///
    /// Errors: as [`TlsTrust::http_client`].
    pub(super) fn new(trust: &TlsTrust) -> Result<Self, ClientError> {
        Ok(Self {
            trust: trust.clone(),
            http: Mutex::new(trust.http_client()?),
            severed: watch::Sender::new(0),
        })
    }

    /// The pool of new connections.
    pub(super) fn http(&self) -> reqwest::Client {
        let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        http.clone()
    }

    /// Lets what is called from now on connect anew.
    pub(super) fn renew(&self) {
        // These settings made a pool before; should they not now, the old one is better than none.
        if let Ok(fresh) = self.trust.http_client() {
            *self.http.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }

    /// Gives all connections up.
    pub(super) fn sever(&self) {
        self.renew();
        self.severed.send_modify(|times| *times += 1);
    }

    /// Ends when connections of now are given up.
    pub(super) fn severed(&self) -> impl Future<Output = ()> + use<> {
        let mut severed = self.severed.subscribe();
        async move {
            if severed.changed().await.is_err() {
                // Nobody is left who could give them up.
                std::future::pending::<()>().await;
            }
        }
    }

    /// What a call gives, unless its connections are given up meanwhile.
    pub(super) async fn or_severed<T>(
        &self,
        call: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let severed = self.severed();
        tokio::select! {
            biased;
            () = severed => Err(ClientError::Unreachable("the connection was given up".to_owned())),
            answer = call => answer,
        }
    }
}

impl fmt::Debug for Connections {
    /// Says nothing of the settings: a key is among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}
