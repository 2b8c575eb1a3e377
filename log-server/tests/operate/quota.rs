//! One device cannot take the room of the others.

use crate::programs::{Running, configure, serve, submission};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_device_over_its_quota_is_told_when_to_come_back() {
    let world = World::new();
    configure(&world.data(), "[quota]\nentries_per_s = 8\nburst = 256\n");
    let server = Running::start(&mut serve(&world));
    let mut chain = server.grow(&world, 3, 200).await;
    // Anybody may send again what anybody may read: it is no new entry of the device.
    let client = reqwest::Client::new();
    let known = chain.many(40);
    for _ in 0..20 {
        let answer = submission(&client, &server.url, &known, "sequenced");
        assert_eq!(answer.send().await.unwrap().status(), 200);
    }
    let frames = chain.many(100);
    let answer = submission(&client, &server.url, &frames, "sequenced")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 429);
    let pause: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["type"], "urn:cairn:problem:quota", "{problem}");
    assert_eq!(problem["family"], "retry");
    assert!((1..=12).contains(&pause), "{pause}");
    // Administrators' entries belong to no device and pass; so does the device after the pause.
    assert_eq!(server.json("/healthz").await["size"], 243);
    let begun = std::time::Instant::now();
    let status = loop {
        let answer = submission(&client, &server.url, &frames, "sequenced")
            .send()
            .await
            .unwrap();
        if answer.status() != 429 || begun.elapsed() > crate::world::PATIENCE {
            break answer.status();
        }
    };
    assert_eq!(status, 200);
    assert!(begun.elapsed().as_secs() <= pause + 10);
    let metrics = server.get("/metrics").await.text().await.unwrap();
    let turned_away = metrics
        .lines()
        .find_map(|line| line.strip_prefix("cairn_submissions_turned_away_total "));
    assert!(turned_away.unwrap().parse::<u64>().unwrap() >= 1);
}
