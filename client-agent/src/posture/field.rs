//! One posture field as a collector reports it.
//!
//! Owns the states, the evidence ladder and the text an entry carries as the source.
//!
//! Source: architecture of record, section 3; `docs/formats/entry.md` for the field's members.

/// The state of one posture field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// In force for everything in scope.
    On,
    /// Not in force.
    Off,
    /// In force for some of what is in scope and not for the rest.
    Partial,
    /// Could not be established; never counts as good.
    Unknown,
    /// The machine has no such thing.
    NotApplicable,
    /// Free text, for fields that name something (`os`, `kernel`, `virtualisation`, `network`).
    Text(String),
}

impl State {
    /// Returns the value as entries carry it.
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            State::On => "on",
            State::Off => "off",
            State::Partial => "partial",
            State::Unknown => cairn_event::posture::UNKNOWN,
            State::NotApplicable => "not-applicable",
            State::Text(text) => text,
        }
    }
}

/// Evidence level of what is unknown, or of a name that any process can give itself.
pub const NAME: u8 = 0;
/// Evidence level of a file that root writes, or of a process that runs as root.
pub const ROOT: u8 = 1;
/// Evidence level of a statement by the kernel, the firmware or the service manager.
pub const SYSTEM: u8 = 2;
/// Evidence level of an executable in a folder that only root can change.
pub const PATH: u8 = 3;
/// Evidence level of an executable with an expected digest.
pub const DIGEST: u8 = 4;

/// What one collector found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The state.
    pub state: State,
    /// Evidence level 0 to 4; 0 for an unknown state.
    pub evidence: u8,
    /// Where the answer comes from and, after a colon, by what: `sysfs:luks2`.
    pub source: String,
    /// Why the state is what it is, for diagnostics; a stable word first when unknown.
    pub reason: String,
}

impl Finding {
    /// A state that was established.
    pub(super) fn known(state: State, evidence: u8, source: &str, reason: &str) -> Self {
        Self {
            state,
            evidence,
            source: source.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// A state that could not be established, with a stable word that says why.
    pub(super) fn unknown(source: &str, reason: &str) -> Self {
        Self {
            state: State::Unknown,
            evidence: NAME,
            source: source.to_owned(),
            reason: reason.to_owned(),
        }
    }

    /// Returns the text an entry carries as the source: the reason, where the state is unknown.
    pub(super) fn provenance(&self) -> &str {
        if self.state == State::Unknown {
            &self.reason
        } else {
            &self.source
        }
    }
}
