//! Erasure: recorded first, content gone, proofs standing.

use super::person::Device;
use super::world::{World, expect, problem};
use cairn_event::PersonRole::Admin;
use cairn_event::administrative::Erasure;
use cairn_event::body::Body;
use cairn_event::{Entry, Sha256};
use cairn_server::disclosures::DisclosureState;
use cairn_tlog::{Receipt, TrustPolicy};
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test]
async fn erased_content_is_gone_and_every_proof_stands() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let denied = ann.work(&world, "s-1").await;
    let before = world.log.entry(denied).unwrap().unwrap();
    let token = world.admin_token().await;
    let path = format!("/v1/events/{denied}/erasure");
    let order = json!({ "reason": "request 17 of the person" });
    let call = world.call("POST", &path).bearer_auth(&token).json(&order);
    let answer = expect(call.send().await.unwrap(), StatusCode::OK).await;
    let at = answer["erasure_index"].as_u64().unwrap();
    let entry = Entry::parse(&world.log.entry(at).unwrap().unwrap()).unwrap();
    let Body::Erasure(erasure) = &entry.payload().body else {
        panic!("no erasure entry")
    };
    assert_eq!(
        (erasure.index, erasure.leaf),
        (denied, Sha256::of_leaf(&before))
    );
    assert_eq!(erasure.ordered_by, "administrator");
    assert_eq!(json!(erasure.digests), answer["digests"]);

    let detail = world
        .json(&format!("/v1/events/{denied}"), &ann.token(&world).await)
        .await;
    assert_eq!(detail["disclosures"][0]["state"], "erased");
    assert!(detail["disclosures"][0].get("encoded").is_none());
    assert!(detail["summary"].get("summary").is_none());
    assert_eq!(detail["entry"].as_str().unwrap().as_bytes(), before);
    let trust = TrustPolicy::parse(detail["trust_policy"].as_str().unwrap()).unwrap();
    let receipt = Receipt::parse(detail["receipt"].as_str().unwrap()).unwrap();
    receipt
        .verify(&cairn_tlog::leaf_hash(&before), &trust)
        .unwrap();
}

#[tokio::test]
async fn an_erased_address_is_forgotten_everywhere() {
    let world = World::new().await;
    let ann = Device::enrol(&world, "ann@example.com").await;
    let token = world.admin_token().await;
    assert_eq!(
        world.json("/v1/people", &token).await[0]["email"],
        "ann@example.com"
    );
    let path = format!("/v1/events/{}/erasure", ann.admitted_at);
    let call = world
        .call("POST", &path)
        .bearer_auth(&token)
        .json(&json!({ "reason": "left" }));
    let at = expect(call.send().await.unwrap(), StatusCode::OK).await["erasure_index"].as_u64();
    world.follow(at.unwrap() + 1).await;
    for path in ["/v1/people", "/v1/devices", "/v1/roster"] {
        let text = world.json(path, &token).await.to_string();
        assert!(
            !text.contains("ann@example.com") && !text.contains("laptop"),
            "{path}: {text}"
        );
    }
    let me = world.json("/v1/me", &ann.token(&world).await).await;
    assert!(me.get("email").is_none());
}

/// What a crash between the entry and the destruction leaves: an entry and nothing done.
#[tokio::test]
async fn an_erasure_on_record_is_carried_out_by_the_follower() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let denied = ann.work(&world, "s-1").await;
    let bytes = world.log.entry(denied).unwrap().unwrap();
    let body = Body::Erasure(Erasure {
        digests: Entry::parse(&bytes).unwrap().payload().sd.clone(),
        index: denied,
        leaf: Sha256::of_leaf(&bytes),
        ordered_by: "administrator".into(),
        reason: "request 18 of the person".into(),
    });
    world.administer(body, &[]).await;
    let held = world.log.disclosures().get(denied).unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].state, DisclosureState::Erased);
}

#[tokio::test]
async fn orders_that_make_no_sense_change_nothing() {
    let world = World::new().await;
    let mut ann = Device::enrol(&world, "ann@example.com").await;
    let denied = ann.work(&world, "s-1").await;
    let person = world.person(5, &[Admin], "adm@example.org").await;
    let token = world.forge(&person, &[Admin], None);
    let size = world.log.size();
    let order = async |index: u64, body: serde_json::Value, status| {
        let path = format!("/v1/events/{index}/erasure");
        let call = world.call("POST", &path).bearer_auth(&token).json(&body);
        problem(call.send().await.unwrap(), status).await
    };
    let bad = StatusCode::BAD_REQUEST;
    let reason = "because";
    assert_eq!(order(denied, json!({ "reason": " " }), bad).await, "reason");
    assert_eq!(
        order(denied, json!({ "reason": "x".repeat(1_025) }), bad).await,
        "reason"
    );
    let none = json!({ "reason": reason, "digests": [] });
    assert_eq!(order(denied, none, bad).await, "digests");
    let other = json!({ "reason": reason, "digests": ["AAAA"] });
    assert_eq!(order(denied, other, bad).await, "not-committed");
    let plain = json!({ "reason": reason });
    assert_eq!(
        order(999, plain.clone(), StatusCode::NOT_FOUND).await,
        "not-found"
    );
    assert_eq!(
        order(0, plain, StatusCode::CONFLICT).await,
        "nothing-to-erase"
    );
    assert_eq!(world.log.size(), size, "nothing was recorded");
    let held = world.log.disclosures().get(denied).unwrap();
    assert!(held.iter().all(|one| one.encoded.is_some()));
}
