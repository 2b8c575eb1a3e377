//! Readiness follows staleness and the quorum; liveness does not.

use crate::programs::{Running, Witness, configure, serve};
use crate::world::{PATIENCE, World};

async fn becomes(server: &Running, status: u16, reason: &str) -> serde_json::Value {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        let answer = server.get("/readyz").await;
        let found = answer.status().as_u16();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body: serde_json::Value = answer.json().await.unwrap();
        if found == status && body["reasons"].to_string().contains(reason) {
            return body;
        }
        assert!(std::time::Instant::now() < until, "{found}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_quorum_shows_and_passes() {
    let world = World::new();
    let mut witness = Witness::of(&world);
    configure(&world.data(), "[health]\nstale_s = 600\nlag_s = 1\n");
    let server = Running::start(&mut serve(&world));
    let mut chain = server.grow(&world, 3, 3).await;
    becomes(&server, 200, "").await;
    witness.kill();
    let (_, answer) = server.submit(&chain.many(1), "sequenced").await;
    assert_eq!(answer["results"][0]["status"], "sequenced");
    let body = becomes(&server, 503, "quorum of witnesses is missing").await;
    assert_eq!(body["status"], "degraded");
    // The process itself is well: a restart would mend nothing.
    assert_eq!(server.get("/healthz").await.status(), 200);
    let metrics = server.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("\ncairn_ready 0\n"), "{metrics}");
    witness.restart();
    becomes(&server, 200, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_checkpoint_is_not_ready() {
    let world = World::new();
    let stale = "[health]\nstale_s = 1\nlag_s = 60\n[checkpoint]\nrepublish_s = 4\n";
    configure(&world.data(), stale);
    let server = Running::start(&mut serve(&world));
    server.grow(&world, 3, 1).await;
    becomes(&server, 503, "too old").await;
    // The same head is published again in time, and all is well for a second.
    becomes(&server, 200, "").await;
}
