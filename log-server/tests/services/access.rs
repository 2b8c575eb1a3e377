//! Every route of the services against every kind of caller.

use super::world::{ORIGIN, World};
use cairn_event::PersonRole::{self, Admin, Auditor, Developer, Security};
use cairn_identity::token::{Subject, TOKEN_SECONDS, TokenIssuer};
use cairn_server::keys::Keys;
use cairn_server::services::access::Access;
use cairn_server::services::surface::{ROUTES, Route};
use reqwest::StatusCode;

/// Somebody who calls.
struct Somebody {
    name: &'static str,
    token: Option<String>,
    roles: Option<Vec<PersonRole>>,
}

async fn everybody(world: &World) -> Vec<Somebody> {
    let mut all = Vec::new();
    let roles = [
        ("admin", Admin),
        ("security", Security),
        ("auditor", Auditor),
        ("developer", Developer),
    ];
    for (number, (name, role)) in (1..).zip(roles) {
        let person = world
            .person(number, &[role], &format!("{name}@example.org"))
            .await;
        let token = world.forge(&person, &[role], None);
        all.push(Somebody {
            name,
            token: Some(token),
            roles: Some(vec![role]),
        });
    }
    let bare = world.person(5, &[], "bare@example.org").await;
    let token = Some(world.forge(&bare, &[], None));
    all.push(Somebody {
        name: "nobody's role",
        token,
        roles: Some(vec![]),
    });
    all.push(Somebody {
        name: "administrator",
        token: Some(world.admin_token().await),
        roles: Some(vec![Admin]),
    });
    let admin = format!("p_{:032x}", 1);
    let token = |token| Some(token);
    let bad = |name, token| Somebody {
        name,
        token,
        roles: None,
    };
    all.push(bad("no token", None));
    all.push(bad("not a token", token("x.y.z".to_owned())));
    let old = world.log.now_ms() / 1_000 - 2 * TOKEN_SECONDS;
    all.push(bad(
        "expired",
        token(world.forge_at(&admin, &[Admin], None, old)),
    ));
    let subject = Subject {
        person: admin.clone(),
        roles: vec![Admin],
        device: None,
    };
    let keys = Keys::load(&world.data()).unwrap();
    let now = world.log.now_ms() / 1_000;
    let other = TokenIssuer::new("other.example", &keys.token);
    all.push(bad(
        "other origin's",
        token(other.issue(&subject, now, [1; 16]).unwrap().0),
    ));
    let forged = TokenIssuer::new(ORIGIN, &[9; 32]);
    all.push(bad(
        "other key's",
        token(forged.issue(&subject, now, [1; 16]).unwrap().0),
    ));
    let mut tampered = world.forge(&format!("p_{:032x}", 4), &[Developer], None);
    let at = tampered.find('.').unwrap() + 20;
    let letter = if tampered.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    tampered.replace_range(at..=at, letter);
    all.push(bad("tampered", token(tampered)));
    all.push(bad(
        "unknown person",
        token(world.forge("p_unknown", &[Admin], None)),
    ));
    all.push(bad(
        "unknown device",
        token(world.forge(&admin, &[Admin], Some("d_none"))),
    ));
    all
}

/// Whether the gate must let this caller through to the handler.
fn passes(route: &Route, who: &Somebody) -> bool {
    match (route.access, &who.roles) {
        (Access::Public | Access::OwnSecret, _) => true,
        (_, None) => false,
        (Access::AnyToken, Some(_)) => true,
        (Access::Roles(may), Some(roles)) => roles.iter().any(|role| may.contains(role)),
    }
}

fn fill(path: &str) -> String {
    path.replace("{sha256}", &"0".repeat(64))
        .replace("{index}", "999999")
        .replace("{session}", "none")
        .replace("{name}", "none")
        .replace("{id}", "none")
}

#[tokio::test]
async fn every_route_for_every_caller() {
    let world = World::new().await;
    let callers = everybody(&world).await;
    let mut judged = 0;
    for route in ROUTES {
        for who in &callers {
            let mut call = world.call(route.method, &fill(route.path));
            if let Some(token) = &who.token {
                call = call.bearer_auth(token);
            }
            let answer = call.send().await.unwrap();
            let status = answer.status();
            let place = format!("{} {} as {}: {status}", route.method, route.path, who.name);
            if passes(route, who) {
                assert_ne!(status, StatusCode::FORBIDDEN, "{place}");
                let own = matches!(route.access, Access::OwnSecret);
                assert!(own || status != StatusCode::UNAUTHORIZED, "{place}");
            } else if who.roles.is_some() {
                assert_eq!(status, StatusCode::FORBIDDEN, "{place}");
            } else {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{place}");
                assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{place}");
            }
            judged += 1;
        }
    }
    assert_eq!(judged, ROUTES.len() * callers.len());
}

#[tokio::test]
async fn roles_are_those_of_the_roster_now() {
    let world = World::new().await;
    let person = world.person(1, &[Developer], "dev@example.org").await;
    let claims_more = world.forge(&person, &[Admin, Developer], None);
    let answer = world.get("/v1/me", &claims_more).send().await.unwrap();
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains(r#""roles":["developer"]"#)
    );
    let gone = cairn_event::administrative::RosterChange::RemovePerson { person };
    world.roster(vec![gone], &[]).await;
    let answer = world.get("/v1/me", &claims_more).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn two_tokens_and_other_schemes_are_no_token() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let twice = world
        .get("/v1/me", &token)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(twice.status(), StatusCode::UNAUTHORIZED);
    let basic = world
        .call("GET", "/v1/me")
        .header("authorization", format!("Basic {token}"));
    assert_eq!(
        basic.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let query = world
        .call("GET", &format!("/v1/me?access_token={token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(query.status(), StatusCode::UNAUTHORIZED);
}
