//! Who is counted by the limits on codes, and that guessing has a limit over all sources.

use super::mail_sink::Outbox;
use super::person::Enrolling;
use super::world::{World, expect, problem};
use cairn_event::PersonRole;
use cairn_event::administrative::RosterChange;
use cairn_identity::enrolment::limits::{
    CODES_PER_ADDRESS_HOUR, CODES_PER_SOURCE_HOUR, WRONG_CODES_HOUR,
};
use reqwest::{Response, StatusCode};
use serde_json::json;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// A server behind a proxy on this machine.
async fn behind_a_proxy() -> World {
    World::with(|config| config.proxies.addresses = vec!["127.0.0.1".parse().unwrap()]).await
}

async fn ask(world: &World, address: &str, forwarded_for: &str) -> Response {
    let call = world.call("POST", "/v1/login/email");
    let call = call.header(FORWARDED_FOR, forwarded_for);
    let body = json!({ "email": address });
    call.json(&body).send().await.unwrap()
}

/// Uses up what the source has; gives the answer to one more.
async fn exhaust(world: &World, source: impl Fn(usize) -> String) -> Response {
    for number in 0..CODES_PER_SOURCE_HOUR {
        let answer = ask(world, &format!("a{number}@example.com"), &source(number)).await;
        expect(answer, StatusCode::OK).await;
    }
    ask(
        world,
        "one.more@example.com",
        &source(CODES_PER_SOURCE_HOUR),
    )
    .await
}

#[tokio::test]
async fn behind_a_named_proxy_one_source_does_not_use_up_everybodys() {
    let world = behind_a_proxy().await;
    // What the client itself put before the proxy's hop is not read.
    let refused = exhaust(&world, |number| format!("198.51.100.{number}, 203.0.113.1")).await;
    let status = StatusCode::TOO_MANY_REQUESTS;
    assert_eq!(problem(refused, status).await, "too-many-codes");
    let other = ask(&world, "one.more@example.com", "203.0.113.2").await;
    expect(other, StatusCode::OK).await;
    let page = Enrolling::start(&world).await;
    let form = world.call("POST", &format!("/enroll/{}/email", page.id));
    let form = form.header(FORWARDED_FOR, "203.0.113.1");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body("email=b@example.com").send().await.unwrap();
    assert_eq!(answer.status(), status, "the pages count the same source");
}

#[tokio::test]
async fn the_addresses_of_one_ipv6_network_are_one_source() {
    let world = behind_a_proxy().await;
    let refused = exhaust(&world, |number| format!("2001:db8:0:1:{number:x}::1")).await;
    let status = StatusCode::TOO_MANY_REQUESTS;
    assert_eq!(problem(refused, status).await, "too-many-codes");
    let neighbour = ask(&world, "one.more@example.com", "2001:db8:0:2::1").await;
    expect(neighbour, StatusCode::OK).await;
}

#[tokio::test]
async fn nobody_else_is_believed_about_where_they_come_from() {
    let world = World::new().await;
    let refused = exhaust(&world, |number| format!("203.0.113.{number}")).await;
    let status = StatusCode::TOO_MANY_REQUESTS;
    assert_eq!(problem(refused, status).await, "too-many-codes");
}

/// The code of somebody who may not enrol any more is the way to see what a guessed one does.
#[tokio::test]
async fn the_right_code_of_an_address_that_may_not_enrol_is_a_wrong_one() {
    let world = World::new().await;
    let person = world
        .person(7, &[PersonRole::Developer], "bo@partner.example")
        .await;
    let mut enrolling = Enrolling::start(&world).await;
    let words = enrolling.words.clone();
    enrolling.ask_code(&world, "bo@partner.example").await;
    let code = Outbox::default().next(&world, &words).await.code();
    world
        .roster(vec![RosterChange::RemovePerson { person }], &[])
        .await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let of_wrong = enrolling.enter(&world, wrong).await;
    let status = of_wrong.status();
    let of_wrong = of_wrong.text().await.unwrap();
    let of_right = enrolling.enter(&world, &code).await;
    assert_eq!(of_right.status(), status);
    let of_right = of_right.text().await.unwrap();
    let left = |page: &str| page.replace("4 more tries", "3 more tries");
    assert_eq!(left(&of_right), left(&of_wrong), "the same page");
    assert!(of_right.contains("3 more tries"), "and it cost a try");
    assert_eq!(enrolling.status(&world).await["state"], "pending");
    assert!(world.log.ledger().roster().devices.is_empty());
}

#[tokio::test]
async fn wrong_codes_have_a_limit_over_all_sources_and_burnt_ones_do_not_count() {
    let world = behind_a_proxy().await;
    let mut enrolling = Enrolling::start(&world).await;
    let words = enrolling.words.clone();
    enrolling.ask_code(&world, "ann@example.com").await;
    let code = Outbox::default().next(&world, &words).await.code();
    let guess = async |login: &str, code: &str| {
        let body = json!({ "login": login, "code": code });
        world.post_json("/v1/login/code", body).await
    };
    let mut last = String::new();
    let mut wrong = 0;
    // Nobody has these addresses, so every code is wrong; each sign-in takes five.
    for number in 0.. {
        let (address, source) = (
            number / CODES_PER_ADDRESS_HOUR,
            number / CODES_PER_SOURCE_HOUR,
        );
        let source = format!("203.0.113.{source}");
        let started = ask(&world, &format!("a{address}@nowhere.example"), &source).await;
        last = expect(started, StatusCode::OK).await["login"]
            .as_str()
            .unwrap()
            .to_owned();
        for _ in 0..5 {
            let answer = guess(&last, "123456").await;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            wrong += 1;
        }
        if wrong == WRONG_CODES_HOUR - 5 {
            // A burnt sign-in can be hammered for ever and takes nothing from the others.
            for _ in 0..20 {
                let answer = guess(&last, "123456").await;
                assert_eq!(
                    problem(answer, StatusCode::UNAUTHORIZED).await,
                    "wrong-code"
                );
            }
        }
        if wrong == WRONG_CODES_HOUR {
            break;
        }
    }
    let answer = guess(&last, "123456").await;
    assert!(answer.headers().contains_key("retry-after"));
    let status = StatusCode::TOO_MANY_REQUESTS;
    assert_eq!(problem(answer, status).await, "too-many-wrong-codes");
    let answer = enrolling.enter(&world, &code).await;
    assert_eq!(
        answer.status(),
        status,
        "not even the right one is looked at"
    );
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("Try again in 60 minutes")
    );
    assert_eq!(enrolling.status(&world).await["state"], "pending");
}
