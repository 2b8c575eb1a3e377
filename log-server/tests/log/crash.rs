//! The real program killed under load, and on a disk that fills up.

use crate::program::{Server, check};
use crate::world::{Chain, World, entry_of};
use std::io::Write as _;
use std::process::Command;

/// Kills of the loop; each meets another moment of a round.
const KILLS: u64 = 4;

/// Entries in one submission of the load.
const BATCH: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn i4_i12_a_kill_at_any_moment_loses_nothing_acknowledged() {
    let world = World::new();
    let client = reqwest::Client::new();
    let mut server = Server::start(&world);
    let (mut chain, first) = world.chain(3);
    for frame in [world.roster(), first] {
        let (_, results) = server.post(&client, &[frame], "sequenced").await.unwrap();
        assert_eq!(results[0]["status"], "sequenced", "{results:?}");
    }
    let mut acknowledged: Vec<(String, u64)> = Vec::new();
    for kill in 0..KILLS {
        let killer = kill_later(&server, 30 + 45 * kill);
        let left = load(&server, &client, &mut chain, &mut acknowledged).await;
        killer.await.unwrap();
        drop(server);
        server = Server::start(&world);
        // What was under way is submitted again, as an agent does.
        let (_, results) = server.post(&client, &left, "sequenced").await.unwrap();
        for (frame, result) in left.iter().zip(&results) {
            acknowledged.push((frame.clone(), result["index"].as_u64().unwrap()));
        }
    }
    for (frame, index) in &acknowledged {
        let bytes = server
            .get(&format!("/v1/entries/{index}"))
            .await
            .bytes()
            .await
            .unwrap();
        assert_eq!(bytes, entry_of(frame).as_bytes(), "entry {index}");
    }
    let mut indices: Vec<u64> = acknowledged.iter().map(|(_, index)| *index).collect();
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(
        indices.len(),
        acknowledged.len(),
        "two entries share an index"
    );
    drop(server);
    let checked = check(&world.data());
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}

/// Kills the server from outside after some milliseconds of load.
fn kill_later(server: &Server, after_ms: u64) -> tokio::task::JoinHandle<()> {
    let process = server.child.id().to_string();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(after_ms)).await;
        assert!(
            Command::new("kill")
                .args(["-KILL", &process])
                .status()
                .unwrap()
                .success()
        );
    })
}

/// Submits until the server is gone; gives the frames of the submission that was not answered.
async fn load(
    server: &Server,
    client: &reqwest::Client,
    chain: &mut Chain,
    acknowledged: &mut Vec<(String, u64)>,
) -> Vec<String> {
    loop {
        let frames = chain.many(BATCH);
        match server.post(client, &frames, "sequenced").await {
            Ok((_, results)) if results.len() == frames.len() => {
                for (frame, result) in frames.into_iter().zip(&results) {
                    let index = result["index"].as_u64().unwrap();
                    acknowledged.push((frame, index));
                }
            }
            _ => return frames,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_a_full_disk_stops_acceptance_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        let _ = writeln!(std::io::stdout(), "skipped: mounting a tmpfs needs root");
        return;
    };
    let world = World::on(tempfile::tempdir_in(&disk.path).unwrap());
    let config = world.data().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("reserve_bytes = 268435456", "reserve_bytes = 0");
    std::fs::write(&config, text).unwrap();
    let client = reqwest::Client::new();
    let server = Server::start(&world);
    let (mut chain, first) = world.chain(3);
    server
        .post(&client, &[world.roster()], "sequenced")
        .await
        .unwrap();
    server.post(&client, &[first], "sequenced").await.unwrap();
    let mut acknowledged = Vec::new();
    let ballast = world.dir.path().join("ballast");
    let _full = std::fs::write(&ballast, vec![0; 256 * 1_048_576]);
    let left = load(&server, &client, &mut chain, &mut acknowledged).await;
    assert!(!left.is_empty());
    drop(server);
    std::fs::remove_file(&ballast).unwrap();
    let server = Server::start(&world);
    for (frame, index) in &acknowledged {
        let bytes = server
            .get(&format!("/v1/entries/{index}"))
            .await
            .bytes()
            .await
            .unwrap();
        assert_eq!(bytes, entry_of(frame).as_bytes(), "entry {index}");
    }
    let (_, results) = server.post(&client, &left, "published").await.unwrap();
    assert_eq!(results.len(), left.len());
    drop(server);
    let checked = check(&world.data());
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    drop(world);
}

/// A tmpfs of 64 MiB, unmounted when dropped.
struct SmallDisk {
    path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
            .arg(folder.path())
            .output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then(|| Self {
            path: folder.path().to_owned(),
            _folder: folder,
        })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A file still open keeps it busy; lazy unmounting ends with the process.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
