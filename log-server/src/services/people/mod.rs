//! The people: who has which address, and what of the roster devices are told.
//!
//! Owns what deciding who enrols and who signs in, and giving a policy to a fleet, needs beyond the log's
//! ledger: the roster's confidential names, and how far the roster was followed. It reads the roster
//! entries only, of which a log of millions has thousands: it stands a moment after a start, while the
//! index of the console still reads the log.

mod directory;
mod follower;

pub use directory::Directory;
pub use follower::{NamesError, follow, names};

use cairn_event::Disclosure;
use cairn_identity::Roster;
use cairn_identity::enrolment::Address;
use std::collections::BTreeSet;

/// The roster's names, as far as the log is published.
#[derive(Debug, Default)]
pub struct People {
    directory: Directory,
    /// Published entries whose names are known.
    size: u64,
    /// Roster entries not yet followed whose addresses are known all the same.
    noted: BTreeSet<u64>,
}

impl People {
    /// Published entries that were followed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Addresses and host names.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The person with this address: the first who is still here, or the first who ever had it. A
    /// second person with a colleague's address must not take over the colleague's sign-in.
    #[must_use]
    pub fn person_of(&self, roster: &Roster, address: &Address) -> Option<&str> {
        let left = |holder: &&str| {
            let known = roster.people.get(*holder);
            known.is_some_and(|one| one.removed_at.is_some())
        };
        let holders = || self.directory.people_of(address);
        let here = holders().find(|holder| !left(holder));
        here.or_else(|| holders().next())
    }

    /// Learns an address from an entry that is sequenced and not yet followed.
    pub fn note_address(&mut self, person: &str, address: &Address, at: u64) {
        self.directory.learn_email(person, address.as_str(), at);
        if at >= self.size {
            self.noted.insert(at);
        }
    }

    /// Whether every entry of `roster`, which may be ahead, was followed or noted: only then does an
    /// address without a person belong to nobody.
    #[must_use]
    pub fn knows_roster(&self, roster: &Roster) -> bool {
        let newest = roster.indices.iter().rev();
        let mut unread = newest.take_while(|index| **index >= self.size);
        unread.all(|index| self.noted.contains(index))
    }

    /// Takes back what was learned from the entry at `at`, and learns what an erasure left of it.
    pub fn learn_again(&mut self, at: u64, left: &[Disclosure]) {
        self.directory.forget_from(at);
        left.iter().for_each(|one| self.directory.learn(one, at));
    }

    fn learn(&mut self, at: u64, disclosures: &[Disclosure]) {
        disclosures
            .iter()
            .for_each(|one| self.directory.learn(one, at));
    }

    fn set_size(&mut self, size: u64) {
        self.size = size;
        self.noted.retain(|at| *at >= size);
    }
}

/// A person and the devices that are or were theirs: what their own names are about.
#[must_use]
pub fn names_of(roster: &Roster, person: &str) -> BTreeSet<String> {
    let own = roster.devices.iter();
    let own = own.filter(|(_, device)| device.person == person);
    let mut names: BTreeSet<String> = own.map(|(name, _)| name.clone()).collect();
    names.insert(person.to_owned());
    names
}
