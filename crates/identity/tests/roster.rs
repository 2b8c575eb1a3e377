//! A statement about the roster is taken over whole or not at all, in place as well as in a copy.

use cairn_event::administrative::{RosterChange, RosterStatement};
use cairn_event::{EntrySigner as _, Isolation, KeyProtection, PersonRole, SoftwareKey};
use cairn_identity::Roster;
use proptest::prelude::*;

/// Few of each, so that most statements hit something that is there already, or is not there yet.
fn change() -> impl Strategy<Value = RosterChange> {
    (0_u8..6, 0_u8..4, 0_u8..4, 0_u8..4).prop_map(|(kind, one, other, key)| {
        let person = format!("p_{one:032x}");
        let device = format!("d_{other:032x}");
        let (roles, team) = (vec![PersonRole::Developer], format!("team-{other}"));
        match kind {
            0 => RosterChange::AddTeam {
                name: format!("name {key}"),
                team,
            },
            1 => RosterChange::AddPerson {
                person,
                roles,
                teams: if key == 0 { vec![team] } else { vec![] },
            },
            2 => RosterChange::UpdatePerson {
                person,
                roles,
                teams: vec![],
            },
            3 => RosterChange::RemovePerson { person },
            4 => RosterChange::AdmitDevice {
                device,
                isolation: Isolation::SelfAsserted,
                key: SoftwareKey::from_seed(&[key + 1; 32]).public_key(),
                methods: vec![],
                person,
                protection: KeyProtection::Software,
            },
            _ => RosterChange::RevokeDevice {
                device,
                reason: String::new(),
            },
        }
    })
}

proptest! {
    #[test]
    fn in_place_and_in_a_copy_are_the_same(
        statements in prop::collection::vec(prop::collection::vec(change(), 1..6), 1..20),
    ) {
        let mut roster = Roster::default();
        for (at, changes) in statements.into_iter().enumerate() {
            let index = at as u64 + 1;
            let statement = RosterStatement { changes, revision: roster.revision + 1 };
            let before = roster.clone();
            let copied = before.apply(index, &statement);
            let taken = roster.take(index, &statement);
            match copied {
                Ok(next) => {
                    prop_assert_eq!(taken, Ok(()));
                    prop_assert_eq!(&roster, &next);
                }
                Err(refused) => {
                    prop_assert_eq!(taken, Err(refused));
                    prop_assert_eq!(&roster, &before);
                }
            }
            for (name, device) in &roster.devices {
                let (found, _) = roster.device_by_key(&device.key.kid()).unwrap();
                prop_assert_eq!(found, name);
            }
        }
    }
}
