//! What devices follow: roster, policy and the stream that tells of both.

use super::person::Device;
use super::world::{PATIENCE, World, problem};
use cairn_api::distribution::{NewsAnswer, PolicyEvent, RosterEvent};
use cairn_api::event_stream::{EventReader, StreamEvent};
use cairn_api::newest::Newest;
use cairn_event::PersonRole::{Admin, Developer, Security};
use cairn_event::administrative::{PolicyStatement, RosterChange};
use cairn_event::body::Body;
use cairn_event::encoding::from_base64url;
use cairn_event::{Frame, Sha256};
use cairn_tlog::{Receipt, TrustPolicy, VerifierKey};
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::VecDeque;

/// A reader of the policy stream.
struct Stream {
    answer: reqwest::Response,
    reader: EventReader,
    waiting: VecDeque<StreamEvent>,
}

impl Stream {
    async fn open(world: &World, token: &str) -> Self {
        let answer = world.get("/v1/policy/stream", token).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["x-accel-buffering"], "no");
        Self {
            answer,
            reader: EventReader::default(),
            waiting: VecDeque::new(),
        }
    }

    async fn next(&mut self) -> (String, Value) {
        while self.waiting.is_empty() {
            let chunk = tokio::time::timeout(PATIENCE, self.answer.chunk())
                .await
                .unwrap();
            self.waiting
                .extend(self.reader.feed(&chunk.unwrap().unwrap()).unwrap());
        }
        let event = self.waiting.pop_front().unwrap();
        (event.event, serde_json::from_str(&event.data).unwrap())
    }
}

async fn put_policy(world: &World, version: u64) -> (u64, Vec<u8>) {
    put_long_policy(world, version, 0).await
}

async fn put_long_policy(world: &World, version: u64, longer: usize) -> (u64, Vec<u8>) {
    let bundle = json!({ "note": "x".repeat(longer), "version": version });
    let bundle = bundle.to_string().into_bytes();
    (put_bundle(world, version, &bundle).await, bundle)
}

/// Puts a bundle in force as the administrator; gives the index of its policy entry.
pub async fn put_bundle(world: &World, version: u64, bundle: &[u8]) -> u64 {
    let digest = Sha256::of(bundle);
    let token = world.admin_token().await;
    let put = world
        .call("PUT", &format!("/v1/blobs/{digest}"))
        .bearer_auth(&token);
    let answer = put.body(bundle.to_vec()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let revision = world
        .log
        .ledger()
        .policy()
        .map_or(1, |head| head.revision + 1);
    let bytes = bundle.len() as u64;
    let body = Body::Policy(PolicyStatement {
        bundle: digest,
        bytes,
        revision,
        version,
    });
    world.administer(body, &[]).await
}

#[tokio::test]
async fn the_stream_tells_of_published_changes_at_once() {
    let world = World::new().await;
    let device = Device::enrol(&world, "ann@example.com").await;
    let token = device.token(&world).await;
    let mut stream = Stream::open(&world, &token).await;
    let (name, data) = stream.next().await;
    assert_eq!(name, "roster");
    let told: RosterEvent = serde_json::from_value(data).unwrap();
    assert_eq!(
        (told.notice.index, told.notice.revision),
        (device.admitted_at, 1)
    );
    let entry = told.entry.unwrap();
    let frame = Frame::parse(&entry.frame).unwrap();
    assert!(frame.disclosures().is_empty(), "nobody's names");
    verify(&world, frame.entry().text(), &entry.receipt);
    let (index, bundle) = put_policy(&world, 7).await;
    let (name, data) = stream.next().await;
    assert_eq!(name, "policy");
    let told: PolicyEvent = serde_json::from_value(data.clone()).unwrap();
    let notice = (
        told.notice.index,
        told.notice.version,
        told.notice.bundle_sha256,
    );
    assert_eq!(notice, (index, 7, Sha256::of(&bundle)));
    let answer = told.answer.unwrap();
    assert_eq!(from_base64url(&answer.bundle).unwrap(), bundle);
    verify(&world, &answer.entry, &answer.receipt);
    let mut late = Stream::open(&world, &token).await;
    assert_eq!(late.next().await.0, "roster");
    assert_eq!(
        late.next().await,
        ("policy".into(), data),
        "the head at once"
    );
    let team = RosterChange::AddTeam {
        name: "Infra".into(),
        team: "infra".into(),
    };
    world.roster(vec![team], &[]).await;
    for stream in [&mut stream, &mut late] {
        let (name, data) = stream.next().await;
        assert_eq!((name.as_str(), &data["revision"]), ("roster", &json!(2)));
        let path = "/v1/roster?after_revision=1";
        let news = world.json(path, &token).await;
        assert_eq!(
            news["entries"][0]["index"], data["index"],
            "what is told can be fetched"
        );
    }
}

#[tokio::test]
async fn a_long_policy_is_told_of_and_fetched() {
    let world = World::new().await;
    let device = Device::enrol(&world, "ann@example.com").await;
    let token = device.token(&world).await;
    let mut stream = Stream::open(&world, &token).await;
    assert_eq!(stream.next().await.0, "roster");
    let (index, bundle) = put_long_policy(&world, 1, 20_000).await;
    let (name, data) = stream.next().await;
    assert_eq!(name, "policy");
    let told: PolicyEvent = serde_json::from_value(data).unwrap();
    assert_eq!((told.notice.index, told.answer), (index, None));
    let policy = world.json("/v1/policy", &token).await;
    let given = from_base64url(policy["bundle"].as_str().unwrap()).unwrap();
    assert_eq!(given, bundle);
}

#[tokio::test]
async fn who_cannot_have_a_stream_asks_and_waits() {
    let world = World::new().await;
    let device = Device::enrol(&world, "ann@example.com").await;
    let token = device.token(&world).await;
    let ask = async |query: &str| -> NewsAnswer {
        let path = format!("/v1/policy/stream?wait={query}");
        serde_json::from_value(world.json(&path, &token).await).unwrap()
    };
    // What is there already is not waited for.
    let told = ask("25").await;
    assert_eq!(told.roster.unwrap().notice.revision, 1);
    assert_eq!(told.policy, None);
    // Nothing new: the time runs out, and the answer is empty.
    assert_eq!(ask("0&roster=1").await, NewsAnswer::default());
    // Whoever is ahead is not answered at once again and again.
    assert_eq!(ask("0&roster=9&policy=999").await, NewsAnswer::default());
    let (told, (index, bundle)) = tokio::join!(ask("25&roster=1"), put_policy(&world, 3));
    let policy = told.policy.unwrap();
    assert_eq!((policy.notice.index, policy.notice.version), (index, 3));
    let answer = policy.answer.unwrap();
    assert_eq!(from_base64url(&answer.bundle).unwrap(), bundle);
    let path = "/v1/policy/stream?wait=soon";
    let wrong = world.get(path, &token).send().await.unwrap();
    assert_eq!(problem(wrong, StatusCode::BAD_REQUEST).await, "query");
}

#[tokio::test]
async fn the_stream_ends_with_its_token() {
    let world = World::new().await;
    let person = world.person(1, &[Developer], "dev@example.org").await;
    let now_s = world.log.now_ms() / 1_000;
    // Issued so long ago that it has a second left; leeway is for reading, not for streams.
    let token = world.forge_at(&person, &[Developer], None, now_s - 599);
    let answer = world.get("/v1/policy/stream", &token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let ended = answer.bytes_stream().for_each(|_| std::future::ready(()));
    tokio::time::timeout(PATIENCE, ended).await.unwrap();
}

#[tokio::test]
async fn the_policy_comes_with_receipt_and_bundle() {
    let world = World::new().await;
    let device = Device::enrol(&world, "ann@example.com").await;
    let token = device.token(&world).await;
    let none = world.get("/v1/policy", &token).send().await.unwrap();
    assert_eq!(problem(none, StatusCode::NOT_FOUND).await, "no-policy");
    let (_, old) = put_policy(&world, 1).await;
    let (index, bundle) = put_policy(&world, 2).await;
    assert_ne!(old, bundle);
    let policy = world.json("/v1/policy", &token).await;
    assert_eq!(policy["index"], index);
    assert_eq!(
        from_base64url(policy["bundle"].as_str().unwrap()).unwrap(),
        bundle
    );
    verify(
        &world,
        policy["entry"].as_str().unwrap(),
        policy["receipt"].as_str().unwrap(),
    );
    let sec = world.person(3, &[Security], "sec@example.org").await;
    let versions = world
        .json("/v1/policies", &world.forge(&sec, &[Security], None))
        .await;
    let shown: Vec<_> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["version"])
        .collect();
    assert_eq!(shown, [2, 1]);
    assert_eq!(versions[0]["signed_by"], "administrators");
    assert_eq!(versions[0]["bundle"], json!({ "note": "", "version": 2 }));
    // Who has the bundle is spared it, and gets the proof that it is the newest.
    let path = format!("/v1/policy?have={index}");
    let brief = world.json(&path, &token).await;
    assert_eq!(brief["bundle"], "");
    let (entry, receipt) = (&brief["entry"], &brief["receipt"]);
    verify(&world, entry.as_str().unwrap(), receipt.as_str().unwrap());
    let other = world.json("/v1/policy?have=1", &token).await;
    assert_eq!(other, world.json("/v1/policy", &token).await);
    // The receipt follows the log, and the log says what was newest at its size.
    let size = |answer: &Value| {
        let size = checkpoint_size(answer["receipt"].as_str().unwrap());
        let newest = Newest {
            origin: world.log.origin().to_owned(),
            size,
            policy: Some(index),
            roster: world.log.ledger().roster().revision,
        };
        let key = VerifierKey::parse(&world.public.log_key).unwrap();
        let said = answer["newest"].as_str().unwrap();
        assert_eq!(
            Newest::open(said, &newest.origin, [&key]),
            Ok(newest.clone())
        );
        size
    };
    let before = size(&other);
    let team = RosterChange::AddTeam {
        name: "Infra".into(),
        team: "infra".into(),
    };
    let at = world.roster(vec![team], &[]).await;
    let after = size(&world.json("/v1/policy", &token).await);
    assert!(before <= at && after > at, "{before} {at} {after}");
}

fn checkpoint_size(receipt: &str) -> u64 {
    let receipt = Receipt::parse(receipt).unwrap();
    receipt.checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

fn verify(world: &World, entry: &str, receipt: &str) {
    let policy = format!("log {}\nquorum none\n", world.public.log_key);
    let trust = TrustPolicy::parse(&policy).unwrap();
    let receipt = Receipt::parse(receipt).unwrap();
    receipt
        .verify(&cairn_tlog::leaf_hash(entry.as_bytes()), &trust)
        .unwrap();
}

#[tokio::test]
async fn roster_entries_come_with_the_names_their_reader_may_know() {
    let world = World::new().await;
    let ann = Device::enrol(&world, "ann@example.com").await;
    let bob = Device::enrol(&world, "bob@example.com").await;
    let admin = world.person(9, &[Admin], "adm@example.org").await;
    let names = async |token: &str| {
        let roster = world.json("/v1/roster", token).await;
        let mut names = Vec::new();
        for one in roster["entries"].as_array().unwrap() {
            let frame = Frame::parse(one["frame"].as_str().unwrap()).unwrap();
            verify(
                &world,
                frame.entry().text(),
                one["receipt"].as_str().unwrap(),
            );
            let shown = frame
                .disclosures()
                .iter()
                .map(|one| one.value().as_str().unwrap().to_owned());
            names.extend(shown);
        }
        names.sort_unstable();
        names
    };
    let own = names(&ann.token(&world).await).await;
    assert_eq!(own, ["ann's <laptop>", "ann@example.com"]);
    assert_ne!(ann.person, bob.person);
    let all = names(&world.forge(&admin, &[Admin], None)).await;
    assert_eq!(all.len(), 5, "{all:?}");
    let path = "/v1/roster?after_revision=2";
    let rest = world.json(path, &ann.token(&world).await).await;
    assert_eq!(rest["entries"].as_array().unwrap().len(), 1);
    let ahead = world
        .json("/v1/roster?after_revision=99", &ann.token(&world).await)
        .await;
    assert_eq!(ahead, json!({ "entries": [], "newest": 3 }));
}

/// More than two groups of entries and more than one page, read while the roster grows.
#[tokio::test]
async fn a_long_roster_is_read_in_pages_and_all_of_it() {
    let world = World::new().await;
    let device = Device::enrol(&world, "ann@example.com").await;
    let token = device.token(&world).await;
    let long = "x".repeat(20_000);
    let mut indices = vec![device.admitted_at];
    let read = async |indices: &[u64]| {
        let (mut found, mut pages) = (Vec::new(), 0);
        loop {
            let path = format!("/v1/roster?after_revision={}", found.len());
            let page = world.json(&path, &token).await;
            let entries = page["entries"].as_array().unwrap();
            for entry in entries {
                let frame = Frame::parse(entry["frame"].as_str().unwrap()).unwrap();
                verify(
                    &world,
                    frame.entry().text(),
                    entry["receipt"].as_str().unwrap(),
                );
                found.push(entry["index"].as_u64().unwrap());
            }
            pages += 1;
            assert_eq!(page["newest"], indices.len());
            if found.len() >= indices.len() {
                assert_eq!(found, indices);
                return pages;
            }
            assert!(!entries.is_empty());
        }
    };
    for number in 0..130 {
        let team = RosterChange::AddTeam {
            name: long.clone(),
            team: format!("team-{number}"),
        };
        indices.push(world.roster(vec![team], &[]).await);
        if [1, 63, 64, 65].contains(&number) {
            read(&indices).await;
        }
    }
    let pages = read(&indices).await;
    assert!(
        (13..=18).contains(&pages),
        "{pages} pages of 256 KiB for 131 entries of some 27 KiB"
    );
}

#[tokio::test]
async fn blobs_are_what_their_name_says() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let put = async |name: String, body: Vec<u8>| {
        let call = world
            .call("PUT", &format!("/v1/blobs/{name}"))
            .bearer_auth(&token);
        call.body(body).send().await.unwrap()
    };
    let other = put(Sha256::of(b"other").to_string(), b"this".to_vec()).await;
    assert_eq!(
        problem(other, StatusCode::UNPROCESSABLE_ENTITY).await,
        "digest"
    );
    assert_eq!(
        problem(put("x".into(), vec![1]).await, StatusCode::BAD_REQUEST).await,
        "digest"
    );
    let large = vec![7; 1_048_576];
    let name = Sha256::of(&large).to_string();
    assert_eq!(
        put(name.clone(), large.clone()).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        put(name.clone(), large.clone()).await.status(),
        StatusCode::NO_CONTENT,
        "again"
    );
    let read = world
        .call("GET", &format!("/v1/blobs/{name}"))
        .send()
        .await
        .unwrap();
    assert_eq!(read.bytes().await.unwrap(), large);
    let larger = vec![7; 1_048_577];
    let answer = put(Sha256::of(&larger).to_string(), larger).await;
    assert_eq!(
        problem(answer, StatusCode::PAYLOAD_TOO_LARGE).await,
        "body-too-long"
    );
}
