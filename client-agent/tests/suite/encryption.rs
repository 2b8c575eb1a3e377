//! A rule on disk encryption, decided by the real daemon on three devices: encrypted, plain, unknown.

use super::device::{Device, bundle, verdict};
use cairn_event::body::Body;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// What the device looks like below its system root.
#[derive(Clone, Copy)]
enum Disk {
    Encrypted,
    Plain,
    Unknown,
}

fn file(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A system root with one block device under `/`, mapped by LUKS2 or not; empty where nothing is to
/// be known.
fn system_root(disk: Disk) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = root.path();
    let devices = "sys/devices/virtual/block";
    let (number, name) = match disk {
        Disk::Unknown => return root,
        Disk::Encrypted => ("253:0", "dm-0"),
        Disk::Plain => ("8:0", "sda"),
    };
    file(at, &format!("{devices}/sda/size"), "1\n");
    fs::create_dir_all(at.join("sys/dev/block")).unwrap();
    symlink(
        "../../devices/virtual/block/sda",
        at.join("sys/dev/block/8:0"),
    )
    .unwrap();
    if let Disk::Encrypted = disk {
        let uuid = "CRYPT-LUKS2-0123456789abcdef0123456789abcdef-root\n";
        file(at, &format!("{devices}/dm-0/dm/uuid"), uuid);
        fs::create_dir_all(at.join(devices).join("dm-0/slaves")).unwrap();
        symlink("../../sda", at.join(devices).join("dm-0/slaves/sda")).unwrap();
        symlink(
            "../../devices/virtual/block/dm-0",
            at.join("sys/dev/block/253:0"),
        )
        .unwrap();
    }
    file(at, &format!("dev/{name}"), "");
    let mounts = format!("20 1 {number} / / rw - ext4 /dev/{name} rw\n");
    file(at, "proc/self/mountinfo", &mounts);
    root
}

/// The verdict on `curl` and the posture that its record carries.
fn judged(disk: Disk) -> (String, String, String) {
    let device = Device::new(&bundle(json!({ "rules": [
        { "id": "download", "effect": "allow", "pattern": "Bash(curl *)",
          "scope": { "global": true }, "dialect": "cairn" },
        { "id": "needs-encryption", "effect": "deny", "pattern": "Bash(curl *)",
          "scope": { "global": true }, "dialect": "cairn",
          "when": { "not": { "posture": "disk_encryption", "is": "on" } } },
    ] })));
    let root = system_root(disk);
    let config = format!("posture_sysroot = {:?}\n", root.path());
    fs::write(device.state.path().join("config.toml"), config).unwrap();
    let _daemon = device.start();
    let answer = device.bash("curl -s https://example.invalid/x", "toolu_1");
    let frames = device.spooled();
    let decided = frames
        .iter()
        .rev()
        .find_map(|frame| match &frame.entry().payload().body {
            Body::ToolDecision(_) => frame.entry().payload().context.posture.clone(),
            _ => None,
        });
    let field = decided.unwrap().0["disk_encryption"].clone();
    (verdict(&answer).to_owned(), field.value, field.source)
}

#[test]
fn an_encrypted_disk_lets_the_download_through() {
    let (verdict, value, source) = judged(Disk::Encrypted);
    assert_eq!((verdict.as_str(), value.as_str()), ("allow", "on"));
    assert!(
        source.starts_with("fixture:"),
        "a fixture must never pass as real: {source}"
    );
}

#[test]
fn a_plain_disk_denies_it() {
    let (verdict, value, _) = judged(Disk::Plain);
    assert_eq!((verdict.as_str(), value.as_str()), ("deny", "off"));
}

#[test]
fn an_unknown_disk_denies_it() {
    let (verdict, value, _) = judged(Disk::Unknown);
    assert_eq!((verdict.as_str(), value.as_str()), ("deny", "unknown"));
}
