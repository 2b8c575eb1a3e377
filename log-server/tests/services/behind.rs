//! Where the roster was not followed to its end nobody is decided about: after a start, and while an
//! entry is not followed yet.

use super::mail_sink::Outbox;
use super::person::{Device, Enrolling, request};
use super::world::{PATIENCE, World, expect, problem};
use cairn_api::paths;
use cairn_event::administrative::{RosterChange, RosterStatement};
use cairn_event::body::Body;
use cairn_event::{PersonRole, SoftwareKey};
use cairn_identity::enrolment::Address;
use cairn_server::services::people::{self, People};
use cairn_server::services::standing::Standing;
use cairn_server::services::surface::{Needs, ROUTES};
use cairn_server::{SubmitResult, Wait};
use reqwest::StatusCode;
use serde_json::json;
use std::future::Future;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, RwLock};

/// Threads for blocking work in these tests' runtime; the followers of roster and index need one each.
const THREADS: usize = 4;

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS)
        .build();
    runtime.unwrap().block_on(test);
}

/// Takes every thread for blocking work, until what it gives is dropped.
fn hold_the_followers() -> Vec<Sender<()>> {
    let holds = (0..THREADS).map(|_| {
        let (release, held) = mpsc::channel();
        // Ends with the error that nobody will ever send.
        tokio::task::spawn_blocking(move || held.recv());
        release
    });
    holds.collect()
}

#[test]
fn after_a_start_nobody_enrols_or_signs_in_before_the_index_is_whole() {
    run(async {
        let world = World::new().await;
        let ann = Device::enrol(&world, "ann@example.com").await;
        let person = world
            .person(7, &[PersonRole::Developer], "bo@example.com")
            .await;
        let gone = RosterChange::RemovePerson { person };
        let size = world.roster(vec![gone], &[]).await + 1;

        let mut hold = Vec::new();
        let world = world.restarted_after(|| hold = hold_the_followers()).await;
        let ready = world.call("GET", "/readyz").send().await.unwrap();
        assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
        let ready: serde_json::Value = ready.json().await.unwrap();
        let reason = "the roster is being read";
        assert_eq!(ready["reasons"], json!([reason]));
        let start = request(&SoftwareKey::from_seed(&[9; 32]));
        let refused = [
            ("/v1/login/email", json!({ "email": "bo@example.com" })),
            (
                "/v1/login/code",
                json!({ "login": "l_x", "code": "123456" }),
            ),
            ("/v1/enroll", start.clone()),
        ];
        for (path, body) in refused {
            let answer = world.post_json(path, body).await;
            assert_eq!(answer.headers()["retry-after"], "5", "{path}");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(problem(answer, status).await, "index-behind", "{path}");
        }
        let token = ann.token(&world).await;
        for path in [
            "/v1/roster",
            "/v1/policy",
            "/v1/me",
            "/v1/devices",
            "/v1/sessions",
        ] {
            let answer = world.get(path, &token).send().await.unwrap();
            let status = StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(problem(answer, status).await, "index-behind", "{path}");
        }
        let nobody = world.call("GET", "/v1/me").send().await.unwrap();
        assert_eq!(
            nobody.status(),
            StatusCode::UNAUTHORIZED,
            "the gate comes first"
        );

        drop(hold);
        world.follow(size).await;
        // Whoever left gets no code; a mail asked for later has come.
        let mut back = Enrolling::start(&world).await;
        let words = back.words.clone();
        back.ask_code(&world, "bo@example.com").await;
        let again = Device::enrol(&world, "ann@example.com").await;
        assert!(Outbox::default().look(&world, &words).is_none());
        assert_eq!(
            again.person, ann.person,
            "and nobody gets a second identity"
        );
        assert_eq!(world.log.ledger().roster().people.len(), 2);
    });
}

#[test]
fn the_people_stand_without_the_index() {
    run(async {
        let world = World::new().await;
        let ann = Device::enrol(&world, "ann@example.com").await;
        let size = world.log.published().borrow().size;
        let people = Arc::new(RwLock::new(People::default()));
        let standing = Arc::new(Standing::new(size));
        standing.judge_told().unwrap_err();
        let mut heads = people::follow(&world.log, people.clone(), standing.clone());
        let roster = world.log.ledger().roster().clone();
        let revision = roster.revision;
        let newest = heads.wait_for(|heads| {
            let newest = heads.roster.as_ref();
            newest.is_some_and(|head| head.revision == revision)
        });
        tokio::time::timeout(PATIENCE, newest)
            .await
            .unwrap()
            .unwrap();
        let stands = async {
            while standing.judge_told().is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, stands).await.unwrap();
        let people = people.read().unwrap();
        assert!(people.knows_roster(&roster));
        let address = Address::parse("ann@example.com").unwrap();
        assert_eq!(
            people.person_of(&roster, &address),
            Some(ann.person.as_str())
        );
        assert!(people.directory().host(&ann.device).is_some());
    });
}

#[test]
fn what_devices_follow_and_who_signs_in_waits_for_the_people_only() {
    let needs = |path: &str| {
        let mut routes = ROUTES.iter().filter(|route| route.path == path);
        routes.next().unwrap().needs
    };
    for path in [
        paths::ROSTER,
        paths::POLICY,
        paths::POLICY_STREAM,
        paths::LOGIN_EMAIL,
        paths::LOGIN_CODE,
        paths::ENROLL,
        paths::ME,
    ] {
        assert_eq!(needs(path), Needs::People, "{path}");
    }
    assert_eq!(needs(paths::EVENTS), Needs::Index);
    assert_eq!(needs(paths::TOKEN), Needs::Log);
}

#[test]
fn a_person_whom_an_entry_not_yet_followed_adds_gets_no_second_identity() {
    run(async {
        let world = World::new().await;
        let mut enrolling = Enrolling::start(&world).await;
        let words = enrolling.words.clone();
        enrolling.ask_code(&world, "zoe@example.com").await;
        let code = Outbox::default().next(&world, &words).await.code();

        let hold = hold_the_followers();
        let zoe = format!("p_{:032x}", 7);
        let added = RosterChange::AddPerson {
            person: zoe.clone(),
            roles: vec![PersonRole::Auditor],
            teams: Vec::new(),
        };
        let revision = world.log.ledger().roster().revision + 1;
        let changes = vec![added];
        let body = Body::Roster(RosterStatement { changes, revision });
        let line = world.sealed(body, &[(&format!("email:{zoe}"), "zoe@example.com")]);
        let taken = world
            .log
            .submit(vec![line], Wait::Sequenced, PATIENCE)
            .await;
        let taken = taken.unwrap();
        assert!(matches!(taken[..], [SubmitResult::Accepted { .. }]));
        let answer = enrolling.enter(&world, &code).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        // The roster cannot grow while the index is held; the enrolment waits and does not fail.
        let login = json!({ "email": "someone@example.com" });
        expect(
            world.post_json("/v1/login/email", login).await,
            StatusCode::OK,
        )
        .await;
        assert_eq!(enrolling.status(&world).await["state"], "pending");
        assert_eq!(world.log.ledger().roster().revision, revision);

        drop(hold);
        let outcome = enrolling.outcome(&world).await;
        assert_eq!(outcome["admitted"]["person"], zoe);
        assert_eq!(world.log.ledger().roster().people.len(), 1);
    });
}
