//! Reading a range: who may, what is recorded, what is given, and what a part is held to.

use super::person::Device;
use super::world::{World, expect, problem};
use cairn_event::PersonRole::{Auditor, Developer, Security};
use cairn_event::body::Body;
use cairn_event::{Entry, Payload};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

async fn announce(world: &World, token: &str, start: u64, end: u64) -> Response {
    let request = world.call("POST", "/v1/readings").bearer_auth(token);
    let body = json!({ "end": end, "purpose": "quarterly audit", "start": start });
    request.json(&body).send().await.unwrap()
}

async fn part(world: &World, token: &str, reading: u64, from: u64, to: u64) -> Response {
    let path = format!("/v1/readings/{reading}/disclosures?from={from}&to={to}");
    world.get(&path, token).send().await.unwrap()
}

async fn lines(answer: Response) -> Vec<Value> {
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = answer.text().await.unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn payload(world: &World, index: u64) -> Payload {
    let bytes = world.log.entry(index).unwrap().unwrap();
    Entry::parse(&bytes).unwrap().payload().clone()
}

/// Payloads of all entries that record a reading.
fn readings(world: &World) -> Vec<Payload> {
    let all = (0..world.log.size()).map(|index| payload(world, index));
    let read = all.filter(|one| match &one.body {
        Body::AdminAction(action) => action.action == "disclosure.read",
        _ => false,
    });
    read.collect()
}

#[tokio::test]
async fn a_reading_is_recorded_once_and_gives_every_state() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let denied = ann.work(&world, "s-1").await;
    let admin = world.admin_token().await;
    let first = world.json(&format!("/v1/events/{denied}"), &admin).await;
    let digest = first["disclosures"][0]["digest"].clone();
    let order = json!({ "reason": "asked for", "digests": [digest] });
    let path = format!("/v1/events/{denied}/erasure");
    let erase = world.call("POST", &path).bearer_auth(&admin).json(&order);
    expect(erase.send().await.unwrap(), StatusCode::OK).await;
    let auditor = world.person(2, &[Auditor], "aud@example.org").await;
    let token = world.forge(&auditor, &[Auditor], None);
    let before = readings(&world).len();

    let size = world.log.size();
    let started = expect(announce(&world, &token, 0, size).await, StatusCode::OK).await;
    let reading = started["reading"].as_u64().unwrap();
    let recorded = payload(&world, reading);
    let Body::AdminAction(action) = &recorded.body else {
        panic!("{recorded:?}");
    };
    assert_eq!(
        (action.person.as_str(), action.object.as_str()),
        (auditor.as_str(), format!("range:0-{size}").as_str())
    );
    let said = json!({ "reading": { "disclosures": started["disclosures"], "purpose": "quarterly audit" } });
    assert_eq!(recorded.ext, Some(said));

    let middle = size / 2;
    let mut given = Vec::new();
    for (from, to) in [(0, middle), (middle, size)] {
        let mut lines = lines(part(&world, &token, reading, from, to).await).await;
        let end = lines.pop().unwrap();
        assert_eq!(end, json!({ "entries": lines.len(), "next": to }));
        given.extend(lines);
    }
    let indices: Vec<u64> = given
        .iter()
        .map(|one| one["index"].as_u64().unwrap())
        .collect();
    assert!(
        indices.is_sorted_by(|left, right| left < right),
        "{indices:?}"
    );
    for index in 0..size {
        let sd = payload(&world, index).sd;
        let line = given.iter().find(|one| one["index"] == index);
        let digests = line.map(|line| line["disclosures"].as_array().unwrap().clone());
        let digests: Vec<Value> = digests.unwrap_or_default();
        let named: Vec<&str> = digests
            .iter()
            .map(|one| one["digest"].as_str().unwrap())
            .collect();
        assert_eq!(named, sd, "entry {index}");
    }
    let states = |state: &str| {
        let all = given
            .iter()
            .flat_map(|one| one["disclosures"].as_array().unwrap());
        all.filter(|one| one["state"] == state).count() as u64
    };
    assert_eq!(states("erased"), 1);
    assert_eq!(states("present"), started["disclosures"].as_u64().unwrap());
    assert_eq!(
        readings(&world).len(),
        before + 1,
        "one entry for all of it"
    );
}

#[tokio::test]
async fn only_readers_announce_and_only_their_own_reading_is_given() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    ann.work(&world, "s-1").await;
    let size = world.log.size();
    let developer = ann.token(&world).await;
    let refused = announce(&world, &developer, 0, size).await;
    assert_eq!(problem(refused, StatusCode::FORBIDDEN).await, "forbidden");
    let auditor = world
        .person(2, &[Auditor, Developer], "aud@example.org")
        .await;
    let guard = world.person(3, &[Security], "sec@example.org").await;
    let token = world.forge(&auditor, &[Auditor], None);
    let other = world.forge(&guard, &[Security], None);
    let started = expect(announce(&world, &token, 0, size).await, StatusCode::OK).await;
    let reading = started["reading"].as_u64().unwrap();
    let again = world.forge(&auditor, &[Auditor], None);
    lines(part(&world, &again, reading, 0, size).await).await;
    for (token, index) in [(&other, reading), (&token, 0), (&token, reading + 9)] {
        let refused = part(&world, token, index, 0, size).await;
        assert_eq!(problem(refused, StatusCode::NOT_FOUND).await, "not-found");
    }
    let lesser = world.forge(&auditor, &[Developer], None);
    let refused = part(&world, &lesser, reading, 0, size).await;
    assert_eq!(problem(refused, StatusCode::FORBIDDEN).await, "forbidden");
}

#[tokio::test]
async fn before_the_range_only_what_says_whose_rows_are_is_given() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    ann.work(&world, "s-1").await;
    let start = world.log.size();
    let mut ben = Device::enrol(&world, "ben@example.com").await;
    ben.work(&world, "s-2").await;
    let auditor = world.person(2, &[Auditor], "aud@example.org").await;
    let token = world.forge(&auditor, &[Auditor], None);
    let end = world.log.size();
    let started = expect(announce(&world, &token, start, end).await, StatusCode::OK).await;
    let reading = started["reading"].as_u64().unwrap();
    let outside = lines(part(&world, &token, reading, 0, start).await).await;
    let (_, entries) = outside.split_last().unwrap();
    assert!(!entries.is_empty());
    for one in entries {
        let body = payload(&world, one["index"].as_u64().unwrap()).body;
        assert!(
            matches!(body, Body::Roster(_) | Body::ChainStart(_)),
            "{body:?}"
        );
    }
    let inside = lines(part(&world, &token, reading, start, end).await).await;
    let decisions = inside.iter().filter(|one| one["index"].is_u64());
    let decisions = decisions.map(|one| payload(&world, one["index"].as_u64().unwrap()).body);
    assert!(
        decisions
            .into_iter()
            .any(|body| matches!(body, Body::ToolDecision(_)))
    );
    let beyond = part(&world, &token, reading, start, end + 1).await;
    assert_eq!(problem(beyond, StatusCode::BAD_REQUEST).await, "range");
}

#[tokio::test]
async fn a_reading_without_reason_or_range_is_refused_and_not_recorded() {
    let world = World::new().await;
    let auditor = world.person(2, &[Auditor], "aud@example.org").await;
    let token = world.forge(&auditor, &[Auditor], None);
    let size = world.log.size();
    for (start, end) in [(0, 0), (2, 1), (0, size + 1), (0, u64::MAX)] {
        let refused = announce(&world, &token, start, end).await;
        assert_eq!(problem(refused, StatusCode::BAD_REQUEST).await, "range");
    }
    for purpose in [" ".to_owned(), "x".repeat(257)] {
        let body = json!({ "end": size, "purpose": purpose, "start": 0 });
        let request = world.call("POST", "/v1/readings").bearer_auth(&token);
        let refused = request.json(&body).send().await.unwrap();
        assert_eq!(problem(refused, StatusCode::BAD_REQUEST).await, "purpose");
    }
    assert_eq!(readings(&world), []);
    let started = expect(announce(&world, &token, 0, size).await, StatusCode::OK).await;
    let reading = started["reading"].as_u64().unwrap();
    for (from, to) in [(0, 0), (2, 1)] {
        let refused = part(&world, &token, reading, from, to).await;
        assert_eq!(problem(refused, StatusCode::BAD_REQUEST).await, "range");
    }
}
