//! The published log as plain files, behind a server that knows nothing of logs.

use crate::programs::{Running, Witness, audit, errors, report, run, serve};
use crate::world::World;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Serves files of a folder by their path, as any web server does.
async fn file_server(folder: PathBuf) -> String {
    async fn file(State(folder): State<PathBuf>, uri: Uri) -> (StatusCode, Vec<u8>) {
        match std::fs::read(folder.join(uri.path().trim_start_matches('/'))) {
            Ok(bytes) => (StatusCode::OK, bytes),
            Err(_) => (StatusCode::NOT_FOUND, Vec::new()),
        }
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().fallback(file).with_state(folder);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://{address}")
}

/// Every file with its bytes and the time it was written.
fn listing(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for item in std::fs::read_dir(&next).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let written = path.metadata().unwrap().modified().unwrap();
                found.insert(path.clone(), (std::fs::read(&path).unwrap(), written));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_audited_through_a_plain_file_server_and_grows() {
    let world = World::new();
    let _witness = Witness::of(&world);
    let server = Running::start(&mut serve(&world));
    let mut chain = server.grow(&world, 3, 270).await;
    let target = world.dir.path().join("mirror");
    let first = report(&run(
        &["export-static", "--data"],
        &[&world.data(), &target],
    ));
    assert_eq!(
        (&first["size"], &first["size_before"]),
        (&273.into(), &serde_json::Value::Null)
    );
    let url = file_server(target.clone()).await;
    for place in [
        ["--server", url.as_str()],
        ["--dir", target.to_str().unwrap()],
    ] {
        let verdict = audit(&place, &world, world.dir.path());
        let said = String::from_utf8_lossy(&verdict.stdout).into_owned();
        assert!(verdict.status.success(), "{said}{}", errors(&verdict));
    }
    let before = listing(&target);
    assert!(before.contains_key(&target.join("tile/entries/001.p/17")));

    server.more(&mut chain, 400).await;
    let second = report(&run(
        &["export-static", "--data"],
        &[&world.data(), &target],
    ));
    assert_eq!(
        (&second["size"], &second["size_before"]),
        (&673.into(), &273.into())
    );
    let after = listing(&target);
    for (path, known) in &before {
        let name = path.file_name().unwrap();
        if name != "checkpoint" && name != "sizes" {
            assert_eq!(
                after.get(path),
                Some(known),
                "{} was written again",
                path.display()
            );
        }
    }
    assert!(after.contains_key(&target.join("tile/entries/001")));
    let verdict = audit(&["--server", &url], &world, world.dir.path());
    assert!(
        verdict.status.success(),
        "{}",
        String::from_utf8_lossy(&verdict.stdout)
    );
    // The partial tiles of two exports ago are needed by nobody.
    server.more(&mut chain, 1).await;
    let third = report(&run(
        &["export-static", "--data"],
        &[&world.data(), &target],
    ));
    assert!(third["removed"].as_u64().unwrap() > 0, "{third}");
    assert!(!target.join("tile/entries/001.p").exists());
    assert!(target.join("tile/entries/002.p/161").exists());
    let verdict = audit(&["--server", &url], &world, world.dir.path());
    assert!(
        verdict.status.success(),
        "{}",
        String::from_utf8_lossy(&verdict.stdout)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_another_log_or_ahead_of_the_store_is_left_alone() {
    let world = World::new();
    let server = Running::start(&mut serve(&world));
    let mut chain = server.grow(&world, 3, 3).await;
    let target = world.dir.path().join("mirror");
    report(&run(
        &["export-static", "--data"],
        &[&world.data(), &target],
    ));
    let other = World::new();
    let rival = Running::start(&mut serve(&other));
    rival.grow(&other, 3, 9).await;
    let refused = run(&["export-static", "--data"], &[&other.data(), &target]);
    assert!(
        errors(&refused).contains("did not sign"),
        "{}",
        errors(&refused)
    );
    // The same keys with an older store: a copy that was restored.
    let copy = world.dir.path().join("copy");
    server.end();
    copy_folder(&world.data(), &copy);
    let server = Running::start(&mut serve(&world));
    server.more(&mut chain, 3).await;
    report(&run(
        &["export-static", "--data"],
        &[&world.data(), &target],
    ));
    let refused = run(&["export-static", "--data"], &[&copy, &target]);
    assert!(
        errors(&refused).contains("the log has published"),
        "{}",
        errors(&refused)
    );
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let path = item.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else if path.is_file() {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
