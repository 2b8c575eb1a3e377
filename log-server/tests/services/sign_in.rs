//! Sign-in of people, and tokens for devices and administrators.

use super::mail_sink::{Outbox, Sink};
use super::person::Device;
use super::world::{ORIGIN, World, expect, problem, random, smtp};
use cairn_event::administrative::RosterChange;
use cairn_event::{EntrySigner, PersonRole, SoftwareKey};
use cairn_identity::assertion::{WINDOW_MS, assert_key};
use cairn_identity::token::TokenVerifier;
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn ask(world: &World, email: &str) -> Value {
    let answer = world
        .post_json("/v1/login/email", json!({ "email": email }))
        .await;
    expect(answer, StatusCode::OK).await["login"].clone()
}

#[tokio::test]
async fn a_person_signs_in_with_a_code() {
    let world = World::new().await;
    let person = world
        .person(1, &[PersonRole::Auditor], "aud@example.org")
        .await;
    let login = ask(&world, "AUD@example.org").await;
    let code = Outbox::default().next(&world, "sign in").await.code();
    let body = json!({ "login": login, "code": code });
    let answer = world.post_json("/v1/login/code", body.clone()).await;
    let answer = expect(answer, StatusCode::OK).await;
    assert_eq!(
        (&answer["person"], &answer["roles"]),
        (&json!(person), &json!(["auditor"]))
    );
    assert_eq!(answer["expires_in"], 600);
    let me = world
        .json("/v1/me", answer["access_token"].as_str().unwrap())
        .await;
    assert_eq!(me["email"], "aud@example.org");
    assert_eq!(me["organisation"], "Example & Sons");
    let again = world.post_json("/v1/login/code", body).await;
    assert_eq!(
        problem(again, StatusCode::UNAUTHORIZED).await,
        "wrong-code",
        "single use"
    );
}

#[tokio::test]
async fn an_unknown_address_learns_nothing() {
    let mut sink = Sink::start().await;
    let port = sink.port;
    let world = World::with(|config| config.mail = smtp(port)).await;
    world
        .person(1, &[PersonRole::Auditor], "aud@example.org")
        .await;
    let unknown = ask(&world, "nobody@example.org").await;
    let known = ask(&world, "aud@example.org").await;
    assert_eq!(
        unknown.as_str().unwrap().len(),
        known.as_str().unwrap().len()
    );
    assert_eq!(sink.next().await.to, "aud@example.org");
    assert!(sink.is_empty());
    for login in [unknown, json!("l_none")] {
        let body = json!({ "login": login, "code": "000000" });
        let answer = world.post_json("/v1/login/code", body).await;
        assert_eq!(
            problem(answer, StatusCode::UNAUTHORIZED).await,
            "wrong-code"
        );
    }
}

#[tokio::test]
async fn guessing_is_over_after_five_tries() {
    let world = World::new().await;
    world
        .person(1, &[PersonRole::Admin], "adm@example.org")
        .await;
    let login = ask(&world, "adm@example.org").await;
    let code = Outbox::default().next(&world, "sign in").await.code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let body = json!({ "login": login, "code": wrong });
        let answer = world.post_json("/v1/login/code", body).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let body = json!({ "login": login, "code": code });
    let answer = world.post_json("/v1/login/code", body).await;
    assert_eq!(
        answer.status(),
        StatusCode::UNAUTHORIZED,
        "the right code is burnt"
    );
    for _ in 0..4 {
        ask(&world, "adm@example.org").await;
    }
    let body = json!({ "email": "adm@example.org" });
    let sixth = world.post_json("/v1/login/email", body).await;
    assert!(sixth.headers().contains_key("retry-after"));
    assert!(!sixth.headers().contains_key("cache-control"));
    assert_eq!(
        problem(sixth, StatusCode::TOO_MANY_REQUESTS).await,
        "too-many-codes"
    );
}

/// Whoever holds the authority key could enrol a device for an administrator.
#[tokio::test]
async fn a_device_is_a_developer_whatever_its_person_may_do() {
    use cairn_event::PersonRole::{Admin, Auditor, Developer, Security};
    let world = World::new().await;
    let device = Device::enrol(&world, "ann@example.com").await;
    for (roles, shown) in [
        (
            vec![Admin, Security, Auditor, Developer],
            json!(["developer"]),
        ),
        (vec![Admin, Auditor], json!([])),
    ] {
        let update = RosterChange::UpdatePerson {
            person: device.person.clone(),
            roles,
            teams: vec![],
        };
        world.roster(vec![update], &[]).await;
        let token = device.token(&world).await;
        let me = world.get("/v1/me", &token).send().await.unwrap();
        if shown == json!([]) {
            assert_eq!(problem(me, StatusCode::FORBIDDEN).await, "forbidden");
        } else {
            assert_eq!(expect(me, StatusCode::OK).await["roles"], shown);
        }
        world.json("/v1/roster", &token).await;
    }
}

#[tokio::test]
async fn a_device_and_an_administrator_get_tokens_for_their_assertions() {
    let world = World::new().await;
    let device = Device::enrol(&world, "ann@example.com").await;
    let token = device.token(&world).await;
    let me = world.json("/v1/me", &token).await;
    assert_eq!(
        (&me["person"], &me["roles"]),
        (&json!(device.person), &json!(["developer"]))
    );
    let jwks = expect(
        world
            .call("GET", "/.well-known/jwks.json")
            .send()
            .await
            .unwrap(),
        StatusCode::OK,
    )
    .await;
    let mut jwk = jwks["keys"][0].clone();
    let members = jwk.as_object_mut().unwrap();
    members.retain(|name, _| ["crv", "kty", "x"].contains(&name.as_str()));
    let key: cairn_event::PublicKey = serde_json::from_value(jwk).unwrap();
    let claims = TokenVerifier::new(ORIGIN, &key).verify(&token, world.log.now_ms() / 1_000);
    assert_eq!(claims.unwrap().did.as_deref(), Some(device.device.as_str()));
    world.admin_token().await;
}

#[tokio::test]
async fn assertions_are_used_once_and_only_by_those_who_may() {
    let world = World::new().await;
    let device = Device::enrol(&world, "ann@example.com").await;
    let refused = async |assertion: String| {
        let answer = world
            .post_json("/v1/token", json!({ "assertion": assertion }))
            .await;
        problem(answer, StatusCode::UNAUTHORIZED).await
    };
    let once = world.assertion(&device.key, Some(&device.device));
    let answer = world
        .post_json("/v1/token", json!({ "assertion": once }))
        .await;
    expect(answer, StatusCode::OK).await;
    assert_eq!(refused(once).await, "assertion-used");
    let now = world.log.now_ms();
    let at =
        |origin, at| assert_key(origin, Some(&device.device), at, random(), &device.key).unwrap();
    assert_eq!(
        refused(at(ORIGIN, now - 2 * WINDOW_MS)).await,
        "assertion-times"
    );
    assert_eq!(
        refused(at(ORIGIN, now + 2 * WINDOW_MS)).await,
        "assertion-times"
    );
    assert_eq!(refused(at("other.example", now)).await, "other-log");
    let stranger = SoftwareKey::from_seed(&[42; 32]);
    assert_eq!(
        refused(world.assertion(&stranger, Some(&device.device))).await,
        "bad-signature"
    );
    assert_eq!(
        refused(world.assertion(&stranger, Some("d_none"))).await,
        "unknown-key"
    );
    assert_eq!(
        refused(world.assertion(&stranger, None)).await,
        "unknown-key"
    );
    assert_eq!(
        refused(world.assertion(&device.key, None)).await,
        "unknown-key",
        "no administrator"
    );
    assert_eq!(refused("a.b.c".into()).await, "malformed-assertion");
    let authority = world.log.authority_signer().public_key();
    assert_ne!(authority, world.admin.public_key());
    let revoke = RosterChange::RevokeDevice {
        device: device.device.clone(),
        reason: "lost".into(),
    };
    let token = device.token(&world).await;
    world.roster(vec![revoke], &[]).await;
    assert_eq!(
        refused(world.assertion(&device.key, Some(&device.device))).await,
        "unknown-key"
    );
    let late = world.get("/v1/me", &token).send().await.unwrap();
    assert_eq!(
        problem(late, StatusCode::UNAUTHORIZED).await,
        "device-revoked"
    );
}
