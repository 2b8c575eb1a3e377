//! Endpoint protection by evidence level.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cairn_event::Sha256;

use super::Device;
use crate::ancestry::DigestCache;
use crate::posture::deadline::Collected;
use crate::posture::{ProductTable, State, protection};

const UNIT: &str = "0::/system.slice/falcon-sensor.service\n";
const EXE: &str = "/opt/CrowdStrike/falcon-sensor-bpf";

fn status(uid: u32, namespaces: &str) -> String {
    format!("Name:\tx\nTracerPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nNSpid:\t{namespaces}\n")
}

/// A process with the sensor's name, as the kernel cuts it.
fn sensor(device: &Device, pid: u32, uid: u32, cgroup: &str) {
    device
        .file(&format!("proc/{pid}/comm"), "falcon-sensor-b\n")
        .file(&format!("proc/{pid}/status"), status(uid, &pid.to_string()))
        .file(&format!("proc/{pid}/cgroup"), cgroup);
}

/// The sensor's executable in a folder that only the fixture's owner can change.
fn install(device: &Device, pid: u32, bytes: &[u8]) {
    device.file(&EXE[1..], bytes);
    for path in ["", "opt", "opt/CrowdStrike", &EXE[1..]] {
        fs::set_permissions(device.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
    device.link(&format!("proc/{pid}/exe"), EXE);
}

fn judge_with(device: &Device, products: &ProductTable) -> Collected {
    protection::collect(&device.sysroot(), products, &DigestCache::new())
}

fn judge(device: &Device) -> Collected {
    judge_with(device, &ProductTable::built_in().unwrap())
}

fn level(device: &Device) -> (State, u8) {
    let finding = judge(device).finding;
    (finding.state, finding.evidence)
}

#[test]
fn no_product_is_off_and_a_hidden_process_list_is_unknown() {
    let device = Device::new();
    assert_eq!(level(&device), (State::Off, 2));
    fs::remove_file(device.path("proc/1/comm")).unwrap();
    assert_eq!(judge(&device).finding.reason, "processes-hidden");
}

#[test]
fn a_name_alone_stays_at_level_0_and_is_unknown() {
    let device = Device::new();
    // A developer's own process, in a user unit that copies the sensor's unit name, with an
    // executable in the right folder.
    let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/falcon-sensor.service\n";
    sensor(&device, 77, 1000, own);
    install(&device, 77, b"sleep");
    assert_eq!(level(&device), (State::Unknown, 0));
    let collected = judge(&device);
    assert_eq!(collected.finding.reason, "name-only");
    assert!(collected.pids.is_empty());
}

#[test]
fn root_in_a_namespace_of_its_own_is_only_a_name() {
    let device = Device::new();
    sensor(&device, 77, 0, "0::/\n");
    device.file("proc/77/status", status(0, "77\t1"));
    assert_eq!(level(&device), (State::Unknown, 0));
    // The links decide where they can be read.
    device.file("proc/77/status", status(0, "77"));
    device
        .link("proc/1/ns/pid", "pid:[4026531836]")
        .link("proc/77/ns/pid", "pid:[4026532999]");
    assert_eq!(level(&device), (State::Unknown, 0));
}

#[test]
fn evidence_rises_with_root_unit_folder_and_digest() {
    let device = Device::new();
    sensor(&device, 77, 0, "0::/user.slice\n");
    assert_eq!(level(&device), (State::On, 1));
    sensor(&device, 77, 0, UNIT);
    assert_eq!(level(&device), (State::On, 2));
    install(&device, 77, b"the sensor");
    assert_eq!(level(&device), (State::On, 3));
    let collected = judge(&device);
    assert_eq!(collected.finding.source, "procfs:crowdstrike-falcon");
    assert_eq!(collected.pids, [77]);

    let pinned = |bytes: &[u8]| {
        let digest = Sha256::of(bytes);
        let digest = serde_json::to_value(digest).unwrap();
        ProductTable::parse(&format!(
            "[[product]]\nid = \"falcon\"\nclass = \"protection\"\n\
             process = [\"falcon-sensor-bpf\"]\nunit = [\"falcon-sensor.service\"]\n\
             dir = [\"/opt/CrowdStrike\"]\nexe_sha256 = [{digest}]\n"
        ))
        .unwrap()
    };
    assert_eq!(
        judge_with(&device, &pinned(b"the sensor")).finding.evidence,
        4
    );
    assert_eq!(judge_with(&device, &pinned(b"another")).finding.evidence, 3);
}

#[test]
fn a_folder_that_others_can_change_does_not_count() {
    let device = Device::new();
    sensor(&device, 77, 0, UNIT);
    install(&device, 77, b"the sensor");
    let folder = device.path("opt/CrowdStrike");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o775)).unwrap();
    assert_eq!(level(&device), (State::On, 2));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(level(&device), (State::On, 3));
    fs::remove_file(device.path("proc/77/exe")).unwrap();
    device.link("proc/77/exe", format!("{EXE} (deleted)"));
    assert_eq!(level(&device), (State::On, 2));
}

#[test]
fn a_service_without_root_is_shown_by_its_unit() {
    let device = Device::new();
    device
        .file("proc/88/comm", "clamd\n")
        .file("proc/88/status", status(111, "88"))
        .file(
            "proc/88/cgroup",
            "1:name=systemd:/system.slice/clamav-daemon.service\n0::/\n",
        );
    assert_eq!(level(&device), (State::On, 2));
}

#[test]
fn telemetry_is_named_and_does_not_count() {
    let device = Device::new();
    device
        .file("proc/99/comm", "osqueryd\n")
        .file("proc/99/status", status(0, "99"))
        .file("proc/99/cgroup", "0::/system.slice/osqueryd.service\n");
    let finding = judge(&device).finding;
    assert_eq!(
        (finding.state, finding.reason.as_str()),
        (State::Off, "also osquery")
    );
}

#[test]
fn the_strongest_process_decides_and_a_spoofed_one_beside_it_changes_nothing() {
    let device = Device::new();
    sensor(&device, 5, 1000, "0::/user.slice\n");
    sensor(&device, 77, 0, UNIT);
    let collected = judge(&device);
    assert_eq!(
        (collected.finding.state, collected.finding.evidence),
        (State::On, 2)
    );
    assert_eq!(collected.pids, [77]);
}

#[test]
fn inside_a_container_and_wsl_absence_shows_nothing() {
    let device = Device::new();
    device.file(".dockerenv", "");
    assert_eq!(judge(&device).finding.reason, "container");
    let device = Device::new();
    device.file(
        "proc/sys/kernel/osrelease",
        "5.15.167.4-microsoft-standard-WSL2\n",
    );
    assert_eq!(judge(&device).finding.reason, "wsl-host");
}
