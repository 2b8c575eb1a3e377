//! Behind a caching proxy: what is final is kept, and what is not is never kept as if it were.

use crate::programs::{Running, serve};
use crate::world::{PATIENCE, World, write};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// nginx before a server; ended when dropped.
struct Proxy {
    child: Child,
    url: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn nginx() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    places.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places
        .into_iter()
        .map(|folder| folder.join("nginx"))
        .find(|path| path.is_file())
}

async fn before(program: &Path, folder: &Path, upstream: &str) -> Proxy {
    // The port is free until nginx takes it; a test that loses it to another fails and says so.
    let port = {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        probe.local_addr().unwrap().port()
    };
    let place = folder.display();
    let text = format!(
        "daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/error.log;\n\
         events {{}}\n\
         http {{\n\
         access_log off; client_body_temp_path {place}/body; proxy_temp_path {place}/temp;\n\
         fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
         proxy_cache_path {place}/cache keys_zone=log:1m;\n\
         server {{ listen 127.0.0.1:{port}; location / {{\n\
         proxy_pass {upstream}; proxy_http_version 1.1; proxy_cache log;\n\
         add_header x-cache $upstream_cache_status always; }} }}\n}}\n"
    );
    write(&folder.join("nginx.conf"), &text);
    let child = Command::new(program)
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("nginx.conf"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let until = std::time::Instant::now() + PATIENCE;
    while reqwest::get(format!("{url}/checkpoint")).await.is_err() {
        assert!(std::time::Instant::now() < until, "nginx does not answer");
    }
    Proxy { child, url }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_tile_is_never_kept_as_the_full_one() {
    let Some(program) = nginx() else {
        let _ = writeln!(std::io::stdout(), "skipped: nginx not installed");
        return;
    };
    let world = World::new();
    let server = Running::start(&mut serve(&world));
    let mut chain = server.grow(&world, 3, 97).await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = before(&program, folder.path(), &server.url).await;
    let ask = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", proxy.url)).await.unwrap();
        let cache = answer.headers()["x-cache"].to_str().unwrap().to_owned();
        (
            answer.status().as_u16(),
            cache,
            answer.bytes().await.unwrap(),
        )
    };
    let tiles = ["/tile/0/000", "/tile/entries/000"];
    // 100 entries: the full tile is not there, and that is not remembered.
    for path in tiles {
        for _ in 0..2 {
            let (status, cache, _) = ask(path).await;
            assert_eq!((status, cache.as_str()), (404, "MISS"), "{path}");
        }
        let partial = format!("{path}.p/100");
        let (status, _, first) = ask(&partial).await;
        let (_, cache, second) = ask(&partial).await;
        assert_eq!((status, cache.as_str()), (200, "HIT"), "{partial}");
        assert_eq!(first, second);
    }
    let (_, _, old) = ask("/checkpoint").await;
    server.more(&mut chain, 200).await;
    let (_, cache, new) = ask("/checkpoint").await;
    assert_ne!(cache, "HIT");
    assert_ne!(old, new, "an old checkpoint was kept");
    for path in tiles {
        let (status, cache, bytes) = ask(path).await;
        assert_eq!((status, cache.as_str()), (200, "MISS"), "{path}");
        let (_, cache, again) = ask(path).await;
        assert_eq!(cache, "HIT", "{path}");
        assert_eq!(bytes, again);
        // What was kept under the name of the partial tile is still its beginning.
        let (_, cache, partial) = ask(&format!("{path}.p/100")).await;
        assert_eq!(cache, "HIT", "{path}");
        assert!(bytes.starts_with(&partial), "{path}");
    }
    assert_eq!(ask("/tile/0/000").await.2.len(), 256 * 32);
    for path in [
        "/healthz",
        "/metrics",
        "/v1/receipts/5",
        "/v1/consistency?from=1&to=100",
    ] {
        ask(path).await;
        assert_ne!(ask(path).await.1, "HIT", "{path}");
    }
}
