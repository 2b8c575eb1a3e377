//! Static files, security headers, and the installer run by a real shell.

use super::world::{World, problem};
use cairn_event::Sha256;
use reqwest::StatusCode;
use std::process::{Command, Output};

#[tokio::test]
async fn pages_carry_strict_headers() {
    let world = World::new().await;
    let start = world.call("GET", "/").send().await.unwrap();
    assert_eq!(start.status(), StatusCode::OK);
    let headers = start.headers().clone();
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert!(!policy.contains("script-src 'self' 'unsafe-inline'"));
    assert_eq!(headers["cache-control"], "no-cache");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let deep = world
        .call("GET", "/sessions/s-1")
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(
        deep.unwrap().text().await.unwrap(),
        start.text().await.unwrap()
    );
    let missing = world
        .call("GET", "/assets/none.js")
        .header("accept", "text/html")
        .send()
        .await;
    assert_eq!(
        problem(missing.unwrap(), StatusCode::NOT_FOUND).await,
        "not-found"
    );
    let up = world
        .call("GET", "/..%2f..%2fCargo.toml")
        .send()
        .await
        .unwrap();
    assert_eq!(up.status(), StatusCode::NOT_FOUND);

    let page = world.call("GET", "/enroll/none").send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("style-src 'sha256-"));
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"));
}

fn install(script: &str, home: &std::path::Path) -> Output {
    let file = home.join("install.sh");
    std::fs::write(&file, script).unwrap();
    let mut shell = Command::new("sh");
    shell.arg(file).env("HOME", home).env_remove("CAIRN_BIN");
    for proxy in [
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        shell.env_remove(proxy);
    }
    shell.output().unwrap()
}

#[tokio::test]
async fn the_installer_installs_what_the_server_holds_and_nothing_else() {
    let dist = tempfile::tempdir().unwrap();
    let folder = dist.path().to_owned();
    std::fs::write(folder.join("cairn"), "#!/bin/sh\necho cairn\n").unwrap();
    std::fs::write(folder.join("cairn-hook"), "#!/bin/sh\necho hook\n").unwrap();
    std::fs::write(folder.join("secret"), "x").unwrap();
    let configured = folder.clone();
    let world = World::with(move |config| config.dist = Some(configured)).await;
    let script = world
        .call("GET", "/install.sh")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        script.contains(&Sha256::of(b"#!/bin/sh\necho hook\n").to_string())
            && !script.contains('@')
    );

    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_owned();
    let kept = script.clone();
    let done = tokio::task::spawn_blocking(move || install(&kept, &path))
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        said.contains(&format!("cairn enroll --server {}", world.base)),
        "{said}"
    );
    let run = Command::new(home.path().join(".local/bin/cairn"))
        .output()
        .unwrap();
    assert_eq!(run.stdout, b"cairn\n");

    std::fs::write(folder.join("cairn-hook"), "changed since").unwrap();
    let other = tempfile::tempdir().unwrap();
    let path = other.path().to_owned();
    let refused = tokio::task::spawn_blocking(move || install(&script, &path))
        .await
        .unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("cairn-hook is not the program this script was made for"),
        "{said}"
    );
    assert!(
        !other.path().join(".local/bin/cairn").exists(),
        "nothing half installed"
    );

    for name in ["secret", "..%2fsecret", "cairn.old"] {
        let answer = world
            .call("GET", &format!("/dist/{name}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{name}");
    }
}

#[tokio::test]
async fn a_server_without_programs_says_so() {
    let world = World::new().await;
    for path in ["/install.sh", "/dist/cairn"] {
        let answer = world.call("GET", path).send().await.unwrap();
        assert_eq!(problem(answer, StatusCode::NOT_FOUND).await, "no-dist");
    }
}
