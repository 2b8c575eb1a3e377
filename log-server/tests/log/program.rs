//! The real program: its command line, its HTTP answers, and one owner for a folder.

use crate::world::{World, write};
use cairn_event::frame::MEDIA_TYPE;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_cairn-server");

/// A running server; killed when dropped.
pub struct Server {
    pub child: Child,
    pub url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts `serve` and waits for its first line.
    pub fn start(world: &World) -> Self {
        let genesis = world.dir.path().join("genesis.frame");
        write(&genesis, &format!("{}\n", world.genesis()));
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(world.data())
            .arg("--genesis")
            .arg(&genesis)
            .env("CAIRN_LOG", "warn")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        let Some(url) = first.strip_prefix("listening ") else {
            let mut text = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            panic!("not listening: {first}{text}");
        };
        Self {
            url: url.trim().to_owned(),
            child,
        }
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("{}{path}", self.url)).await.unwrap()
    }

    /// Submits frames; gives the status and the results.
    pub async fn post(
        &self,
        client: &reqwest::Client,
        frames: &[String],
        wait: &str,
    ) -> reqwest::Result<(u16, Vec<serde_json::Value>)> {
        let body: String = frames.iter().map(|frame| format!("{frame}\n")).collect();
        let sent = client
            .post(format!("{}/v1/entries?wait={wait}", self.url))
            .header("content-type", MEDIA_TYPE)
            .body(body)
            .send()
            .await?;
        let status = sent.status().as_u16();
        let answer: serde_json::Value = sent.json().await?;
        Ok((
            status,
            answer["results"].as_array().cloned().unwrap_or_default(),
        ))
    }
}

pub fn check(data: &Path) -> Output {
    Command::new(PROGRAM)
        .arg("check")
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_answer_as_the_contract_says() {
    let world = World::new();
    let server = Server::start(&world);
    let client = reqwest::Client::new();
    let (mut chain, first) = world.chain(3);
    let frames = [vec![world.roster()], vec![first], chain.many(254)].concat();
    let (status, _) = server
        .post(&client, &frames[..1], "published")
        .await
        .unwrap();
    assert_eq!(status, 200);
    let (status, results) = server
        .post(&client, &frames[1..], "published")
        .await
        .unwrap();
    assert_eq!((status, results.len()), (200, 255));
    assert_eq!(results[254]["index"], 256);
    assert!(
        results[0]["receipt"]
            .as_str()
            .unwrap()
            .starts_with("c2sp.org/tlog-proof@v1\n")
    );

    let checkpoint = server.get("/checkpoint").await;
    assert_eq!(
        checkpoint.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    assert_eq!(checkpoint.headers()["cache-control"], "no-cache");
    assert!(
        checkpoint
            .text()
            .await
            .unwrap()
            .starts_with("log.example.com/test\n257\n")
    );
    for (path, bytes) in [
        ("/tile/0/000", 8192),
        ("/tile/0/000.p/3", 96),
        ("/tile/0/001.p/1", 32),
        ("/tile/1/000.p/1", 32),
    ] {
        let tile = server.get(path).await;
        assert_eq!(tile.status(), 200, "{path}");
        assert_eq!(tile.headers()["content-type"], "application/octet-stream");
        assert!(
            tile.headers()["cache-control"]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        assert_eq!(tile.bytes().await.unwrap().len(), bytes, "{path}");
    }
    for path in [
        "/tile/0/001",
        "/tile/0/001.p/2",
        "/tile/entries/001.p/2",
        "/tile/0/%30%30%30",
        "/tile/0/x000/000",
        "/tile/64/000",
        "/v1/entries/257",
        "/v1/receipts/257",
        "/v1/checkpoints/9999",
        "/v1/trust-policy",
    ] {
        let absent = server.get(path).await;
        assert_eq!(absent.status(), 404, "{path}");
        assert_eq!(
            absent.headers()["content-type"],
            "application/problem+json",
            "{path}"
        );
    }
    assert_eq!(
        client
            .head(format!("{}/tile/0/000", server.url))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    proof_routes(&server).await;
}

async fn proof_routes(server: &Server) {
    let proof: serde_json::Value = server
        .get("/v1/consistency?from=3&to=257")
        .await
        .json()
        .await
        .unwrap();
    assert!(proof["proof"].as_array().unwrap().len() > 1);
    let range: serde_json::Value = server
        .get("/v1/range?start=1&end=256&size=257")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        (
            range["left"].as_array().unwrap().len(),
            range["right"].as_array().unwrap().len()
        ),
        (1, 1)
    );
    assert_eq!(
        server.get("/v1/consistency?from=3&to=9999").await.status(),
        400
    );
    let sizes: serde_json::Value = server
        .get("/v1/checkpoints?limit=1")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(sizes["sizes"], serde_json::json!([0]));
    let empty = server.get("/v1/checkpoints/0").await.text().await.unwrap();
    assert!(
        empty
            .starts_with("log.example.com/test\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
    );
    let genesis: serde_json::Value = server.get("/v1/genesis").await.json().await.unwrap();
    assert!(genesis["receipt"].as_str().unwrap().contains("index 0\n"));
    let health: serde_json::Value = server.get("/healthz").await.json().await.unwrap();
    assert_eq!(
        (&health["status"], &health["published_size"]),
        (&"ok".into(), &257.into())
    );
    let metrics = server.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("cairn_size 257\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_whole_body_are_problems() {
    let world = World::new();
    let server = Server::start(&world);
    let client = reqwest::Client::new();
    let url = format!("{}/v1/entries", server.url);
    let send = |body: Vec<u8>, media: &'static str| {
        client
            .post(&url)
            .header("content-type", media)
            .body(body)
            .send()
    };
    assert_eq!(
        send(b"x~\n".to_vec(), "text/plain").await.unwrap().status(),
        415
    );
    assert_eq!(
        send(b"x~".to_vec(), MEDIA_TYPE).await.unwrap().status(),
        400
    );
    assert_eq!(
        send(vec![b'a'; 8 * 1_048_576 + 1], MEDIA_TYPE)
            .await
            .unwrap()
            .status(),
        413
    );
    // One damaged frame is answered for itself.
    let (status, results) = server
        .post(&client, &["x~".to_owned(), world.roster()], "published")
        .await
        .unwrap();
    assert_eq!(status, 200);
    assert_eq!(results[0]["status"], "refused");
    assert_eq!(results[0]["problem"]["family"], "refused");
    assert_eq!(results[1]["index"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_with_prior_knowledge_and_the_stream_of_checkpoints() {
    let world = World::new();
    let server = Server::start(&world);
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let answer = client
        .get(format!("{}/checkpoint", server.url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    let mut tail = client
        .get(format!("{}/v1/tail?from=1", server.url))
        .send()
        .await
        .unwrap();
    server
        .post(&client, &[world.roster()], "published")
        .await
        .unwrap();
    let mut seen = String::new();
    while !seen.contains("event: checkpoint\ndata: {\"size\":2}\n\n") {
        let chunk = tail.chunk().await.unwrap();
        seen.push_str(std::str::from_utf8(&chunk.expect("the stream ended")).unwrap());
    }
}

#[test]
fn two_servers_do_not_share_a_folder() {
    let world = World::new();
    let _first = Server::start(&world);
    let second = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(world.data())
        .output()
        .unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("held by process"));
    assert!(
        !check(&world.data()).status.success(),
        "checked under a running server"
    );
}

#[test]
fn init_refuses_a_used_folder_and_keys_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let again = Command::new(PROGRAM)
        .args(["init", "--origin", "other.example.com", "--data"])
        .arg(world.data())
        .output()
        .unwrap();
    assert!(!again.status.success());
    for name in [
        "log.key",
        "authority.seed",
        "observer.seed",
        "token.seed",
        "sealing.key",
    ] {
        let found = std::fs::metadata(world.data().join("keys").join(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let valid = Command::new(PROGRAM)
        .args(["serve", "--check-config", "--data"])
        .arg(world.data())
        .output()
        .unwrap();
    assert!(valid.status.success());
    write(
        &world.data().join("config.toml"),
        "listen = \"127.0.0.1:0\"\nlimit = 1\n",
    );
    let wrong = Command::new(PROGRAM)
        .args(["serve", "--check-config", "--data"])
        .arg(world.data())
        .output()
        .unwrap();
    assert!(!wrong.status.success());
}

#[test]
fn another_key_or_public_file_than_the_folder_was_made_with_is_noticed_at_the_start() {
    let world = World::new();
    let start = || {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]);
        let ended = command.arg(world.data()).output().unwrap();
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    let sound = "the log is empty and no genesis entry was given";
    assert!(start().contains(sound));
    for (file, says) in [
        ("keys/authority.seed", "`authority.seed` holds another key"),
        ("keys/observer.seed", "`observer.seed` holds another key"),
        ("keys/sealing.key", "`sealing.key` holds another key"),
        ("keys/FINGERPRINTS", "`FINGERPRINTS` is damaged"),
        (
            "server-keys.json",
            "`server-keys.json` does not name the keys",
        ),
    ] {
        let path = world.data().join(file);
        let own = std::fs::read_to_string(&path).unwrap();
        let at = own.len() / 2;
        let other = if &own[at..=at] == "1" { "2" } else { "1" };
        let mut changed = own.clone();
        changed.replace_range(at..=at, other);
        write(&path, &changed);
        let said = start();
        assert!(said.contains(says), "{file}: {said}");
        write(&path, &own);
    }
    // The token key may be replaced, and what an earlier version did not write is written.
    write(
        &world.data().join("keys/token.seed"),
        &format!("{}\n", "5e".repeat(32)),
    );
    for file in ["keys/FINGERPRINTS", "server-keys.json"] {
        let path = world.data().join(file);
        let own = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(start().contains(sound));
        assert_eq!(std::fs::read(&path).unwrap(), own, "{file}");
    }
}
