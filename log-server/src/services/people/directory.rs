//! Who has which address, and which device which host name: the roster's confidential members.
//!
//! Remembers from which entry each name was learned, so that an erasure takes it back.

use cairn_event::Disclosure;
use cairn_identity::enrolment::Address;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

#[derive(Debug)]
struct Learned {
    text: String,
    at: u64,
}

/// Addresses of people and host names of devices.
#[derive(Debug, Default)]
pub struct Directory {
    emails: HashMap<String, Learned>,
    /// Who has an address, by the entry that says so.
    people: HashMap<String, BTreeSet<(u64, String)>>,
    hosts: HashMap<String, Learned>,
    /// Entries that disclose a name of a person or device; what was erased since may be among them.
    naming: HashMap<String, BTreeSet<u64>>,
}

impl Directory {
    /// The roster entries that may disclose a name of this person or device.
    pub fn naming(&self, about: &str) -> impl Iterator<Item = u64> + '_ {
        self.naming.get(about).into_iter().flatten().copied()
    }

    /// The address of a person.
    #[must_use]
    pub fn email(&self, person: &str) -> Option<&str> {
        self.emails.get(person).map(|one| one.text.as_str())
    }

    /// The host name of a device.
    #[must_use]
    pub fn host(&self, device: &str) -> Option<&str> {
        self.hosts.get(device).map(|one| one.text.as_str())
    }

    /// The people who have or had this address, in the order in which the log says so.
    pub fn people_of(&self, address: &Address) -> impl Iterator<Item = &str> {
        let holders = self.people.get(address.as_str()).into_iter().flatten();
        holders.map(|(_, person)| person.as_str())
    }

    /// Learns from a disclosure of the roster entry at `at`; others are passed over.
    pub(super) fn learn(&mut self, disclosure: &Disclosure, at: u64) {
        if let Some(("email" | "host", about)) = disclosure.name().split_once(':') {
            self.naming.entry(about.to_owned()).or_default().insert(at);
        }
        let Value::String(text) = disclosure.value() else {
            return;
        };
        match disclosure.name().split_once(':') {
            Some(("email", person)) => self.learn_email(person, text, at),
            Some(("host", device)) if self.hosts.get(device).is_none_or(|known| known.at <= at) => {
                self.hosts.insert(
                    device.to_owned(),
                    Learned {
                        text: text.clone(),
                        at,
                    },
                );
            }
            _ => {}
        }
    }

    /// What an older entry says than the one that is known is passed over.
    pub(super) fn learn_email(&mut self, person: &str, email: &str, at: u64) {
        if self.emails.get(person).is_some_and(|known| known.at > at) {
            return;
        }
        self.forget_email(person);
        // One spelling, so that what an administrator typed is found by what the person types.
        let spelled = Address::parse(email).map(|one| one.as_str().to_owned());
        let text = spelled.unwrap_or_else(|_| email.to_owned());
        self.people
            .entry(text.clone())
            .or_default()
            .insert((at, person.to_owned()));
        self.emails.insert(person.to_owned(), Learned { text, at });
    }

    pub(super) fn forget_from(&mut self, at: u64) {
        self.hosts.retain(|_, one| one.at != at);
        let gone: Vec<String> = self
            .emails
            .iter()
            .filter(|(_, one)| one.at == at)
            .map(|(person, _)| person.clone())
            .collect();
        gone.iter().for_each(|person| self.forget_email(person));
    }

    fn forget_email(&mut self, person: &str) {
        if let Some(old) = self.emails.remove(person)
            && let Some(holders) = self.people.get_mut(&old.text)
        {
            holders.remove(&(old.at, person.to_owned()));
        }
    }
}
