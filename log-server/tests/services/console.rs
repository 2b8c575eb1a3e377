//! The console's data: joins, filters, who sees what, and what is recorded when somebody looks.

use super::person::Device;
use super::world::{World, problem};
use cairn_event::PersonRole::{Auditor, Developer, Security};
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_server::store::Stored;
use cairn_tlog::{Receipt, TrustPolicy};
use reqwest::StatusCode;
use serde_json::{Value, json};

fn readings(world: &World) -> Vec<String> {
    let entries = world
        .log
        .entries(0..world.log.size())
        .map(|one| one.unwrap().1);
    let objects = entries.filter_map(|stored| {
        let Stored::Entry(bytes) = stored else {
            return None;
        };
        match &Entry::parse(&bytes).unwrap().payload().body {
            Body::AdminAction(action) if action.action == "disclosure.read" => {
                Some(format!("{} {}", action.person, action.object))
            }
            _ => None,
        }
    });
    objects.collect()
}

#[tokio::test]
async fn sessions_decisions_and_outcomes_are_joined() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let denied = ann.work(&world, "s-1").await;
    let token = ann.token(&world).await;
    let sessions = world.json("/v1/sessions", &token).await;
    let session = &sessions["sessions"][0];
    assert_eq!(
        (&session["session"], &session["device"]),
        (&json!("s-1"), &json!(ann.device))
    );
    assert_eq!(
        (&session["decisions"], &session["denied"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(session["agent"], "claude-code 2.1.330");
    assert_eq!(session["email"], "ann@example.com");
    let detail = world.json("/v1/sessions/s-1", &token).await;
    let events = detail["events"].as_array().unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "session.start",
            "tool.decision",
            "tool.decision",
            "tool.outcome"
        ]
    );
    assert_eq!(
        (&events[1]["effect"], events[1].get("outcome")),
        (&json!("deny"), None)
    );
    assert_eq!(events[1]["summary"], "kubectl delete ns prod");
    assert_eq!(events[2]["outcome"], "ran");
    let only = world.json("/v1/events?effect=deny", &token).await;
    assert_eq!(only["events"].as_array().unwrap().len(), 1);
    assert_eq!(only["events"][0]["index"], denied);
    let overview = world.json("/v1/overview", &token).await;
    for (name, count) in [
        ("devices", 1),
        ("sessions", 1),
        ("allowed", 1),
        ("denied", 1),
        ("people", 1),
    ] {
        assert_eq!(overview[name], count, "{name}");
    }
    assert!(
        readings(&world).is_empty(),
        "one's own content is nobody's business"
    );
}

#[tokio::test]
async fn lists_go_on_where_they_stopped() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    ann.work(&world, "s-1").await;
    let token = ann.token(&world).await;
    let whole = world.json("/v1/events", &token).await;
    let mut paged = Vec::new();
    let mut query = "/v1/events?limit=2".to_owned();
    loop {
        let page = world.json(&query, &token).await;
        paged.extend(page["events"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_u64() else {
            break;
        };
        query = format!("/v1/events?limit=2&before={next}");
    }
    assert_eq!(json!(paged), whole["events"]);
    assert_eq!(paged.len(), 5);
    let newest = paged[0]["index"].as_u64().unwrap();
    let after = world
        .json(&format!("/v1/events?after={}", newest - 1), &token)
        .await;
    assert_eq!(after["events"].as_array().unwrap().len(), 1);
    for bad in [
        "limit=0",
        "limit=201",
        "limit=x",
        "colour=red",
        "effect=maybe",
    ] {
        let answer = world
            .get(&format!("/v1/events?{bad}"), &token)
            .send()
            .await
            .unwrap();
        assert_eq!(
            problem(answer, StatusCode::BAD_REQUEST).await,
            "query",
            "{bad}"
        );
    }
}

#[tokio::test]
async fn an_event_carries_everything_to_check_it() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let denied = ann.work(&world, "s-1").await;
    let token = ann.token(&world).await;
    let detail = world.json(&format!("/v1/events/{denied}"), &token).await;
    let bytes = detail["entry"].as_str().unwrap().as_bytes();
    let entry = Entry::parse(bytes).unwrap();
    let key: cairn_event::PublicKey = serde_json::from_value(detail["key"].clone()).unwrap();
    entry.verify(&key).unwrap();
    assert_eq!(detail["leaf"], Sha256::of_leaf(bytes).to_string());
    let receipt = Receipt::parse(detail["receipt"].as_str().unwrap()).unwrap();
    let trust = TrustPolicy::parse(detail["trust_policy"].as_str().unwrap()).unwrap();
    receipt
        .verify(&cairn_tlog::leaf_hash(bytes), &trust)
        .unwrap();
    let disclosure = &detail["disclosures"][0];
    assert_eq!(
        (&disclosure["state"], &disclosure["name"]),
        (&json!("present"), &json!("request"))
    );
    assert_eq!(
        disclosure["value"]["input"]["command"],
        "kubectl delete ns prod"
    );
}

#[tokio::test]
async fn developers_see_their_own_rows_only() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let mut bob = Device::enrol(&world, "bob@example.com").await;
    let of_ann = ann.work(&world, "s-ann").await;
    bob.work(&world, "s-bob").await;
    let token = bob.token(&world).await;
    let foreign = [
        "/v1/sessions/s-ann".to_owned(),
        format!("/v1/events/{of_ann}"),
        format!("/v1/events/{}", ann.admitted_at),
        "/v1/events/0".to_owned(),
    ];
    for path in foreign {
        let answer = world.get(&path, &token).send().await.unwrap();
        assert_eq!(
            problem(answer, StatusCode::NOT_FOUND).await,
            "not-found",
            "{path}"
        );
    }
    for path in [
        "/v1/sessions",
        "/v1/events",
        "/v1/devices",
        "/v1/people",
        "/v1/overview",
        "/v1/mcp",
        "/v1/teams",
        &format!("/v1/events?person={}", ann.person),
        "/v1/roster",
        "/v1/me",
    ] {
        let text = world.json(path, &token).await.to_string();
        assert!(
            !text.contains("ann@example.com") && !text.contains("s-ann"),
            "{path}: {text}"
        );
        // The roster itself is public to devices: they replay it. Names in it are not.
        if path != "/v1/roster" {
            assert!(
                !text.contains(&ann.person) && !text.contains(&ann.device),
                "{path}: {text}"
            );
        }
    }
    assert_eq!(
        world
            .json("/v1/devices", &token)
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn looking_at_other_peoples_content_is_recorded_first() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let denied = ann.work(&world, "s-1").await;
    let auditor = world.person(2, &[Auditor], "aud@example.org").await;
    let token = world.forge(&auditor, &[Auditor], None);
    let path = format!("/v1/events/{denied}");
    let detail = world.json(&path, &token).await;
    assert_eq!(detail["disclosures"][0]["state"], "present");
    assert_eq!(readings(&world), [format!("{auditor} index:{denied}")]);
    world.json(&path, &token).await;
    assert_eq!(readings(&world).len(), 1, "once a token");
    let again = world.forge(&auditor, &[Auditor], None);
    world.json(&path, &again).await;
    world.json("/v1/sessions/s-1", &again).await;
    world.json("/v1/events", &again).await;
    let objects = readings(&world);
    assert_eq!(
        objects[1..],
        ["index:%", "session:s-1", "events"]
            .map(|object| format!("{auditor} {}", object.replace('%', &denied.to_string())))
    );
}

#[tokio::test]
async fn without_the_record_nothing_is_shown() {
    use cairn_event::administrative::Right;
    let world = World::granting(&[Right::AdmitDevice, Right::EnrolDeveloper], |_| ()).await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let denied = ann.work(&world, "s-1").await;
    let person = world.person(2, &[Security], "sec@example.org").await;
    let token = world.forge(&person, &[Security], None);
    for path in [
        format!("/v1/events/{denied}"),
        "/v1/sessions/s-1".into(),
        "/v1/events".into(),
    ] {
        let answer = world.get(&path, &token).send().await.unwrap();
        let text = answer.text().await.unwrap();
        assert!(
            text.contains("authority-refused") && !text.contains("kubectl"),
            "{path}: {text}"
        );
    }
    let own = ann.token(&world).await;
    let detail: Value = world.json(&format!("/v1/events/{denied}"), &own).await;
    assert_eq!(detail["disclosures"][0]["state"], "present");
}

#[tokio::test]
async fn the_index_is_the_same_after_a_restart() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    ann.work(&world, "s-1").await;
    let person = world
        .person(2, &[Developer, Security], "sec@example.org")
        .await;
    let token = world.forge(&person, &[Security], None);
    let paths = ["/v1/sessions", "/v1/devices", "/v1/people", "/v1/mcp"];
    let mut before = Vec::new();
    for path in paths {
        before.push(world.json(path, &token).await);
    }
    let size = world.log.size();
    let world = world.restarted().await;
    world.follow(size).await;
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(world.json(path, &token).await, before, "{path}");
    }
}
