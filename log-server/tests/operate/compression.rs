//! Text is compressed for whoever accepts it; tiles, streams and small answers are not.

use crate::programs::{Running, serve};
use crate::world::World;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn json_is_compressed_and_tiles_are_not() {
    let world = World::new();
    let server = Running::start(&mut serve(&world));
    server.grow(&world, 3, 300).await;
    let client = reqwest::Client::new();
    let ask = async |path: &str, accept: &str| {
        let request = client.get(format!("{}{path}", server.url));
        request
            .header("accept-encoding", accept)
            .send()
            .await
            .unwrap()
    };
    let whole = ask("/openapi.json", "identity").await;
    assert!(whole.headers().get("content-encoding").is_none());
    let whole = whole.bytes().await.unwrap();
    for (accept, encoding) in [("gzip", "gzip"), ("br", "br"), ("gzip, br", "br")] {
        let answer = ask("/openapi.json", accept).await;
        assert_eq!(answer.headers()["content-encoding"], encoding, "{accept}");
        assert_eq!(answer.headers()["vary"], "accept-encoding");
        assert!(answer.bytes().await.unwrap().len() < whole.len() / 3);
    }
    for path in [
        "/tile/0/000",
        "/tile/entries/000",
        "/v1/checkpoints?limit=1",
        "/checkpoint",
    ] {
        let answer = ask(path, "gzip, br").await;
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.headers().get("content-encoding").is_none(), "{path}");
    }
    let curl = Command::new("curl")
        .args([
            "-sS",
            "--compressed",
            &format!("{}/openapi.json", server.url),
        ])
        .output()
        .unwrap();
    assert_eq!(curl.stdout, whole, "what curl unpacked");
}
