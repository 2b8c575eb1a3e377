//! Enrolment end to end: pages, mail, the roster entry, and everything that must not work.

use super::mail_sink::{Outbox, Sink};
use super::person::{Device, Enrolling, request};
use super::world::{ORIGIN, World, expect, problem, smtp};
use cairn_event::EntrySigner;
use cairn_event::administrative::{Right, RosterChange};
use cairn_event::body::Body;
use cairn_event::{Entry, PersonRole, SoftwareKey};
use cairn_identity::enrolment::fingerprint_words;
use reqwest::StatusCode;
use serde_json::json;

fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &code[1..])
}

#[tokio::test]
async fn a_device_is_enrolled_through_the_pages_by_smtp() {
    let mut sink = Sink::start().await;
    let port = sink.port;
    let world = World::with(|config| config.mail = smtp(port)).await;
    let mut enrolling = Enrolling::start(&world).await;
    assert_eq!(
        enrolling.words,
        fingerprint_words(&enrolling.key.public_key())
    );
    assert_eq!(
        enrolling.status(&world).await,
        json!({ "state": "pending" })
    );

    let page = enrolling.page(&world).await;
    assert!(
        page.contains(&enrolling.words) && page.contains("Example &amp; Sons"),
        "{page}"
    );
    assert!(
        page.contains("ann&#39;s &lt;laptop&gt;") && !page.contains("<laptop>"),
        "escaped"
    );

    enrolling.ask_code(&world, "Ann@Example.com").await;
    let mail = sink.next().await;
    assert_eq!(mail.to, "ann@example.com");
    assert!(
        mail.text.contains(&enrolling.words),
        "the mail shows the fingerprint"
    );
    assert!(enrolling.page(&world).await.contains("six-digit code"));

    let answer = enrolling.enter(&world, &mail.code()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let status = enrolling.outcome(&world).await;
    let admitted = &status["admitted"];
    assert_eq!(
        (&admitted["origin"], &admitted["email"]),
        (&json!(ORIGIN), &json!("ann@example.com"))
    );
    assert_eq!(admitted["log_key"], world.public.log_key);
    assert!(
        admitted["genesis_entry"]
            .as_str()
            .unwrap()
            .starts_with("eyJ")
    );
    assert!(
        admitted["trust_policy"]
            .as_str()
            .unwrap()
            .contains(&world.public.log_key)
    );
    assert!(
        enrolling
            .page(&world)
            .await
            .contains("This device now belongs to")
    );
    assert!(
        sink.next().await.text.contains("was enrolled in your name"),
        "the person is told"
    );

    let index = admitted["roster_index"].as_u64().unwrap();
    assert!(
        world.log.receipt(index).unwrap().is_some(),
        "admitted only once published"
    );
    let entry = Entry::parse(&world.log.entry(index).unwrap().unwrap()).unwrap();
    let Body::Roster(statement) = &entry.payload().body else {
        panic!("not a roster entry")
    };
    assert!(matches!(statement.changes.as_slice(),
        [RosterChange::AddPerson { .. }, RosterChange::AdmitDevice { methods, .. }]
        if methods == &["email-otp"]));
    assert_eq!(
        entry.payload().sd.len(),
        2,
        "address and host are confidential"
    );
    let clear = String::from_utf8_lossy(entry.bytes()).into_owned();
    assert!(!clear.contains("ann@example.com"));
}

#[tokio::test]
async fn a_second_device_belongs_to_the_same_person() {
    let world = World::new().await;
    let first = Device::enrol(&world, "ann@example.com").await;
    let second = Device::enrol(&world, "ann@example.com").await;
    assert_eq!(first.person, second.person);
    assert_ne!(first.device, second.device);
    assert_eq!(world.log.ledger().roster().people.len(), 1);
}

#[tokio::test]
async fn an_unknown_address_gets_the_same_pages_and_no_mail() {
    let mut sink = Sink::start().await;
    let port = sink.port;
    let world = World::with(|config| config.mail = smtp(port)).await;
    let (mut eve, mut ann) = (
        Enrolling::start(&world).await,
        Enrolling::start(&world).await,
    );
    eve.ask_code(&world, "eve@elsewhere.example").await;
    ann.ask_code(&world, "ann@example.com").await;
    assert_eq!(sink.next().await.to, "ann@example.com");
    assert!(sink.is_empty(), "nothing went to the unknown address");
    let neutral = |page: String, enrolling: &Enrolling| {
        page.replace(&enrolling.id, "ID")
            .replace(&enrolling.words, "WORDS")
            .replace("eve@elsewhere.example", "ADDRESS")
            .replace("ann@example.com", "ADDRESS")
    };
    let (of_eve, of_ann) = (eve.page(&world).await, ann.page(&world).await);
    assert_eq!(neutral(of_eve, &eve), neutral(of_ann, &ann));
    for _ in 0..4 {
        assert_eq!(
            eve.enter(&world, "123456").await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(eve.status(&world).await["state"], "pending");
}

#[tokio::test]
async fn a_person_the_administrator_added_may_enrol_from_any_domain() {
    let world = World::new().await;
    let person = world
        .person(7, &[PersonRole::Security], "Bo@partner.example")
        .await;
    let device = Device::enrol(&world, "bo@partner.example").await;
    assert_eq!(device.person, person);
    let gone = vec![RosterChange::RemovePerson {
        person: person.clone(),
    }];
    world.roster(gone, &[]).await;
    let mut again = Enrolling::start(&world).await;
    let words = again.words.clone();
    again.ask_code(&world, "bo@partner.example").await;
    // A mail to somebody else that is asked for later has come: this one was not sent.
    let mut other = Enrolling::start(&world).await;
    other.ask_code(&world, "ann@example.com").await;
    let mut outbox = Outbox::default();
    outbox.next(&world, &other.words).await;
    assert!(
        outbox.look(&world, &words).is_none(),
        "whoever left does not come back alone"
    );
}

#[tokio::test]
async fn codes_burn_and_only_the_newest_counts() {
    let world = World::new().await;
    let mut enrolling = Enrolling::start(&world).await;
    let words = enrolling.words.clone();
    let mut outbox = Outbox::default();
    enrolling.ask_code(&world, "ann@example.com").await;
    let first = outbox.next(&world, &words).await.code();
    for _ in 0..5 {
        let answer = enrolling.enter(&world, &wrong(&first)).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let burnt = enrolling.enter(&world, &first).await;
    assert_eq!(
        burnt.status(),
        StatusCode::UNAUTHORIZED,
        "the right code is burnt"
    );
    assert!(burnt.text().await.unwrap().contains("Ask for a new one"));
    enrolling.ask_code(&world, "ann@example.com").await;
    let second = outbox.next(&world, &words).await.code();
    enrolling.ask_code(&world, "ann@example.com").await;
    let third = outbox.next(&world, &words).await.code();
    if second != third {
        assert_eq!(
            enrolling.enter(&world, &second).await.status(),
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(
        enrolling.enter(&world, &third).await.status(),
        StatusCode::SEE_OTHER
    );
    assert_eq!(enrolling.outcome(&world).await["state"], "admitted");
    assert_eq!(
        enrolling.enter(&world, &third).await.status(),
        StatusCode::CONFLICT,
        "single use"
    );
}

#[tokio::test]
async fn a_code_counts_only_in_the_browser_and_enrolment_that_asked_for_it() {
    let world = World::new().await;
    let mut enrolling = Enrolling::start(&world).await;
    enrolling.ask_code(&world, "ann@example.com").await;
    let words = enrolling.words.clone();
    let code = Outbox::default().next(&world, &words).await.code();
    let cookie = enrolling.cookie.take();
    assert_eq!(
        enrolling.enter(&world, &code).await.status(),
        StatusCode::FORBIDDEN
    );
    assert!(
        enrolling.page(&world).await.contains("Your e-mail address"),
        "no code form"
    );
    let mut other = Enrolling::start(&world).await;
    other.cookie = cookie.clone();
    assert_eq!(
        other.enter(&world, &code).await.status(),
        StatusCode::FORBIDDEN
    );
    enrolling.cookie = cookie;
    let forged = world.call("POST", &format!("/enroll/{}/code", enrolling.id));
    let forged = forged.header("cookie", enrolling.cookie.clone().unwrap());
    let forged = forged
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("code={code}"));
    assert_eq!(forged.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(
        enrolling.enter(&world, &code).await.status(),
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn an_address_gets_five_codes_an_hour() {
    let world = World::new().await;
    for _ in 0..5 {
        Enrolling::start(&world)
            .await
            .ask_code(&world, "ann@example.com")
            .await;
    }
    let sixth = Enrolling::start(&world).await;
    let answer = sixth.form(&world, "email", "email=ANN@example.com").await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.text().await.unwrap().contains("Too many codes"));
}

#[tokio::test]
async fn a_mail_that_cannot_be_sent_is_told_and_sent_again_on_demand() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let world = World::with(|config| config.mail = smtp(port)).await;
    let mut enrolling = Enrolling::start(&world).await;
    enrolling.ask_code(&world, "ann@example.com").await;
    let told = async {
        while !enrolling
            .page(&world)
            .await
            .contains("The mail could not be sent")
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::world::PATIENCE, told)
        .await
        .unwrap();
    let page = enrolling.page(&world).await;
    assert!(page.contains("Send a new code"), "{page}");
    assert_eq!(enrolling.status(&world).await["state"], "pending");
}

#[tokio::test]
async fn an_authority_without_the_right_admits_nobody() {
    let world = World::granting(&[Right::RecordActions], |_| ()).await;
    let mut enrolling = Enrolling::start(&world).await;
    enrolling.ask_code(&world, "ann@example.com").await;
    let words = enrolling.words.clone();
    let code = Outbox::default().next(&world, &words).await.code();
    assert_eq!(
        enrolling.enter(&world, &code).await.status(),
        StatusCode::SEE_OTHER
    );
    let status = enrolling.outcome(&world).await;
    assert_eq!(status["state"], "refused");
    assert!(
        status["reason"]
            .as_str()
            .unwrap()
            .contains("ask your administrator")
    );
    assert!(world.log.ledger().roster().devices.is_empty());
}

#[tokio::test]
async fn requests_that_prove_nothing_are_refused() {
    let world = World::new().await;
    let key = SoftwareKey::from_seed(&[9; 32]);
    let refused = async |change: fn(&mut serde_json::Value), status| {
        let mut body = request(&key);
        change(&mut body);
        problem(world.post_json("/v1/enroll", body).await, status).await
    };
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    let other = |body: &mut serde_json::Value| {
        let other = SoftwareKey::from_seed(&[8; 32]);
        body["key"] = serde_json::to_value(other.public_key()).unwrap();
    };
    assert_eq!(refused(other, unprocessable).await, "bad-signature");
    assert_eq!(
        refused(|body| body["host"] = "".into(), unprocessable).await,
        "name"
    );
    assert_eq!(
        refused(|body| body["os_user"] = "a\nb".into(), unprocessable).await,
        "name"
    );
    let tpm = |body: &mut serde_json::Value| body["protection"] = "tpm-attested".into();
    assert_eq!(refused(tpm, unprocessable).await, "unproven-protection");
    let user = |body: &mut serde_json::Value| body["isolation"] = "separate-user".into();
    assert_eq!(refused(user, unprocessable).await, "unproven-isolation");
    let more = |body: &mut serde_json::Value| body["person"] = "p_1".into();
    assert_eq!(
        refused(more, StatusCode::BAD_REQUEST).await,
        "malformed-body"
    );

    let device = Device::enrol(&world, "ann@example.com").await;
    let again = world.post_json("/v1/enroll", request(&device.key)).await;
    assert_eq!(problem(again, StatusCode::CONFLICT).await, "key-enrolled");
    let unknown = world.get("/v1/enroll/none", "secret").send().await.unwrap();
    assert_eq!(
        problem(unknown, StatusCode::UNAUTHORIZED).await,
        "poll-secret"
    );
    let started = Enrolling::start(&world).await;
    let path = format!("/v1/enroll/{}", started.id);
    let stranger = world.get(&path, "not the secret").send().await.unwrap();
    assert_eq!(
        problem(stranger, StatusCode::UNAUTHORIZED).await,
        "poll-secret"
    );
    let none = world.call("GET", "/enroll/none").send().await.unwrap();
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    let odd = started.form(&world, "email", "email=not-an-address").await;
    assert_eq!(odd.status(), StatusCode::BAD_REQUEST);
    let body = expect(
        world
            .post_json("/v1/enroll", request(&SoftwareKey::from_seed(&[7; 32])))
            .await,
        StatusCode::OK,
    )
    .await;
    assert!(
        body["poll_secret"].as_str().unwrap().len() >= 43,
        "256 bits"
    );
}

#[tokio::test]
async fn one_source_starts_so_many_enrolments_and_no_more() {
    use cairn_identity::enrolment::limits::STARTS_PER_SOURCE_HOUR;
    let world = World::new().await;
    let started = Enrolling::start(&world).await;
    // A start that proves nothing counts too: checking it costs the same.
    for _ in 1..STARTS_PER_SOURCE_HOUR {
        let mut body = request(&SoftwareKey::from_seed(&[9; 32]));
        body["host"] = "".into();
        let answer = world.post_json("/v1/enroll", body).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let fresh = request(&SoftwareKey::from_seed(&[7; 32]));
    let refused = world.post_json("/v1/enroll", fresh).await;
    let wait = refused.headers()["retry-after"].to_str().unwrap();
    assert!(
        (1..=3_600).contains(&wait.parse::<u64>().unwrap()),
        "{wait}"
    );
    let status = StatusCode::TOO_MANY_REQUESTS;
    assert_eq!(problem(refused, status).await, "too-many-enrolments");
    // What is under way goes on.
    assert_eq!(started.status(&world).await["state"], "pending");
}
