//! The roster: people, teams and devices as the log's roster entries leave them.
//!
//! Indices say since when: "whose key was good at index n" needs no other history. A statement is taken
//! over in place and taken back when a later change of it does not apply: a reader of a long history must
//! not copy everybody once for each entry.

use cairn_event::administrative::{RosterChange, RosterStatement};
use cairn_event::{Isolation, KeyProtection, Kid, PersonRole, PublicKey};
use std::collections::BTreeMap;

/// Longest team identifier in bytes; it appears in every entry of its members.
pub const MAX_TEAM_BYTES: usize = 64;

/// People, teams and devices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Roster {
    /// Revision of the last statement applied; 0 before the first.
    pub revision: u64,
    /// Indices of all roster entries, ascending.
    pub indices: Vec<u64>,
    /// Teams: identifier to display name.
    pub teams: BTreeMap<String, String>,
    /// People by identifier.
    pub people: BTreeMap<String, Person>,
    /// Devices by identifier.
    pub devices: BTreeMap<String, Device>,
    /// Identifiers of devices by their key: every admission asks whether the key is known.
    by_key: BTreeMap<Kid, String>,
}

/// How one change is taken back.
enum Undo {
    Team(String),
    Person(String),
    Membership(String),
    Return {
        person: String,
        revoked: Vec<String>,
    },
    Device(String),
    Revocation(String),
}

/// A person over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Memberships, oldest first; the last one holds now.
    pub history: Vec<Membership>,
    /// Index at which the person left.
    pub removed_at: Option<u64>,
}

/// Roles and teams from an index on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Index of the roster entry that set them.
    pub from_index: u64,
    /// Sorted.
    pub roles: Vec<PersonRole>,
    /// Sorted.
    pub teams: Vec<String>,
}

/// A device and the indices between which its key is good.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// The device key.
    pub key: PublicKey,
    /// Whose device it is.
    pub person: String,
    /// Where the key lives.
    pub protection: KeyProtection,
    /// What separates daemon and developer.
    pub isolation: Isolation,
    /// How the person was verified.
    pub methods: Vec<String>,
    /// Index of the admission.
    pub admitted_at: u64,
    /// Index of the revocation.
    pub revoked_at: Option<u64>,
}

impl Person {
    /// The membership that holds at roster index `index`.
    pub fn membership_at(&self, index: u64) -> Option<&Membership> {
        self.history
            .iter()
            .rev()
            .find(|membership| membership.from_index <= index)
    }

    /// The membership that holds now; `None` after the person left.
    pub fn membership(&self) -> Option<&Membership> {
        if self.removed_at.is_some() {
            None
        } else {
            self.history.last()
        }
    }

    /// Whether the person has the role now.
    pub fn has_role(&self, role: PersonRole) -> bool {
        self.membership()
            .is_some_and(|membership| membership.roles.contains(&role))
    }
}

impl Roster {
    /// The device whose key has this identifier.
    pub fn device_by_key(&self, kid: &Kid) -> Option<(&String, &Device)> {
        self.devices.get_key_value(self.by_key.get(kid)?)
    }

    /// The roster after a statement at `index`: all its changes or none.
    ///
    /// Errors: as [`Roster::take`].
    pub fn apply(&self, index: u64, statement: &RosterStatement) -> Result<Self, (usize, String)> {
        let mut next = self.clone();
        next.take(index, statement)?;
        Ok(next)
    }

    /// Takes a statement over at `index`: all its changes or none.
    ///
    /// Errors: the 0-based position of the change that does not apply, and why not; nothing changed.
    /// A statement without changes is refused: no right would be needed for it.
    pub fn take(&mut self, index: u64, statement: &RosterStatement) -> Result<(), (usize, String)> {
        if statement.changes.is_empty() {
            return Err((0, "the statement changes nothing".to_owned()));
        }
        let mut done = Vec::with_capacity(statement.changes.len());
        for (position, change) in statement.changes.iter().enumerate() {
            match self.change(index, change) {
                Ok(undo) => done.push(undo),
                Err(reason) => {
                    done.into_iter().rev().for_each(|undo| self.undo(undo));
                    return Err((position, reason));
                }
            }
        }
        self.revision = statement.revision;
        self.indices.push(index);
        Ok(())
    }

    fn change(&mut self, index: u64, change: &RosterChange) -> Result<Undo, String> {
        match change {
            RosterChange::AddTeam { name, team } => self.add_team(team, name),
            RosterChange::AddPerson {
                person,
                roles,
                teams,
            } => {
                if self.people.contains_key(person) {
                    return Err(format!("person `{person}` exists"));
                }
                check_id(person, "p_")?;
                let first = self.membership(index, roles, teams)?;
                let added = Person {
                    history: vec![first],
                    removed_at: None,
                };
                self.people.insert(person.clone(), added);
                Ok(Undo::Person(person.clone()))
            }
            RosterChange::UpdatePerson {
                person,
                roles,
                teams,
            } => {
                let membership = self.membership(index, roles, teams)?;
                self.active_person(person)?.history.push(membership);
                Ok(Undo::Membership(person.clone()))
            }
            RosterChange::RemovePerson { person } => self.remove_person(index, person),
            RosterChange::AdmitDevice {
                device,
                isolation,
                key,
                methods,
                person,
                protection,
            } => {
                let admitted = Device {
                    key: key.clone(),
                    person: person.clone(),
                    protection: *protection,
                    isolation: *isolation,
                    methods: methods.clone(),
                    admitted_at: index,
                    revoked_at: None,
                };
                self.admit_device(device, admitted)
            }
            RosterChange::RevokeDevice { device, .. } => match self.devices.get_mut(device) {
                Some(known) if known.revoked_at.is_none() => {
                    known.revoked_at = Some(index);
                    Ok(Undo::Revocation(device.clone()))
                }
                Some(_) => Err(format!("device `{device}` is revoked already")),
                None => Err(format!("device `{device}` is not enrolled")),
            },
        }
    }

    fn remove_person(&mut self, index: u64, person: &str) -> Result<Undo, String> {
        self.active_person(person)?.removed_at = Some(index);
        let mut revoked = Vec::new();
        for (name, device) in &mut self.devices {
            if device.person == *person && device.revoked_at.is_none() {
                device.revoked_at = Some(index);
                revoked.push(name.clone());
            }
        }
        let person = person.to_owned();
        Ok(Undo::Return { person, revoked })
    }

    fn admit_device(&mut self, device: &str, admitted: Device) -> Result<Undo, String> {
        self.active_person(&admitted.person)?;
        self.check_new_device(device, &admitted.key)?;
        self.by_key.insert(admitted.key.kid(), device.to_owned());
        self.devices.insert(device.to_owned(), admitted);
        Ok(Undo::Device(device.to_owned()))
    }

    /// Takes back what a change of this statement did, the last one first.
    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Team(team) => drop(self.teams.remove(&team)),
            Undo::Person(person) => drop(self.people.remove(&person)),
            Undo::Membership(person) => {
                if let Some(known) = self.people.get_mut(&person) {
                    known.history.pop();
                }
            }
            Undo::Return { person, revoked } => {
                if let Some(known) = self.people.get_mut(&person) {
                    known.removed_at = None;
                }
                revoked.iter().for_each(|device| self.readmit(device));
            }
            Undo::Device(device) => {
                if let Some(known) = self.devices.remove(&device) {
                    self.by_key.remove(known.key.kid_ref());
                }
            }
            Undo::Revocation(device) => self.readmit(&device),
        }
    }

    fn readmit(&mut self, device: &str) {
        if let Some(known) = self.devices.get_mut(device) {
            known.revoked_at = None;
        }
    }

    fn add_team(&mut self, team: &str, name: &str) -> Result<Undo, String> {
        let plain =
            |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
        if team.is_empty() || team.len() > MAX_TEAM_BYTES || !team.bytes().all(plain) {
            return Err(format!(
                "team `{team}` is not 1 to {MAX_TEAM_BYTES} of a-z, 0-9 and -"
            ));
        }
        if self.teams.contains_key(team) {
            return Err(format!("team `{team}` exists"));
        }
        self.teams.insert(team.to_owned(), name.to_owned());
        Ok(Undo::Team(team.to_owned()))
    }

    fn membership(
        &self,
        from_index: u64,
        roles: &[PersonRole],
        teams: &[String],
    ) -> Result<Membership, String> {
        if !roles.is_sorted_by(|left, right| left < right)
            || !teams.is_sorted_by(|left, right| left < right)
        {
            return Err("roles or teams are not sorted or repeat".to_owned());
        }
        if let Some(unknown) = teams.iter().find(|team| !self.teams.contains_key(*team)) {
            return Err(format!("team `{unknown}` does not exist"));
        }
        Ok(Membership {
            from_index,
            roles: roles.to_vec(),
            teams: teams.to_vec(),
        })
    }

    fn active_person(&mut self, person: &str) -> Result<&mut Person, String> {
        match self.people.get_mut(person) {
            Some(known) if known.removed_at.is_none() => Ok(known),
            Some(_) => Err(format!("person `{person}` has left")),
            None => Err(format!("person `{person}` does not exist")),
        }
    }

    fn check_new_device(&self, device: &str, key: &PublicKey) -> Result<(), String> {
        check_id(device, "d_")?;
        if self.devices.contains_key(device) {
            return Err(format!("device `{device}` exists"));
        }
        match self.device_by_key(&key.kid()) {
            Some((other, _)) => Err(format!("device `{other}` already has this key")),
            None => Ok(()),
        }
    }
}

/// Identifiers are random, so that they say nothing: a prefix and 32 lower-case hex digits.
fn check_id(id: &str, prefix: &str) -> Result<(), String> {
    let hex = |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter);
    match id.strip_prefix(prefix) {
        Some(rest) if rest.len() == 32 && rest.bytes().all(hex) => Ok(()),
        _ => Err(format!("`{id}` is not {prefix} and 32 hex digits")),
    }
}
