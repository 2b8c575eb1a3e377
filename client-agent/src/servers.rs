//! Which MCP servers this device has ever had configured, and since when.
//!
//! Owns `servers.json` in the state folder: names and fingerprints, no definitions and no secrets.
//! Losing it loses no evidence: the log has every sighting.

use crate::state::{FILE_MODE, StateDir};
use cairn_event::Sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Largest file; an entry has about 200 bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Most servers remembered; beyond it new ones are told anew with every launch.
const SERVERS_MAX: usize = 10_000;

/// One sighting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Its configured name.
    pub name: String,
    /// Where it was configured.
    pub source: String,
    /// SHA-256 over its canonical definition without environment and header values.
    pub fingerprint: Sha256,
    /// When it was first found, milliseconds since 1970.
    pub first_seen_ms: u64,
}

/// The sightings of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Servers(BTreeMap<(String, String, String), Sighting>);

impl Servers {
    /// Reads the file; one that is absent or damaged is an empty list.
    pub fn load(state: &StateDir) -> Self {
        let listed = cairn_durable::read_limited(&state.servers(), FILE_BYTES_MAX)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<Vec<Sighting>>(&bytes).ok());
        let keyed = listed.unwrap_or_default().into_iter();
        Self(keyed.map(|one| (key(&one), one)).collect())
    }

    /// Notes a server; true when it was not known.
    pub fn note(&mut self, sighting: Sighting) -> bool {
        let key = key(&sighting);
        if self.0.contains_key(&key) {
            return false;
        }
        if self.0.len() < SERVERS_MAX {
            self.0.insert(key, sighting);
        }
        true
    }

    /// When a server was first found.
    pub fn first_seen(&self, name: &str, source: &str, fingerprint: &Sha256) -> Option<u64> {
        let key = (name.to_owned(), source.to_owned(), fingerprint.to_string());
        self.0.get(&key).map(|one| one.first_seen_ms)
    }

    /// Writes the file.
    ///
    /// Errors: what the file system or the encoder says; the next launch tries again.
    pub fn save(&self, state: &StateDir) -> Result<(), String> {
        let listed: Vec<&Sighting> = self.0.values().collect();
        let bytes = serde_json::to_vec(&listed).map_err(|error| error.to_string())?;
        cairn_durable::write_atomic(&state.servers(), &bytes, FILE_MODE)
            .map_err(|error| error.to_string())
    }
}

fn key(one: &Sighting) -> (String, String, String) {
    (
        one.name.clone(),
        one.source.clone(),
        one.fingerprint.to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_new_once_and_anew_when_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path().to_owned()).unwrap();
        let one = |text: &str| Sighting {
            name: "a".to_owned(),
            source: "user".to_owned(),
            fingerprint: Sha256::of(text.as_bytes()),
            first_seen_ms: 7,
        };
        let mut servers = Servers::load(&state);
        assert!(servers.note(one("x")));
        assert!(!servers.note(one("x")));
        assert!(servers.note(one("y")));
        servers.save(&state).unwrap();
        let again = Servers::load(&state);
        assert_eq!(again, servers);
        assert_eq!(again.first_seen("a", "user", &Sha256::of(b"x")), Some(7));
    }
}
